//! Bids, and the allocation of the uplink among them.

use super::{ROUND, Till};
use crate::{Ask, Bid, MarketBid, Message, PeerKey, Price, TillOutput, allocate};
use piecework_types::Time;
use std::time::Duration;

/// A rate that changes by less than such a part is not told.
const RATE_SHARE: u64 = 32;

/// From one allocation to the next at least: who comes and goes must not have all be told new prices.
const SHARE_AFTER: Duration = Duration::from_secs(1);

impl Till {
    pub(super) fn hear_bid(&mut self, peer: PeerKey, bid: Bid) {
        if let Some(opening) = self.opening_mut(peer) {
            // Without a cheque it is behind one that was refused.
            opening.bid = opening.cheque.map(|_| bid);
            return;
        }
        let ask = self.asking.ask();
        let deal = self.deal_mut(peer).filter(|deal| !deal.is_closed && !deal.is_offered);
        let Some(deal) = deal else { return };
        deal.bid = bid;
        let is_served = deal.rate.is_some();
        if bid.price == Price::default() || bid.price < ask {
            if is_served {
                self.leave_lane(peer);
            } else {
                self.answer_free(peer);
            }
            return;
        }
        let granted = self.grant_idle(peer);
        if !granted && !is_served {
            self.answer_free(peer);
        }
    }

    /// What the paid class has for itself, bytes a second.
    pub(super) fn paid_capacity(&self) -> u64 {
        let permille = u128::from(1000 - self.config.free_permille.min(1000));
        u64::try_from(u128::from(self.capacity) * permille / 1000).unwrap_or(u64::MAX)
    }

    /// Gives a bidder of what is idle, at the present price, and takes nothing from anybody. Answers whether
    /// it has the paid lane.
    pub(super) fn grant_idle(&mut self, peer: PeerKey) -> bool {
        let price = self.price.max(self.asking.ask());
        let Some(deal) = self.trades.get(&peer).and_then(|trade| trade.deal()) else {
            return false;
        };
        if !deal.is_bidding(self.now) || deal.bid.price < price || !self.is_creditworthy(peer) {
            return false;
        }
        let own = deal.rate.unwrap_or(0);
        let idle = self.paid_capacity().saturating_sub(self.given.saturating_sub(own));
        let allocation = allocate(price, idle, &[market_bid(&deal.bid)]);
        let rate = allocation.rates[0];
        if rate > 0 {
            self.apply(peer, rate, price);
        }
        rate > 0
    }

    /// Every ten seconds: the load moves the ask, each trade is looked after, and the uplink is shared out.
    pub(super) fn round(&mut self) {
        // Whoever was not counted meanwhile is asked for anew.
        self.uncounted.clear();
        let capacity = u128::from(self.paid_capacity()) * u128::from(ROUND.as_secs());
        let load = (u128::from(self.sold) * 1000).checked_div(capacity).unwrap_or(0);
        self.load_permille = u16::try_from(load).unwrap_or(u16::MAX);
        self.sold = 0;
        if self.sells {
            self.asking.observe(self.now, self.load_permille);
        }
        for peer in self.open_peers() {
            self.look_after(peer);
        }
        self.share_out();
    }

    /// Somebody leaves what it had of the paid capacity: others need not wait for the next round.
    pub(super) fn vacate(&mut self, rate: u64) {
        self.given = self.given.saturating_sub(rate);
        let at = self.now.max(self.shared_at + SHARE_AFTER);
        self.share_at = self.share_at.min(at);
    }

    /// All bids share the uplink anew.
    pub(super) fn share_out(&mut self) {
        (self.shared_at, self.share_at) = (self.now, Time::NEVER);
        let bidders = self.open_peers().into_iter().filter(|peer| {
            let deal = self.trades.get(peer).and_then(|trade| trade.deal());
            deal.is_some_and(|deal| deal.is_bidding(self.now)) && self.is_creditworthy(*peer)
        });
        let bidders: Vec<PeerKey> = bidders.collect();
        let deals = bidders.iter().filter_map(|peer| self.trades.get(peer)?.deal());
        let bids: Vec<MarketBid> = deals.map(|deal| market_bid(&deal.bid)).collect();
        let allocation = allocate(self.asking.ask(), self.paid_capacity(), &bids);
        self.price = allocation.price;
        for (&peer, &rate) in bidders.iter().zip(&allocation.rates) {
            let deal = self.deal_mut(peer).map(|deal| (deal.rate, deal.answered, deal.bid.number));
            match deal {
                _ if rate > 0 => self.apply(peer, rate, allocation.price),
                Some((Some(_), ..)) => self.leave_lane(peer),
                Some((None, answered, number)) if answered != Some(number) => {
                    self.answer_free(peer);
                }
                _ => {}
            }
        }
    }

