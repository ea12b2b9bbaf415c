//! `Payments`: the till and the purse of a node behind the conversations of its connections.
//!
//! Owns which connection speaks `pw_pay` and which machine a message is for. A driver hands it payloads,
//! counts and answers, and carries out what it gives. It must not know sockets, files or a chain; whatever a
//! peer says here costs its conversation at most, never the connection.

use crate::MESSAGES;
use crate::draw::Draw;
use crate::{
    Counts, Heard, Meeting, Message, Met, PayFault, PeerKey, Purse, PurseInput, PurseOutput,
    Refused, RefusedCode, Service, Start, Talk, Till, TillInput, TillOutput, TorrentKey,
};
use piecework_types::{Allowance, Rate, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// Connections that speak at most. Others are as if they did not know the extension.
pub const CONNECTIONS_MAX: usize = 65_536;

/// Links that are shown to one seller, of all messages that it takes. A later one pays for those left out.
const LINKS: Rate = Rate { per_second: 100, burst: 100 };

/// How long a link waits then, at most.
const LINK_DELAY: Duration = Duration::from_millis(10);

const _: () = assert!(
    LINKS.per_second < MESSAGES.per_second && LINKS.burst < MESSAGES.burst,
    "there is room for what is no link"
);

/// What a node pays and is paid with.
pub struct PaymentsConfig {
    /// The seller's machine, of a node that may sell.
    pub till: Option<Till>,
    /// The buyer's machine, of a node that may buy.
    pub purse: Option<Purse>,
    /// Whether it wants the imbalance billed only, between two that download from each other.
    pub offsets: bool,
    /// From the operating system, anew for every start: all ephemeral keys are drawn from it.
    pub entropy: [u8; 32],
}

impl fmt::Debug for PaymentsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaymentsConfig").field("offsets", &self.offsets).finish_non_exhaustive()
    }
}

/// A connection whose peer has the name [`crate::EXTENSION_NAME`] in its extension handshake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Connection {
    /// Which.
    pub peer: PeerKey,
    /// The torrent, as budgets and the ledger name it.
    pub torrent: TorrentKey,
    /// The info-hash of its handshake: of a hybrid torrent either one.
    pub info_hash: [u8; 20],
    /// Whether we opened it.
    pub is_initiator: bool,
    /// What is verified at once ([`Meeting::verified_bytes`]).
    pub verified_bytes: u32,
    /// Whether payments were spoken of on it before: one side had stopped, and begins anew.
    pub is_again: bool,
}

/// What the driver tells.
#[derive(Clone, Debug, PartialEq)]
pub enum PaymentsInput {
    /// A peer knows the extension.
    Connected(Connection),
    /// A peer has sent an extended message of ours.
    Payload {
        /// Who.
        peer: PeerKey,
        /// The message, behind its number.
        bytes: Vec<u8>,
    },
    /// What was sent to a peer, and what came from it.
    Counted {
        /// Who.
        peer: PeerKey,
        /// Billable bytes of ours: `bytes` to the peer, `back` from it.
        served: Counts,
        /// Billable bytes of the peer's: `bytes` to us, `back` from us.
        came: Counts,
    },
    /// A piece of a peer that sold it whole was corrupt.
    Corrupt {
        /// Who.
        peer: PeerKey,
    },
    /// A connection is gone.
    Disconnected {
        /// Which.
        peer: PeerKey,
    },
    /// For the till: what concerns no conversation.
    Till(TillInput),
    /// For the purse: what concerns no conversation.
    Purse(PurseInput),
    /// The moment of [`Payments::poll_timeout`].
    Timeout,
}

/// What the driver has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum PaymentsOutput {
    /// Send an extended message of ours.
    SendPayload {
        /// To whom.
        peer: PeerKey,
        /// The message, without its number.
        bytes: Vec<u8>,
    },
    /// Of the till: anything but [`TillOutput::Send`].
    Till(TillOutput),
    /// Of the purse: anything but [`PurseOutput::Send`].
    Purse(PurseOutput),
    /// A peer has broken the rules of the conversation: for who keeps a log.
    Faulted {
        /// Who.
        peer: PeerKey,
        /// How.
        fault: PayFault,
        /// Whether the conversation is off.
        is_off: bool,
    },
}

