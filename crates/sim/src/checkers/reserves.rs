//! Those who are served for nothing keep their part of a limited uplink, and a reserve gets its rate.

use super::{Checker, Expected, UploadLimit};
use crate::facts::{EndFacts, Facts};
use crate::seen::{EndId, NodeId, Scene, Seen};
use piecework_types::{BLOCK_BYTES, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// Thousandths of a limit that a node with reserves keeps for them.
pub(crate) const RESERVED_PERMILLE: u16 = 750;

/// How long the look at a share lasts.
const WINDOW: Duration = Duration::from_secs(1);

/// What a window may lack or have too much: blocks do not end with it.
const SLACK_BYTES: u64 = 2 * BLOCK_BYTES as u64;

/// What a reserve may lack beside that, in hundredths of its rate.
const LACK_PERCENT: u64 = 3;

/// What it may catch up with in a window, in hundredths of its rate.
const MORE_PERCENT: u64 = 5;

/// A part of the uplink that a node keeps for a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReserveSpec {
    /// For whom.
    pub peer: NodeId,
    /// Bytes a second.
    pub rate: u64,
    /// Bytes a second while there are some to spare.
    pub most: u64,
    /// Bytes in all.
    pub until: u64,
}

/// One second at a node.
#[derive(Debug)]
struct Window {
    ends_at: Time,
    open_bytes: u64,
    /// Bytes to anybody.
    bytes: u64,
    /// Somebody without a reserve could be sent a block all the time.
    open_wanted: bool,
    /// Nobody without a reserve could be sent one, in this second and the one before.
    open_rests: bool,
    open_rested: bool,
    /// By end: bytes, and whether it could be sent a block all the time.
    reserved: BTreeMap<EndId, (u64, bool)>,
}

/// In each second in which somebody without a reserve waits for a block all the time, they get their share
/// of the limit together; who has a reserve gets its rate in each second in which it waits for a block all
/// the time, and never more than that while others wait, than the most it may have, or than it has in all.
/// While somebody waits who may have more, all of the limit is used.
pub(super) struct Reserves {
    specs: Vec<(Vec<ReserveSpec>, Option<UploadLimit>)>,
    windows: BTreeMap<NodeId, Window>,
    sent: BTreeMap<EndId, u64>,
    /// Windows that counted for the open part, and all that ended.
    pub(super) counted: (u32, u32),
}

impl Reserves {
    pub(super) fn new(expected: &[Expected]) -> Self {
        let spec = |expected: &Expected| (expected.reserves.clone(), expected.limit);
        let specs = expected.iter().map(spec).collect();
        Self { specs, windows: BTreeMap::new(), sent: BTreeMap::new(), counted: (0, 0) }
    }

    fn close(&mut self, window: &Window, limit: UploadLimit) -> Result<(), String> {
        let floor = limit.rate_bytes * u64::from(1000 - RESERVED_PERMILLE) / 1000;
        self.counted.0 += u32::from(window.open_wanted);
        self.counted.1 += 1;
        if window.open_wanted && window.open_bytes + SLACK_BYTES < floor {
            let got = window.open_bytes;
            return Err(format!("those without a reserve got {got} bytes of {floor} in a second"));
        }
        Ok(())
    }

    /// That nothing idles while somebody who may have it wants it.
    fn close_whole(
        &self,
        window: &Window,
        limit: UploadLimit,
        wants_more: bool,
    ) -> Result<(), String> {
        let least = limit.rate_bytes - limit.rate_bytes * LACK_PERCENT / 100;
        let is_wanted =
            window.open_wanted || (wants_more && window.open_rests && window.open_rested);
        if is_wanted && window.bytes + SLACK_BYTES < least {
            let (sent, rate) = (window.bytes, limit.rate_bytes);
            return Err(format!(
                "{sent} bytes of {rate} left in a second in which more was wanted"
            ));
        }
        Ok(())
    }

    /// Whether a reserve that waited all the time may have had more.
    fn wants_more(&self, end: EndId, reserve: &ReserveSpec, (bytes, waited): (u64, bool)) -> bool {
        let sent = self.sent.get(&end).copied().unwrap_or(0);
        let lasts = sent + u64::from(BLOCK_BYTES) <= reserve.until;
        waited && lasts && bytes + SLACK_BYTES < reserve.most
    }

