//! Tables for people.

use std::time::Duration;

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
        println!("  {}", cells.collect::<Vec<_>>().join("  "));
    }
    println!();
}

/// A time in milliseconds with three digits that mean something.
pub(crate) fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    match milliseconds {
        ..10.0 => format!("{milliseconds:.2}"),
        ..100.0 => format!("{milliseconds:.1}"),
        _ => format!("{milliseconds:.0}"),
    }
}

/// The middle one of an odd number of times.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
