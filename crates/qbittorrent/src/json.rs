//! JSON written straight into a buffer: a list of ten thousand torrents is half a million values, and none of
//! them is worth a tree in memory.

use std::io::Write as _;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Datum<'a> {
    /// Text.
    Text(std::borrow::Cow<'a, str>),
    /// A whole number.
    Number(i64),
    /// A number in thousandths.
    Milli(i64),
    /// Yes or no.
    Bool(bool),
    /// Not known.
    Null,
}

impl Datum<'_> {
    /// Before, equal or after, as lists are sorted. Values of two kinds are equal.
    pub(crate) fn compare(&self, other: &Self) -> std::cmp::Ordering {
        use Datum::{Bool, Milli, Number, Text};
        match (self, other) {
            (Text(one), Text(two)) => one.cmp(two),
            (Number(one), Number(two)) | (Milli(one), Milli(two)) => one.cmp(two),
            (Bool(one), Bool(two)) => one.cmp(two),
            _ => std::cmp::Ordering::Equal,
        }
    }

    /// Behind what is in the buffer.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => write_text(out, text),
            Self::Number(number) => write_number(out, *number),
            Self::Milli(milli) => write_milli(out, *milli),
            Self::Bool(yes) => out.extend_from_slice(if *yes { b"true" } else { b"false" }),
            Self::Null => out.extend_from_slice(b"null"),
        }
    }
}

/// A text in quotes, escaped.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    // Without a way out, so that many bytes are looked at together; hardly a text has one to escape.
    if !bytes.iter().fold(false, |found, byte| found | is_escaped(*byte)) {
        return write_plain(out, text);
    }
    out.push(b'"');
    let mut plain = 0;
    for (at, byte) in bytes.iter().enumerate().filter(|(_, byte)| is_escaped(**byte)) {
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            // Writing to a Vec cannot fail.
            _ => drop(write!(out, "\\u{byte:04x}")),
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

const fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// A text in quotes that has nothing to escape.
fn write_plain(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

fn write_number(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    write_digits(out, number.unsigned_abs());
}

fn write_digits(out: &mut Vec<u8>, number: u64) {
    // The largest number has as many.
    let mut digits = [0; 20];
    let (mut first, mut rest) = (digits.len(), number);
    loop {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

fn write_milli(out: &mut Vec<u8>, milli: i64) {
    if milli < 0 {
        out.push(b'-');
    }
    let (whole, rest) = (milli.unsigned_abs() / 1000, milli.unsigned_abs() % 1000);
    write_digits(out, whole);
    if rest > 0 {
        let digits = [rest / 100, rest / 10 % 10, rest % 10].map(|digit| b'0' + digit as u8);
        let zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
        out.push(b'.');
        out.extend_from_slice(&digits[..digits.len() - zeros]);
    }
}

/// An object that is being written; [`Self::end`] closes it.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    /// Opens one.
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    /// A key; what is written into the answer next is its value.
    pub(crate) fn key(&mut self, name: &str) -> &mut Vec<u8> {
        self.next();
        write_text(self.out, name);
        self.out.push(b':');
        self.out
    }

    /// A key of the dialect's own, none of which has anything to escape, with a value.
    pub(crate) fn set(&mut self, name: &'static str, value: &Datum<'_>) {
        self.next();
        write_plain(self.out, name);
        self.out.push(b':');
        value.write(self.out);
    }

    fn next(&mut self) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
    }

    /// A key with a whole number.
    pub(crate) fn number(&mut self, name: &str, value: i64) {
        write_number(self.key(name), value);
    }

    /// A key with a text.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        write_text(self.key(name), value);
    }

    /// A key with a list of texts.
    pub(crate) fn texts<T: AsRef<str>>(&mut self, name: &str, values: impl Iterator<Item = T>) {
        write_list(self.key(name), values, |out, text| write_text(out, text.as_ref()));
    }

    /// Closes it.
    pub(crate) fn end(self) {
        self.out.push(b'}');
    }
}

/// A list of whatever `write` writes.
pub(crate) fn write_list<T>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// What fits in a JSON number of this dialect.
pub(crate) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &Datum<'_>) -> String {
        let mut out = Vec::new();
        value.write(&mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn texts_with_quotes_and_controls_read_back_as_they_were() {
        for text in ["", "plain", "a\"b\\c", "tab\tbell\u{7}", "ümläut 東京", "</script>"] {
            let json = written(&Datum::Text(text.into()));
            assert_eq!(serde_json::from_str::<String>(&json).expect("valid JSON"), text);
        }
    }

    #[test]
    fn thousandths_are_written_as_short_decimals() {
        let cases =
            [(0, "0"), (1000, "1"), (500, "0.5"), (25, "0.025"), (-1000, "-1"), (-2500, "-2.5")];
        for (milli, expected) in cases {
            assert_eq!(written(&Datum::Milli(milli)), expected);
        }
    }

    #[test]
    fn whole_numbers_are_written_as_they_are() {
        for number in [0, 7, 10, -1, 1_234_567_890, i64::MAX, i64::MIN] {
            assert_eq!(written(&Datum::Number(number)), number.to_string());
        }
    }

    #[test]
    fn no_key_of_a_torrent_has_anything_to_escape() {
        for key in crate::keys::KEYS {
            assert!(!key.name.bytes().any(is_escaped), "{}", key.name);
        }
    }
}
