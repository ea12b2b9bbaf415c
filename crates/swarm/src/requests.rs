//! How much to ask of one peer.
//!
//! Owns the request queue: the blocks asked of one peer that have not come, and how many there may be.
//! Invariants: never more than the peer said it takes (`reqq`, BEP 10); a block stands in the queue
//! until it comes, is rejected, or, without BEP 6, the peer chokes us or must have overlooked it. What was
//! taken back for a reader stands there too, for it may be under way already. It must not know what to ask
//! (that is `Picker`) or other peers.
//!
//! The depth starts small and doubles each round trip until that no longer makes the peer faster; then
//! it is 1.5 times the bandwidth-delay product plus one second of the peer's rate. While a reader plays it
//! is a second of what comes now, and less for what the reader does not need soon; what stands in a reader's
//! way is taken back, and then the depth is found anew.

use piecework_types::{BLOCK_BYTES, Block, Time};
use piecework_wire::Request;
use std::collections::VecDeque;
use std::time::Duration;

mod take_back;
#[cfg(test)]
mod tests;

/// Requests that a peer accepts if it does not say so: well below what clients in use bear, of which
/// libtorrent's 500 is usual and some older ones drop more than 250.
pub const REQQ_ASSUMED: u32 = 250;

/// Most blocks asked of one peer: 64 MiB.
pub const DEPTH_MAX: u32 = 4096;
/// Fewest blocks asked of a peer that sends.
const DEPTH_MIN: u32 = 4;
/// Blocks asked while a reader plays beyond a share of the rate: one that comes and one that waits behind it.
const STREAM_SPARE: u32 = 2;
/// What a reader does not need soon is asked for so long beyond the round trip only: it stands in front of
/// what the reader needs next.
const BESIDE: Duration = Duration::from_millis(250);
/// Blocks asked of a new peer: few, for what is asked early is chosen with the least knowledge. At 0.1 ms
/// round trip nine doublings, 1 ms, fill a fast link.
const DEPTH_START: u32 = 4;

/// Blocks asked at once of one that is to be paid: they come to it right behind the bid, and the first window
/// of a paid lane has room for them. With fewer the lane, once given, would wait a round trip for the next.
const DEPTH_SOLE: u32 = 16;

/// A peer is snubbed no sooner than this.
const SNUB_MIN: Duration = Duration::from_secs(5);
/// And no later, however much of a block may have come.
const SNUB_MAX: Duration = Duration::from_secs(60);
/// Fewer bytes than this are no sign of life: some peers send one a second to keep a piece from us.
const PROGRESS_BYTES_MIN: u32 = 1024;

/// A request this old is taken for overlooked if the peer has answered later ones, or nothing since.
const OVERLOOKED_AFTER: Duration = Duration::from_secs(60);

/// Rounds shorter than this measure the scheduler, not the link.
const ROUND_MIN: Duration = Duration::from_micros(200);
/// A round this long is a measurement on its own.
const ROUND_SURE: Duration = Duration::from_millis(50);
/// How much the rate must grow in a round for the depth to double again, in percent.
const GROWTH_PERCENT: u64 = 110;
/// Short rounds without growth that end slow start.
const STALLS_MAX: u8 = 3;
/// A round this long is no burst: what came in it is the rate, whatever came before.
const ROUND_LONG: Duration = Duration::from_secs(1);
/// Steady rounds last at least this long.
const STEADY_ROUND: Duration = Duration::from_millis(250);

/// What is expected of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// The picker counts on it.
    Counted,
    /// It took too long: others may be asked, but it is welcome.
    Released,
    /// We sent a cancel: the block may still come (BEP 6: or the peer rejects it).
    Cancelled,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    block: Block,
    at: Time,
    standing: Standing,
}

/// The blocks asked of one peer. See the module documentation.
#[derive(Debug)]
pub struct RequestQueue {
    asked: VecDeque<Asked>,
    /// Of `asked`, those that are counted on, and those that were released.
    counted: u32,
    released: u32,
    reqq: u32,
    depth: u32,
    is_starting: bool,
    is_snubbed: bool,
    stalls: u8,
    round_since: Time,
    round_left: u32,
    round_bytes: u64,
    /// Bytes a second, by rounds.
    rate: u64,
    /// The rate may be of a burst that is over: the next round tells, whatever it says.
    is_doubted: bool,
    /// The shortest wait for a block, ever: a longer memory than the queue's own delay.
    round_trip: Duration,
    /// Mean and mean deviation of the wait for a block.
    wait: Duration,
    wait_deviation: Duration,
    /// When the peer last showed life, and the bytes that have come since.
    progress: Time,
    progress_bytes: u32,
    /// When the last whole block came.
    block_at: Time,
    /// When the latest of the requests that were answered was made.
    answered_to: Time,
}

