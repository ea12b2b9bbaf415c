//! Blocks on their way out: adjacent ones become one read into a framed buffer and one write.

use super::Shard;
use piecework_disk::ReadNow;
use piecework_net::{FrameBuffer, ReadToken};
use piecework_types::{Block, Time};
use piecework_wire::{BLOCK_HEADER_BYTES, Request};

impl Shard {
    /// Reads the blocks gathered for this connection and queues them, in order.
    pub(super) fn queue_gathered_blocks(&mut self, id: u32, now: Time) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.blocks.is_empty() {
            return;
        }
        let blocks = std::mem::take(&mut connection.blocks);
        for run in blocks.chunk_by(|a, b| a.piece == b.piece && a.end() == b.begin) {
            self.queue_run(id, run, now);
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
        let mut buffer = self.frames.take(run.len());
        let read = buffer.frame(run.iter().map(request), |places| store.read_now(run, places));
        match read {
            Ok(ReadNow::Done) => connection.sender.payload(buffer),
            Ok(ReadNow::WouldBlock) => {
                self.frames.give_back(buffer);
                let token = torrent.read_later(id, run);
                let bytes = run.iter().map(|b| b.length as usize + BLOCK_HEADER_BYTES).sum();
                connection.sender.wait_for(token, bytes);
            }
            Err(fault) => {
                self.frames.give_back(buffer);
                self.read_failed(id, &fault, now);
            }
        }
    }

    /// A worker has read what the page cache lacked.
    pub(super) fn read_done(&mut self, id: u32, token: ReadToken, buffer: FrameBuffer, now: Time) {
        let Some(connection) = self.connections.get_mut(id) else {
            return self.frames.give_back(buffer);
        };
        if connection.sender.arrived(token, buffer) {
            self.flush(id, now);
        }
    }
}

pub(super) fn request(block: &Block) -> Request {
    Request { piece: block.piece.get(), begin: block.begin, length: block.length }
}
