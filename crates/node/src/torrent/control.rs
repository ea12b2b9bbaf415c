//! What of a torrent changes while it runs, and how it is when it is made anew.

use super::Torrent;
use crate::config::{AddTorrent, FilePriorities};
use crate::connection::Connection;
use crate::control::{ClientPrefix, PeerSource, PeerStatus};
use crate::event::Phase;
use crate::limits::NodeLimits;
use crate::setup::{file_priorities, piece_priorities, wanted_bytes};
use piecework_disk::PieceStore;
use piecework_swarm::{DialerInput, Input, PeerView, PieceState};
use piecework_types::{Bitfield, PieceIndex, Time};
use std::sync::Arc;

impl Torrent {
    /// Its limits are others.
    pub(crate) fn set_limits(
        &mut self,
        down: Option<u64>,
        up: Option<u64>,
        node: &NodeLimits,
        now: Time,
    ) {
        self.down.set(down, now);
        self.up.set(up, now);
        self.look_at_limits(node, now);
    }

    /// Tells the machine whether any limit holds.
    pub(crate) fn look_at_limits(&mut self, node: &NodeLimits, now: Time) {
        let is_limited = self.up.is_limited() || node.up.is_limited();
        self.swarm.handle(Input::UploadLimited(is_limited), now);
    }

    pub(crate) fn set_sequential(&mut self, is_sequential: bool, now: Time) {
        self.spec_mut().is_sequential = is_sequential;
        self.swarm.handle(Input::Sequential(is_sequential), now);
    }

    pub(crate) fn set_super_seed(&mut self, is_super_seed: bool, now: Time) {
        self.spec_mut().is_super_seed = is_super_seed;
        self.swarm.handle(Input::SuperSeed(is_super_seed), now);
    }

    pub(crate) fn set_edges_first(&mut self, edges_first: bool, now: Time) {
        self.spec_mut().edges_first = edges_first;
        self.order_edges(now);
    }

    /// Tells the machine which pieces go first, once the files are known.
    pub(crate) fn order_edges(&mut self, now: Time) {
        let Some(content) = &self.content else { return };
        let wanted = (0..).zip(&content.priorities).filter(|(_, priority)| **priority > 0);
        let edges = match self.spec.edges_first {
            true => content.info.layout().edges(wanted.map(|(file, _)| file)),
            false => Vec::new(),
        };
        self.swarm.handle(Input::AskFirst(edges), now);
    }

    /// Remembers what is wanted from now on, for when the files are known.
    pub(crate) fn choose(&mut self, choose: FilePriorities) {
        self.spec_mut().priorities = Some(choose);
    }

    /// Brings what is wanted to the store and the machine, if that has changed.
    pub(crate) fn apply_priorities(&mut self, now: Time) {
        if self.phase != Phase::Active || !self.take_priorities() {
            return;
        }
        let Some(content) = &self.content else { return };
        let priorities = piece_priorities(&self.spec, &content.info, &content.priorities);
        self.wanted_bytes = wanted_bytes(&content.info, &priorities);
        self.swarm.handle(Input::Prioritise(priorities), now);
        self.order_edges(now);
        if !self.swarm.view().is_complete {
            // The machine says so again once it is.
            self.done_is_due = false;
            self.dialer.handle(DialerInput::Active(true), now);
        }
    }

    /// Asks anew which files are wanted; whether it is news. The store hears of it.
    pub(crate) fn take_priorities(&mut self) -> bool {
        let (Some(content), Some(store)) = (&mut self.content, &mut self.store) else {
            return false;
        };
        let priorities = file_priorities(&self.spec, &content.info);
        if priorities == content.priorities {
            return false;
        }
        let wanted: Vec<bool> = priorities.iter().map(|&priority| priority > 0).collect();
        if !self.spec.is_seed_only {
            store.set_wanted(&wanted);
        }
        content.priorities = priorities;
        true
    }

    /// How far each piece is.
    pub(crate) fn piece_states(&self) -> Vec<PieceState> {
        let states: Vec<PieceState> = self.swarm.piece_states().collect();
        if !states.is_empty() {
            return states;
        }
        // Being checked, or at rest.
        let have = self.store.as_ref().map(PieceStore::have).or_else(|| self.status.have());
        let have = have.unwrap_or_else(|| Bitfield::new(0));
        let state = |piece| match have.contains(PieceIndex::trusted(piece)) {
            true => PieceState::Have,
            false => PieceState::Missing,
        };
        (0..have.len()).map(state).collect()
    }

    pub(crate) fn peer_status(
        &self,
        view: &PeerView<'_>,
        connection: &Connection,
        now: Time,
    ) -> PeerStatus {
        let pieces = u64::from(self.swarm.view().have.len()).max(1);
        let source = match view.is_outgoing {
            true => self.dialer.source_of(view.address).map_or(PeerSource::Given, Into::into),
            false => PeerSource::Incoming,
        };
        PeerStatus {
            address: connection.remote(),
            client: match view.client {
                Some(client) => client.to_owned(),
                None => ClientPrefix(view.peer_id).to_string(),
            },
            is_outgoing: view.is_outgoing,
            is_encrypted: connection.is_encrypted,
            am_choking: view.am_choking,
            am_interested: view.am_interested,
            is_choking: view.is_choking,
            is_interested: view.is_interested,
            is_snubbed: view.is_snubbed,
            is_free_rider: view.is_free_rider,
            progress_milli: (u64::from(view.have_count) * 1000 / pieces) as u32,
            down_rate: view.down_rate_bytes,
            up_rate: view.up_rate_bytes,
            down_bytes: view.down_bytes,
            up_bytes: view.up_bytes,
            source,
            connected_for: now.since(connection.opened_at),
        }
    }

    fn spec_mut(&mut self) -> &mut AddTorrent {
        Arc::make_mut(&mut self.spec)
    }
}
