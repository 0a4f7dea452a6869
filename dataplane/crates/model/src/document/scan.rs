//! The bytes of JSON: where strings end, what escapes mean, white space.

use std::borrow::Cow;

/// Offset of the first quote, backslash or control character from `at` on; the length when there is none.
pub(super) fn string_stop(bytes: &[u8], at: usize) -> usize {
    // Eight bytes at a time: in each lane the high bit is set where the byte is one that stops. False alarms can only come
    // from lanes above a true one, and the lowest set bit is taken.
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zero_lanes = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut start = at;
    while let Some(chunk) = bytes.get(start..start + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("the slice has eight bytes"));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let stops =
            zero_lanes(word ^ (ONES * u64::from(b'"'))) | zero_lanes(word ^ (ONES * u64::from(b'\\'))) | control;
        if stops != 0 {
            return start + (stops.trailing_zeros() / 8) as usize;
        }
        start += 8;
    }
    let stops = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1F);
    bytes[start.min(bytes.len())..].iter().position(stops).map_or(bytes.len(), |found| start + found)
}

/// Offset of the first byte from `at` on that is not white space.
pub(super) fn skip_white_space(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    while bytes.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// The code unit of four hexadecimal digits.
pub(super) fn code_unit(digits: &[u8]) -> Option<u16> {
    let well_formed = digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| well_formed)?;
    u16::from_str_radix(text, 16).ok()
}

/// What a `\u` escape stands for, and how many bytes it takes. `escape` begins with the backslash.
/// A lone surrogate gives `None` for the character.
pub(super) fn unicode_escape(escape: &[u8]) -> Option<(Option<char>, usize)> {
    let first = code_unit(escape.get(2..6)?)?;
    if let Some(character) = char::from_u32(u32::from(first)) {
        return Some((Some(character), 6));
    }
    let low = escape.get(6..12).filter(|next| next.starts_with(b"\\u")).and_then(|next| code_unit(&next[2..]));
    let pair = low.and_then(|low| char::decode_utf16([first, low]).next()).and_then(Result::ok);
    Some((pair, if pair.is_some() { 12 } else { 6 }))
}

/// The text of a checked string without its quotes.
pub(super) fn unescaped(raw: &str) -> Cow<'_, str> {
    if backslash(raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    unescape_into(raw, &mut text);
    Cow::Owned(text)
}

/// Appends the text of a checked string without its quotes. A lone surrogate, and an escape that is none, gives U+FFFD.
pub(super) fn unescape_into(raw: &str, text: &mut String) {
    let mut rest = raw;
    while let Some(backslash) = backslash(rest.as_bytes()) {
        text.push_str(&rest[..backslash]);
        let escape = &rest.as_bytes()[backslash..];
        let (character, taken) = match escape.get(1) {
            Some(b'u') => unicode_escape(escape).unwrap_or((None, 2)),
            Some(letter) if letter.is_ascii() => (simple_escape(*letter), 2),
            _ => (None, 1),
        };
        text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = &rest[backslash + taken..];
    }
    text.push_str(rest);
}

/// The first backslash of a string's text, in which it is the only byte that stops when the text is checked.
fn backslash(text: &[u8]) -> Option<usize> {
    let mut at = string_stop(text, 0);
    while text.get(at).is_some_and(|byte| *byte != b'\\') {
        at = string_stop(text, at + 1);
    }
    (at < text.len()).then_some(at)
}

/// The character of an escape of one letter.
pub(super) fn simple_escape(letter: u8) -> Option<char> {
    match letter {
        b'"' | b'\\' | b'/' => Some(char::from(letter)),
        b'b' => Some('\u{8}'),
        b'f' => Some('\u{c}'),
        b'n' => Some('\n'),
        b'r' => Some('\r'),
        b't' => Some('\t'),
        _ => None,
    }
}

/// The letter of the escape of a quote, a backslash or a control character; `None`: it has none and is written `\u00..`.
pub(super) fn letter_of_escape(byte: u8) -> Option<u8> {
    match byte {
        b'"' | b'\\' => Some(byte),
        0x8 => Some(b'b'),
        0xC => Some(b'f'),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        b'\t' => Some(b't'),
        _ => None,
    }
}

/// Checked JSON without the white space between its tokens.
pub(super) fn without_white_space(json: &str) -> String {
    let bytes = json.as_bytes();
    let mut dense = String::with_capacity(json.len());
    let mut at = skip_white_space(bytes, 0);
    while at < bytes.len() {
        let end = if bytes[at] == b'"' { string_end(bytes, at) } else { Some(at + 1) };
        let end = end.unwrap_or(bytes.len());
        dense.push_str(&json[at..end]);
        at = skip_white_space(bytes, end);
    }
    dense
}

/// The end of a string that begins with a quote at `at`, past its closing quote. `None`: it does not end, or a control
/// character is in it. Escapes are not looked at.
pub(super) fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at = string_stop(bytes, at);
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_give_their_characters() {
        let cases = [
            (r#"a\"\\\/\b\f\n\r\tz"#, "a\"\\/\u{8}\u{c}\n\r\tz"),
            (r"\u0041\u00e9\uD83D\ude00", "Aé😀"),
            (r"\ud800x\udc00\ud800\u0041", "\u{fffd}x\u{fffd}\u{fffd}A"),
            ("plain", "plain"),
        ];
        for (raw, text) in cases {
            assert_eq!(unescaped(raw), text, "{raw}");
        }
    }

    #[test]
    fn white_space_goes_between_tokens_and_stays_in_strings() {
        assert_eq!(without_white_space(" { \"a b\\\" \" :\n[ 1 , true\t] } "), r#"{"a b\" ":[1,true]}"#);
    }

    proptest! {
        #[test]
        fn a_string_stops_where_a_plain_scan_says(bytes in prop::collection::vec(prop_oneof![
            8 => any::<u8>(), 1 => Just(b'"'), 1 => Just(b'\\'), 20 => 0x20..=0x7Fu8], 0..60), at in 0usize..60) {
            let expected = (at..bytes.len()).find(|at| matches!(bytes[*at], b'"' | b'\\' | 0..=0x1F)).unwrap_or(bytes.len());
            prop_assert_eq!(string_stop(&bytes, at), expected);
        }
    }
}
