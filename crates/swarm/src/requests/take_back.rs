//! Requests that are taken back for a reader: what a peer will have sent by then is left to it.

use super::{
    Asked, DEPTH_START, OVERLOOKED_AFTER, RequestQueue, STEADY_ROUND, STREAM_SPARE, Standing,
    blocks_in,
};
use piecework_types::{BLOCK_BYTES, Block, Time};
use std::time::Duration;

/// What a peer will send before it knows of a cancel is left to it for so long beyond a round trip: the wait
/// for a block varies.
const MARGIN: Duration = Duration::from_millis(100);

/// How long a round runs beyond two round trips before it tells how much that is. Less than where nobody
/// waits: after a burst the rate of the round before may say of all that was asked that it is under way.
const TELLING: Duration = Duration::from_millis(20);

impl RequestQueue {
    /// Takes back what stands in a reader's way: all but what `is_needed`, and what the peer will have sent
    /// before it knows. Each such block, with what was expected of it, is given to `cancelled`, which is to
    /// send the cancel. They stay queued, with BEP 6 until they are answered, without it until
    /// [`RequestQueue::forget_cancelled`]: one that is under way in spite of all is welcome.
    pub fn take_back(
        &mut self,
        now: Time,
        is_needed: impl Fn(Block) -> bool,
        mut cancelled: impl FnMut(Block, Standing),
    ) {
        let live = self.live();
        for at in self.under_way(now)..self.asked.len() {
            let Asked { block, standing, .. } = self.asked[at];
            if standing == Standing::Cancelled || is_needed(block) {
                continue;
            }
            self.uncount(standing);
            self.asked[at].standing = Standing::Cancelled;
            cancelled(block, standing);
        }
        if self.live() < live {
            self.start_over(now);
        }
    }

    /// So much stood in the way because the peer was faster when it was asked: what it sends now is measured
    /// anew, from what is left and what comes in a round trip on.
    fn start_over(&mut self, now: Time) {
        let blocks = self.comes_in(self.round_trip(), now).max(DEPTH_START);
        self.depth = self.live().saturating_add(blocks).min(self.depth);
        (self.is_starting, self.stalls, self.is_doubted) = (true, 0, true);
        self.start_round(self.live(), now);
    }

    /// How long it takes at the present rate until the first block comes for which `is_needed` holds, if one
    /// is asked.
    pub fn wait_for(&self, now: Time, is_needed: impl Fn(Block) -> bool) -> Option<Duration> {
        let mut live = self.asked.iter().filter(|asked| asked.standing != Standing::Cancelled);
        let ahead = live.position(|asked| is_needed(asked.block))? as u64 * u64::from(BLOCK_BYTES);
        Some(Duration::from_micros(ahead.saturating_mul(1_000_000) / self.present_rate(now).max(1)))
    }

    /// How many blocks come in a round trip and a little more.
    fn under_way(&self, now: Time) -> usize {
        let (span, elapsed) = (self.round_trip() + MARGIN, now.since(self.round_since));
        let is_telling = elapsed >= STEADY_ROUND.min(self.round_trip() * 2 + TELLING);
        let rate = if is_telling { self.rate.min(self.round_rate(elapsed)) } else { self.rate };
        blocks_in(rate, span).saturating_add(STREAM_SPARE) as usize
    }

    /// Forgets what was cancelled and will not be answered: without BEP 6 once the peer has answered to
    /// something that was asked later; with it, if the peer breaks its word, no sooner than after a minute.
    pub fn forget_cancelled(&mut self, fast: bool, now: Time) {
        if self.live() == self.len() {
            return;
        }
        let (answered_to, alive) = (self.answered_to, self.progress.max(self.block_at));
        let is_silent = now.since(alive) >= OVERLOOKED_AFTER;
        let is_due = |asked: &Asked| !fast || now.since(asked.at) >= OVERLOOKED_AFTER;
        self.asked.retain(|asked| {
            let is_passed = asked.at < answered_to || is_silent;
            asked.standing != Standing::Cancelled || !is_passed || !is_due(asked)
        });
    }
}