    /// What a reserve got in a window.
    fn close_reserve(
        &self,
        end: EndId,
        &ReserveSpec { rate, most, until, .. }: &ReserveSpec,
        (bytes, waited): (u64, bool),
        open_wanted: bool,
    ) -> Result<(), String> {
        let sent = self.sent.get(&end).copied().unwrap_or(0);
        let lasts = sent + u64::from(BLOCK_BYTES) <= until;
        let lacks = bytes + SLACK_BYTES < rate - rate * LACK_PERCENT / 100;
        let allowed = if open_wanted { rate } else { rate.max(most) };
        let is_more = bytes > allowed + SLACK_BYTES.max(allowed * MORE_PERCENT / 100);
        if is_more || (waited && lasts && lacks) {
            return Err(format!("a reserve of {rate} bytes a second got {bytes} in one"));
        }
        Ok(())
    }
}

/// Whether the peer at this end could be sent a block.
fn is_waiting(end: &EndFacts) -> bool {
    end.open && !end.choking && !end.wants.is_empty() && end.room >= u64::from(BLOCK_BYTES)
}

impl Checker for Reserves {
    const NAME: &'static str = "reserves leave the others their share";

    fn see(&mut self, facts: &Facts, scene: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        let (reserves, Some(limit)) = &self.specs[scene.node.0 as usize] else { return Ok(()) };
        if reserves.is_empty() {
            return Ok(());
        }
        let (reserves, limit) = (reserves.clone(), *limit);
        let reserve_of = |peer: NodeId| reserves.iter().find(|reserve| reserve.peer == peer);
        let mut rested = false;
        let ended = self.windows.get(&scene.node).filter(|window| window.ends_at <= scene.now);
        if ended.is_some()
            && let Some(window) = self.windows.remove(&scene.node)
        {
            self.close(&window, limit)?;
            let mut wants_more = false;
            for (end, got) in &window.reserved {
                if let Some(reserve) = facts.end(*end).and_then(|end| reserve_of(end.peer)) {
                    self.close_reserve(*end, reserve, *got, window.open_wanted)?;
                    wants_more |= self.wants_more(*end, reserve, *got);
                }
            }
            self.close_whole(&window, limit, wants_more)?;
            rested = window.open_rests;
        }
        let is_new = !self.windows.contains_key(&scene.node);
        let window = self.windows.entry(scene.node).or_insert_with(|| Window {
            ends_at: scene.now + WINDOW,
            open_bytes: 0,
            bytes: 0,
            open_wanted: true,
            open_rests: true,
            open_rested: rested,
            reserved: BTreeMap::new(),
        });
        let ends =
            facts.node(scene.node).ends.iter().filter_map(|end| Some((*end, facts.end(*end)?)));
        let (mut open_waits, mut sent_to) = (false, None);
        for (end, known) in ends {
            match reserve_of(known.peer) {
                None => open_waits |= is_waiting(known),
                Some(_) => {
                    let (_, waited) = window.reserved.entry(end).or_insert((0, is_new));
                    *waited &= is_waiting(known);
                }
            }
            if let Seen::BlockSent { end: to, block } = seen
                && *to == end
            {
                sent_to = Some((end, reserve_of(known.peer), u64::from(block.length)));
            }
        }
        window.open_wanted &= open_waits;
        window.open_rests &= !open_waits;
        window.bytes += sent_to.map_or(0, |(_, _, bytes)| bytes);
        match sent_to {
            Some((end, Some(reserve), bytes)) => {
                window.reserved.entry(end).or_insert((0, false)).0 += bytes;
                let sent = self.sent.entry(end).or_insert(0);
                *sent += bytes;
                if *sent > reserve.until {
                    return Err(format!("{sent} bytes left for a reserve of {}", reserve.until));
                }
            }
            Some((_, None, bytes)) => window.open_bytes += bytes,
            None => {}
        }
        Ok(())
    }
}