impl RequestQueue {
    /// An empty queue.
    pub fn new(now: Time) -> Self {
        Self {
            asked: VecDeque::new(),
            counted: 0,
            released: 0,
            reqq: REQQ_ASSUMED,
            depth: DEPTH_START,
            is_starting: true,
            is_snubbed: false,
            stalls: 0,
            round_since: now,
            round_left: 0,
            round_bytes: 0,
            rate: 0,
            is_doubted: false,
            round_trip: Duration::MAX,
            wait: Duration::ZERO,
            wait_deviation: Duration::ZERO,
            progress: now,
            progress_bytes: 0,
            block_at: now,
            answered_to: Time::ZERO,
        }
    }

    /// The peer accepts so many requests (BEP 10). Zero makes no sense and is taken as one. We stay a
    /// little below: Transmission counts what it has yet to write, and rejects ten seconds late.
    pub fn set_reqq(&mut self, reqq: u32) {
        self.reqq = (reqq - reqq / 64).max(1);
    }

    /// The peer is to be paid, and should have something to send when it begins. Its next round tells how
    /// much.
    pub fn deepen(&mut self) {
        self.depth = self.depth.max(DEPTH_SOLE);
    }

    /// How many more blocks may be asked now.
    pub fn room(&self) -> u32 {
        self.depth().saturating_sub(self.len())
    }

    /// How many more blocks may be asked now so that the last of them still comes soon: for a reader
    /// that may want something else in a moment. What was cancelled stands in nobody's way, but counts
    /// as what the peer takes until it has answered.
    pub fn room_for_stream(&self, now: Time) -> u32 {
        let second = Duration::from_secs(1);
        self.room_within(if self.is_doubted { DEPTH_MAX } else { self.comes_in(second, now) })
    }

    /// The same for what no reader needs soon.
    pub fn room_beside_stream(&self, now: Time) -> u32 {
        // Half as much again as is under way: else who is far away would be asked for less each round.
        let span = self.round_trip() * 3 / 2 + BESIDE;
        self.room_within(if self.is_doubted { 0 } else { self.comes_in(span, now) })
    }

    /// Blocks that come in a time at the present rate.
    fn comes_in(&self, span: Duration, now: Time) -> u32 {
        blocks_in(self.present_rate(now), span)
    }

    /// The shortest one, at most a second, which is assumed while none is known.
    fn round_trip(&self) -> Duration {
        self.round_trip.min(Duration::from_secs(1))
    }

    fn room_within(&self, blocks: u32) -> u32 {
        let room = self.depth().min(blocks.saturating_add(STREAM_SPARE));
        let taken = self.reqq.min(DEPTH_MAX).saturating_sub(self.len());
        room.saturating_sub(self.live()).min(taken)
    }

    /// Blocks asked and not answered.
    pub fn len(&self) -> u32 {
        // Bounded by DEPTH_MAX.
        self.asked.len() as u32
    }

    /// Of these, those that are not cancelled.
    const fn live(&self) -> u32 {
        self.counted + self.released
    }

    /// Whether no block is asked.
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// How many blocks may be asked at once.
    pub fn depth(&self) -> u32 {
        if self.is_snubbed { 1 } else { self.depth.min(self.reqq).min(DEPTH_MAX) }
    }

    /// Whether the peer let us wait too long.
    pub const fn is_snubbed(&self) -> bool {
        self.is_snubbed
    }

    /// What the peer sends, bytes a second, as measured over its rounds.
    pub const fn rate(&self) -> u64 {
        self.rate
    }

    /// Whether blocks are asked that others may be asked for too, without a copy being counted.
    pub const fn has_released(&self) -> bool {
        self.released > 0
    }

    /// How long what is asked will take.
    pub fn queue_time(&self) -> Duration {
        if self.live() == 0 {
            return Duration::ZERO;
        }
        let bytes = u64::from(self.live()) * u64::from(BLOCK_BYTES);
        Duration::from_micros(bytes.saturating_mul(1_000_000) / self.rate.max(1))
    }

    /// Notes that the block was asked.
    pub fn push(&mut self, block: Block, now: Time) {
        if self.asked.is_empty() {
            (self.progress, self.block_at) = (now, now);
            self.start_round(1, now);
        }
        self.asked.push_back(Asked { block, at: now, standing: Standing::Counted });
        self.counted += 1;
    }

    /// Counts on a block again that was released but is still asked of the peer; true if it was so, and
    /// no request has to be sent.
    pub fn reclaim(&mut self, block: Block) -> bool {
        let is_it =
            |asked: &&mut Asked| asked.block == block && asked.standing == Standing::Released;
        let Some(asked) = self.asked.iter_mut().find(is_it) else { return false };
        asked.standing = Standing::Counted;
        self.released -= 1;
        self.counted += 1;
        true
    }

