//! One torrent of a shard: its machines side by side, and the store they decide about.
//!
//! It may not hold: sockets, a clock, open files, statistics of its own, prices.

mod control;
mod figures;
mod rest;

use crate::announce::Announcer;
use crate::config::{AddTorrent, Playback};
use crate::connection::Connection;
use crate::dht::Standing;
use crate::engine::Shared;
use crate::event::{Phase, TorrentKey};
use crate::external::External;
use crate::figures::StatusCell;
use crate::greetings::Greetings;
use crate::limits::{NodeLimits, Quota, Rate};
use crate::setup::{Prepared, Resting};
use crate::shard::Ending;
use crate::slots::Slots;
use crate::web_seeds::WebSeeds;
use piecework_disk::{Chunk, PieceStore, ResumeLock, Totals};
use piecework_metainfo::{Info, PieceLayers};
use piecework_mse::Encryption;
use piecework_net::{Arrival, ReadToken};
use piecework_swarm::{
    CloseReason, Config, Dialer, DialerConfig, DialerInput, Input, Part, Refusal, Source as Gossip,
    StreamWindow, Swarm,
};
use piecework_types::{Block, InfoHash, InfoHashes, PeerId, PeerSlot, PieceIndex, Rng, Time};
use piecework_wire::{Handshake, HandshakeStep, Limits, Reserved};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) use rest::Rest;

/// Bytes below which a limited connection is not read: a system call should be worth it.
const READ_BYTES_MIN: u64 = 16 * 1024;

/// Bytes a limited connection may take at once.
const READ_BYTES_MAX: u64 = 256 * 1024;

/// A torrent on its way to its shard.
pub(crate) struct NewTorrent {
    pub(crate) key: TorrentKey,
    pub(crate) info_hashes: InfoHashes,
    /// Its trackers, by tier.
    pub(crate) tiers: Vec<Vec<String>>,
    pub(crate) web_seeds: WebSeeds,
    pub(crate) spec: AddTorrent,
    /// Absent for a magnet link, and for a torrent that rests from the start.
    pub(crate) content: Option<Prepared>,
    pub(crate) resting: Option<Resting>,
    /// What an earlier run got for this magnet link.
    pub(crate) metadata: Option<Vec<u8>>,
    pub(crate) status: StatusCell,
}

/// Blocks that a worker reads, and what for.
pub(crate) enum LateRead {
    /// To be sent on this connection.
    Send { connection: u32, blocks: Vec<Block> },
    /// To show who sent a bad block of this piece.
    Digests { piece: PieceIndex },
}

