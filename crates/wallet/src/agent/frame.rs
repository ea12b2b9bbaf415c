//! What an agent is asked and answers: one request and one reply for each connection, each of one size.

use piecework_pay::{Address, B256, SIGNATURE_BYTES, Signature};
use std::time::Duration;

/// The version of both; an agent that knows no other says that it does not understand.
const VERSION: u8 = 1;
/// A version, a kind, and a digest or nothing.
pub(super) const REQUEST_BYTES: usize = 2 + 32;
/// A version, a kind, and at most a signature.
pub(super) const REPLY_BYTES: usize = 2 + SIGNATURE_BYTES;

const _: () =
    assert!(20 + 8 <= SIGNATURE_BYTES, "an address and a time fit where a signature does");

const STATUS: u8 = 0;
const SIGN: u8 = 1;
/// Means the same in every version, so that any program can end any agent.
const LOCK: u8 = 2;

const LOCKED: u8 = 0;
const UNLOCKED: u8 = 1;
const SIGNED: u8 = 2;
const FOREIGN: u8 = 3;

/// What an agent is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Request {
    /// Whose key it holds, and how long.
    Status,
    /// To sign this digest.
    Sign(B256),
    /// To forget the key.
    Lock,
}

/// What it answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reply {
    /// There is no key any more.
    Locked,
    /// The key of this address, for so long.
    Unlocked { address: Address, left: Duration },
    /// The signature.
    Signed(Signature),
    /// This was no request that it knows.
    Foreign,
}

impl Request {
    pub(super) fn encode(self) -> [u8; REQUEST_BYTES] {
        let mut bytes = [0; REQUEST_BYTES];
        bytes[0] = VERSION;
        bytes[1] = match self {
            Self::Status => STATUS,
            Self::Sign(digest) => {
                bytes[2..].copy_from_slice(&digest.0);
                SIGN
            }
            Self::Lock => LOCK,
        };
        bytes
    }

    /// Reads one; none if it is of another version or kind.
    pub(super) fn decode(bytes: &[u8; REQUEST_BYTES]) -> Option<Self> {
        let [version, kind, digest @ ..] = bytes;
        match (*version, *kind) {
            (_, LOCK) => Some(Self::Lock),
            (VERSION, STATUS) => Some(Self::Status),
            (VERSION, SIGN) => Some(Self::Sign(B256::new(*digest))),
            _ => None,
        }
    }
}

impl Reply {
    pub(super) fn encode(self) -> [u8; REPLY_BYTES] {
        let mut bytes = [0; REPLY_BYTES];
        bytes[0] = VERSION;
        let body = &mut bytes[2..];
        let kind = match self {
            Self::Locked => LOCKED,
            Self::Unlocked { address, left } => {
                let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
                body[..20].copy_from_slice(address.as_slice());
                body[20..28].copy_from_slice(&left_ms.to_be_bytes());
                UNLOCKED
            }
            Self::Signed(signature) => {
                body.copy_from_slice(signature.as_bytes());
                SIGNED
            }
            Self::Foreign => FOREIGN,
        };
        bytes[1] = kind;
        bytes
    }

    /// Reads one; what is of another version or kind is as foreign to us as we to who sent it.
    pub(super) fn decode(bytes: &[u8; REPLY_BYTES]) -> Self {
        let [version, kind, body @ ..] = bytes;
        match (*version, *kind) {
            (_, LOCKED) => Self::Locked,
            (VERSION, UNLOCKED) => {
                let mut left_ms = [0; 8];
                left_ms.copy_from_slice(&body[20..28]);
                let left = Duration::from_millis(u64::from_be_bytes(left_ms));
                Self::Unlocked { address: Address::from_slice(&body[..20]), left }
            }
            (VERSION, SIGNED) => Signature::decode(body).map_or(Self::Foreign, Self::Signed),
            _ => Self::Foreign,
        }
    }
}
