//! What workers report: verified pieces, late reads, checks, and trouble with the disk.

use super::Shard;
use super::inbound::Ending;
use super::upload::{framed_bytes, request};
use crate::event::{Problem, TorrentKey, What};
use crate::torrent::LateRead;
use piecework_disk::{Chunk, Completion, LocalFault, StoreEvent};
use piecework_net::ReadToken;
use piecework_swarm::{DialerInput, Input};
use piecework_types::{BLOCK_BYTES, Blame, Block, PieceIndex, Time};
use std::ops::Range;
use std::path::Path;

impl Shard {
    /// Step 1, for a worker's report.
    pub(super) fn complete(&mut self, completion: Completion, now: Time) {
        let key = TorrentKey(completion.key.0);
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        match completion.event {
            StoreEvent::PieceVerified { piece } => {
                tracing::debug!(%piece, "a piece is verified");
                torrent.swarm.handle(Input::PieceVerified { piece }, now);
            }
            StoreEvent::PieceFailed { piece, block_digests } => {
                torrent.swarm.handle(Input::PieceFailed { piece, block_digests }, now);
            }
            StoreEvent::PieceLost { piece, fault } => {
                tracing::warn!(%piece, %fault, "a piece could not be stored");
                torrent.swarm.handle(Input::PieceLost { piece }, now);
            }
            StoreEvent::Read { token, result } => match result {
                Ok(chunks) => self.late_read(key, token, &chunks, now),
                Err(fault) => self.late_read_failed(key, token, &fault, now),
            },
            StoreEvent::StorageBlocked { fault } => {
                torrent.swarm.handle(Input::StorageWritable(false), now);
                self.tell(key, What::Problem(problem(&fault)));
            }
            StoreEvent::StorageRecovered => {
                torrent.swarm.handle(Input::StorageWritable(true), now);
                self.tell(key, What::Recovered);
            }
            StoreEvent::CheckProgress { checked, total } => torrent.checked = (checked, total),
            StoreEvent::CheckFinished { have, is_complete } => {
                // One that another took the place of may have ended just before.
                torrent.checks_due = torrent.checks_due.saturating_sub(1);
                if is_complete && torrent.checks_due == 0 {
                    let was_asked_for = std::mem::take(&mut torrent.is_rechecking);
                    self.activate(key, have, now);
                    if was_asked_for {
                        self.tell(key, What::Checked);
                    }
                }
            }
            StoreEvent::FileMissing { path, pieces, .. } => {
                self.file_missing(key, &path, pieces, now);
            }
            StoreEvent::PieceUnreadable { piece, fault } => {
                self.piece_unreadable(key, piece, &fault, now);
            }
            StoreEvent::FilesFound => {
                torrent.publish(now);
                self.tell(key, What::Recovered);
            }
            StoreEvent::ResumeSaved { result } => self.saved(key, result, now),
        }
        self.touch(key);
    }

    /// A file that we served is gone or cut: its pieces are missing, the rest goes on.
    fn file_missing(&mut self, key: TorrentKey, path: &Path, pieces: Range<u32>, now: Time) {
        let Some(is_seed_only) = self.stored_lost(key, pieces, now) else { return };
        let remedy = match is_seed_only {
            true => "put it back, it is looked for every few seconds",
            false => "it is fetched again",
        };
        let text = format!("{} is gone or shorter than it was; {remedy}", path.display());
        self.tell(key, What::Problem(Problem { blame: Blame::Local, is_fatal: false, text }));
    }

    /// A piece that we served cannot be read any more: it is missing, the rest goes on.
    fn piece_unreadable(
        &mut self,
        key: TorrentKey,
        piece: PieceIndex,
        fault: &LocalFault,
        now: Time,
    ) {
        let Some(is_seed_only) =
            self.stored_lost(key, piece.get()..piece.get().saturating_add(1), now)
        else {
            return;
        };
        let remedy = match is_seed_only {
            true => "not offered until the file changes",
            false => "fetched again",
        };
        let text = format!("{fault}; piece {piece} is {remedy}");
        self.tell(key, What::Problem(Problem { blame: Blame::Local, is_fatal: false, text }));
    }

