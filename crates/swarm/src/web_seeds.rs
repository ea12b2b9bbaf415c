//! The HTTP servers of a torrent that have every piece (BEP 17, 19): what each is asked for, when it may be
//! asked again, and when it is given up.
//!
//! Invariants: a web seed owes at most [`FETCHES_MAX`] fetches of [`FETCH_BYTES_MAX`]; blocks of a fetch come
//! in order; at most [`ACTIVE_MAX`] web seeds owe anything. Chooses no piece: that is the picker's part.

use crate::picker::Origin;
use crate::web_fault::FetchFault;
use piecework_types::{BLOCK_BYTES, Block, PeerSlot, PieceIndex, Time};
use std::collections::VecDeque;
use std::time::Duration;

/// Web seeds of a torrent; more are not taken.
pub const WEB_SEEDS_MAX: usize = 32;
/// Web seeds of a torrent that are asked at one time.
const ACTIVE_MAX: usize = 4;
/// Fetches that one web seed owes: a second is asked when the first is half done, so that the server is
/// never waited for.
const FETCHES_MAX: usize = 2;
/// Bytes of the first fetch, and of the longest.
const FETCH_BYTES_MIN: u64 = 1 << 20;
const FETCH_BYTES_MAX: u64 = 16 << 20;
/// How long a fetch should take: few requests for the server, little to lose when it fails.
const FETCH_TIME: Duration = Duration::from_secs(8);
/// The first wait after a failure; each one in a row doubles it.
const WAIT_MIN: Duration = Duration::from_secs(5);
/// The longest wait that we choose.
const WAIT_MAX: Duration = Duration::from_secs(600);
/// The longest that a server may choose for us.
const TOLD_WAIT_MAX: Duration = Duration::from_secs(3600);
/// What a busy server that names no time gets.
const BUSY_WAIT: Duration = Duration::from_secs(30);
/// Failures in a row, a stall counting for three, after which a web seed is given up.
const MISSES_MAX: u32 = 9;
const STALL_MISSES: u32 = 3;
/// The first slot that stands for a web seed where blame and rights go by slot: above those of all peers.
const FIRST_SLOT: u32 = 1 << 16;
/// A server is left alone while peers give so many times what it gave.
const SPARED_AT: u64 = 4;

/// Which of a torrent's web seeds. Given by the driver, below [`WEB_SEEDS_MAX`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WebSeedId(pub u32);

/// One thing asked of a web seed. Never used again in a torrent's life.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FetchId(pub u32);

/// Blocks that follow each other, on their way from a web seed.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) id: FetchId,
    /// What has not come, in order; false if nobody counts on it any more.
    owed: VecDeque<(Block, bool)>,
    asked: usize,
    asked_at: Time,
}

impl Fetch {
    /// Blocks that are counted as asked.
    pub(crate) fn counted(&self) -> impl Iterator<Item = Block> + '_ {
        self.owed.iter().filter(|(_, is_counted)| *is_counted).map(|(block, _)| *block)
    }

    fn is_half_done(&self) -> bool {
        self.owed.len() * 2 <= self.asked
    }
}

#[derive(Debug)]
pub(crate) struct WebSeed {
    pub(crate) id: WebSeedId,
    pub(crate) origin: Origin,
    pub(crate) fetches: Vec<Fetch>,
    /// It contributed to a piece that failed: it gets pieces alone.
    pub(crate) is_suspect: bool,
    /// The generation of the picker at which nothing was found for it.
    pub(crate) nothing_at: u64,
    /// Of the last fetch that came whole.
    rate_bytes: Option<u64>,
    misses: u32,
    waits_until: Time,
}

impl WebSeed {
    /// What stands for it where peers have a slot.
    pub(crate) const fn slot(&self) -> PeerSlot {
        PeerSlot(FIRST_SLOT + self.id.0)
    }

    /// Blocks of its next fetch.
    pub(crate) fn blocks_wanted(&self) -> usize {
        let bytes = self.rate_bytes.unwrap_or(0).saturating_mul(FETCH_TIME.as_secs());
        (bytes.clamp(FETCH_BYTES_MIN, FETCH_BYTES_MAX) / u64::from(BLOCK_BYTES)) as usize
    }

