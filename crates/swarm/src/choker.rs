//! Whom to serve: choke rounds and optimistic turns.
//!
//! Owns which peers are unchoked. Invariants: a peer is unchoked only while it is interested; while a
//! slot is free no interested peer is choked; at most `slots` peers are unchoked.
//! It must not know which bytes go to whom (that is `Uplink`), messages, sockets, or prices.
//!
//! While leeching, peers are ranked by their FairTorrent deficit (Sherman et al. 2009: bytes sent to
//! them less bytes received, here halved every minute); the smallest is served first and the
//! incumbent wins ties. While seeding, turns go round: a peer keeps its slot for 20 pieces and 60 s,
//! then the one that waited longest gets it.

use piecework_types::{PeerSlot, Rng, Time};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

mod rank;
#[cfg(test)]
mod tests;

/// Long enough for TCP to show its rate, short enough to replace a dead peer (Cohen 2003, section 3).
pub const CHOKE_ROUND: Duration = Duration::from_secs(10);

/// How long an optimistic turn lasts (BEP 3). It ends with the round nearest to that.
pub const OPTIMISTIC_TURN: Duration = Duration::from_secs(30);

/// A peer that joined less than this ago is a newcomer: its wait for an optimistic turn counts
/// [`NEWCOMER_WEIGHT`] times, because it has nothing yet to trade.
const NEWCOMER: Duration = Duration::from_secs(180);
const NEWCOMER_WEIGHT: u64 = 3;

/// Below this median rate of the served peers a slot is too small to be worth its overhead.
const SLOT_BYTES_MIN: u64 = 32 * 1024;

/// A link busier than this has no room for one more slot.
const BUSY_PERCENT: u8 = 90;

/// How many peers are served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChokerConfig {
    /// Slots until the uplink is measured.
    pub slots_start: usize,
    /// Fewest slots afterwards.
    pub slots_min: usize,
    /// Most slots.
    pub slots_max: usize,
}

impl Default for ChokerConfig {
    fn default() -> Self {
        Self { slots_start: 8, slots_min: 4, slots_max: 64 }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChokerInput {
    /// A peer connected; it starts choked and not interested.
    PeerJoined {
        /// Its slot.
        slot: PeerSlot,
    },
    /// A peer is gone.
    PeerLeft {
        /// Its slot.
        slot: PeerSlot,
    },
    /// The peer wants pieces of us, or no longer does.
    Interested {
        /// Which peer.
        slot: PeerSlot,
        /// Whether it wants any.
        interested: bool,
    },
    /// Payload came from the peer.
    Received {
        /// From whom.
        slot: PeerSlot,
        /// Bytes.
        bytes: u64,
    },
    /// Payload was queued to the peer.
    Sent {
        /// To whom.
        slot: PeerSlot,
        /// Bytes.
        bytes: u64,
    },
    /// We have everything that we want: rank by turns instead of deficits.
    Seeding(bool),
    /// Bytes of a full piece, once known: 20 pieces are a seeding turn.
    PieceBytes(u32),
    /// How much the peer claims to have.
    PeerProgress {
        /// Which peer.
        slot: PeerSlot,
        /// Pieces it announced.
        have: u32,
        /// Pieces of the torrent.
        pieces: u32,
    },
    /// What the swarm gains when this peer is served: the higher, the rarer what it lacks. Ranks peers
    /// that have waited equally long for us as a seed.
    Rarity {
        /// Which peer.
        slot: PeerSlot,
        /// Any unit, comparable among peers.
        gain: u32,
    },
    /// The capacity of the uplink is known now.
    LinkMeasured {
        /// Bytes a second.
        rate_bytes: u64,
    },
    /// How busy the uplink was since the last report. Without reports the slots stay as they are.
    LinkBusy {
        /// Percent of its capacity.
        percent: u8,
    },
    /// The moment of [`Choker::poll_timeout`] has come.
    Timeout,
}

/// What to tell a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChokerOutput {
    /// Stop serving it.
    Choke(PeerSlot),
    /// Serve it.
    Unchoke(PeerSlot),
}

/// Why a peer is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Turn {
    /// It won a slot by its rank.
    Regular,
    /// It is its turn to be tried.
    Optimistic,
}

#[derive(Clone, Copy, Debug)]
struct Unchoked {
    turn: Turn,
    since: Time,
    /// Bytes sent since.
    sent: u64,
}

