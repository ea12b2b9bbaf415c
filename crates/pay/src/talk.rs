//! The conversation of one connection: two hellos in the open, then everything sealed.
//!
//! Owns what has been said in which order, and what is too much. It must not know what a message means.
//! Whatever the other side does here costs it this conversation at most, never the BitTorrent connection.

use crate::message::{Outer, encode_sealed};
use crate::seal::{Ephemeral, Seal, Sides, TAG_BYTES};
use crate::{Hello, INNER_BYTES_MAX, MESSAGE_BYTES_MAX, Message, PayFault, Terms, VERSION};
use piecework_types::{Allowance, Rate, Time};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// After so many faults nothing more is read or said on a connection.
pub const FAULTS_MAX: u8 = 3;

/// Messages that are taken in the long run, and at once after a pause. A buyer with more to pay skips links.
pub const MESSAGES: Rate = Rate { per_second: 200, burst: 400 };

/// Of them, those with a signature to check, which costs as much as a hundred others.
pub const SIGNED_MESSAGES: Rate = Rate { per_second: 10, burst: 40 };

/// Of messages over these, all that come within this time are one fault.
const FLOOD: Duration = Duration::from_secs(1);

const _: () = assert!(INNER_BYTES_MAX + TAG_BYTES < MESSAGE_BYTES_MAX, "what is sealed fits");

/// How a conversation begins.
pub struct Start {
    /// Whether we opened the TCP connection.
    pub is_initiator: bool,
    /// The 20 bytes of the handshake.
    pub info_hash: [u8; 20],
    /// 32 random bytes, for this connection alone.
    pub secret: Zeroizing<[u8; 32]>,
    /// Whether we may buy.
    pub buys: bool,
    /// Whether we may sell.
    pub sells: bool,
    /// Whether we want the imbalance billed only.
    pub offsets: bool,
    /// Whether there was another conversation on the connection: what is under way of it is passed over.
    pub is_again: bool,
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("is_initiator", &self.is_initiator).finish_non_exhaustive()
    }
}

/// What both hellos have settled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Met {
    /// The other side may buy, and we sell.
    pub we_sell: bool,
    /// The other side may sell, and we buy.
    pub we_buy: bool,
    /// Both want the imbalance billed only.
    pub offsets: bool,
    /// `e` of who opened the connection.
    pub initiator: [u8; 32],
    /// `e` of the other.
    pub responder: [u8; 32],
}

/// What came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Heard {
    /// The other side's hello: from now on messages can be sent.
    Met(Met),
    /// A seller's terms.
    Terms {
        /// What they say.
        terms: Terms,
        /// Their bytes before they were sealed, for [`crate::Bind::new`].
        said: Vec<u8>,
    },
    /// Any other message.
    Message(Box<Message>),
    /// Nothing that concerns us: of a later version, or of a role that nobody here has.
    Nothing,
}

/// One connection's conversation.
#[derive(Debug)]
pub struct Talk {
    stage: Stage,
    hello: Hello,
    /// What is left of [`MESSAGES`].
    allowance: Allowance,
    /// What is left of [`SIGNED_MESSAGES`].
    signed: Allowance,
    faults: u8,
    /// When messages over an allowance were last counted as a fault.
    flooded: Option<Time>,
}

#[derive(Debug)]
enum Stage {
    /// Theirs has not come.
    Greeting { ephemeral: Box<Ephemeral>, is_initiator: bool, info_hash: [u8; 20], is_again: bool },
    /// Both are known.
    Sealed { seal: Box<Seal>, met: Met },
    /// [`FAULTS_MAX`] were made, or all messages were said.
    Off,
}

impl Talk {
    /// A conversation in which nothing has been said.
    #[must_use]
    pub fn new(start: Start, now: Time) -> Self {
        let Start { is_initiator, info_hash, secret, buys, sells, offsets, is_again } = start;
        let ephemeral = Box::new(Ephemeral::new(secret));
        let hello =
            Hello { version: VERSION, ephemeral: *ephemeral.public(), buys, sells, offsets };
        let stage = Stage::Greeting { ephemeral, is_initiator, info_hash, is_again };
        Self {
            stage,
            hello,
            allowance: Allowance::full(MESSAGES, now),
            signed: Allowance::full(SIGNED_MESSAGES, now),
            faults: 0,
            flooded: None,
        }
    }

    /// The first message of ours. It is to be sent once, before what [`Self::send`] gives.
    #[must_use]
    pub fn hello(&self) -> Vec<u8> {
        self.hello.encode()
    }

    /// Whether nothing more is read or said.
    #[must_use]
    pub fn is_off(&self) -> bool {
        matches!(self.stage, Stage::Off)
    }

