//! How a trade begins: an opening, what the chain says of the account, and the first cheque.

use super::account::{Shelf, delegate_of, worth};
use super::trade::{Deal, Opening, Stage, Trade};
use super::{AccountKey, Till};
use crate::exposure::{Exposure, Unworthy, exposure};
use crate::{
    Accepted, Authority, Bid, Bill, Bind, CloseReason, Delegate, Facts, FactsKey, LastCheque,
    Message, Open, PeerKey, RefusedCode, SignedCheque, Typed, Window, WriteId,
};
use piecework_types::Time;

/// Words worth nothing on one connection at most; behind the last nothing is read any more.
pub(super) const FAULTS_MAX: u8 = 3;

/// A refusal, and what it is told with.
pub(super) type No = (RefusedCode, &'static str);

pub(super) const BARRED: No =
    (RefusedCode::RateLimited, "the account did not pay and is barred for a while");
pub(super) const LITTLE: No =
    (RefusedCode::Unfunded, "the account may owe too little to be cashed");
pub(super) const OWES: No = (RefusedCode::Bounced, "the account owes on cheques");
pub(super) const NO_CHAIN: No = (RefusedCode::ChainUnavailable, "the chain does not answer");

const BAD: RefusedCode = RefusedCode::BadSignature;

impl Till {
    /// All that can be said against an opening without the chain.
    pub(super) fn check_open(&self, open: &Open, bind: &Bind) -> Result<Opening, No> {
        let network = self.config.networks.get(usize::from(open.network));
        let network = *network.ok_or((RefusedCode::NoNetwork, "no such network in the terms"))?;
        let account = AccountKey { network, payer: open.payer };
        if self.accounts.get(&account).is_some_and(|it| it.is_banned(self.wall)) {
            return Err(BARRED);
        }
        let separator = network.domain().separator();
        let delegate = open.delegation.map(|word| delegate_of(&word, open.payer, network.token));
        let mut authority = Authority::Owner { payer: open.payer };
        if let (Some(delegate), Some(word)) = (delegate, open.delegation) {
            authority = Authority::session(delegate, &word.signature, &separator)
                .map_err(|_| (BAD, "the delegation is not the payer's"))?;
        }
        let signer = delegate.map_or(open.payer, |delegate| delegate.session);
        let bound = open.authority.check(&bind.digest(&separator), signer);
        bound.map_err(|_| (BAD, "the opening is not signed for this conversation"))?;
        if let Some(last) = &open.last {
            self.check_signed(&last.signed, &authority, &account)?;
            let value = last.signed.cheque.value(last.number, last.link);
            value.map_err(|_| (BAD, "the last link does not lead to its cheque"))?;
        }
        let open = open.clone();
        Ok(Opening {
            open,
            account,
            authority,
            delegate,
            key: None,
            facts: None,
            cheque: None,
            bid: None,
        })
    }

    /// That a cheque is one that the vault would take, to us, in this money, signed by who may.
    pub(super) fn check_signed(
        &self,
        signed: &SignedCheque,
        authority: &Authority,
        account: &AccountKey,
    ) -> Result<(), No> {
        let SignedCheque { cheque, signature } = signed;
        cheque
            .check(self.config.payee)
            .map_err(|_| (BAD, "the vault would not take the cheque"))?;
        if cheque.links > self.config.links_max {
            return Err((BAD, "the cheque has more links than the terms allow"));
        }
        if cheque.token != account.network.token {
            return Err((BAD, "the cheque is in another token"));
        }
        let checked = authority.check(cheque, signature, &account.network.domain().separator());
        checked.map_err(|_| (BAD, "the cheque is not signed by who opened"))
    }

    /// The first cheque of an opening: now its channel is known.
    pub(super) fn hear_first_cheque(&mut self, peer: PeerKey, signed: SignedCheque) {
        let Some(Trade { stage: Stage::Opening(opening), .. }) = self.trades.get(&peer) else {
            return;
        };
        let other = opening.key.is_some_and(|key| key.channel != signed.cheque.channel);
        let checked = match other {
            true => Err((BAD, "the cheque is of another channel than the opening")),
            false => self.check_signed(&signed, &opening.authority, &opening.account),
        };
        if let Err((code, text)) = checked {
            self.fault(peer, code, text);
            return;
        }
        if let Some(opening) = self.opening_mut(peer) {
            opening.cheque = Some(signed);
        }
        self.ask_chain_first(peer, signed.cheque.channel);
    }

    /// What the chain says of an opening's account: from memory, or asked.
    pub(super) fn ask_chain_first(&mut self, peer: PeerKey, channel: u64) {
        let Some(opening) = self.opening_mut(peer) else { return };
        if opening.key.is_some() {
            return self.admit(peer);
        }
        let AccountKey { network, payer } = opening.account;
        let separator = network.domain().separator();
        let delegation = opening.delegate.map(|delegate| delegate.digest(&separator));
        let account = opening.account;
        let valid_until = opening.delegate.map_or(0, |delegate| delegate.valid_until);
        let payee = self.config.payee;
        let key = FactsKey { network, payer, payee, delegation, valid_until, channel };
        let shelf = self.accounts.get(&account).and_then(|it| it.sales.get(&channel));
        let known = shelf.filter(|shelf| shelf.facts_key() == key).and_then(|shelf| shelf.facts);
        let fresh = known.filter(|(_, at)| self.now.since(*at) < super::FACTS_FRESH);
        let Some(opening) = self.opening_mut(peer) else { return };
        (opening.key, opening.facts) = (Some(key), fresh);
        if fresh.is_some() {
            self.admit(peer);
        } else if !self.ask_chain(key, Some(peer)) {
            self.turn_down(
                peer,
                (RefusedCode::ChainUnavailable, "too many are waiting for the chain"),
            );
        }
    }

    /// The chain's answer for an opening.
    pub(super) fn learn_first(&mut self, peer: PeerKey, key: &FactsKey, facts: Option<Facts>) {
        let now = self.now;
        let Some(opening) = self.opening_mut(peer).filter(|it| it.key == Some(*key)) else {
            return;
        };
        let Some(facts) = facts else {
            self.turn_down(peer, NO_CHAIN);
            return;
        };
        opening.facts = Some((facts, now));
        self.admit(peer);
    }

    /// Accepts an opening when all is known of it.
    fn admit(&mut self, peer: PeerKey) {
        let Some(Trade { stage: Stage::Opening(opening), .. }) = self.trades.get(&peer) else {
            return;
        };
        let (Some(key), Some((facts, at))) = (opening.key, opening.facts) else { return };
        if opening.cheque.is_none() && opening.open.last.is_none() {
            return;
        }
        if let Err(no) = self.check_admission(opening, &key, &facts) {
            self.turn_down(peer, no);
            return;
        }
        self.hand_over(peer, &key);
        let Some(Trade { stage: Stage::Opening(opening), meeting, .. }) = self.trades.get(&peer)
        else {
            return;
        };
        let (account, cheque, bid) = (opening.account, opening.cheque, opening.bid);
        let (authority, torrent) = (opening.authority, meeting.torrent);
        let (offered, delegation) = (opening.open.last, opening.open.delegation);
        let Some(last) = offered.or_else(|| cheque.map(unlinked)) else { return };
        if !self.make_room(&account, key.channel) {
            self.turn_down(peer, (RefusedCode::RateLimited, "too many channels"));
            return;
        }
        let payer = self.accounts.entry(account).or_default();
        let is_known = payer.sales.contains_key(&key.channel);
        let shelf = payer.sales.entry(key.channel);
        let shelf = shelf.or_insert_with(|| Shelf::new(account.network, torrent, delegation, last));
        // What was lost here the payer still has: its own signature.
        let is_better = offered.is_some_and(|last| worth(&last) > shelf.value());
        if is_better {
            shelf.replace(last);
        }
        shelf.sale.paid = shelf.sale.paid.max(facts.paid);
        shelf.sale.torrent = torrent;
        (shelf.peer, shelf.facts) = (Some(peer), Some((facts, at)));
        shelf.note_value(self.wall);
        let (start, remembered) = (shelf.value().max(facts.claimed), payer.remembered);
        payer.trades.insert(peer);
        if offered.is_some() || !is_known {
            payer.remember(last.signed.cheque.root);
        }
        let deal = self.deal(peer, account, key, authority, start, remembered);
        self.stage(peer, Stage::Open(Box::new(deal)));
        if is_better || !is_known {
            self.write_sale(peer);
        }
        match cheque {
            // To an opening with its last cheque the answer is for that alone.
            _ if offered.is_some() => {
                self.accept(peer);
                cheque.map(|signed| self.hear_cheque(peer, signed));
            }
            Some(signed) if is_known => {
                if self.hear_cheque(peer, signed) {
                    self.accept(peer);
                }
            }
            // The channel was made of it.
            _ => self.accept_first(peer, &last),
        }
        if let Some(bid) = bid {
            self.hear_bid(peer, bid);
        }
    }

    /// Accepts the cheque that a channel was made of.
    fn accept_first(&mut self, peer: PeerKey, first: &LastCheque) {
        if let Some(deal) = self.deal_mut(peer) {
            deal.is_offered = false;
            deal.has_cheque = first.signed.cheque.links > 0;
        }
        self.accept(peer);
    }

    /// Another connection that uses the channel gives it up: it is the same payer, whose last connection is
    /// broken, be it that we have not noticed.
    fn hand_over(&mut self, peer: PeerKey, key: &FactsKey) {
        let account = AccountKey { network: key.network, payer: key.payer };
        let shelf = self.accounts.get(&account).and_then(|it| it.sales.get(&key.channel));
        let Some(before) = shelf.and_then(|shelf| shelf.peer).filter(|it| *it != peer) else {
            return;
        };
        self.close(before, CloseReason::Done);
        self.end_deal(before);
    }

    /// Whether a channel of an account fits, be it that another account or channel is forgotten for it.
    fn make_room(&mut self, account: &AccountKey, channel: u64) -> bool {
        if let Some(known) = self.accounts.get_mut(account) {
            return known.sales.contains_key(&channel) || known.make_room();
        }
        if self.accounts.len() < super::ACCOUNTS_MAX {
            return true;
        }
        let idle = self.accounts.iter().find(|(_, account)| account.is_idle(self.wall));
        let Some(idle) = idle.map(|(key, _)| *key) else { return false };
        self.accounts.remove(&idle).is_some()
    }

    fn deal(
        &self,
        peer: PeerKey,
        account: AccountKey,
        key: FactsKey,
        authority: Authority,
        start: u128,
        remembered: u64,
    ) -> Deal {
        let trade = self.trades.get(&peer);
        let first = trade.map_or(0, |trade| trade.first_window);
        let mut bill = Bill::default();
        bill.reach(trade.map_or(0, Trade::billable));
        Deal {
            account,
            channel: key.channel,
            authority,
            key,
            start,
            is_offered: true,
            has_cheque: false,
            limit: bill.bytes(),
            stated: bill.bytes(),
            bill,
            window: Window::new(first, remembered),
            bid: Bid::default(),
            answered: None,
            rate: None,
            most: 0,
            barred_until: Time::ZERO,
            is_suspended: false,
            pause: None,
            is_closed: false,
            sold: 0,
            sure: WriteId::default(),
        }
    }

    /// What speaks against an account now that the chain has spoken.
    fn check_admission(&self, opening: &Opening, key: &FactsKey, facts: &Facts) -> Result<(), No> {
        worthy(facts, opening.delegate.as_ref(), self.wall)?;
        let last = opening.open.last.as_ref().map(|last| last.signed);
        for signed in last.iter().chain(&opening.cheque) {
            if signed.cheque.epoch != facts.epoch {
                return Err((BAD, "the cheque is of another epoch than the account"));
            }
        }
        let account = self.accounts.get(&opening.account);
        let known = account.and_then(|account| account.sales.get(&key.channel));
        if opening.cheque.is_some_and(|it| known.is_none() && it.cheque.cumulative < facts.claimed)
        {
            return Err((RefusedCode::StaleCheque, "the vault has taken more on this channel"));
        }
        let Some(account) = account else { return Ok(()) };
        if known.is_some_and(|shelf| shelf.facts_key() != *key) {
            return Err((BAD, "the channel is of another delegation"));
        }
        let is_used = known.is_some_and(|shelf| shelf.peer.is_some());
        if is_used && last.is_none() {
            return Err((BAD, "the channel is in use by a live connection"));
        }
        if account.trades.len() - usize::from(is_used) >= super::account::TRADES_MAX {
            return Err((RefusedCode::RateLimited, "too many connections of this account"));
        }
        let seen = |it: SignedCheque| known.is_none() && account.has_seen(&it.cheque.root);
        if opening.cheque.is_some_and(seen) {
            return Err((BAD, "the root was seen before"));
        }
        Ok(())
    }

    /// Tells what we hold of a channel.
    pub(super) fn accept(&mut self, peer: PeerKey) {
        let Some((trade, deal, shelf)) = self.parts(peer) else { return };
        let message = Message::Accepted(Accepted {
            channel: deal.channel,
            window: u32::try_from(trade.first_window).unwrap_or(u32::MAX),
            last: Some(shelf.sale.last),
            paid: shelf.sale.paid,
        });
        self.say(peer, message);
    }

    fn turn_down(&mut self, peer: PeerKey, (code, text): No) {
        match self.opening_mut(peer) {
            // A better cheque may follow: the opening stands.
            Some(opening) if code == RefusedCode::StaleCheque => {
                (opening.cheque, opening.bid) = (None, None);
            }
            _ => self.stage(peer, Stage::Met),
        }
        self.refuse(peer, code, text);
    }

    pub(super) fn stage(&mut self, peer: PeerKey, stage: Stage) {
        if let Some(trade) = self.trades.get_mut(&peer) {
            trade.stage = stage;
        }
    }

    pub(super) fn opening_mut(&mut self, peer: PeerKey) -> Option<&mut Opening> {
        match &mut self.trades.get_mut(&peer)?.stage {
            Stage::Opening(opening) => Some(opening),
            Stage::Met | Stage::Open(_) => None,
        }
    }
}

/// A cheque of which no link has come.
pub(super) fn unlinked(signed: SignedCheque) -> LastCheque {
    LastCheque { signed, number: 0, link: signed.cheque.root }
}

/// How much an account may owe, and whether no window may be larger than the first; or why nothing.
pub(super) fn worthy(
    facts: &Facts,
    delegate: Option<&Delegate>,
    wall: u64,
) -> Result<(u128, bool), No> {
    Err(match exposure(facts, delegate, wall) {
        Exposure::Limit { amount, first_window_only } => return Ok((amount, first_window_only)),
        Exposure::Little => LITTLE,
        Exposure::Refused(Unworthy::Unfunded) => {
            (RefusedCode::Unfunded, "the account was never funded")
        }
        Exposure::Refused(Unworthy::Owes) => OWES,
        Exposure::Refused(Unworthy::Delegation) => (
            RefusedCode::DelegationExpired,
            "the delegation is revoked, used up, near its end or too long",
        ),
    })
}
