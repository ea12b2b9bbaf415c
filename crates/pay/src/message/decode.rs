//! Bytes as messages. What a later version adds is passed over, what is wrong is refused.

use super::{
    Accepted, Ask, Bid, CloseReason, Delegation, Hello, INNER_BYTES_MAX, LINK_BYTES_MAX,
    LINK_BYTES_MIN, LastCheque, MESSAGE_BYTES_MAX, Message, NETWORKS_MAX, Open, REASON_BYTES_MAX,
    Refused, RefusedCode, SignedCheque, Terms, encode,
};
use crate::{Cheque, LINKS_MAX, Network, PayFault, Price, Signature, decode_amount};
use alloy_primitives::{Address, B256};
use piecework_bencode::{Document, Mode, Value, decode};

/// What travels: in the open hello alone.
#[derive(Debug)]
pub(crate) enum Outer {
    Hello(Hello),
    Sealed(Vec<u8>),
    /// Of a later version.
    Unknown,
}

impl Outer {
    /// Reads what came.
    ///
    /// # Errors
    /// When it is too long, no canonical bencode, lacks a key or has one with a wrong value, or is a message
    /// that has to be sealed.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, PayFault> {
        let document = parse(bytes, MESSAGE_BYTES_MAX)?;
        let fields = Fields(document.root());
        match fields.number::<u64>("t", 0..=u64::MAX)? {
            0 => hello(fields).map(Self::Hello),
            t @ (1..=8 | 10..=11) => Err(PayFault::Unsealed { t }),
            t if t == u64::from(encode::SEALED) => fields.text("x").map(|x| Self::Sealed(x.into())),
            _ => Ok(Self::Unknown),
        }
    }
}

impl Message {
    /// Reads what was sealed. None: of a later version, or one that does not travel sealed.
    ///
    /// # Errors
    /// When it is over [`INNER_BYTES_MAX`], no canonical bencode, lacks a key or has one with a wrong value.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, PayFault> {
        let document = parse(bytes, INNER_BYTES_MAX)?;
        let fields = Fields(document.root());
        let message = match fields.number::<u64>("t", 0..=u64::MAX)? {
            1 => Self::Terms(terms(fields)?),
            2 => Self::Open(Box::new(open(fields)?)),
            3 => Self::Accepted(Accepted {
                channel: fields.number("ch", 0..=u64::MAX)?,
                window: fields.number("w", 0..=u32::MAX)?,
                last: last(fields)?,
                paid: fields.amount("pd")?,
            }),
            4 => Self::Bid(Bid {
                price: fields.price("p")?,
                spend: fields.amount("s")?,
                rate: fields.number("r", 0..=u64::MAX)?,
                number: fields.number("q", 0..=u32::MAX)?,
            }),
            5 => Self::Ask(Ask {
                price: fields.price("a")?,
                bid: fields.number("q", 0..=u32::MAX)?,
                paid: fields.flag("ln")?,
                rate: fields.number("rt", 0..=u64::MAX)?,
                from: fields.number("fb", 0..=u64::MAX)?,
            }),
            6 => Self::Link {
                number: fields.number("i", 1..=LINKS_MAX)?,
                link: B256::new(fields.bytes("w")?),
            },
            7 => Self::Cheque(signed(fields)?),
            8 => Self::Stat { bytes: fields.number("b", 0..=u64::MAX)?, due: fields.amount("d")? },
            10 => Self::Close {
                channel: fields.number("ch", 0..=u64::MAX)?,
                reason: CloseReason::of(fields.number("c", 0..=u8::MAX)?),
            },
            11 => Self::Refused(refused(fields)?),
            _ => return Ok(None),
        };
        Ok(Some(message))
    }
}

/// Unknown keys may hold anything, so depth and number of values have the decoder's own limits.
fn parse(bytes: &[u8], max_bytes: usize) -> Result<Document<'_>, PayFault> {
    if bytes.len() > max_bytes {
        return Err(PayFault::LongMessage { max_bytes, got_bytes: bytes.len() });
    }
    Ok(decode(bytes, Mode::Strict)?)
}

