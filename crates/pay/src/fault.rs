//! What can be wrong with a message, and with a cheque, a link, a delegation, a signature or an amount in it.

use alloy_primitives::Address;
use piecework_bencode::DecodeError;
use thiserror::Error;

/// What makes a payment worth nothing. Of what came from a peer it is always the peer's fault.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PayFault {
    /// A message field of the wrong length.
    #[error("{what} takes {expected_bytes} bytes, got {got_bytes}")]
    Length {
        /// Which field.
        what: &'static str,
        /// Its only length.
        expected_bytes: usize,
        /// What came.
        got_bytes: usize,
    },
    /// An amount over 128 bits.
    #[error("an amount takes at most {} bytes, got {got_bytes}", crate::AMOUNT_BYTES_MAX)]
    LongAmount {
        /// What came.
        got_bytes: usize,
    },
    /// An amount with a leading zero: each amount has one form only.
    #[error("an amount begins with its first byte that is not 0")]
    PaddedAmount,
    /// A price over what bills can carry.
    #[error("a price is at most 2^80 a MiB, got {got}")]
    HighPrice {
        /// What came.
        got: u128,
    },
    /// More links than a contract follows.
    #[error("a cheque has at most {} links, got {got}", crate::LINKS_MAX)]
    TooManyLinks {
        /// What the cheque says.
        got: u32,
    },
    /// A link behind the last one.
    #[error("link {got} of a cheque with {links}")]
    LinkBeyondEnd {
        /// Its number.
        got: u32,
        /// How many there are.
        links: u32,
    },
    /// A link that does not lead to the root, or to the last one known.
    #[error("link {got} does not lead to the cheque's root")]
    BrokenLink {
        /// Its number.
        got: u32,
    },
    /// A cheque whose value does not fit 128 bits.
    #[error("the cheque's value with all its links is over 2^128 - 1")]
    Overflow,
    /// The epoch of an account that was never funded.
    #[error("epoch 0 is never valid")]
    NoEpoch,
    /// A cheque that pays somebody else.
    #[error("the cheque pays {got}, expected {expected}")]
    ForeignPayee {
        /// Who has to be paid.
        expected: Address,
        /// Who would be.
        got: Address,
    },
    /// A signature whose recovery value is neither 27 nor 28.
    #[error("a signature ends with 27 or 28, got {got}")]
    RecoveryValue {
        /// What stands there.
        got: u8,
    },
    /// The twin of a signature, which anybody can make from it; contracts refuse it.
    #[error("the signature's s lies in the upper half")]
    HighS,
    /// Numbers that no key has signed with.
    #[error("no key makes this signature")]
    BadSignature,
    /// A good signature of somebody else.
    #[error("signed by {got}, expected {expected}")]
    WrongSigner {
        /// Who has to sign.
        expected: Address,
        /// Who did.
        got: Address,
    },
    /// A cheque of another account than the one that opened.
    #[error("the cheque is of payer {got}, expected {expected}")]
    WrongPayer {
        /// Who opened.
        expected: Address,
        /// Who would pay.
        got: Address,
    },
    /// A cheque in a token that the session key may not spend.
    #[error("the cheque is in token {got}, the delegation in {expected}")]
    ForeignToken {
        /// What the delegation is for.
        expected: Address,
        /// What the cheque counts.
        got: Address,
    },
    /// 32 bytes that are no private key: 0, or not below the order of the curve.
    #[error("these 32 bytes are no private key")]
    BadKey,
    /// A message that is over its limit.
    #[error("a message takes at most {max_bytes} bytes, got {got_bytes}")]
    LongMessage {
        /// The limit.
        max_bytes: usize,
        /// What came.
        got_bytes: usize,
    },
    /// A message that is no canonical bencode.
    #[error("{0}")]
    Bencode(#[from] DecodeError),
    /// A message without a key that it must have.
    #[error("the message lacks {key}")]
    Lacks {
        /// Which.
        key: &'static str,
    },
    /// A value of another kind.
    #[error("{key} is {expected}")]
    WrongKind {
        /// Under which key.
        key: &'static str,
        /// What has to stand there.
        expected: &'static str,
    },
    /// A number out of its range.
    #[error("{key} is {min} to {max}, got {got}")]
    OutOfRange {
        /// Under which key.
        key: &'static str,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
        /// What came.
        got: u64,
    },
    /// A list or text that is too short or too long.
    #[error("the length of {key} is {min} to {max}, got {got}")]
    WrongCount {
        /// Under which key.
        key: &'static str,
        /// The least.
        min: usize,
        /// The most.
        max: usize,
        /// What came.
        got: usize,
    },
    /// A text that is no UTF-8.
    #[error("{key} is no UTF-8")]
    NoText {
        /// Under which key.
        key: &'static str,
    },
    /// A public key with which everybody comes to the same secret (RFC 7748, section 6.1).
    #[error("the ephemeral key agrees on nothing but zeros")]
    ZeroSecret,
    /// Our own public key, said back.
    #[error("the ephemeral key is our own")]
    OwnKey,
    /// A sealed message that was changed, replayed or reordered, or that another has sealed.
    #[error("sealed message {number} does not open")]
    Unopened {
        /// Its number in this direction, from 0.
        number: u64,
    },
    /// A message that has to be sealed and is not.
    #[error("message {t} came in the open")]
    Unsealed {
        /// Its `t`.
        t: u64,
    },
    /// A sealed message before both have said hello.
    #[error("a sealed message came before hello")]
    NoHello,
    /// A second hello on one connection.
    #[error("a second hello")]
    SecondHello,
    /// More messages than anybody needs.
    #[error("over {max} messages a second")]
    TooManyMessages {
        /// How many a second are taken.
        max: u32,
    },
}
