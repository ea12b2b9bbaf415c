//! The network file: which chain, which contracts, whom to ask. What joins two people to the same money.
//!
//! Read strictly: an unknown field, a number of the wrong kind or an address with a wrong checksum refuses
//! the whole file, for a misread one signs for another chain. Holds no secret, unless an operator's address
//! carries one. Whether the file is true is asked of the servers, in [`check`](crate::check()).

use crate::rpc::URL_BYTES_MAX;
use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize, de::Error};

mod address;
mod file;

pub use file::NETWORK_FILE;

/// Longest network file, bytes.
pub const NETWORK_BYTES_MAX: usize = 64 * 1024;

/// Servers in one file at most.
pub const SERVERS_MAX: usize = 8;

/// Tokens in one file at most.
pub const TOKENS_MAX: usize = 64;

/// Characters of a name or a symbol at most.
pub const NAME_CHARS_MAX: usize = 64;

/// Blocks to wait for at most: an hour of Ethereum's.
pub const CONFIRMATIONS_MAX: u64 = 300;

/// The version of the form that is written, and the newest that is read.
const FORMAT: u64 = 1;

/// Why a text is no network file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NetworkFault {
    /// Not JSON, or not with exactly these fields.
    #[error("the network file cannot be read: {0}")]
    Form(String),
    /// Written by a newer program.
    #[error(
        "the network file has format {got}, this program reads up to {FORMAT}: use a newer one"
    )]
    Newer {
        /// Its format.
        got: u64,
    },
    /// Longer than any real one.
    #[error("a network file has at most {NETWORK_BYTES_MAX} bytes, got {got_bytes}")]
    TooLong {
        /// Its length.
        got_bytes: usize,
    },
    /// The drive or its rights.
    #[error("cannot read the network file {file}: {why}")]
    File {
        /// Its path.
        file: String,
        /// What the system says.
        why: String,
    },
    /// The drive or its rights, when a network is joined.
    #[error("cannot write the network file {file}: {why}")]
    Unwritten {
        /// Its path.
        file: String,
        /// What the system says.
        why: String,
    },
    /// The wallet signs for another network.
    #[error(
        "this wallet signs for {name} (chain {chain_id}, genesis {genesis}), and this is chain \
         {got_chain_id} with genesis {got_genesis}: is it the right file? `piecework wallet forget-network` \
         gives the other one up"
    )]
    Another {
        /// What people call the one that it signs for.
        name: String,
        /// Its number.
        chain_id: u64,
        /// The hash of its first block.
        genesis: B256,
        /// The number of the one that is to take its place.
        got_chain_id: u64,
        /// The hash of that one's first block.
        got_genesis: B256,
    },
    /// A field out of its bounds.
    #[error("the network file's {what} has to be {expected}")]
    Bounds {
        /// Which field.
        what: &'static str,
        /// What it may be.
        expected: String,
    },
}

/// A contract and the hash of its code, by which a different one at the same address is told apart.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Where it is.
    #[serde(with = "address")]
    pub address: Address,
    /// keccak-256 of its code on the chain.
    pub code_hash: B256,
}

/// A token, and what it says of itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    /// Where it is.
    #[serde(with = "address")]
    pub address: Address,
    /// keccak-256 of its code on the chain.
    pub code_hash: B256,
    /// Its name.
    pub name: String,
    /// Its short name.
    pub symbol: String,
    /// Digits behind the point.
    pub decimals: u8,
}

/// The chain's own coin, which pays for transactions; it has 18 decimals on every EVM chain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Coin {
    /// Its short name.
    pub symbol: String,
}

/// Digits behind the point of a chain's own coin.
pub const COIN_DECIMALS: u8 = 18;

/// What amounts on a chain are worth to people.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Money {
    /// Nothing: every amount is shown as test money. What a file says that does not mention it.
    #[default]
    Test,
    /// Something.
    Real,
}

impl Money {
    fn is_test(&self) -> bool {
        *self == Self::Test
    }
}

/// One chain with the contracts on it, and where to ask it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The version of this form.
    pub format: Format,
    /// What people call it.
    pub name: String,
    /// The chain's number (EIP-155).
    pub chain_id: u64,
    /// The hash of its first block.
    pub genesis: B256,
    /// Its rules, by the name of the last upgrade, such as `prague`.
    pub hardfork: String,
    /// Addresses of JSON-RPC servers, the preferred one first. Of two or more, two must agree.
    pub rpc: Vec<String>,
    /// Blocks on top of the one with a transaction until it counts.
    pub confirmations: u64,
    /// The block before which nothing of ours happened: scans begin there.
    pub first_block: u64,
    /// The chain's own coin.
    pub coin: Coin,
    /// The contract that holds deposits and bonds.
    pub vault: Contract,
    /// The contract that issues tokens.
    pub assets: Contract,
    /// Known tokens, the preferred one first.
    pub tokens: Vec<TokenEntry>,
    /// What they are worth.
    #[serde(default, skip_serializing_if = "Money::is_test")]
    pub money: Money,
}

