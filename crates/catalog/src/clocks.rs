//! What the engine says of a torrent, counted: bytes, time, the rate of the last seconds, slowness.
//!
//! Invariant: figures that did not change cost nothing, and counts alone do not have a record written more
//! often than every few minutes.

use crate::catalog::Catalog;
use crate::field::Field;
use crate::field_set::FieldSet;
use crate::life::{Entry, Life};
use crate::moment::Moment;
use crate::record::StopAt;
use crate::rules::QueueRules;
use crate::torrent::Figures;
use piecework_types::{InfoHash, Time};
use std::time::Duration;

/// Between two looks at all torrents.
pub(crate) const SWEEP: Duration = Duration::from_secs(10);
/// How long a torrent has to be slow to count as slow, and fast to count as fast again.
const SLOW_AFTER: Duration = Duration::from_secs(60);
/// Counts of bytes are written down after this long.
const SAVE_BYTES: Duration = Duration::from_secs(5 * 60);
/// Counts of time alone are: a restart loses so much of them, and thousands of quiet torrents cost little.
const SAVE_TIME: Duration = Duration::from_secs(30 * 60);
/// How far back the smooth rate looks.
const SMOOTH: Duration = Duration::from_secs(10);
/// Dates that would change with each observation are not told more often.
const DATE_STEP_SECONDS: u64 = 60;
/// Availability in thousandths at which every piece is there once.
const WHOLE_MILLI: u32 = 1000;

/// What is remembered of a torrent's time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clocks {
    /// Its time in the engine is counted up to here.
    counted_at: Time,
    /// It was written down.
    saved_at: Time,
    /// Bytes were counted since.
    has_bytes: bool,
    smoothed_at: Time,
    /// When it last sent payload, or began to seed.
    pub(crate) sent_at: Time,
    /// It does not take a place in the queue.
    pub(crate) is_slow: bool,
    /// Since when that is no longer true.
    slow_turned_at: Option<Time>,
}

impl Clocks {
    /// Thousands that are loaded at once are written down at different times.
    pub(crate) fn begin(&mut self, id: InfoHash, now: Time) {
        *self = Self {
            counted_at: now,
            saved_at: now - SAVE_TIME * u32::from(id.0[0]) / 512,
            smoothed_at: now,
            sent_at: now,
            ..Self::default()
        };
    }

    pub(crate) const fn saved(&mut self, now: Time) {
        (self.saved_at, self.has_bytes) = (now, false);
    }

    /// It seeds from now on: slowness is that of the other direction.
    pub(crate) const fn turn_seed(&mut self) {
        (self.is_slow, self.slow_turned_at) = (false, None);
    }

    fn is_due(&self, now: Time) -> bool {
        now.since(self.saved_at) >= if self.has_bytes { SAVE_BYTES } else { SAVE_TIME }
    }
}

impl Entry {
    /// Takes new figures in; gives whether something happened that is more than a count, and whether the
    /// record is to be written down at once.
    fn observe(&mut self, figures: Figures, moment: Moment) -> Seen {
        let is_first = self.life == Life::Loading;
        if is_first {
            self.life = Life::Loaded;
            self.clocks.counted_at = moment.now;
        }
        self.count_bytes(&figures, moment);
        self.smooth(figures.down_rate, moment.now, is_first);
        let was_checking = self.torrent.figures.checking_milli.is_some();
        self.torrent.figures = figures;
        let mut seen = Seen {
            is_turn: is_first || was_checking != figures.checking_milli.is_some(),
            is_record: false,
        };
        let is_known = figures.is_complete || figures.wanted_bytes > 0;
        if figures.checking_milli.is_none() && !figures.is_fetching_metadata && is_known {
            self.know(figures, moment, &mut seen);
        }
        seen
    }

    /// The engine knows what is there.
    fn know(&mut self, figures: Figures, moment: Moment, seen: &mut Seen) {
        let record = &mut self.torrent.record;
        record.last.wanted_bytes = figures.wanted_bytes;
        record.last.left_bytes = figures.left_bytes;
        seen.is_record |= std::mem::take(&mut record.is_trusted);
        if record.stop_at == Some(StopAt::Checked) {
            record.stop_here();
            (seen.is_turn, seen.is_record) = (true, true);
        }
        let is_whole = figures.seeds > 0
            || figures.availability_milli.is_some_and(|copies| copies >= WHOLE_MILLI);
        let seen_at = record.totals.seen_complete_at.unwrap_or(0);
        if is_whole && moment.unix.abs_diff(seen_at) >= DATE_STEP_SECONDS {
            record.totals.seen_complete_at = Some(moment.unix);
        }
        let has_turned = if figures.is_complete {
            record.completed_at.is_none() | self.complete(moment.unix)
        } else {
            std::mem::take(&mut record.is_complete)
        };
        if has_turned {
            (self.clocks.sent_at, seen.is_turn, seen.is_record) = (moment.now, true, true);
        }
    }

