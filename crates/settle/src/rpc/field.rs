//! Ethereum's JSON forms (EIP-1474): quantities, data, and what is missing.

use super::fault::RpcFault;
use alloy_primitives::{Address, B256, Bytes, U256};
use serde_json::Value;

/// Characters of a wrong value that are shown.
const GOT_CHARS: usize = 60;

/// A value with the name it goes by in errors.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    what: &'static str,
    value: &'a Value,
}

impl<'a> Field<'a> {
    pub(crate) fn new(what: &'static str, value: &'a Value) -> Self {
        Self { what, value }
    }

    /// A field of an object; absent is null.
    pub(crate) fn get(self, key: &'static str) -> Self {
        Self { what: key, value: self.value.get(key).unwrap_or(&Value::Null) }
    }

    pub(crate) fn is_null(self) -> bool {
        self.value.is_null()
    }

    /// The field, unless it is null.
    pub(crate) fn present(self) -> Option<Self> {
        (!self.is_null()).then_some(self)
    }

    /// `0x` and hexadecimal digits, at least one.
    pub(crate) fn quantity(self) -> Result<U256, RpcFault> {
        let digits = self.value.as_str().and_then(|text| text.strip_prefix("0x"));
        let digits = digits.filter(|it| !it.is_empty() && it.len() <= 64);
        let digits = digits.filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| U256::from_str_radix(digits, 16).ok());
        number.ok_or_else(|| self.wrong("a hexadecimal quantity of at most 256 bits"))
    }

    pub(crate) fn u64(self) -> Result<u64, RpcFault> {
        let number = self.quantity()?;
        number.try_into().map_err(|_| self.wrong("a quantity below 2^64"))
    }

    pub(crate) fn u128(self) -> Result<u128, RpcFault> {
        let number = self.quantity()?;
        number.try_into().map_err(|_| self.wrong("a quantity below 2^128"))
    }

    /// `0x` and any even number of digits.
    pub(crate) fn bytes(self) -> Result<Bytes, RpcFault> {
        let text = self.value.as_str().filter(|text| text.starts_with("0x"));
        let bytes = text.and_then(|text| text.parse().ok());
        bytes.ok_or_else(|| self.wrong("hexadecimal data"))
    }

    pub(crate) fn b256(self) -> Result<B256, RpcFault> {
        let bytes = self.bytes()?;
        B256::try_from(bytes.as_ref()).map_err(|_| self.wrong("32 bytes of data"))
    }

    pub(crate) fn address(self) -> Result<Address, RpcFault> {
        let bytes = self.bytes()?;
        Address::try_from(bytes.as_ref()).map_err(|_| self.wrong("an address of 20 bytes"))
    }

    pub(crate) fn items(self) -> Result<&'a [Value], RpcFault> {
        self.value.as_array().map(Vec::as_slice).ok_or_else(|| self.wrong("a list"))
    }

    pub(crate) fn wrong(self, expected: &'static str) -> RpcFault {
        RpcFault::Field { what: self.what, expected, got: excerpt(self.value, GOT_CHARS) }
    }
}

/// The beginning of a value, for a message.
pub(super) fn excerpt(value: &Value, chars_max: usize) -> String {
    if value.is_null() { "nothing".into() } else { cleaned(&value.to_string(), chars_max) }
}

/// The beginning of a foreign text without what could command a terminal.
pub(crate) fn cleaned(text: &str, chars_max: usize) -> String {
    let short = text.chars().take(chars_max);
    let mut clean: String = short.map(|it| if it.is_control() { ' ' } else { it }).collect();
    if text.chars().nth(chars_max).is_some() {
        clean.push('…');
    }
    clean
}
