//! The torrent machine: the parts, and which of them an input concerns.
//!
//! Owns nothing but the composition. Invariants: outputs for one peer leave in the order in which they
//! must reach it; each chunk that comes in goes out once; what a part decides is carried out at once,
//! so that no two parts disagree after `handle`. The behaviour stands in the modules below, one
//! subject each. It must not know sockets, clocks, files, payload, or anything about money.

use crate::choker::{Choker, ChokerInput};
use crate::config::Config;
use crate::drop_reason::DropReason;
use crate::hashes::HashExchange;
use crate::machine::{Input, Output, Reason};
use crate::metadata::MetadataExchange;
use crate::peer::{Peer, Peers};
use crate::picker::{Origin, Picker, StreamWindow};
use crate::rate::Meter;
use crate::smart_ban::SmartBan;
use crate::super_seed::SuperSeed;
use crate::uplink::{Uplink, UplinkConfig};
use crate::view::{PeerView, PieceState, View};
use crate::web_fault::WebSeedEnd;
use crate::web_seeds::{FetchId, WebSeedId, WebSeeds};
use piecework_types::{BLOCK_BYTES, Bitfield, PeerSlot, PieceIndex, Rng, Time};
use piecework_wire::extension::Extension;
use piecework_wire::{Message, Request};
use std::collections::VecDeque;

mod answer;
mod consistency;
mod content;
mod download;
mod extensions;
mod gossip;
mod holdings;
mod join;
mod outcome;
mod pay;
mod reader;
mod receive;
mod tick;
mod upload;
mod web;

pub(crate) use answer::Question;
pub use pay::{PayMessage, PeerCounts};

/// Outputs whose memory is kept for the next ones: a flood must not leave its traces.
const OUTPUTS_KEPT_MAX: usize = 8192;

/// One torrent's protocol and policy. See the crate documentation for the run loop.
#[derive(Debug)]
pub struct Swarm {
    config: Config,
    now: Time,
    rng: Rng,
    outputs: VecDeque<Output>,

    peers: Peers,
    next_origin: u32,
    /// Memory for what peers claimed before the metadata was known.
    early_bytes: usize,
    /// Oldest first.
    departed: VecDeque<join::Departed>,

    /// What to ask; absent until the metadata is known.
    picker: Option<Box<Picker>>,
    /// Stands in for the picker's until then.
    no_pieces: Bitfield,
    choker: Choker,
    uplink: Uplink,
    metadata: MetadataExchange,
    hashes: Option<Box<HashExchange>>,
    smart_ban: SmartBan,
    super_seed: Option<SuperSeed>,
    web_seeds: WebSeeds,

    is_private: bool,
    is_complete: bool,
    is_storage_writable: bool,
    is_sequential: bool,
    /// Pieces that go before all others.
    first: Vec<PieceIndex>,
    stream: Option<StreamWindow>,
    /// Requests stand in a reader's way that are to be taken back at the next tick.
    is_way_barred: bool,
    is_end_game: bool,
    is_super_seed_wanted: bool,

    /// Peers that may have room for requests.
    to_ask: Vec<PeerSlot>,
    /// Blocks asked of all peers.
    asked_count: u64,
    /// Peers that may owe blocks that others are asked for too.
    snubbed_peers: usize,
    /// Peers that pieces are bought whole of.
    sole_peers: usize,
    /// Fast peers at the last tick, to share out the pieces side by side.
    fast_peers: usize,

    down: Meter,
    up: Meter,
    wasted_bytes: u64,
    next_tick: Time,
    /// The best upload rate of late, which stands for the link's capacity; 0 until it is measured.
    link_rate: u64,
    /// Ticks in a row at which blocks waited for room.
    waited_ticks: u32,
}

impl Swarm {
    /// A machine without peers that waits for metadata.
    pub fn new(config: Config, now: Time) -> Self {
        let mut rng = Rng::new(config.seed);
        let uplink = UplinkConfig { queue_max: config.reqq as usize, ..config.uplink.clone() };
        Self {
            choker: Choker::new(config.choker, Rng::new(rng.next_u64()), now),
            uplink: Uplink::new(&uplink),
            metadata: MetadataExchange::new(config.info_hashes),
            is_private: config.is_private,
            config,
            now,
            rng,
            outputs: VecDeque::new(),
            peers: Peers::default(),
            next_origin: 0,
            early_bytes: 0,
            departed: VecDeque::new(),
            picker: None,
            no_pieces: Bitfield::new(0),
            hashes: None,
            smart_ban: SmartBan::default(),
            super_seed: None,
            web_seeds: WebSeeds::default(),
            is_complete: false,
            is_storage_writable: true,
            is_sequential: false,
            first: Vec::new(),
            stream: None,
            is_way_barred: false,
            is_end_game: false,
            is_super_seed_wanted: false,
            to_ask: Vec::new(),
            asked_count: 0,
            snubbed_peers: 0,
            sole_peers: 0,
            fast_peers: 0,
            down: Meter::default(),
            up: Meter::default(),
            wasted_bytes: 0,
            next_tick: Time::NEVER,
            link_rate: 0,
            waited_ticks: 0,
        }
    }

