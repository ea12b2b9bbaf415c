//! The web seeds of a torrent on the driver's side: their addresses, the fetches under way, and the way
//! of their bytes to the shard.
//!
//! Decides nothing: what is fetched, and which server is given up, the machine says. Invariant: dropping
//! it ends every fetch.

use crate::clock::Clock;
use crate::config::{AddTorrent, Source};
use crate::event::{TorrentKey, WebSeedStatus};
use crate::limits::Rate;
use crate::shard::ShardHandle;
use piecework_disk::{Chunk, ChunkPool};
use piecework_metainfo::{Info, WebNames, WebPart, WebSeed, WebSeedKind};
use piecework_net::{Binding, Intake, WebClient, WebFault, WebFetch, WebJob};
use piecework_swarm::{FetchFault, FetchId, WEB_SEEDS_MAX, WebSeedId};
use piecework_types::{Block, Scope, Time};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Pause until a fetch that waits for memory looks again.
const PRESSURE_PAUSE: Duration = Duration::from_millis(5);

/// Longest pause of a fetch that a limit holds up: limits change, and nobody tells a fetch.
const LIMIT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// What the client's thread tells a shard.
pub(crate) enum WebNews {
    /// A block is complete.
    Block { fetch: FetchId, block: Block, chunk: Chunk },
    /// A fetch ended too soon.
    Failed { fetch: FetchId, fault: FetchFault },
}

/// The client of all torrents, started for the first that needs it.
pub(crate) struct WebFetcher {
    binding: Binding,
    client: OnceLock<Option<WebClient<WebIntake>>>,
}

impl WebFetcher {
    pub(crate) const fn new(binding: Binding) -> Self {
        Self { binding, client: OnceLock::new() }
    }

    fn fetch(&self, job: WebJob<WebIntake>) -> Option<WebFetch> {
        let start = || {
            let started = WebClient::start(is_public, self.binding.clone());
            started.inspect_err(|error| tracing::warn!(%error, "no thread for web seeds")).ok()
        };
        self.client.get_or_init(start).as_ref()?.fetch(job)
    }
}

fn is_public(ip: IpAddr) -> bool {
    Scope::of(ip) == Scope::World
}

/// A web seed and what is known of it.
#[derive(Clone, Debug)]
struct Known {
    seed: WebSeed,
    /// A person named it.
    is_trusted: bool,
    status: WebSeedStatus,
}

/// Those of one torrent. A number of the machine is a place in the list.
#[derive(Default)]
pub(crate) struct WebSeeds {
    known: Vec<Known>,
    names: Option<WebNames>,
    fetches: BTreeMap<FetchId, WebFetch>,
}

impl WebSeeds {
    /// Those that a person names, then those that the torrent names; each once.
    pub(crate) fn of(spec: &AddTorrent) -> Self {
        let mut seeds = Self::default();
        if spec.is_seed_only || spec.is_metadata_only {
            return seeds;
        }
        let named = match &spec.source {
            Source::Metainfo(metainfo) => {
                let scripts = of_kind(metainfo.http_seeds(), WebSeedKind::Script);
                of_kind(metainfo.web_seeds(), WebSeedKind::Files).chain(scripts).collect()
            }
            Source::Magnet(magnet) => {
                of_kind(&magnet.web_seeds, WebSeedKind::Files).collect::<Vec<_>>()
            }
        };
        spec.web_seeds.iter().for_each(|seed| seeds.add(seed.clone(), true));
        named.into_iter().for_each(|seed| seeds.add(seed, false));
        seeds
    }

    fn add(&mut self, seed: WebSeed, is_trusted: bool) {
        if self.known.len() < WEB_SEEDS_MAX && self.known.iter().all(|known| known.seed != seed) {
            let status = WebSeedStatus { url: shown(seed.url()), ..WebSeedStatus::default() };
            self.known.push(Known { seed, is_trusted, status });
        }
    }

    /// Numbers of those that are not given up.
    pub(crate) fn ids(&self) -> impl Iterator<Item = WebSeedId> + use<> {
        let alive = self.known.iter().map(|known| !known.status.is_dropped).collect::<Vec<_>>();
        (0..).zip(alive).filter_map(|(id, is_alive)| is_alive.then_some(WebSeedId(id)))
    }

    pub(crate) fn statuses(&self) -> Vec<WebSeedStatus> {
        self.known.iter().map(|known| known.status.clone()).collect()
    }

    /// Starts a fetch. The error is the machine's to hear.
    pub(crate) fn fetch(
        &mut self,
        client: &WebFetcher,
        info: &Arc<Info>,
        id: WebSeedId,
        intake: WebIntake,
    ) -> Result<(), FetchFault> {
        let fault = || FetchFault::Failed("too many fetches wait".into());
        let known = self.known.get(id.0 as usize).ok_or_else(fault)?;
        let names = self.names.get_or_insert_with(|| WebNames::new(Arc::clone(info)));
        let (fetch, blocks) = (intake.fetch, intake.blocks.as_slice());
        let job = WebJob {
            parts: names.parts(&known.seed, blocks).into_iter().map(for_client).collect(),
            blocks: blocks.iter().map(|block| block.length).collect(),
            is_trusted: known.is_trusted,
            intake,
        };
        let under_way = client.fetch(job).ok_or_else(fault)?;
        self.fetches.insert(fetch, under_way);
        Ok(())
    }

