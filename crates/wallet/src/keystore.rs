//! A key under a password, in the form that Ethereum's programs share (Web3 Secret Storage, version 3).
//!
//! geth, ethers and cast read what is written here, and what they write is read here. Beside their fields
//! stands one of ours, `x-piecework`, with the format's version; they pass over it.

use crate::{Cost, CostFault, Password, RandomFault, random};
use aws_lc_rs::cipher::{AES_128, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use piecework_pay::{Address, Key, keccak256};
use serde_json::{Value, json};
use std::fmt::Write;
use std::num::NonZeroU32;
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of a keystore at most; they have about 500.
pub const KEYSTORE_BYTES_MAX: usize = 64 * 1024;
/// The version of our own field that this program writes and knows.
const FORMAT: u64 = 1;
const OUR_FIELD: &str = "x-piecework";
/// Bytes of a salt at most; everybody takes 32.
const SALT_BYTES_MAX: usize = 256;
/// Rounds of PBKDF2 at most: 38 times what was ever the default.
const ROUNDS_MAX: u32 = 10_000_000;

/// A key under a password.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Keystore {
    address: Option<Address>,
    id: [u8; 16],
    kdf: Kdf,
    iv: [u8; 16],
    ciphertext: [u8; 32],
    mac: [u8; 32],
}

/// How the password becomes a key.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Kdf {
    Scrypt { cost: Cost, salt: Vec<u8> },
    Pbkdf2 { rounds: NonZeroU32, salt: Vec<u8> },
}