    /// A message of ours, sealed. None before [`Heard::Met`] and when the conversation is off.
    #[must_use]
    pub fn send(&mut self, message: &Message) -> Option<Vec<u8>> {
        let Stage::Sealed { seal, .. } = &mut self.stage else { return None };
        let sealed = seal.seal(&message.encode());
        if sealed.is_none() {
            self.stage = Stage::Off;
        }
        Some(encode_sealed(&sealed?))
    }

    /// What the other side has sent. When the conversation is off, it is not looked at.
    ///
    /// # Errors
    /// When it is malformed, does not open, comes at a wrong time, or is one too many in a second. With the
    /// [`FAULTS_MAX`]th fault the conversation is off.
    pub fn receive(&mut self, bytes: &[u8], now: Time) -> Result<Heard, PayFault> {
        if self.is_off() {
            return Ok(Heard::Nothing);
        }
        let heard = self.read(bytes, now);
        if heard.is_err() {
            self.faults += 1;
            if self.faults >= FAULTS_MAX {
                self.stage = Stage::Off;
            }
        }
        heard
    }

    fn read(&mut self, bytes: &[u8], now: Time) -> Result<Heard, PayFault> {
        let is_too_much = !self.allowance.take(MESSAGES, now);
        match (Outer::decode(bytes)?, &mut self.stage) {
            (Outer::Hello(theirs), Stage::Greeting { ephemeral, is_initiator, info_hash, .. }) => {
                let (is_initiator, info_hash) = (*is_initiator, *info_hash);
                let sides = Sides { is_initiator, info_hash, other: theirs.ephemeral };
                let seal = Box::new(Seal::new(ephemeral, &sides)?);
                let met = meet(&self.hello, &theirs, &sides);
                self.stage = Stage::Sealed { seal, met };
                Ok(Heard::Met(met))
            }
            (Outer::Hello(_), _) => Err(PayFault::SecondHello),
            (Outer::Sealed(sealed), Stage::Sealed { seal, met }) => {
                // Opened even if it is too much: the next one has the next number.
                let inner = seal.open(sealed)?;
                if is_too_much {
                    return self.flood(now, MESSAGES);
                }
                let heard = understand(inner, met)?;
                if heard.is_signed() && !self.signed.take(SIGNED_MESSAGES, now) {
                    return self.flood(now, SIGNED_MESSAGES);
                }
                Ok(heard)
            }
            (Outer::Sealed(_), Stage::Greeting { is_again: true, .. }) => Ok(Heard::Nothing),
            (Outer::Sealed(_), _) => Err(PayFault::NoHello),
            (Outer::Unknown, _) if is_too_much => self.flood(now, MESSAGES),
            (Outer::Unknown, _) => Ok(Heard::Nothing),
        }
    }

    fn flood(&mut self, now: Time, rate: Rate) -> Result<Heard, PayFault> {
        if self.flooded.is_some_and(|last| now.since(last) < FLOOD) {
            return Ok(Heard::Nothing);
        }
        self.flooded = Some(now);
        Err(PayFault::TooManyMessages { max: rate.per_second })
    }
}

fn meet(ours: &Hello, theirs: &Hello, sides: &Sides) -> Met {
    let [initiator, responder] = sides.order(ours.ephemeral);
    Met {
        we_sell: ours.sells && theirs.buys,
        we_buy: ours.buys && theirs.sells,
        offsets: ours.offsets && theirs.offsets,
        initiator,
        responder,
    }
}

/// A message of a role that the sender has not, or we do not meet, is nothing to us.
fn understand(inner: Vec<u8>, met: &Met) -> Result<Heard, PayFault> {
    let heard = match Message::decode(&inner)? {
        Some(Message::Terms(terms)) if met.we_buy => Heard::Terms { terms, said: inner },
        Some(message) if met.is_for_us(&message) => Heard::Message(Box::new(message)),
        _ => Heard::Nothing,
    };
    Ok(heard)
}

impl Heard {
    fn is_signed(&self) -> bool {
        let Self::Message(message) = self else { return false };
        match &**message {
            Message::Open(_) | Message::Cheque(_) => true,
            // Its `lc` is the buyer's own cheque.
            Message::Accepted(accepted) => accepted.last.is_some(),
            Message::Terms(_)
            | Message::Bid(_)
            | Message::Ask(_)
            | Message::Link { .. }
            | Message::Stat { .. }
            | Message::Close { .. }
            | Message::Refused(_) => false,
        }
    }
}

impl Met {
    fn is_for_us(&self, message: &Message) -> bool {
        match message {
            Message::Terms(_) | Message::Accepted(_) | Message::Ask(_) | Message::Stat { .. } => {
                self.we_buy
            }
            Message::Open(_) | Message::Bid(_) | Message::Link { .. } | Message::Cheque(_) => {
                self.we_sell
            }
            Message::Close { .. } | Message::Refused(_) => self.we_buy || self.we_sell,
        }
    }
}

#[cfg(test)]
mod tests;
