//! The node's speeds: which of the two hold, and since when.
//!
//! The schedule speaks at its edges only: what a person switched in between holds until the next one. Local
//! time is a value of each call, so an hour that a clock skips or repeats needs no care: the schedule is
//! asked what holds at this minute. At the first tick of a run the schedule says what holds, if there is
//! one: an edge may have passed while nothing ran.

use crate::catalog::Catalog;
use crate::command::Refusal;
use crate::effect::Effect;
use crate::moment::{LocalTime, Moment};
use crate::rules::AlternativeSchedule;

const WEEK_DAYS: u8 = 7;

impl AlternativeSchedule {
    /// Whether the alternative speeds hold at this time.
    pub const fn holds(&self, local: LocalTime) -> bool {
        let today = self.days.contains(local.weekday);
        let yesterday = self.days.contains((local.weekday % WEEK_DAYS + WEEK_DAYS - 1) % WEEK_DAYS);
        if self.from == self.to {
            today
        } else if self.from < self.to {
            today && self.from <= local.minute && local.minute < self.to
        } else {
            (today && self.from <= local.minute) || (yesterday && local.minute < self.to)
        }
    }
}

impl Catalog {
    /// Follows the schedule over an edge.
    pub(crate) fn follow_schedule(&mut self, moment: Moment) {
        let holds = self.rules.schedule.map(|schedule| schedule.holds(moment.local));
        if holds != self.scheduled {
            self.scheduled = holds;
            self.is_alternative = holds.unwrap_or(self.is_alternative);
            self.journal.raise();
        }
        self.tell_speed();
    }

    /// A person switches by hand.
    pub(crate) fn set_alternative(
        &mut self,
        is_alternative: bool,
        moment: Moment,
    ) -> Result<(), Refusal> {
        self.scheduled = self.rules.schedule.map(|schedule| schedule.holds(moment.local));
        if self.is_alternative != is_alternative {
            self.journal.raise();
        }
        self.is_alternative = is_alternative;
        self.tell_speed();
        Ok(())
    }

    fn tell_speed(&mut self) {
        let speed = if self.is_alternative { self.rules.alternative } else { self.rules.speed };
        if self.speed != Some(speed) {
            // No torrent has changed, but what faces show of the node.
            self.journal.raise();
            self.speed = Some(speed);
            self.effects.push_back(Effect::NodeLimits { down: speed.down, up: speed.up });
        }
    }
}
