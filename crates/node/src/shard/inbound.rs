//! Everything that comes from sockets: arrivals, handshakes, messages and blocks.

use super::{PRESSURE_PAUSE, Shard};
use crate::connection::{Connection, Stage};
use crate::event::{PeerVerdict, TorrentKey, What};
use crate::slots::Slots;
use crate::torrent::Torrent;
use mio::Token;
use piecework_disk::{Chunk, ChunkPool};
use piecework_mse::Encryption;
use piecework_net::{Arrival, ReceiveError, Receiver, Sink};
use piecework_swarm::{Admission, CloseReason, Hello, Input};
use piecework_types::{ChunkId, PeerSlot, Time};
use piecework_wire::{HANDSHAKE_BYTES, Handshake, HandshakeStep, Message, Request};
use std::io::{self, Read};
use std::time::Duration;

/// Time a peer has to complete its handshake.
pub(super) const HANDSHAKE_AFTER: Duration = Duration::from_secs(10);

/// Bytes read at once while a handshake is incomplete.
const HANDSHAKE_READ_BYTES: usize = 1024;

/// Chunks taken from the pool at once.
const SPARE_CHUNKS: usize = 32;

impl Shard {
    /// A stranger named one of our torrents.
    pub(super) fn arrive(&mut self, arrival: Arrival, key: TorrentKey, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let is_banned = self.shared.bans.contains(arrival.address.ip());
        if is_banned || !torrent.takes_peers() || !self.makes_room(&arrival, key, now) {
            return;
        }
        if arrival.encrypted.is_none() && self.shared.encryption == Encryption::Require {
            return self.tell_refusal(key, arrival.address);
        }
        let Some(arrival) = self.keep_waiting(arrival, key) else { return };
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let Some(permit) = self.shared.limits.peer() else { return };
        let deadline = now + HANDSHAKE_AFTER;
        let mut connection = Connection::new(arrival.stream, arrival.address, key, deadline);
        connection.permit = Some(permit);
        connection.is_outgoing = false;
        let mut answer = arrival.info_hash;
        if arrival.encrypted.is_some() {
            answer = torrent.answer_to(arrival.info_hash, &arrival.received);
            connection.is_upgraded = answer != arrival.info_hash;
        }
        let ours = torrent.handshake(answer);
        let mut cipher = None;
        if let Some(answered) = arrival.encrypted {
            connection.is_encrypted = true;
            connection.sender.message(|out| out.extend_from_slice(&answered.answer));
            cipher = connection.go_on_with(answered.ciphers);
        }
        connection.sender.message(|out| out.extend_from_slice(&ours.encode()));
        connection.stage = Stage::Handshake { received: arrival.received, cipher };
        if let Ok(id) = self.register(connection) {
            self.comings += 1;
            self.deadlines.insert((deadline, id));
            self.advance_handshake(id, now);
            match self.connections.get(id).is_some_and(|it| it.slot().is_some()) {
                // Together with what the machine has to say.
                true => self.mark_dirty(id),
                false => self.flush(id, now),
            }
        }
    }

    /// Whether a stranger may come in, if need be in place of another peer.
    fn makes_room(&mut self, arrival: &Arrival, key: TorrentKey, now: Time) -> bool {
        let Some(torrent) = self.torrents.get_mut(&key) else { return false };
        torrent.look_at_ourselves(&self.shared.external, now);
        match torrent.dialer.admission(arrival.address) {
            Admission::Welcome => true,
            Admission::Refused(reason) => {
                tracing::debug!(peer = %arrival.address, %reason, "turned a stranger away");
                *torrent.turned_away.entry(reason).or_insert(0) += 1;
                false
            }
            Admission::InsteadOf(other) => {
                let Some(id) = torrent.connection_to(other, &self.connections) else {
                    return false;
                };
                tracing::debug!(peer = %other, by = %arrival.address, "gave a peer's place away");
                self.close(id, Ending::Displaced, now);
                true
            }
        }
    }

    /// Puts the socket under the poll, where bytes that are there already are an event as well; the
    /// connection is gone if the system refuses.
    pub(super) fn register(&mut self, connection: Connection) -> io::Result<u32> {
        if connection.is_outgoing {
            drop(connection.stream.set_nodelay(true));
        }
        let id = self.connections.insert(connection);
        let connection = self.connections.get_mut(id).expect("was just inserted");
        match connection.watch(self.poll.registry(), Token(id as usize)) {
            Ok(()) => {
                if let Some(torrent) = self.torrents.get_mut(&connection.torrent) {
                    torrent.sockets += 1;
                    torrent.had_company = true;
                }
                Ok(id)
            }
            Err(error) => {
                tracing::warn!(%error, "cannot watch a socket");
                self.connections.remove(id);
                Err(error)
            }
        }
    }

