//! The cashier's two ends: what the thread of payments calls, and the thread that talks to the chain.

use crate::clerk::{Clerk, Office, lock};
use crate::cursor::CursorFile;
use crate::desk::{Ask, Desk, OwnAccount, SaleKey};
use crate::fee_key::{FeeKeyFault, fee_key};
use crate::link::Connect;
use crate::status::Status;
use crate::wall::WallClock;
use alloy_primitives::U256;
use piecework_ledger::{CashOut, LaneTime, Ledger, LedgerError};
use piecework_node::{PaidTime, PayHandle, PayHost, PayNews};
use piecework_pay::{Address, Facts, FactsKey, Network, Record, Sale, TorrentKey};
use piecework_settle::{Client, Evm, Patience, SeenFile, SettleError, Settlement};
use piecework_types::Time;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wishes that wait for the chain at most; what is wanted beyond has no answer.
const ASKS_MAX: usize = 1024;

/// Longest sleep, so that a clock that stood still is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Nobody waits for one question, so a server that does not answer soon counts as silent.
const PATIENCE: Patience = Patience {
    exchange: Duration::from_secs(10),
    tries: 2,
    pause: Duration::from_millis(250),
    pause_max: Duration::from_secs(2),
};

/// What a cashier works with.
pub struct CashierConfig {
    /// The network file.
    pub network: piecework_settle::Network,
    /// The state folder: the key for fees, what was seen of the chain, up to where it was watched.
    pub state: PathBuf,
    /// Where records and cash-outs are written.
    pub ledger: Ledger,
    /// Whom cheques pay, of a node that sells: the wallet.
    pub payee: Option<Address>,
    /// What the node pays from, of one that buys.
    pub accounts: Vec<OwnAccount>,
    /// How many of the token's smallest units a whole coin is worth, by which fees are reckoned against what
    /// is cashed. Without, fees count as nothing, and small sums are cashed too.
    pub coin_price: Option<u128>,
    /// No transaction is sent whose fee could be over this, wei.
    pub fee_most: U256,
    /// The time of day.
    pub wall: WallClock,
    /// Who hears the news of payments, on their thread.
    pub news: Box<dyn FnMut(PayNews) + Send>,
}

impl fmt::Debug for CashierConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CashierConfig").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Why there is no cashier.
#[derive(Debug, thiserror::Error)]
pub enum CashierFault {
    /// The key for fees.
    #[error(transparent)]
    FeeKey(#[from] FeeKeyFault),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No thread.
    #[error("cannot start the thread of the chain: {0}; check the limit on threads (ulimit -u)")]
    Thread(io::Error),
}

/// A cashier, for faces. It ends with its host.
#[derive(Clone)]
pub struct Cashier {
    status: Arc<Mutex<Status>>,
    asks: Arc<Mutex<Option<SyncSender<Ask>>>>,
    handles: SyncSender<PayHandle>,
    parts: Arc<Mutex<Option<Parts>>>,
}

/// What the host gets.
struct Parts {
    ledger: Ledger,
    wall: WallClock,
    news: Box<dyn FnMut(PayNews) + Send>,
}

impl fmt::Debug for Cashier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cashier").finish_non_exhaustive()
    }
}

/// The networks of a network file: one for each of its tokens, the preferred one first.
#[must_use]
pub fn networks(network: &piecework_settle::Network) -> Vec<Network> {
    let mut genesis = [0; 8];
    genesis.copy_from_slice(&network.genesis[..8]);
    let (chain_id, vault) = (network.chain_id, network.vault.address);
    let of = |token: &piecework_settle::TokenEntry| Network {
        chain_id,
        vault,
        token: token.address,
        genesis,
    };
    network.tokens.iter().map(of).collect()
}

impl Cashier {
    /// Starts the thread of the chain. Nothing is asked until there is a host.
    ///
    /// # Errors
    /// When the key for fees or the ledger cannot be used, or the system gives no thread.
    pub fn start(config: CashierConfig) -> Result<Self, CashierFault> {
        let account = fee_key(&config.state)?.address();
        let records = config.ledger.load()?;
        let sold = records.iter().filter_map(|record| match record {
            Record::Sale(sale) => Some(sale.last.signed.cheque.payer),
            Record::Purchase(_) | Record::Standing(_) | Record::Entry(_) => None,
        });
        let payers: BTreeSet<_> = sold.collect();
        let status = Status { fee_account: Some(account), ..Status::default() };
        let status = Arc::new(Mutex::new(status));
        let (asks, inbox) = sync_channel(ASKS_MAX);
        let (handles, first) = sync_channel::<PayHandle>(1);
        let CashierConfig {
            network,
            state,
            ledger,
            payee,
            accounts,
            coin_price,
            fee_most,
            wall,
            news,
        } = config;
        let parts = Parts { ledger: ledger.clone(), wall, news };
        let its = Arc::clone(&status);
        let run = move || {
            let Ok(handle) = first.recv() else { return };
            let office = Office {
                networks: networks(&network),
                coin: network.coin.symbol.clone(),
                cursor: CursorFile::of(&state, network.genesis),
                connect: connect(network, state, fee_most),
                desk: Box::new(Joined { handle, ledger }),
                status: its,
                payee,
                accounts,
                payers,
                coin_price,
            };
            run(Clerk::new(office), &inbox, wall);
        };
        let thread = std::thread::Builder::new().name("cashier".into()).spawn(run);
        thread.map_err(CashierFault::Thread)?;
        let asks = Arc::new(Mutex::new(Some(asks)));
        Ok(Self { status, asks, handles, parts: Arc::new(Mutex::new(Some(parts))) })
    }