    /// Adds what moved since the last figures of this load.
    fn count_bytes(&mut self, figures: &Figures, moment: Moment) {
        let old = &self.torrent.figures;
        let down = figures.down_bytes.saturating_sub(old.down_bytes);
        let up = figures.up_bytes.saturating_sub(old.up_bytes);
        let wasted = figures.wasted_bytes.saturating_sub(old.wasted_bytes);
        if down == 0 && up == 0 && wasted == 0 {
            return;
        }
        let totals = &mut self.torrent.record.totals;
        totals.down_bytes = totals.down_bytes.saturating_add(down);
        totals.up_bytes = totals.up_bytes.saturating_add(up);
        totals.wasted_bytes = totals.wasted_bytes.saturating_add(wasted);
        self.clocks.has_bytes = true;
        if down > 0 || up > 0 {
            totals.last_activity_at = Some(moment.unix);
        }
        if up > 0 {
            self.clocks.sent_at = moment.now;
        }
    }

    /// Counts whole seconds in the engine up to now.
    pub(crate) fn count_time(&mut self, now: Time) {
        if self.life != Life::Loaded {
            return;
        }
        let seconds = now.since(self.clocks.counted_at).as_secs();
        self.clocks.counted_at += Duration::from_secs(seconds);
        let is_seeding =
            self.torrent.record.is_complete && self.torrent.figures.checking_milli.is_none();
        let totals = &mut self.torrent.record.totals;
        totals.active_seconds = totals.active_seconds.saturating_add(seconds);
        if is_seeding {
            totals.seeding_seconds = totals.seeding_seconds.saturating_add(seconds);
        }
    }

    /// Moves the smooth rate towards the present one; gives whether it changed.
    fn smooth(&mut self, rate: u64, now: Time, is_first: bool) -> bool {
        let passed = now.since(self.clocks.smoothed_at).min(SMOOTH).as_millis();
        self.clocks.smoothed_at = now;
        let old = self.torrent.smooth_rate;
        let whole = SMOOTH.as_millis();
        self.torrent.smooth_rate = if is_first || old == 0 {
            rate
        } else {
            let sum = u128::from(old) * (whole - passed) + u128::from(rate) * passed;
            u64::try_from(sum / whole).unwrap_or(u64::MAX)
        };
        old != self.torrent.smooth_rate
    }

    /// Looks whether it is slow in its direction; gives whether that turned.
    fn judge_speed(&mut self, rules: &QueueRules, now: Time) -> bool {
        let figures = &self.torrent.figures;
        let rate =
            if self.torrent.record.is_complete { figures.up_rate } else { figures.down_rate };
        let is_slow = rules.slow_below.is_some_and(|least| rate < least);
        if figures.checking_milli.is_some() || is_slow == self.clocks.is_slow {
            self.clocks.slow_turned_at = None;
            return false;
        }
        let since = *self.clocks.slow_turned_at.get_or_insert(now);
        let has_turned = now.since(since) >= SLOW_AFTER || rules.slow_below.is_none();
        if has_turned {
            (self.clocks.is_slow, self.clocks.slow_turned_at) = (is_slow, None);
        }
        has_turned
    }
}

/// What an observation brought besides counts.
#[derive(Clone, Copy, Debug)]
struct Seen {
    is_turn: bool,
    is_record: bool,
}

impl Catalog {
    pub(crate) fn take_figures(&mut self, id: InfoHash, figures: Figures, moment: Moment) {
        let Some(entry) = self.torrents.get_mut(&id) else { return };
        match entry.life {
            Life::Loaded if entry.torrent.figures == figures => return,
            Life::Loading | Life::Loaded => {}
            Life::Unloading => {
                entry.count_bytes(&figures, moment);
                let old = &mut entry.torrent.figures;
                old.down_bytes = old.down_bytes.max(figures.down_bytes);
                old.up_bytes = old.up_bytes.max(figures.up_bytes);
                old.wasted_bytes = old.wasted_bytes.max(figures.wasted_bytes);
                self.journal.observe(&entry.torrent, &mut entry.marks, FieldSet::FIGURES);
                return;
            }
            Life::Out | Life::Moving(_) | Life::Renaming(_) => return,
        }
        let seen = entry.observe(figures, moment);
        let is_low = self.drives.is_low(entry.torrent.folder());
        entry.torrent.stage = entry.stage(is_low);
        self.journal.observe(&entry.torrent, &mut entry.marks, FieldSet::FIGURES);
        let is_due = entry.clocks.is_due(moment.now);
        if seen.is_record || is_due {
            self.mark(id);
        }
        if seen.is_turn {
            self.settle(id);
        }
        self.keep_share_limits(id);
    }

    /// Looks at all torrents that take part: time, speed, share limits, what is to be written down.
    pub(crate) fn sweep(&mut self, moment: Moment) {
        let (mut due, mut turned) = (Vec::new(), Vec::new());
        for (id, entry) in &mut self.torrents {
            if entry.life != Life::Loaded {
                continue;
            }
            entry.count_time(moment.now);
            if entry.judge_speed(&self.rules.queue, moment.now) {
                turned.push(*id);
            }
            if entry.smooth(entry.torrent.figures.down_rate, moment.now, false) {
                let eta = FieldSet::from_iter([Field::EtaSeconds]);
                self.journal.observe(&entry.torrent, &mut entry.marks, eta);
            }
            if entry.clocks.is_due(moment.now) {
                due.push(*id);
            }
        }
        due.into_iter().for_each(|id| self.mark(id));
        turned.into_iter().for_each(|id| self.settle(id));
        let loaded: Vec<_> = self.limited_seeds();
        loaded.into_iter().for_each(|id| self.keep_share_limits(id));
    }
}
