//! Peers that come and go.

use super::Swarm;
use crate::choker::ChokerInput;
use crate::drop_reason::DropReason;
use crate::machine::{Hello, Output};
use crate::peer::Peer;
use crate::picker::{Origin, Speed};
use crate::uplink::Class;
use piecework_types::PeerSlot;
use piecework_wire::extension::{Extension, ExtensionHandshake, ExtensionIds, ExtensionMessage};
use piecework_wire::{ALLOWED_FAST_COUNT, Message, allowed_fast};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How long between looks at the peers.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// Connections that are remembered after their end, for the smart ban.
const DEPARTED_MAX: usize = 1024;

/// What we call ourselves in the extension handshake (`v`, BEP 10).
const CLIENT: &str =
    concat!("Piecework ", env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));

/// A connection that is gone but may still be found to have lied.
#[derive(Debug)]
pub(super) struct Departed {
    slot: PeerSlot,
    pub(super) origin: Origin,
    pub(super) address: SocketAddr,
}

impl Swarm {
    pub(super) fn connected(&mut self, slot: PeerSlot, hello: Hello) {
        let refusal = self.refusal(&hello);
        let (double, address) = (self.double_of(&hello), hello.address);
        let pieces = self.picker.as_ref().map_or(0, |picker| picker.have().len());
        let peer = Peer::new(hello, Origin(self.next_origin), pieces, self.now);
        self.next_origin = self.next_origin.wrapping_add(1);
        if !self.peers.insert(slot, peer) {
            return;
        }
        if self.next_tick == piecework_types::Time::NEVER {
            self.next_tick = self.now + TICK;
        }
        self.choker(ChokerInput::PeerJoined { slot });
        self.uplink.join(slot, Class::BACKGROUND);
        if let Some(picker) = &mut self.picker {
            picker.set_peer_count(self.peers.len());
        }
        if let Some(reason) = refusal {
            return self.drop_peer(slot, reason);
        }
        if let Some((older, _)) = double {
            self.drop_peer(older, DropReason::DuplicatePeer { kept: address });
        }
        self.introduce(slot);
    }

    fn refusal(&self, hello: &Hello) -> Option<DropReason> {
        let peers_max = self.config.peers_max;
        if hello.peer_id == self.config.our_id {
            return Some(DropReason::SelfConnection);
        }
        match self.double_of(hello) {
            Some((_, kept)) if !self.outranks(hello) => Some(DropReason::DuplicatePeer { kept }),
            None if self.peers.len() >= peers_max => Some(DropReason::TooManyPeers { peers_max }),
            Some(_) | None => None,
        }
    }

    /// The connection that stands to the same peer, and where it leads.
    fn double_of(&self, hello: &Hello) -> Option<(PeerSlot, SocketAddr)> {
        let mut peers = self.peers.iter();
        let (slot, peer) = peers.find(|(_, peer)| peer.hello.peer_id == hello.peer_id)?;
        Some((slot, peer.hello.address))
    }

    /// Whether this connection replaces one that stands to the same peer: of two that dial each other
    /// at once both keep the connection that the greater peer id opened, whichever came first, or each
    /// would drop the one that the other keeps. No BEP says so; libtorrent goes by the same rule.
    fn outranks(&self, hello: &Hello) -> bool {
        hello.outgoing == (self.config.our_id > hello.peer_id)
    }

    /// Says what we have and speak, in the order that BEP 3, 6 and 10 ask for.
    fn introduce(&mut self, slot: PeerSlot) {
        let Some(peer) = self.peers.get(slot) else { return };
        let (fast, extended, v2) = (peer.hello.fast, peer.hello.extended, peer.hello.v2);
        if let Some(super_seed) = &mut self.super_seed {
            super_seed.join(slot);
        }
        let hides = self.super_seed.is_some();
        let have = self.picker.as_ref().map(|picker| picker.have());
        match have.filter(|have| !hides && !have.is_empty()) {
            Some(have) if have.is_full() && fast => self.send(slot, Message::HaveAll),
            Some(have) => {
                let bitfield = Message::Bitfield(have.to_wire());
                self.send(slot, bitfield);
            }
            None if fast => self.send(slot, Message::HaveNone),
            None => {}
        }
        if extended {
            self.send_extension_handshake(slot);
        }
        self.tell_dht_port(slot);
        if v2 && let Some(hashes) = &mut self.hashes {
            hashes.join(slot);
            self.request_hashes();
        }
        self.show_next(slot);
        self.send_allowed_fast(slot);
    }

    fn tell_dht_port(&mut self, slot: PeerSlot) {
        let has_dht = self.peers.get(slot).is_some_and(|peer| peer.hello.dht);
        let port = self.config.dht_port.filter(|_| has_dht && !self.is_private);
        if let Some(port) = port {
            self.send(slot, Message::Port(port));
        }
    }

