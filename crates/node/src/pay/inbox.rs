//! What waits for the thread of payments: notes of the shards, and calls of the faces.
//!
//! Everything here has a limit that no peer moves: notes of a connection that came and went are dropped, the
//! payloads of one connection and of all have a limit, counts replace one another, and so do wishes.

use super::PayWish;
use crate::event::TorrentKey;
use piecework_pay::{Connection, Facts, FactsKey, Network, Payer, PeerKey, Price};
use piecework_swarm::{PayMessage, PeerCounts};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Payloads of one connection that wait: those of half a second at the rate that is taken of anybody. Who
/// sends more has its conversation broken.
const PEER_PAYLOADS_MAX: u32 = 128;

/// Payloads of all connections that wait.
const PAYLOADS_MAX: usize = 16 * 1024;

/// Calls that wait; of more the last are lost, which costs another question to the chain.
const CALLS_MAX: usize = 16 * 1024;

/// What a shard has to say of a connection.
#[derive(Debug)]
pub(crate) enum Note {
    Connected(Meet),
    Payload {
        peer: PeerKey,
        message: PayMessage,
    },
    Corrupt {
        peer: PeerKey,
    },
    /// It is held back: what was counted of it last is all.
    Held {
        peer: PeerKey,
    },
    Disconnected {
        peer: PeerKey,
    },
}

/// A peer that speaks of payments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meet {
    pub(crate) connection: Connection,
    pub(crate) torrent: TorrentKey,
    pub(crate) address: SocketAddr,
}

impl Note {
    fn peer(&self) -> PeerKey {
        match self {
            Self::Connected(meet) => meet.connection.peer,
            Self::Payload { peer, .. }
            | Self::Corrupt { peer }
            | Self::Held { peer }
            | Self::Disconnected { peer } => *peer,
        }
    }
}

/// What faces and the host say.
#[derive(Debug)]
pub(crate) enum Call {
    Facts(FactsKey, Option<Facts>),
    Funds(Network, Option<Facts>),
    Cashed { network: Network, payer: piecework_pay::Address, channel: u64, paid: Option<u128> },
    Exiting { network: Network, payer: piecework_pay::Address },
    Sell(bool),
    Buy(bool),
    Floor(Price),
    FreePermille(u16),
    DayMax(u128),
    Uptime(u16),
    Renew(Box<Payer>),
}

/// All that came since the last look.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// In the order in which it happened.
    pub(crate) notes: Vec<Note>,
    /// Later than every note but the end of a connection.
    pub(crate) counts: BTreeMap<PeerKey, PeerCounts>,
    pub(crate) calls: Vec<Call>,
    /// What is wanted of torrents from now on; with none nothing.
    pub(crate) wishes: BTreeMap<TorrentKey, Option<PayWish>>,
    /// Somebody looks at the view.
    pub(crate) is_looked_at: bool,
    pub(crate) is_stopping: bool,
    /// End at once: what waits is written, and nobody hears of it.
    pub(crate) is_quitting: bool,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.notes.is_empty()
            && self.counts.is_empty()
            && self.calls.is_empty()
            && self.wishes.is_empty()
            && !(self.is_looked_at || self.is_stopping || self.is_quitting)
    }
}

#[derive(Debug, Default)]
struct Waiting {
    batch: Batch,
    /// Connections that came since the last look, and payloads of each since then.
    fresh: BTreeSet<PeerKey>,
    payloads: BTreeMap<PeerKey, u32>,
    payload_count: usize,
    /// Nobody will look again.
    is_over: bool,
}

/// The way to the thread of payments. Whoever puts something in never waits for that thread.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    came: Condvar,
}

impl Inbox {
    /// Hands over what a shard has gathered in a turn; leaves the lists empty.
    pub(crate) fn hand_over(&self, notes: &mut Vec<Note>, counts: &mut Vec<(PeerKey, PeerCounts)>) {
        let mut waiting = self.lock();
        if waiting.is_over {
            notes.clear();
            counts.clear();
            return;
        }
        notes.drain(..).for_each(|note| waiting.add(note));
        waiting.batch.counts.extend(counts.drain(..));
        drop(waiting);
        self.came.notify_one();
    }

    pub(crate) fn call(&self, call: Call) {
        self.change(|waiting| match waiting.batch.calls.len() < CALLS_MAX {
            true => waiting.batch.calls.push(call),
            false => tracing::warn!("too much is told to payments at once: some of it is lost"),
        });
    }

    pub(crate) fn want(&self, torrent: TorrentKey, wish: Option<PayWish>) {
        self.change(|waiting| {
            waiting.batch.wishes.insert(torrent, wish);
        });
    }

    pub(crate) fn look(&self) {
        self.change(|waiting| waiting.batch.is_looked_at = true);
    }

    pub(crate) fn stop(&self) {
        self.change(|waiting| waiting.batch.is_stopping = true);
    }

