//! Of whom is bought and at which price: the cheapest first, and a price is raised only when every seller
//! keeps its word and that is not enough.

use super::Purse;
use super::trade::Trade;
use crate::{
    Bid, Hold, Message, PRICE_MAX, PeerKey, Price, PurseOutput, SPEND_MAX, TorrentKey, WriteId,
};
use std::time::Duration;

/// Sellers of one torrent that are paid at a time.
const ENGAGED_MAX: usize = 32;

/// How long more must come than is wanted before prices are lowered.
const OVER: Duration = Duration::from_secs(30);

/// Rounds after which a seller is left that gives under a quarter of what it said.
const SLOW_ROUNDS_MAX: u8 = 3;

/// How long nothing is bid to it then.
pub(super) const BAR: Duration = Duration::from_secs(600);

impl Purse {
    /// Buys of more sellers when those that are paid do not promise enough, and tells what is in the way.
    pub(super) fn engage(&mut self, torrent: &TorrentKey) {
        let Some(known) = self.torrents.get(torrent) else { return };
        let target = if self.buys { known.target() } else { 0 };
        let (mut total, mut engaged) = (0_u64, 0);
        for trade in known.peers.iter().filter_map(|peer| self.trades.get(peer)) {
            if trade.is_engaged() {
                engaged += 1;
                total = total.saturating_add(expected(trade, target));
            }
        }
        let wanted = if total < known.enough() { target.saturating_sub(total) } else { 0 };
        let hold = self.engage_up_to(torrent, target, wanted, &mut engaged);
        self.tell_hold(torrent, hold.filter(|_| engaged == 0));
    }

    /// Of one seller more after another until `wanted` bytes a second are expected.
    fn engage_up_to(
        &mut self,
        torrent: &TorrentKey,
        target: u64,
        mut wanted: u64,
        engaged: &mut usize,
    ) -> Option<Hold> {
        if wanted == 0 || *engaged >= ENGAGED_MAX {
            return None;
        }
        let (candidates, cap) = self.candidates(torrent);
        let (mut hold, away) = (None, self.is_chain_away(torrent).then_some(Hold::Chain));
        for (ask, peer) in candidates {
            if wanted == 0 || *engaged >= ENGAGED_MAX {
                break;
            }
            if ask > cap {
                return hold.or(away).or(Some(Hold::Price));
            }
            let rate = if target == u64::MAX { 0 } else { wanted };
            match self.buy_of(peer, ask, cap, rate) {
                Ok(()) => {
                    *engaged += 1;
                    wanted = if rate == 0 { wanted } else { 0 };
                }
                Err(why) => hold = hold.or(Some(why)),
            }
        }
        hold.or(away)
    }

    /// Whether a seller would be bought of if it could ask the chain.
    fn is_chain_away(&self, torrent: &TorrentKey) -> bool {
        let peers = self.torrents.get(torrent).into_iter().flat_map(|known| &known.peers);
        let mut trades = peers.filter_map(|peer| self.trades.get(peer));
        trades.any(|trade| trade.is_chain_away && trade.offer.is_some())
    }

    /// Those of whom could be bought, cheapest first, and the highest price that may be bid.
    fn candidates(&self, torrent: &TorrentKey) -> (Vec<(Price, PeerKey)>, Price) {
        let Some(known) = self.torrents.get(torrent) else { return (Vec::new(), Price::default()) };
        let trades = known.peers.iter().filter_map(|peer| self.trades.get(peer));
        let candidates = trades.filter_map(|it| Some((it.candidate(self.now)?, it.peer())));
        let mut candidates: Vec<_> = candidates.collect();
        candidates.sort_unstable();
        (candidates, known.cap(self.median()))
    }

    /// What sellers ask: half of all that are known ask no more. Not what their paid lanes cost: buyers who
    /// may bid so many times that would lift it, and with it what they may bid, without end.
    pub(super) fn median(&self) -> Price {
        let mut asks: Vec<_> = self.trades.values().filter_map(Trade::ask).collect();
        if asks.is_empty() {
            return Price::default();
        }
        let middle = (asks.len() - 1) / 2;
        *asks.select_nth_unstable(middle).1
    }

    fn buy_of(&mut self, peer: PeerKey, ask: Price, cap: Price, rate: u64) -> Result<(), Hold> {
        let Some(trade) = self.trades.get(&peer) else { return Err(Hold::Price) };
        let torrent = trade.meeting.torrent;
        let (room, hold) = self.payable(trade)?;
        let Some(known) = self.torrents.get(&torrent) else { return Err(Hold::Price) };
        let price = known.first_bid(ask, cap).max(Price::UNIT);
        if known.wish.is_none_or(|wish| price > wish.price_max) {
            return Err(Hold::Price);
        }
        if room < self.need(trade, price) {
            return Err(hold);
        }
        let bid = Bid { price, rate, spend: spend(price, rate, room), number: 0 };
        if trade.deal().is_none() {
            self.begin(peer, bid);
            return if self.trades.get(&peer).is_some_and(Trade::is_engaged) {
                Ok(())
            } else {
                Err(Hold::Funds)
            };
        }
        let Some(deal) = self.deal_mut(peer) else { return Err(Hold::Price) };
        let (is_folded, channel) = (deal.links.is_none(), deal.channel);
        deal.drains_until = None;
        let bid = deal.bid(bid);
        if is_folded {
            let value = self.books.channel(&channel).map_or(0, |it| it.value());
            self.go_on_from(peer, value);
        }
        self.say(peer, WriteId::default(), Message::Bid(bid));
        Ok(())
    }

