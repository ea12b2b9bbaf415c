//! What a seller knows of one payer: its channels, how it has behaved, and what it may owe.

use super::AccountKey;
use crate::{
    B256, Delegate, Delegation, Facts, FactsKey, Held, LastCheque, Network, PeerKey, Sale,
    SignedCheque, Standing, TorrentKey, Typed,
};
use alloy_primitives::Address;
use piecework_types::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Channels of one account at most. A new one takes the place of one that is cashed and not in use; with
/// none of these it is refused.
pub const CHANNELS_MAX: usize = 64;

/// Connections of one account that are open at once, at most. More are refused.
pub const TRADES_MAX: usize = 32;

/// Roots of one account that are remembered beside those of its channels; of more the oldest is forgotten.
const ROOTS_MAX: usize = 256;

/// How long the first default bars an account, in seconds; each further one twice as long.
const BAN_SECONDS: u64 = 3600;
/// The longest.
const BAN_SECONDS_MAX: u64 = 7 * 24 * 3600;

/// Beside its first window, an account may leave one in so many bytes that it has paid: connections break.
const REST_SHARE: u64 = 64;

/// A payer in one network.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) sales: BTreeMap<u64, Shelf>,
    pub(super) trades: BTreeSet<PeerKey>,
    pub(super) defaults: u32,
    /// No credit before, seconds since 1970.
    pub(super) banned_until: u64,
    /// Bytes that it has paid since its last default.
    pub(super) earned: u64,
    /// The window that its last connection had reached.
    pub(super) remembered: u64,
    /// Bytes that it left unpaid on connections that are gone, and has not paid since.
    pub(super) rest: u64,
    /// A cheque of it was not paid whole, and the chain was not asked since.
    pub(super) owes: bool,
    pub(super) cashed_at: Option<Time>,
    roots: VecDeque<B256>,
}

/// One channel.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) sale: Sale,
    held: Held,
    /// The connection that uses it.
    pub(super) peer: Option<PeerKey>,
    /// What its connections before have left unpaid.
    pub(super) rest: Rest,
    pub(super) facts: Option<(Facts, Time)>,
    /// What of its value is in the ledger.
    pub(super) entered: u128,
    /// What it was worth when it was given away to be cashed; nothing else is until that has ended.
    pub(super) cashing: Option<u128>,
    /// That what has come meanwhile is cashed as soon as that has ended.
    pub(super) cash_again: bool,
    /// Not cashed before, after it failed.
    pub(super) cash_from: Time,
}

/// What connections that are gone have left unpaid.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest {
    pub(super) bytes: u64,
    pub(super) due: u128,
}

impl Account {
    /// A connection of a channel is gone, and has left this unpaid.
    pub(super) fn leave_rest(&mut self, channel: u64, left: Rest) {
        self.rest = self.rest.saturating_add(left.bytes);
        if let Some(Shelf { rest, .. }) = self.sales.get_mut(&channel) {
            rest.bytes = rest.bytes.saturating_add(left.bytes);
            rest.due = rest.due.saturating_add(left.due);
        }
    }

    /// So much of what a channel has left unpaid is paid, at most all of it.
    pub(super) fn pay_rest(&mut self, channel: u64, amount: u128) {
        let Some(Shelf { rest, .. }) = self.sales.get_mut(&channel) else { return };
        let amount = amount.min(rest.due);
        let share = u128::from(rest.bytes).saturating_mul(amount).checked_div(rest.due);
        let bytes = share.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(rest.bytes);
        (rest.bytes, rest.due) = (rest.bytes.saturating_sub(bytes), rest.due - amount);
        self.rest = self.rest.saturating_sub(bytes);
    }

    /// What was revealed and is not cashed.
    pub(super) fn uncashed(&self) -> u128 {
        self.sales.values().fold(0, |sum, shelf| sum.saturating_add(shelf.uncashed()))
    }

    pub(super) fn is_banned(&self, wall: u64) -> bool {
        self.banned_until > wall
    }

    /// Whether it has left more unpaid than a connection that breaks would explain.
    pub(super) fn is_in_arrears(&self, first_window: u64) -> bool {
        self.rest > first_window.saturating_add(self.earned / REST_SHARE)
    }

    /// Records a default: nothing that it has earned counts any more.
    pub(super) fn bar(&mut self, key: &AccountKey, wall: u64) -> Standing {
        let seconds = BAN_SECONDS.checked_shl(self.defaults.min(16)).unwrap_or(BAN_SECONDS_MAX);
        self.defaults = self.defaults.saturating_add(1);
        self.banned_until = wall.saturating_add(seconds.min(BAN_SECONDS_MAX));
        (self.earned, self.remembered, self.rest) = (0, 0, 0);
        self.sales.values_mut().for_each(|shelf| shelf.rest = Rest::default());
        let (defaults, banned_until) = (self.defaults, self.banned_until);
        Standing { network: key.network, account: key.payer, defaults, banned_until }
    }

