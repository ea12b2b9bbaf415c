//! Blocks on their way out: adjacent ones become one read into a framed buffer and one write.

use super::Shard;
use crate::event::TorrentKey;
use piecework_disk::ReadNow;
use piecework_net::FRAME_BYTES_MAX;
use piecework_swarm::Part;
use piecework_types::{Block, Time};
use piecework_wire::{BLOCK_HEADER_BYTES, Request};
use std::collections::VecDeque;

impl Shard {
    /// Reads the blocks gathered for this connection and queues them, in order.
    pub(super) fn queue_gathered_blocks(&mut self, id: u32, now: Time) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.blocks.is_empty() {
            return;
        }
        let blocks = std::mem::take(&mut connection.blocks);
        let mut rest = &blocks[..];
        while !rest.is_empty() {
            let (run, behind) = rest.split_at(run_length(rest));
            self.queue_run(id, run, now);
            rest = behind;
        }
        if let Some(connection) = self.connections.get_mut(id) {
            connection.blocks = blocks;
            connection.blocks.clear();
        }
    }

    /// One read without waiting; what the page cache lacks is left to a worker, and its place is kept.
    fn queue_run(&mut self, id: u32, run: &[Block], now: Time) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let Some(torrent) = self.torrents.get_mut(&connection.torrent) else { return };
        let Some(store) = &mut torrent.store else { return };
        let bytes = framed_bytes(run);
        let mut buffer = self.frames.take(bytes);
        let read = buffer.frame(run.iter().map(request), |places| store.read_now(run, places));
        match read {
            Ok(ReadNow::Done) => connection.sender.payload(buffer),
            Ok(ReadNow::WouldBlock) => {
                self.frames.give_back(buffer);
                let token = torrent.read_later(id, run);
                connection.sender.wait_for(token, bytes);
            }
            Err(fault) => {
                self.frames.give_back(buffer);
                self.read_failed(id, &fault, now);
            }
        }
    }

    /// The machine holds back so many bytes for want of quota.
    pub(super) fn want_upload(&mut self, key: TorrentKey, part: Part, bytes: u64, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let was_waiting = torrent.quota.is_wanted();
        torrent.quota.set(part, Some(bytes));
        if !was_waiting {
            self.hungry.push_back(key);
        }
        self.hungry_until = now;
        self.grant_uploads(now);
    }

    /// Grants upload quota to the torrents that wait for it. Who got something goes behind those who
    /// got nothing, so that none takes it all.
    pub(super) fn grant_uploads(&mut self, now: Time) {
        if self.hungry_until > now {
            return;
        }
        self.hungry_until = Time::NEVER;
        let mut served = VecDeque::new();
        for _ in 0..self.hungry.len() {
            let Some(key) = self.hungry.pop_front() else { break };
            let Some(torrent) = self.torrents.get_mut(&key) else { continue };
            let before = torrent.quota;
            let granted = torrent.grant_upload(&self.shared.limits, now);
            let got_nothing = torrent.quota == before;
            if let Err(at) = granted {
                self.hungry_until = self.hungry_until.min(at);
                let line = if got_nothing { &mut self.hungry } else { &mut served };
                line.push_back(key);
            }
            if !got_nothing {
                self.touch(key);
            }
        }
        self.hungry.extend(served);
    }
}

/// How many of these blocks one read and one buffer can take: adjacent ones, as far as they fit.
fn run_length(blocks: &[Block]) -> usize {
    let mut bytes = 0;
    let mut before: Option<&Block> = None;
    let run = blocks.iter().take_while(|block| {
        bytes += framed_bytes(std::slice::from_ref(block));
        let fits = before.is_none_or(|before| {
            let is_adjacent = before.piece == block.piece && before.end() == block.begin;
            is_adjacent && bytes <= FRAME_BYTES_MAX
        });
        before = Some(block);
        fits
    });
    run.count()
}

/// Bytes of these blocks with their headers.
pub(super) fn framed_bytes(blocks: &[Block]) -> usize {
    blocks.iter().map(|block| block.length as usize + BLOCK_HEADER_BYTES).sum()
}

pub(super) fn request(block: &Block) -> Request {
    Request { piece: block.piece.get(), begin: block.begin, length: block.length }
}

#[cfg(test)]
mod tests {
    use super::*;
    use piecework_types::{BLOCK_BYTES, PieceIndex};

    fn blocks(spans: &[(u32, u32, u32)]) -> Vec<Block> {
        let block =
            |&(piece, begin, length)| Block { piece: PieceIndex::trusted(piece), begin, length };
        spans.iter().map(block).collect()
    }

    #[test]
    fn a_run_ends_at_a_gap_at_another_piece_and_where_the_buffer_is_full() {
        assert_eq!(run_length(&blocks(&[(0, 0, 5), (0, 5, 5), (0, 11, 5)])), 2);
        assert_eq!(run_length(&blocks(&[(0, 0, 5), (1, 5, 5)])), 1);
        let usual: Vec<_> = (0..20).map(|at| (0, at * BLOCK_BYTES, BLOCK_BYTES)).collect();
        assert_eq!(run_length(&blocks(&usual)), 16);
        let long: Vec<_> = (0..4).map(|at| (0, at * 131_072, 131_072)).collect();
        assert_eq!(run_length(&blocks(&long)), 2);
        assert_eq!(run_length(&blocks(&[(0, 0, 1 << 20)])), 1);
    }
}
