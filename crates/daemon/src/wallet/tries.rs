//! How often the wallet's password may be wrong: five times, and then at longer and longer intervals. Who may
//! try it at all has a key or a login that may spend; this slows down one that was stolen.

use std::time::{Duration, Instant};

/// Wrong passwords in a row without a pause.
const FREE: u32 = 5;
/// The first pause, and the longest.
const PAUSE: Duration = Duration::from_secs(30);
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// Passwords that were wrong since the last right one.
#[derive(Debug, Default)]
pub(super) struct Tries {
    wrong: u32,
    until: Option<Instant>,
}

impl Tries {
    /// Whether one may be tried; else how long to wait.
    pub(super) fn admit(&self, now: Instant) -> Result<(), Duration> {
        match self.until {
            Some(until) if until > now => Err(until - now),
            _ => Ok(()),
        }
    }

    pub(super) fn right(&mut self) {
        *self = Self::default();
    }

    pub(super) fn wrong(&mut self, now: Instant) {
        self.wrong = self.wrong.saturating_add(1);
        if self.wrong >= FREE {
            let doublings = (self.wrong - FREE).min(16);
            let pause = PAUSE.saturating_mul(1 << doublings).min(PAUSE_MAX);
            self.until = now.checked_add(pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_wrong_password_in_a_row_brings_pauses_that_double_until_one_is_right() {
        let (mut tries, mut now) = (Tries::default(), Instant::now());
        for _ in 0..FREE {
            assert_eq!(tries.admit(now), Ok(()));
            tries.wrong(now);
        }
        assert_eq!(tries.admit(now), Err(PAUSE));
        now += PAUSE;
        assert_eq!(tries.admit(now), Ok(()));
        tries.wrong(now);
        assert_eq!(tries.admit(now + PAUSE), Err(PAUSE));
        for _ in 0..100 {
            tries.wrong(now);
        }
        assert_eq!(tries.admit(now), Err(PAUSE_MAX));
        tries.right();
        assert_eq!(tries.admit(now), Ok(()));
    }
}
