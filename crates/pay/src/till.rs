//! `Till`: the seller of a whole node. It sells one uplink at one price, gives credit, takes cheques and
//! links, and has them cashed.
//!
//! Its invariants: what an account may still be served unpaid is within its window, and with what it has
//! revealed and we have not cashed within its exposure, over all of its connections; no price holds for
//! bytes that were sent before it was said; and nothing leaves that depends on a record which is not on the
//! drive; the free lane depends on none. It must not know sockets, pieces, or how a chain is asked. A
//! payment problem is never more than [`Service::Free`](crate::Service::Free) and a [`Refused`].

mod account;
mod bidding;
mod cashing;
mod greeting;
mod opening;
mod outbox;
mod paying;
mod serving;
mod trade;
mod view;

pub use account::{CHANNELS_MAX, TRADES_MAX};
pub use view::{AccountView, BuyerView};

use crate::{
    Asking, CloseReason, Facts, FactsKey, Message, NETWORKS_MAX, Network, PeerKey, Price, Record,
    Refused, RefusedCode, Terms, TillInput, TillOutput, WINDOW_MAX,
};
use account::{Account, Shelf};
use alloy_primitives::Address;
use outbox::Outbox;
use piecework_types::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use trade::{Deal, Stage, Trade};

/// Connections to buyers at most. More are not offered anything.
pub const PEERS_MAX: usize = 4096;

/// Accounts that are remembered at most. A new one takes the place of one that owes and is owed nothing and
/// has no default; with none of these it is refused.
pub const ACCOUNTS_MAX: usize = 8192;

/// Questions to the chain under way at most. Who would need one more is refused for now.
const ASKED_MAX: usize = 256;

/// The chain's word counts so long before it is asked again.
const FACTS_FRESH: Duration = Duration::from_secs(60);

/// The uplink is allocated anew.
const ROUND: Duration = Duration::from_secs(10);

/// Links are written down together.
const FLUSH: Duration = Duration::from_millis(200);

/// The least that the free class has for itself, in thousandths.
pub const FREE_PERMILLE_MIN: u16 = 100;

/// How somebody sells.
#[derive(Clone, Debug)]
pub struct TillConfig {
    /// In which money, most wanted first; those behind [`NETWORKS_MAX`] are left out.
    pub networks: Vec<Network>,
    /// Whom cheques have to pay.
    pub payee: Address,
    /// The lowest ask.
    pub floor: Price,
    /// Bytes that one link pays for.
    pub link_bytes: u32,
    /// Links of one cheque at most.
    pub links_max: u32,
    /// Thousandths of the uplink for the free class, at least [`FREE_PERMILLE_MIN`].
    pub free_permille: u16,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct AccountKey {
    network: Network,
    payer: Address,
}

/// A question to the chain, and who waits for the answer.
#[derive(Debug)]
struct Asked {
    at: Time,
    waiting: BTreeSet<PeerKey>,
}

/// The seller's machine.
#[derive(Debug)]
pub struct Till {
    config: TillConfig,
    asking: Asking,
    /// What everybody pays since the last allocation.
    price: Price,
    /// Bytes a second that are given away.
    given: u64,
    /// Of the uplink, bytes a second.
    capacity: u64,
    /// Bytes with a price since the last allocation, and what of the paid capacity the last ones took.
    sold: u64,
    load_permille: u16,
    uptime_permille: u16,
    sells: bool,
    trades: BTreeMap<PeerKey, Trade>,
    accounts: BTreeMap<AccountKey, Account>,
    asked: BTreeMap<FactsKey, Asked>,
    /// Who has used up its credit.
    paused: BTreeSet<PeerKey>,
    /// Whose bid is good, and waits for the drive.
    ungranted: BTreeSet<PeerKey>,
    /// Whose count is exact while this input is handled.
    exact: Option<PeerKey>,
    /// Who is to have the paid lane, at which rate and price, as soon as its count is.
    uncounted: BTreeMap<PeerKey, (u64, Price)>,
    /// Who has left so much unpaid that it counts as a default, and since when.
    arrears: BTreeMap<AccountKey, (Time, u64)>,
    /// Channels that are worth more than the drive knows.
    unwritten: BTreeSet<(AccountKey, u64)>,
    outbox: Outbox,
    now: Time,
    wall: u64,
    round_at: Time,
    /// When the uplink was last shared out, and when it is before the next round, if somebody has left some.
    shared_at: Time,
    share_at: Time,
    flush_at: Time,
    sweep_at: Time,
}

impl Till {
    /// A till that does not sell yet.
    #[must_use]
    pub fn new(mut config: TillConfig) -> Self {
        config.networks.truncate(NETWORKS_MAX);
        config.free_permille = config.free_permille.clamp(FREE_PERMILLE_MIN, 1000);
        Self {
            asking: Asking::new(config.floor),
            price: config.floor,
            config,
            given: 0,
            capacity: 0,
            sold: 0,
            load_permille: 0,
            uptime_permille: 1000,
            sells: false,
            trades: BTreeMap::new(),
            accounts: BTreeMap::new(),
            asked: BTreeMap::new(),
            paused: BTreeSet::new(),
            ungranted: BTreeSet::new(),
            exact: None,
            uncounted: BTreeMap::new(),
            arrears: BTreeMap::new(),
            unwritten: BTreeSet::new(),
            outbox: Outbox::default(),
            now: Time::ZERO,
            wall: 0,
            round_at: Time::ZERO,
            shared_at: Time::ZERO,
            share_at: Time::NEVER,
            flush_at: Time::NEVER,
            sweep_at: Time::ZERO,
        }
    }