    pub(crate) fn quit(&self) {
        self.change(|waiting| waiting.batch.is_quitting = true);
    }

    /// What came, or what comes within this time.
    pub(crate) fn take(&self, wait: Duration) -> Batch {
        let waiting = self.lock();
        let came = self.came.wait_timeout_while(waiting, wait, |it| it.batch.is_empty());
        let (mut waiting, _) = came.unwrap_or_else(PoisonError::into_inner);
        waiting.fresh.clear();
        waiting.payloads.clear();
        waiting.payload_count = 0;
        std::mem::take(&mut waiting.batch)
    }

    /// Nobody looks any more: nothing is kept.
    pub(crate) fn close(&self) {
        *self.lock() = Waiting { is_over: true, ..Waiting::default() };
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.lock();
        if !waiting.is_over {
            change(&mut waiting);
            drop(waiting);
            self.came.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn add(&mut self, note: Note) {
        let peer = note.peer();
        match note {
            Note::Connected(_) => {
                self.fresh.insert(peer);
            }
            Note::Payload { .. } => {
                let of_peer = self.payloads.entry(peer).or_insert(0);
                if *of_peer >= PEER_PAYLOADS_MAX || self.payload_count >= PAYLOADS_MAX {
                    return;
                }
                *of_peer += 1;
                self.payload_count += 1;
            }
            Note::Disconnected { .. } if self.fresh.remove(&peer) => {
                // Nobody has heard of it yet.
                self.batch.notes.retain(|note| note.peer() != peer);
                self.batch.counts.remove(&peer);
                return;
            }
            Note::Corrupt { .. } | Note::Held { .. } | Note::Disconnected { .. } => {}
        }
        self.batch.notes.push(note);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connected(peer: u64) -> Note {
        let connection = Connection {
            peer: PeerKey(peer),
            torrent: [1; 20],
            info_hash: [1; 20],
            is_initiator: true,
            verified_bytes: 16_384,
            is_again: false,
        };
        let address = ([127, 0, 0, 1], 1).into();
        Note::Connected(Meet { connection, torrent: TorrentKey(1), address })
    }

    fn payload(peer: u64) -> Note {
        let message = PayMessage { payload: vec![0; 8], counts: PeerCounts::default() };
        Note::Payload { peer: PeerKey(peer), message }
    }

    fn hand_over(inbox: &Inbox, notes: impl IntoIterator<Item = Note>) {
        inbox.hand_over(&mut notes.into_iter().collect(), &mut Vec::new());
    }

    #[test]
    fn a_peer_that_floods_loses_what_is_too_much_and_others_lose_nothing() {
        let inbox = Inbox::default();
        hand_over(&inbox, (0..1000).map(|_| payload(1)));
        hand_over(&inbox, [payload(2)]);
        let notes = inbox.take(Duration::ZERO).notes;
        assert_eq!(notes.len(), PEER_PAYLOADS_MAX as usize + 1);
        // The next look begins anew.
        hand_over(&inbox, [payload(1)]);
        assert_eq!(inbox.take(Duration::ZERO).notes.len(), 1);
    }

    #[test]
    fn all_peers_together_have_a_limit_too() {
        let inbox = Inbox::default();
        for peer in 0..200 {
            hand_over(&inbox, (0..100).map(|_| payload(peer)));
        }
        assert_eq!(inbox.take(Duration::ZERO).notes.len(), PAYLOADS_MAX);
    }

    #[test]
    fn a_connection_that_came_and_went_leaves_nothing_and_one_that_was_known_says_so() {
        let inbox = Inbox::default();
        for peer in 0..10_000 {
            hand_over(&inbox, [connected(peer), payload(peer)]);
            hand_over(&inbox, [Note::Disconnected { peer: PeerKey(peer) }]);
        }
        assert!(inbox.take(Duration::ZERO).notes.is_empty());
        hand_over(&inbox, [connected(1)]);
        assert_eq!(inbox.take(Duration::ZERO).notes.len(), 1);
        hand_over(&inbox, [Note::Disconnected { peer: PeerKey(1) }]);
        assert_eq!(inbox.take(Duration::ZERO).notes.len(), 1);
    }

    #[test]
    fn counts_of_one_connection_replace_each_other() {
        let inbox = Inbox::default();
        for sent in 0..100 {
            let counts = PeerCounts { sent, ..PeerCounts::default() };
            inbox.hand_over(&mut Vec::new(), &mut vec![(PeerKey(1), counts)]);
        }
        let counts = inbox.take(Duration::ZERO).counts;
        assert_eq!(counts.len(), 1);
        assert_eq!(counts[&PeerKey(1)].sent, 99);
    }

    #[test]
    fn nothing_is_kept_once_nobody_looks() {
        let inbox = Inbox::default();
        inbox.close();
        hand_over(&inbox, [connected(1)]);
        inbox.call(Call::Buy(true));
        assert!(inbox.take(Duration::ZERO).is_empty());
    }
}
