//! Messages as bytes. Each value has one form, and none is over its limit.

use super::{
    CloseReason, Delegation, Hello, LastCheque, Message, NETWORKS_MAX, Open, REASON_BYTES_MAX,
    Refused, RefusedCode, SignedCheque, Terms,
};
use crate::{Network, encode_amount};
use piecework_bencode::{DictWriter, encode_dict};

/// `t` of what is sealed and carried under `x`.
pub(super) const SEALED: u8 = 12;

impl Hello {
    /// Its form on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode_dict(|dict| {
            dict.bytes("e", self.ephemeral);
            dict.int("nt", self.offsets);
            dict.int("r", u8::from(self.buys) | u8::from(self.sells) << 1);
            dict.int("t", 0);
            dict.int("v", self.version);
        })
    }
}

impl Message {
    /// Its form before it is sealed, at most [`super::INNER_BYTES_MAX`] long. Networks over
    /// [`NETWORKS_MAX`] and text over [`REASON_BYTES_MAX`] are left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode_dict(|dict| match self {
            Self::Terms(terms) => put_terms(dict, terms),
            Self::Open(open) => put_open(dict, open),
            Self::Accepted(accepted) => {
                dict.int("ch", accepted.channel);
                put_last(dict, accepted.last.as_ref());
                put_amount(dict, "pd", accepted.paid);
                dict.int("t", 3);
                dict.int("w", accepted.window);
            }
            Self::Bid(bid) => {
                put_amount(dict, "p", bid.price.per_mib());
                dict.int("q", bid.number);
                dict.int("r", bid.rate);
                put_amount(dict, "s", bid.spend);
                dict.int("t", 4);
            }
            Self::Ask(ask) => {
                put_amount(dict, "a", ask.price.per_mib());
                dict.int("fb", ask.from);
                dict.int("ln", ask.paid);
                dict.int("q", ask.bid);
                dict.int("rt", ask.rate);
                dict.int("t", 5);
            }
            Self::Link { number, link } => {
                dict.int("i", *number);
                dict.int("t", 6);
                dict.bytes("w", link);
            }
            Self::Cheque(signed) => {
                put_cheque(dict, signed);
                dict.int("t", 7);
            }
            Self::Stat { bytes, due } => {
                dict.int("b", *bytes);
                put_amount(dict, "d", *due);
                dict.int("t", 8);
            }
            Self::Close { channel, reason } => {
                dict.int("c", reason.number());
                dict.int("ch", *channel);
                dict.int("t", 10);
            }
            Self::Refused(refused) => put_refused(dict, refused),
        })
    }
}

/// The outer message of a sealed one.
pub(crate) fn encode_sealed(sealed: &[u8]) -> Vec<u8> {
    encode_dict(|dict| {
        dict.int("t", SEALED);
        dict.bytes("x", sealed);
    })
}

fn put_terms(dict: &mut DictWriter<'_>, terms: &Terms) {
    put_amount(dict, "ask", terms.ask.per_mib());
    dict.int("fr", terms.free_permille);
    dict.int("g", terms.link_bytes);
    dict.int("l", terms.links_max);
    dict.list("n", |list| {
        for network in terms.networks.iter().take(NETWORKS_MAX) {
            let Network { chain_id, vault, token, genesis } = network;
            list.list(|entry| {
                entry.int(*chain_id);
                entry.bytes(vault);
                entry.bytes(token);
                entry.bytes(genesis);
            });
        }
    });
    dict.bytes("pe", terms.payee);
    dict.int("t", 1);
    dict.int("w", terms.window);
    dict.int("wm", terms.window_max);
}

fn put_open(dict: &mut DictWriter<'_>, open: &Open) {
    dict.bytes("au", open.authority.as_bytes());
    dict.int("n", open.network);
    if open.funded_at > 0 {
        dict.int("pf", open.funded_at);
    }
    dict.bytes("py", open.payer);
    dict.int("t", 2);
    put_last(dict, open.last.as_ref());
    if let Some(Delegation { session, max_amount, bond_at_risk, valid_until, signature }) =
        &open.delegation
    {
        dict.bytes("dg", signature.as_bytes());
        put_amount(dict, "br", *bond_at_risk);
        put_amount(dict, "mx", *max_amount);
        dict.bytes("sk", session);
        dict.int("un", *valid_until);
    }
}

fn put_last(dict: &mut DictWriter<'_>, last: Option<&LastCheque>) {
    let Some(last) = last else { return };
    dict.dict("lc", |dict| {
        put_cheque(dict, &last.signed);
        dict.int("i", last.number);
        if last.number > 0 {
            dict.bytes("w", last.link);
        }
    });
}

fn put_cheque(dict: &mut DictWriter<'_>, signed: &SignedCheque) {
    dict.bytes("c", signed.cheque.encode());
    dict.bytes("s", signed.signature.as_bytes());
}

fn put_refused(dict: &mut DictWriter<'_>, refused: &Refused) {
    let text = &refused.text;
    dict.int("c", refused.code.number());
    if !text.is_empty() {
        dict.bytes("m", &text[..text.floor_char_boundary(REASON_BYTES_MAX)]);
    }
    dict.int("t", 11);
}

fn put_amount(dict: &mut DictWriter<'_>, key: &str, amount: u128) {
    dict.bytes(key, encode_amount(amount));
}

impl CloseReason {
    /// `c` in the message.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Budget => 1,
            Self::Off => 2,
            Self::Broken => 3,
            Self::Other(number) => number,
        }
    }
}

impl RefusedCode {
    /// `c` in the message.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::NoNetwork => 1,
            Self::AskOverBid => 2,
            Self::StaleCheque => 3,
            Self::BadSignature => 4,
            Self::Unfunded => 5,
            Self::Bounced => 6,
            Self::WindowExceeded => 7,
            Self::DelegationExpired => 8,
            Self::WrongPayee => 9,
            Self::RateLimited => 10,
            Self::ChainUnavailable => 11,
            Self::Disagree => 12,
            Self::Other(number) => number,
        }
    }
}
