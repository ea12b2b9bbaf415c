//! One connection to a buyer: how far it is, its bill and its credit.

use super::AccountKey;
use crate::{
    Authority, Bid, Bill, Bind, Counts, Delegate, Facts, FactsKey, Meeting, Open, Price,
    SignedCheque, Terms, Window, WriteId,
};
use piecework_types::{BLOCK_BYTES, Time};

/// A connection to a buyer.
#[derive(Debug)]
pub(super) struct Trade {
    pub(super) meeting: Meeting,
    /// Bytes on credit at first.
    pub(super) first_window: u64,
    /// The terms that hold; none while none were said.
    pub(super) said: Option<Box<Said>>,
    /// What an opening under the terms before had to sign: it may cross those that hold.
    pub(super) before: Option<Bind>,
    pub(super) stage: Stage,
    /// The last opening was refused: the cheque and the bid of its flight are passed over.
    pub(super) is_refused: bool,
    pub(super) counts: Counts,
    /// Openings that came, and words that were worth nothing.
    pub(super) opens: u8,
    pub(super) faults: u8,
}

/// Terms as they were said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) terms: Terms,
    /// What an opening under them has to sign.
    pub(super) bind: Bind,
}

/// How far a trade is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing was opened, or it was refused.
    Met,
    /// Opened; the first cheque, or the chain's word, has not come.
    Opening(Box<Opening>),
    /// Accepted.
    Open(Box<Deal>),
}

/// Who wants to pay, checked as far as that goes without the chain.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) open: Open,
    pub(super) account: AccountKey,
    pub(super) authority: Authority,
    pub(super) delegate: Option<Delegate>,
    /// What was asked of the chain: then the channel is known.
    pub(super) key: Option<FactsKey>,
    pub(super) facts: Option<(Facts, Time)>,
    pub(super) cheque: Option<SignedCheque>,
    /// It leaves in one flight with the opening.
    pub(super) bid: Option<Bid>,
}

/// An accepted trade.
#[derive(Debug)]
pub(super) struct Deal {
    pub(super) account: AccountKey,
    pub(super) channel: u64,
    pub(super) authority: Authority,
    pub(super) key: FactsKey,
    /// What the channel was worth when this connection began.
    pub(super) start: u128,
    /// No good cheque came on this connection: it can be opened anew, and no bid is answered.
    pub(super) is_offered: bool,
    /// A cheque with a chain of its own came on this connection: before, there is no credit.
    pub(super) has_cheque: bool,
    pub(super) bill: Bill,
    pub(super) window: Window,
    /// The count up to which the swarm was told to serve.
    pub(super) limit: u64,
    pub(super) bid: Bid,
    /// The bid that was answered last.
    pub(super) answered: Option<u32>,
    /// The rate in the paid lane; none in the free one.
    pub(super) rate: Option<u64>,
    /// What the bid is for at its price, bytes a second.
    pub(super) most: u64,
    /// No paid lane before: who left it waits for a whole allocation.
    pub(super) barred_until: Time,
    /// It did not pay in time, or may not owe more; then the bid rests.
    pub(super) is_suspended: bool,
    pub(super) pause: Option<Pause>,
    /// The trade has ended; what was given is still collected.
    pub(super) is_closed: bool,
    /// Bytes that had a price and are not in the ledger.
    pub(super) sold: u64,
    /// Bytes at the last statement.
    pub(super) stated: u64,
    /// What is said waits for this write.
    pub(super) sure: WriteId,
}

/// Service waits for a payment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pause {
    pub(super) since: Time,
    /// It was looked at when it became late.
    pub(super) is_late: bool,
}

impl Trade {
    /// The terms hold no more: they are said anew when there is something to sell again.
    pub(super) fn retire_terms(&mut self) {
        if let Some(said) = self.said.take() {
            self.before = Some(said.bind);
        }
    }

    pub(super) fn deal(&self) -> Option<&Deal> {
        if let Stage::Open(deal) = &self.stage { Some(deal) } else { None }
    }

    pub(super) fn deal_mut(&mut self) -> Option<&mut Deal> {
        if let Stage::Open(deal) = &mut self.stage { Some(deal) } else { None }
    }

    /// The bytes that are billed: between two that download from each other, the imbalance.
    pub(super) fn billable(&self) -> u64 {
        let back = if self.meeting.offsets { self.counts.back } else { 0 };
        self.counts.bytes.saturating_sub(back)
    }

    /// The count of bytes sent at which the bill reaches `billable`.
    pub(super) fn count_at(&self, billable: u64) -> u64 {
        let back = if self.meeting.offsets { self.counts.back } else { 0 };
        billable.saturating_add(back)
    }
}

impl Deal {
    /// What is owed when `paid` was revealed on this connection.
    pub(super) fn owed(&self, paid: u128) -> u128 {
        self.bill.due().saturating_sub(paid)
    }

    /// Bytes with a price that may be, or were, served and are not paid.
    pub(super) fn open_bytes(&self, paid: u128) -> u64 {
        self.bill.priced(self.bill.covered(paid), self.limit.max(self.bill.bytes()))
    }

    /// What everything costs that was, or may be, served.
    pub(super) fn committed(&self) -> u128 {
        self.bill.cost(self.limit.max(self.bill.bytes()))
    }

    /// Whether no whole block fits under the limit any more.
    pub(super) fn is_used_up(&self) -> bool {
        self.bill.bytes().saturating_add(BLOCK_BYTES.into()) > self.limit
    }

    pub(super) fn is_bidding(&self, now: Time) -> bool {
        let wants = self.bid.price > Price::default() && self.has_cheque && !self.is_closed;
        wants && !self.is_suspended && self.barred_until <= now
    }
}
