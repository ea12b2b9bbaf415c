//! Payments as a shard sees them: what its peers say of them and what was counted goes to the thread of
//! payments, gathered in a turn and handed over at its end; what that thread wants done goes to the machines.
//!
//! It costs a block nothing: a list of connections whose counts are to be read, and nothing while the
//! extension is not spoken.

use super::Shard;
use crate::event::TorrentKey;
use crate::pay::{Inbox, Meet, Note, PayOrder};
use piecework_pay::{Connection as PayConnection, PeerKey};
use piecework_swarm::{DropReason, Input, PayMessage, PeerCounts};
use piecework_types::{PeerSlot, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Bits of a [`PeerKey`] that count the connections of a shard; above them stands the shard, so that an order
/// finds it without a map.
pub(crate) const PEER_KEY_BITS: u32 = 48;

/// How often counts are told although nothing asks for it: rests would wait for the next half otherwise.
const REPORT_AFTER: Duration = Duration::from_secs(1);

/// How long a peer that said something waits for the answer at most ([`PayLine::held_until`]).
const HOLD_MAX: Duration = Duration::from_secs(1);

/// How long who is to have a first price waits for it at most: only a machine that has no time for us needs
/// more than a moment.
const PRICE_HOLD_MAX: Duration = Duration::from_secs(10);

/// Messages of a peer that wait until it is known how long pieces are.
const WAITING_MAX: usize = 16;

/// What a shard knows of payments.
#[derive(Default)]
pub(super) struct PayDesk {
    /// To the thread of payments, while the extension is spoken.
    inbox: Option<Arc<Inbox>>,
    next: u64,
    connections: BTreeMap<PeerKey, u32>,
    notes: Vec<Note>,
    /// Connections whose counts are to be read at the end of this turn.
    counted: Vec<u32>,
    counts: Vec<(PeerKey, PeerCounts)>,
    report_at: Time,
    /// When each connection that is held back goes on by itself.
    held: BTreeSet<(Time, u32)>,
}

impl PayDesk {
    pub(super) fn new(shard: usize) -> Self {
        Self { next: (shard as u64) << PEER_KEY_BITS, ..Self::default() }
    }

    /// When counts are told although nobody asks, or somebody has been held back for long enough.
    pub(super) fn next_at(&self) -> Time {
        let report = if self.connections.is_empty() { Time::NEVER } else { self.report_at };
        self.held.first().map_or(report, |(at, _)| report.min(*at))
    }

    /// Whether peers are told of the extension.
    pub(super) const fn carries(&self) -> bool {
        self.inbox.is_some()
    }
}

/// A connection that speaks of payments.
#[derive(Debug)]
pub(crate) struct PayLine {
    peer: PeerKey,
    /// It stands in the list of those whose counts are to be read.
    is_counted: bool,
    is_reserved: bool,
    is_sole: bool,
    /// It is sent nothing until then, or until what it said is answered: the answer may be a price, and no
    /// byte may leave before it that the price was not reckoned with.
    held_until: Option<Time>,
    /// The last counts that were told.
    told: PeerCounts,
    /// What it said before the length of pieces was known.
    waiting: Option<Vec<PayMessage>>,
    /// There was another conversation on the connection.
    is_again: bool,
}

impl PayLine {
    /// Whether it is sent nothing for now.
    pub(super) const fn is_held(&self) -> bool {
        self.held_until.is_some()
    }
}

impl Shard {
    /// The extension is spoken from now on, or no longer. Who spoke it is gone for who heard of it.
    pub(super) fn carry_pay(&mut self, inbox: Option<Arc<Inbox>>, now: Time) {
        for (peer, id) in std::mem::take(&mut self.pay.connections) {
            self.tell_pay(Note::Disconnected { peer });
            let line = self.connections.get_mut(id).and_then(|it| it.pay.take());
            if let (Some(line), Some((key, slot))) = (line, self.peer_of(id)) {
                self.end_service(key, slot, &line, now);
            }
        }
        self.pay.counted.clear();
        for (_, id) in std::mem::take(&mut self.pay.held) {
            self.flush(id, now);
        }
        self.hand_over_pay(now);
        self.pay.inbox = inbox;
        let carries = self.pay.carries();
        for torrent in self.torrents.values_mut() {
            torrent.carry_pay(carries, now);
        }
        let keys: Vec<TorrentKey> = self.torrents.keys().copied().collect();
        keys.into_iter().for_each(|key| self.touch(key));
    }

    /// A peer is one like all others again.
    fn end_service(&mut self, key: TorrentKey, slot: PeerSlot, line: &PayLine, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if line.is_reserved {
            torrent.swarm.handle(Input::Reserve { slot, reserve: None }, now);
        }
        if line.is_sole {
            torrent.swarm.handle(Input::Sole { slot, is_sole: false }, now);
        }
    }

    /// A peer speaks of payments, and so do we.
    pub(super) fn speaks_pay(&mut self, key: TorrentKey, slot: PeerSlot, now: Time) {
        let Some(id) = self.torrents.get(&key).and_then(|it| it.connection(slot)) else { return };
        let Some(connection) = self.connections.get_mut(id) else { return };
        if self.pay.inbox.is_none() || connection.pay.is_some() {
            return;
        }
        if self.pay.connections.is_empty() {
            self.pay.report_at = now + REPORT_AFTER;
        }
        let peer = PeerKey(self.pay.next);
        self.pay.next += 1;
        self.pay.connections.insert(peer, id);
        connection.pay = Some(Box::new(PayLine {
            peer,
            is_counted: false,
            is_reserved: false,
            is_sole: false,
            held_until: None,
            told: PeerCounts::default(),
            waiting: Some(Vec::new()),
            is_again: std::mem::replace(&mut connection.spoke_pay, true),
        }));
        self.introduce_payer(id);
    }

    /// It does no longer. When it does again, that is another conversation.
    pub(super) fn ends_pay(&mut self, key: TorrentKey, slot: PeerSlot, now: Time) {
        let Some(torrent) = self.torrents.get(&key) else { return };
        let (Some(id), counts) = (torrent.connection(slot), torrent.swarm.counts(slot)) else {
            return;
        };
        let line = self.connections.get_mut(id).and_then(|it| it.pay.take());
        if let Some(line) = line {
            self.end_pay(id, &line, counts);
            self.end_service(key, slot, &line, now);
            if line.is_held() {
                // Nobody answers it any more, and it is sent pieces as all others.
                self.flush(id, now);
            }
        }
    }

    /// The pieces of a torrent are known: so is how much of it is verified at once.
    pub(super) fn introduce_payers(&mut self, key: TorrentKey) {
        let ids: Vec<u32> = self.pay.connections.values().copied().collect();
        for id in ids {
            if self.connections.get(id).is_some_and(|it| it.torrent == key) {
                self.introduce_payer(id);
            }
        }
    }

    fn introduce_payer(&mut self, id: u32) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let Some(torrent) = self.torrents.get(&connection.torrent) else { return };
        let Some(piece_bytes) = torrent.piece_bytes() else { return };
        let (key, address) = (connection.torrent, connection.remote());
        let info_hash = match connection.is_outgoing {
            true => torrent.info_hashes.primary(),
            false => connection.called_as.unwrap_or_else(|| torrent.info_hashes.primary()),
        };
        let Some(line) = &mut connection.pay else { return };
        let Some(waiting) = line.waiting.take() else { return };
        let (peer, is_again) = (line.peer, line.is_again);
        let connection = PayConnection {
            peer,
            is_again,
            torrent: torrent.info_hashes.primary().0,
            info_hash: info_hash.0,
            is_initiator: connection.is_outgoing,
            // In v2, too: leaves of its trees are not asked for.
            verified_bytes: piece_bytes,
        };
        self.tell_pay(Note::Connected(Meet { connection, torrent: key, address }));
        waiting.into_iter().for_each(|message| self.tell_pay(Note::Payload { peer, message }));
    }

    /// What a peer says goes to the thread of payments with what was counted until now.
    pub(super) fn pay_received(
        &mut self,
        key: TorrentKey,
        slot: PeerSlot,
        message: PayMessage,
        now: Time,
    ) {
        let Some(id) = self.torrents.get(&key).and_then(|it| it.connection(slot)) else { return };
        let line = self.connections.get_mut(id).and_then(|it| it.pay.as_mut());
        let Some(line) = line else { return };
        match &mut line.waiting {
            Some(waiting) if waiting.len() >= WAITING_MAX => {}
            Some(waiting) => waiting.push(message),
            None => {
                let peer = line.peer;
                self.tell_pay(Note::Payload { peer, message });
                self.hold(id, HOLD_MAX, now);
                self.mark_counted(id);
            }
        }
    }

    /// Sends the peer nothing more until it is answered, but no longer than that, unless a reserve says how
    /// far it goes. What a peer says does not make it wait for longer than it does already.
    fn hold(&mut self, id: u32, most: Duration, now: Time) {
        let Some((key, slot)) = self.peer_of(id) else { return };
        let line = self.connections.get_mut(id).and_then(|it| it.pay.as_mut());
        let Some(line) = line.filter(|line| !line.is_reserved) else { return };
        if most == HOLD_MAX && line.held_until.is_some() {
            return;
        }
        if let Some(until) = line.held_until.replace(now + most) {
            self.pay.held.remove(&(until, id));
        }
        self.pay.held.insert((now + most, id));
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.swarm.handle(Input::Room { slot, bytes: 0 }, now);
        }
    }

    fn release(&mut self, id: u32, now: Time) {
        let line = self.connections.get_mut(id).and_then(|it| it.pay.as_mut());
        if let Some(until) = line.and_then(|line| line.held_until.take()) {
            self.pay.held.remove(&(until, id));
            self.flush(id, now);
        }
    }

    /// Lets those go on who were held back for long enough.
    pub(super) fn release_overdue(&mut self, now: Time) {
        while let Some(&(at, id)) = self.pay.held.first()
            && at <= now
        {
            self.pay.held.pop_first();
            self.release(id, now);
        }
    }

    /// The counts of a peer are worth telling.
    pub(super) fn counted(&mut self, key: TorrentKey, slot: PeerSlot) {
        if let Some(id) = self.torrents.get(&key).and_then(|it| it.connection(slot)) {
            self.mark_counted(id);
        }
    }

    fn mark_counted(&mut self, id: u32) {
        if let Some(line) = self.connections.get_mut(id).and_then(|it| it.pay.as_mut())
            && !std::mem::replace(&mut line.is_counted, true)
        {
            self.pay.counted.push(id);
        }
    }

    /// A peer that sold a whole piece sent a bad one.
    pub(super) fn sold_bad_data(&mut self, id: u32, reason: &DropReason) {
        let line = self.connections.get(id).and_then(|it| it.pay.as_ref());
        if let (Some(line), DropReason::BadData) = (line, reason) {
            let peer = line.peer;
            self.tell_pay(Note::Corrupt { peer });
        }
    }

    /// A connection is about to go, with its last counts.
    pub(super) fn end_pay(&mut self, id: u32, line: &PayLine, counts: Option<PeerCounts>) {
        let peer = line.peer;
        self.pay.connections.remove(&peer);
        if let Some(until) = line.held_until {
            self.pay.held.remove(&(until, id));
        }
        self.pay.counted.retain(|counted| *counted != id);
        if line.waiting.is_none() {
            self.pay.counts.extend(counts.map(|counts| (peer, counts)));
            self.tell_pay(Note::Disconnected { peer });
        }
    }

    /// What the thread of payments wants done. It leaves at once: the next command may end its torrent.
    pub(super) fn pay_orders(&mut self, orders: Vec<PayOrder>, now: Time) {
        let mut concerned = BTreeSet::new();
        for order in orders {
            concerned.extend(self.pay_order(order, now));
        }
        for key in concerned {
            self.pump(key, now);
            self.touch(key);
        }
    }

    fn pay_order(&mut self, order: PayOrder, now: Time) -> Option<TorrentKey> {
        let (PayOrder::Send { peer, .. }
        | PayOrder::Reserve { peer, .. }
        | PayOrder::Sole { peer, .. }
        | PayOrder::Hold { peer }
        | PayOrder::Release { peer }) = order;
        let id = *self.pay.connections.get(&peer)?;
        let (key, slot) = self.peer_of(id)?;
        let line = self.connections.get_mut(id)?.pay.as_mut()?;
        let input = match order {
            PayOrder::Send { bytes, .. } => Input::SendPay { slot, payload: bytes },
            PayOrder::Reserve { reserve, .. } => {
                line.is_reserved = reserve.is_some();
                Input::Reserve { slot, reserve }
            }
            PayOrder::Sole { is_sole, .. } => {
                line.is_sole = is_sole;
                Input::Sole { slot, is_sole }
            }
            PayOrder::Hold { .. } => {
                self.hold(id, PRICE_HOLD_MAX, now);
                self.tell_pay(Note::Held { peer });
                self.mark_counted(id);
                return Some(key);
            }
            PayOrder::Release { .. } => {
                // What was said to it leaves first.
                self.pump(key, now);
                self.release(id, now);
                return Some(key);
            }
        };
        self.torrents.get_mut(&key)?.swarm.handle(input, now);
        self.mark_counted(id);
        Some(key)
    }

    /// The end of a turn: what was gathered is handed over at once.
    pub(super) fn hand_over_pay(&mut self, now: Time) {
        if self.pay.report_at <= now && !self.pay.connections.is_empty() {
            self.pay.report_at = now + REPORT_AFTER;
            let all: Vec<u32> = self.pay.connections.values().copied().collect();
            all.into_iter().for_each(|id| self.mark_counted(id));
        }
        let mut counted = std::mem::take(&mut self.pay.counted);
        for id in counted.drain(..) {
            self.read_counts(id);
        }
        self.pay.counted = counted;
        let PayDesk { inbox, notes, counts, .. } = &mut self.pay;
        if let Some(inbox) = inbox
            && !(notes.is_empty() && counts.is_empty())
        {
            inbox.hand_over(notes, counts);
        }
    }

    fn read_counts(&mut self, id: u32) {
        let Some((key, slot)) = self.peer_of(id) else { return };
        let counts = self.torrents.get(&key).and_then(|it| it.swarm.counts(slot));
        let line = self.connections.get_mut(id).and_then(|it| it.pay.as_mut());
        let (Some(line), Some(counts)) = (line, counts) else { return };
        line.is_counted = false;
        if counts != std::mem::replace(&mut line.told, counts) && line.waiting.is_none() {
            self.pay.counts.push((line.peer, counts));
        }
    }

    fn tell_pay(&mut self, note: Note) {
        if self.pay.inbox.is_some() {
            self.pay.notes.push(note);
        }
    }

    fn peer_of(&self, id: u32) -> Option<(TorrentKey, PeerSlot)> {
        let connection = self.connections.get(id)?;
        Some((connection.torrent, connection.slot()?))
    }
}
