//! Web seeds of a node: servers that send what is fetched block by block, as fast as they can, lie or stall.
//!
//! Owns the fetches under way. Invariant: blocks of one fetch come in order. The bytes of a server share no
//! link with those of peers.

use super::Client;
use crate::origin::Tag;
use crate::outside::Outside;
use crate::plan::{WebSeedKind, WebSeedSpec};
use crate::queue::Event;
use crate::seen::Seen;
use piecework_swarm::{FetchFault, FetchId, Input, WebSeedId};
use piecework_types::{Block, Time};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// From a request to the first byte.
const LATENCY: Duration = Duration::from_millis(80);
/// How long a driver waits for a server that sends nothing.
const STALLED_AFTER: Duration = Duration::from_secs(60);

/// What a node's web seeds owe it.
#[derive(Default)]
pub(super) struct Servers {
    specs: Vec<WebSeedSpec>,
    /// When each server has sent what it was asked for.
    busy_until: Vec<Time>,
    sent: Vec<u64>,
    fetches: BTreeMap<FetchId, (WebSeedId, VecDeque<Block>)>,
}

impl Servers {
    pub(super) fn new(specs: &[WebSeedSpec]) -> Self {
        let busy_until = vec![Time::ZERO; specs.len()];
        let sent = vec![0; specs.len()];
        Self { specs: specs.to_vec(), busy_until, sent, fetches: BTreeMap::new() }
    }

    /// When the next block of a fetch is there; whether it is not, but the patience with the server is over.
    fn next_at(&mut self, fetch: FetchId, now: Time) -> Option<Time> {
        let (seed, blocks) = self.fetches.get(&fetch)?;
        let at = seed.0 as usize;
        let (spec, block) = (self.specs.get(at)?, blocks.front()?);
        if spec.is_silent(self.sent[at]) {
            return Some(now + STALLED_AFTER);
        }
        let took = u64::from(block.length) * 1_000_000 / spec.rate_bytes.max(1);
        self.busy_until[at] = self.busy_until[at].max(now) + Duration::from_micros(took);
        Some(self.busy_until[at])
    }
}

impl WebSeedSpec {
    /// Whether the server sends no more after so many blocks.
    const fn is_silent(&self, sent: u64) -> bool {
        matches!(self.kind, WebSeedKind::Stalls { after } if sent >= after)
    }

    /// The block as the server sends it.
    fn send(&self, tag: Tag, sent: u64) -> Tag {
        match self.kind {
            WebSeedKind::Lies { one_in } if sent.is_multiple_of(one_in) => tag.corrupted(),
            WebSeedKind::Lies { .. } | WebSeedKind::Honest | WebSeedKind::Stalls { .. } => tag,
        }
    }
}

impl Client {
    pub(super) fn introduce_web_seeds(&mut self, out: &mut Outside) {
        for at in 0..self.servers.specs.len() {
            self.tell(Input::WebSeedAdded { seed: WebSeedId(at as u32) }, out);
        }
    }

    pub(super) fn fetch(
        &mut self,
        (seed, fetch): (WebSeedId, FetchId),
        blocks: Vec<Block>,
        out: &mut Outside,
    ) {
        out.see(self.id, &Seen::Fetched { seed: seed.0, fetch: fetch.0, blocks: &blocks });
        self.servers.fetches.insert(fetch, (seed, blocks.into()));
        if let Some(at) = self.servers.next_at(fetch, out.now + LATENCY) {
            out.queue.push(at, Event::WebBlock(self.id, fetch.0));
        }
    }

    pub(super) fn stop_fetch(&mut self, fetch: FetchId, out: &mut Outside) {
        self.servers.fetches.remove(&fetch);
        out.see(self.id, &Seen::FetchEnded { fetch: fetch.0 });
    }

    pub(super) fn web_seed_dropped(&mut self, seed: WebSeedId, reason: &str, out: &mut Outside) {
        let kind = self.servers.specs.get(seed.0 as usize).map(|spec| spec.kind);
        let innocent = kind == Some(WebSeedKind::Honest);
        out.see(self.id, &Seen::WebSeedDropped { seed: seed.0, innocent, reason });
        self.web_dropped.push((seed.0, reason.to_owned()));
    }

    /// The next block of a fetch is there, or nothing has come for too long.
    pub(crate) fn web_block(&mut self, fetch: u32, out: &mut Outside) {
        let fetch = FetchId(fetch);
        let Some((seed, blocks)) = self.servers.fetches.get_mut(&fetch) else { return };
        let at = seed.0 as usize;
        let spec = self.servers.specs[at];
        if spec.is_silent(self.servers.sent[at]) {
            self.stop_fetch(fetch, out);
            self.tell(Input::FetchFailed { fetch, fault: FetchFault::Stalled }, out);
            return self.drive(out);
        }
        let Some(block) = blocks.pop_front() else { return };
        let is_last = blocks.is_empty();
        self.servers.sent[at] += 1;
        let chunk = self.take_chunk(spec.send(out.origin.tag(block), self.servers.sent[at]));
        out.see(self.id, &Seen::WebBlock { fetch: fetch.0, block, chunk: chunk.0 });
        if is_last {
            self.servers.fetches.remove(&fetch);
        } else if let Some(at) = self.servers.next_at(fetch, out.now) {
            out.queue.push(at, Event::WebBlock(self.id, fetch.0));
        }
        self.tell(Input::WebBlockArrived { fetch, block, chunk }, out);
        self.drive(out);
    }

    /// Bytes that each web seed sent.
    pub(crate) fn web_bytes(&self) -> Vec<u64> {
        let block_bytes = u64::from(piecework_types::BLOCK_BYTES);
        self.servers.sent.iter().map(|sent| sent * block_bytes).collect()
    }
}