    /// Whether peers that give so much make it unnecessary.
    pub(crate) fn is_spared_by(&self, peers_rate_bytes: u64) -> bool {
        let rate = self.rate_bytes.filter(|rate| *rate > 0);
        rate.is_some_and(|rate| peers_rate_bytes >= rate.saturating_mul(SPARED_AT))
    }

    fn has_room(&self, now: Time) -> bool {
        let is_free =
            self.fetches.len() < FETCHES_MAX && self.fetches.iter().all(Fetch::is_half_done);
        is_free && self.waits_until <= now
    }

    /// The wait after so many failures in a row.
    fn wait(&self) -> Duration {
        let doublings = self.misses.saturating_sub(1).min(16);
        (WAIT_MIN * (1 << doublings)).min(WAIT_MAX)
    }
}

/// What follows from a failed fetch.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Sequel {
    /// The web seed is asked again later, or by what else it owes.
    Later,
    /// It is given up.
    GiveUp,
}

/// The web seeds that are not given up.
#[derive(Debug, Default)]
pub(crate) struct WebSeeds {
    seeds: Vec<WebSeed>,
    next_fetch: u32,
}

impl WebSeeds {
    pub(crate) const fn is_empty(&self) -> bool {
        self.seeds.is_empty()
    }

    pub(crate) const fn len(&self) -> usize {
        self.seeds.len()
    }

    /// False when there is no place for it.
    pub(crate) fn add(&mut self, id: WebSeedId, origin: Origin) -> bool {
        if id.0 as usize >= WEB_SEEDS_MAX || self.get(id).is_some() {
            return false;
        }
        self.seeds.push(WebSeed {
            id,
            origin,
            fetches: Vec::new(),
            is_suspect: false,
            nothing_at: 0,
            rate_bytes: None,
            misses: 0,
            waits_until: Time::ZERO,
        });
        true
    }

    pub(crate) fn remove(&mut self, id: WebSeedId) -> Option<WebSeed> {
        let at = self.seeds.iter().position(|seed| seed.id == id)?;
        Some(self.seeds.remove(at))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut WebSeed> + '_ {
        self.seeds.iter_mut()
    }

    pub(crate) fn get(&self, id: WebSeedId) -> Option<&WebSeed> {
        self.seeds.iter().find(|seed| seed.id == id)
    }

    pub(crate) fn find(&mut self, origin: Origin) -> Option<&mut WebSeed> {
        self.seeds.iter_mut().find(|seed| seed.origin == origin)
    }

    /// The web seed that owes this fetch.
    pub(crate) fn owner(&self, fetch: FetchId) -> Option<WebSeedId> {
        let owes = |seed: &&WebSeed| seed.fetches.iter().any(|it| it.id == fetch);
        self.seeds.iter().find(owes).map(|seed| seed.id)
    }

    /// Blocks that are counted as asked.
    pub(crate) fn counted(&self) -> impl Iterator<Item = Block> + '_ {
        self.seeds.iter().flat_map(|seed| seed.fetches.iter().flat_map(Fetch::counted))
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_idle(&self) -> bool {
        self.seeds.iter().all(|seed| seed.fetches.is_empty())
    }

    /// One that may be asked now, and has not been looked at in this generation of the picker.
    pub(crate) fn next_free(&mut self, generation: u64, now: Time) -> Option<&mut WebSeed> {
        let active = self.seeds.iter().filter(|seed| !seed.fetches.is_empty()).count();
        self.seeds.iter_mut().find(|seed| {
            let may_begin = !seed.fetches.is_empty() || active < ACTIVE_MAX;
            may_begin && seed.nothing_at != generation && seed.has_room(now)
        })
    }

