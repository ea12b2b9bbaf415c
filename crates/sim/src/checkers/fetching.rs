//! What may be fetched from web seeds.

use super::Checker;
use crate::facts::Facts;
use crate::seen::{EndId, Scene, Seen};

/// Bytes of a fetch at most, and fetches that one web seed may owe.
const FETCH_BYTES_MAX: u64 = 16 << 20;
const FETCHES_MAX: usize = 2;

/// A web seed is asked for long runs of what nobody is asked for, and never for too much at a time.
pub(super) struct Fetching;

impl Checker for Fetching {
    const NAME: &'static str = "web seeds are asked for little, once";

    fn see(&mut self, facts: &Facts, scene: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::Fetched { seed, blocks, .. } = seen else { return Ok(()) };
        let bytes: u64 = blocks.iter().map(|block| u64::from(block.length)).sum();
        if bytes == 0 || bytes > FETCH_BYTES_MAX {
            return Err(format!("fetches {bytes} bytes at once"));
        }
        let owed = facts.node(scene.node).fetches.values().filter(|fetch| fetch.seed == *seed);
        if owed.count() >= FETCHES_MAX {
            return Err(format!("web seed {seed} owes too much"));
        }
        for block in *blocks {
            let request = Facts::request_of(*block);
            if facts.is_stored(scene.node, &request) {
                return Err(format!("fetches {request:?}, which is stored"));
            }
            let mut askers = facts.askers(scene.node, &request, EndId(u32::MAX));
            let is_asked = askers.any(|(end, asked)| !facts.is_overdue(end, &asked, scene.now));
            if is_asked || facts.node(scene.node).is_fetched(block) {
                return Err(format!("fetches {request:?}, which is asked for elsewhere"));
            }
        }
        Ok(())
    }
}