pub(crate) struct Torrent {
    pub(crate) info_hashes: InfoHashes,
    pub(crate) spec: Arc<AddTorrent>,
    /// Where a reader plays.
    playback: Option<Playback>,
    pub(crate) swarm: Swarm,
    pub(crate) dialer: Dialer,
    pub(crate) announcer: Announcer,
    pub(crate) content: Option<Box<Prepared>>,
    pub(crate) store: Option<PieceStore>,
    /// A thread prepares the content.
    pub(crate) preparing: Option<Arc<()>>,
    pub(crate) status: StatusCell,
    pub(crate) phase: Phase,
    pub(crate) wire_limits: Limits,
    pub(crate) is_touched: bool,
    /// More outputs than one turn may take: call again at once.
    pub(crate) is_busy: bool,
    /// What stands in the shard's timers for this torrent.
    pub(crate) timer: Time,
    /// When the node's connect limit allows another try.
    pub(crate) dial_at: Time,
    /// When figures are published and resume data is looked at.
    pub(crate) chores_at: Time,
    pub(crate) stop_by: Time,
    /// `Done` is told when the resume data contains everything.
    pub(crate) done_is_due: bool,
    /// Saves asked for and not answered.
    pub(crate) saves_due: u32,
    /// Traffic of earlier runs.
    pub(crate) totals: Totals,
    /// Bytes of the wanted pieces.
    pub(crate) wanted_bytes: u64,
    /// Pieces checked and to check, while checking.
    pub(crate) checked: (u32, u32),
    /// A v2 torrent whose piece layers are all that is wanted of it.
    pub(crate) wanted_layers: Option<(Arc<Info>, PieceLayers)>,
    pub(crate) late_reads: BTreeMap<u64, LateRead>,
    /// Bytes the machine waits for; it then stands in the shard's line for the upload limits.
    pub(crate) quota: Quota,
    /// When resume data that could not be saved is tried again before `Done` is told.
    pub(crate) save_at: Time,
    pub(crate) rest: Rest,
    /// When it may lie down, if nobody comes.
    pub(crate) rest_at: Time,
    /// It woke complete: that the machine says so is no news.
    pub(crate) is_known_complete: bool,
    /// It is to wake as soon as it sleeps.
    pub(crate) wakes_at_once: bool,
    /// Checks that were started and have not said that they ended.
    pub(crate) checks_due: u32,
    /// Everything is to be hashed again as soon as it is loaded.
    pub(crate) is_recheck_due: bool,
    /// Everything is being hashed because that was asked for.
    pub(crate) is_rechecking: bool,
    /// Why it could not wake the last time.
    pub(crate) trouble: Option<String>,
    /// Strangers that came while it slept.
    pub(crate) waiting: Vec<Arrival>,
    /// The right to work on it, held from the first look at its files to its end.
    pub(crate) lock: Option<ResumeLock>,
    /// Sockets of its peers, unfinished handshakes included.
    pub(crate) sockets: u32,
    /// Peers whose handshake was encrypted.
    pub(crate) encrypted: u32,
    pub(crate) greetings: Greetings,
    pub(crate) web_seeds: WebSeeds,
    /// There were any since it was added or lay down last.
    pub(crate) had_company: bool,
    /// Payload moved in this run before its last sleep.
    moved: Totals,
    /// Payload received for nothing in this run before its last sleep, bytes.
    wasted_bytes: u64,
    /// Bytes that were missing when it lay down.
    left_asleep: u64,
    /// Strangers that were not let in.
    pub(crate) turned_away: BTreeMap<Refusal, u64>,
    /// The version of our own address that the dialer knows.
    external_seen: u64,
    /// What the DHT was told of it, if it takes part there.
    pub(crate) stood: Option<Standing>,
    /// Peers are told that we speak of payments.
    carries_pay: bool,
    is_private: bool,
    peer_id: PeerId,
    /// Connection of each peer slot.
    peers: Slots<u32>,
    next_read: u64,
    up: Rate,
    down: Arc<Rate>,
}

impl Torrent {
    pub(crate) fn new(new: NewTorrent, shared: &Shared, now: Time) -> Self {
        let NewTorrent { info_hashes, tiers, web_seeds, spec, content, resting, status, .. } = new;
        let mut rng = Rng::new(shared.random());
        let peer_id = shared.peer_id();
        let is_private = content.as_ref().is_some_and(|content| content.info.is_private());
        let config = machine_config(shared, info_hashes, peer_id, is_private);
        let mut torrent = Self {
            announcer: Announcer::new(&info_hashes, &tiers, &mut rng),
            swarm: Swarm::new(config, now),
            dialer: dialer(shared, Rng::new(rng.next_u64()), now),
            turned_away: BTreeMap::new(),
            external_seen: 0,
            up: Rate::new(spec.up_limit, now),
            down: Arc::new(Rate::new(spec.down_limit, now)),
            web_seeds,
            info_hashes,
            spec: Arc::new(spec),
            content: content.map(Box::new),
            store: None,
            preparing: None,
            playback: None,
            status,
            phase: Phase::Metadata,
            wire_limits: Limits::default(),
            is_touched: false,
            is_busy: false,
            timer: Time::NEVER,
            dial_at: Time::NEVER,
            chores_at: now,
            stop_by: Time::NEVER,
            done_is_due: false,
            saves_due: 0,
            totals: Totals::default(),
            wanted_bytes: 0,
            checked: (0, 0),
            wanted_layers: None,
            late_reads: BTreeMap::new(),
            rest: Rest::Awake,
            rest_at: Time::NEVER,
            is_known_complete: false,
            wakes_at_once: false,
            is_recheck_due: false,
            is_rechecking: false,
            checks_due: 0,
            trouble: None,
            waiting: Vec::new(),
            lock: None,
            sockets: 0,
            encrypted: 0,
            greetings: Greetings::default(),
            had_company: false,
            moved: Totals::default(),
            wasted_bytes: 0,
            left_asleep: 0,
            stood: None,
            carries_pay: false,
            is_private,
            peer_id,
            peers: Slots::default(),
            next_read: 0,
            quota: Quota::default(),
            save_at: Time::NEVER,
        };
        torrent.prepare_machines(shared, now);
        if let Some(resting) = resting {
            torrent.begin_asleep(resting, now);
        }
        torrent.learn(torrent.spec.peers.clone(), Gossip::Given, now);
        torrent
    }