    /// Takes an event. Events of slots that are not connected are ignored.
    pub fn handle(&mut self, input: Input, now: Time) {
        self.now = self.now.max(now);
        match input {
            Input::Connected { slot, hello } => self.connected(slot, hello),
            Input::Disconnected { slot } => self.disconnected(slot),
            Input::Received { slot, message } => self.received(slot, message),
            Input::BlockArrived { slot, request, chunk } => {
                self.block_arrived(slot, request, chunk);
            }
            Input::PayloadProgress { slot, bytes } => {
                if let Some(peer) = self.peers.get_mut(slot) {
                    peer.requests.progressed(bytes, self.now);
                    peer.received_at = self.now;
                }
            }
            Input::Room { slot, bytes } => {
                self.uplink.set_room(slot, bytes);
                self.answers_left(slot);
            }
            Input::WebSeedAdded { seed } => self.web_seed_added(seed),
            Input::WebBlockArrived { fetch, block, chunk } => {
                self.web_block_arrived(fetch, block, chunk);
            }
            Input::FetchFailed { fetch, fault } => self.fetch_failed(fetch, fault),
            Input::PieceVerified { piece } => self.piece_verified(piece),
            Input::PieceFailed { piece, block_digests } => {
                self.piece_failed(piece, &block_digests);
            }
            Input::PieceDigests { piece, block_digests } => {
                self.piece_digests(piece, &block_digests);
            }
            Input::PieceLost { piece } => self.piece_lost(piece),
            Input::ContentReady(content) => self.content_ready(content),
            Input::MetadataRejected => {
                self.metadata.refused(self.now);
            }
            Input::StorageWritable(writable) => self.storage_writable(writable),
            Input::UploadQuota { part, bytes } => self.uplink.grant(part, bytes),
            Input::UploadLimited(limited) => self.uplink.set_limited(limited),
            Input::Reserve { slot, reserve } => self.reserve(slot, reserve),
            Input::SendPay { slot, payload } => {
                self.send_extension(slot, Extension::Pay, payload);
            }
            Input::CarryPay(carries) => self.carry_pay(carries),
            Input::Sole { slot, is_sole } => self.set_sole(slot, is_sole),
            Input::Prioritise(priorities) => self.prioritise(&priorities),
            Input::Sequential(sequential) => {
                self.is_sequential = sequential;
                self.picker.iter_mut().for_each(|picker| picker.set_sequential(sequential));
            }
            Input::AskFirst(pieces) => {
                self.picker.iter_mut().for_each(|picker| picker.set_first(&pieces));
                self.first = pieces;
            }
            Input::Stream(window) => self.read_from(window),
            Input::SuperSeed(wanted) => self.set_super_seed(wanted),
            Input::Timeout => self.timeout(),
        }
    }

