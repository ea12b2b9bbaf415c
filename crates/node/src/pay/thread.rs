//! The thread: waits for what comes, tells the machines, carries out what they say.

use super::PayView;
use super::host::{PayConfig, PayHost, PayNews};
use super::inbox::{Batch, Call, Inbox, Meet, Note};
use super::lanes::Lanes;
use super::times::PaidTimes;
use super::wishes::Wishes;
use super::writes::{Attempt, Author, Writes};
use crate::clock::Clock;
use crate::engine::{LoadedTorrents, Shared};
use crate::shard::{Command, ShardHandle};
use piecework_pay::{
    Counts, FREE_PERMILLE_MIN, FactsKey, Network, Payments, PaymentsConfig, PaymentsInput,
    PaymentsOutput, PeerKey, Purse, PurseInput, PurseOutput, Service, Till, TillInput, TillOutput,
};
use piecework_swarm::{PeerCounts, Reserve};
use piecework_types::{Allowance, Rate, Time};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Time between two looks at what nobody tells: limits of the node, what torrents still lack.
const CHORES: Duration = Duration::from_secs(1);

/// How often our own account is asked for.
const FUNDS: Duration = Duration::from_secs(60);

/// How often a view is made, and how long after somebody looked last.
const VIEW: Duration = Duration::from_millis(250);
const VIEW_LOOKED: Duration = Duration::from_secs(3);

/// Longest sleep, so that nothing stands still for ever if a timer is lost.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Rounds of writing in one turn: what is said once something is written may have to be written too.
const ROUNDS_MAX: usize = 8;

/// How long buyers have for a last payment when payments end.
const LAST_PAYMENTS: Duration = Duration::from_secs(2);

/// Peers that broke the rules of which people hear.
const FAULTS: Rate = Rate { per_second: 1, burst: 20 };

/// What a shard is told of one of its peers.
#[derive(Debug)]
pub(crate) enum PayOrder {
    Send {
        peer: PeerKey,
        bytes: Vec<u8>,
    },
    Reserve {
        peer: PeerKey,
        reserve: Option<Reserve>,
    },
    Sole {
        peer: PeerKey,
        is_sole: bool,
    },
    /// Send it no pieces, and say what was counted.
    Hold {
        peer: PeerKey,
    },
    /// What it said is answered: send it pieces again.
    Release {
        peer: PeerKey,
    },
}

/// What has to come before somebody who is held back is answered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Wait {
    /// Nothing more.
    #[default]
    Nothing,
    /// What the chain says.
    Chain(FactsKey),
    /// Its exact count.
    Count,
}

/// What the thread is started with.
pub(crate) struct Start {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) view: Arc<Mutex<Arc<PayView>>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) torrents: LoadedTorrents,
    pub(crate) shards: Vec<ShardHandle>,
    pub(crate) clock: Clock,
    pub(crate) host: Box<dyn PayHost>,
}

pub(crate) struct Driver {
    pub(super) inbox: Arc<Inbox>,
    pub(super) view: Arc<Mutex<Arc<PayView>>>,
    pub(super) shared: Arc<Shared>,
    pub(super) torrents: LoadedTorrents,
    shards: Vec<ShardHandle>,
    clock: Clock,
    pub(super) host: Box<dyn PayHost>,
    pub(super) payments: Payments,
    /// Those that we pay in.
    networks: Vec<Network>,
    pub(super) free_permille: u16,
    pub(super) peers: BTreeMap<PeerKey, Meet>,
    pub(super) wishes: Wishes,
    pub(super) writes: Writes,
    pub(super) lanes: Lanes,
    pub(super) times: PaidTimes,
    orders: Vec<Vec<PayOrder>>,
    /// Who is sent nothing until it is answered.
    held: BTreeMap<PeerKey, Wait>,
    /// The last question to the chain of this turn.
    asked: Option<FactsKey>,
    pub(super) now: Time,
    wall: u64,
    chores_at: Time,
    funds_at: Time,
    pub(super) view_at: Time,
    looked_until: Time,
    /// When it ends, if it is to.
    ends_at: Time,
    faults: Allowance,
}

