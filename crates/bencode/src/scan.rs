//! One pass over the input that checks every rule and leaves a table of where values lie.
//!
//! Owns the table's shape: tokens stand in input order, a container before its content, keys and
//! values alternating in a dictionary. Keeps its own stack, so depth costs no machine stack.

use crate::error::{DecodeError, Irregularity, Rule};

/// Digits of the longest integer that is read: `u64::MAX` has so many.
pub const INTEGER_DIGITS_MAX: usize = 20;

/// Digits of the longest string length: offsets have 32 bits.
const LENGTH_DIGITS_MAX: usize = 10;

/// How much deviation from the canonical form is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// The canonical form alone: one value has one encoding (BEP 3, BEP 52).
    Strict,
    /// Unsorted or repeated keys, leading zeros, `-0` and trailing bytes are read too, and the
    /// first is reported by [`Document::irregularity`](crate::Document::irregularity). Old v1
    /// torrents need it.
    Lenient,
}

/// What a decoder spends at most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Containers within containers.
    pub depth: usize,
    /// Values and keys together; each costs 12 bytes of memory.
    pub tokens: usize,
}

impl Default for Limits {
    /// 100 deep; 2.5 million values, enough for a torrent of 300,000 files in under 30 MB.
    fn default() -> Self {
        Self { depth: 100, tokens: 2_500_000 }
    }
}

/// Where one value lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// First byte.
    pub(crate) start: u32,
    /// One past the last byte.
    pub(crate) end: u32,
    /// Number of the first token behind this value and its content.
    pub(crate) next: u32,
}

/// What the scan found.
pub(crate) struct Scan {
    pub(crate) tokens: Vec<Token>,
    pub(crate) irregularity: Option<Irregularity>,
}

/// A container that is not closed yet.
struct Open {
    token: u32,
    is_dict: bool,
    /// In a dictionary: the last key's payload, and whether its value is still to come.
    last_key: Option<(usize, usize)>,
    owes_value: bool,
}

struct Scanner<'a> {
    input: &'a [u8],
    at: usize,
    mode: Mode,
    limits: Limits,
    tokens: Vec<Token>,
    stack: Vec<Open>,
    irregularity: Option<Irregularity>,
}

/// Reads one value from the start of `input`; the first token's `end` tells where it stops.
pub(crate) fn scan(input: &[u8], mode: Mode, limits: Limits) -> Result<Scan, DecodeError> {
    if u32::try_from(input.len()).is_err() {
        return Err(DecodeError::TooLarge { bytes: input.len() });
    }
    let mut scanner = Scanner {
        input,
        at: 0,
        mode,
        limits: Limits { tokens: limits.tokens.min(u32::MAX as usize), ..limits },
        tokens: Vec::new(),
        stack: Vec::new(),
        irregularity: None,
    };
    loop {
        scanner.step()?;
        if scanner.stack.is_empty() {
            return Ok(Scan { tokens: scanner.tokens, irregularity: scanner.irregularity });
        }
    }
}

impl<'a> Scanner<'a> {
    /// Reads one key or scalar, or opens or closes one container.
    fn step(&mut self) -> Result<(), DecodeError> {
        let byte = self.peek()?;
        let Some(open) = self.stack.last() else { return self.value(byte) };
        let (wants_key, owes_value) = (open.is_dict && !open.owes_value, open.owes_value);
        match byte {
            b'e' if !owes_value => {
                self.close();
                Ok(())
            }
            b'0'..=b'9' if wants_key => self.key(),
            _ if wants_key => Err(self.unexpected(byte, "a key or the end of the dictionary")),
            _ => self.value(byte),
        }
    }

    fn value(&mut self, byte: u8) -> Result<(), DecodeError> {
        if let Some(open) = self.stack.last_mut() {
            open.owes_value = false;
        }
        match byte {
            b'0'..=b'9' => self.string().map(|_| ()),
            b'i' => self.integer(),
            b'l' | b'd' => self.open(byte == b'd'),
            _ => Err(self.unexpected(byte, "a value")),
        }
    }

    fn open(&mut self, is_dict: bool) -> Result<(), DecodeError> {
        if self.stack.len() >= self.limits.depth {
            return Err(DecodeError::TooDeep { offset: self.at, max: self.limits.depth });
        }
        let token = self.tokens.len() as u32;
        // End and next are known when the container closes.
        self.push(self.at, self.at)?;
        self.stack.push(Open { token, is_dict, last_key: None, owes_value: false });
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) {
        self.at += 1;
        if let Some(open) = self.stack.pop() {
            let next = self.tokens.len() as u32;
            let token = &mut self.tokens[open.token as usize];
            (token.end, token.next) = (self.at as u32, next);
        }
    }

