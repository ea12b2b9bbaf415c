//! The messages of `pw_pay` (docs/spec/pw_pay.md), as values.
//!
//! Each is one bencoded dictionary with the key `t`, at most [`MESSAGE_BYTES_MAX`] long. [`Hello`] travels in
//! the open, all others sealed (`Seal`). Numbers are the sender's claims.

mod decode;
mod encode;

use crate::{Cheque, Network, Price, Signature};
use alloy_primitives::{Address, B256};

pub(crate) use decode::Outer;
pub(crate) use encode::encode_sealed;

/// Bytes of one message at most, as it travels.
pub const MESSAGE_BYTES_MAX: usize = 1024;

/// Bytes of one message at most before it is sealed.
pub const INNER_BYTES_MAX: usize = MESSAGE_BYTES_MAX - SEALED_BYTES_OVER;

/// What sealing adds at most: `d1:ti12e1:x`, a length of four digits with its colon, the tag and `e`.
pub(crate) const SEALED_BYTES_OVER: usize = 11 + 5 + 16 + 1;

/// Bytes that one link may pay for, at least and at most.
pub const LINK_BYTES_MIN: u32 = 64 << 10;
/// See [`LINK_BYTES_MIN`].
pub const LINK_BYTES_MAX: u32 = 4 << 20;

/// The name in the extension handshake (BEP 10).
pub const EXTENSION_NAME: &str = "pw_pay";

/// The version in [`Hello`].
pub const VERSION: u8 = 1;

/// Networks in one [`Terms`] at most.
pub const NETWORKS_MAX: usize = 8;

/// Bytes of the text of a [`Refused`] at most.
pub const REASON_BYTES_MAX: usize = 200;

/// `t` = 0: the first message of both sides, the only one in the open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hello {
    /// `v`: the version.
    pub version: u8,
    /// `e`: the sender's X25519 key of this connection.
    pub ephemeral: [u8; 32],
    /// `r`, bit 1: it may buy.
    pub buys: bool,
    /// `r`, bit 2: it may sell.
    pub sells: bool,
    /// `nt`: between two that download from each other, bill the imbalance only.
    pub offsets: bool,
}

/// A message that travels sealed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// `t` = 1, of a seller.
    Terms(Terms),
    /// `t` = 2, of a buyer.
    Open(Box<Open>),
    /// `t` = 3, of a seller.
    Accepted(Accepted),
    /// `t` = 4, of a buyer.
    Bid(Bid),
    /// `t` = 5, of a seller.
    Ask(Ask),
    /// `t` = 6, of a buyer: link `i` is `w`.
    Link {
        /// `i`, from 1.
        number: u32,
        /// `w`.
        link: B256,
    },
    /// `t` = 7, of a buyer.
    Cheque(SignedCheque),
    /// `t` = 8, of a seller: what it has counted.
    Stat {
        /// `b`: billable bytes so far.
        bytes: u64,
        /// `d`: what is due and not paid.
        due: u128,
    },
    /// `t` = 10, of either: the trade of this connection ends.
    Close {
        /// `ch`: the channel that ends.
        channel: u64,
        /// `c`.
        reason: CloseReason,
    },
    /// `t` = 11, of either: something is not accepted.
    Refused(Refused),
}

/// What a seller offers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Terms {
    /// `n`: in which money, most wanted first; at most [`NETWORKS_MAX`].
    pub networks: Vec<Network>,
    /// `ask`.
    pub ask: Price,
    /// `g`: bytes that one link pays for at the price of its cheque, [`LINK_BYTES_MIN`] to
    /// [`LINK_BYTES_MAX`].
    pub link_bytes: u32,
    /// `w`: bytes on credit at first.
    pub window: u32,
    /// `wm`: bytes on credit at most.
    pub window_max: u32,
    /// `l`: links of a cheque at most.
    pub links_max: u32,
    /// `pe`: whom a cheque has to pay.
    pub payee: Address,
    /// `fr`: thousandths of the uplink that the free class has for itself.
    pub free_permille: u16,
}

/// A cheque with its payer's, or session key's, signature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SignedCheque {
    /// `c`.
    pub cheque: Cheque,
    /// `s`.
    pub signature: Signature,
}

