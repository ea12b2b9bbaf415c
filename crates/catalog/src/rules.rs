//! Settings that the catalog follows.

use crate::record::ShareAction;
use serde::{Deserialize, Serialize};

/// All of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    /// Where complete torrents lie unless they say otherwise; absolute.
    pub save_path: String,
    /// Where torrents lie until they are complete; `None`: where they lie later.
    pub incomplete_path: Option<String>,
    /// New torrents follow their category's paths.
    pub is_automatic: bool,
    /// New torrents wait for a person to start them, unless whoever adds them says otherwise.
    pub adds_stopped: bool,
    /// How many take part at once.
    pub queue: QueueRules,
    /// Sent over received in thousandths, for torrents without a limit of their own.
    pub ratio_milli: Option<u32>,
    /// Minutes of seeding, for torrents without a limit of their own.
    pub seeding_minutes: Option<u32>,
    /// Minutes without anything sent, for torrents without a limit of their own.
    pub inactive_minutes: Option<u32>,
    /// What happens at a share limit.
    pub share_action: ShareAction,
    /// Speeds of the node.
    pub speed: SpeedLimits,
    /// Speeds of the node while the alternative ones hold.
    pub alternative: SpeedLimits,
    /// When they hold by themselves.
    pub schedule: Option<AlternativeSchedule>,
    /// Free space below which no torrent downloads on, bytes. 0: no guard.
    pub free_space_min: u64,
}

/// How many torrents take part at once. Forced ones neither wait nor count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueueRules {
    /// There is a queue.
    pub is_on: bool,
    /// Torrents that download, or fetch their info dictionary; `None` for no limit.
    pub downloads_max: Option<u32>,
    /// Complete torrents that seed.
    pub seeds_max: Option<u32>,
    /// Both together; downloads come first.
    pub active_max: Option<u32>,
    /// Torrents slower than this, bytes a second in their direction for a minute, count neither as
    /// downloads nor as seeds, until they have been faster for a minute. They do count for `active_max`, so
    /// that a node does not end up with all of them. `None`: all count.
    pub slow_below: Option<u64>,
}

impl Default for QueueRules {
    /// Five downloads and as many seeds as there are: a complete torrent that nobody wants costs nothing.
    fn default() -> Self {
        Self {
            is_on: true,
            downloads_max: Some(5),
            seeds_max: None,
            active_max: None,
            slow_below: None,
        }
    }
}

/// Limits in bytes a second; `None` for none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SpeedLimits {
    /// Of what is received.
    pub down: Option<u64>,
    /// Of what is sent.
    pub up: Option<u64>,
}

/// When the alternative speeds hold. Where `from` is later than `to` they hold over midnight, and the day is
/// the one they begin on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AlternativeSchedule {
    /// Minute of the day they begin, 0 to 1439.
    pub from: u16,
    /// Minute of the day they end, 0 to 1439; the same as `from` means all day.
    pub to: u16,
    /// On which days.
    pub days: Days,
}

/// Days of a week, bit 0 for Monday.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Days(pub u8);

impl Days {
    /// All seven.
    pub const ALL: Self = Self(0x7f);

    /// Whether the day is one of them; 0 is Monday.
    pub const fn contains(self, weekday: u8) -> bool {
        self.0 >> (weekday % 7) & 1 == 1
    }
}