impl Driver {
    /// `entropy` is from the operating system: of the machine of payments, and of the purse.
    pub(crate) fn new(start: Start, config: PayConfig, entropy: [[u8; 32]; 2]) -> Self {
        let Start { inbox, view, shared, torrents, shards, clock, host } = start;
        let PayConfig { till, purse, records, offsets } = config;
        let free_permille = till.as_ref().map_or(1000, |till| till.free_permille);
        let networks = purse.iter().flat_map(|purse| &purse.payers).map(|payer| payer.network);
        let networks = networks.collect();
        let till = till.map(|config| {
            let mut till = Till::new(config);
            till.restore(records.iter().cloned());
            till
        });
        let [entropy, of_purse] = entropy;
        let purse = purse.map(|config| {
            let mut purse = Purse::new(config, of_purse);
            purse.restore(records);
            purse
        });
        let now = clock.now();
        Self {
            payments: Payments::new(PaymentsConfig { till, purse, offsets, entropy }),
            networks,
            free_permille: free_permille.clamp(FREE_PERMILLE_MIN, 1000),
            orders: shards.iter().map(|_| Vec::new()).collect(),
            inbox,
            view,
            shared,
            torrents,
            shards,
            clock,
            host,
            peers: BTreeMap::new(),
            held: BTreeMap::new(),
            asked: None,
            wishes: Wishes::default(),
            writes: Writes::default(),
            lanes: Lanes::default(),
            times: PaidTimes::default(),
            now,
            wall: 0,
            chores_at: now,
            funds_at: now,
            view_at: now,
            looked_until: Time::ZERO,
            ends_at: Time::NEVER,
            faults: Allowance::full(FAULTS, now),
        }
    }

    pub(crate) fn run(mut self) {
        loop {
            let batch = self.inbox.take(self.next_at().since(self.clock.now()).min(SLEEP_MAX));
            let quits = batch.is_quitting;
            self.turn(batch);
            if quits || self.is_over() {
                return self.finish();
            }
        }
    }

    fn turn(&mut self, batch: Batch) {
        (self.now, self.wall) = (self.clock.now(), self.host.wall());
        let Batch { notes, counts, calls, wishes, is_looked_at, is_stopping, .. } = batch;
        if is_looked_at {
            self.looked_until = self.now + VIEW_LOOKED;
        }
        calls.into_iter().for_each(|call| self.called(call));
        self.take_wishes(wishes);
        self.take_notes(notes, counts);
        if is_stopping {
            self.stop();
        }
        if self.payments.poll_timeout() <= self.now {
            self.input(PaymentsInput::Timeout);
        }
        if self.chores_at <= self.now {
            self.chores_at = self.now + CHORES;
            self.look_at_limit();
            self.look_at_times();
            self.look_at_wishes();
        }
        self.keep_lanes();
        self.ask_for_funds();
        self.hand_over();
        self.write();
        self.release();
        if self.view_at <= self.now && self.now < self.looked_until {
            self.view_at = self.now + VIEW;
            self.publish();
        }
    }

    fn next_at(&self) -> Time {
        let is_busy = !self.wishes.is_empty() || self.lanes.carries();
        let is_buying = self.lanes.is_buying();
        [
            self.payments.poll_timeout(),
            self.writes.at(),
            self.ends_at,
            self.lanes.quiet_at(),
            if is_busy { self.chores_at } else { Time::NEVER },
            if is_buying { self.funds_at } else { Time::NEVER },
            if self.view_at < self.looked_until { self.view_at } else { Time::NEVER },
        ]
        .into_iter()
        .fold(Time::NEVER, Time::min)
    }

    /// Tells the machines something, and does what they say to it.
    pub(super) fn input(&mut self, input: PaymentsInput) {
        self.payments.handle(self.now, self.wall, input);
        while let Some(output) = self.payments.poll() {
            self.perform(output);
        }
    }

    fn called(&mut self, call: Call) {
        let input = match call {
            Call::Facts(key, facts) => {
                let waiting = self.held.values_mut().filter(|it| **it == Wait::Chain(key));
                waiting.for_each(|it| *it = Wait::Nothing);
                PaymentsInput::Till(TillInput::Facts { key, facts })
            }
            Call::Funds(network, facts) => {
                PaymentsInput::Purse(PurseInput::Funds { network, facts })
            }
            Call::Cashed { network, payer, channel, paid } => {
                PaymentsInput::Till(TillInput::Cashed { payer, network, channel, paid })
            }
            Call::Exiting { network, payer } => {
                PaymentsInput::Till(TillInput::Exiting { network, payer })
            }
            Call::Floor(floor) => PaymentsInput::Till(TillInput::Floor(floor)),
            Call::FreePermille(permille) => {
                self.set_free_permille(permille);
                PaymentsInput::Till(TillInput::FreePermille(permille))
            }
            Call::DayMax(most) => PaymentsInput::Purse(PurseInput::DayMax(most)),
            Call::Uptime(permille) => PaymentsInput::Till(TillInput::Uptime { permille }),
            Call::Sell(sells) => return self.sell(sells),
            Call::Buy(buys) => return self.buy(buys),
            Call::Renew(payer) => {
                if !self.networks.contains(&payer.network) {
                    self.networks.push(payer.network);
                }
                self.funds_at = self.now;
                if let Some(purse) = self.payments.purse_mut() {
                    purse.renew(self.now, *payer);
                }
                PaymentsInput::Timeout
            }
        };
        self.input(input);
    }