#[derive(Clone, Debug)]
struct Peer {
    joined: Time,
    interested: bool,
    unchoked: Option<Unchoked>,
    /// When it was choked last, or joined.
    waiting_since: Time,
    /// When its last optimistic turn ended, or it joined.
    tried: Time,
    /// Bytes sent less bytes received, halved every minute.
    deficit: i64,
    sent_total: u64,
    sent_round: u64,
    /// Pieces it says it has.
    have: u32,
    rarity_gain: u32,
}

/// Decides who is unchoked. See the module documentation.
#[derive(Debug)]
pub struct Choker {
    config: ChokerConfig,
    rng: Rng,
    peers: BTreeMap<PeerSlot, Peer>,
    unchoked_count: usize,
    slots: usize,
    measured: bool,
    busy: Option<u8>,
    seeding: bool,
    piece_bytes: u64,
    next_round: Time,
    outputs: VecDeque<ChokerOutput>,
}

impl Choker {
    /// A choker without peers. The first round ends 10 s after `now`.
    pub fn new(config: ChokerConfig, rng: Rng, now: Time) -> Self {
        Self {
            config,
            rng,
            peers: BTreeMap::new(),
            unchoked_count: 0,
            slots: config.slots_start.max(1),
            measured: false,
            busy: None,
            seeding: false,
            piece_bytes: 0,
            next_round: now + CHOKE_ROUND,
            outputs: VecDeque::new(),
        }
    }

    /// Takes notice. Reports about bytes cost O(log n), everything else at most O(n log n).
    pub fn handle(&mut self, input: ChokerInput, now: Time) {
        match input {
            ChokerInput::PeerJoined { slot } => {
                self.remove(slot, now);
                self.peers.insert(slot, Peer::new(now));
            }
            ChokerInput::PeerLeft { slot } => self.remove(slot, now),
            ChokerInput::Interested { slot, interested } => {
                self.interest(slot, interested, now);
            }
            ChokerInput::Received { slot, bytes } => {
                if let Some(peer) = self.peers.get_mut(&slot) {
                    peer.deficit = peer.deficit.saturating_sub_unsigned(bytes);
                }
            }
            ChokerInput::Sent { slot, bytes } => {
                if let Some(peer) = self.peers.get_mut(&slot) {
                    peer.note_sent(bytes);
                }
            }
            ChokerInput::Seeding(seeding) => self.seeding = seeding,
            ChokerInput::PieceBytes(bytes) => self.piece_bytes = bytes.into(),
            ChokerInput::PeerProgress { slot, have, pieces } => {
                if let Some(peer) = self.peers.get_mut(&slot) {
                    peer.have = have.min(pieces);
                }
            }
            ChokerInput::Rarity { slot, gain } => {
                if let Some(peer) = self.peers.get_mut(&slot) {
                    peer.rarity_gain = gain;
                }
            }
            ChokerInput::LinkMeasured { rate_bytes } => self.measure(rate_bytes, now),
            ChokerInput::LinkBusy { percent } => self.busy = Some(percent),
            ChokerInput::Timeout => {
                if now >= self.next_round {
                    self.round(now);
                }
            }
        }
    }

    /// The next thing to tell a peer. Chokes of a round come before its unchokes.
    pub fn poll(&mut self) -> Option<ChokerOutput> {
        self.outputs.pop_front()
    }

    /// When the round ends, if there is any peer.
    pub fn poll_timeout(&self) -> Option<Time> {
        (!self.peers.is_empty()).then_some(self.next_round)
    }

    /// Whether the peer is unchoked.
    pub fn is_unchoked(&self, slot: PeerSlot) -> bool {
        self.peers.get(&slot).is_some_and(|peer| peer.unchoked.is_some())
    }

    /// Whether the peer is unchoked only to be tried: the uplink serves it as altruistic.
    pub fn is_optimistic(&self, slot: PeerSlot) -> bool {
        let peer = self.peers.get(&slot);
        peer.and_then(|peer| peer.unchoked).is_some_and(|held| held.turn == Turn::Optimistic)
    }

    /// Peers served at most at this moment, optimistic ones included.
    pub const fn slots(&self) -> usize {
        self.slots
    }

    /// Slots for optimistic turns: a fifth, at least one (as libtorrent does).
    fn optimistic_slots(&self) -> usize {
        (self.slots / 5).max(1)
    }

