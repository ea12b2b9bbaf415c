//! What sellers say.

use super::Purse;
use super::bidding::BAR;
use super::deal::{Breach, count_of};
use super::trade::{Offer, Stage, is_sane};
use crate::{
    Accepted, Ask, CloseReason, LastCheque, MESSAGE_BYTES_MAX, Message, PeerKey, Price, Refused,
    RefusedCode, Terms, WriteId,
};
use std::time::Duration;

/// How long who cannot ask the chain is left alone at first; each time twice as long, up to [`BAR`].
const NO_CHAIN: Duration = Duration::from_secs(60);

impl Purse {
    pub(super) fn hear_terms(&mut self, peer: PeerKey, terms: Terms, said: Vec<u8>) {
        let Some(trade) = self.trades.get_mut(&peer) else { return };
        if said.len() > MESSAGE_BYTES_MAX || !trade.reads(&said) {
            return;
        }
        trade.awaits_terms = false;
        if trade.deal().is_some() {
            // What was said under the terms before is answered with these.
            trade.hush();
            trade.supersede();
            self.drop_deal(peer);
        }
        let Some(trade) = self.trades.get_mut(&peer) else { return };
        let ours = |network: &_| self.accounts.iter().position(|it| it.payer.network == *network);
        let mut common = terms.networks.iter().zip(0_u8..);
        let common = common.find_map(|(network, place)| Some((ours(network)?, place)));
        trade.offer = None;
        let Some((account, network)) = common else {
            trade.refuse(RefusedCode::NoNetwork, "no network in common");
            self.waiting.insert(peer);
            return;
        };
        let is_shunned = self.shunned.contains(&terms.payee);
        if is_shunned || !is_sane(&terms, self.accounts[account].payer.account) {
            return;
        }
        let torrent = trade.meeting.torrent;
        let ask = terms.ask;
        trade.offer = Some(Offer { terms, said, account, network, ask });
        self.engage(&torrent);
    }

    pub(super) fn hear(&mut self, peer: PeerKey, message: Message) {
        match message {
            Message::Accepted(accepted) => self.hear_accepted(peer, &accepted),
            Message::Ask(ask) => self.hear_ask(peer, ask),
            Message::Stat { bytes, due } => {
                let now = self.now;
                if let Some(deal) = self.deal_mut(peer) {
                    deal.hear_stat(now, bytes);
                    self.settle_rest(peer, due);
                    self.pay(peer);
                }
            }
            // One of another channel ends what it buys of us.
            Message::Close { channel, reason } => {
                if self.open(peer).is_some_and(|(_, deal)| deal.channel.number == channel) {
                    self.end(peer, CloseReason::Done);
                    // It says its terms again when it sells again.
                    if let Some(trade) = self.trades.get_mut(&peer) {
                        trade.offer = None;
                        trade.awaits_terms |= reason == CloseReason::Off;
                    }
                }
            }
            Message::Refused(refused) => self.hear_refused(peer, &refused),
            Message::Terms(_)
            | Message::Open(_)
            | Message::Bid(_)
            | Message::Link { .. }
            | Message::Cheque(_) => {}
        }
    }

    /// Says why, pays what is owed by our own count, and buys nothing more here.
    pub(super) fn leave(&mut self, peer: PeerKey, code: RefusedCode, text: &str) {
        if let Some(trade) = self.trades.get_mut(&peer) {
            trade.refuse(code, text);
            self.waiting.insert(peer);
        }
        self.end(peer, CloseReason::Broken);
        // Whether or not anything was opened.
        if let Some(trade) = self.trades.get_mut(&peer) {
            trade.stage = Stage::Ended;
        }
    }

    pub(super) fn break_off(&mut self, peer: PeerKey, breach: Breach) {
        let (code, text) = match breach {
            Breach::OverBid => (RefusedCode::AskOverBid, "the price is over the bid"),
            Breach::Retroactive => (RefusedCode::Disagree, "a price for bytes that have come"),
            Breach::Count => (RefusedCode::Disagree, "the counts are too far apart"),
        };
        self.leave(peer, code, text);
    }

    fn hear_accepted(&mut self, peer: PeerKey, accepted: &Accepted) {
        let Some(deal) = self.deal_mut(peer) else { return };
        // One answer to one opening: to follow a chain takes thousands of hashes.
        if accepted.channel != deal.channel.number || std::mem::replace(&mut deal.is_accepted, true)
        {
            return;
        }
        deal.window = accepted.window;
        if let Some(trade) = self.trades.get_mut(&peer) {
            trade.is_chain_away = false;
        }
        if accepted.last.is_some_and(|last| !self.adopt(peer, &last)) {
            self.leave(peer, RefusedCode::BadSignature, "the last cheque is not ours");
        }
        self.pay(peer);
    }