    fn take_notes(&mut self, notes: Vec<Note>, mut counts: BTreeMap<PeerKey, PeerCounts>) {
        for note in notes {
            match note {
                Note::Connected(meet) => {
                    self.peers.insert(meet.connection.peer, meet);
                    self.input(PaymentsInput::Connected(meet.connection));
                }
                Note::Payload { peer, message } => {
                    // What was counted until it came decides from where on a price holds.
                    self.counted(peer, message.counts);
                    self.asked = None;
                    self.input(PaymentsInput::Payload { peer, bytes: message.payload });
                    let asked = self.asked.take();
                    let held = self.held.entry(peer).or_default();
                    *held = asked.map_or(*held, Wait::Chain);
                }
                Note::Held { peer } => {
                    if let Some(counts) = counts.remove(&peer) {
                        self.counted(peer, counts);
                    }
                    self.held.insert(peer, Wait::Nothing);
                    self.input(PaymentsInput::Till(TillInput::Counted { peer }));
                }
                Note::Corrupt { peer } => self.input(PaymentsInput::Corrupt { peer }),
                Note::Disconnected { peer } => {
                    // What was counted last is still paid.
                    if let Some(counts) = counts.remove(&peer) {
                        self.counted(peer, counts);
                    }
                    self.input(PaymentsInput::Disconnected { peer });
                    self.peers.remove(&peer);
                    self.times.left(peer);
                    self.held.remove(&peer);
                }
            }
        }
        for (peer, counts) in counts {
            self.counted(peer, counts);
        }
    }

    fn counted(&mut self, peer: PeerKey, counts: PeerCounts) {
        let PeerCounts { sent, came, verified } = counts;
        self.times.came(peer, came);
        let served = Counts { bytes: sent, verified: 0, back: came };
        let came = Counts { bytes: came, verified, back: sent };
        self.input(PaymentsInput::Counted { peer, served, came });
    }

    fn perform(&mut self, output: PaymentsOutput) {
        match output {
            PaymentsOutput::SendPayload { peer, bytes } => {
                self.order(peer, PayOrder::Send { peer, bytes });
            }
            PaymentsOutput::Till(TillOutput::Serve { peer, service }) => {
                let reserve = match service {
                    Service::Free => None,
                    Service::Paid { rate, most, limit } => {
                        Some(Reserve { rate, most, until: limit })
                    }
                };
                self.order(peer, PayOrder::Reserve { peer, reserve });
            }
            PaymentsOutput::Till(TillOutput::FactsWanted(key)) => {
                self.asked = Some(key);
                self.host.ask_facts(key);
            }
            PaymentsOutput::Till(TillOutput::CountWanted { peer }) => {
                self.held.insert(peer, Wait::Count);
                self.order(peer, PayOrder::Hold { peer });
            }
            PaymentsOutput::Till(TillOutput::Write(write)) => {
                self.writes.add(Author::Till, write, self.now);
            }
            PaymentsOutput::Till(TillOutput::Cash(sale)) => self.host.cash(*sale),
            PaymentsOutput::Purse(PurseOutput::Buying { peer, is_paid }) => {
                self.order(peer, PayOrder::Sole { peer, is_sole: is_paid });
            }
            PaymentsOutput::Purse(PurseOutput::Write(write)) => {
                self.writes.add(Author::Purse, write, self.now);
            }
            PaymentsOutput::Purse(PurseOutput::NearlySpent(name)) => {
                if let Some(torrent) = self.wishes.torrent(&name) {
                    self.host.tell(PayNews::NearlySpent { torrent });
                }
            }
            PaymentsOutput::Purse(PurseOutput::Held { torrent: name, hold }) => {
                if let Some(torrent) = self.wishes.torrent(&name) {
                    self.host.tell(PayNews::Held { torrent, hold });
                }
            }
            PaymentsOutput::Faulted { peer, fault, is_off } => {
                self.tell_fault(peer, &fault, is_off);
            }
            // `Payments` seals them.
            PaymentsOutput::Till(TillOutput::Send { .. })
            | PaymentsOutput::Purse(PurseOutput::Send { .. }) => {}
        }
    }