    fn remove(&mut self, slot: PeerSlot, now: Time) {
        let Some(peer) = self.peers.remove(&slot) else { return };
        // The slot may be reused at once: what was decided for its last owner is void.
        self.outputs.retain(|output| output.slot() != slot);
        if peer.unchoked.is_some() {
            self.unchoked_count -= 1;
            self.fill(now);
        }
    }

    fn interest(&mut self, slot: PeerSlot, interested: bool, now: Time) {
        let Some(peer) = self.peers.get_mut(&slot) else { return };
        if peer.interested == interested {
            return;
        }
        peer.interested = interested;
        if interested {
            // Time without interest is no waiting.
            peer.waiting_since = now;
            if self.unchoked_count < self.slots {
                self.unchoke(slot, self.free_turn(), now);
            }
        } else if peer.unchoked.is_some() {
            self.choke(slot, now);
            self.fill(now);
        }
    }

    /// What a peer that gets a free slot is unchoked as.
    fn free_turn(&self) -> Turn {
        let regular = self.peers.values().filter(|peer| peer.holds(Turn::Regular)).count();
        let full = regular >= self.slots - self.optimistic_slots();
        if full { Turn::Optimistic } else { Turn::Regular }
    }

    /// Gives free slots to those who deserve them most.
    fn fill(&mut self, now: Time) {
        while self.unchoked_count < self.slots {
            let turn = self.free_turn();
            let waiting = self.peers.iter().filter(|(_, peer)| peer.interested);
            let waiting = waiting.filter(|(_, peer)| peer.unchoked.is_none());
            let best = match turn {
                Turn::Regular => waiting.min_by_key(|(slot, peer)| self.rank(**slot, peer, now)),
                Turn::Optimistic => waiting.max_by_key(|(_, peer)| peer.untried(now)),
            };
            let Some((&slot, _)) = best else { return };
            self.unchoke(slot, turn, now);
        }
    }

    fn unchoke(&mut self, slot: PeerSlot, turn: Turn, now: Time) {
        let Some(peer) = self.peers.get_mut(&slot) else { return };
        if peer.holds(turn) {
            return;
        }
        let was_choked = peer.unchoked.is_none();
        if peer.holds(Turn::Optimistic) {
            peer.tried = now;
        }
        peer.unchoked = Some(Unchoked { turn, since: now, sent: 0 });
        if was_choked {
            self.unchoked_count += 1;
            self.say(ChokerOutput::Unchoke(slot));
        }
    }

    fn choke(&mut self, slot: PeerSlot, now: Time) {
        let Some(peer) = self.peers.get_mut(&slot) else { return };
        let Some(held) = peer.unchoked.take() else { return };
        peer.waiting_since = now;
        if held.turn == Turn::Optimistic {
            peer.tried = now;
        }
        self.unchoked_count -= 1;
        self.say(ChokerOutput::Choke(slot));
    }

    /// Queues an output, unless it takes back one that has not left yet: then neither is said.
    fn say(&mut self, output: ChokerOutput) {
        let slot = output.slot();
        match self.outputs.iter().position(|waiting| waiting.slot() == slot) {
            Some(opposite) => {
                self.outputs.remove(opposite);
            }
            None => self.outputs.push_back(output),
        }
    }

    fn round(&mut self, now: Time) {
        while self.next_round <= now {
            self.next_round += CHOKE_ROUND;
        }
        self.adapt_slots();
        self.choose(now);
        for peer in self.peers.values_mut() {
            peer.deficit = rank::decayed(peer.deficit);
            peer.sent_round = 0;
        }
    }

    /// Ranks everybody who is interested and hands out all slots anew.
    fn choose(&mut self, now: Time) {
        let interested = self.peers.iter().filter(|(_, peer)| peer.interested);
        let mut ranked: Vec<_> =
            interested.map(|(slot, peer)| self.rank(*slot, peer, now)).collect();
        ranked.sort_unstable();
        let regular = (self.slots - self.optimistic_slots()).min(ranked.len());
        let mut chosen: BTreeMap<PeerSlot, Turn> =
            ranked.drain(..regular).map(|rank| (rank.slot(), Turn::Regular)).collect();
        let rest: Vec<_> = ranked.iter().map(|rank| rank.slot()).collect();
        for slot in self.choose_optimistic(&rest, now) {
            chosen.insert(slot, Turn::Optimistic);
        }
        let held = self.peers.iter().filter(|(_, peer)| peer.unchoked.is_some());
        let held: Vec<_> = held.map(|(slot, _)| *slot).collect();
        for slot in held.into_iter().filter(|slot| !chosen.contains_key(slot)) {
            self.choke(slot, now);
        }
        for (slot, turn) in chosen {
            self.unchoke(slot, turn, now);
        }
    }

