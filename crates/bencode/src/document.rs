//! Decoded input as views into its bytes.
//!
//! Owns navigation over the token table. Every value that a [`Document`] hands out was checked by
//! the scan, so reading one cannot fail other than by having another kind or not fitting a number.

use crate::error::{DecodeError, Irregularity, Rule};
use crate::scan::{Limits, Mode, Token, scan};
use std::fmt;

/// Decodes one value that fills `input`, within the default [`Limits`].
///
/// # Errors
/// When it is no bencode, or over a limit, or in [`Mode::Strict`] not canonical. In
/// [`Mode::Lenient`] bytes after the value are reported by [`Document::trailing`].
pub fn decode(input: &[u8], mode: Mode) -> Result<Document<'_>, DecodeError> {
    let (mut document, consumed) = decode_prefix(input, mode, Limits::default())?;
    if consumed < input.len() {
        let found = Irregularity { offset: consumed, rule: Rule::NoTrailingBytes };
        if mode == Mode::Strict {
            return Err(DecodeError::NotCanonical(found));
        }
        document.irregularity.get_or_insert(found);
        document.trailing = &input[consumed..];
    }
    Ok(document)
}

/// Decodes the value at the start of `input` and tells how many bytes it takes. What follows is not
/// looked at: messages of BEP 9 have raw bytes behind a dictionary.
///
/// # Errors
/// As [`decode`], but never for what follows the value.
pub fn decode_prefix(
    input: &[u8],
    mode: Mode,
    limits: Limits,
) -> Result<(Document<'_>, usize), DecodeError> {
    let found = scan(input, mode, limits)?;
    let consumed = found.tokens[0].end as usize;
    let document =
        Document { input, tokens: found.tokens, irregularity: found.irregularity, trailing: &[] };
    Ok((document, consumed))
}

/// One decoded value and everything in it.
pub struct Document<'a> {
    input: &'a [u8],
    /// Never empty; the first is the root.
    tokens: Vec<Token>,
    irregularity: Option<Irregularity>,
    trailing: &'a [u8],
}

impl<'a> Document<'a> {
    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value { input: self.input, tokens: &self.tokens, at: 0 }
    }

    /// The first place that is not canonical; always `None` after [`Mode::Strict`].
    pub const fn irregularity(&self) -> Option<Irregularity> {
        self.irregularity
    }

    /// The bytes behind the value, if [`decode`] found any.
    pub const fn trailing(&self) -> &'a [u8] {
        self.trailing
    }

    /// Values and keys that were indexed.
    pub fn token_count(&self) -> usize {
        self.tokens.len()
    }
}

impl fmt::Debug for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("root", &self.root())
            .field("irregularity", &self.irregularity)
            .field("trailing_bytes", &self.trailing.len())
            .finish_non_exhaustive()
    }
}

/// The four kinds of value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `i...e`
    Integer,
    /// `<length>:...`
    Bytes,
    /// `l...e`
    List,
    /// `d...e`
    Dict,
}

/// A view of one value. Copying it copies a position, not content.
#[derive(Clone, Copy)]
pub struct Value<'d> {
    input: &'d [u8],
    tokens: &'d [Token],
    at: usize,
}

impl<'d> Value<'d> {
    /// What it is.
    pub fn kind(self) -> Kind {
        match self.raw()[0] {
            b'i' => Kind::Integer,
            b'l' => Kind::List,
            b'd' => Kind::Dict,
            // The scan lets nothing but a digit start any other value.
            _ => Kind::Bytes,
        }
    }