/// The payments of a node.
pub struct Payments {
    till: Option<Till>,
    purse: Option<Purse>,
    offsets: bool,
    draw: Draw,
    lines: BTreeMap<PeerKey, Line>,
    /// Those with a link that waits, and when it may be shown.
    waiting: BTreeSet<PeerKey>,
    show_at: Time,
    now: Time,
    out: VecDeque<PaymentsOutput>,
}

/// One connection.
#[derive(Debug)]
struct Line {
    connection: Connection,
    talk: Talk,
    /// What the machines know of it; none before both hellos, and when the conversation is off.
    met: Option<Met>,
    /// The channel on which we buy, and the one on which we sell.
    bought: Option<u64>,
    sold: Option<u64>,
    /// What is left of [`LINKS`], and the link that waits.
    links: Allowance,
    link: Option<Message>,
}

impl fmt::Debug for Payments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payments").field("lines", &self.lines.len()).finish_non_exhaustive()
    }
}

impl Payments {
    /// Payments that know no connection.
    #[must_use]
    pub fn new(config: PaymentsConfig) -> Self {
        let PaymentsConfig { till, purse, offsets, entropy } = config;
        let draw = Draw::new(entropy);
        Self {
            till,
            purse,
            offsets,
            draw,
            lines: BTreeMap::new(),
            waiting: BTreeSet::new(),
            show_at: Time::NEVER,
            now: Time::ZERO,
            out: VecDeque::new(),
        }
    }

    /// The seller's machine, to look at.
    #[must_use]
    pub fn till(&self) -> Option<&Till> {
        self.till.as_ref()
    }

    /// The buyer's machine, to look at.
    #[must_use]
    pub fn purse(&self) -> Option<&Purse> {
        self.purse.as_ref()
    }

    /// The buyer's machine, for what is not said by inputs: an account that takes the place of another.
    /// ([`Till::restore`] and [`Purse::restore`] come before [`Self::new`].)
    pub fn purse_mut(&mut self) -> Option<&mut Purse> {
        self.purse.as_mut()
    }