fn hello(fields: Fields<'_>) -> Result<Hello, PayFault> {
    let roles: u64 = fields.number("r", 0..=u64::MAX)?;
    Ok(Hello {
        version: fields.number("v", 1..=u8::MAX)?,
        ephemeral: fields.bytes("e")?,
        buys: roles & 1 != 0,
        sells: roles & 2 != 0,
        offsets: fields.has("nt") && fields.flag("nt")?,
    })
}

fn terms(fields: Fields<'_>) -> Result<Terms, PayFault> {
    let key = "n";
    let kind = PayFault::WrongKind { key, expected: "a list of networks" };
    let entries = fields.value(key)?.as_list().ok_or(kind)?;
    let (min, max, got) = (1, NETWORKS_MAX, entries.clone().count());
    if !(min..=max).contains(&got) {
        return Err(PayFault::WrongCount { key, min, max, got });
    }
    Ok(Terms {
        networks: entries.map(network).collect::<Result<_, _>>()?,
        ask: fields.price("ask")?,
        link_bytes: fields.number("g", LINK_BYTES_MIN..=LINK_BYTES_MAX)?,
        window: fields.number("w", 0..=u32::MAX)?,
        window_max: fields.number("wm", 0..=u32::MAX)?,
        links_max: fields.number("l", 1..=LINKS_MAX)?,
        payee: fields.address("pe")?,
        free_permille: fields.number("fr", 0..=1000_u16)?,
    })
}

fn network(entry: Value<'_>) -> Result<Network, PayFault> {
    let key = "an entry of n";
    let items = entry.as_list().ok_or(PayFault::WrongKind { key, expected: "a list" })?;
    let items: Vec<_> = items.collect();
    let &[chain_id, vault, token, genesis] = items.as_slice() else {
        return Err(PayFault::WrongCount { key, min: 4, max: 4, got: items.len() });
    };
    Ok(Network {
        chain_id: number("a chain's id", chain_id)?,
        vault: Address::new(bytes("the address of a vault", vault)?),
        token: Address::new(bytes("the address of a token", token)?),
        genesis: bytes("the beginning of a chain's hash", genesis)?,
    })
}

fn open(fields: Fields<'_>) -> Result<Open, PayFault> {
    let is_delegated = ["sk", "dg", "mx", "br", "un"].into_iter().any(|key| fields.has(key));
    let delegation = is_delegated.then(|| delegation(fields)).transpose()?;
    let has_hint = fields.has("pf");
    Ok(Open {
        network: fields.number("n", 0..=NETWORKS_MAX as u64 - 1)?,
        payer: fields.address("py")?,
        delegation,
        funded_at: if has_hint { fields.number("pf", 0..=u64::MAX)? } else { 0 },
        last: last(fields)?,
        authority: fields.signature("au")?,
    })
}

fn delegation(fields: Fields<'_>) -> Result<Delegation, PayFault> {
    Ok(Delegation {
        session: fields.address("sk")?,
        max_amount: fields.amount("mx")?,
        bond_at_risk: fields.amount("br")?,
        valid_until: fields.number("un", 0..=u64::MAX)?,
        signature: fields.signature("dg")?,
    })
}

fn last(fields: Fields<'_>) -> Result<Option<LastCheque>, PayFault> {
    if !fields.has("lc") {
        return Ok(None);
    }
    let fields = Fields(fields.value("lc")?);
    let number = fields.number("i", 0..=LINKS_MAX)?;
    let link = if number > 0 { B256::new(fields.bytes("w")?) } else { B256::ZERO };
    Ok(Some(LastCheque { signed: signed(fields)?, number, link }))
}

fn signed(fields: Fields<'_>) -> Result<SignedCheque, PayFault> {
    let cheque = Cheque::decode(fields.text("c")?)?;
    Ok(SignedCheque { cheque, signature: fields.signature("s")? })
}