    /// Who of those that won no regular slot is tried: whoever is in the middle of its turn, then
    /// whoever waited longest, chance deciding ties.
    fn choose_optimistic(&mut self, rest: &[PeerSlot], now: Time) -> Vec<PeerSlot> {
        let mut waits = Vec::with_capacity(rest.len());
        for slot in rest {
            let Some(peer) = self.peers.get(slot) else { continue };
            let held = peer.unchoked.filter(|held| held.turn == Turn::Optimistic);
            let turn_over =
                held.is_none_or(|held| now.since(held.since) + CHOKE_ROUND / 2 >= OPTIMISTIC_TURN);
            let untried = if held.is_some() { 0 } else { peer.untried(now) };
            waits.push((turn_over, Reverse(untried), self.rng.next_u64(), *slot));
        }
        waits.sort_unstable();
        let free = self.optimistic_slots().min(self.slots);
        waits.into_iter().take(free).map(|(.., slot)| slot).collect()
    }

    /// Starts the adaptive number of slots: the square root of 0.6 times the rate in kB/s, as
    /// clients of the mainline lineage do.
    fn measure(&mut self, rate_bytes: u64, now: Time) {
        if std::mem::replace(&mut self.measured, true) {
            return;
        }
        let root = (rate_bytes / 1_000).saturating_mul(6).div_ceil(10).isqrt();
        let (least, most) = self.slot_bounds();
        self.slots = usize::try_from(root).unwrap_or(most).clamp(least, most);
        if self.unchoked_count > self.slots {
            self.choose(now);
        } else {
            self.fill(now);
        }
    }

    fn slot_bounds(&self) -> (usize, usize) {
        let least = self.config.slots_min.max(1);
        (least, self.config.slots_max.max(least))
    }

    /// One slot more while the link has room and every slot is taken; one less while it has none and
    /// the slots are too thin.
    fn adapt_slots(&mut self) {
        let (Some(busy), true) = (self.busy.take(), self.measured) else { return };
        let (least, most) = self.slot_bounds();
        if busy < BUSY_PERCENT {
            let waiting =
                self.peers.values().any(|peer| peer.interested && peer.unchoked.is_none());
            if waiting && self.unchoked_count >= self.slots {
                self.slots = (self.slots + 1).min(most);
            }
            return;
        }
        let served = self.peers.values().filter(|peer| peer.unchoked.is_some());
        let mut sent: Vec<u64> = served.map(|peer| peer.sent_round).collect();
        sent.sort_unstable();
        let thin = SLOT_BYTES_MIN * CHOKE_ROUND.as_secs();
        if sent.get(sent.len() / 2).is_some_and(|median| *median < thin) {
            self.slots = (self.slots - 1).max(least);
        }
    }
}

impl ChokerOutput {
    /// The peer it is about.
    pub const fn slot(self) -> PeerSlot {
        match self {
            Self::Choke(slot) | Self::Unchoke(slot) => slot,
        }
    }
}

impl Peer {
    const fn new(now: Time) -> Self {
        Self {
            joined: now,
            interested: false,
            unchoked: None,
            waiting_since: now,
            tried: now,
            deficit: 0,
            sent_total: 0,
            sent_round: 0,
            have: 0,
            rarity_gain: 0,
        }
    }

    fn holds(&self, turn: Turn) -> bool {
        self.unchoked.is_some_and(|held| held.turn == turn)
    }

    /// Microseconds without an optimistic turn, newcomers' counting more.
    fn untried(&self, now: Time) -> u64 {
        let wait = now.since(self.tried).as_micros() as u64;
        let young = now.since(self.joined) < NEWCOMER;
        wait.saturating_mul(if young { NEWCOMER_WEIGHT } else { 1 })
    }

    fn note_sent(&mut self, bytes: u64) {
        self.deficit = self.deficit.saturating_add_unsigned(bytes);
        self.sent_total = self.sent_total.saturating_add(bytes);
        self.sent_round = self.sent_round.saturating_add(bytes);
        if let Some(held) = &mut self.unchoked {
            held.sent = held.sent.saturating_add(bytes);
        }
    }
}
