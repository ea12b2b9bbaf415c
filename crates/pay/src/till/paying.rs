//! What a buyer pays with: links, further cheques, and how both come to the drive and into the ledger.

use super::account::Rest;
use super::opening::{BARRED, No, unlinked};
use super::trade::Stage;
use super::{AccountKey, FLUSH, Till};
use crate::{
    B256, CloseReason, Entry, Message, PeerKey, Record, RefusedCode, Side, SignedCheque, Standing,
    WriteId,
};

impl Till {
    pub(super) fn hear_link(&mut self, peer: PeerKey, number: u32, link: B256) {
        let Some(deal) = self.trades.get(&peer).and_then(|trade| trade.deal()) else { return };
        let (account, channel, before) = (deal.account, deal.channel, self.paid(deal));
        let shelf = self.accounts.get_mut(&account).and_then(|it| it.sales.get_mut(&channel));
        let Some(shelf) = shelf else { return };
        match shelf.take_link(number, link) {
            Ok(true) => shelf.note_value(self.wall),
            Ok(false) => return,
            Err(_) => {
                let text = "the link does not lead to the last one";
                return self.fault(peer, RefusedCode::BadSignature, text);
            }
        }
        self.unwritten.insert((account, channel));
        self.flush_at = self.flush_at.min(self.now + FLUSH);
        self.got(peer, before);
    }

    /// A further cheque of an open trade. Answers whether it is good, and news; if not, it has its answer.
    pub(super) fn hear_cheque(&mut self, peer: PeerKey, signed: SignedCheque) -> bool {
        let Some((_, deal, shelf)) = self.parts(peer) else { return false };
        if *shelf.cheque() == signed {
            // Said again: so is what we hold.
            self.accept(peer);
            return false;
        }
        let (account, channel, before) = (deal.account, deal.channel, self.paid(deal));
        // What the vault has taken is the least that a channel can be worth.
        let claimed = shelf.facts.map_or(0, |(facts, _)| facts.claimed);
        let least = shelf.value().max(claimed);
        if signed.cheque.cumulative < least && signed.cheque.channel == channel {
            self.refuse(peer, RefusedCode::StaleCheque, "a better cheque is known");
            self.accept(peer);
            return false;
        }
        if let Err((code, text)) = self.check_further(peer, &signed) {
            self.fault(peer, code, text);
            return false;
        }
        let Some(payer) = self.accounts.get_mut(&account) else { return false };
        payer.remember(signed.cheque.root);
        if let Some(shelf) = payer.sales.get_mut(&channel) {
            shelf.replace(unlinked(signed));
            shelf.note_value(self.wall);
        }
        let mut is_first = false;
        if let Some(deal) = self.deal_mut(peer) {
            // A folded one cannot pay for anything more.
            deal.has_cheque = signed.cheque.links > 0;
            is_first = std::mem::replace(&mut deal.is_offered, false);
        }
        self.write_sale(peer);
        self.got(peer, before);
        let rest = self.parts(peer).map_or(0, |(_, _, shelf)| shelf.rest.due);
        if is_first && rest > 0 {
            // What the connection before has left can be paid now.
            self.state(peer);
        }
        true
    }

    fn check_further(&self, peer: PeerKey, signed: &SignedCheque) -> Result<(), No> {
        let bad = |text| (RefusedCode::BadSignature, text);
        let (_, deal, shelf) = self.parts(peer).ok_or_else(|| bad("nothing is open"))?;
        if signed.cheque.channel != deal.channel {
            return Err(bad("the cheque is of another channel than the opening"));
        }
        self.check_signed(signed, &deal.authority, &deal.account)?;
        if signed.cheque.epoch != shelf.cheque().cheque.epoch {
            return Err(bad("the cheque is of another epoch than the account"));
        }
        let account = self.accounts.get(&deal.account);
        if account.is_some_and(|account| account.has_seen(&signed.cheque.root)) {
            return Err(bad("the root was seen before"));
        }
        Ok(())
    }

    /// More was revealed on a connection than `before`.
    fn got(&mut self, peer: PeerKey, before: u128) {
        let Some((_, deal, _)) = self.parts(peer) else { return };
        let (account, rate, paid) = (deal.account, deal.rate.unwrap_or(0), self.paid(deal));
        let covered = |paid| deal.bill.covered(paid).min(deal.bill.bytes());
        let bytes = deal.bill.priced(covered(before), covered(paid));
        if let Some(payer) = self.accounts.get_mut(&account) {
            payer.earned = payer.earned.saturating_add(bytes);
        }
        if let Some(deal) = self.deal_mut(peer) {
            deal.window.pay(bytes, rate);
        }
        let has_settled = self.settle_rest(peer);
        self.resume(peer);
        if has_settled {
            self.grant_idle(peer);
        }
    }

    /// What is paid beyond all that was, or may be, served on a connection pays what those before it have
    /// left. Answers whether it did.
    pub(super) fn settle_rest(&mut self, peer: PeerKey) -> bool {
        let Some((_, deal, shelf)) = self.parts(peer) else { return false };
        let over = self.paid(deal).saturating_sub(deal.committed()).min(shelf.rest.due);
        let (account, channel) = (deal.account, deal.channel);
        if over == 0 {
            return false;
        }
        if let Some(payer) = self.accounts.get_mut(&account) {
            payer.pay_rest(channel, over);
        }
        if let Some(deal) = self.deal_mut(peer) {
            deal.start = deal.start.saturating_add(over);
        }
        true
    }

