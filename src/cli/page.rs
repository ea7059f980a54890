//! Text laid out for a terminal.

use std::io::{self, Write};

/// Writes rows whose cells begin in the same columns; the last cell may have any length.
pub(super) fn table(out: &mut dyn Write, rows: &[Vec<&str>]) -> io::Result<()> {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    for row in rows {
        let (last, before) = row.split_last().unwrap_or((&"", &[]));
        for (column, cell) in before.iter().enumerate() {
            write!(out, "{cell:<width$}  ", width = width(column))?;
        }
        writeln!(out, "{last}")?;
    }
    Ok(())
}

/// Breaks a text at spaces, so that no line is longer than `width` unless a word is.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split_whitespace() {
        let letters = word.chars().count();
        match lines.last_mut() {
            Some(line) if length > 0 && length + 1 + letters <= width => {
                line.push(' ');
                line.push_str(word);
                length += 1 + letters;
            }
            Some(line) if length == 0 => {
                line.push_str(word);
                length = letters;
            }
            _ => {
                lines.push(word.to_owned());
                length = letters;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let mut out = Vec::new();
        table(&mut out, &[vec!["A", "B", "C"], vec!["long", "é", "the end"]]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "A     B  C\nlong  é  the end\n");
    }

    #[test]
    fn a_line_breaks_before_the_word_that_does_not_fit() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable a b", 3), ["unbreakable", "a b"]);
        assert_eq!(wrap("", 3), [""]);
    }
}
