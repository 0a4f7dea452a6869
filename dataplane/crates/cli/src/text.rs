//! Text for a terminal: figures with separators, and nothing that a log line could do to the terminal.

use std::borrow::Cow;
use std::time::Duration;

/// The text on one line and without control characters: white space becomes one space, any other control character its
/// escape, so that no document can move the cursor or clear the screen.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|character| character.is_control()) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => {
                if !line.ends_with(' ') {
                    line.push(' ');
                }
            }
            control if control.is_control() => line.extend(control.escape_default()),
            other => line.push(other),
        }
    }
    Cow::Owned(line)
}

/// The start of a line that has at most `width` characters, with `…` where something is left out.
pub(crate) fn cut(line: &str, width: Option<usize>) -> Cow<'_, str> {
    let Some(width) = width else { return Cow::Borrowed(line) };
    match line.char_indices().nth(width) {
        None => Cow::Borrowed(line),
        Some(_) => Cow::Owned(line.chars().take(width.saturating_sub(1)).chain(['…']).collect()),
    }
}

/// A number with a comma at each thousand.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun: `1 document`, `2,000 documents`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// A duration to three digits or so.
pub(crate) fn duration(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1e3;
    match millis {
        ..10.0 => format!("{millis:.1} ms"),
        10.0..1_000.0 => format!("{millis:.0} ms"),
        _ => format!("{:.2} s", millis / 1e3),
    }
}

/// Megabytes of a million bytes.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_cannot_speak_to_the_terminal() {
        assert_eq!(printable("a\r\n\t\tb\u{1b}[2Jc\u{7f}\u{9b}d"), "a b\\u{1b}[2Jc\\u{7f}\\u{9b}d");
        assert!(matches!(printable("Zażółć 日本"), Cow::Borrowed("Zażółć 日本")));
    }

    #[test]
    fn a_line_is_cut_between_characters() {
        assert_eq!(cut("Łódź", Some(4)), "Łódź");
        assert_eq!(cut("Łódź", Some(3)), "Łó…");
        assert_eq!(cut("Łódź", None), "Łódź");
    }

    #[test]
    fn figures_are_readable() {
        let figures = [0, 999, 1_000, 1_234_567].map(thousands);
        assert_eq!(figures, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([counted(1, "document"), counted(0, "document")], ["1 document", "0 documents"]);
        let durations = [1.234, 56.7, 2_500.0].map(|millis| duration(Duration::from_secs_f64(millis / 1e3)));
        assert_eq!(durations, ["1.2 ms", "57 ms", "2.50 s"]);
    }
}
