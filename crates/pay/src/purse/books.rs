//! Every channel that we have bought on, and what all of them come to: by torrent, by account, today.
//!
//! *Committed* is what channels may be worth to their payees at most: what is revealed, and all links that
//! a live cheque still has. A budget is compared with that, so that it holds whatever happens. What was
//! revealed up to the last crash is not known to the link: a record's `at_most` counts as committed.

use super::deal::Left;
use super::trade::Trade;
use crate::{Links, Network, Purchase, Seed, SignedCheque, TorrentKey};
use alloy_primitives::{Address, B256};
use std::collections::BTreeMap;

/// Channels that are remembered at most. When there are more, nothing is bought that would need a new one.
pub(super) const CHANNELS_MAX: usize = 65_536;

/// Links that may be revealed before the next record is on the drive. A crash leaves at most so many in
/// doubt, 4 MiB at 256 KiB each, and at full speed none waits for the drive.
pub(super) const AHEAD_LINKS: u32 = 16;

/// A channel's name.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct ChannelKey {
    pub(super) network: Network,
    pub(super) payee: Address,
    pub(super) number: u64,
}

/// Whose money: under a delegation, or the account's own.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct PayerKey {
    pub(super) network: Network,
    pub(super) account: Address,
    pub(super) delegation: Option<B256>,
}

/// Sums over channels.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Sums {
    /// What they may be worth at most.
    pub(super) committed: u128,
    /// What they are worth, as far as is known.
    pub(super) value: u128,
}

/// One channel.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) purchase: Purchase,
    /// A connection uses it.
    pub(super) is_used: bool,
    /// More links of its cheque may be revealed.
    is_live: bool,
    /// What it may be worth for what a crash has left unknown.
    doubt: u128,
    /// What its last connection has left: what is owed, and what may be.
    left: (u128, Left),
}

impl Channel {
    pub(super) fn value(&self) -> u128 {
        self.purchase.value()
    }

    /// What it may come to be worth with what is signed.
    pub(super) fn committed(&self) -> u128 {
        let cheque = &self.purchase.signed.cheque;
        let live = if self.is_live { cheque.worth(cheque.links).unwrap_or(u128::MAX) } else { 0 };
        self.purchase.at_most.max(live)
    }

    pub(super) fn left(&self) -> (u128, Left) {
        self.left
    }

    pub(super) fn is_live(&self) -> bool {
        self.is_live
    }

    pub(super) fn payer_key(&self) -> PayerKey {
        let cheque = &self.purchase.signed.cheque;
        PayerKey {
            network: self.purchase.network,
            account: cheque.payer,
            delegation: self.purchase.delegation,
        }
    }

    /// The link that was revealed last; zero without any.
    pub(super) fn last_link(&self) -> B256 {
        let links = self.purchase.signed.cheque.links;
        let chain = Links::new(B256::new(self.purchase.seed.0), links).ok();
        chain.and_then(|chain| chain.link(self.purchase.revealed)).unwrap_or_default()
    }

    fn reach(&mut self, links: u32) {
        let cheque = &self.purchase.signed.cheque;
        let ahead = links.saturating_add(AHEAD_LINKS).min(cheque.links);
        let ahead = cheque.worth(ahead).unwrap_or(u128::MAX);
        self.purchase.revealed = links;
        self.purchase.at_most = self.purchase.at_most.max(ahead);
    }

    /// Both sums as they count on `day`.
    fn of_day(&self, day: u64) -> Sums {
        let from = if self.purchase.day >= day { self.purchase.before } else { self.value() };
        let committed =
            if self.purchase.day >= day || self.is_live { self.committed() } else { from };
        Sums { committed: committed.saturating_sub(from), value: self.value().saturating_sub(from) }
    }
}

/// All channels and their sums.
#[derive(Debug, Default)]
pub(super) struct Books {
    channels: BTreeMap<ChannelKey, Channel>,
    torrents: BTreeMap<TorrentKey, Sums>,
    payers: BTreeMap<PayerKey, Sums>,
    day: u64,
    today: Sums,
}

impl Books {
    /// A record of an earlier run. Of two for one channel the later one counts.
    pub(super) fn restore(&mut self, purchase: Purchase) {
        let cheque = &purchase.signed.cheque;
        let (network, payee, number) = (purchase.network, cheque.payee, cheque.channel);
        let doubt = if purchase.at_most > purchase.value() { purchase.at_most } else { 0 };
        // What was folded was paid before it ended.
        let left = if cheque.links > 0 { Left::Forgotten } else { Left::UpTo(0) };
        self.put(
            ChannelKey { network, payee, number },
            Channel { purchase, is_used: false, is_live: false, doubt, left: (0, left) },
        );
    }

    /// What day it is. One that lies before what was spent already counts as that day.
    pub(super) fn turn(&mut self, day: u64) {
        if day == self.day {
            return;
        }
        self.day = day;
        let days = self.channels.values().map(|channel| channel.of_day(day));
        self.today = days.fold(Sums::default(), Sums::plus);
    }

    pub(super) fn channel(&self, key: &ChannelKey) -> Option<&Channel> {
        self.channels.get(key)
    }

