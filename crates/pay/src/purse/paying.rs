//! Cheques and links: channels opened, continued and folded, and what is owed paid.

use super::books::ChannelKey;
use super::deal::{Deal, Left, count_of, unit_of};
use super::trade::{Stage, Trade};
use super::{Purse, ROUND};
use crate::{
    Bid, Bind, Cheque, CloseReason, Entry, Hold, LastCheque, Links, Message, Open, PeerKey, Price,
    Record, Seed, Side, SignedCheque, TorrentKey, WriteId,
};
use std::time::Duration;

/// Links of a cheque when there is no reason for fewer: one signature for 256 MiB at 256 KiB a link.
const LINKS_USUAL: u32 = 1024;

/// Up to so many links a cheque takes all that may be promised, above it a quarter: other sellers have to
/// be paid out of the same budget.
const LINKS_WHOLE: u128 = 32;

/// How long what still comes is paid after a bid was withdrawn.
const DRAIN: Duration = Duration::from_secs(5);

/// Bytes under way that a budget must have room for, at most.
const UNDER_WAY_MAX: u64 = 32 << 20;

impl Purse {
    /// The trade and its deal, when a channel is open.
    pub(super) fn open(&self, peer: PeerKey) -> Option<(&Trade, &Deal)> {
        let trade = self.trades.get(&peer)?;
        Some((trade, trade.deal()?))
    }

    pub(super) fn deal_mut(&mut self, peer: PeerKey) -> Option<&mut Deal> {
        self.trades.get_mut(&peer)?.deal_mut()
    }

    pub(super) fn say(&mut self, peer: PeerKey, after: WriteId, message: Message) {
        if let Some(trade) = self.trades.get_mut(&peer) {
            trade.say(after, message);
            self.waiting.insert(peer);
        }
    }

    /// What may be promised for a torrent from an account beyond all that is, and what will hold it.
    ///
    /// # Errors
    /// When the account may promise nothing at all.
    pub(super) fn room(&self, torrent: &TorrentKey, account: usize) -> Result<(u128, Hold), Hold> {
        let account = &self.accounts[account];
        let funds = account.room(self.now, self.wall, self.books.payer_key(&account.payer_key))?;
        let budget = self.torrents.get(torrent).map_or(0, |known| known.budget());
        let budget = budget.saturating_sub(self.books.torrent(torrent).committed);
        let day = self.day_max.saturating_sub(self.books.today().committed);
        let rooms = [(budget, Hold::Budget), (day, Hold::Day), (funds, Hold::Funds)];
        Ok(rooms.into_iter().min_by_key(|(room, _)| *room).unwrap_or((0, Hold::Budget)))
    }

    /// What may still be paid to one seller, with what its cheque has left, and what will hold it.
    ///
    /// # Errors
    /// When nothing new may be promised.
    pub(super) fn payable(&self, trade: &Trade) -> Result<(u128, Hold), Hold> {
        let Some(offer) = &trade.offer else { return Err(Hold::Price) };
        let (room, hold) = self.room(&trade.meeting.torrent, offer.account)?;
        let kept = self.kept(trade);
        let left = self.budget_left(&trade.meeting.torrent);
        let payable = room.saturating_add(kept);
        Ok(if left < payable { (left, Hold::Budget) } else { (payable, hold) })
    }

    /// What may still be paid by what is promised.
    fn kept(&self, trade: &Trade) -> u128 {
        let channel = trade.deal().and_then(|deal| self.books.channel(&deal.channel));
        let kept = channel.map_or(0, |it| it.committed().saturating_sub(it.value()));
        kept.min(self.budget_left(&trade.meeting.torrent))
    }

    /// A budget may have been lowered since links were promised: then no more of them are revealed.
    fn budget_left(&self, torrent: &TorrentKey) -> u128 {
        let budget = self.torrents.get(torrent).map_or(0, |known| known.budget());
        budget.saturating_sub(self.books.torrent(torrent).value)
    }

    /// What must be affordable when something is bought at a price: all that can be under way.
    pub(super) fn need(&self, trade: &Trade, price: Price) -> u128 {
        let Some(offer) = &trade.offer else { return u128::MAX };
        let window = trade.deal().map_or(offer.terms.window, |deal| deal.window);
        let under_way = trade.rate.saturating_mul(2).min(UNDER_WAY_MAX);
        let link = unit_of(price, offer.terms.link_bytes);
        price.of(under_way.max(window.into())).saturating_add(link)
    }

