//! A key in memory, for a while.

use piecework_pay::Key;
use piecework_types::Time;
use std::fmt;
use std::time::Duration;

/// A key that was unlocked with its password and locks itself again. Time is an argument: whoever holds it
/// asks at each use, and at the latest at [`Self::locks_at`], so that it is wiped on time.
pub struct Unlocked {
    key: Option<Key>,
    locks_at: Time,
}

impl Unlocked {
    /// Keeps a key for so long.
    #[must_use]
    pub fn new(key: Key, now: Time, duration: Duration) -> Self {
        Self { key: Some(key), locks_at: now + duration }
    }

    /// The key, while it is unlocked. From its time on it is wiped, and does not come back.
    pub fn key(&mut self, now: Time) -> Option<&Key> {
        if now >= self.locks_at {
            self.lock();
        }
        self.key.as_ref()
    }

    /// Wipes the key.
    pub fn lock(&mut self) {
        self.key = None;
    }

    /// When it locks itself.
    #[must_use]
    pub fn locks_at(&self) -> Time {
        self.locks_at
    }
}

impl fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, locks_at } = self;
        f.debug_struct("Unlocked").field("key", key).field("locks_at", locks_at).finish()
    }
}
