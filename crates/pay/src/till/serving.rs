//! How far a buyer is served: limits, pauses, and what happens when nothing is paid.

use super::opening::{BARRED, LITTLE, NO_CHAIN, No, OWES, worthy};
use super::trade::Pause;
use super::{AccountKey, ROUND, Till};
use crate::exposure::{FACTS_AGE, FACTS_AGE_MAX};
use crate::{
    Ask, Counts, DEFAULT, LATE, Message, PATIENCE, PeerKey, Price, Service, TillOutput, WINDOW_MAX,
};
use piecework_types::{BLOCK_BYTES, Time};

/// A buyer is told what was counted after so many bytes, besides each ten seconds.
const STAT_BYTES: u64 = 8 << 20;

/// What an account may owe beyond all that is open.
struct Room {
    /// In the token's smallest unit.
    money: u128,
    /// Bytes on credit of one of its connections at most.
    bytes: u64,
    uncashed: u128,
}

/// What an account may owe.
struct Credit {
    /// `U`, in the token's smallest unit.
    amount: u128,
    first_window_only: bool,
}

impl Till {
    pub(super) fn served(&mut self, peer: PeerKey, counts: Counts) {
        let Some(trade) = self.trades.get_mut(&peer) else { return };
        let is_back = counts.back > trade.counts.back && trade.meeting.offsets;
        // Told twice or late, it changes nothing.
        trade.counts = Counts {
            bytes: trade.counts.bytes.max(counts.bytes),
            verified: trade.counts.verified.max(counts.verified),
            back: trade.counts.back.max(counts.back),
        };
        let billable = trade.billable();
        let Some(deal) = trade.deal_mut() else { return };
        let before = deal.bill.bytes();
        deal.bill.reach(billable);
        let sold = deal.bill.priced(before, deal.bill.bytes());
        deal.sold = deal.sold.saturating_add(sold);
        let is_used_up = deal.rate.is_some() && deal.is_used_up();
        let is_pause = is_used_up && deal.pause.is_none();
        if is_pause {
            deal.pause = Some(Pause { since: self.now, is_late: false });
            self.paused.insert(peer);
        }
        let states = is_pause || deal.bill.bytes().saturating_sub(deal.stated) >= STAT_BYTES;
        self.sold = self.sold.saturating_add(sold);
        if states {
            self.state(peer);
        }
        if is_back {
            self.serve(peer);
        }
        if is_used_up {
            // Room of the account that another connection has left may be there.
            self.raise_limit(peer);
        }
    }

    /// Tells what was counted, and what is not paid of it and of what the connections before have left.
    pub(super) fn state(&mut self, peer: PeerKey) {
        let Some((_, deal, shelf)) = self.parts(peer) else { return };
        let (bytes, owed) = (deal.bill.bytes(), deal.owed(self.paid(deal)));
        let due = owed.saturating_add(shelf.rest.due);
        if let Some(deal) = self.deal_mut(peer) {
            deal.stated = bytes;
        }
        self.say(peer, Message::Stat { bytes, due });
    }

    /// Tells the swarm how a peer is served.
    pub(super) fn serve(&mut self, peer: PeerKey) {
        let Some(trade) = self.trades.get(&peer) else { return };
        let Some(deal) = trade.deal() else { return };
        let Some(rate) = deal.rate else { return self.outbox.push_free(peer) };
        let service = Service::Paid { rate, most: deal.most, limit: trade.count_at(deal.limit) };
        self.outbox.push_after(peer, deal.sure, TillOutput::Serve { peer, service });
    }

    /// What the account of a trade may owe now.
    ///
    /// The first window is all when the chain has not answered for ten minutes; after twenty there is none.
    fn credit(&self, peer: PeerKey) -> Result<Credit, No> {
        let (trade, deal, shelf) = self.parts(peer).ok_or(NO_CHAIN)?;
        let payer = self.accounts.get(&deal.account).ok_or(NO_CHAIN)?;
        if payer.is_banned(self.wall) || payer.is_in_arrears(trade.first_window) {
            return Err(BARRED);
        }
        if payer.owes {
            return Err(OWES);
        }
        let (facts, at) = shelf.facts.ok_or(NO_CHAIN)?;
        let age = self.now.since(at);
        if age > FACTS_AGE_MAX {
            return Err(NO_CHAIN);
        }
        let (amount, first_only) = worthy(&facts, shelf.delegate().as_ref(), self.wall)?;
        // A limit within a block stops before it, and a whole link must fit.
        let least = self.config.link_bytes.saturating_add(BLOCK_BYTES);
        if amount < self.price.of(least.into()) {
            return Err(LITTLE);
        }
        Ok(Credit { amount, first_window_only: first_only || age > FACTS_AGE })
    }