    /// Reads what the socket has.
    pub(super) fn read(&mut self, id: u32, now: Time) {
        match self.connections.get(id).map(|connection| &connection.stage) {
            Some(Stage::Open(slot)) => self.read_open(id, *slot, now),
            Some(Stage::Encrypting(_) | Stage::Handshake { .. }) => self.read_handshake(id, now),
            Some(Stage::Connecting) => self.finish_connect(id, now),
            None => {}
        }
    }

    fn read_open(&mut self, id: u32, slot: PeerSlot, now: Time) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let key = connection.torrent;
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let pool = self.shared.disk.pool();
        if pool.pressure() {
            return self.stall(id, now + PRESSURE_PAUSE);
        }
        let budget = match torrent.down_budget(&self.shared.limits, now) {
            Ok(budget) => budget,
            Err(at) => return self.stall(id, at),
        };
        let limits = torrent.wire_limits;
        let mut sink = PeerSink {
            torrent,
            slot,
            now,
            arrived: &mut self.arrived,
            spare: &mut self.spare,
            pool,
        };
        let result = connection.receiver.receive(
            &connection.stream,
            &mut self.scratch,
            usize::try_from(budget).unwrap_or(usize::MAX),
            &limits,
            &mut sink,
        );
        let received = result.as_ref().map_or(0, |received| received.bytes);
        if budget < u64::MAX {
            torrent.down_unused(&self.shared.limits, budget.saturating_sub(received as u64), now);
        }
        if received > 0 && connection.receiver.is_mid_block() {
            let bytes = u32::try_from(received).unwrap_or(u32::MAX);
            torrent.swarm.handle(Input::PayloadProgress { slot, bytes }, now);
        }
        // The end of a stream is no second event if it came before the read.
        let is_ending = connection.is_ending && received > 0;
        self.touch(key);
        match result {
            Ok(received) if received.more || is_ending => self.mark_ready(id),
            Ok(_) => {}
            Err(error) => self.lost(id, &error, now),
        }
    }

    /// The connection ended or must end for what the peer did.
    pub(super) fn lost(&mut self, id: u32, error: &ReceiveError, now: Time) {
        let is_fault = matches!(error, ReceiveError::Wire(_));
        if let Some(connection) = self.connections.get(id) {
            let address = connection.address;
            tracing::debug!(peer = %address, %error, "connection ended");
            // Strangers that speak something else are no news.
            if is_fault && connection.slot().is_some() {
                let verdict = PeerVerdict { address, is_ban: false, reason: error.to_string() };
                self.tell(connection.torrent, What::Peer(verdict));
            }
        }
        self.close(id, Ending::Lost { is_fault }, now);
    }

    fn read_handshake(&mut self, id: u32, now: Time) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let mut buffer = [0; HANDSHAKE_READ_BYTES];
        let got = match (&connection.stream).read(&mut buffer) {
            Ok(0) => return self.lost(id, &ReceiveError::Closed, now),
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return self.lost(id, &error.into(), now),
        };
        if let Err(fault) = connection.take_handshake(&mut buffer[..got]) {
            return self.lost(id, &fault.into(), now);
        }
        self.mark_ready(id);
        self.flush(id, now);
        self.advance_handshake(id, now);
    }

    /// Opens the connection once the peer's handshake is whole.
    pub(super) fn advance_handshake(&mut self, id: u32, now: Time) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let Stage::Handshake { received, cipher } = &mut connection.stage else { return };
        let theirs = match Handshake::decode(received) {
            Ok(HandshakeStep::Complete(handshake)) => handshake,
            Ok(HandshakeStep::Incomplete { .. } | HandshakeStep::InfoHash { .. }) => return,
            Err(fault) => return self.lost(id, &fault.into(), now),
        };
        let (leftover, cipher) = (received.split_off(HANDSHAKE_BYTES), cipher.take());
        let key = connection.torrent;
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if !torrent.info_hashes.iter().any(|ours| ours == theirs.info_hash) {
            return self.close(id, Ending::Lost { is_fault: true }, now);
        }
        let slot = torrent.open(id);
        torrent.encrypted += u32::from(connection.is_encrypted);
        self.deadlines.remove(&(connection.deadline, id));
        connection.stage = Stage::Open(slot);
        connection.opened_at = now;
        connection.half_open = None;
        connection.called_as = (!connection.is_outgoing).then_some(theirs.info_hash);
        // Behind an encrypted handshake libtorrent takes BEP 52 at its word: only the names decide.
        let knows_v2 = match connection.is_encrypted {
            true => connection.is_upgraded,
            false => theirs.reserved.has_v2(),
        };
        let hello = Hello {
            address: connection.address,
            peer_id: theirs.peer_id,
            outgoing: connection.is_outgoing,
            fast: theirs.reserved.has_fast(),
            extended: theirs.reserved.has_extended(),
            dht: theirs.reserved.has_dht(),
            v2: torrent.is_v2_hash(theirs.info_hash) || knows_v2,
        };
        tracing::debug!(peer = %connection.address, outgoing = connection.is_outgoing, "met a peer");
        torrent.dialer_connected(connection.address, connection.is_outgoing, now);
        torrent.swarm.handle(Input::Connected { slot, hello }, now);
        if let Some(bytes) = connection.room() {
            torrent.swarm.handle(Input::Room { slot, bytes }, now);
        }
        connection.receiver = Receiver::with_leftover(leftover, cipher);
        let limits = torrent.wire_limits;
        let mut sink = PeerSink {
            torrent,
            slot,
            now,
            arrived: &mut self.arrived,
            spare: &mut self.spare,
            pool: self.shared.disk.pool(),
        };
        let replayed = connection.receiver.replay(&limits, &mut sink);
        self.touch(key);
        if let Err(error) = replayed {
            self.lost(id, &error, now);
        }
    }

    /// Reads no more of this connection until then.
    fn stall(&mut self, id: u32, until: Time) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if !std::mem::replace(&mut connection.is_stalled, true) {
            self.stalled.push(id);
        }
        self.stalled_until = self.stalled_until.min(until);
    }

    /// Lets stalled connections go on once there is memory and credit.
    pub(super) fn unstall(&mut self, now: Time) {
        if self.stalled.is_empty() || self.stalled_until > now {
            return;
        }
        if self.shared.disk.pool().pressure() {
            self.stalled_until = now + PRESSURE_PAUSE;
            return;
        }
        self.stalled_until = Time::NEVER;
        for id in std::mem::take(&mut self.stalled) {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.is_stalled = false;
            }
            self.mark_ready(id);
        }
    }

    /// Drops connections whose handshake is overdue.
    pub(super) fn expire(&mut self, now: Time) {
        while let Some(&(at, id)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.pop_first();
            self.close(id, Ending::Lost { is_fault: false }, now);
        }
    }

    /// Forgets a connection and tells the machines, unless the torrent's machine said so itself. Closing its
    /// socket takes it out of the poll as well.
    pub(super) fn close(&mut self, id: u32, ending: Ending, now: Time) {
        let Some(mut connection) = self.connections.remove(id) else { return };
        self.comings += usize::from(!connection.is_outgoing);
        self.deadlines.remove(&(connection.deadline, id));
        if connection.is_stalled {
            self.stalled.retain(|&stalled| stalled != id);
        }
        let key = connection.torrent;
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.sockets = torrent.sockets.saturating_sub(1);
        if self.greet_otherwise(&mut connection, now) {
            return;
        }
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if let Some(slot) = connection.slot() {
            let counts = torrent.swarm.counts(slot);
            torrent.closed(slot);
            torrent.encrypted = torrent.encrypted.saturating_sub(connection.is_encrypted.into());
            if !matches!(ending, Ending::ByMachine { .. }) {
                torrent.swarm.handle(Input::Disconnected { slot }, now);
            }
            if let Some(line) = connection.pay.take() {
                self.end_pay(id, &line, counts);
            }
        }
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.dialer_closed(&connection, ending, now);
        self.touch(key);
    }
}