    /// Forgets a fetch whose last block has come.
    pub(crate) fn finished(&mut self, fetch: FetchId) {
        self.fetches.remove(&fetch).into_iter().for_each(WebFetch::finish);
    }

    /// Ends a fetch, or forgets one that has ended.
    pub(crate) fn stop(&mut self, fetch: FetchId) {
        self.fetches.remove(&fetch);
    }

    /// Gives up what can be made anew.
    pub(crate) fn rest(&mut self) {
        self.stop_all();
        self.names = None;
    }

    /// Ends all; which ones.
    pub(crate) fn cut_off(&mut self) -> Vec<FetchId> {
        std::mem::take(&mut self.fetches).into_keys().collect()
    }

    /// Ends all.
    pub(crate) fn stop_all(&mut self) {
        self.fetches.clear();
    }

    /// Remembers how the web seed does, for people to see.
    pub(crate) fn note(&mut self, id: WebSeedId, message: &str, is_dropped: bool) -> String {
        let Some(known) = self.known.get_mut(id.0 as usize) else { return String::new() };
        message.clone_into(&mut known.status.message);
        known.status.is_dropped = is_dropped;
        known.status.url.clone()
    }
}

fn of_kind(urls: &[String], kind: WebSeedKind) -> impl Iterator<Item = WebSeed> + '_ {
    urls.iter().filter_map(move |url| WebSeed::new(url, kind))
}

/// The part in the words of those who fetch it.
fn for_client(part: WebPart) -> piecework_net::WebPart {
    match part {
        WebPart::Zeros(bytes) => piecework_net::WebPart::Zeros(bytes),
        WebPart::Range(range) => piecework_net::WebPart::Range(piecework_net::WebRange {
            url: range.url,
            bytes: range.bytes,
            of: range
                .of
                .map(|of| piecework_net::FileRange { first: of.first, file_bytes: of.file_bytes }),
        }),
    }
}

/// An address as people may see it: without a password, and without what follows a question mark.
fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// Takes the blocks of one fetch to the torrent's shard, within the limits.
pub(crate) struct WebIntake {
    pub(crate) key: TorrentKey,
    pub(crate) fetch: FetchId,
    /// Those that have not come.
    pub(crate) blocks: std::vec::IntoIter<Block>,
    pub(crate) pool: ChunkPool,
    /// Limits of the torrent and of the node.
    pub(crate) down: [Arc<Rate>; 2],
    pub(crate) clock: Clock,
    pub(crate) handle: ShardHandle,
}

impl Intake for WebIntake {
    type Chunk = Chunk;

    fn chunk(&mut self, bytes: u32) -> Result<Chunk, Duration> {
        if self.pool.pressure() {
            return Err(PRESSURE_PAUSE);
        }
        let now = self.clock.now();
        let bytes = u64::from(bytes);
        let [own, node] = &self.down;
        let pause = |at: Time| at.since(now).min(LIMIT_PAUSE_MAX);
        own.take(bytes, bytes, now).map_err(pause)?;
        if let Err(at) = node.take(bytes, bytes, now) {
            own.give_back(bytes, now);
            return Err(pause(at));
        }
        let mut chunks = Vec::new();
        self.pool.take(1, &mut chunks);
        chunks.pop().ok_or_else(|| {
            own.give_back(bytes, now);
            node.give_back(bytes, now);
            PRESSURE_PAUSE
        })
    }

    fn block(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        let Some(&block) = self.blocks.as_slice().first() else { return Ok(()) };
        let news = WebNews::Block { fetch: self.fetch, block, chunk };
        match self.handle.tell_of_web_seeds(self.key, news) {
            Err(WebNews::Block { chunk, .. }) => Err(chunk),
            Ok(()) | Err(WebNews::Failed { .. }) => {
                self.blocks.next();
                Ok(())
            }
        }
    }

    fn failed(&mut self, fault: &WebFault) -> bool {
        let fault = match fault {
            WebFault::Busy(after) => FetchFault::Busy { after: *after },
            WebFault::Failed(text) => FetchFault::Failed(text.clone()),
            WebFault::Stalled => FetchFault::Stalled,
            WebFault::Unusable(text) => FetchFault::Unusable(text.clone()),
        };
        let news = WebNews::Failed { fetch: self.fetch, fault };
        self.handle.tell_of_web_seeds(self.key, news).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        assert_eq!(shown("http://me:pass@h:80/a@b/c?key=1#x"), "http://h:80/a@b/c");
        assert_eq!(shown("https://h"), "https://h");
    }
}
