//! How a torrent goes to rest and what it is then; when is the shard's business.

use super::{Torrent, machine_config};
use crate::config::{AddTorrent, Source};
use crate::engine::Shared;
use crate::event::{Phase, TorrentKey};
use crate::limits::Quota;
use crate::prepare::{Job, Metadata};
use crate::setup::Resting;
use crate::shard::ShardHandle;
use crate::slots::Slots;
use piecework_disk::PieceStore;
use piecework_metainfo::{Magnet, PieceLayers};
use piecework_swarm::Swarm;
use piecework_types::{Bitfield, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How far a torrent is from working memory.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Rest {
    #[default]
    Awake,
    /// Awake while its metadata goes to the state folder.
    Keeping,
    /// Its last record is being written.
    LyingDown,
    Asleep,
    /// It is made anew from the state folder.
    Waking,
}

impl Torrent {
    /// A job about it for a thread that may wait for a drive. One at a time.
    pub(crate) fn job(&mut self, key: TorrentKey, metadata: Metadata, shard: &ShardHandle) -> Job {
        let token = Arc::new(());
        let torrent = Arc::downgrade(&token);
        self.preparing = Some(token);
        Job {
            key,
            info_hashes: self.info_hashes,
            spec: Arc::clone(&self.spec),
            metadata,
            lock: self.lock.clone(),
            torrent,
            shard: shard.clone(),
        }
    }

    /// Whether its machine and its store are there, or wait for their first content.
    pub(crate) const fn is_awake(&self) -> bool {
        matches!(self.rest, Rest::Awake | Rest::Keeping)
    }

    /// Whether no new torrent's files are being looked at.
    pub(crate) const fn is_prepared(&self) -> bool {
        !matches!(self.phase, Phase::Metadata) || self.preparing.is_none()
    }

    /// Piece layers of a v2 or hybrid torrent, as far as they are known.
    pub(crate) fn layers(&self) -> Option<Arc<PieceLayers>> {
        self.store.as_ref().and_then(PieceStore::layers)
    }

    /// It rests from the start: all of it is there.
    pub(super) fn begin_asleep(&mut self, resting: Resting, now: Time) {
        let Resting { lock, pieces, is_private, totals, wanted_bytes, .. } = resting;
        self.wanted_bytes = wanted_bytes;
        (self.rest, self.phase) = (Rest::Asleep, Phase::Active);
        (self.lock, self.totals) = (Some(lock), totals);
        self.is_private |= is_private;
        self.status.update(now, |status| {
            (status.pieces, status.have, status.is_complete) = (pieces, pieces, true);
            status.bitfield = Bitfield::full(pieces).to_wire();
            status.wanted_bytes = wanted_bytes;
        });
        self.publish(now);
    }

    /// Gives up everything that [`Self::job`] is enough to make anew, and asks for a last record.
    pub(crate) fn lie_down(&mut self, shared: &Shared, now: Time) {
        self.publish(now);
        self.left_asleep = self.swarm.view().missing_bytes;
        self.save(true);
        self.is_private |= self.content.as_ref().is_some_and(|content| content.info.is_private());
        self.forget_machine(shared, now);
        self.content = None;
        self.web_seeds.rest();
        if matches!(self.spec.source, Source::Metainfo(_)) {
            let source = Source::Magnet(Box::new(Magnet::new(self.info_hashes)));
            self.spec = Arc::new(AddTorrent { source, ..(*self.spec).clone() });
        }
        self.trouble = None;
        (self.rest, self.rest_at, self.had_company) = (Rest::LyingDown, Time::NEVER, false);
    }

    /// Starts with a new machine, that waits for its content. Nobody may be connected.
    pub(crate) fn forget_machine(&mut self, shared: &Shared, now: Time) {
        let view = self.swarm.view();
        self.totals.uploaded += view.up_bytes;
        self.totals.downloaded += view.down_bytes;
        self.wasted_bytes += view.wasted_bytes;
        self.moved = self.moved();
        let config = machine_config(shared, self.info_hashes, self.peer_id, self.is_private());
        self.swarm = Swarm::new(config, now);
        self.prepare_machines(shared, now);
        self.web_seeds.stop_all();
        self.late_reads = BTreeMap::new();
        self.peers = Slots::default();
        self.quota = Quota::default();
        self.done_is_due = false;
    }

    /// Whether nothing would be missed if it rested.
    pub(crate) fn may_rest(&self) -> bool {
        self.rest == Rest::Awake
            && self.store.is_some()
            && self.is_idle()
            && self.swarm.view().is_complete
            && self.dialer.wanted() == 0
            && self.saves_due == 0
            && self.save_at == Time::NEVER
            && !self.done_is_due
            && self.late_reads.is_empty()
            && self.wanted_layers.is_none()
            && self.preparing.is_none()
    }
}