impl Shard {
    /// Closes every connection of the shard.
    pub(super) fn cut_off(&mut self, now: Time) {
        let all: Vec<u32> = self.connections.iter().map(|(id, _)| id).collect();
        for id in all {
            self.close(id, Ending::Lost { is_fault: false }, now);
        }
        self.cut_off_web_seeds(now);
    }
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// The other side, the network or the protocol ended it.
    Lost { is_fault: bool },
    /// A peer of higher priority gets its place.
    Displaced,
    /// The torrent's machine asked for it.
    ByMachine { is_ban: bool, reason: CloseReason },
}

/// Carries what one peer sends into its torrent's machine.
struct PeerSink<'a> {
    torrent: &'a mut Torrent,
    slot: PeerSlot,
    now: Time,
    arrived: &'a mut Slots<Chunk>,
    spare: &'a mut Vec<Chunk>,
    pool: &'a ChunkPool,
}

impl Sink for PeerSink<'_> {
    type Chunk = Chunk;

    fn message(&mut self, message: Message) -> bool {
        // Step 1, for a message.
        self.torrent.swarm.handle(Input::Received { slot: self.slot, message }, self.now);
        true
    }

    fn accept(&mut self, request: Request) -> Option<Chunk> {
        if !self.torrent.swarm.is_wanted(self.slot, request) {
            return None;
        }
        if self.spare.is_empty() {
            self.pool.take(SPARE_CHUNKS, self.spare);
        }
        self.spare.pop()
    }

    fn block(&mut self, request: Request, chunk: Chunk) -> bool {
        let chunk = ChunkId(self.arrived.insert(chunk));
        // Step 1, for payload: the machine hears of a number, never of the bytes.
        self.torrent
            .swarm
            .handle(Input::BlockArrived { slot: self.slot, request, chunk }, self.now);
        true
    }
}
