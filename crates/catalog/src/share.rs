//! How much a complete torrent gives back, and what happens then.
//!
//! A limit of the torrent's own counts before that of all. What has reached a limit is acted upon once: if a
//! person starts it again, that limit does not stop it a second time until limits change ([`Spared`]).

use crate::catalog::Catalog;
use crate::effect::{Effect, ShareLimit};
use crate::life::{Entry, Life};
use crate::record::{Limit, Record, ShareAction, Spared};
use crate::rules::Rules;
use crate::torrent::Torrent;
use piecework_types::{InfoHash, Time};

const MINUTE_SECONDS: u64 = 60;
const MILLI: u64 = 1000;
/// A torrent of which less than one part of so many was received had its files before.
const RECEIVED_PARTS: u64 = 100;

/// Limits of one torrent, after those of all were filled in.
struct Limits {
    ratio_milli: Option<u32>,
    seeding_minutes: Option<u32>,
    inactive_minutes: Option<u32>,
}

impl Limits {
    fn of(record: &Record, rules: &Rules) -> Self {
        let share = &record.share;
        Self {
            ratio_milli: effective(share.ratio_milli, rules.ratio_milli),
            seeding_minutes: effective(share.seeding_minutes, rules.seeding_minutes),
            inactive_minutes: effective(share.inactive_minutes, rules.inactive_minutes),
        }
    }

    const fn has_any(&self) -> bool {
        self.ratio_milli.is_some()
            || self.seeding_minutes.is_some()
            || self.inactive_minutes.is_some()
    }

    /// Which of the limits that last are reached.
    fn reached(&self, torrent: &Torrent) -> Spared {
        let minutes = torrent.record.totals.seeding_seconds / MINUTE_SECONDS;
        Spared {
            ratio: self
                .ratio_milli
                .is_some_and(|limit| torrent.ratio_milli().is_some_and(|it| it >= limit.into())),
            seeding: self.seeding_minutes.is_some_and(|limit| minutes >= limit.into()),
        }
    }
}

fn effective<T>(own: Limit<T>, of_all: Option<T>) -> Option<T> {
    match own {
        Limit::Global => of_all,
        Limit::Unlimited => None,
        Limit::Of(limit) => Some(limit),
    }
}

impl Torrent {
    /// Sent over received in thousandths; see [`crate::Field::RatioMilli`].
    pub fn ratio_milli(&self) -> Option<u64> {
        let there = self.record.last.wanted_bytes.saturating_sub(self.record.last.left_bytes);
        let received = self.down_bytes();
        let whole = if received < there / RECEIVED_PARTS { there } else { received };
        (whole > 0).then(|| {
            let ratio = u128::from(self.up_bytes()) * u128::from(MILLI) / u128::from(whole);
            u64::try_from(ratio).unwrap_or(u64::MAX)
        })
    }
}

impl Entry {
    /// What is to happen to it now, and which limit says so.
    fn due_action(&self, rules: &Rules, now: Time) -> Option<(ShareLimit, ShareAction)> {
        let record = &self.torrent.record;
        let is_seeding = self.life == Life::Loaded
            && record.is_complete
            && self.torrent.figures.checking_milli.is_none();
        if !is_seeding {
            return None;
        }
        let limits = Limits::of(record, rules);
        if !limits.has_any() {
            return None;
        }
        let reached = limits.reached(&self.torrent);
        let quiet = now.since(self.clocks.sent_at).as_secs() / MINUTE_SECONDS;
        let limit = if reached.ratio && !record.spared.ratio {
            ShareLimit::Ratio
        } else if reached.seeding && !record.spared.seeding {
            ShareLimit::Seeding
        } else if limits.inactive_minutes.is_some_and(|limit| quiet >= limit.into()) {
            ShareLimit::Inactive
        } else {
            return None;
        };
        let action = match record.share.action {
            Limit::Of(action) => action,
            Limit::Global | Limit::Unlimited => rules.share_action,
        };
        let is_done = action == ShareAction::SuperSeed && record.is_super_seed;
        (!is_done).then_some((limit, action))
    }

    /// A person wants it to go on: what it has reached does not stop it again.
    pub(crate) fn spare(&mut self, rules: &Rules) {
        let reached = Limits::of(&self.torrent.record, rules).reached(&self.torrent);
        let spared = &mut self.torrent.record.spared;
        if self.torrent.record.is_complete {
            spared.ratio |= reached.ratio;
            spared.seeding |= reached.seeding;
        }
    }
}

impl Catalog {
    /// Does to a torrent what its share limits say.
    pub(crate) fn keep_share_limits(&mut self, id: InfoHash) {
        let Some(moment) = self.moment else { return };
        let Some(entry) = self.torrents.get_mut(&id) else { return };
        let Some((limit, action)) = entry.due_action(&self.rules, moment.now) else { return };
        let name = entry.torrent.record.name.clone();
        self.effects.push_back(Effect::LimitReached { id, name, limit, action });
        let record = &mut entry.torrent.record;
        match action {
            ShareAction::Stop => (record.is_stopped, record.is_forced) = (true, false),
            ShareAction::SuperSeed => {
                record.is_super_seed = true;
                self.effects.push_back(Effect::Manner(id));
            }
            ShareAction::Remove => return self.expel(id, false),
            ShareAction::RemoveWithFiles => return self.expel(id, true),
        }
        self.mark(id);
        self.settle(id);
    }

    /// Torrents that take part and may have reached a limit by time alone.
    pub(crate) fn limited_seeds(&self) -> Vec<InfoHash> {
        let Some(moment) = self.moment else { return Vec::new() };
        let due = self
            .torrents
            .iter()
            .filter(|(_, entry)| entry.due_action(&self.rules, moment.now).is_some());
        due.map(|(id, _)| *id).collect()
    }
}