    /// Opens a channel, or goes on with one of an earlier connection: opening, cheque and bid leave in one
    /// flight as soon as the record is on the drive.
    pub(super) fn begin(&mut self, peer: PeerKey, bid: Bid) {
        let Some(trade) = self.trades.get(&peer) else { return };
        let Some(offer) = &trade.offer else { return };
        let (torrent, place) = (trade.meeting.torrent, offer.account);
        let account = &self.accounts[place];
        let (payee, epoch, window) = (offer.terms.payee, account.epoch(), offer.terms.window);
        let last = self.books.idle(&account.payer_key, payee, epoch, trade);
        let Some(key) = last.or_else(|| self.new_channel(peer)) else { return };
        let (value, (owed, left)) = self
            .books
            .channel(&key)
            .map_or((0, (0, Left::UpTo(0))), |channel| (channel.value(), channel.left()));
        // The first cheque pays what the connection before has left.
        let room = self.room(&torrent, place).map_or(0, |(room, _)| room);
        let start = value.saturating_add(owed.min(room).min(self.budget_left(&torrent)));
        let last = self.books.channel(&key).map(|channel| LastCheque {
            signed: channel.purchase.signed,
            number: channel.purchase.revealed,
            link: channel.last_link(),
        });
        let Some(trade) = self.trades.get_mut(&peer) else { return };
        let (meeting, Some(offer)) = (&trade.meeting, &trade.offer) else { return };
        let account = &self.accounts[offer.account];
        let bind =
            Bind::new(&meeting.initiator, &meeting.responder, meeting.info_hash, &offer.said);
        let open = Open {
            network: offer.network,
            payer: account.payer.account,
            delegation: account.payer.delegation,
            funded_at: 0,
            last,
            authority: account.bind(&bind),
        };
        let mut deal = Box::new(Deal::new(key, start, window, trade.bids));
        deal.rest = left;
        let bid = deal.bid(bid);
        trade.stage = Stage::Open(deal);
        trade.say(WriteId(self.last_write.0 + 1), Message::Open(Box::new(open)));
        self.go_on_from(peer, start);
        self.say(peer, WriteId::default(), Message::Bid(bid));
        if let Some(trade) = self.trades.get_mut(&peer) {
            trade.tell(true);
        }
    }

    /// What the connection before has left by the seller's word, which comes before it answers a bid: within
    /// what it can be, that is paid too.
    pub(super) fn settle_rest(&mut self, peer: PeerKey, due: u128) {
        let Some((trade, deal)) = self.open(peer) else { return };
        let torrent = trade.meeting.torrent;
        let wish = self.torrents.get(&torrent).and_then(|known| known.wish);
        let most = match deal.rest {
            Left::UpTo(most) => most,
            Left::Forgotten => wish.map_or(0, |wish| wish.price_max.of(deal.window.into())),
        };
        let (key, is_early) = (deal.channel, deal.ask.is_none());
        let payable = self.payable(trade).map_or(0, |(payable, _)| payable);
        let amount = if is_early { due.min(most).min(payable) } else { 0 };
        let value = self.books.channel(&key).map_or(0, |channel| channel.value());
        let Some(deal) = self.deal_mut(peer) else { return };
        deal.rest = Left::UpTo(0);
        if amount > 0 {
            deal.start = deal.start.saturating_add(amount);
            self.go_on_from(peer, value.saturating_add(amount));
        }
    }

    /// A number that no channel to this payee has.
    fn new_channel(&mut self, peer: PeerKey) -> Option<ChannelKey> {
        let offer = self.trades.get(&peer)?.offer.as_ref()?;
        let (torrents, network) = (&self.torrents, self.accounts[offer.account].payer.network);
        let has_room = self
            .books
            .make_room(|old| torrents.get(&old.torrent).is_some_and(|known| known.wish.is_some()));
        if !has_room {
            return None;
        }
        loop {
            let number = self.draw.number();
            let key = ChannelKey { network, payee: offer.terms.payee, number };
            if self.books.channel(&key).is_none() {
                return Some(key);
            }
        }
    }

