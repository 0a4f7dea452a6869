//! Tables for people.

use std::time::Duration;

use crate::timing::milliseconds as as_milliseconds;

/// Prints a heading and rows, the first column to the left and the others to the right.
pub(crate) fn print_table(head: &[String], rows: &[Vec<String>]) {
    let cell_width = |row: &[String], column: usize| row[column].chars().count();
    let width = |column| rows.iter().map(|row| cell_width(row, column)).fold(cell_width(head, column), usize::max);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for row in std::iter::once(head).chain(rows.iter().map(Vec::as_slice)) {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        println!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    println!();
}

/// The cells of a row or a heading.
pub(crate) fn cells<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// A time in milliseconds with three digits that mean something.
pub(crate) fn milliseconds(time: Duration) -> String {
    match as_milliseconds(time) {
        it @ ..10.0 => format!("{it:.2}"),
        it @ ..100.0 => format!("{it:.1}"),
        it => format!("{it:.0}"),
    }
}

/// Bytes in millions.
pub(crate) fn megabytes(bytes: u64) -> String {
    let megabytes = bytes as f64 / 1e6;
    if megabytes < 10.0 { format!("{megabytes:.2}") } else { format!("{megabytes:.1}") }
}

/// How many times one is the other, with three digits that mean something.
pub(crate) fn ratio(one: f64, other: f64) -> String {
    match one / other {
        it if !it.is_finite() => "-".to_owned(),
        it if it < 0.1 => format!("{it:.4}"),
        it if it < 10.0 => format!("{it:.2}"),
        it => format!("{it:.1}"),
    }
}
