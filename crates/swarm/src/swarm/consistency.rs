//! Whether the parts agree with each other. Costs O(everything): for tests and builds with debug
//! assertions, where it runs at every tick.

use super::Swarm;
use crate::requests::Standing;
use std::collections::BTreeMap;

impl Swarm {
    /// The first disagreement found, in words.
    pub(super) fn inconsistency(&self) -> Option<String> {
        let asked: u64 = self.peers.iter().map(|(_, peer)| u64::from(peer.requests.len())).sum();
        if asked != self.asked_count {
            return Some(format!("{} blocks counted as asked, {asked} queued", self.asked_count));
        }
        let picker = self.picker.as_ref()?;
        let mut queued = BTreeMap::new();
        for (_, peer) in self.peers.iter() {
            for (block, standing) in peer.requests.iter() {
                *queued.entry(block).or_insert(0_u8) += u8::from(standing == Standing::Counted);
            }
        }
        for block in self.web_seeds.counted() {
            *queued.entry(block).or_insert(0) += 1;
        }
        for (block, times) in picker.asked() {
            let counted = queued.get(&block).copied().unwrap_or(0);
            if counted != times {
                return Some(format!("{block:?} asked of {times} peers, queued at {counted}"));
            }
        }
        for (slot, peer) in self.peers.iter() {
            let useful = peer.have.iter().filter(|&piece| picker.wants(piece)).count();
            if useful != peer.useful as usize {
                return Some(format!("{slot:?} has {useful} of use, not {}", peer.useful));
            }
        }
        let available = picker.grid().pieces().find(|&piece| {
            let peers = self.peers.iter().filter(|(_, peer)| peer.have.contains(piece)).count();
            picker.availability(piece) as usize != peers
        });
        available.map(|piece| format!("availability of piece {piece} is wrong"))
    }
}
