//! `Purse`: the buyer of a whole node. It decides what is bought of whom at which price, signs cheques,
//! reveals links for what was verified, and keeps every budget.
//!
//! Its invariant: what all channels may be worth to their payees at most, with every link of a live cheque,
//! is within the torrent's budget, the day's, the delegation and the account (`books`); and nothing leaves
//! that makes a channel worth more than the drive knows ([`Write`]). It is off until
//! [`PurseInput::Buy`]. It must not know sockets, pieces, or how a chain is asked.

mod bidding;
mod books;
mod deal;
mod hearing;
mod payer;
mod paying;
mod torrent;
mod trade;
mod view;

pub use payer::{DELEGATION_SECONDS_MIN, Payer};
pub use view::{SellerView, TorrentView};

use crate::draw::Draw;
use crate::{
    CloseReason, Counts, Meeting, PeerKey, PurseInput, PurseOutput, Record, RefusedCode,
    TorrentKey, Wish, Write, WriteId,
};
use alloy_primitives::Address;
use books::Books;
use payer::Account;
use piecework_types::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use torrent::Torrent;
use trade::{Stage, Trade};

/// Connections to sellers that are looked after at most. Of others nothing is bought.
pub const SELLERS_MAX: usize = 4096;

/// Torrents that are looked after at most. For others nothing is bought.
pub const TORRENTS_MAX: usize = 16_384;

/// Payees that are remembered for corrupt data; of more the oldest is forgotten.
const SHUNNED_MAX: usize = 1024;

/// How often counts are compared and what is withdrawn is looked after.
const TICK: Duration = Duration::from_secs(1);

/// How often bids are thought over.
const ROUND: Duration = Duration::from_secs(10);

const DAY_SECONDS: u64 = 24 * 3600;

/// What a purse pays with and up to how much.
#[derive(Debug)]
pub struct PurseConfig {
    /// The accounts, at most one a network. Amounts of all networks add up in budgets as they are: their
    /// tokens' smallest units have to be worth the same.
    pub payers: Vec<Payer>,
    /// What may be spent in a day (UTC), for all torrents.
    pub day_max: u128,
}

/// The buyer's machine.
pub struct Purse {
    accounts: Vec<Account>,
    day_max: u128,
    draw: Draw,
    books: Books,
    torrents: BTreeMap<TorrentKey, Torrent>,
    trades: BTreeMap<PeerKey, Trade>,
    /// Of whom something waits to be said.
    waiting: BTreeSet<PeerKey>,
    shunned: VecDeque<Address>,
    buys: bool,
    out: VecDeque<PurseOutput>,
    last_write: WriteId,
    written: WriteId,
    now: Time,
    wall: u64,
    tick_at: Time,
    round_at: Time,
}

impl std::fmt::Debug for Purse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Purse").field("trades", &self.trades).finish_non_exhaustive()
    }
}

impl Purse {
    /// A purse that is off. `entropy` must come from the operating system, anew for every one: all seeds
    /// and channel numbers are drawn from it.
    #[must_use]
    pub fn new(config: PurseConfig, entropy: [u8; 32]) -> Self {
        Self {
            accounts: config.payers.into_iter().map(Account::new).collect(),
            day_max: config.day_max,
            draw: Draw::new(entropy),
            books: Books::default(),
            torrents: BTreeMap::new(),
            trades: BTreeMap::new(),
            waiting: BTreeSet::new(),
            shunned: VecDeque::new(),
            buys: false,
            out: VecDeque::new(),
            last_write: WriteId::default(),
            written: WriteId::default(),
            now: Time::ZERO,
            wall: 0,
            tick_at: Time::ZERO,
            round_at: Time::ZERO,
        }
    }