    /// What an earlier run has written down, before anything else is told. Of several records of one name
    /// the last counts. Those of buyers are passed over, and channels behind [`CHANNELS_MAX`] that are
    /// cashed.
    pub fn restore(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            match record {
                Record::Sale(sale) => {
                    let (network, cheque) = (sale.network, sale.last.signed.cheque);
                    let key = AccountKey { network, payer: cheque.payer };
                    let account = self.accounts.entry(key).or_default();
                    if account.make_room() || account::worth(&sale.last) > sale.paid {
                        let value = account::worth(&sale.last);
                        account.sales.insert(cheque.channel, Shelf::restored(*sale, value));
                    }
                }
                Record::Standing(standing) => {
                    let key = AccountKey { network: standing.network, payer: standing.account };
                    let account = self.accounts.entry(key).or_default();
                    account.defaults = standing.defaults;
                    account.banned_until = standing.banned_until;
                }
                Record::Purchase(_) | Record::Entry(_) => {}
            }
        }
    }

    /// Takes an input. `wall` is the time of day in seconds since 1970: delegations, locks and bars end by
    /// it, nothing else does.
    ///
    /// A message, a count and an answer of the chain concern one account and its connections; a moment of
    /// `poll_timeout` and a switch concern all.
    pub fn handle(&mut self, now: Time, wall: u64, input: TillInput) {
        (self.now, self.wall) = (now, wall);
        self.exact = None;
        match input {
            TillInput::Met(meeting) => self.meet(meeting),
            TillInput::Heard { peer, message } => self.hear(peer, message),
            TillInput::Served { peer, counts } => self.served(peer, counts),
            TillInput::Counted { peer } => self.counted(peer),
            TillInput::Left { peer } => self.left(peer),
            TillInput::Facts { key, facts } => self.learn(&key, facts),
            TillInput::Written(id) => {
                self.outbox.written(id);
                self.grant_written();
            }
            TillInput::Cashed { payer, network, channel, paid } => {
                self.cashed(AccountKey { network, payer }, channel, paid);
            }
            TillInput::Capacity { bytes_per_second } => self.capacity = bytes_per_second,
            TillInput::Uptime { permille } => self.uptime_permille = permille,
            TillInput::Floor(floor) => self.asking.set_floor(floor),
            TillInput::FreePermille(permille) => {
                self.config.free_permille = permille.clamp(FREE_PERMILLE_MIN, 1000);
            }
            TillInput::Exiting { network, payer } => self.exiting(AccountKey { network, payer }),
            TillInput::Sell(sells) => self.sell(sells),
            TillInput::Timeout => {}
        }
        self.tick();
    }

    /// What is to be done next. All writes of one [`Self::handle`] belong into one transaction.
    pub fn poll(&mut self) -> Option<TillOutput> {
        self.outbox.pop()
    }