    fn tell_fault(&mut self, peer: PeerKey, fault: &piecework_pay::PayFault, is_off: bool) {
        let Some(meet) = self.peers.get(&peer) else { return };
        tracing::debug!(peer = %meet.address, %fault, is_off, "broke the rules of payments");
        if self.faults.take(FAULTS, self.now) {
            let (torrent, address, reason) = (meet.torrent, meet.address, fault.to_string());
            self.host.tell(PayNews::Faulted { torrent, address, reason, is_off });
        }
    }

    fn order(&mut self, peer: PeerKey, order: PayOrder) {
        if let Some(orders) = self.orders.get_mut(shard_of(peer)) {
            orders.push(order);
        }
    }

    /// Hands each shard what is to be done with its peers.
    fn hand_over(&mut self) {
        for (orders, shard) in self.orders.iter_mut().zip(&self.shards) {
            if !orders.is_empty() {
                shard.send(Command::Pay(std::mem::take(orders)));
            }
        }
    }

    /// Those who are answered are sent pieces again. Who waits for the chain, or for the drive, waits a
    /// second at most: then its shard goes on by itself.
    fn release(&mut self) {
        if self.writes.at() <= self.now {
            return;
        }
        let answered = self.held.iter().filter(|(_, wait)| **wait == Wait::Nothing);
        let answered: Vec<PeerKey> = answered.map(|(peer, _)| *peer).collect();
        for peer in answered {
            self.held.remove(&peer);
            self.order(peer, PayOrder::Release { peer });
        }
        self.hand_over();
    }

    /// Writes what is due, and what is said for it.
    fn write(&mut self) {
        for _ in 0..ROUNDS_MAX {
            if self.writes.at() > self.now {
                return;
            }
            self.attempt();
            self.hand_over();
        }
    }

    fn attempt(&mut self) {
        let had_failed = self.writes.fault().is_some();
        match self.writes.attempt(&mut *self.host, self.now) {
            Attempt::Written(written) => {
                if had_failed {
                    self.host.tell(PayNews::WritesAgain);
                }
                if let Some(id) = written.till {
                    self.input(PaymentsInput::Till(TillInput::Written(id)));
                }
                if let Some(id) = written.purse {
                    self.input(PaymentsInput::Purse(PurseInput::Written(id)));
                }
            }
            Attempt::Failed(Some(error)) => self.host.tell(PayNews::WriteFailed(error)),
            Attempt::Failed(None) => {}
        }
    }

    fn ask_for_funds(&mut self) {
        if self.funds_at <= self.now {
            self.funds_at = self.now + FUNDS;
            self.networks.iter().for_each(|network| self.host.ask_funds(*network));
        }
    }

    pub(super) fn tell_shards(&self, command: impl Fn() -> Command) {
        self.shards.iter().for_each(|shard| shard.send(command()));
    }

    pub(super) fn store_view(&self, view: PayView) {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    fn stop(&mut self) {
        self.sell(false);
        self.buy(false);
        self.ends_at = self.ends_at.min(self.now + LAST_PAYMENTS);
    }

    /// Whether it is to end and nobody owes us anything that it could still pay.
    fn is_over(&self) -> bool {
        let owes = |till: &Till| till.buyers().any(|buyer| buyer.owed > 0);
        let waits = self.payments.till().is_some_and(owes);
        self.ends_at != Time::NEVER && (self.ends_at <= self.now || !waits)
    }

    /// Writes what is left; what cannot be written now never leaves.
    fn finish(&mut self) {
        if self.writes.at() != Time::NEVER {
            self.attempt();
        }
        self.hand_over();
        self.tell_times();
    }
}

impl Drop for Driver {
    /// Also when the host has panicked: without payments everything else goes on.
    fn drop(&mut self) {
        self.inbox.close();
        self.shared.limits.up.set_reserved(0, self.clock.now());
        self.tell_shards(|| Command::CarryPay(None));
    }
}

/// The shard of a connection stands in its number.
fn shard_of(peer: PeerKey) -> usize {
    (peer.0 >> crate::shard::PEER_KEY_BITS) as usize
}