    pub(super) fn is_creditworthy(&self, peer: PeerKey) -> bool {
        self.credit(peer).is_ok()
    }

    /// Lets a peer in the paid lane be served as far as its window, and its account's exposure, go. A limit
    /// that was given is never taken back: the swarm may have served up to it.
    pub(super) fn raise_limit(&mut self, peer: PeerKey) {
        let open = self.parts(peer).filter(|(_, deal, _)| deal.rate.is_some());
        let (Some((trade, deal, _)), Ok(credit)) = (open, self.credit(peer)) else { return };
        let Some(room) = self.room(peer, &credit) else { return };
        let (account, paid) = (deal.account, self.paid(deal));
        let most = if credit.first_window_only { trade.first_window } else { u64::MAX };
        let wanted = deal.bill.limit(paid, deal.window.bytes().min(most).min(room.bytes));
        let affordable = deal.bill.covered(deal.committed().saturating_add(room.money));
        let limit = wanted.min(affordable).max(deal.limit);
        let raised = limit > deal.limit;
        let is_at_exposure = affordable < wanted;
        let mut cashes = false;
        let is_half = room.uncashed >= credit.amount / 2;
        if let Some(deal) = self.deal_mut(peer) {
            deal.limit = limit;
            let is_used_up = deal.is_used_up();
            if !is_used_up {
                deal.pause = None;
                self.paused.remove(&peer);
            }
            cashes = is_at_exposure && (is_half || is_used_up);
        }
        if raised {
            self.serve(peer);
        }
        if cashes {
            self.cash_all(account);
        }
    }

    /// What is left of an account's credit for one of its connections: its exposure less all service that
    /// was given, or may be, and not cashed; and the window that its connections have in common until it has
    /// earned more.
    fn room(&self, peer: PeerKey, credit: &Credit) -> Option<Room> {
        let (trade, deal, _) = self.parts(peer)?;
        let payer = self.accounts.get(&deal.account)?;
        let (mut others, mut given, mut revealed) = (0_u64, 0_u128, 0_u128);
        for other in &payer.trades {
            let Some(deal) = self.trades.get(other).and_then(|trade| trade.deal()) else {
                continue;
            };
            let paid = self.paid(deal);
            given = given.saturating_add(deal.committed());
            revealed = revealed.saturating_add(paid);
            if *other != peer {
                others = others.saturating_add(deal.open_bytes(paid));
            }
        }
        let uncashed = payer.uncashed();
        // What was paid ahead of service is no risk.
        let at_risk = uncashed.saturating_add(given).saturating_sub(revealed);
        let first = trade.first_window;
        let in_common = first.max(first.saturating_add(payer.earned).min(WINDOW_MAX));
        Some(Room {
            money: credit.amount.saturating_sub(at_risk),
            bytes: in_common.saturating_sub(others),
            uncashed,
        })
    }

    /// Something was paid, cashed or learnt: a trade that had to wait may go on.
    pub(super) fn resume(&mut self, peer: PeerKey) {
        let Some((_, deal, shelf)) = self.parts(peer) else { return };
        let paid = self.paid(deal);
        let owes_link = deal.owed(paid) >= shelf.cheque().cheque.unit.max(1);
        let link = u64::from(self.config.link_bytes);
        let link_cost = self.price.of(link);
        let goes_on = deal.is_suspended
            && !owes_link
            && self.credit(peer).is_ok_and(|credit| {
                let open = deal.open_bytes(paid).saturating_add(link);
                let fits = |room: Room| room.money >= link_cost && room.bytes >= open;
                open <= deal.window.bytes() && self.room(peer, &credit).is_some_and(fits)
            });
        let is_free = deal.rate.is_none();
        if let Some(deal) = self.deal_mut(peer) {
            deal.is_suspended &= !goes_on;
            if is_free && !owes_link {
                deal.pause = None;
                self.paused.remove(&peer);
            }
        }
        if goes_on {
            self.grant_idle(peer);
        }
        self.raise_limit(peer);
    }