impl Network {
    /// Reads a network file.
    ///
    /// # Errors
    /// When it is newer than this program, lacks a field, has one too many, or one is out of its bounds.
    pub fn parse(text: &str) -> Result<Self, NetworkFault> {
        if text.len() > NETWORK_BYTES_MAX {
            return Err(NetworkFault::TooLong { got_bytes: text.len() });
        }
        // The version first: a newer file may well have other fields.
        let versioned: Versioned = serde_json::from_str(text).map_err(|error| form(&error))?;
        if versioned.format > FORMAT {
            return Err(NetworkFault::Newer { got: versioned.format });
        }
        let network: Self = serde_json::from_str(text).map_err(|error| form(&error))?;
        network.bounds().map(|()| network)
    }

    /// The file, as [`Self::parse`] reads it.
    ///
    /// # Errors
    /// When a field is out of its bounds: it would not be read again.
    pub fn write(&self) -> Result<String, NetworkFault> {
        self.bounds()?;
        let text = serde_json::to_string_pretty(self).map_err(|error| form(&error))?;
        Ok(text + "\n")
    }

    /// Whether amounts are to be shown as test money.
    #[must_use]
    pub fn is_test_money(&self) -> bool {
        self.money.is_test()
    }

    /// Whether this is the network that a payment names, with a token that the file knows.
    #[must_use]
    pub fn entry(&self, payment: &piecework_pay::Network) -> Option<&TokenEntry> {
        let is_same = self.chain_id == payment.chain_id
            && self.vault.address == payment.vault
            && self.genesis.starts_with(&payment.genesis);
        self.token(payment.token).filter(|_| is_same)
    }

    /// The entry of a token.
    #[must_use]
    pub fn token(&self, address: Address) -> Option<&TokenEntry> {
        self.tokens.iter().find(|token| token.address == address)
    }

    fn bounds(&self) -> Result<(), NetworkFault> {
        let named = |what, text: &str| {
            let is_shown = !text.trim().is_empty() && !text.chars().any(char::is_control);
            let is_short = text.chars().count() <= NAME_CHARS_MAX;
            let expected = format!("1 to {NAME_CHARS_MAX} characters without control characters");
            if is_shown && is_short { Ok(()) } else { Err(bounds(what, &expected)) }
        };
        named("name", &self.name)?;
        named("hardfork", &self.hardfork)?;
        named("coin", &self.coin.symbol)?;
        if self.chain_id == 0 {
            return Err(bounds("chain_id", "above 0"));
        }
        if self.confirmations > CONFIRMATIONS_MAX {
            return Err(bounds("confirmations", &format!("at most {CONFIRMATIONS_MAX}")));
        }
        if self.rpc.is_empty() || self.rpc.len() > SERVERS_MAX {
            return Err(bounds("rpc", &format!("1 to {SERVERS_MAX} addresses")));
        }
        if self.rpc.iter().any(|url| !is_address_of_server(url)) {
            return Err(bounds("rpc", "addresses that begin with http:// or https://"));
        }
        let repeats = self.rpc.iter().enumerate().any(|(at, url)| self.rpc[..at].contains(url));
        if repeats {
            return Err(bounds(
                "rpc",
                "of different addresses: one operator cannot agree with itself",
            ));
        }
        if self.vault.address == Address::ZERO || self.assets.address == Address::ZERO {
            return Err(bounds("vault and assets", "at other addresses than 0"));
        }
        if self.tokens.len() > TOKENS_MAX {
            return Err(bounds("tokens", &format!("at most {TOKENS_MAX}")));
        }
        for (at, token) in self.tokens.iter().enumerate() {
            named("token name", &token.name)?;
            named("token symbol", &token.symbol)?;
            if token.decimals > crate::DECIMALS_MAX {
                let expected = format!("at most {}", crate::DECIMALS_MAX);
                return Err(bounds("token decimals", &expected));
            }
            if self.tokens[..at].iter().any(|other| other.address == token.address) {
                return Err(bounds("tokens", "of different addresses"));
            }
        }
        Ok(())
    }
}

/// The version of the form: there is one so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Format;

impl Serialize for Format {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(FORMAT)
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let got = u64::deserialize(from)?;
        if got == FORMAT { Ok(Self) } else { Err(D::Error::custom(format!("no format {got}"))) }
    }
}

/// The one field that every version has.
#[derive(Deserialize)]
struct Versioned {
    format: u64,
}

fn is_address_of_server(url: &str) -> bool {
    let is_http = url.starts_with("http://") || url.starts_with("https://");
    is_http && url.len() <= URL_BYTES_MAX && reqwest::Url::parse(url).is_ok_and(|it| it.has_host())
}

fn bounds(what: &'static str, expected: &str) -> NetworkFault {
    NetworkFault::Bounds { what, expected: expected.into() }
}

/// The parser's words name the field and the place; an address in them could carry a key.
fn form(error: &serde_json::Error) -> NetworkFault {
    NetworkFault::Form(crate::rpc::cleaned(&error.to_string(), 200))
}

#[cfg(test)]
mod tests;