    /// When to come back with [`TillInput::Timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Time {
        let is_idle = self.trades.is_empty() && self.accounts.is_empty();
        let round = if is_idle { Time::NEVER } else { self.round_at };
        let pauses = self.paused.iter().filter_map(|peer| self.pause_ends(*peer));
        let arrears = self.arrears.values().map(|(since, _)| *since + crate::DEFAULT);
        pauses.chain(arrears).fold(round.min(self.share_at).min(self.flush_at), Time::min)
    }

    fn tick(&mut self) {
        self.watch_pauses();
        if self.now >= self.round_at {
            self.round();
            self.round_at = self.now + ROUND;
        }
        if self.now >= self.share_at {
            self.share_out();
        }
        if self.now >= self.sweep_at {
            self.sweep();
            self.sweep_at = self.now + cashing::SWEEP;
        }
        if self.now >= self.flush_at {
            self.flush();
        }
    }

    fn sell(&mut self, sells: bool) {
        if self.sells == sells {
            return;
        }
        self.sells = sells;
        for peer in self.trades.keys().copied().collect::<Vec<_>>() {
            if sells {
                self.tell_terms(peer);
            } else {
                self.close(peer, CloseReason::Off);
                // Who was told so is told the terms anew.
                if let Some(trade) =
                    self.trades.get_mut(&peer).filter(|trade| trade.deal().is_some())
                {
                    trade.retire_terms();
                }
            }
        }
    }

    fn terms(&self, first_window: u64) -> Terms {
        let narrow = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        Terms {
            networks: self.config.networks.clone(),
            ask: self.asking.ask(),
            link_bytes: self.config.link_bytes,
            window: narrow(first_window),
            window_max: narrow(WINDOW_MAX.max(first_window)),
            links_max: self.config.links_max,
            payee: self.config.payee,
            free_permille: self.config.free_permille,
        }
    }

    fn hear(&mut self, peer: PeerKey, message: Message) {
        let Some(trade) = self.trades.get(&peer) else { return };
        if trade.faults >= opening::FAULTS_MAX || self.passes_over(peer, &message) {
            return;
        }
        let is_open = self.deal_mut(peer).is_some();
        match message {
            Message::Open(open) => self.hear_open(peer, &open),
            Message::Cheque(signed) if is_open => {
                self.hear_cheque(peer, signed);
            }
            Message::Cheque(signed) => self.hear_first_cheque(peer, signed),
            Message::Bid(bid) => self.hear_bid(peer, bid),
            Message::Link { number, link } => self.hear_link(peer, number, link),
            Message::Close { channel, .. } => self.hear_close(peer, channel),
            Message::Refused(refused) => self.hear_refused(peer, refused.code),
            // A seller's words.
            Message::Terms(_) | Message::Accepted(_) | Message::Ask(_) | Message::Stat { .. } => {}
        }
    }

    /// Asks the chain, unless it is being asked. Answers false when too much is under way.
    fn ask_chain(&mut self, key: FactsKey, waiting: Option<PeerKey>) -> bool {
        let now = self.now;
        let is_lost = |asked: &Asked| now.since(asked.at) >= FACTS_FRESH;
        if self.asked.get(&key).is_some_and(|asked| !is_lost(asked)) {
            if let Some(asked) = self.asked.get_mut(&key) {
                asked.waiting.extend(waiting);
            }
            return true;
        }
        if self.asked.len() >= ASKED_MAX {
            self.asked.retain(|_, asked| !is_lost(asked));
        }
        if self.asked.len() >= ASKED_MAX {
            return false;
        }
        let asked = self.asked.entry(key).or_insert(Asked { at: now, waiting: BTreeSet::new() });
        asked.at = now;
        asked.waiting.extend(waiting);
        self.outbox.push(TillOutput::FactsWanted(key));
        true
    }

    fn learn(&mut self, key: &FactsKey, facts: Option<Facts>) {
        let waiting = self.asked.remove(key).map(|asked| asked.waiting).unwrap_or_default();
        let account = AccountKey { network: key.network, payer: key.payer };
        let shelf = self.accounts.get_mut(&account).map(|known| {
            // Of what is owed only an answer that was asked for after it can tell.
            known.owes &= facts.is_none_or(|facts| facts.owed > 0);
            known.sales.get_mut(&key.channel).filter(|shelf| shelf.facts_key() == *key)
        });
        if let (Some(shelf), Some(facts)) = (shelf.flatten(), facts) {
            let before = shelf.facts.replace((facts, self.now)).map(|(facts, _)| facts);
            shelf.sale.paid = shelf.sale.paid.max(facts.paid);
            let peer = shelf.peer;
            self.watch_exit(account, before, &facts);
            if let Some(peer) = peer {
                self.review(peer);
            }
        }
        for peer in waiting {
            self.learn_first(peer, key, facts);
        }
    }

    /// Everything that concerns one open trade.
    fn parts(&self, peer: PeerKey) -> Option<(&Trade, &Deal, &Shelf)> {
        let trade = self.trades.get(&peer)?;
        let deal = trade.deal()?;
        let shelf = self.accounts.get(&deal.account)?.sales.get(&deal.channel)?;
        Some((trade, deal, shelf))
    }

    fn deal_mut(&mut self, peer: PeerKey) -> Option<&mut Deal> {
        self.trades.get_mut(&peer)?.deal_mut()
    }

    /// What was revealed on a connection since it began.
    fn paid(&self, deal: &Deal) -> u128 {
        let account = self.accounts.get(&deal.account);
        let shelf = account.and_then(|account| account.sales.get(&deal.channel));
        shelf.map_or(0, |shelf| shelf.value().saturating_sub(deal.start))
    }

    /// Tells a peer, when all that it depends on is on the drive.
    fn say(&mut self, peer: PeerKey, message: Message) {
        let after = self.deal_mut(peer).map_or_else(Default::default, |deal| deal.sure);
        self.outbox.push_after(peer, after, TillOutput::Send { peer, message });
    }

    fn refuse(&mut self, peer: PeerKey, code: RefusedCode, text: &str) {
        self.say(peer, Message::Refused(Refused { code, text: text.to_owned() }));
    }

    /// Refuses what is worth nothing. Whoever says such things too often is not listened to any more.
    fn fault(&mut self, peer: PeerKey, code: RefusedCode, text: &str) {
        self.refuse(peer, code, text);
        let Some(trade) = self.trades.get_mut(&peer) else { return };
        trade.faults = trade.faults.saturating_add(1);
        if trade.faults < opening::FAULTS_MAX {
            return;
        }
        match &trade.stage {
            Stage::Open(_) => self.close(peer, CloseReason::Broken),
            Stage::Met | Stage::Opening(_) => trade.stage = Stage::Met,
        }
    }
}

#[cfg(test)]
mod tests;