    fn prepare_machines(&mut self, shared: &Shared, now: Time) {
        self.look_at_limits(&shared.limits, now);
        if self.spec.is_sequential {
            self.swarm.handle(Input::Sequential(true), now);
        }
        if self.spec.is_super_seed {
            self.swarm.handle(Input::SuperSeed(true), now);
        }
        if self.carries_pay {
            self.swarm.handle(Input::CarryPay(true), now);
        }
    }

    /// Payments are spoken of from now on, or no longer.
    pub(crate) fn carry_pay(&mut self, carries: bool, now: Time) {
        self.carries_pay = carries;
        self.swarm.handle(Input::CarryPay(carries), now);
    }

    /// Length of its pieces, once it is known.
    pub(crate) fn piece_bytes(&self) -> Option<u32> {
        Some(self.content.as_ref()?.info.grid().piece_length())
    }

    /// A reader plays from here, or has ended.
    pub(crate) fn play(&mut self, playback: Option<Playback>, now: Time) {
        self.playback = playback;
        self.stream(now);
    }

    /// Tells the machine where the reader is, once the files are known.
    pub(crate) fn stream(&mut self, now: Time) {
        let Some(content) = &self.content else { return };
        let window = self.playback.and_then(|Playback { file, offset, rate_bytes }| {
            let extent = content.info.layout().extents().get(file)?;
            let position = extent.offset + offset.min(extent.length);
            Some(StreamWindow { position, bitrate_bytes: rate_bytes })
        });
        self.swarm.handle(Input::Stream(window), now);
    }

    /// Only its trackers may name its peers (BEP 27).
    pub(crate) fn is_private(&self) -> bool {
        self.is_private || self.content.as_ref().is_some_and(|content| content.info.is_private())
    }

    /// What we say first on a connection that was opened for this info-hash.
    pub(crate) fn handshake(&self, info_hash: InfoHash) -> Handshake {
        let reserved = match self.info_hashes.v2 {
            Some(_) => Reserved::ours().with_v2(),
            None => Reserved::ours(),
        };
        let reserved = if self.stood.is_some() { reserved.with_dht() } else { reserved };
        Handshake { reserved, info_hash, peer_id: self.peer_id }
    }

    /// The name to answer a caller with: the v2 one of a hybrid torrent if the caller knows v2, which
    /// makes the connection a v2 one (BEP 52). Who is not told so takes a hash request for a fault.
    pub(crate) fn answer_to(&self, info_hash: InfoHash, received: &[u8]) -> InfoHash {
        let reserved = match Handshake::decode(received) {
            Ok(HandshakeStep::InfoHash { reserved, .. }) => reserved,
            Ok(HandshakeStep::Complete(theirs)) => theirs.reserved,
            Ok(HandshakeStep::Incomplete { .. }) | Err(_) => Reserved::default(),
        };
        let v2 = self.info_hashes.iter().find(|&name| self.is_v2_hash(name));
        v2.filter(|_| reserved.has_v2()).unwrap_or(info_hash)
    }

    pub(crate) fn is_v2_hash(&self, info_hash: InfoHash) -> bool {
        self.info_hashes
            .iter()
            .skip(usize::from(self.info_hashes.v1.is_some()))
            .any(|v2| v2 == info_hash)
    }

    /// Whether strangers are welcome now.
    pub(crate) fn takes_peers(&self) -> bool {
        match self.phase {
            Phase::Metadata | Phase::Active => true,
            Phase::Checking | Phase::Stopping => false,
        }
    }

    /// Gives a peer whose handshake is done its slot.
    pub(crate) fn open(&mut self, connection: u32) -> PeerSlot {
        PeerSlot(self.peers.insert(connection))
    }