    /// Stored pieces are missing; whether nobody fetches them again.
    fn stored_lost(&mut self, key: TorrentKey, pieces: Range<u32>, now: Time) -> Option<bool> {
        let torrent = self.torrents.get_mut(&key)?;
        for piece in pieces.map(PieceIndex::trusted) {
            torrent.swarm.handle(Input::PieceLost { piece }, now);
        }
        // If a wanted one is among them, the machine says so again once everything is back.
        torrent.done_is_due &= torrent.swarm.view().is_complete;
        if !torrent.spec.is_seed_only {
            torrent.dialer.handle(DialerInput::Active(true), now);
        }
        Some(torrent.spec.is_seed_only)
    }

    fn late_read(&mut self, key: TorrentKey, token: u64, chunks: &[Chunk], now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        match torrent.late_reads.remove(&token) {
            Some(LateRead::Send { connection, blocks }) => {
                self.send_late(key, connection, ReadToken(token), &blocks, chunks, now);
            }
            Some(LateRead::Digests { piece }) => {
                let Some(content) = &torrent.content else { return };
                let blocks = content.info.grid().blocks(piece);
                let digest = |(block, chunk): (Block, &Chunk)| {
                    piecework_hash::sha256(&chunk[..block.length as usize])
                };
                let block_digests = blocks.zip(chunks).map(digest).collect();
                torrent.swarm.handle(Input::PieceDigests { piece, block_digests }, now);
            }
            None => {}
        }
    }

    /// Puts what a worker read where it is waited for. The connection may be gone, and its number
    /// another's by now.
    fn send_late(
        &mut self,
        key: TorrentKey,
        id: u32,
        token: ReadToken,
        blocks: &[Block],
        chunks: &[Chunk],
        now: Time,
    ) {
        if !self.awaits(key, id, token) {
            return;
        }
        let mut buffer = self.frames.take(framed_bytes(blocks));
        let mut chunks = chunks.iter();
        buffer.frame(blocks.iter().map(request), |places| {
            // A block longer than a chunk lies in several.
            let parts = places.iter_mut().flat_map(|place| place.chunks_mut(BLOCK_BYTES as usize));
            for (part, chunk) in parts.zip(&mut chunks) {
                part.copy_from_slice(&chunk[..part.len()]);
            }
        });
        if let Some(connection) = self.connections.get_mut(id) {
            connection.sender.arrived(token, buffer);
        }
        self.flush(id, now);
    }

    fn late_read_failed(&mut self, key: TorrentKey, token: u64, fault: &LocalFault, now: Time) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        if let Some(LateRead::Send { connection, .. }) = torrent.late_reads.remove(&token)
            && self.awaits(key, connection, ReadToken(token))
        {
            self.read_failed(connection, fault, now);
        }
    }

    /// Whether this connection is still the one that a read was made for.
    fn awaits(&self, key: TorrentKey, id: u32, token: ReadToken) -> bool {
        let connection = self.connections.get(id).filter(|connection| connection.torrent == key);
        connection.is_some_and(|connection| connection.sender.awaits(token))
    }

    /// Stored data cannot be read: the peer that waits for it goes. The store finds out whether the piece is
    /// lost, and tells it once however many ask.
    pub(super) fn read_failed(&mut self, id: u32, fault: &LocalFault, now: Time) {
        tracing::warn!(%fault, "a peer cannot be served");
        self.close(id, Ending::Lost { is_fault: false }, now);
    }
}

/// A disk fault in words for people.
pub(super) fn problem(fault: &LocalFault) -> Problem {
    Problem { blame: Blame::Local, is_fatal: false, text: fault.to_string() }
}