    /// The set a peer may ask for while it is choked (BEP 6), as far as we have it.
    pub(super) fn send_allowed_fast(&mut self, slot: PeerSlot) {
        let (Some(picker), Some(peer)) = (&self.picker, self.peers.get_mut(slot)) else { return };
        let IpAddr::V4(ip) = peer.hello.address.ip().to_canonical() else { return };
        if !peer.hello.fast || self.super_seed.is_some() || !peer.allowed_to_it.is_empty() {
            return;
        }
        let info_hash = self.config.info_hashes.iter().next();
        let Some(info_hash) = info_hash else { return };
        let pieces = picker.grid().piece_count();
        let set = allowed_fast(ip, info_hash, pieces, ALLOWED_FAST_COUNT);
        let ours = set.into_iter().filter_map(|index| picker.grid().piece(index));
        peer.allowed_to_it = ours.filter(|&piece| picker.have().contains(piece)).collect();
        for piece in peer.allowed_to_it.clone() {
            self.send(slot, Message::AllowedFast(piece.get()));
        }
    }

    pub(super) fn send_extension_handshake(&mut self, slot: PeerSlot) {
        let Some(peer) = self.peers.get(slot) else { return };
        let exchanges_peers = self.exchanges_peers();
        let mut ids = ExtensionIds::ours(|extension| match extension {
            Extension::Pex => exchanges_peers,
            Extension::Pay => self.config.carries_pay,
            _ => true,
        });
        if peer.told_pay && !self.config.carries_pay {
            ids = ids.without(Extension::Pay);
        }
        let handshake = ExtensionHandshake {
            ids,
            client: Some(CLIENT.to_owned()),
            requests_max: Some(self.config.reqq),
            metadata_bytes: self.metadata.known_bytes(),
            listen_port: self.config.listen_port,
            prefers_encryption: self.config.prefers_encryption,
            your_ip: Some(peer.hello.address.ip().to_canonical()),
            upload_only: self.is_upload_only() && self.super_seed.is_none(),
            ..ExtensionHandshake::default()
        };
        let payload = ExtensionMessage::Handshake(handshake).encode();
        if let Some(peer) = self.peers.get_mut(slot) {
            peer.told_pay = self.config.carries_pay;
        }
        let id = piecework_wire::extension::HANDSHAKE_ID;
        self.send(slot, Message::Extended { id, payload });
    }

    pub(super) fn disconnected(&mut self, slot: PeerSlot) {
        // The slot may be given to another peer before the next poll; a ban outlives the connection.
        let mut departed = self.departed.iter().rev();
        let address = departed.find(|gone| gone.slot == slot).map(|gone| gone.address);
        self.outputs.retain_mut(|output| match output {
            Output::Disconnect { slot: to, ban: true, reason } if *to == slot => {
                let reason = reason.clone();
                address.map(|address| *output = Output::Ban { address, reason }).is_some()
            }
            Output::Send { slot: to, .. }
            | Output::SendBlock { slot: to, .. }
            | Output::SpeaksPay { slot: to }
            | Output::PayEnded { slot: to }
            | Output::PayReceived { slot: to, .. }
            | Output::Counted { slot: to }
            | Output::Disconnect { slot: to, .. } => *to != slot,
            Output::Store { .. }
            | Output::Discard { .. }
            | Output::Ban { .. }
            | Output::DigestsWanted { .. }
            | Output::MetadataReceived(_)
            | Output::LayerReceived { .. }
            | Output::Fetch { .. }
            | Output::StopFetch { .. }
            | Output::WebSeedDropped { .. }
            | Output::WantedComplete
            | Output::PeersLearned { .. }
            | Output::NodeTold { .. }
            | Output::SeenAs { .. }
            | Output::UploadQuotaWanted { .. } => true,
        });
        self.forget(slot);
    }

    /// Closes the connection.
    pub(super) fn drop_peer(&mut self, slot: PeerSlot, reason: DropReason) {
        if self.peers.get(slot).is_none() {
            return;
        }
        let ban = reason.is_ban();
        self.outputs.push_back(Output::Disconnect { slot, reason, ban });
        self.forget(slot);
    }

    fn forget(&mut self, slot: PeerSlot) {
        let Some(mut peer) = self.peers.remove(slot) else { return };
        if self.departed.len() >= DEPARTED_MAX {
            self.departed.pop_front();
        }
        let (origin, address) = (peer.origin, peer.hello.address);
        self.departed.push_back(Departed { slot, origin, address });
        self.asked_count -= u64::from(peer.requests.len());
        self.early_bytes -= peer.early_bytes();
        self.to_ask.retain(|other| *other != slot);
        self.sole_peers -= usize::from(peer.is_sole);
        self.choker(ChokerInput::PeerLeft { slot });
        self.uplink.leave(slot);
        self.metadata.leave(slot);
        self.hashes.iter_mut().for_each(|hashes| hashes.leave(slot));
        self.super_seed.iter_mut().for_each(|super_seed| super_seed.leave(slot));
        if let Some(picker) = &mut self.picker {
            picker.set_peer_count(self.peers.len());
            peer.requests.clear(|block| picker.release(block));
            picker.peer_left(&peer.have);
            picker.disown(slot, Speed::Slow);
            self.ask_everybody();
        }
        if self.peers.is_empty() && !self.waits_for_web_seeds() {
            self.next_tick = piecework_types::Time::NEVER;
        }
        self.request_metadata();
        self.request_hashes();
    }
}