    /// Signs a new cheque over `value` with as many links as may be promised, at the present price.
    pub(super) fn go_on_from(&mut self, peer: PeerKey, value: u128) {
        let Some((trade, deal)) = self.open(peer) else { return };
        let Some(offer) = &trade.offer else { return };
        let torrent = trade.meeting.torrent;
        let committed = self.books.channel(&deal.channel).map_or(0, |it| it.committed());
        let room = self.room(&torrent, offer.account).map_or(0, |(room, _)| room);
        let price = trade.price().unwrap_or_default();
        let unit = unit_of(price, offer.terms.link_bytes);
        let most = committed.saturating_add(room).saturating_sub(value) / unit;
        let most = if most > LINKS_WHOLE { LINKS_WHOLE.max(most / 4) } else { most };
        let left = self.torrents.get(&torrent).and_then(|known| known.wish).map_or(0, |it| it.left);
        let left = left.div_ceil(offer.terms.link_bytes.into()).saturating_add(1);
        let links = LINKS_USUAL.min(offer.terms.links_max);
        let links = links.min(u32::try_from(most).unwrap_or(u32::MAX));
        let links = links.min(u32::try_from(left).unwrap_or(u32::MAX));
        self.sign(peer, value, unit, if deal.is_bidding() { links } else { 0 });
    }

    /// Signs a cheque, writes it down, and says it when it is on the drive.
    fn sign(&mut self, peer: PeerKey, cumulative: u128, unit: u128, links: u32) {
        let Some((trade, deal)) = self.open(peer) else { return };
        let Some(offer) = &trade.offer else { return };
        let (torrent, key) = (trade.meeting.torrent, deal.channel);
        let account = &self.accounts[offer.account];
        let old = self.books.channel(&key);
        let seed = self.draw.secret();
        let Ok(chain) = Links::new(seed, links) else { return };
        let cheque = Cheque {
            payer: account.payer.account,
            payee: key.payee,
            token: key.network.token,
            epoch: old.map_or_else(|| account.epoch(), |it| it.purchase.signed.cheque.epoch),
            cumulative,
            root: chain.root(),
            unit,
            links,
            channel: key.number,
        };
        let added = cumulative.saturating_sub(old.map_or(0, |it| it.value()));
        let signed = SignedCheque { cheque, signature: account.sign(&cheque) };
        self.books.sign(key, (torrent, account.payer_key.delegation), signed, Seed(seed.0));
        let id = self.record(peer, added, true);
        let at_most = self.books.channel(&key).map_or(0, |it| it.purchase.at_most);
        let Some(trade) = self.trades.get_mut(&peer) else { return };
        trade.supersede();
        trade.say(id, Message::Cheque(signed));
        self.waiting.insert(peer);
        if let Some(deal) = trade.deal_mut() {
            deal.links = (links > 0).then_some(chain);
            deal.expect_anew(id, at_most);
        }
    }

    /// Writes a channel down, with a line of the ledger when it is worth more by `added`.
    fn record(&mut self, peer: PeerKey, added: u128, at_once: bool) -> WriteId {
        let Some((trade, deal)) = self.open(peer) else { return WriteId::default() };
        let (torrent, key) = (trade.meeting.torrent, deal.channel);
        let Some(purchase) = self.books.channel(&key).map(|it| it.purchase.clone()) else {
            return WriteId::default();
        };
        if added > 0 {
            let (bytes, price) = self.deal_mut(peer).map(Deal::take_fresh).unwrap_or_default();
            self.write(
                Record::Entry(Entry {
                    side: Side::Buying,
                    torrent,
                    network: key.network,
                    counterparty: key.payee,
                    channel: key.number,
                    bytes,
                    amount: added,
                    price,
                }),
                at_once,
            );
        }
        self.write(Record::Purchase(Box::new(purchase)), at_once)
    }

