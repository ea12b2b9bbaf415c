//! What has been seen so far, kept by the simulator's own bookkeeping.
//!
//! Owns the onlooker's memory: who told whom what, what is asked, stored and verified. Invariant: it
//! is derived from [`Seen`] alone, so a machine cannot talk it into anything. Checkers read it before
//! the observation at hand is added.

use crate::seen::{EndId, NodeId, Scene, Seen};
use piecework_types::{BLOCK_BYTES, Bitfield, Block, PieceGrid, PieceIndex, Time};
use piecework_wire::{Message, Request};
use std::collections::BTreeMap;
use std::time::Duration;

/// A request unanswered for so long may be made to another peer: the machine may call it snubbed.
pub(crate) const OVERDUE: Duration = Duration::from_secs(5);

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    /// The peer let us wait too long since: it may be asked of others.
    released: bool,
    /// It was taken back; the peer still answers it (BEP 6).
    cancelled: bool,
}

/// One end of a connection as seen.
#[derive(Debug)]
pub(crate) struct EndFacts {
    pub(crate) node: NodeId,
    pub(crate) peer: NodeId,
    pub(crate) open: bool,
    /// The peer told us that it chokes us.
    pub(crate) choked: bool,
    /// We told the peer that we choke it.
    pub(crate) choking: bool,
    /// The peer told us that it is interested.
    pub(crate) peer_interested: bool,
    /// Since when the peer has been interested and choked.
    pub(crate) waits_since: Option<Time>,
    /// When the peer was unchoked last, and for how long before that in sum.
    pub(crate) unchoked_at: Option<Time>,
    pub(crate) unchoked_sum: Duration,
    /// Pieces the peer allows us while choked, and those that we allow it.
    pub(crate) allowed: Vec<u32>,
    pub(crate) allowing: Vec<u32>,
    /// What we asked and have not got.
    pub(crate) asked: Vec<Asked>,
    /// What the peer asked and has not got.
    pub(crate) wants: Vec<Request>,
    pub(crate) room: u64,
    /// When the peer last sent anything of what we asked, or was asked with an empty queue.
    progress: Time,
}

/// One node as seen.
#[derive(Debug, Default)]
pub(crate) struct NodeFacts {
    pub(crate) present: bool,
    pub(crate) verified: Option<Bitfield>,
    /// By block, counted over all pieces.
    stored: Vec<bool>,
    asked: Vec<u16>,
    /// Blocks that are neither stored nor asked.
    pub(crate) idle: u32,
    pub(crate) ends: Vec<EndId>,
    pub(crate) interested_most: usize,
    /// What web seeds owe.
    pub(crate) fetches: BTreeMap<u32, Fetched>,
}

/// A fetch as seen.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) seed: u32,
    blocks: Vec<Block>,
}

impl NodeFacts {
    /// Whether a web seed owes the block.
    pub(crate) fn is_fetched(&self, block: &Block) -> bool {
        self.fetches.values().any(|fetch| fetch.blocks.contains(block))
    }
}

/// Everything seen.
#[derive(Debug)]
pub(crate) struct Facts {
    grid: PieceGrid,
    blocks_per_piece: u32,
    pub(crate) nodes: Vec<NodeFacts>,
    ends: Vec<Option<EndFacts>>,
}

impl Facts {
    pub(crate) fn new(grid: PieceGrid, nodes: usize) -> Self {
        let blocks_per_piece = grid.piece_length().div_ceil(BLOCK_BYTES);
        let nodes = (0..nodes).map(|_| NodeFacts::default()).collect();
        Self { grid, blocks_per_piece, nodes, ends: Vec::new() }
    }

    pub(crate) fn node(&self, node: NodeId) -> &NodeFacts {
        &self.nodes[node.0 as usize]
    }

    pub(crate) fn end(&self, end: EndId) -> Option<&EndFacts> {
        self.ends.get(end.0 as usize)?.as_ref()
    }