    /// The channel to go on with: of the same torrent, account and epoch, of no other connection, and not
    /// closed on this one.
    pub(super) fn idle(
        &self,
        payer_key: &PayerKey,
        payee: Address,
        epoch: u64,
        trade: &Trade,
    ) -> Option<ChannelKey> {
        let first = ChannelKey { network: payer_key.network, payee, number: 0 };
        let last = ChannelKey { number: u64::MAX, ..first };
        let channels = self.channels.range(first..=last).filter(|(_, channel)| {
            !channel.is_used
                && channel.payer_key() == *payer_key
                && channel.purchase.torrent == trade.meeting.torrent
                && !trade.closed.contains(&channel.purchase.signed.cheque.channel)
                && channel.purchase.signed.cheque.epoch == epoch
        });
        channels.max_by_key(|(_, channel)| channel.value()).map(|(key, _)| *key)
    }

    /// That there is room for one more; `is_needed` tells which must not be forgotten.
    pub(super) fn make_room(&mut self, is_needed: impl Fn(&Purchase) -> bool) -> bool {
        if self.channels.len() < CHANNELS_MAX {
            return true;
        }
        let mut channels = self.channels.iter();
        let old = channels.find(|(_, old)| !old.is_used && !is_needed(&old.purchase));
        let Some(old) = old.map(|(key, _)| *key) else { return false };
        self.take(&old);
        true
    }

    /// A cheque was signed: it takes the place of the one before, of which nothing more is revealed.
    pub(super) fn sign(
        &mut self,
        key: ChannelKey,
        (torrent, delegation): (TorrentKey, Option<B256>),
        signed: SignedCheque,
        seed: Seed,
    ) {
        let day = self.day;
        let old = self.take(&key);
        let doubt = old.as_ref().map_or(0, |old| old.doubt);
        let value = old.as_ref().map_or(0, Channel::value);
        let (day, before) = match &old {
            Some(old) if old.purchase.day >= day || signed.cheque.cumulative <= value => {
                (old.purchase.day, old.purchase.before)
            }
            _ => (day, value),
        };
        let at_most = doubt.max(signed.cheque.cumulative);
        let network = key.network;
        let revealed = 0;
        let purchase =
            Purchase { network, torrent, signed, seed, revealed, at_most, delegation, day, before };
        let is_live = signed.cheque.links > 0;
        let left = (0, Left::UpTo(0));
        let mut channel = Channel { purchase, is_used: true, is_live, doubt, left };
        channel.reach(0);
        self.put(key, channel);
    }

    /// Links up to `number` are revealed. Answers what that adds.
    pub(super) fn reveal(&mut self, key: &ChannelKey, number: u32) -> u128 {
        let day = self.day;
        self.change(key, |channel| {
            let value = channel.value();
            if day > channel.purchase.day {
                (channel.purchase.day, channel.purchase.before) = (day, value);
            }
            channel.reach(number);
            channel.value().saturating_sub(value)
        })
        .unwrap_or(0)
    }

    /// Its connection is gone or goes on without it: what is not revealed is given back.
    pub(super) fn settle(&mut self, key: &ChannelKey, is_used: bool) {
        self.change(key, |channel| {
            (channel.is_live, channel.is_used) = (false, is_used);
            channel.purchase.at_most = channel.doubt.max(channel.value());
        });
    }

    /// Its connection broke, and has left this.
    pub(super) fn leave(&mut self, key: &ChannelKey, left: (u128, Left)) {
        if let Some(channel) = self.channels.get_mut(key) {
            channel.left = left;
        }
    }

    pub(super) fn torrent(&self, torrent: &TorrentKey) -> Sums {
        self.torrents.get(torrent).copied().unwrap_or_default()
    }

    pub(super) fn payer_key(&self, payer_key: &PayerKey) -> Sums {
        self.payers.get(payer_key).copied().unwrap_or_default()
    }

    pub(super) fn today(&self) -> Sums {
        self.today
    }

    fn change<T>(&mut self, key: &ChannelKey, how: impl FnOnce(&mut Channel) -> T) -> Option<T> {
        let mut channel = self.take(key)?;
        let told = how(&mut channel);
        self.put(*key, channel);
        Some(told)
    }

    fn put(&mut self, key: ChannelKey, channel: Channel) {
        self.take(&key);
        let sums = Sums { committed: channel.committed(), value: channel.value() };
        let torrent = self.torrents.entry(channel.purchase.torrent).or_default();
        *torrent = torrent.plus(sums);
        let payer_key = self.payers.entry(channel.payer_key()).or_default();
        *payer_key = payer_key.plus(sums);
        self.today = self.today.plus(channel.of_day(self.day));
        self.channels.insert(key, channel);
    }

    fn take(&mut self, key: &ChannelKey) -> Option<Channel> {
        let channel = self.channels.remove(key)?;
        let sums = Sums { committed: channel.committed(), value: channel.value() };
        less(&mut self.torrents, &channel.purchase.torrent, sums);
        less(&mut self.payers, &channel.payer_key(), sums);
        self.today = self.today.minus(channel.of_day(self.day));
        Some(channel)
    }
}

impl Sums {
    fn plus(self, other: Self) -> Self {
        Self {
            committed: self.committed.saturating_add(other.committed),
            value: self.value.saturating_add(other.value),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            committed: self.committed.saturating_sub(other.committed),
            value: self.value.saturating_sub(other.value),
        }
    }
}

fn less<K: Ord>(sums: &mut BTreeMap<K, Sums>, key: &K, less: Sums) {
    let Some(sum) = sums.get_mut(key) else { return };
    *sum = sum.minus(less);
    if *sum == Sums::default() {
        sums.remove(key);
    }
}