    /// Puts on the bill what came, and pays every whole link that is owed.
    pub(super) fn pay(&mut self, peer: PeerKey) {
        let now = self.now;
        let Some(trade) = self.trades.get_mut(&peer) else { return };
        let (meeting, counts) = (trade.meeting, trade.counts);
        let Some(offer) = &trade.offer else { return };
        let link_bytes = offer.terms.link_bytes;
        let Stage::Open(deal) = &mut trade.stage else { return };
        if deal.better_by.is_some_and(|by| by <= now) {
            return self.give_up(peer);
        }
        let judged = deal.judge(now, count_of(&meeting, &counts), link_bytes);
        deal.reach(&meeting, &counts, link_bytes);
        if let Err(breach) = judged {
            self.break_off(peer, breach);
            return;
        }
        self.reveal_owed(peer);
        if (self.is_chain_at_its_end(peer) || self.has_price_moved(peer))
            && let Some((_, deal)) = self.open(peer)
        {
            let value = self.books.channel(&deal.channel).map_or(0, |it| it.value());
            self.go_on_from(peer, value);
            self.reveal_owed(peer);
        }
        self.stop_in_time(peer);
        let Some((_, deal)) = self.open(peer) else { return };
        if deal.drains_until.is_some_and(|until| until <= now || deal.is_drained()) {
            self.fold(peer);
        }
    }

    fn reveal_owed(&mut self, peer: PeerKey) {
        let Some((trade, deal)) = self.open(peer) else { return };
        let (torrent, key) = (trade.meeting.torrent, deal.channel);
        let Some(channel) = self.books.channel(&key) else { return };
        let cheque = &channel.purchase.signed.cheque;
        let (value, revealed) = (channel.value(), channel.purchase.revealed);
        let links = deal.owed(value).min(self.budget_left(&torrent)) / cheque.unit.max(1);
        let number = u128::from(revealed).saturating_add(links).min(cheque.links.into());
        let number = u32::try_from(number).unwrap_or(cheque.links);
        if number <= revealed {
            return;
        }
        let chain = self.deal_mut(peer).and_then(|deal| deal.links.as_mut());
        let Some(link) = chain.and_then(|chain| chain.reveal(number)) else { return };
        let added = self.books.reveal(&key, number);
        let written = self.written;
        let value = value.saturating_add(added);
        let is_sure = self.deal_mut(peer).is_some_and(|deal| deal.is_sure(value, written));
        let id = self.record(peer, added, !is_sure);
        let at_most = self.books.channel(&key).map_or(0, |it| it.purchase.at_most);
        if let Some(deal) = self.deal_mut(peer) {
            deal.expect(id, at_most);
        }
        let after = if is_sure { WriteId::default() } else { id };
        self.say(peer, after, Message::Link { number, link });
        self.tell_nearly_spent(&torrent);
    }

    fn is_chain_at_its_end(&self, peer: PeerKey) -> bool {
        let deal = self.open(peer).map(|(_, deal)| deal).filter(|deal| deal.is_bidding());
        let channel = deal.and_then(|deal| self.books.channel(&deal.channel));
        channel.is_some_and(|it| it.purchase.revealed == it.purchase.signed.cheque.links)
    }

    /// Whether a link is worth far from what it should be. A seller that moves its price to and fro gets no
    /// signature each time.
    fn has_price_moved(&mut self, peer: PeerKey) -> bool {
        let now = self.now;
        let Some((trade, deal)) = self.open(peer) else { return false };
        let (Some(offer), Some(channel)) = (&trade.offer, self.books.channel(&deal.channel)) else {
            return false;
        };
        let cheque = &channel.purchase.signed.cheque;
        let is_off = |ask| deal.is_off(cheque.unit, ask, offer.terms.link_bytes);
        let is_early = deal.moved_at.is_some_and(|at| now.since(at) < ROUND);
        let has_moved = deal.is_bidding() && !is_early && trade.price().is_some_and(is_off);
        if has_moved && let Some(deal) = self.deal_mut(peer) {
            deal.moved_at = Some(now);
        }
        has_moved
    }

    /// Withdraws a bid while all that is under way can still be paid.
    fn stop_in_time(&mut self, peer: PeerKey) {
        let Some((trade, deal)) = self.open(peer) else { return };
        let channel = self.books.channel(&deal.channel).filter(|_| deal.is_bidding());
        let Some(channel) = channel else { return };
        let value = channel.value();
        let payable = self.payable(trade).map_or_else(|_| self.kept(trade), |(payable, _)| payable);
        let owed = deal.owed_at_most(&trade.meeting, &trade.counts, value);
        // What came unverified lies within what can be under way.
        if payable < owed.max(self.need(trade, deal.price())) {
            self.withdraw(peer);
        }
    }