    /// All ends ever seen.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (EndId, &EndFacts)> {
        let ends = self.ends.iter().enumerate();
        ends.filter_map(|(at, end)| Some((EndId(at as u32), end.as_ref()?)))
    }

    pub(crate) fn is_stored(&self, node: NodeId, request: &Request) -> bool {
        let at = self.place(request.piece, request.begin);
        at.is_some_and(|at| self.node(node).stored.get(at).copied().unwrap_or(false))
    }

    pub(crate) fn is_verified(&self, node: NodeId, piece: u32) -> bool {
        let verified = self.node(node).verified.as_ref();
        verified.is_some_and(|have| have.contains(PieceIndex::trusted(piece)))
    }

    /// How many of the node's peers this block is asked of.
    pub(crate) fn times_asked(&self, node: NodeId, request: &Request) -> u16 {
        let at = self.place(request.piece, request.begin);
        at.map_or(0, |at| self.node(node).asked.get(at).copied().unwrap_or(0))
    }

    /// Whether a request is so late that the block may be asked of others.
    pub(crate) fn is_overdue(&self, end: EndId, asked: &Asked, now: Time) -> bool {
        let waits = self.end(end).is_some_and(|end| now.since(end.progress) >= OVERDUE);
        asked.released || waits
    }

    /// The node's ends by which a block is asked, but for `except`.
    pub(crate) fn askers<'a>(
        &'a self,
        node: NodeId,
        block: &'a Request,
        except: EndId,
    ) -> impl Iterator<Item = (EndId, Asked)> + 'a {
        let ends = self.node(node).ends.iter().filter(move |end| **end != except);
        ends.filter_map(move |end| {
            let asked = &self.end(*end)?.asked;
            let live = asked.iter().find(|asked| asked.is_live(block));
            live.map(|asked| (*end, *asked))
        })
    }

    pub(crate) fn request_of(block: Block) -> Request {
        Request { piece: block.piece.get(), begin: block.begin, length: block.length }
    }

    fn place(&self, piece: u32, begin: u32) -> Option<usize> {
        let number = begin / BLOCK_BYTES;
        let valid = piece < self.grid.piece_count() && number < self.blocks_per_piece;
        valid.then_some((piece * self.blocks_per_piece + number) as usize)
    }

    /// Adds an observation.
    pub(crate) fn add(&mut self, scene: &Scene, seen: &Seen<'_>) {
        match *seen {
            Seen::Joined { have } => self.join(scene.node, have),
            Seen::Left => self.nodes[scene.node.0 as usize].present = false,
            Seen::Opened { end, peer } => self.open(scene.node, end, peer, scene.now),
            Seen::Closed { end } | Seen::Dropped { end, .. } => self.close(end, scene.now),
            Seen::Sent { end, message } => self.sent(end, message, scene.now),
            Seen::Received { end, message } => self.received(end, message, scene.now),
            Seen::BlockSent { end, block } => {
                let request = Self::request_of(block);
                if let Some(end) = self.end_mut(end) {
                    end.room = end.room.saturating_sub(block.length.into());
                    remove(&mut end.wants, |wanted| *wanted == request);
                }
            }
            Seen::BlockReceived { end, request, .. } => {
                self.progressed(end, scene.now);
                self.answered(end, &request);
            }
            Seen::BlockDrained { end, request } => self.answered(end, &request),
            // A few bytes are no reason to wait for the rest: how many are is the engine's decision.
            Seen::Dripped { .. } | Seen::Dialled { .. } => {}
            Seen::Stored { block, .. } => {
                self.set_stored(scene.node, block.piece, Some(block.begin), true);
            }
            Seen::Fetched { seed, fetch, blocks } => {
                blocks.iter().for_each(|block| self.count(scene.node, *block, true));
                let blocks = blocks.to_vec();
                let node = &mut self.nodes[scene.node.0 as usize];
                node.fetches.insert(fetch, Fetched { seed, blocks });
            }
            Seen::WebBlock { fetch, block, .. } => {
                let node = &mut self.nodes[scene.node.0 as usize];
                if let Some(fetched) = node.fetches.get_mut(&fetch) {
                    fetched.blocks.retain(|other| *other != block);
                    if fetched.blocks.is_empty() {
                        node.fetches.remove(&fetch);
                    }
                    self.count(scene.node, block, false);
                }
            }
            Seen::FetchEnded { fetch } => {
                let gone = self.nodes[scene.node.0 as usize].fetches.remove(&fetch);
                let blocks = gone.into_iter().flat_map(|fetched| fetched.blocks);
                blocks.for_each(|block| self.count(scene.node, block, false));
            }
            Seen::Room { end, bytes } => {
                if let Some(end) = self.end_mut(end) {
                    end.room = bytes;
                }
            }
            Seen::Verified { piece, .. } => {
                if let Some(have) = &mut self.nodes[scene.node.0 as usize].verified {
                    have.insert(piece);
                }
            }
            Seen::Unverified { piece } => self.set_stored(scene.node, piece, None, false),
            Seen::BlockLeft { .. }
            | Seen::Banned { .. }
            | Seen::WebSeedDropped { .. }
            | Seen::Discarded { .. }
            | Seen::Finished { .. }
            | Seen::Settled => {}
        }
    }

    fn join(&mut self, id: NodeId, have: &Bitfield) {
        let blocks = (self.grid.piece_count() * self.blocks_per_piece) as usize;
        let node = &mut self.nodes[id.0 as usize];
        node.present = true;
        node.verified = Some(have.clone());
        node.asked = vec![0; blocks];
        node.stored = vec![true; blocks];
        node.ends.clear();
        node.fetches.clear();
        node.idle = 0;
        for piece in self.grid.pieces().filter(|piece| !have.contains(*piece)) {
            for number in 0..self.grid.block_count(piece) {
                node.stored[(piece.get() * self.blocks_per_piece + number) as usize] = false;
                node.idle += 1;
            }
        }
    }

    fn open(&mut self, node: NodeId, end: EndId, peer: NodeId, now: Time) {
        let at = end.0 as usize;
        if self.ends.len() <= at {
            self.ends.resize_with(at + 1, || None);
        }
        self.ends[at] = Some(EndFacts {
            node,
            peer,
            open: true,
            choked: true,
            choking: true,
            peer_interested: false,
            waits_since: None,
            unchoked_at: None,
            unchoked_sum: Duration::ZERO,
            allowed: Vec::new(),
            allowing: Vec::new(),
            asked: Vec::new(),
            wants: Vec::new(),
            room: 0,
            progress: now,
        });
        self.nodes[node.0 as usize].ends.push(end);
    }

    fn close(&mut self, id: EndId, now: Time) {
        let Some(end) = self.end_mut(id).filter(|end| end.open) else {
            return;
        };
        end.open = false;
        end.waits_since = None;
        end.stop_serving(now);
        let node = end.node;
        let gone = std::mem::take(&mut end.asked);
        self.nodes[node.0 as usize].ends.retain(|other| *other != id);
        for asked in gone.into_iter().filter(|asked| !asked.cancelled) {
            self.count_asked(id, &asked.request, false);
        }
    }

    fn sent(&mut self, id: EndId, message: &Message, now: Time) {
        let Some(end) = self.end_mut(id) else { return };
        match message {
            Message::Choke => {
                end.choking = true;
                end.stop_serving(now);
                end.waits_since = end.peer_interested.then_some(now);
            }
            Message::Unchoke => {
                end.choking = false;
                end.waits_since = None;
                end.unchoked_at.get_or_insert(now);
            }
            Message::AllowedFast(piece) => end.allowing.push(*piece),
            Message::Reject(request) => remove(&mut end.wants, |wanted| wanted == request),
            Message::Request(request) => {
                if end.asked.is_empty() {
                    end.progress = now;
                }
                end.asked.push(Asked { request: *request, released: false, cancelled: false });
                self.count_asked(id, request, true);
            }
            Message::Cancel(request) => self.cancelled(id, request),
            _ => {}
        }
    }

    fn received(&mut self, id: EndId, message: &Message, now: Time) {
        let Some(end) = self.end_mut(id) else { return };
        match message {
            // Every simulated peer speaks BEP 6: what is asked is still answered or rejected.
            Message::Choke => end.choked = true,
            Message::Unchoke => end.choked = false,
            Message::Interested => {
                end.peer_interested = true;
                if end.choking {
                    end.waits_since.get_or_insert(now);
                }
                self.count_interested(id);
            }
            Message::NotInterested => {
                end.peer_interested = false;
                end.waits_since = None;
            }
            Message::AllowedFast(piece) => end.allowed.push(*piece),
            Message::Request(request) => end.wants.push(*request),
            Message::Reject(request) => self.answered(id, request),
            _ => {}
        }
    }

    /// Something of what was asked came. What was overdue until now stays open to others.
    fn progressed(&mut self, id: EndId, now: Time) {
        let Some(end) = self.end_mut(id) else { return };
        if now.since(end.progress) >= OVERDUE {
            for asked in &mut end.asked {
                asked.released = true;
            }
        }
        end.progress = now;
    }

    fn count_interested(&mut self, id: EndId) {
        let Some(node) = self.end(id).map(|end| end.node) else {
            return;
        };
        let ends = self.node(node).ends.iter().filter_map(|end| self.end(*end));
        let count = ends.filter(|end| end.peer_interested).count();
        let node = &mut self.nodes[node.0 as usize];
        node.interested_most = node.interested_most.max(count);
    }

    /// The oldest such request is no longer on its way.
    fn answered(&mut self, id: EndId, request: &Request) {
        let Some(end) = self.end_mut(id) else { return };
        if let Some(at) = end.asked.iter().position(|asked| asked.request == *request)
            && !end.asked.remove(at).cancelled
        {
            self.count_asked(id, request, false);
        }
    }

    fn cancelled(&mut self, id: EndId, request: &Request) {
        let Some(end) = self.end_mut(id) else { return };
        if let Some(asked) = end.asked.iter_mut().find(|asked| asked.is_live(request)) {
            asked.cancelled = true;
            self.count_asked(id, request, false);
        }
    }

    fn count_asked(&mut self, id: EndId, request: &Request, more: bool) {
        let Some(place) = self.place(request.piece, request.begin) else {
            return;
        };
        let Some(node) = self.end(id).map(|end| end.node) else {
            return;
        };
        self.count_at(node, place, more);
    }

    fn count(&mut self, node: NodeId, block: Block, more: bool) {
        if let Some(place) = self.place(block.piece.get(), block.begin) {
            self.count_at(node, place, more);
        }
    }

    fn count_at(&mut self, node: NodeId, place: usize, more: bool) {
        let node = &mut self.nodes[node.0 as usize];
        let Some(count) = node.asked.get_mut(place) else {
            return;
        };
        let was = *count;
        *count = if more { was + 1 } else { was.saturating_sub(1) };
        if !node.stored[place] {
            match (was, *count) {
                (0, 1) => node.idle -= 1,
                (1, 0) => node.idle += 1,
                _ => {}
            }
        }
    }

    fn set_stored(&mut self, id: NodeId, piece: PieceIndex, begin: Option<u32>, stored: bool) {
        let all = 0..self.grid.block_count(piece);
        let numbers = begin.map_or(all, |begin| begin / BLOCK_BYTES..begin / BLOCK_BYTES + 1);
        for number in numbers {
            let at = (piece.get() * self.blocks_per_piece + number) as usize;
            let node = &mut self.nodes[id.0 as usize];
            let Some(old) = node.stored.get_mut(at) else {
                continue;
            };
            let was = std::mem::replace(old, stored);
            if was != stored && node.asked[at] == 0 {
                node.idle = if stored { node.idle - 1 } else { node.idle + 1 };
            }
        }
    }

    fn end_mut(&mut self, end: EndId) -> Option<&mut EndFacts> {
        self.ends.get_mut(end.0 as usize)?.as_mut()
    }
}

impl Asked {
    /// Whether it asks for this block and was not taken back.
    pub(crate) fn is_live(&self, request: &Request) -> bool {
        self.request == *request && !self.cancelled
    }
}

impl EndFacts {
    fn stop_serving(&mut self, now: Time) {
        if let Some(since) = self.unchoked_at.take() {
            self.unchoked_sum += now.since(since);
        }
    }

    /// How long the peer has been served until now.
    pub(crate) fn served(&self, now: Time) -> Duration {
        let current = self.unchoked_at.map_or(Duration::ZERO, |since| now.since(since));
        self.unchoked_sum + current
    }
}

fn remove<T>(items: &mut Vec<T>, is_it: impl Fn(&T) -> bool) {
    if let Some(at) = items.iter().position(is_it) {
        items.swap_remove(at);
    }
}
