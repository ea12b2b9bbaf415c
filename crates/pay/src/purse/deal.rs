//! What is owed to one seller on one connection, by our own counts.

use super::books::ChannelKey;
use crate::price::PRICE_BYTES;
use crate::{Ask, Bid, Bill, Counts, Links, Meeting, Price, WriteId};
use piecework_types::{BLOCK_BYTES, Time};
use std::collections::VecDeque;
use std::time::Duration;

/// How long after a seller's count ours may lag: what came is told in batches.
const STAT_PATIENCE: Duration = Duration::from_secs(1);

/// How long a seller that speaks of a better cheque has to show it.
const BETTER_PATIENCE: Duration = Duration::from_secs(5);

/// Bids whose answer is still awaited; of more the highest prices are remembered.
const BIDS_MAX: usize = 8;

/// Records on their way to the drive that are remembered, at most.
const PENDING_MAX: usize = 64;

/// A seller's word that we do not pay by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Breach {
    /// The price is over what was bid.
    OverBid,
    /// The price would hold for bytes that are on the bill.
    Retroactive,
    /// Its count is too far from ours.
    Count,
}

/// An open trade.
#[derive(Debug)]
pub(super) struct Deal {
    pub(super) channel: ChannelKey,
    /// The chain of the live cheque; none after it was folded.
    pub(super) links: Option<Links>,
    /// What the channel was worth when this connection began.
    pub(super) start: u128,
    /// Bytes on credit at first.
    pub(super) window: u32,
    /// The last bid.
    pub(super) bid: Bid,
    /// What was last given for one, as it was accepted.
    pub(super) ask: Option<Ask>,
    /// The seller's answer to the opening has come.
    pub(super) is_accepted: bool,
    /// The seller says that it knows a better cheque of ours: it has shown it by then, or the trade ends.
    pub(super) better_by: Option<Time>,
    /// It has shown one, and not yet said so.
    pub(super) is_forewarned: bool,
    /// What the connection before may have left beyond what is paid of it.
    pub(super) rest: Left,
    /// What was promised when the price was last raised.
    pub(super) raised_at: Option<u64>,
    /// The bid to which its price was last changed while it was engaged: a price that is the same is ours.
    pub(super) stepped_to: Option<Price>,
    /// When a new cheque was last signed for a price that had moved.
    pub(super) moved_at: Option<Time>,
    /// The bid is withdrawn; what still comes is paid until then.
    pub(super) drains_until: Option<Time>,
    /// What may be revealed by what is on the drive, and by what is not yet there.
    sure: u128,
    pending: VecDeque<(WriteId, u128)>,
    bill: Bill,
    /// Billed at a price and not yet in the ledger.
    fresh: u64,
    /// Bids that the seller may not have read: number and price.
    bids: VecDeque<(u32, Price)>,
    stat: Option<(Time, u64)>,
    /// Bytes that the seller has counted and we have not, within what is tolerated.
    slack: u64,
}

/// What a connection that broke has left unpaid, beyond what we know to owe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Left {
    /// At most so much: bytes of a piece that is not verified, and what counts may differ by.
    UpTo(u128),
    /// A crash has made us forget: a first window at most.
    Forgotten,
}

impl Deal {
    pub(super) fn new(channel: ChannelKey, start: u128, window: u32, bids: u32) -> Self {
        Self {
            channel,
            links: None,
            start,
            window,
            bid: Bid { number: bids, ..Bid::default() },
            ask: None,
            is_accepted: false,
            better_by: None,
            is_forewarned: false,
            rest: Left::UpTo(0),
            raised_at: None,
            stepped_to: None,
            moved_at: None,
            sure: 0,
            pending: VecDeque::new(),
            drains_until: None,
            bill: Bill::new(Price::default()),
            fresh: 0,
            bids: VecDeque::new(),
            stat: None,
            slack: 0,
        }
    }

    /// Whether the paid lane is given.
    pub(super) fn is_paid(&self) -> bool {
        self.is_bidding() && self.ask.is_some_and(|ask| ask.paid)
    }