/// Why a keystore gives no key.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum KeystoreFault {
    /// The text ends before the keystore does.
    #[error(
        "the keystore is cut off: take it from a backup, or restore the wallet from its phrase"
    )]
    Truncated,
    /// Something else.
    #[error("this is no keystore: JSON expected (line {line})")]
    NotJson {
        /// Where JSON ends.
        line: usize,
    },
    /// A field that has to be there.
    #[error("this is no keystore: {field} is absent or not {expected}")]
    Field {
        /// Its path.
        field: &'static str,
        /// What has to stand there.
        expected: &'static str,
    },
    /// Another version of the standard.
    #[error("a keystore of version 3 expected, got {got}")]
    Version {
        /// What the file says.
        got: String,
    },
    /// Written by a program that knows more than this one.
    #[error(
        "a newer Piecework wrote this keystore (format {got}, this one knows {FORMAT}): update Piecework"
    )]
    Newer {
        /// The format's version.
        got: u64,
    },
    /// A password that costs more than anybody asks.
    #[error("the keystore cannot be opened: {0}")]
    Cost(#[from] CostFault),
    /// The password, or the file, is wrong; nothing tells which.
    #[error("wrong password (or the keystore is damaged)")]
    WrongPassword,
    /// The key is whole, and another one than the file says.
    #[error("the keystore says {said} and holds the key of {held}: take it from a backup")]
    WrongAddress {
        /// As the file says.
        said: Address,
        /// The key's.
        held: Address,
    },
    /// Nothing to draw a salt from.
    #[error(transparent)]
    Random(#[from] RandomFault),
}

impl Keystore {
    /// Puts a key under a password.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn encrypt(key: &Key, password: &Password, cost: Cost) -> Result<Self, KeystoreFault> {
        let (salt, iv, mut id) = (random::<32>()?, random::<16>()?, random::<16>()?);
        // A random UUID (RFC 9562, version 4), which other programs want to see.
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        let kdf = Kdf::Scrypt { cost, salt: salt.to_vec() };
        let derived = kdf.derive(password);
        let mut ciphertext = *key.secret();
        apply_cipher(&derived, &iv, &mut ciphertext);
        let mac = mac(&derived, &ciphertext);
        Ok(Self { address: Some(key.address()), id: *id, kdf, iv: *iv, ciphertext, mac })
    }

    /// Takes the key out.
    ///
    /// # Errors
    /// When the password is wrong, or the key is another one than the keystore says.
    pub fn decrypt(&self, password: &Password) -> Result<Key, KeystoreFault> {
        let derived = self.kdf.derive(password);
        verify_slices_are_equal(&mac(&derived, &self.ciphertext), &self.mac)
            .map_err(|_| KeystoreFault::WrongPassword)?;
        let mut secret = Zeroizing::new(self.ciphertext);
        apply_cipher(&derived, &self.iv, &mut secret);
        let key = Key::new(&secret).map_err(|_| KeystoreFault::WrongPassword)?;
        match self.address {
            Some(said) if said != key.address() => {
                Err(KeystoreFault::WrongAddress { said, held: key.address() })
            }
            Some(_) | None => Ok(key),
        }
    }

    /// Whose key it is, if the file says it; some programs leave it out.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        self.address
    }

    /// The text of a file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let (kdf, params) = match &self.kdf {
            Kdf::Scrypt { cost, salt } => {
                let (r, p) = cost.r_and_p();
                let salt = hex(salt);
                ("scrypt", json!({ "dklen": 32, "n": cost.n(), "r": r, "p": p, "salt": salt }))
            }
            Kdf::Pbkdf2 { rounds, salt } => {
                let salt = hex(salt);
                ("pbkdf2", json!({ "dklen": 32, "c": rounds, "prf": PRF, "salt": salt }))
            }
        };
        let mut keystore = json!({
            "version": 3,
            "id": uuid(self.id),
            "crypto": {
                "cipher": CIPHER,
                "cipherparams": { "iv": hex(&self.iv) },
                "ciphertext": hex(&self.ciphertext),
                "kdf": kdf,
                "kdfparams": params,
                "mac": hex(&self.mac),
            },
            OUR_FIELD: { "format": FORMAT },
        });
        if let Some(address) = &self.address {
            keystore["address"] = hex(address.as_slice()).into();
        }
        format!("{keystore:#}\n")
    }

    /// Reads the text of a file, ours or another program's.
    ///
    /// # Errors
    /// When it is cut off, no keystore, of another version, or asks for more work than is given.
    pub fn parse(text: &str) -> Result<Self, KeystoreFault> {
        let keystore: Value = serde_json::from_str(text).map_err(|error| {
            let line = error.line();
            if error.is_eof() { KeystoreFault::Truncated } else { KeystoreFault::NotJson { line } }
        })?;
        let format = &keystore[OUR_FIELD]["format"];
        if let Some(got) = format.as_u64().filter(|got| *got > FORMAT) {
            return Err(KeystoreFault::Newer { got });
        }
        let version = &keystore["version"];
        if version != 3 {
            return Err(KeystoreFault::Version { got: version.to_string() });
        }
        // ethers writes it with a capital, and reads it either way.
        let lower = &keystore["crypto"];
        let crypto = if lower.is_null() { &keystore["Crypto"] } else { lower };
        if crypto["cipher"] != CIPHER {
            return Err(KeystoreFault::Field { field: "crypto.cipher", expected: CIPHER });
        }
        let id = keystore["id"].as_str().unwrap_or_default().replace('-', "");
        Ok(Self {
            address: address(&keystore["address"])?,
            id: unhex(&id).and_then(|id| id.try_into().ok()).unwrap_or_default(),
            kdf: Kdf::parse(crypto)?,
            iv: bytes(&crypto["cipherparams"]["iv"], "crypto.cipherparams.iv")?,
            ciphertext: bytes(&crypto["ciphertext"], "crypto.ciphertext")?,
            mac: bytes(&crypto["mac"], "crypto.mac")?,
        })
    }
}

const CIPHER: &str = "aes-128-ctr";
const PRF: &str = "hmac-sha256";