    /// The next thing to do, or `None` when everything is said.
    pub fn poll(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            if self.outputs.capacity() > OUTPUTS_KEPT_MAX {
                self.outputs = VecDeque::new();
            }
            if let Some(decision) = self.choker.poll() {
                self.carry_out(decision);
            } else if let Some(slot) = self.to_ask.pop() {
                self.ask(slot);
            } else if self.ask_web_seed() {
                // Its fetch is the next output.
            } else {
                return self.next_block().or_else(|| self.next_quota());
            }
        }
    }

    /// When to handle [`Input::Timeout`], and why. `None`: nothing will happen by itself.
    pub fn poll_timeout(&self) -> Option<(Time, Reason)> {
        let choke = self.choker.poll_timeout().map(|at| (at, Reason::Choke));
        let tick = (self.next_tick != Time::NEVER).then(|| (self.next_tick, self.tick_reason()));
        let reserved = self.uplink.reserved_at();
        let reserved =
            (reserved > self.now && reserved != Time::NEVER).then_some((reserved, Reason::Reserve));
        choke.into_iter().chain(tick).chain(reserved).min()
    }

    /// Whether a block that comes from this peer was asked of it.
    pub fn is_wanted(&self, slot: PeerSlot, request: Request) -> bool {
        self.peers.get(slot).is_some_and(|peer| peer.requests.contains(request))
    }

    /// Whether a piece should be hashed as soon as its last block is there, though others could be
    /// hashed along with it: at the start, at the end, while somebody watches, or when nothing else
    /// is on its way.
    pub fn is_hurried(&self) -> bool {
        let Some(picker) = &self.picker else { return true };
        (self.asked_count == 0 && self.web_seeds.is_idle()) || picker.is_hurried()
    }

    /// Whether something is wanted that web seeds may still give.
    pub fn waits_for_web_seeds(&self) -> bool {
        !self.web_seeds.is_empty() && self.picker.is_some() && !self.is_complete
    }

    /// The web seed that owes this fetch.
    pub fn web_seed_of(&self, fetch: FetchId) -> Option<WebSeedId> {
        self.web_seeds.owner(fetch)
    }

    /// Figures of the torrent.
    pub fn view(&self) -> View<'_> {
        let picker = self.picker.as_deref();
        View {
            have: picker.map_or(&self.no_pieces, Picker::have),
            has_content: picker.is_some(),
            is_complete: self.is_complete,
            peer_count: self.peers.len(),
            web_seed_count: self.web_seeds.len(),
            seed_count: self.peers.iter().filter(|(_, peer)| peer.is_seed()).count(),
            unchoked_count: self.peers.iter().filter(|(_, peer)| !peer.am_choking).count(),
            down_rate_bytes: self.down.rate(self.now),
            up_rate_bytes: self.up.rate(self.now),
            down_bytes: self.down.total(),
            up_bytes: self.up.total(),
            wasted_bytes: self.wasted_bytes,
            left_bytes: picker.map_or(0, Picker::left_bytes),
            missing_bytes: picker.map_or(0, Picker::missing_bytes),
        }
    }

    /// Copies of the torrent that the connected peers have together, in thousandths: how many have the
    /// rarest piece, and behind the point the share of pieces that more have. `None` without metadata.
    pub fn availability_milli(&self) -> Option<u32> {
        self.picker.as_ref().map(|picker| picker.copies_milli())
    }

    /// How far each piece is; nothing without metadata.
    pub fn piece_states(&self) -> impl Iterator<Item = PieceState> + '_ {
        self.picker
            .iter()
            .flat_map(|picker| picker.grid().pieces().map(|piece| picker.state(piece)))
    }

    /// Figures of each peer.
    pub fn peer_views(&self) -> impl Iterator<Item = PeerView<'_>> + '_ {
        let now = self.now;
        self.peers.iter().map(move |(slot, peer)| PeerView {
            slot,
            address: peer.hello.address,
            peer_id: peer.hello.peer_id,
            client: peer.client.as_deref(),
            is_outgoing: peer.hello.outgoing,
            have_count: peer.have.count(),
            is_seed: peer.is_seed(),
            is_interested: peer.is_interested,
            is_choking: peer.is_choking,
            am_interested: peer.am_interested,
            am_choking: peer.am_choking,
            is_snubbed: peer.requests.is_snubbed(),
            is_free_rider: self.choker.is_free_rider(slot),
            asked_count: peer.requests.len(),
            down_rate_bytes: peer.down.rate(now),
            up_rate_bytes: peer.up.rate(now),
            down_bytes: peer.down.total(),
            up_bytes: peer.up.total(),
        })
    }

    fn send(&mut self, slot: PeerSlot, message: Message) {
        if let Some(peer) = self.peers.get_mut(slot) {
            peer.sent_at = self.now;
            self.outputs.push_back(Output::Send { slot, message });
        }
    }

    fn choker(&mut self, input: ChokerInput) {
        self.choker.handle(input, self.now);
    }

    /// Puts the peer on the list of those to be asked.
    fn ask_later(&mut self, slot: PeerSlot) {
        if let Some(peer) = self.peers.get_mut(slot)
            && !std::mem::replace(&mut peer.is_queued, true)
        {
            self.to_ask.push(slot);
        }
    }

    fn ask_everybody(&mut self) {
        for (slot, peer) in self.peers.iter_mut() {
            if !std::mem::replace(&mut peer.is_queued, true) {
                self.to_ask.push(slot);
            }
        }
    }

    /// How many blocks may be asked of all peers together.
    fn asked_max(&self) -> u64 {
        self.config.outstanding_bytes_max / u64::from(BLOCK_BYTES)
    }

    fn is_fast(&self, slot: PeerSlot) -> bool {
        self.peers.get(slot).is_some_and(|peer| peer.hello.fast)
    }

    /// The peer that is or was at this connection: its slot if it is still there.
    fn find(&self, origin: Origin) -> Option<PeerSlot> {
        let of = |(slot, peer): (PeerSlot, &Peer)| (peer.origin == origin).then_some(slot);
        self.peers.iter().find_map(of)
    }

    /// Drops the peer at this connection and bans it, also when it is gone already; or the web seed of this
    /// number.
    fn ban(&mut self, origin: Origin, reason: DropReason) {
        let web_seed = self.web_seeds.find(origin).map(|seed| seed.id);
        if let Some(id) = web_seed {
            self.drop_web_seed(id, WebSeedEnd::BadData);
        } else if let Some(slot) = self.find(origin) {
            self.drop_peer(slot, reason);
        } else if let Some(at) = self.departed.iter().position(|gone| gone.origin == origin)
            && let Some(gone) = self.departed.remove(at)
        {
            self.outputs.push_back(Output::Ban { address: gone.address, reason });
        }
    }
}