    /// Whether the paid lane is wanted.
    pub(super) fn is_bidding(&self) -> bool {
        self.bid.price > Price::default()
    }

    /// The price of what comes: before the first answer, what was bid.
    pub(super) fn price(&self) -> Price {
        self.ask.map_or(self.bid.price, |ask| ask.price)
    }

    /// The next bid.
    pub(super) fn bid(&mut self, bid: Bid) -> Bid {
        self.bid = Bid { number: self.bid.number.wrapping_add(1), ..bid };
        if self.bids.len() == BIDS_MAX
            && let Some((_, price)) = self.bids.pop_front()
            && let Some(next) = self.bids.front_mut()
        {
            next.1 = next.1.max(price);
        }
        self.bids.push_back((self.bid.number, bid.price));
        self.bid
    }

    /// The seller's answer to a bid, when we have counted `count` bytes.
    ///
    /// # Errors
    /// When it is more than was bid, or for what is counted already. Then the old price stays.
    pub(super) fn hear_ask(&mut self, ask: Ask, count: u64) -> Result<(), Breach> {
        let price = if ask.paid { ask.price } else { Price::default() };
        let counted = count.max(self.bill.bytes());
        if price > self.bill.least_price(ask.from, counted) {
            return Err(Breach::Retroactive);
        }
        let first = self.bids.iter().position(|(number, _)| *number == ask.bid).unwrap_or(0);
        self.bids.drain(..first);
        if price > self.bids.iter().map(|(_, price)| *price).max().unwrap_or_default() {
            return Err(Breach::OverBid);
        }
        self.bill.set_price(ask.from.max(count), price);
        self.ask = Some(ask);
        Ok(())
    }

    /// The seller says that it knows a better cheque: one answer of it is read that shows it.
    pub(super) fn await_better(&mut self, now: Time) {
        if !std::mem::take(&mut self.is_forewarned) && self.better_by.is_none() {
            (self.better_by, self.is_accepted) = (Some(now + BETTER_PATIENCE), false);
        }
    }

    /// It has shown one: before it spoke of it, or after that.
    pub(super) fn show_better(&mut self) {
        self.is_forewarned = self.better_by.take().is_none();
    }

    pub(super) fn hear_stat(&mut self, now: Time, bytes: u64) {
        // The oldest one that is not settled stays, or a seller that talks a lot would never be judged.
        self.stat.get_or_insert((now, bytes));
    }

    /// Compares the seller's count with ours, when ours has had the time to catch up.
    ///
    /// # Errors
    /// When it is higher by more than 0.5 % and than two links' bytes.
    pub(super) fn judge(&mut self, now: Time, count: u64, link_bytes: u32) -> Result<(), Breach> {
        let Some((at, theirs)) = self.stat else { return Ok(()) };
        let more = theirs.saturating_sub(count);
        if more > 0 && now.since(at) < STAT_PATIENCE {
            return Ok(());
        }
        self.stat = None;
        if more > (count / 200).max(2 * u64::from(link_bytes)) {
            return Err(Breach::Count);
        }
        self.slack = more;
        Ok(())
    }

    /// Puts on the bill what came.
    pub(super) fn reach(&mut self, meeting: &Meeting, counts: &Counts, link_bytes: u32) {
        let back = if meeting.offsets { counts.back } else { 0 };
        let verified = counts.verified.min(counts.bytes).saturating_sub(back);
        let came = counts.bytes.saturating_sub(back);
        let mut target = verified.saturating_add(self.slack);
        // The seller waits for money, and we for the rest of a piece.
        let piece = u64::from(meeting.verified_bytes);
        let is_short = u64::from(self.window) < piece + u64::from(link_bytes);
        if is_short && meeting.verified_bytes > BLOCK_BYTES {
            target = target.max(came.min(verified.saturating_add(piece)));
        }
        while self.bill.bytes() < target {
            let (before, is_priced) = (self.bill.bytes(), self.bill.price() > Price::default());
            self.bill.reach(self.bill.next_turn().unwrap_or(target).min(target));
            if is_priced {
                self.fresh += self.bill.bytes() - before;
            }
            if self.bill.bytes() == before {
                break;
            }
        }
    }