impl Kdf {
    fn parse(crypto: &Value) -> Result<Self, KeystoreFault> {
        let params = &crypto["kdfparams"];
        let number = |name, field| {
            let number = params[name].as_u64();
            number.ok_or(KeystoreFault::Field { field, expected: "a number" })
        };
        if number("dklen", "crypto.kdfparams.dklen")? != 32 {
            return Err(KeystoreFault::Field { field: "crypto.kdfparams.dklen", expected: "32" });
        }
        let salt = params["salt"].as_str().and_then(unhex);
        let salt = salt
            .filter(|salt| salt.len() <= SALT_BYTES_MAX)
            .ok_or(KeystoreFault::Field { field: "crypto.kdfparams.salt", expected: "hex" })?;
        match crypto["kdf"].as_str() {
            Some("scrypt") => {
                let n = number("n", "crypto.kdfparams.n")?;
                let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
                let r = small(number("r", "crypto.kdfparams.r")?);
                let p = small(number("p", "crypto.kdfparams.p")?);
                Ok(Self::Scrypt { cost: Cost::new(n, r, p)?, salt })
            }
            Some("pbkdf2") if params["prf"] == PRF => {
                let rounds = u32::try_from(number("c", "crypto.kdfparams.c")?).ok();
                let rounds = rounds.filter(|rounds| *rounds <= ROUNDS_MAX);
                let (field, expected) = ("crypto.kdfparams.c", "from 1 to 10,000,000");
                let fault = KeystoreFault::Field { field, expected };
                let rounds = rounds.and_then(NonZeroU32::new).ok_or(fault)?;
                Ok(Self::Pbkdf2 { rounds, salt })
            }
            _ => {
                let expected = "scrypt, or pbkdf2 with hmac-sha256";
                Err(KeystoreFault::Field { field: "crypto.kdf", expected })
            }
        }
    }

    fn derive(&self, password: &Password) -> Zeroizing<[u8; 32]> {
        match self {
            Self::Scrypt { cost, salt } => cost.derive(password, salt),
            Self::Pbkdf2 { rounds, salt } => {
                let mut derived = Zeroizing::new([0; 32]);
                let secret = password.as_bytes();
                pbkdf2::derive(PBKDF2_HMAC_SHA256, *rounds, salt, secret, derived.as_mut());
                derived
            }
        }
    }
}

/// AES-128 in counter mode, which is its own inverse, under the first half of what the password gives.
fn apply_cipher(derived: &[u8; 32], iv: &[u8; 16], secret: &mut [u8; 32]) {
    let key = UnboundCipherKey::new(&AES_128, &derived[..16]).and_then(DecryptingKey::ctr);
    let context = DecryptionContext::Iv128(FixedLength::from(iv));
    let applied = key.and_then(|key| key.decrypt(secret, context).map(drop));
    applied
        .expect("16 bytes are a key of AES-128, and any iv and length is one of its counter mode");
}

fn mac(derived: &[u8; 32], ciphertext: &[u8; 32]) -> [u8; 32] {
    keccak256([&derived[16..], ciphertext].concat()).0
}

fn address(value: &Value) -> Result<Option<Address>, KeystoreFault> {
    let fault = KeystoreFault::Field { field: "address", expected: "an address" };
    match value {
        Value::Null => Ok(None),
        Value::String(text) => text.parse().map(Some).map_err(|_| fault),
        _ => Err(fault),
    }
}

fn bytes<const BYTES: usize>(
    value: &Value,
    field: &'static str,
) -> Result<[u8; BYTES], KeystoreFault> {
    let bytes = value.as_str().and_then(unhex).and_then(|bytes| bytes.try_into().ok());
    let expected = if BYTES == 16 { "16 bytes in hex" } else { "32 bytes in hex" };
    bytes.ok_or(KeystoreFault::Field { field, expected })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    let digit = |c: u8| (c as char).to_digit(16);
    let pair = |pair: &[u8; 2]| u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok();
    let (pairs, rest) = digits.as_chunks::<2>();
    if rest.is_empty() { pairs.iter().map(pair).collect() } else { None }
}

fn uuid(id: [u8; 16]) -> String {
    let digits = hex(&id);
    let part = |from, to| &digits[from..to];
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
