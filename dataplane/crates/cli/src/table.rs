//! A table of text: columns as wide as their widest cell.

/// Lines with the cells of each column below each other. Every row has as many cells as the first.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  "));
        text.push_str(cells.collect::<String>().trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["A", "LONG", ""], ["żółw", "b", "c"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "A     LONG\nżółw  b     c\n");
        assert_eq!(table(&[]), "");
    }
}