/// `lc`: the best cheque and link of a channel that the sender has, `c`, `s`, `i` and `w` of a dictionary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LastCheque {
    /// The cheque and its signature.
    pub signed: SignedCheque,
    /// `i`: the number of the last link; 0 with none.
    pub number: u32,
    /// `w`: that link; not looked at with none, and not sent.
    pub link: B256,
}

/// `sk`, `dg`, `mx`, `br`, `un`: that a session key signs for the payer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Delegation {
    /// `sk`: the session key's address.
    pub session: Address,
    /// `mx`: what all its cheques together may claim.
    pub max_amount: u128,
    /// `br`: what all its bounces together may burn.
    pub bond_at_risk: u128,
    /// `un`: its last second, since 1970.
    pub valid_until: u64,
    /// `dg`: the owner's signature.
    pub signature: Signature,
}

/// A buyer's opening.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Open {
    /// `n`: which of the seller's networks, from 0.
    pub network: u8,
    /// `py`: whose account pays.
    pub payer: Address,
    /// Who signs for it; itself without.
    pub delegation: Option<Delegation>,
    /// `pf`: the block in which its money was set aside, as a hint; 0 for none.
    pub funded_at: u64,
    /// `lc`: the last cheque that it gave this payee on the channel that it continues.
    pub last: Option<LastCheque>,
    /// `au`: the signing key's word for this conversation ([`crate::Bind`]).
    pub authority: Signature,
}

/// A seller's answer to [`Open`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Accepted {
    /// `ch`: the buyer's channel.
    pub channel: u64,
    /// `w`: bytes on credit at first.
    pub window: u32,
    /// `lc`: the best cheque and link that it holds of this channel.
    pub last: Option<LastCheque>,
    /// `pd`: what the vault has paid on it.
    pub paid: u128,
}

/// What a buyer would pay at most. With a price of 0 it goes back to the free lane.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Bid {
    /// `p`.
    pub price: Price,
    /// `s`: the token's smallest unit a second.
    pub spend: u128,
    /// `r`: useful bytes a second; 0 without bound.
    pub rate: u64,
    /// `q`: its number, one more each time.
    pub number: u32,
}

/// What a seller gives for a bid, and the price from which byte on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ask {
    /// `a`: what a MiB costs in the paid lane. In the free one bytes cost nothing, and this is for bidding.
    pub price: Price,
    /// `q`: the bid that it answers.
    pub bid: u32,
    /// `ln`: whether the paid lane is given.
    pub paid: bool,
    /// `rt`: bytes a second.
    pub rate: u64,
    /// `fb`: the count of billable bytes of this connection from which the price applies.
    pub from: u64,
}

/// Why a trade ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CloseReason {
    /// 0: nothing more is wanted.
    Done,
    /// 1: the budget is used up.
    Budget,
    /// 2: the seller stops selling, or the buyer stops buying.
    Off,
    /// 3: the other side did not keep its word.
    Broken,
    /// Another number, of a later version.
    Other(u8),
}

/// What is not accepted and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// `c`.
    pub code: RefusedCode,
    /// `m`: for people; at most [`REASON_BYTES_MAX`] bytes.
    pub text: String,
}

/// The number in [`Refused`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusedCode {
    /// 1: no network in common.
    NoNetwork,
    /// 2: the ask is over the bid.
    AskOverBid,
    /// 3: a better cheque is known.
    StaleCheque,
    /// 4: a signature, a link or a cheque is worth nothing.
    BadSignature,
    /// 5: the account has not enough.
    Unfunded,
    /// 6: a cheque of the account bounced, or it owes.
    Bounced,
    /// 7: more was sent than was agreed to be owed.
    WindowExceeded,
    /// 8: the delegation is at or near its end, revoked or used up.
    DelegationExpired,
    /// 9: the cheque pays somebody else.
    WrongPayee,
    /// 10: too many messages, or banned for a while.
    RateLimited,
    /// 11: the chain cannot be asked.
    ChainUnavailable,
    /// 12: the counts of both sides are too far apart, or data was corrupt.
    Disagree,
    /// Another number, of a later version.
    Other(u8),
}

#[cfg(test)]
mod tests;