    /// Thinks over what is bid for a torrent, ten seconds after the last time.
    pub(super) fn round(&mut self, torrent: &TorrentKey, seconds: u64) {
        let Some(known) = self.torrents.get_mut(torrent) else { return };
        let (target, enough, mut total) = (known.target(), known.enough(), 0_u64);
        for peer in &known.peers {
            let Some(trade) = self.trades.get_mut(peer) else { continue };
            measure(trade, seconds);
            total = total.saturating_add(if trade.is_engaged() { trade.rate } else { 0 });
        }
        if total <= target {
            known.over_since = None;
        }
        let is_filled = known.is_filled_by(total);
        self.drop_slow(torrent, is_filled);
        if total < enough {
            self.raise(torrent);
            self.engage(torrent);
        } else {
            self.lower(torrent, total.saturating_sub(target));
        }
        self.keep_ahead(torrent);
    }

    /// Bids stay a step over a price that rises, and cost no more for that: who bids just what is asked is
    /// in the free lane for a round whenever the ask rises. Nobody follows a price that its own bid makes,
    /// and no seller is bid up that does not keep its word.
    fn keep_ahead(&mut self, torrent: &TorrentKey) {
        let Some(known) = self.torrents.get(torrent) else { return };
        let cap = known.cap(self.median());
        for peer in self.engaged(torrent) {
            let Some((trade, deal)) = self.open(peer) else { continue };
            let Some(ask) = deal.ask.filter(|ask| ask.paid) else { continue };
            let last = deal.bid.price;
            let is_ours = deal.stepped_to == Some(last) && ask.price >= last;
            let price = ahead_of(ask.price).min(cap);
            if !is_ours && price > last && keeps_word(trade) && self.affords(trade, price) {
                self.bid_again(peer, price);
            }
        }
    }

    /// Leaves those that give under a quarter of what they said, three rounds in a row in which there was
    /// room for it.
    fn drop_slow(&mut self, torrent: &TorrentKey, is_filled: bool) {
        for peer in self.engaged(torrent) {
            let Some(trade) = self.trades.get_mut(&peer) else { continue };
            if is_filled {
                trade.slow_rounds = 0;
            } else if trade.slow_rounds >= SLOW_ROUNDS_MAX {
                self.bar(peer, BAR);
            }
        }
    }

    /// Buys nothing of it for a while.
    pub(super) fn bar(&mut self, peer: PeerKey, how_long: Duration) {
        self.withdraw(peer);
        if let Some(trade) = self.trades.get_mut(&peer) {
            trade.barred_until = self.now + how_long;
        }
    }

    /// 10 % more to those whose market is at what was bid, if all keep their word and nobody else is left.
    fn raise(&mut self, torrent: &TorrentKey) {
        let (candidates, cap) = self.candidates(torrent);
        let engaged = self.engaged(torrent);
        let spare = candidates.iter().any(|(ask, _)| *ask <= cap) && engaged.len() < ENGAGED_MAX;
        let word = |peer: &PeerKey| self.trades.get(peer).is_some_and(keeps_word);
        if spare || !engaged.iter().all(word) {
            return;
        }
        for peer in engaged {
            let Some((trade, deal)) = self.open(peer) else { continue };
            // Above the market's price everything was given that the bid can pay for.
            let is_at_margin = deal.ask.is_some_and(|ask| !ask.paid || ask.price >= deal.bid.price);
            // Who wants more than there is sets the price by its own bid: if the last 10 % brought nothing,
            // there is nobody to outbid.
            let promised = deal.ask.filter(|ask| ask.paid).map(|ask| ask.rate);
            let is_vain = deal.raised_at.is_some_and(|rate| promised.is_some_and(|it| it <= rate));
            let price = deal.bid.price.percent(110).min(cap);
            if is_at_margin && !is_vain && price > deal.bid.price && self.affords(trade, price) {
                if let Some(deal) = self.deal_mut(peer) {
                    deal.raised_at = promised;
                }
                self.bid_again(peer, price);
            }
        }
    }

