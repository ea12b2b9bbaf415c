//! The part of the settings that the catalog follows.

use crate::bytes::ByteRate;
use crate::settings::Settings;
use crate::value::Weekday;
use piecework_catalog::{AlternativeSchedule, Days, QueueRules, Rules, SpeedLimits};

impl Settings {
    /// What the catalog follows.
    pub fn rules(&self) -> Rules {
        let (queue, speed, schedule) = (self.queue(), self.speed(), self.schedule());
        let rate = |rate: Option<ByteRate>| rate.map(|rate| rate.0);
        Rules {
            save_path: self.torrents().save_path.0.clone(),
            incomplete_path: self.torrents().incomplete_path.as_ref().map(|it| it.0.clone()),
            is_automatic: self.torrents().automatic,
            adds_stopped: self.torrents().add_stopped,
            queue: QueueRules {
                is_on: queue.on,
                downloads_max: queue.downloads_max,
                seeds_max: queue.seeds_max,
                active_max: queue.active_max,
                slow_below: rate(queue.slow_below),
            },
            ratio_milli: self.share().ratio.map(|ratio| ratio.milli),
            seeding_minutes: self.share().seeding_minutes,
            inactive_minutes: self.share().inactive_minutes,
            share_action: self.share().action,
            speed: SpeedLimits { down: rate(speed.down), up: rate(speed.up) },
            alternative: SpeedLimits {
                down: rate(speed.alternative_down),
                up: rate(speed.alternative_up),
            },
            schedule: schedule.on.then(|| AlternativeSchedule {
                from: schedule.from.minute,
                to: schedule.to.minute,
                days: days(&schedule.days),
            }),
            free_space_min: self.disk().free_space_min.0,
        }
    }
}

fn days(days: &[Weekday]) -> Days {
    Days(days.iter().fold(0, |bits, day| bits | 1 << *day as u8))
}