    /// Whether a chain with this end was ever shown.
    pub(super) fn has_seen(&self, root: &B256) -> bool {
        let live = self.sales.values().any(|shelf| shelf.cheque().cheque.root == *root);
        live || self.roots.contains(root)
    }

    pub(super) fn remember(&mut self, root: B256) {
        if self.roots.len() == ROOTS_MAX {
            self.roots.pop_front();
        }
        self.roots.push_back(root);
    }

    /// Whether a further channel fits, be it in the place of one that is done with.
    pub(super) fn make_room(&mut self) -> bool {
        if self.sales.len() < CHANNELS_MAX {
            return true;
        }
        let is_done = |shelf: &Shelf| shelf.peer.is_none() && shelf.uncashed() == 0;
        let done = self.sales.iter().find(|(_, shelf)| is_done(shelf)).map(|(channel, _)| *channel);
        done.is_some_and(|channel| self.sales.remove(&channel).is_some())
    }

    /// Whether nothing would be lost with it.
    pub(super) fn is_idle(&self, wall: u64) -> bool {
        let is_free = self.trades.is_empty() && self.defaults == 0 && !self.is_banned(wall);
        is_free && !self.owes && self.uncashed() == 0
    }
}

impl Shelf {
    pub(super) fn new(
        network: Network,
        torrent: TorrentKey,
        delegation: Option<Delegation>,
        last: LastCheque,
    ) -> Self {
        let (paid, since) = (0, 0);
        Self::restored(Sale { network, torrent, delegation, last, paid, since }, 0)
    }

    /// A channel as it was written down, of which `entered` is in the ledger.
    pub(super) fn restored(sale: Sale, entered: u128) -> Self {
        let LastCheque { signed, number, link } = sale.last;
        let link = if number == 0 { signed.cheque.root } else { link };
        Self {
            held: Held::resume(number, link, signed.cheque.links),
            sale,
            peer: None,
            rest: Rest::default(),
            facts: None,
            entered,
            cashing: None,
            cash_again: false,
            cash_from: Time::ZERO,
        }
    }

    pub(super) fn cheque(&self) -> &SignedCheque {
        &self.sale.last.signed
    }

    /// What the channel is worth with the best link.
    pub(super) fn value(&self) -> u128 {
        worth(&self.sale.last)
    }

    pub(super) fn uncashed(&self) -> u128 {
        self.value().saturating_sub(self.sale.paid)
    }

    /// Takes a link and answers whether it was news.
    pub(super) fn take_link(&mut self, number: u32, link: B256) -> Result<bool, crate::PayFault> {
        let is_news = self.held.take(number, link)? > 0;
        if is_news {
            (self.sale.last.number, self.sale.last.link) = (number, link);
        }
        Ok(is_news)
    }

    /// Continues the channel with another cheque and its links.
    pub(super) fn replace(&mut self, last: LastCheque) {
        let link = if last.number == 0 { last.signed.cheque.root } else { last.link };
        self.held = Held::resume(last.number, link, last.signed.cheque.links);
        self.sale.last = last;
    }

    /// When what is uncashed began to wait, seconds since 1970.
    pub(super) fn note_value(&mut self, wall: u64) {
        if self.sale.since == 0 && self.uncashed() > 0 {
            self.sale.since = wall;
        }
    }

    pub(super) fn delegate(&self) -> Option<Delegate> {
        let cheque = &self.cheque().cheque;
        self.sale.delegation.map(|word| delegate_of(&word, cheque.payer, cheque.token))
    }

    pub(super) fn facts_key(&self) -> FactsKey {
        let cheque = &self.cheque().cheque;
        let separator = self.sale.network.domain().separator();
        let delegate = self.delegate();
        FactsKey {
            network: self.sale.network,
            payer: cheque.payer,
            payee: cheque.payee,
            delegation: delegate.map(|delegate| delegate.digest(&separator)),
            valid_until: delegate.map_or(0, |delegate| delegate.valid_until),
            channel: cheque.channel,
        }
    }
}

/// What a cheque with its best link is worth. It was checked when it came.
pub(super) fn worth(last: &LastCheque) -> u128 {
    last.signed.cheque.worth(last.number).unwrap_or(last.signed.cheque.cumulative)
}

pub(super) fn delegate_of(word: &Delegation, owner: Address, token: Address) -> Delegate {
    Delegate {
        owner,
        session: word.session,
        token,
        max_amount: word.max_amount,
        bond_at_risk: word.bond_at_risk,
        valid_until: word.valid_until,
    }
}