    fn key(&mut self) -> Result<(), DecodeError> {
        let offset = self.at;
        let payload = self.string()?;
        let Some(open) = self.stack.last_mut() else { return Ok(()) };
        open.owes_value = true;
        let Some(last) = open.last_key.replace(payload) else { return Ok(()) };
        match self.input[last.0..last.1].cmp(&self.input[payload.0..payload.1]) {
            std::cmp::Ordering::Less => Ok(()),
            std::cmp::Ordering::Equal => self.irregular(offset, Rule::KeysUnique),
            std::cmp::Ordering::Greater => self.irregular(offset, Rule::KeysSorted),
        }
    }

    /// Reads `<length>:<payload>` and returns where the payload lies.
    fn string(&mut self) -> Result<(usize, usize), DecodeError> {
        let offset = self.at;
        let digits = self.digits();
        let input_bytes = self.input.len();
        let too_long =
            |at: usize| DecodeError::StringTooLong { offset, available: input_bytes - at };
        if digits.len() > LENGTH_DIGITS_MAX {
            return Err(too_long(self.at));
        }
        let length = digits.iter().fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        let leading_zero = digits.len() > 1 && digits[0] == b'0';
        let byte = self.peek()?;
        if byte != b':' {
            return Err(self.unexpected(byte, "a colon"));
        }
        let start = self.at + 1;
        if length > (input_bytes - start) as u64 {
            return Err(too_long(start));
        }
        // No longer than the input, so it fits.
        self.at = start + length as usize;
        self.push(offset, self.at)?;
        if leading_zero {
            self.irregular(offset, Rule::NoLeadingZero)?;
        }
        Ok((start, self.at))
    }

    fn integer(&mut self) -> Result<(), DecodeError> {
        let offset = self.at;
        self.at += 1;
        let negative = self.peek()? == b'-';
        if negative {
            self.at += 1;
        }
        let digits = self.digits();
        if digits.len() > INTEGER_DIGITS_MAX {
            return Err(DecodeError::IntegerTooLong { offset });
        }
        let (is_empty, leading_zero) = (digits.is_empty(), digits.first() == Some(&b'0'));
        let (is_zero, long) = (digits.iter().all(|digit| *digit == b'0'), digits.len() > 1);
        let byte = self.peek()?;
        if is_empty || byte != b'e' {
            return Err(self.unexpected(byte, if is_empty { "a digit" } else { "a digit or e" }));
        }
        self.at += 1;
        self.push(offset, self.at)?;
        if leading_zero && long {
            self.irregular(offset, Rule::NoLeadingZero)
        } else if negative && is_zero {
            self.irregular(offset, Rule::NoNegativeZero)
        } else {
            Ok(())
        }
    }

    /// Skips the digits that stand here and returns them.
    fn digits(&mut self) -> &'a [u8] {
        let rest: &'a [u8] = &self.input[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        &rest[..count]
    }

    fn push(&mut self, start: usize, end: usize) -> Result<(), DecodeError> {
        if self.tokens.len() >= self.limits.tokens {
            return Err(DecodeError::TooManyTokens { offset: start, max: self.limits.tokens });
        }
        // The input is shorter than 4 GiB and has at least one byte a token.
        let next = self.tokens.len() as u32 + 1;
        self.tokens.push(Token { start: start as u32, end: end as u32, next });
        Ok(())
    }

    fn irregular(&mut self, offset: usize, rule: Rule) -> Result<(), DecodeError> {
        let found = Irregularity { offset, rule };
        match self.mode {
            Mode::Strict => Err(DecodeError::NotCanonical(found)),
            Mode::Lenient => {
                self.irregularity.get_or_insert(found);
                Ok(())
            }
        }
    }

    fn peek(&self) -> Result<u8, DecodeError> {
        let offset = self.at;
        self.input.get(offset).copied().ok_or(DecodeError::UnexpectedEnd { offset })
    }

    fn unexpected(&self, got: u8, expected: &'static str) -> DecodeError {
        DecodeError::UnexpectedByte { offset: self.at, got, expected }
    }
}