    /// Its encoding, exactly as it came.
    pub fn raw(self) -> &'d [u8] {
        let token = self.token();
        &self.input[token.start as usize..token.end as usize]
    }

    /// Where [`Self::raw`] starts in the input.
    pub fn offset(self) -> usize {
        self.token().start as usize
    }

    /// The payload of a string.
    pub fn as_bytes(self) -> Option<&'d [u8]> {
        if self.kind() != Kind::Bytes {
            return None;
        }
        let raw = self.raw();
        let colon = raw.iter().position(|byte| *byte == b':')?;
        Some(&raw[colon + 1..])
    }

    /// The payload of a string that is UTF-8.
    pub fn as_str(self) -> Option<&'d str> {
        self.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// An integer that fits.
    pub fn as_i64(self) -> Option<i64> {
        self.digits()?.parse().ok()
    }

    /// An integer that is not negative and fits.
    pub fn as_u64(self) -> Option<u64> {
        match self.digits()? {
            // Lenient decoding reads -0; the standard parser does not.
            zero if zero.starts_with('-') => (zero.parse() == Ok(0_i64)).then_some(0),
            digits => digits.parse().ok(),
        }
    }

    /// The items of a list.
    pub fn as_list(self) -> Option<Items<'d>> {
        (self.kind() == Kind::List).then(|| self.items())
    }

    /// The entries of a dictionary.
    pub fn as_dict(self) -> Option<Dict<'d>> {
        (self.kind() == Kind::Dict).then_some(Dict { value: self })
    }

    /// The entry with this key, if this is a dictionary that has it; see [`Dict::get`].
    pub fn get(self, key: impl AsRef<[u8]>) -> Option<Self> {
        self.as_dict()?.get(key)
    }

    fn digits(self) -> Option<&'d str> {
        if self.kind() != Kind::Integer {
            return None;
        }
        let raw = self.raw();
        std::str::from_utf8(&raw[1..raw.len() - 1]).ok()
    }

    fn items(self) -> Items<'d> {
        Items { container: self, at: self.at + 1 }
    }

    fn token(self) -> Token {
        self.tokens[self.at]
    }
}

impl fmt::Debug for Value<'_> {
    /// The kind, and for scalars the content cut to 64 bytes: a document may be large.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = self.raw();
        match self.kind() {
            kind @ (Kind::List | Kind::Dict) => write!(f, "{kind:?}({} bytes)", raw.len()),
            Kind::Integer | Kind::Bytes => write!(f, "{}", raw[..raw.len().min(64)].escape_ascii()),
        }
    }
}

/// A view of a dictionary.
#[derive(Clone, Copy, Debug)]
pub struct Dict<'d> {
    value: Value<'d>,
}

impl<'d> Dict<'d> {
    /// The value of `key`; of the first one when lenient decoding met several. Takes time in the
    /// number of entries, however large their values are.
    pub fn get(self, key: impl AsRef<[u8]>) -> Option<Value<'d>> {
        let key = key.as_ref();
        self.iter().find_map(|(name, value)| (name == key).then_some(value))
    }

    /// Keys and values as they stand.
    pub fn iter(self) -> Entries<'d> {
        Entries { items: self.value.items() }
    }

    /// True when there is no entry.
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }

    /// Its encoding, exactly as it came.
    pub fn raw(self) -> &'d [u8] {
        self.value.raw()
    }
}

impl<'d> IntoIterator for Dict<'d> {
    type Item = (&'d [u8], Value<'d>);
    type IntoIter = Entries<'d>;

    fn into_iter(self) -> Entries<'d> {
        self.iter()
    }
}

/// The items of a list, in order.
#[derive(Clone, Debug)]
pub struct Items<'d> {
    container: Value<'d>,
    at: usize,
}

impl<'d> Iterator for Items<'d> {
    type Item = Value<'d>;

    fn next(&mut self) -> Option<Value<'d>> {
        if self.at >= self.container.token().next as usize {
            return None;
        }
        let item = Value { at: self.at, ..self.container };
        self.at = item.token().next as usize;
        Some(item)
    }
}

/// The entries of a dictionary, in the order of the input.
#[derive(Clone, Debug)]
pub struct Entries<'d> {
    items: Items<'d>,
}

impl<'d> Iterator for Entries<'d> {
    type Item = (&'d [u8], Value<'d>);

    fn next(&mut self) -> Option<Self::Item> {
        // The scan refuses keys that are no strings and keys without a value.
        let key = self.items.next()?.as_bytes()?;
        Some((key, self.items.next()?))
    }
}

#[cfg(test)]
mod tests;
