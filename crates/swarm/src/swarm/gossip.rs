//! Peer exchange (BEP 11): who is told of whom, and what is taken from whom.
//!
//! Nothing is told before the metadata is known: it may turn out that the torrent is private.

use super::Swarm;
use crate::dialer::address::canonical;
use crate::drop_reason::DropReason;
use crate::exchange::{Heard, Members};
use crate::machine::Output;
use crate::peer::Peer;
use piecework_types::PeerSlot;
use piecework_wire::extension::{Extension, Pex, PexFlags, PexPeer};
use std::net::SocketAddr;

impl Swarm {
    /// Whether peers are exchanged at all (BEP 27: not in a private torrent).
    pub(super) const fn exchanges_peers(&self) -> bool {
        self.config.exchanges_peers && !self.is_private
    }

    /// Tells each peer whose turn has come what has changed.
    pub(super) fn tell_of_peers(&mut self) {
        if !self.exchanges_peers() || self.picker.is_none() {
            return;
        }
        let now = self.now;
        let is_due = |peer: &Peer| {
            peer.extensions.get(Extension::Pex).is_some() && peer.exchange.is_due(now)
        };
        let due: Vec<PeerSlot> =
            self.peers.iter().filter(|(_, peer)| is_due(peer)).map(|(slot, _)| slot).collect();
        if due.is_empty() {
            return;
        }
        let members = self.members();
        for slot in due {
            let Some(peer) = self.peers.get_mut(slot) else { continue };
            let to = listening(peer).unwrap_or_else(|| canonical(peer.hello.address));
            if let Some(pex) = peer.exchange.message(to, &members, &mut self.rng, now) {
                self.send_extension(slot, Extension::Pex, pex.encode());
            }
        }
    }

    fn members(&self) -> Members {
        let member = |(_, peer): (PeerSlot, &Peer)| {
            let mut flags = PexFlags::default();
            if peer.prefers_encryption {
                flags = flags.with(PexFlags::ENCRYPTION);
            }
            if peer.is_done() {
                flags = flags.with(PexFlags::SEED);
            }
            if peer.hello.outgoing {
                flags = flags.with(PexFlags::REACHABLE);
            }
            Some((listening(peer)?, flags))
        };
        self.peers.iter().filter_map(member).collect()
    }

    /// A peer tells us of others.
    pub(super) fn pex(&mut self, slot: PeerSlot, pex: &Pex) -> Result<(), DropReason> {
        let is_upload_only = self.is_upload_only();
        let exchanges_peers = self.exchanges_peers();
        let Some(peer) = self.peers.get_mut(slot) else { return Ok(()) };
        match peer.exchange.hear(self.now) {
            Heard::Flood => return Err(DropReason::ExchangeFlood),
            Heard::TooSoon => return Ok(()),
            Heard::Fresh if !exchanges_peers => return Ok(()),
            Heard::Fresh => {}
        }
        let from = peer.hello.address.ip().to_canonical();
        let known = self.members();
        // Two that only upload have nothing to give each other.
        let is_useful = |told: &&PexPeer| !(is_upload_only && told.flags.has(PexFlags::SEED));
        let useful = pex.added.iter().filter(is_useful).map(|told| canonical(told.address));
        let addresses: Vec<_> = useful.filter(|address| !known.contains_key(address)).collect();
        if !addresses.is_empty() {
            self.outputs.push_back(Output::PeersLearned { from, addresses });
        }
        Ok(())
    }
}

/// Where others can connect to the peer, if that is known.
fn listening(peer: &Peer) -> Option<SocketAddr> {
    let address = canonical(peer.hello.address);
    if peer.hello.outgoing {
        return Some(address);
    }
    peer.listen_port.map(|port| SocketAddr::new(address.ip(), port))
}