    /// Writes a channel's cheque at once; what is said to the peer from now on waits for it.
    pub(super) fn write_sale(&mut self, peer: PeerKey) {
        let Some((_, deal, _)) = self.parts(peer) else { return };
        let place = (deal.account, deal.channel);
        let id = self.write_channel(place, true);
        if let (Some(id), Some(deal)) = (id, self.deal_mut(peer)) {
            deal.sure = id;
        }
    }

    /// Writes everything that waits: links repeat themselves, so that together is soon enough.
    pub(super) fn flush(&mut self) {
        for place in std::mem::take(&mut self.unwritten) {
            self.write_channel(place, false);
        }
        self.flush_at = piecework_types::Time::NEVER;
    }

    /// Writes what a channel is worth, and what it has come to since the last row of the ledger.
    pub(super) fn write_channel(
        &mut self,
        (account, channel): (AccountKey, u64),
        at_once: bool,
    ) -> Option<WriteId> {
        self.unwritten.remove(&(account, channel));
        let shelf = self.accounts.get_mut(&account)?.sales.get_mut(&channel)?;
        let amount = shelf.value().saturating_sub(shelf.entered);
        shelf.entered = shelf.value();
        let (sale, peer) = (shelf.sale.clone(), shelf.peer);
        let deal = peer.and_then(|peer| self.trades.get_mut(&peer)).and_then(|it| it.deal_mut());
        let (bytes, price) = deal.map_or_else(Default::default, |deal| {
            (std::mem::take(&mut deal.sold), deal.bill.price())
        });
        if amount > 0 || bytes > 0 {
            let entry = Entry {
                side: Side::Selling,
                torrent: sale.torrent,
                network: sale.network,
                counterparty: account.payer,
                channel,
                bytes,
                amount,
                price,
            };
            self.outbox.write(Record::Entry(entry), at_once);
        }
        Some(self.outbox.write(Record::Sale(Box::new(sale)), at_once))
    }

    /// The buyer wants nothing more: what it folded is cashed.
    pub(super) fn hear_close(&mut self, peer: PeerKey, channel: u64) {
        let Some((_, deal, _)) = self.parts(peer) else { return };
        if deal.channel != channel {
            return;
        }
        let place = (deal.account, deal.channel);
        self.leave_lane(peer);
        if let Some(deal) = self.deal_mut(peer) {
            deal.is_closed = true;
        }
        self.cash_closed(place);
    }

    /// Ends a trade politely. What was given is still collected.
    pub(super) fn close(&mut self, peer: PeerKey, reason: CloseReason) {
        let Some((_, deal, _)) = self.parts(peer) else { return };
        let channel = deal.channel;
        if deal.is_closed {
            return;
        }
        self.leave_lane(peer);
        if let Some(deal) = self.deal_mut(peer) {
            deal.is_closed = true;
        }
        self.say(peer, Message::Close { channel, reason });
    }

    pub(super) fn left(&mut self, peer: PeerKey) {
        self.outbox.forget(peer);
        self.end_deal(peer);
        self.trades.remove(&peer);
    }

    /// What a trade has come to is kept with its account; its connection is free for another one.
    pub(super) fn end_deal(&mut self, peer: PeerKey) {
        self.ungranted.remove(&peer);
        self.uncounted.remove(&peer);
        self.paused.remove(&peer);
        let rate = self.deal_mut(peer).and_then(|deal| {
            deal.limit = deal.bill.bytes();
            deal.rate.take()
        });
        if let Some(rate) = rate {
            self.vacate(rate);
        }
        self.settle_rest(peer);
        if let Some((trade, deal, _)) = self.parts(peer) {
            let (account, channel, paid) = (deal.account, deal.channel, self.paid(deal));
            let (window, first) = (deal.window.bytes(), trade.first_window);
            let covered = deal.bill.covered(paid).min(deal.bill.bytes());
            let bytes = deal.bill.priced(covered, deal.bill.bytes());
            let rest = Rest { bytes, due: deal.owed(paid) };
            let is_dirty = deal.sold > 0;
            if is_dirty || self.unwritten.contains(&(account, channel)) {
                self.write_channel((account, channel), false);
            }
            if let Some(payer) = self.accounts.get_mut(&account) {
                payer.trades.remove(&peer);
                payer.remembered = window;
                payer.leave_rest(channel, rest);
                if payer.is_in_arrears(first) {
                    self.arrears.entry(account).or_insert((self.now, first));
                }
                if let Some(shelf) = payer.sales.get_mut(&channel) {
                    shelf.peer = None;
                }
            }
        }
        if let Some(trade) = self.trades.get_mut(&peer) {
            trade.stage = Stage::Met;
        }
    }

    /// A window was not paid: the account has no credit for a while, on no connection.
    pub(super) fn record_default(&mut self, account: AccountKey) {
        let Some(payer) = self.accounts.get_mut(&account) else { return };
        let standing: Standing = payer.bar(&account, self.wall);
        let peers: Vec<PeerKey> = payer.trades.iter().copied().collect();
        self.arrears.remove(&account);
        let id = self.outbox.write(Record::Standing(standing), true);
        for peer in peers {
            self.leave_lane(peer);
            self.paused.remove(&peer);
            if let Some(deal) = self.deal_mut(peer) {
                (deal.is_suspended, deal.pause, deal.sure) = (true, None, id);
            }
            self.refuse(peer, BARRED.0, BARRED.1);
        }
    }
}