    fn tell_nearly_spent(&mut self, torrent: &TorrentKey) {
        let spent = self.books.torrent(torrent).value;
        if self.torrents.get_mut(torrent).is_some_and(|known| known.nears(spent)) {
            self.out.push_back(crate::PurseOutput::NearlySpent(*torrent));
        }
    }

    /// Back to the free lane. What was asked for and still comes is paid for a moment.
    pub(super) fn withdraw(&mut self, peer: PeerKey) {
        let now = self.now;
        let Some(trade) = self.trades.get_mut(&peer).filter(|trade| trade.is_engaged()) else {
            return;
        };
        let Some(deal) = trade.deal_mut() else { return };
        deal.drains_until = Some(now + DRAIN);
        let bid = deal.bid(Bid::default());
        trade.say(WriteId::default(), Message::Bid(bid));
        trade.tell(false);
        trade.slow_rounds = 0;
        self.waiting.insert(peer);
    }

    /// One cheque without links for all that was revealed and is owed; the rest is given back.
    fn fold(&mut self, peer: PeerKey) {
        let Some((trade, deal)) = self.open(peer) else { return };
        let key = deal.channel;
        let Some(channel) = self.books.channel(&key) else { return };
        let (torrent, value) = (trade.meeting.torrent, channel.value());
        let payable = self.payable(trade).map_or_else(|_| self.kept(trade), |(payable, _)| payable);
        let owed = deal.owed(value).min(payable);
        let unit = channel.purchase.signed.cheque.unit;
        if owed > 0 || (channel.is_live() && value > 0) {
            self.sign(peer, value.saturating_add(owed), unit, 0);
            self.tell_nearly_spent(&torrent);
        } else if channel.is_live() {
            self.books.settle(&key, true);
            self.record(peer, 0, false);
            if let Some(trade) = self.trades.get_mut(&peer) {
                trade.supersede();
            }
        }
        if let Some(deal) = self.deal_mut(peer) {
            deal.end_lane();
        }
    }

    /// Ends the trade of a connection: what is owed is paid, and nothing after that.
    pub(super) fn end(&mut self, peer: PeerKey, reason: CloseReason) {
        let Some(trade) = self.trades.get_mut(&peer) else { return };
        let (meeting, counts) = (trade.meeting, trade.counts);
        let link_bytes = trade.offer.as_ref().map_or(0, |offer| offer.terms.link_bytes);
        let Stage::Open(deal) = &mut trade.stage else { return };
        deal.reach(&meeting, &counts, link_bytes);
        let channel = deal.channel.number;
        let was_bidding = deal.is_bidding();
        if trade.hush() {
            // Nobody has heard of it.
            self.drop_deal(peer);
            return;
        }
        if was_bidding {
            self.withdraw(peer);
        }
        self.fold(peer);
        self.say(peer, WriteId::default(), Message::Close { channel, reason });
        self.drop_deal(peer);
        if let Some(trade) = self.trades.get_mut(&peer) {
            trade.close(channel);
        }
    }

    /// Gives back what is not revealed; the channel can be gone on with.
    pub(super) fn drop_deal(&mut self, peer: PeerKey) {
        let Some((key, bids)) = self.open(peer).map(|(_, deal)| (deal.channel, deal.bid.number))
        else {
            return;
        };
        self.books.settle(&key, false);
        self.record(peer, 0, false);
        if let Some(trade) = self.trades.get_mut(&peer) {
            (trade.stage, trade.bids) = (Stage::Met, bids);
        }
    }

    /// The connection broke: what it leaves is paid on the next one.
    pub(super) fn break_deal(&mut self, peer: PeerKey) {
        let Some((trade, deal)) = self.open(peer) else { return };
        let link_bytes = trade.offer.as_ref().map_or(0, |offer| offer.terms.link_bytes);
        let (key, meeting, counts) = (deal.channel, trade.meeting, trade.counts);
        let value = self.books.channel(&key).map_or(0, |channel| channel.value());
        let left = deal.left(&meeting, &counts, value, link_bytes);
        self.drop_deal(peer);
        self.books.leave(&key, left);
    }
}
