//! Web seeds beside the peers: asked after them, for what follows each other, never for second copies.

use super::Swarm;
use super::join::TICK;
use crate::machine::Output;
use crate::picker::{Arrival, Origin, Speed};
use crate::web_fault::{FetchFault, WebSeedEnd};
use crate::web_seeds::{FetchId, Sequel, WebSeedId};
use piecework_types::{Block, ChunkId, Time};

impl Swarm {
    pub(super) fn web_seed_added(&mut self, id: WebSeedId) {
        if self.web_seeds.add(id, Origin(self.next_origin)) {
            self.next_origin = self.next_origin.wrapping_add(1);
            self.keep_ticking();
        }
    }

    /// Web seeds are looked at once a second while anything is wanted, peers or not.
    pub(super) fn keep_ticking(&mut self) {
        if self.next_tick == Time::NEVER && self.waits_for_web_seeds() {
            self.next_tick = self.now + TICK;
        }
    }

    /// Asks one web seed, if there is one to be asked; whether it did.
    pub(super) fn ask_web_seed(&mut self) -> bool {
        if self.web_seeds.is_empty() || !self.is_storage_writable {
            return false;
        }
        let Some(picker) = &mut self.picker else { return false };
        if self.web_seeds.next_free(picker.generation(), self.now).is_none() {
            return false;
        }
        let peers_rate = self.peers.iter().map(|(_, peer)| peer.down.rate(self.now)).sum();
        picker.set_now(self.now);
        while let Some(seed) = self.web_seeds.next_free(picker.generation(), self.now) {
            let is_spared = !picker.is_piece_lacking() && seed.is_spared_by(peers_rate);
            let blocks = match is_spared {
                true => Vec::new(),
                false => picker.pick_run(seed.slot(), seed.is_suspect, seed.blocks_wanted()),
            };
            let id = seed.id;
            if blocks.is_empty() {
                seed.nothing_at = picker.generation();
                continue;
            }
            let Some(fetch) = self.web_seeds.asked(id, &blocks, self.now) else { return false };
            self.outputs.push_back(Output::Fetch { seed: id, fetch, blocks });
            self.notice_end_game();
            return true;
        }
        false
    }

    pub(super) fn web_block_arrived(&mut self, fetch: FetchId, block: Block, chunk: ChunkId) {
        let taken = self.web_seeds.take(fetch, block, self.now);
        let taken = taken.map(|(seed, is_counted)| (seed.slot(), seed.origin, is_counted));
        let (Some((slot, origin, is_counted)), Some(picker)) = (taken, &mut self.picker) else {
            return self.outputs.push_back(Output::Discard { chunk });
        };
        let bytes = u64::from(block.length);
        self.down.add(bytes, self.now);
        let is_welcome = is_counted && self.is_storage_writable && picker.wants(block.piece);
        let arrival =
            if is_welcome { picker.receive(block, origin, true) } else { Arrival::Unwanted };
        match arrival {
            Arrival::First { duplicates } => {
                self.outputs.push_back(Output::Store { slot, block, chunk });
                if duplicates > 0 {
                    self.cancel(block, |_| true);
                }
            }
            Arrival::Unwanted => {
                if is_counted {
                    picker.release(block);
                }
                self.wasted_bytes += bytes;
                self.outputs.push_back(Output::Discard { chunk });
            }
        }
    }

    pub(super) fn fetch_failed(&mut self, fetch: FetchId, fault: FetchFault) {
        let mut released = Vec::new();
        let failed = self.web_seeds.failed(fetch, &fault, &mut released, self.now);
        let Some((id, sequel)) = failed else { return };
        self.give_back(id, &released);
        if sequel == Sequel::GiveUp {
            self.drop_web_seed(
                id,
                match fault {
                    FetchFault::Unusable(_) => WebSeedEnd::Unusable(fault),
                    FetchFault::Busy { .. } | FetchFault::Failed(_) | FetchFault::Stalled => {
                        WebSeedEnd::Failing(fault)
                    }
                },
            );
        }
    }

    /// Gives a web seed up for good.
    pub(super) fn drop_web_seed(&mut self, id: WebSeedId, reason: WebSeedEnd) {
        let Some(seed) = self.web_seeds.get(id) else { return };
        let owed: Vec<FetchId> = seed.fetches.iter().map(|fetch| fetch.id).collect();
        let released: Vec<Block> = seed.fetches.iter().flat_map(|it| it.counted()).collect();
        self.give_back(id, &released);
        self.web_seeds.remove(id);
        self.outputs.extend(owed.into_iter().map(|fetch| Output::StopFetch { fetch }));
        self.outputs.push_back(Output::WebSeedDropped { seed: id, reason });
    }

    /// Blocks and pieces of a web seed are for everybody again.
    fn give_back(&mut self, id: WebSeedId, released: &[Block]) {
        let (Some(picker), Some(seed)) = (&mut self.picker, self.web_seeds.get(id)) else { return };
        released.iter().for_each(|block| picker.release(*block));
        picker.disown(seed.slot(), Speed::Slow);
        self.ask_everybody();
    }

    /// Nobody counts on web seeds for this piece any more.
    pub(super) fn disregard_fetches_of(&mut self, piece: piecework_types::PieceIndex) {
        let mut released = Vec::new();
        self.web_seeds.disregard(piece, &mut released);
        if let Some(picker) = &mut self.picker {
            released.into_iter().for_each(|block| picker.release(block));
        }
    }

    /// Stops fetches of which nothing is needed any more: peers were faster, or it is not wanted.
    pub(super) fn stop_idle_fetches(&mut self) {
        if self.web_seeds.is_idle() {
            return;
        }
        let Some(picker) = &mut self.picker else { return };
        let is_writable = self.is_storage_writable;
        let (mut stopped, mut released) = (Vec::new(), Vec::new());
        let is_welcome =
            |block: Block| is_writable && picker.wants(block.piece) && picker.is_lacking(block);
        self.web_seeds.take_back(is_welcome, &mut stopped, &mut released);
        released.into_iter().for_each(|block| picker.release(block));
        self.outputs.extend(stopped.into_iter().map(|fetch| Output::StopFetch { fetch }));
    }
}