    /// These blocks are asked of the web seed from now on.
    pub(crate) fn asked(&mut self, id: WebSeedId, blocks: &[Block], now: Time) -> Option<FetchId> {
        let fetch = FetchId(self.next_fetch);
        let seed = self.seeds.iter_mut().find(|seed| seed.id == id)?;
        self.next_fetch = self.next_fetch.wrapping_add(1);
        let owed = blocks.iter().map(|block| (*block, true)).collect();
        seed.fetches.push(Fetch { id: fetch, owed, asked: blocks.len(), asked_at: now });
        Some(fetch)
    }

    /// A block came. Whose it is and whether it was counted on; `None` if it is not what comes next.
    pub(crate) fn take(
        &mut self,
        fetch: FetchId,
        block: Block,
        now: Time,
    ) -> Option<(&WebSeed, bool)> {
        let id = self.owner(fetch)?;
        let seed = self.seeds.iter_mut().find(|seed| seed.id == id)?;
        let at = seed.fetches.iter().position(|it| it.id == fetch)?;
        let under_way = &mut seed.fetches[at];
        if under_way.owed.front().is_none_or(|(next, _)| *next != block) {
            return None;
        }
        let (_, is_counted) = under_way.owed.pop_front()?;
        if under_way.owed.is_empty() {
            let took = now.since(under_way.asked_at).as_millis().max(1) as u64;
            let bytes = under_way.asked as u64 * u64::from(BLOCK_BYTES);
            seed.rate_bytes = Some(bytes.saturating_mul(1000) / took);
            seed.misses = 0;
            seed.fetches.remove(at);
        }
        Some((seed, is_counted))
    }

    /// A fetch ended before its last block. What it still owed goes to `released`.
    pub(crate) fn failed(
        &mut self,
        fetch: FetchId,
        fault: &FetchFault,
        released: &mut Vec<Block>,
        now: Time,
    ) -> Option<(WebSeedId, Sequel)> {
        let id = self.owner(fetch)?;
        let seed = self.seeds.iter_mut().find(|seed| seed.id == id)?;
        let at = seed.fetches.iter().position(|it| it.id == fetch)?;
        released.extend(seed.fetches.remove(at).counted());
        if matches!(fault, FetchFault::Unusable(_)) {
            return Some((id, Sequel::GiveUp));
        }
        // Of two fetches that one failure of the server ends, the second is no news.
        if seed.waits_until > now {
            return Some((id, Sequel::Later));
        }
        seed.misses += match fault {
            FetchFault::Busy { .. } | FetchFault::Unusable(_) => 0,
            FetchFault::Failed(_) => 1,
            FetchFault::Stalled => STALL_MISSES,
        };
        seed.waits_until = now
            + match fault {
                FetchFault::Busy { after } => {
                    after.unwrap_or(BUSY_WAIT).clamp(WAIT_MIN, TOLD_WAIT_MAX)
                }
                FetchFault::Failed(_) | FetchFault::Stalled | FetchFault::Unusable(_) => {
                    seed.wait()
                }
            };
        Some((id, if seed.misses >= MISSES_MAX { Sequel::GiveUp } else { Sequel::Later }))
    }

    /// Nobody counts on the blocks of this piece any more: it starts over, or came from elsewhere.
    pub(crate) fn disregard(&mut self, piece: PieceIndex, released: &mut Vec<Block>) {
        let owed = self.seeds.iter_mut().flat_map(|seed| &mut seed.fetches);
        for (block, is_counted) in owed.flat_map(|fetch| &mut fetch.owed) {
            if block.piece == piece && std::mem::replace(is_counted, false) {
                released.push(*block);
            }
        }
    }

    /// Takes back each fetch of which nothing is welcome any more; its counted blocks go to `released`.
    pub(crate) fn take_back(
        &mut self,
        is_welcome: impl Fn(Block) -> bool,
        stopped: &mut Vec<FetchId>,
        released: &mut Vec<Block>,
    ) {
        for seed in &mut self.seeds {
            seed.fetches.retain(|fetch| {
                let is_of_use = fetch.counted().any(&is_welcome);
                if !is_of_use {
                    stopped.push(fetch.id);
                    released.extend(fetch.counted());
                }
                is_of_use
            });
        }
    }
}
