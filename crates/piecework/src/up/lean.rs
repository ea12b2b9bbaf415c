//! When a daemon gives memory back: once it has become idle.
//!
//! Owns the look at how much it does. It must not know what it does.

use super::pages;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Between two looks.
const LOOK_AFTER: Duration = Duration::from_secs(10);

/// Processor time between two looks of somebody who has work: a hundredth.
const WORK_MIN: Duration = Duration::from_millis(100);

/// Gives memory back each time that work has ended. Never returns.
pub(crate) async fn keep_lean() {
    let mut pace = Pace::default();
    loop {
        tokio::time::sleep(LOOK_AFTER).await;
        if pace.has_settled(processor_time()) {
            // It may wait for locks of the heap. What it met has been said by its panic.
            drop(tokio::task::spawn_blocking(pages::give_back).await);
        }
    }
}

/// How much was done of late.
#[derive(Debug)]
struct Pace {
    used: Duration,
    had_work: bool,
}

impl Default for Pace {
    /// A start is work.
    fn default() -> Self {
        Self { used: Duration::ZERO, had_work: true }
    }
}

impl Pace {
    /// Whether work has ended since the last look; `used` is the processor time of the process so far.
    fn has_settled(&mut self, used: Duration) -> bool {
        let spent = used.saturating_sub(std::mem::replace(&mut self.used, used));
        let has_work = spent >= WORK_MIN;
        std::mem::replace(&mut self.had_work, has_work) && !has_work
    }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let parts = u64::try_from(time.tv_sec).ok().zip(u32::try_from(time.tv_nsec).ok());
    parts.map_or(Duration::ZERO, |(seconds, nanos)| Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_once_after_the_start_and_after_each_burst_of_work() {
        let mut pace = Pace::default();
        let looks = [250, 260, 265, 600, 1200, 1210, 1309, 1400, 1400].map(Duration::from_millis);
        let settled = looks.map(|used| pace.has_settled(used));
        assert_eq!(settled, [false, true, false, false, false, true, false, false, false]);
    }

    #[test]
    fn processor_time_passes_with_work() {
        let before = processor_time();
        let mut sum = 0_u64;
        while processor_time() == before {
            sum = std::hint::black_box(sum.wrapping_mul(31) + 1);
        }
        assert!(processor_time() > before);
    }
}
