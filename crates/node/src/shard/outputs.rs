//! Step 2 of the run loop: doing what a torrent's machine says, then telling it what room that made.

use super::Shard;
use super::inbound::Ending;
use crate::connection::Stage;
use crate::event::{PeerVerdict, TorrentKey, What};
use crate::prepare::Metadata;
use mio::Token;
use piecework_net::FRAME_BLOCKS_MAX;
use piecework_swarm::{DialerInput, DropReason, Input, Output, Source as Gossip, Voter};
use piecework_types::{Blame, Block, PeerSlot, Time};
use std::net::SocketAddr;

/// Rounds of sending and refilling before other torrents get their turn.
const ROUNDS_MAX: usize = 8;

impl Shard {
    /// Empties the machine's outputs and flushes the sockets they concern, until it has nothing to say.
    pub(super) fn pump(&mut self, key: TorrentKey, now: Time) {
        for _ in 0..ROUNDS_MAX {
            while let Some(output) = self.torrents.get_mut(&key).and_then(|t| t.swarm.poll()) {
                self.perform(key, output, now);
            }
            if self.dirty.is_empty() {
                return;
            }
            for id in std::mem::take(&mut self.dirty) {
                self.queue_gathered_blocks(id, now);
                self.flush(id, now);
            }
        }
        // Still busy: go on in the next turn, after everybody else had theirs.
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.is_busy = true;
        }
    }

    fn perform(&mut self, key: TorrentKey, output: Output, now: Time) {
        match output {
            Output::Send { slot, message } => {
                let Some(id) = self.connection_of(key, slot) else { return };
                self.queue_gathered_blocks(id, now);
                if let Some(connection) = self.connections.get_mut(id) {
                    connection.sender.message(|out| piecework_wire::encode(&message, out));
                }
                self.mark_dirty(id);
            }
            Output::SendBlock { slot, block } => {
                let Some(id) = self.connection_of(key, slot) else { return };
                self.payload_at = now;
                self.gather(id, block, now);
                self.mark_dirty(id);
            }
            Output::Store { block, chunk, .. } => {
                let Some(chunk) = self.arrived.remove(chunk.0) else { return };
                self.payload_at = now;
                if let Some(torrent) = self.torrents.get_mut(&key) {
                    torrent.store(block, chunk);
                }
            }
            Output::Discard { chunk } => self.spare.extend(self.arrived.remove(chunk.0)),
            Output::Disconnect { slot, reason, ban } => {
                self.part_with(key, slot, &reason, ban, now);
            }
            Output::MetadataReceived(bytes) => {
                self.metadata_received(key, Metadata::FromPeers(bytes));
            }
            Output::LayerReceived { pieces_root, hashes } => {
                self.layer_received(key, pieces_root, hashes);
            }
            Output::Ban { address, reason } => {
                self.tell_verdict(key, address, &reason, true);
                if let Some(torrent) = self.torrents.get_mut(&key) {
                    torrent.dialer.handle(DialerInput::Banned { address }, now);
                }
            }
            Output::Fetch { seed, fetch, blocks } => self.fetch(key, (seed, fetch), blocks, now),
            Output::StopFetch { fetch } => self.stop_fetch(key, fetch),
            Output::WebSeedDropped { seed, reason } => self.web_seed_dropped(key, seed, &reason),
            Output::DigestsWanted { piece } => {
                if let Some(torrent) = self.torrents.get_mut(&key) {
                    torrent.read_for_digests(piece);
                }
            }
            Output::WantedComplete => self.wanted_complete(key, now),
            Output::NodeTold { address } => {
                if let Some(dht) = self.shared.dht() {
                    dht.node(address);
                }
            }
            Output::PeersLearned { from, addresses } => {
                if let Some(torrent) = self.torrents.get_mut(&key) {
                    torrent.learn(addresses, Gossip::Exchange { from }, now);
                }
            }
            Output::SeenAs { from, ours } => self.shared.external.vote(Voter::Peer(from), ours),
            Output::SpeaksPay { slot } => self.speaks_pay(key, slot, now),
            Output::PayEnded { slot } => self.ends_pay(key, slot, now),
            Output::PayReceived { slot, message } => self.pay_received(key, slot, message, now),
            Output::Counted { slot } => self.counted(key, slot),
            Output::UploadQuotaWanted { part, bytes } => self.want_upload(key, part, bytes, now),
        }
    }

    fn part_with(
        &mut self,
        key: TorrentKey,
        slot: PeerSlot,
        reason: &DropReason,
        ban: bool,
        now: Time,
    ) {
        let Some(id) = self.connection_of(key, slot) else { return };
        if let Some(address) = self.connections.get(id).map(|it| it.address) {
            self.tell_verdict(key, address, reason, ban);
        }
        self.sold_bad_data(id, reason);
        // Parting words (a last Reject, say) may still reach the peer.
        self.queue_gathered_blocks(id, now);
        self.flush(id, now);
        self.close(id, Ending::ByMachine { is_ban: ban, reason: reason.close_reason() }, now);
    }

    /// Has what is queued for this connection written once its torrent's machine has nothing more to say.
    pub(super) fn mark_dirty(&mut self, id: u32) {
        if let Some(connection) = self.connections.get_mut(id)
            && !std::mem::replace(&mut connection.is_dirty, true)
        {
            self.dirty.push(id);
        }
    }

    fn connection_of(&self, key: TorrentKey, slot: PeerSlot) -> Option<u32> {
        self.torrents.get(&key)?.connection(slot)
    }

    fn gather(&mut self, id: u32, block: Block, now: Time) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.blocks.push(block);
        if connection.blocks.len() >= FRAME_BLOCKS_MAX {
            self.queue_gathered_blocks(id, now);
        }
    }

    pub(super) fn became_writable(&mut self, id: u32) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.became_writable();
        match connection.stage {
            Stage::Connecting => self.mark_ready(id),
            Stage::Encrypting(_) | Stage::Handshake { .. } | Stage::Open(_) => {
                self.flush(id, self.clock.now());
            }
        }
    }

    /// Writes what the socket takes and tells the machine what room there is.
    pub(super) fn flush(&mut self, id: u32, now: Time) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.is_dirty = false;
        let written = connection
            .flush(&mut self.frames)
            .and_then(|()| connection.watch_if_blocked(self.poll.registry(), Token(id as usize)));
        if let Err(error) = written {
            return self.lost(id, &error.into(), now);
        }
        let (Some(slot), Some(bytes)) = (connection.slot(), connection.room()) else { return };
        if connection.pay.as_ref().is_some_and(|line| line.is_held()) {
            return;
        }
        let key = connection.torrent;
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.swarm.handle(Input::Room { slot, bytes }, now);
            self.touch(key);
        }
    }

    /// Says why a peer had to go; to the faces only if it was for what it did.
    fn tell_verdict(
        &self,
        key: TorrentKey,
        address: SocketAddr,
        reason: &DropReason,
        is_ban: bool,
    ) {
        if is_ban {
            tracing::info!(peer = %address, %reason, "banned a peer");
        } else {
            tracing::debug!(peer = %address, %reason, "dropped a peer");
        }
        if is_ban || reason.blame() == Blame::Peer {
            self.tell(key, What::Peer(PeerVerdict { address, is_ban, reason: reason.to_string() }));
        }
    }

    pub(super) fn tell(&self, key: TorrentKey, what: What) {
        if let Some(torrent) = self.torrents.get(&key) {
            self.shared.tell(key, torrent.info_hashes, what);
        }
    }
}