    /// What is due each ten seconds for one trade.
    fn look_after(&mut self, peer: PeerKey) {
        let Some((_, deal, shelf)) = self.parts(peer) else { return };
        let (key, bytes) = (deal.key, deal.bill.bytes());
        let fresh = |at| self.now.since(at) < super::FACTS_FRESH;
        let asks = !shelf.facts.is_some_and(|(_, at)| fresh(at)) && !deal.is_closed;
        let (is_waiting, is_served) = (deal.is_suspended, deal.rate.is_some());
        let states = bytes > deal.stated && (is_served || deal.owed(self.paid(deal)) > 0);
        if asks {
            // With too many under way it is asked ten seconds later.
            self.ask_chain(key, None);
        }
        if states {
            self.state(peer);
        }
        if is_waiting || is_served {
            self.review(peer);
        }
    }

    /// Gives a bidder this rate at this price, from the first byte on that was not sent when it is said.
    fn apply(&mut self, peer: PeerKey, rate: u64, price: Price) {
        let Some(deal) = self.deal_mut(peer) else { return };
        let (before, sure) = (deal.rate, deal.sure);
        if before.is_none() && !self.outbox.is_written(sure) {
            // The word would be held back, and more be sent meanwhile than it reckons with.
            self.ungranted.insert(peer);
            return;
        }
        if before.is_none() && self.exact != Some(peer) {
            // What was counted last may be a second old: at full speed more was sent since than any guess.
            if self.uncounted.insert(peer, (rate, price)).is_none() {
                self.outbox.push(TillOutput::CountWanted { peer });
            }
            return;
        }
        self.uncounted.remove(&peer);
        let Some(deal) = self.deal_mut(peer) else { return };
        let is_news = deal.answered != Some(deal.bid.number);
        let bytes = deal.bill.bytes();
        let (pending, ahead) = deal.bill.last_word();
        let is_over_bid = deal.bill.is_changing() && ahead > deal.bid.price;
        if before.is_some() && is_over_bid {
            // The price that was said is over the new bid, and it cannot be taken back in time.
            return self.leave_lane(peer);
        }
        let from = if before.is_some() && deal.bill.is_changing() {
            // One word at a time: the last has not begun.
            pending
        } else {
            // A first price holds at once: the count is exact, and nothing is sent until this is said.
            let from = if before.is_none() { bytes } else { deal.limit.max(bytes) };
            deal.bill.set_price(from, price);
            from
        };
        let said = deal.bill.last_word().1;
        let most = market_bid(&deal.bid).demand(price.max(said));
        let is_other_service = before != Some(rate) || deal.most != most;
        (deal.rate, deal.most, deal.answered) = (Some(rate), most, Some(deal.bid.number));
        let bid = deal.bid.number;
        let is_other = before.is_none_or(|old| old.abs_diff(rate) > old / RATE_SHARE);
        self.given = self.given.saturating_sub(before.unwrap_or(0)).saturating_add(rate);
        if is_news || is_other || said != ahead {
            self.say(peer, Message::Ask(Ask { price: said, bid, paid: true, rate, from }));
        }
        self.raise_limit(peer);
        if is_other_service {
            self.serve(peer);
        }
    }

    /// Grants what had to wait for the drive.
    pub(super) fn grant_written(&mut self) {
        for peer in std::mem::take(&mut self.ungranted) {
            let Some(deal) = self.deal_mut(peer).filter(|deal| deal.rate.is_none()) else {
                continue;
            };
            let is_answered = deal.answered == Some(deal.bid.number);
            if !self.grant_idle(peer) && !is_answered {
                self.answer_free(peer);
            }
        }
    }

    /// The count of a peer is exact now: it gets what it was to have, if it still bids for that.
    pub(super) fn counted(&mut self, peer: PeerKey) {
        let Some((rate, price)) = self.uncounted.remove(&peer) else { return };
        self.exact = Some(peer);
        let Some(deal) = self.trades.get(&peer).and_then(|trade| trade.deal()) else { return };
        let still_bids = deal.is_bidding(self.now) && deal.bid.price >= price;
        let is_answered = deal.answered == Some(deal.bid.number);
        if still_bids && deal.rate.is_none() && self.is_creditworthy(peer) {
            self.apply(peer, rate, price);
        } else if !is_answered {
            self.answer_free(peer);
        }
    }

    pub(super) fn open_peers(&self) -> Vec<PeerKey> {
        let open = self.trades.iter().filter(|(_, trade)| trade.deal().is_some());
        open.map(|(peer, _)| *peer).collect()
    }
}

fn market_bid(bid: &Bid) -> MarketBid {
    MarketBid { price: bid.price, spend: bid.spend, rate: bid.rate }
}