    /// The chain has told something new of an account, or nothing for too long.
    pub(super) fn review(&mut self, peer: PeerKey) {
        match self.credit(peer) {
            Ok(_) => self.resume(peer),
            Err((code, text)) => {
                let is_served = self.deal_mut(peer).is_some_and(|deal| deal.rate.is_some());
                self.suspend(peer);
                if is_served {
                    self.refuse(peer, code, text);
                }
            }
        }
    }

    pub(super) fn suspend(&mut self, peer: PeerKey) {
        self.leave_lane(peer);
        if let Some(deal) = self.deal_mut(peer) {
            deal.is_suspended = true;
        }
    }

    /// Back to the free lane: from what is counted on, bytes cost nothing. What was sent since and not
    /// counted yet the buyer pays or not.
    pub(super) fn leave_lane(&mut self, peer: PeerKey) {
        let now = self.now;
        let Some(deal) = self.deal_mut(peer) else { return };
        let Some(rate) = deal.rate.take() else { return };
        let bytes = deal.bill.bytes();
        deal.bill.set_price(bytes, Price::default());
        deal.limit = bytes;
        deal.barred_until = now + ROUND;
        // Who has used up its credit has to pay before it bids again.
        deal.is_suspended |= deal.pause.is_some();
        self.vacate(rate);
        self.settle_rest(peer);
        self.serve(peer);
        self.answer_free(peer);
    }

    /// Tells a bidder that it has the free lane, and what is asked at least for the other.
    pub(super) fn answer_free(&mut self, peer: PeerKey) {
        let price = self.asking.ask();
        let Some(deal) = self.deal_mut(peer) else { return };
        let (bid, from) = (deal.bid.number, deal.bill.bytes());
        deal.answered = Some(bid);
        self.say(peer, Message::Ask(Ask { price, bid, paid: false, rate: 0, from }));
    }

    /// When something happens to a buyer that has used up its credit and does not pay.
    pub(super) fn pause_ends(&self, peer: PeerKey) -> Option<Time> {
        let deal = self.trades.get(&peer)?.deal()?;
        let Pause { since, is_late } = deal.pause?;
        let after = match (is_late, deal.rate) {
            (false, _) => LATE,
            (true, Some(_)) => PATIENCE,
            (true, None) => DEFAULT,
        };
        Some(since + after)
    }

    pub(super) fn watch_pauses(&mut self) {
        let ended = |peer: &&PeerKey| self.pause_ends(**peer).is_none_or(|at| at <= self.now);
        for peer in self.paused.iter().filter(ended).copied().collect::<Vec<_>>() {
            self.pause_ended(peer);
        }
        let is_over = |since: Time| self.now.since(since) >= DEFAULT;
        let over = self.arrears.iter().filter(|(_, (since, _))| is_over(*since));
        for (account, first) in over.map(|(key, (_, first))| (*key, *first)).collect::<Vec<_>>() {
            self.arrears.remove(&account);
            if self.accounts.get(&account).is_some_and(|payer| payer.is_in_arrears(first)) {
                self.record_default(account);
            }
        }
    }

    fn pause_ended(&mut self, peer: PeerKey) {
        let (now, link_bytes) = (self.now, self.config.link_bytes);
        let Some((_, deal, shelf)) = self.parts(peer) else { return };
        let Some(pause) = deal.pause else {
            self.paused.remove(&peer);
            return;
        };
        // Without a whole link to pay, it waits for us: to be cashed.
        let owes_link = deal.owed(self.paid(deal)) >= shelf.cheque().cheque.unit.max(1);
        let (account, is_served, waited) =
            (deal.account, deal.rate.is_some(), now.since(pause.since));
        if !pause.is_late && waited >= LATE {
            let Some(deal) = self.deal_mut(peer) else { return };
            deal.pause = Some(Pause { is_late: true, ..pause });
            if owes_link {
                deal.window.halve(link_bytes);
            }
        }
        if is_served && waited >= PATIENCE {
            self.suspend(peer);
        }
        if waited >= DEFAULT {
            if let Some(deal) = self.deal_mut(peer) {
                deal.pause = None;
            }
            self.paused.remove(&peer);
            if owes_link {
                self.record_default(account);
            }
        }
    }

    /// The connections of an account.
    pub(super) fn trades_of(&self, account: &AccountKey) -> Vec<PeerKey> {
        self.accounts.get(account).map(|it| it.trades.iter().copied().collect()).unwrap_or_default()
    }
}