    /// 5 % less when more came for 30 s, never under what is asked and a step; who is not needed is left.
    fn lower(&mut self, torrent: &TorrentKey, over: u64) {
        let now = self.now;
        let Some(known) = self.torrents.get_mut(torrent) else { return };
        let since = *known.over_since.get_or_insert(now);
        if over == 0 || now.since(since) < OVER {
            return;
        }
        known.over_since = Some(now);
        let engaged = self.engaged(torrent);
        let dearest = engaged.iter().filter_map(|peer| self.trades.get(peer));
        let dearest = dearest.max_by_key(|trade| trade.price()).filter(|_| engaged.len() > 1);
        let dearest = dearest.filter(|trade| trade.rate <= over).map(Trade::peer);
        for peer in engaged {
            if dearest == Some(peer) {
                self.withdraw(peer);
                continue;
            }
            let Some((trade, deal)) = self.open(peer) else { continue };
            let told = trade.price().unwrap_or_default();
            // A price that it does not make itself would have it step ahead again.
            let least = if told < deal.bid.price { ahead_of(told) } else { told };
            let price = deal.bid.price.percent(95).max(least);
            if price < deal.bid.price {
                self.bid_again(peer, price);
            }
        }
    }

    /// Another wish: no bid stays over its highest price, and when another rate is wanted all are made anew.
    pub(super) fn bid_anew(&mut self, torrent: &TorrentKey, is_other_rate: bool) {
        let Some(known) = self.torrents.get(torrent) else { return };
        let (target, cap) = (known.target(), known.cap(self.median()));
        for peer in self.engaged(torrent) {
            let Some((trade, deal)) = self.open(peer) else { continue };
            let Some(known) = self.torrents.get(torrent) else { continue };
            let (ask, last) = (trade.price().unwrap_or_default(), deal.bid);
            if ask > cap {
                self.withdraw(peer);
                continue;
            }
            if !is_other_rate && last.price <= cap {
                continue;
            }
            let price = known.first_bid(ask, cap).max(Price::UNIT);
            let rate = if target == u64::MAX { 0 } else { target };
            let payable = self.payable(trade).map_or(0, |(payable, _)| payable);
            let bid = Bid { price, rate, spend: spend(price, rate, payable), number: 0 };
            let Some(deal) = self.deal_mut(peer) else { continue };
            let bid = deal.bid(bid);
            self.say(peer, WriteId::default(), Message::Bid(bid));
        }
    }

    fn engaged(&self, torrent: &TorrentKey) -> Vec<PeerKey> {
        let Some(known) = self.torrents.get(torrent) else { return Vec::new() };
        let is_engaged = |peer: &&PeerKey| self.trades.get(*peer).is_some_and(Trade::is_engaged);
        known.peers.iter().filter(is_engaged).copied().collect()
    }

    fn affords(&self, trade: &Trade, price: Price) -> bool {
        self.payable(trade).is_ok_and(|(payable, _)| payable >= self.need(trade, price))
    }

    fn bid_again(&mut self, peer: PeerKey, price: Price) {
        let Some(deal) = self.deal_mut(peer) else { return };
        deal.stepped_to = Some(price);
        let last = deal.bid;
        let spend = if last.rate == 0 { last.spend } else { price.of(last.rate) };
        let bid = deal.bid(Bid { price, spend: spend.clamp(1, SPEND_MAX), ..last });
        self.say(peer, WriteId::default(), Message::Bid(bid));
    }

    fn tell_hold(&mut self, torrent: &TorrentKey, hold: Option<Hold>) {
        let Some(known) = self.torrents.get_mut(torrent) else { return };
        if known.hold != hold {
            known.hold = hold;
            self.out.push_back(PurseOutput::Held { torrent: *torrent, hold });
        }
    }
}

/// Bytes a second that count on a seller: what it gives, and before that is known what was bid for.
fn expected(trade: &Trade, target: u64) -> u64 {
    let Some(deal) = trade.deal() else { return 0 };
    match deal.ask.filter(|_| trade.counted > 0) {
        Some(_) => trade.rate,
        // A fast lane takes all it can get, of everybody.
        None if target == u64::MAX => 0,
        None => deal.bid.rate,
    }
}

/// A step over a price: more than the 5 %, or the unit, by which an ask rises at a time.
fn ahead_of(price: Price) -> Price {
    let units = Price::new((price.per_mib() + 2).min(PRICE_MAX)).unwrap_or(price);
    price.percent(106).max(units)
}

/// What may be spent a second: enough for the rate, or all there is.
fn spend(price: Price, rate: u64, room: u128) -> u128 {
    let most = if rate == 0 { room } else { price.of(rate).min(room) };
    most.clamp(1, SPEND_MAX)
}

fn measure(trade: &mut Trade, seconds: u64) {
    let counted = std::mem::replace(&mut trade.counted, trade.counts.bytes);
    trade.rate = trade.counts.bytes.saturating_sub(counted) / seconds.max(1);
    let promised = trade.deal().filter(|deal| deal.is_paid()).and_then(|deal| deal.ask);
    let is_slow = promised.is_some_and(|ask| trade.rate < ask.rate / 4);
    trade.slow_rounds = if is_slow { trade.slow_rounds.saturating_add(1) } else { 0 };
}

/// Whether a seller gives three quarters of what it said; one that said nothing yet, or gives the paid
/// lane to others, has broken no word.
fn keeps_word(trade: &Trade) -> bool {
    let promised = trade.deal().filter(|deal| deal.is_paid()).and_then(|deal| deal.ask);
    promised.is_none_or(|ask| trade.rate >= ask.rate - ask.rate / 4)
}