    /// The seller has a better cheque of ours than we remember: a crash, or a backup, has cost us the
    /// last of it. What the vault has paid is not taken from the seller's word: it is never more than what
    /// such a cheque shows. Answers whether the cheque is ours and its link good.
    fn adopt(&mut self, peer: PeerKey, last: &LastCheque) -> bool {
        let Some((trade, deal)) = self.open(peer) else { return true };
        let Some(offer) = &trade.offer else { return true };
        let (key, cheque) = (deal.channel, &last.signed.cheque);
        let Some(channel) = self.books.channel(&key) else { return true };
        let ours = &channel.purchase.signed.cheque;
        let is_same = cheque.channel == key.number
            && cheque.payee == key.payee
            && cheque.epoch == ours.epoch
            && self.accounts[offer.account].has_signed(cheque, &last.signed.signature);
        let value = if is_same { cheque.value(last.number, last.link).ok() } else { None };
        let Some(value) = value else { return false };
        if value <= channel.value() {
            return true;
        }
        // Nothing that we have sent on the lower cheque is worth anything to it.
        let bid = self.deal_mut(peer).map(|deal| {
            deal.start = value;
            deal.show_better();
            deal.bid(deal.bid)
        });
        self.go_on_from(peer, value);
        // The seller has passed over the one behind the lower cheque.
        if let Some(bid) = bid {
            self.say(peer, WriteId::default(), Message::Bid(bid));
        }
        true
    }

    fn hear_ask(&mut self, peer: PeerKey, ask: Ask) {
        // What came before is billed at the price before.
        self.pay(peer);
        let Some(trade) = self.trades.get_mut(&peer) else { return };
        let count = count_of(&trade.meeting, &trade.counts);
        let Some(deal) = trade.deal_mut() else { return };
        if ask.bid == 0 || ask.bid > deal.bid.number {
            return;
        }
        trade.is_chain_away &= !ask.paid;
        if let Some(offer) =
            trade.offer.as_mut().filter(|_| !ask.paid && ask.price > Price::default())
        {
            offer.ask = ask.price;
        }
        let Some(deal) = trade.deal_mut() else { return };
        let was_paid = deal.is_paid();
        let is_first = deal.ask.is_none();
        if let Err(breach) = deal.hear_ask(ask, count) {
            self.break_off(peer, breach);
            return;
        }
        let is_paid = deal.is_paid();
        if (is_first || is_paid != was_paid)
            && deal.is_bidding()
            && let Some(trade) = self.trades.get_mut(&peer)
        {
            trade.tell(is_paid);
            self.waiting.insert(peer);
        }
        self.pay(peer);
    }

    fn hear_refused(&mut self, peer: PeerKey, refused: &Refused) {
        if let Some(trade) = self.trades.get_mut(&peer) {
            trade.is_chain_away = refused.code == RefusedCode::ChainUnavailable;
        }
        match refused.code {
            // Its answer to the opening shows the better one, before or after this.
            RefusedCode::StaleCheque => {
                let now = self.now;
                self.deal_mut(peer).into_iter().for_each(|deal| deal.await_better(now));
            }
            RefusedCode::WindowExceeded => self.pay(peer),
            // A buyer's words.
            RefusedCode::NoNetwork | RefusedCode::AskOverBid => {}
            RefusedCode::RateLimited => {
                // A bid without an opening would never be answered.
                if self.is_unanswered(peer) {
                    self.end(peer, CloseReason::Done);
                }
                self.bar(peer, BAR);
            }
            RefusedCode::ChainUnavailable => self.hear_no_chain(peer),
            RefusedCode::BadSignature
            | RefusedCode::Unfunded
            | RefusedCode::Bounced
            | RefusedCode::DelegationExpired
            | RefusedCode::WrongPayee
            | RefusedCode::Disagree
            | RefusedCode::Other(_) => self.give_up(peer),
        }
    }

    /// The seller cannot ask the chain. An opening that it has turned down for that is made again later, on
    /// the same channel: what its cheque was to pay of an earlier connection counts with the next one.
    fn hear_no_chain(&mut self, peer: PeerKey) {
        let deal = self.open(peer).map(|(trade, deal)| (trade.meeting.torrent, deal));
        let Some((torrent, deal)) = deal else { return };
        let (key, rest) = (deal.channel, deal.rest);
        if self.is_unanswered(peer) {
            self.drop_deal(peer);
            self.books.leave(&key, (0, rest));
            if let Some(trade) = self.trades.get_mut(&peer) {
                let how_long = NO_CHAIN.saturating_mul(1 << trade.turned_down.min(8)).min(BAR);
                trade.barred_until = self.now + how_long;
                trade.turn_down();
                self.waiting.insert(peer);
            }
        } else {
            self.bar(peer, BAR);
        }
        self.engage(&torrent);
    }

    /// Whether an opening was made that has no answer yet.
    fn is_unanswered(&self, peer: PeerKey) -> bool {
        self.open(peer).is_some_and(|(_, deal)| !deal.is_accepted && deal.ask.is_none())
    }

    /// Pays what is owed and buys nothing more here.
    pub(super) fn give_up(&mut self, peer: PeerKey) {
        self.end(peer, CloseReason::Done);
        if let Some(trade) = self.trades.get_mut(&peer) {
            trade.stage = Stage::Ended;
        }
    }
}