    /// What the thread of payments calls; there is one for each cashier.
    ///
    /// # Panics
    /// When it is asked for a second time.
    #[must_use]
    pub fn host(&self, handle: PayHandle) -> Box<dyn PayHost> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Parts { ledger, wall, news } = parts.expect("a cashier has one host");
        // The thread that it is for waits for it; without one there are no answers.
        drop(self.handles.try_send(handle.clone()));
        Box::new(Host { asks: Arc::clone(&self.asks), handle, ledger, wall, news })
    }

    /// How things stand.
    #[must_use]
    pub fn status(&self) -> Status {
        lock(&self.status).clone()
    }

    /// The node pays from this account from now on, in place of the one of the same network; tell the
    /// payments as well ([`PayHandle::renew`]).
    pub fn renew(&self, account: OwnAccount) {
        if let Some(asks) = &*self.asks.lock().unwrap_or_else(PoisonError::into_inner) {
            // Full, the old one is told of for another minute; it is asked for again.
            drop(asks.try_send(Ask::Account(account)));
        }
    }
}

/// Connects with the key for fees, which is read anew each time and kept by the connection alone.
fn connect(network: piecework_settle::Network, state: PathBuf, fee_most: U256) -> Connect {
    Box::new(move || {
        let key = fee_key(&state).map_err(|fault| SettleError::NotSigned(fault.to_string()))?;
        let (client, checked) = Client::connect(network.clone(), PATIENCE)?;
        for fault in &checked.failed {
            tracing::warn!(%fault, "one of the servers of the network cannot be used");
        }
        let evm = Evm::new(client, SeenFile::of(&state), Box::new(key), fee_most)?;
        Ok(Box::new(evm) as Box<dyn Settlement>)
    })
}

/// Works until nobody can want anything any more.
fn run(mut clerk: Clerk, inbox: &Receiver<Ask>, wall: WallClock) {
    let start = Instant::now();
    let now = || Time::ZERO + start.elapsed();
    loop {
        clerk.round(now(), wall.now());
        let sleep = clerk.next().since(now()).min(SLEEP_MAX);
        match inbox.recv_timeout(sleep) {
            Ok(ask) => {
                clerk.take(now(), wall.now(), ask);
                while let Ok(more) = inbox.try_recv() {
                    clerk.take(now(), wall.now(), more);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// What the thread of payments calls.
struct Host {
    asks: Arc<Mutex<Option<SyncSender<Ask>>>>,
    handle: PayHandle,
    ledger: Ledger,
    wall: WallClock,
    news: Box<dyn FnMut(PayNews) + Send>,
}

impl Host {
    /// Hands a wish on; answers whether somebody will look after it.
    fn ask(&self, ask: Ask) -> bool {
        let asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        asks.as_ref().is_some_and(|asks| asks.try_send(ask).is_ok())
    }
}

impl PayHost for Host {
    fn write(&mut self, records: &[Record]) -> Result<(), String> {
        self.ledger.write_at(records, self.wall.now()).map_err(|error| error.to_string())
    }

    fn ask_facts(&mut self, key: FactsKey) {
        if !self.ask(Ask::Facts(key)) {
            self.handle.facts(key, None);
        }
    }

    fn ask_funds(&mut self, network: Network) {
        if !self.ask(Ask::Funds(network)) {
            self.handle.funds(network, None);
        }
    }

    fn cash(&mut self, sale: Sale) {
        let SaleKey { network, payer, channel } = SaleKey::of(&sale);
        if !self.ask(Ask::Cash(Box::new(sale))) {
            self.handle.cashed(network, payer, channel, None);
        }
    }

    fn paid_time(&mut self, torrent: TorrentKey, time: PaidTime) {
        let PaidTime { seconds, paid_bytes, free_bytes } = time;
        let time = LaneTime { seconds, paid_bytes, free_bytes };
        if let Err(error) = self.ledger.lane_time_at(torrent, time, self.wall.now()) {
            tracing::warn!(%error, "how long a lane was paid is not written down");
        }
    }

    fn tell(&mut self, news: PayNews) {
        (self.news)(news);
    }

    fn wall(&self) -> u64 {
        self.wall.now()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        *self.asks.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Answers go to the thread of payments, cash-outs into the ledger.
struct Joined {
    handle: PayHandle,
    ledger: Ledger,
}

impl Desk for Joined {
    fn facts(&mut self, key: FactsKey, facts: Option<Facts>) {
        self.handle.facts(key, facts);
    }

    fn funds(&mut self, network: Network, facts: Option<Facts>) {
        self.handle.funds(network, facts);
    }

    fn cashed(&mut self, sale: &SaleKey, paid: Option<u128>) {
        self.handle.cashed(sale.network, sale.payer, sale.channel, paid);
    }

    fn exiting(&mut self, network: Network, payer: Address) {
        self.handle.exiting(network, payer);
    }

    fn settled(&mut self, cash_out: &CashOut) -> Result<(), String> {
        self.ledger.settled(cash_out).map_err(|error| error.to_string())
    }
}