fn refused(fields: Fields<'_>) -> Result<Refused, PayFault> {
    let (key, code) = ("m", RefusedCode::of(fields.number("c", 0..=u8::MAX)?));
    let text = if fields.has(key) { fields.text(key)? } else { &[] };
    if text.len() > REASON_BYTES_MAX {
        let (min, max, got) = (0, REASON_BYTES_MAX, text.len());
        return Err(PayFault::WrongCount { key, min, max, got });
    }
    let text = std::str::from_utf8(text).map_err(|_| PayFault::NoText { key })?;
    Ok(Refused { code, text: text.to_owned() })
}

/// A dictionary of a message. Of anything else, every key is absent.
#[derive(Clone, Copy)]
struct Fields<'d>(Value<'d>);

impl<'d> Fields<'d> {
    fn has(self, key: &'static str) -> bool {
        self.0.get(key).is_some()
    }

    fn value(self, key: &'static str) -> Result<Value<'d>, PayFault> {
        self.0.get(key).ok_or(PayFault::Lacks { key })
    }

    fn text(self, key: &'static str) -> Result<&'d [u8], PayFault> {
        let expected = "a byte string";
        self.value(key)?.as_bytes().ok_or(PayFault::WrongKind { key, expected })
    }

    fn bytes<const BYTES: usize>(self, key: &'static str) -> Result<[u8; BYTES], PayFault> {
        bytes(key, self.value(key)?)
    }

    /// A number of the range's own width.
    fn number<T: Copy + Into<u64> + TryFrom<u64>>(
        self,
        key: &'static str,
        range: std::ops::RangeInclusive<impl Copy + Into<u64>>,
    ) -> Result<T, PayFault> {
        let got = number(key, self.value(key)?)?;
        let (min, max) = ((*range.start()).into(), (*range.end()).into());
        let value = T::try_from(got).ok().filter(|_| (min..=max).contains(&got));
        value.ok_or(PayFault::OutOfRange { key, min, max, got })
    }

    fn flag(self, key: &'static str) -> Result<bool, PayFault> {
        Ok(self.number::<u64>(key, 0..=1_u8)? == 1)
    }

    fn amount(self, key: &'static str) -> Result<u128, PayFault> {
        decode_amount(self.text(key)?)
    }

    fn price(self, key: &'static str) -> Result<Price, PayFault> {
        Price::new(self.amount(key)?)
    }

    fn address(self, key: &'static str) -> Result<Address, PayFault> {
        self.bytes(key).map(Address::new)
    }

    fn signature(self, key: &'static str) -> Result<Signature, PayFault> {
        Signature::decode(self.text(key)?)
    }
}

fn number(key: &'static str, value: Value<'_>) -> Result<u64, PayFault> {
    value.as_u64().ok_or(PayFault::WrongKind { key, expected: "a number from 0 to 2^64 - 1" })
}

fn bytes<const BYTES: usize>(
    what: &'static str,
    value: Value<'_>,
) -> Result<[u8; BYTES], PayFault> {
    let expected = "a byte string";
    let bytes = value.as_bytes().ok_or(PayFault::WrongKind { key: what, expected })?;
    let (expected_bytes, got_bytes) = (BYTES, bytes.len());
    bytes.try_into().map_err(|_| PayFault::Length { what, expected_bytes, got_bytes })
}

impl CloseReason {
    /// The reason of this number.
    #[must_use]
    pub fn of(number: u8) -> Self {
        match number {
            0 => Self::Done,
            1 => Self::Budget,
            2 => Self::Off,
            3 => Self::Broken,
            _ => Self::Other(number),
        }
    }
}

impl RefusedCode {
    /// The code of this number.
    #[must_use]
    pub fn of(number: u8) -> Self {
        match number {
            1 => Self::NoNetwork,
            2 => Self::AskOverBid,
            3 => Self::StaleCheque,
            4 => Self::BadSignature,
            5 => Self::Unfunded,
            6 => Self::Bounced,
            7 => Self::WindowExceeded,
            8 => Self::DelegationExpired,
            9 => Self::WrongPayee,
            10 => Self::RateLimited,
            11 => Self::ChainUnavailable,
            12 => Self::Disagree,
            _ => Self::Other(number),
        }
    }
}