    /// What is owed when the channel is worth `value`.
    pub(super) fn owed(&self, value: u128) -> u128 {
        self.bill.due().saturating_sub(value.saturating_sub(self.start))
    }

    /// What would be owed if all were verified that came.
    pub(super) fn owed_at_most(&self, meeting: &Meeting, counts: &Counts, value: u128) -> u128 {
        let back = if meeting.offsets { counts.back } else { 0 };
        let mut bill = self.bill.clone();
        bill.reach(counts.bytes.saturating_sub(back).saturating_add(self.slack));
        bill.due().saturating_sub(value.saturating_sub(self.start))
    }

    /// What a connection that breaks now leaves: what is owed, and what may be owed beyond that when the
    /// seller says so.
    pub(super) fn left(
        &self,
        meeting: &Meeting,
        counts: &Counts,
        value: u128,
        link_bytes: u32,
    ) -> (u128, Left) {
        let owed = self.owed(value);
        let count = count_of(meeting, counts);
        let differs = (count / 200).max(2 * u64::from(link_bytes));
        let verified = self.bill.bytes().saturating_sub(self.slack);
        let came = count.min(verified.saturating_add(meeting.verified_bytes.into()));
        let mut bill = self.bill.clone();
        bill.reach(came.saturating_add(differs));
        let most = bill.due().saturating_sub(value.saturating_sub(self.start));
        (owed, Left::UpTo(most.saturating_sub(owed)))
    }

    /// Whether the seller has ended the paid lane and all up to there is on the bill.
    pub(super) fn is_drained(&self) -> bool {
        let ended = self.ask.filter(|ask| !ask.paid && ask.bid == self.bid.number);
        ended.is_some_and(|ask| ask.from <= self.bill.bytes())
    }

    /// Whether one link pays for under half or over twice the bytes that it should, or over the window.
    pub(super) fn is_off(&self, unit: u128, price: Price, link_bytes: u32) -> bool {
        let Some(bytes) = unit.saturating_mul(PRICE_BYTES).checked_div(price.per_mib()) else {
            return false;
        };
        let wanted = u128::from(link_bytes);
        // Rounding up makes a unit worth more than its bytes where tokens are coarse: no new cheque helps.
        let is_coarse = unit == unit_of(price, link_bytes);
        !is_coarse && (bytes < wanted / 2 || bytes > (2 * wanted).min(self.window.into()))
    }

    /// A record that lets links be revealed up to a sum is on its way to the drive.
    pub(super) fn expect(&mut self, id: WriteId, at_most: u128) {
        if self.pending.len() < PENDING_MAX {
            self.pending.push_back((id, at_most));
        }
    }

    /// A new cheque: what it leads to is for its own record.
    pub(super) fn expect_anew(&mut self, id: WriteId, at_most: u128) {
        self.sure = 0;
        self.pending.clear();
        self.expect(id, at_most);
    }

    /// Whether the drive has a record under which the channel may be worth `value`.
    pub(super) fn is_sure(&mut self, value: u128, written: WriteId) -> bool {
        while let Some((_, at_most)) = self.pending.pop_front_if(|(id, _)| *id <= written) {
            self.sure = self.sure.max(at_most);
        }
        value <= self.sure
    }

    /// The seller has had the time to end the paid lane: what comes from now on is free.
    pub(super) fn end_lane(&mut self) {
        self.bill.set_price(0, Price::default());
        (self.links, self.drains_until) = (None, None);
    }

    /// Billed at a price since it was last asked, and the price of the last of it.
    pub(super) fn take_fresh(&mut self) -> (u64, Price) {
        (std::mem::take(&mut self.fresh), self.bill.price())
    }
}

/// What one link adds to a cheque at this price.
pub(super) fn unit_of(price: Price, link_bytes: u32) -> u128 {
    price.of(link_bytes.into()).max(1)
}

/// Billable bytes so far, as the seller sees them too.
pub(super) fn count_of(meeting: &Meeting, counts: &Counts) -> u64 {
    counts.bytes.saturating_sub(if meeting.offsets { counts.back } else { 0 })
}