    /// What an earlier run has written down, before anything else is told. Of several records of one name
    /// the last counts. Those of sellers are passed over.
    pub fn restore(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            if let Record::Purchase(purchase) = record {
                self.books.restore(*purchase);
            }
        }
    }

    /// Takes an input. `wall` is the time of day in seconds since 1970: days and delegations end by it,
    /// nothing else does.
    ///
    /// A payment concerns one seller; a moment of `poll_timeout` and a switch concern all.
    pub fn handle(&mut self, now: Time, wall: u64, input: PurseInput) {
        (self.now, self.wall) = (now, wall);
        self.books.turn(wall / DAY_SECONDS);
        match input {
            PurseInput::Want(wish) => self.want(wish),
            PurseInput::Forget(torrent) => self.forget(torrent),
            PurseInput::Met(meeting) => self.meet(meeting),
            PurseInput::Terms { peer, terms, said } => self.hear_terms(peer, terms, said),
            PurseInput::Heard { peer, message } => self.hear(peer, message),
            PurseInput::Came { peer, counts } => self.came(peer, counts),
            PurseInput::Corrupt { peer } => self.corrupt(peer),
            PurseInput::Left { peer } => self.left(peer),
            PurseInput::Funds { network, facts } => self.learn(network, facts),
            PurseInput::Written(id) => self.written = self.written.max(id),
            PurseInput::Buy(buys) => self.buy(buys),
            PurseInput::DayMax(most) => self.day_max = most,
            PurseInput::Timeout => {}
        }
        self.tick();
        self.flush();
    }

    /// What is to be done next. All writes of one [`Self::handle`] belong into one transaction.
    pub fn poll(&mut self) -> Option<PurseOutput> {
        self.out.pop_front()
    }

    /// When to come back with [`PurseInput::Timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Time {
        if self.buys && !self.trades.is_empty() { self.tick_at } else { Time::NEVER }
    }

    /// Pays from this account from now on, in place of the one of the same network: a delegation ends after
    /// some days. What is bought under the old one ends with its connections.
    pub fn renew(&mut self, now: Time, payer: Payer) {
        self.now = now;
        let same = |account: &Account| account.payer.network == payer.network;
        let Some(place) = self.accounts.iter().position(same) else {
            self.accounts.push(Account::new(payer));
            return;
        };
        let peers = self.trades.values().filter(|trade| {
            trade.deal().is_some() && trade.offer.as_ref().is_some_and(|it| it.account == place)
        });
        for peer in peers.map(Trade::peer).collect::<Vec<_>>() {
            self.end(peer, CloseReason::Done);
        }
        self.accounts[place] = Account::new(payer);
        self.flush();
    }

    fn want(&mut self, wish: Wish) {
        if !self.torrents.contains_key(&wish.torrent) && self.torrents.len() >= TORRENTS_MAX {
            return;
        }
        let spent = self.books.torrent(&wish.torrent).value;
        let torrent = self.torrents.entry(wish.torrent).or_default();
        let before = (torrent.wish.map(|old| old.lane), torrent.target());
        torrent.want(wish, spent);
        let is_other_rate = before != (Some(wish.lane), torrent.target());
        if torrent.target() == 0 {
            for peer in torrent.peers.clone() {
                self.withdraw(peer);
            }
        }
        self.bid_anew(&wish.torrent, is_other_rate);
        self.engage(&wish.torrent);
    }

    fn forget(&mut self, torrent: TorrentKey) {
        let Some(known) = self.torrents.get(&torrent) else { return };
        // The wish goes last: what is owed is still paid out of its budget.
        for peer in known.peers.clone() {
            self.end(peer, CloseReason::Done);
        }
        if let Some(known) = self.torrents.get_mut(&torrent) {
            known.wish = None;
        }
        self.engage(&torrent);
        self.tidy(&torrent);
    }

    fn meet(&mut self, meeting: Meeting) {
        let known =
            self.torrents.len() < TORRENTS_MAX || self.torrents.contains_key(&meeting.torrent);
        let fits = self.trades.len() < SELLERS_MAX && known;
        if !fits || self.trades.contains_key(&meeting.peer) {
            return;
        }
        if self.trades.is_empty() {
            (self.tick_at, self.round_at) = (self.now + TICK, self.now + ROUND);
        }
        self.torrents.entry(meeting.torrent).or_default().peers.insert(meeting.peer);
        self.trades.insert(meeting.peer, Trade::new(meeting));
    }

    fn came(&mut self, peer: PeerKey, counts: Counts) {
        let Some(trade) = self.trades.get_mut(&peer) else { return };
        // Told twice or late, it changes nothing.
        trade.counts = Counts {
            bytes: trade.counts.bytes.max(counts.bytes),
            verified: trade.counts.verified.max(counts.verified),
            back: trade.counts.back.max(counts.back),
        };
        self.pay(peer);
    }

    fn corrupt(&mut self, peer: PeerKey) {
        let Some(trade) = self.trades.get_mut(&peer) else { return };
        if matches!(trade.stage, Stage::Ended) {
            return;
        }
        if let Some(offer) = &trade.offer {
            if self.shunned.len() == SHUNNED_MAX {
                self.shunned.pop_front();
            }
            self.shunned.push_back(offer.terms.payee);
        }
        self.leave(peer, RefusedCode::Disagree, "a piece was corrupt");
    }

    fn left(&mut self, peer: PeerKey) {
        self.break_deal(peer);
        let Some(trade) = self.trades.remove(&peer) else { return };
        self.waiting.remove(&peer);
        let torrent = trade.meeting.torrent;
        if let Some(known) = self.torrents.get_mut(&torrent) {
            known.peers.remove(&peer);
        }
        self.engage(&torrent);
        self.tidy(&torrent);
    }

    fn learn(&mut self, network: crate::Network, facts: Option<crate::Facts>) {
        let Some(place) = self.accounts.iter().position(|it| it.payer.network == network) else {
            return;
        };
        let sums = self.books.payer_key(&self.accounts[place].payer_key);
        self.accounts[place].learn(self.now, facts, sums);
        for torrent in self.torrents.keys().copied().collect::<Vec<_>>() {
            self.engage(&torrent);
        }
    }

    fn buy(&mut self, buys: bool) {
        self.buys = buys;
        if buys {
            (self.tick_at, self.round_at) = (self.now + TICK, self.now + ROUND);
        } else {
            for peer in self.trades.keys().copied().collect::<Vec<_>>() {
                self.end(peer, CloseReason::Off);
            }
        }
        for torrent in self.torrents.keys().copied().collect::<Vec<_>>() {
            self.engage(&torrent);
        }
    }

    fn tick(&mut self) {
        if self.now < self.tick_at || !self.buys {
            return;
        }
        self.tick_at = self.now + TICK;
        let is_round = self.now >= self.round_at;
        let open = self.trades.values().filter(|trade| trade.deal().is_some());
        for peer in open.map(Trade::peer).collect::<Vec<_>>() {
            self.pay(peer);
        }
        // Whether something is in the way changes without anybody's word.
        let idle = self.torrents.values().filter(|torrent| torrent.target() > 0);
        let idle = idle.filter(|torrent| {
            !torrent.peers.iter().any(|peer| self.trades.get(peer).is_some_and(Trade::is_engaged))
        });
        let idle = idle.filter_map(|torrent| Some(torrent.wish?.torrent)).collect::<Vec<_>>();
        for torrent in idle {
            self.engage(&torrent);
        }
        if is_round {
            let seconds = ROUND.as_secs() + self.now.since(self.round_at).as_secs();
            self.round_at = self.now + ROUND;
            for torrent in self.torrents.keys().copied().collect::<Vec<_>>() {
                self.round(&torrent, seconds);
            }
        }
    }

    /// A torrent that nobody wants and nobody sells is not remembered.
    fn tidy(&mut self, torrent: &TorrentKey) {
        let known = self.torrents.get(torrent);
        if known.is_some_and(|known| known.wish.is_none() && known.peers.is_empty()) {
            self.torrents.remove(torrent);
        }
    }

    fn flush(&mut self) {
        let written = self.written;
        let (trades, out) = (&mut self.trades, &mut self.out);
        self.waiting.retain(|peer| {
            let Some(trade) = trades.get_mut(peer) else { return false };
            out.extend(std::iter::from_fn(|| trade.next_output(written)));
            !trade.is_silent()
        });
    }

    fn write(&mut self, record: Record, at_once: bool) -> WriteId {
        self.last_write.0 += 1;
        let id = self.last_write;
        self.out.push_back(PurseOutput::Write(Write { id, at_once, record }));
        id
    }
}

#[cfg(test)]
mod tests;