    pub(crate) fn closed(&mut self, slot: PeerSlot) {
        self.peers.remove(slot.0);
    }

    pub(crate) fn connection(&self, slot: PeerSlot) -> Option<u32> {
        self.peers.get(slot.0).copied()
    }

    pub(crate) fn dialer_connected(&mut self, address: SocketAddr, is_outgoing: bool, now: Time) {
        let input = match is_outgoing {
            true => DialerInput::Connected { address },
            false => DialerInput::Accepted { address },
        };
        self.dialer.handle(input, now);
    }

    /// Tells the dialer how a connection ended.
    pub(crate) fn dialer_closed(&mut self, connection: &Connection, ending: Ending, now: Time) {
        let address = connection.address;
        let was_open = connection.slot().is_some();
        let input = match ending {
            Ending::Lost { .. } if !was_open && connection.is_outgoing => {
                DialerInput::Failed { address }
            }
            // A stranger that never became a peer is unknown to the dialer.
            Ending::Lost { .. } if !was_open => return,
            Ending::Lost { is_fault: true } => {
                DialerInput::Closed { address, reason: CloseReason::Fault }
            }
            Ending::Lost { is_fault: false } => {
                DialerInput::Closed { address, reason: CloseReason::Lost }
            }
            // Only peers are displaced.
            Ending::Displaced => DialerInput::Closed { address, reason: CloseReason::Displaced },
            Ending::ByMachine { reason, .. } => DialerInput::Closed { address, reason },
        };
        self.dialer.handle(input, now);
        if matches!(ending, Ending::ByMachine { is_ban: true, .. }) {
            self.dialer.handle(DialerInput::Banned { address }, now);
        }
    }

    /// Tells the dialer where the world sees us, if that has changed.
    pub(crate) fn look_at_ourselves(&mut self, external: &External, now: Time) {
        for address in external.news(&mut self.external_seen) {
            self.dialer.handle(DialerInput::External(address), now);
        }
    }

    /// The connection to this peer.
    pub(crate) fn connection_to(
        &self,
        address: SocketAddr,
        connections: &Slots<Connection>,
    ) -> Option<u32> {
        let is_it = |id: &u32| {
            let connection = connections.get(*id);
            connection.is_some_and(|it| it.remote() == address)
        };
        self.peers.iter().map(|(_, id)| *id).find(is_it)
    }

    pub(crate) fn wants_to_dial(&mut self, now: Time) -> bool {
        self.dialer.handle(DialerInput::Timeout, now);
        self.is_prepared() && self.takes_peers() && self.dialer.wanted() > 0
    }

    pub(crate) fn learn(
        &mut self,
        addresses: impl IntoIterator<Item = SocketAddr>,
        source: Gossip,
        now: Time,
    ) {
        for address in addresses {
            if let Err(reason) = self.dialer.check(address, source) {
                tracing::debug!(%address, ?source, %reason, "will not dial");
            }
            self.dialer.handle(DialerInput::Learned { address, source }, now);
        }
    }

    pub(crate) fn store(&mut self, block: Block, chunk: Chunk) {
        if let Some(store) = &mut self.store {
            store.accept(block, chunk, self.swarm.is_hurried());
        }
    }

    /// Asks for resume data to be written; `is_final` when nothing else will be.
    pub(crate) fn save(&mut self, is_final: bool) {
        let Some(store) = &mut self.store else { return };
        let view = self.swarm.view();
        store.set_totals(Totals {
            uploaded: self.totals.uploaded + view.up_bytes,
            downloaded: self.totals.downloaded + view.down_bytes,
        });
        if is_final {
            store.flush(true);
        }
        store.save_resume(is_final);
        self.saves_due += 1;
    }

    /// Remembers a read that a worker makes for a connection.
    pub(crate) fn read_later(&mut self, connection: u32, blocks: &[Block]) -> ReadToken {
        self.start_read(LateRead::Send { connection, blocks: blocks.to_vec() }, blocks)
    }

    /// Lets a worker read a verified piece whose blocks are to be compared.
    pub(crate) fn read_for_digests(&mut self, piece: PieceIndex) {
        let Some(content) = &self.content else { return };
        let blocks: Vec<Block> = content.info.grid().blocks(piece).collect();
        self.start_read(LateRead::Digests { piece }, &blocks);
    }