    /// Whether the peer was asked for exactly this.
    pub fn contains(&self, request: Request) -> bool {
        self.position(request).is_some()
    }

    /// Whether the peer was asked for this block.
    pub fn contains_block(&self, block: Block) -> bool {
        self.asked.iter().any(|asked| asked.block == block)
    }

    /// Everything in the queue and what is expected of it.
    pub fn iter(&self) -> impl Iterator<Item = (Block, Standing)> + '_ {
        self.asked.iter().map(|asked| (asked.block, asked.standing))
    }

    /// What was asked and is not cancelled.
    pub fn blocks(&self) -> impl Iterator<Item = Block> + '_ {
        let live = self.asked.iter().filter(|asked| asked.standing != Standing::Cancelled);
        live.map(|asked| asked.block)
    }

    /// Payload bytes came: the peer is alive, if they are enough to get anywhere.
    pub const fn progressed(&mut self, bytes: u32, now: Time) {
        self.progress_bytes = self.progress_bytes.saturating_add(bytes);
        if self.progress_bytes >= PROGRESS_BYTES_MIN {
            (self.progress, self.progress_bytes) = (now, 0);
        }
    }

    /// The block came. What it was and what was expected of it, if it was asked.
    pub fn take(&mut self, request: Request, now: Time) -> Option<(Block, Standing)> {
        let at = self.position(request)?;
        let asked = self.remove(at)?;
        self.note_wait(now.since(asked.at));
        self.answered_to = self.answered_to.max(asked.at);
        (self.progress, self.progress_bytes, self.block_at) = (now, 0, now);
        self.round_bytes += u64::from(asked.block.length);
        self.round_left = self.round_left.saturating_sub(1);
        if self.round_left == 0 {
            self.end_round(now);
        }
        if std::mem::take(&mut self.is_snubbed) {
            (self.depth, self.is_starting) = (DEPTH_MIN, true);
        }
        Some((asked.block, asked.standing))
    }

    /// The peer will not send the block (BEP 6).
    pub fn reject(&mut self, request: Request) -> Option<(Block, Standing)> {
        let at = self.position(request)?;
        self.remove(at).map(|asked| (asked.block, asked.standing))
    }

    /// Forgets everything that was asked; the blocks that were counted on are given to `released`.
    pub fn clear(&mut self, mut released: impl FnMut(Block)) {
        for asked in self.asked.drain(..) {
            if asked.standing == Standing::Counted {
                released(asked.block);
            }
        }
        (self.counted, self.released) = (0, 0);
    }

    /// A cancel is being sent. With BEP 6 the block stays queued until it is answered. What was
    /// expected of it before, if it was asked and not cancelled yet.
    pub fn cancel(&mut self, block: Block, fast: bool) -> Option<Standing> {
        let is_live = |asked: &Asked| asked.block == block && asked.standing != Standing::Cancelled;
        let at = self.asked.iter().position(is_live)?;
        let before = self.asked[at].standing;
        if fast {
            self.uncount(before);
            self.asked[at].standing = Standing::Cancelled;
        } else {
            self.remove(at);
        }
        Some(before)
    }

    /// When the peer counts as snubbed unless something comes.
    pub fn snubbed_at(&self) -> Option<Time> {
        let oldest = self.asked.front().filter(|_| self.counted > 0)?;
        let patience = (self.wait + 4 * self.wait_deviation).clamp(SNUB_MIN, SNUB_MAX);
        let alive = oldest.at.max(self.progress) + patience;
        Some(alive.min(oldest.at.max(self.block_at) + SNUB_MAX))
    }

    /// The peer let us wait too long: it is asked for one block at a time, and what was asked is open
    /// to others; each such block is given to `released`. Cancelled ones are forgotten.
    pub fn snub(&mut self, mut released: impl FnMut(Block)) {
        self.is_snubbed = true;
        self.asked.retain(|asked| asked.standing != Standing::Cancelled);
        for asked in &mut self.asked {
            if asked.standing == Standing::Counted {
                asked.standing = Standing::Released;
                released(asked.block);
            }
        }
        (self.counted, self.released) = (0, self.len());
    }

    /// Forgets requests that the peer must have overlooked, for without BEP 6 it need not say that it
    /// drops one, and what it never answers would fill its queue for ever. The blocks that were counted
    /// on are given to `released`.
    pub fn forget_overlooked(&mut self, now: Time, mut released: impl FnMut(Block)) {
        let (answered_to, alive) = (self.answered_to, self.progress.max(self.block_at));
        let is_silent = self.is_snubbed && now.since(alive) >= OVERLOOKED_AFTER;
        // In the order in which they were asked.
        while let Some(asked) = self.asked.front().copied()
            && now.since(asked.at) >= OVERLOOKED_AFTER
            && (is_silent || asked.at < answered_to)
        {
            self.remove(0);
            if asked.standing == Standing::Counted {
                released(asked.block);
            }
        }
    }

    /// Blocks that were asked at least this long ago and are counted on.
    pub fn older_than(&self, age: Duration, now: Time) -> impl Iterator<Item = Block> + '_ {
        self.asked
            .iter()
            .take_while(move |asked| now.since(asked.at) >= age)
            .filter(|asked| asked.standing == Standing::Counted)
            .map(|asked| asked.block)
    }

    /// When a block is late: mean wait plus half a deviation.
    pub fn lateness(&self) -> Duration {
        self.wait + self.wait_deviation / 2
    }

    fn position(&self, request: Request) -> Option<usize> {
        self.asked.iter().position(|Asked { block, .. }| {
            block.begin == request.begin
                && block.piece.get() == request.piece
                && block.length == request.length
        })
    }

    fn remove(&mut self, at: usize) -> Option<Asked> {
        let asked = self.asked.remove(at)?;
        self.uncount(asked.standing);
        Some(asked)
    }

    const fn uncount(&mut self, standing: Standing) {
        match standing {
            Standing::Counted => self.counted -= 1,
            Standing::Released => self.released -= 1,
            Standing::Cancelled => {}
        }
    }

    fn note_wait(&mut self, wait: Duration) {
        self.round_trip = self.round_trip.min(wait);
        if self.wait.is_zero() {
            (self.wait, self.wait_deviation) = (wait, wait / 2);
            return;
        }
        let error = wait.abs_diff(self.wait);
        self.wait = self.wait * 7 / 8 + wait / 8;
        self.wait_deviation = self.wait_deviation * 3 / 4 + error / 4;
    }

    fn start_round(&mut self, blocks: u32, now: Time) {
        (self.round_since, self.round_left, self.round_bytes) = (now, blocks.max(1), 0);
    }

    /// A round is over: everything that was asked at its start has come.
    fn end_round(&mut self, now: Time) {
        let elapsed = now.since(self.round_since);
        if self.is_starting {
            self.end_starting_round(elapsed);
        } else if elapsed >= STEADY_ROUND {
            self.rate = u64::midpoint(self.rate, self.round_rate(elapsed));
            self.depth = self.steady_depth();
        } else {
            // Too short to tell: the round goes on.
            self.round_left = self.len().max(1);
            return;
        }
        self.start_round(self.len(), now);
    }

    fn end_starting_round(&mut self, elapsed: Duration) {
        let rate = self.round_rate(elapsed);
        let was_doubted = self.is_doubted;
        self.is_doubted &= elapsed < ROUND_MIN;
        let has_grown = was_doubted || rate >= self.rate / 100 * GROWTH_PERCENT;
        if elapsed >= ROUND_LONG || was_doubted != self.is_doubted {
            self.rate = rate;
        } else if elapsed >= ROUND_MIN {
            self.rate = self.rate.max(rate);
        }
        self.stalls = if has_grown { 0 } else { self.stalls + 1 };
        // A queue that takes a second to empty is deep enough whatever the rate.
        let is_deep = elapsed >= ROUND_LONG || self.depth >= DEPTH_MAX;
        let has_stalled = self.stalls >= if elapsed >= ROUND_SURE { 1 } else { STALLS_MAX };
        if is_deep || has_stalled {
            (self.is_starting, self.is_doubted) = (false, false);
            self.depth = self.steady_depth();
        } else {
            self.depth = (self.depth * 2).min(DEPTH_MAX);
        }
    }

    /// What the peer sends now: one that has become slow is known by its running round first. What was asked
    /// in a burst may take half a minute to come, and all that time the rate would be that of the burst.
    fn present_rate(&self, now: Time) -> u64 {
        let elapsed = now.since(self.round_since);
        let is_telling = elapsed >= STEADY_ROUND;
        if is_telling { self.rate.min(self.round_rate(elapsed)) } else { self.rate }
    }

    fn round_rate(&self, elapsed: Duration) -> u64 {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).max(1);
        self.round_bytes.saturating_mul(1_000_000) / micros
    }

    /// 1.5 times what is under way in one round trip, plus one second of the rate.
    fn steady_depth(&self) -> u32 {
        let under_way = u128::from(self.rate) * self.round_trip().as_micros() * 3 / 2_000_000;
        let bytes = under_way + u128::from(self.rate);
        let blocks = bytes / u128::from(BLOCK_BYTES);
        u32::try_from(blocks).unwrap_or(u32::MAX).clamp(DEPTH_MIN, DEPTH_MAX)
    }
}

/// Blocks that come in a time at so many bytes a second.
fn blocks_in(rate: u64, span: Duration) -> u32 {
    let bytes = u128::from(rate) * span.as_micros() / 1_000_000;
    u32::try_from(bytes / u128::from(BLOCK_BYTES)).unwrap_or(u32::MAX)
}
