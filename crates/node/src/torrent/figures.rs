//! What a torrent says about itself: to trackers, and to the faces.

use super::Torrent;
use crate::announce::Facts;
use crate::dht::Standing;
use crate::engine::Shared;
use crate::event::{Phase, Status};
use crate::shard::PEERS_ENOUGH;
use piecework_disk::{PieceStore, Totals};
use piecework_types::{Bitfield, Time};

impl Torrent {
    /// What it is and wants, as far as the DHT is concerned.
    pub(crate) fn standing(&self) -> Standing {
        if !self.is_awake() {
            return Standing { is_seed: self.left_asleep == 0, wants_peers: false };
        }
        let view = self.swarm.view();
        let is_here = matches!(self.phase, Phase::Metadata | Phase::Active);
        Standing {
            is_seed: self.store.is_some() && view.missing_bytes == 0,
            wants_peers: is_here && !view.is_complete && view.peer_count < PEERS_ENOUGH,
        }
    }

    /// Payload moved in this run.
    pub(super) fn moved(&self) -> Totals {
        let view = self.swarm.view();
        Totals {
            uploaded: self.moved.uploaded + view.up_bytes,
            downloaded: self.moved.downloaded + view.down_bytes,
        }
    }

    /// What the next announce says.
    pub(crate) fn facts(&self, shared: &Shared) -> Facts {
        let (moved, view) = (self.moved(), self.swarm.view());
        let (left, is_complete) = match (self.is_awake(), &self.store) {
            (false, _) => (self.left_asleep, true),
            (true, Some(_)) => (view.missing_bytes, view.is_complete),
            // Without metadata anything but 0, which would mean a seed (BEP 3).
            (true, None) => (1, false),
        };
        Facts {
            peer_id: self.peer_id,
            port: shared.external.port(),
            key: shared.tracker_key,
            uploaded: moved.uploaded,
            downloaded: moved.downloaded,
            left,
            is_partial_seed: is_complete && left > 0,
        }
    }

    /// Whether nothing moves and nobody is there: no figures to refresh.
    pub(crate) fn is_idle(&self) -> bool {
        self.phase == Phase::Active
            && self.sockets == 0
            && self.dialer.connections() == 0
            && !self.swarm.waits_for_web_seeds()
    }

    /// Gives the faces the present figures.
    pub(crate) fn publish(&self, now: Time) {
        let view = self.swarm.view();
        let (phase, checked, wanted_bytes) = (self.phase, self.checked, self.wanted_bytes);
        let trackers = self.announcer.statuses(now);
        let known = u32::try_from(self.dialer.candidate_count()).unwrap_or(u32::MAX);
        if !self.is_awake() {
            // The rest is as it was when it lay down.
            return self.status.update(now, |status| {
                (status.phase, status.trackers, status.known) = (phase, trackers, known);
                status.is_resting = true;
            });
        }
        let moved = self.moved();
        let have = self.store.as_ref().map(PieceStore::have);
        self.status.update(now, |status| {
            *status = Status {
                phase,
                checked,
                pieces: have.as_ref().map_or(0, Bitfield::len),
                have: have.as_ref().map_or(0, Bitfield::count),
                bitfield: have.as_ref().map(Bitfield::to_wire).unwrap_or_default(),
                left_bytes: view.left_bytes,
                wanted_bytes,
                down_bytes: moved.downloaded,
                up_bytes: moved.uploaded,
                down_rate: view.down_rate_bytes,
                up_rate: view.up_rate_bytes,
                down_limit: self.down.limit(),
                wasted_bytes: self.wasted_bytes + view.wasted_bytes,
                availability_milli: self.swarm.availability_milli(),
                peers: view.peer_count as u32,
                seeds: view.seed_count as u32,
                encrypted: self.encrypted,
                known,
                refused: self.dialer.refusals().collect(),
                turned_away: self.turned_away.iter().map(|(why, count)| (*why, *count)).collect(),
                trackers,
                web_seeds: self.web_seeds.statuses(),
                is_complete: phase == Phase::Active && view.is_complete,
                is_resting: false,
            };
        });
    }
}