    /// Takes an input. `wall` is the time of day in seconds since 1970.
    pub fn handle(&mut self, now: Time, wall: u64, input: PaymentsInput) {
        self.now = now;
        self.show_links();
        match input {
            PaymentsInput::Connected(connection) => self.connect(now, connection),
            PaymentsInput::Payload { peer, bytes } => self.hear(now, wall, peer, &bytes),
            PaymentsInput::Counted { peer, served, came } => {
                let Some(met) = self.met(peer) else { return };
                if met.we_sell {
                    self.tell_till(now, wall, TillInput::Served { peer, counts: served });
                }
                if met.we_buy {
                    self.tell_purse(now, wall, PurseInput::Came { peer, counts: came });
                }
            }
            PaymentsInput::Corrupt { peer } => {
                if self.met(peer).is_some_and(|met| met.we_buy) {
                    self.tell_purse(now, wall, PurseInput::Corrupt { peer });
                }
            }
            PaymentsInput::Disconnected { peer } => {
                self.leave(now, wall, peer);
                self.lines.remove(&peer);
                self.waiting.remove(&peer);
            }
            PaymentsInput::Till(input) => self.tell_till(now, wall, input),
            PaymentsInput::Purse(input) => self.tell_purse(now, wall, input),
            PaymentsInput::Timeout => {
                self.tell_till(now, wall, TillInput::Timeout);
                self.tell_purse(now, wall, PurseInput::Timeout);
            }
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<PaymentsOutput> {
        loop {
            if let Some(output) = self.out.pop_front() {
                return Some(output);
            }
            let output = if let Some(output) = self.till.as_mut().and_then(Till::poll) {
                match output {
                    TillOutput::Send { peer, message } => self.seal(peer, &message),
                    other => Some(PaymentsOutput::Till(other)),
                }
            } else {
                match self.purse.as_mut()?.poll()? {
                    PurseOutput::Send { peer, message } => self.seal(peer, &message),
                    other => Some(PaymentsOutput::Purse(other)),
                }
            };
            if output.is_some() {
                return output;
            }
        }
    }

    /// When to come back with [`PaymentsInput::Timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Time {
        let till = self.till.as_ref().map_or(Time::NEVER, Till::poll_timeout);
        let purse = self.purse.as_ref().map_or(Time::NEVER, Purse::poll_timeout);
        till.min(purse).min(self.show_at)
    }

    fn connect(&mut self, now: Time, connection: Connection) {
        let Connection { peer, info_hash, is_initiator, is_again, .. } = connection;
        let (buys, sells) = (self.purse.is_some(), self.till.is_some());
        let is_full = self.lines.len() >= CONNECTIONS_MAX;
        if is_full || self.lines.contains_key(&peer) || !(buys || sells) {
            return;
        }
        let secret = Zeroizing::new(self.draw.secret().0);
        let offsets = self.offsets;
        let start = Start { is_initiator, info_hash, secret, buys, sells, offsets, is_again };
        let talk = Talk::new(start, now);
        self.out.push_back(PaymentsOutput::SendPayload { peer, bytes: talk.hello() });
        let links = Allowance::full(LINKS, now);
        let (met, bought, sold, link) = (None, None, None, None);
        self.lines.insert(peer, Line { connection, talk, met, bought, sold, links, link });
    }

    fn hear(&mut self, now: Time, wall: u64, peer: PeerKey, bytes: &[u8]) {
        let Some(line) = self.lines.get_mut(&peer) else { return };
        match line.talk.receive(bytes, now) {
            Ok(Heard::Met(met)) => {
                line.met = Some(met);
                let meeting = meeting(&line.connection, &met);
                if met.we_sell {
                    self.tell_till(now, wall, TillInput::Met(meeting));
                }
                if met.we_buy {
                    self.tell_purse(now, wall, PurseInput::Met(meeting));
                }
            }
            Ok(Heard::Terms { terms, said }) => {
                self.tell_purse(now, wall, PurseInput::Terms { peer, terms, said });
            }
            Ok(Heard::Message(message)) => {
                let (for_till, for_purse) = line.addressees(&message);
                if for_till {
                    let message = Message::clone(&message);
                    self.tell_till(now, wall, TillInput::Heard { peer, message });
                }
                if for_purse {
                    self.tell_purse(now, wall, PurseInput::Heard { peer, message: *message });
                }
            }
            Ok(Heard::Nothing) => {}
            Err(fault) => self.fault(now, wall, peer, fault),
        }
    }

    fn fault(&mut self, now: Time, wall: u64, peer: PeerKey, fault: PayFault) {
        if let PayFault::TooManyMessages { max } = fault {
            let text = format!("over {max} messages a second");
            let refused = Refused { code: RefusedCode::RateLimited, text };
            let output = self.seal(peer, &Message::Refused(refused));
            self.out.extend(output);
        }
        let is_off = self.lines.get(&peer).is_some_and(|line| line.talk.is_off());
        let left = if is_off { self.leave(now, wall, peer) } else { None };
        // The connection stays, and is one like all others: else it would wait at its limit for ever.
        if left.is_some_and(|met| met.we_sell) {
            let free = TillOutput::Serve { peer, service: Service::Free };
            self.out.push_back(PaymentsOutput::Till(free));
        }
        if left.is_some_and(|met| met.we_buy) {
            let as_others = PurseOutput::Buying { peer, is_paid: false };
            self.out.push_back(PaymentsOutput::Purse(as_others));
        }
        self.out.push_back(PaymentsOutput::Faulted { peer, fault, is_off });
    }

    /// For the machines the connection is gone. What it was, unless it was nothing to them.
    fn leave(&mut self, now: Time, wall: u64, peer: PeerKey) -> Option<Met> {
        let met = self.lines.get_mut(&peer).and_then(|line| line.met.take())?;
        if met.we_sell {
            self.tell_till(now, wall, TillInput::Left { peer });
        }
        if met.we_buy {
            self.tell_purse(now, wall, PurseInput::Left { peer });
        }
        Some(met)
    }

    fn met(&self, peer: PeerKey) -> Option<Met> {
        self.lines.get(&peer)?.met
    }

    fn seal(&mut self, peer: PeerKey, message: &Message) -> Option<PaymentsOutput> {
        let line = self.lines.get_mut(&peer)?;
        let waits = match message {
            Message::Link { .. } if !line.links.take(LINKS, self.now) => {
                line.link = Some(message.clone());
                self.waiting.insert(peer);
                self.show_at = self.show_at.min(self.now + LINK_DELAY);
                return None;
            }
            // A later link pays for it, and so does a cheque, which begins with all that was revealed.
            Message::Link { .. } => None,
            Message::Cheque(signed) => {
                line.bought = Some(signed.cheque.channel);
                None
            }
            _ => line.link.take(),
        };
        line.link = None;
        let before = waits.and_then(|link| line.talk.send(&link));
        let bytes = line.talk.send(message)?;
        let Some(before) = before else { return Some(PaymentsOutput::SendPayload { peer, bytes }) };
        self.out.push_front(PaymentsOutput::SendPayload { peer, bytes });
        Some(PaymentsOutput::SendPayload { peer, bytes: before })
    }

    /// Shows the links that had to wait.
    fn show_links(&mut self) {
        if self.now < self.show_at {
            return;
        }
        self.show_at = Time::NEVER;
        for peer in std::mem::take(&mut self.waiting) {
            let link = self.lines.get_mut(&peer).and_then(|line| line.link.take());
            let output = link.and_then(|link| self.seal(peer, &link));
            self.out.extend(output);
        }
    }

    fn tell_till(&mut self, now: Time, wall: u64, input: TillInput) {
        if let Some(till) = &mut self.till {
            till.handle(now, wall, input);
        }
    }

    fn tell_purse(&mut self, now: Time, wall: u64, input: PurseInput) {
        if let Some(purse) = &mut self.purse {
            purse.handle(now, wall, input);
        }
    }
}

impl Line {
    /// Whether a message is for the till, and whether for the purse. Where both sides have both roles, what
    /// either may say is told apart by whose channel it names, or by who has a reason to say it.
    fn addressees(&mut self, message: &Message) -> (bool, bool) {
        let Some(met) = self.met else { return (false, false) };
        match message {
            Message::Cheque(signed) => {
                self.sold = Some(signed.cheque.channel);
                (true, false)
            }
            Message::Open(_) | Message::Bid(_) | Message::Link { .. } => (true, false),
            Message::Terms(_) | Message::Accepted(_) | Message::Ask(_) | Message::Stat { .. } => {
                (false, true)
            }
            Message::Close { channel, .. } => {
                (self.sold == Some(*channel), self.bought == Some(*channel))
            }
            Message::Refused(refused) if met.we_sell && met.we_buy => {
                let is_buyers = matches!(
                    refused.code,
                    RefusedCode::NoNetwork | RefusedCode::AskOverBid | RefusedCode::Disagree
                );
                (is_buyers, !is_buyers)
            }
            Message::Refused(_) => (met.we_sell, met.we_buy),
        }
    }
}

fn meeting(connection: &Connection, met: &Met) -> Meeting {
    Meeting {
        peer: connection.peer,
        torrent: connection.torrent,
        info_hash: connection.info_hash,
        verified_bytes: connection.verified_bytes,
        initiator: met.initiator,
        responder: met.responder,
        offsets: met.offsets,
    }
}

#[cfg(test)]
mod tests;