    fn start_read(&mut self, read: LateRead, blocks: &[Block]) -> ReadToken {
        self.next_read += 1;
        self.late_reads.insert(self.next_read, read);
        if let Some(store) = &self.store {
            store.read_later(self.next_read, blocks);
        }
        ReadToken(self.next_read)
    }

    /// Bytes that may be read from a socket now, or when to try again.
    pub(crate) fn down_budget(&self, limits: &NodeLimits, now: Time) -> Result<u64, Time> {
        if !self.down.is_limited() && !limits.down.is_limited() {
            return Ok(u64::MAX);
        }
        let own = self.down.take(READ_BYTES_MAX, READ_BYTES_MIN, now)?;
        match limits.down.take(own, READ_BYTES_MIN, now) {
            Ok(granted) => {
                self.down.give_back(own - granted, now);
                Ok(granted)
            }
            Err(at) => {
                self.down.give_back(own, now);
                Err(at)
            }
        }
    }

    /// The torrent's own limit, for those who receive elsewhere.
    pub(crate) fn down_limit(&self) -> Arc<Rate> {
        Arc::clone(&self.down)
    }

    /// Returns what a read did not use of its budget.
    pub(crate) fn down_unused(&self, limits: &NodeLimits, unused: u64, now: Time) {
        self.down.give_back(unused, now);
        limits.down.give_back(unused, now);
    }

    /// Grants the machine what the limits allow now of the bytes it waits for. An error says when the
    /// rest may pass: the machine counts on all that it asked for.
    pub(crate) fn grant_upload(&mut self, limits: &NodeLimits, now: Time) -> Result<(), Time> {
        let waits = Part::ALL.map(|part| self.grant_part(part, limits, now).err());
        waits.into_iter().flatten().min().map_or(Ok(()), Err)
    }

    fn grant_part(&mut self, part: Part, limits: &NodeLimits, now: Time) -> Result<(), Time> {
        while let Some(bytes) = self.quota.of(part).filter(|_| self.phase != Phase::Stopping) {
            // At least a block with its header, or nothing can be sent with it.
            let least = bytes.min(u64::from(piecework_types::BLOCK_BYTES) + 13);
            if part == Part::Spare && self.up.is_limited() {
                // Of its own limit it has none to spare.
                return Err(Time::NEVER);
            }
            let own = self.up.take(bytes, least, now)?;
            let granted = limits.up.take_of(part, own, least, now);
            self.up.give_back(own - granted.unwrap_or(0), now);
            let granted = granted?;
            self.quota.set(part, (granted < bytes).then(|| bytes - granted));
            self.swarm.handle(Input::UploadQuota { part, bytes: granted }, now);
        }
        Ok(())
    }

    /// When the shard has to look at this torrent again without any event.
    pub(crate) fn next_call(&self) -> Time {
        if self.is_busy {
            return Time::ZERO;
        }
        let machine = self.swarm.poll_timeout().map_or(Time::NEVER, |(at, _)| at);
        let dialer = self.dialer.poll_timeout().unwrap_or(Time::NEVER);
        [
            machine,
            dialer,
            self.dial_at,
            self.save_at,
            self.rest_at,
            self.chores_at,
            self.stop_by,
            self.announcer.poll_timeout(),
        ]
        .into_iter()
        .min()
        .unwrap_or(Time::NEVER)
    }
}

fn dialer(shared: &Shared, rng: Rng, now: Time) -> Dialer {
    let config = DialerConfig { policy: shared.gossip, ..DialerConfig::default() };
    Dialer::filtered(config, Arc::clone(&shared.ip_filter), rng, now)
}

fn machine_config(
    shared: &Shared,
    info_hashes: InfoHashes,
    our_id: PeerId,
    is_private: bool,
) -> Config {
    Config {
        info_hashes,
        seed: shared.random(),
        our_id,
        is_private,
        exchanges_peers: shared.exchanges_peers,
        listen_port: Some(shared.external.port()),
        prefers_encryption: shared.encryption != Encryption::Off,
        dht_port: shared.dht().map(|dht| dht.port),
        ..Config::default()
    }
}
