//! Engines that trade with each other, each with a drive and a chain in memory.

use piecework_metainfo::Metainfo;
use piecework_mse::Encryption;
use piecework_node::{
    AddTorrent, Engine, EngineConfig, PaidTime, PayConfig, PayHandle, PayHost, PayNews, PayWish,
    PortChoice, Source, TorrentKey,
};
use piecework_pay::{
    Address, Facts, FactsKey, Key, Lane, Network, Payer, Price, PurseConfig, Record, Sale,
    TillConfig,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(crate) const MIB: u64 = 1 << 20;

/// What a MiB costs at least.
pub(crate) const FLOOR: u128 = 1000;

/// Of the seller's uplink, for those who do not pay.
pub(crate) const FREE_PERMILLE: u16 = 250;

/// How long anything may take that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3600);

/// An engine with one torrent.
pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) key: TorrentKey,
}

impl Node {
    /// A seed of what lies in `folder`, which is not checked.
    pub(crate) fn seed(torrent: &Torrent, state: &Path, up_limit: u64) -> Result<Self, String> {
        let engine = engine(state, Some(up_limit))?;
        let spec = AddTorrent::new(torrent.source(), torrent.folder.clone());
        let key = engine.add(AddTorrent { is_seed_only: true, is_trusted: true, ..spec });
        let key = key.map_err(|error| error.to_string())?;
        Ok(Self { engine, key })
    }

    /// One that downloads into its own folder, and knows nobody yet.
    pub(crate) fn idle(torrent: &Torrent, state: &Path) -> Result<Self, String> {
        let engine = engine(state, None)?;
        let key = engine.add(AddTorrent::new(torrent.source(), state.join("data")));
        let key = key.map_err(|error| error.to_string())?;
        Ok(Self { engine, key })
    }

    /// The same, and it knows `seller`.
    pub(crate) fn leech(
        torrent: &Torrent,
        state: &Path,
        seller: SocketAddr,
    ) -> Result<Self, String> {
        let node = Self::idle(torrent, state)?;
        node.engine.add_peers(node.key, vec![seller]);
        Ok(node)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.engine.port()).into()
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.engine.figures(self.key).is_some_and(|figures| figures.is_complete)
    }

    /// Payload that has come by now, by its own count.
    pub(crate) fn received(&self) -> u64 {
        let (sender, answer) = channel();
        self.engine.peers(self.key, move |peers| {
            // Who asked waits for it.
            let _ = sender.send(peers.iter().map(|peer| peer.down_bytes).sum());
        });
        answer.recv().unwrap_or(0)
    }

    /// Payments of an account with this number, which neither sell nor buy yet.
    pub(crate) fn trade(&self, number: u8) -> Result<Account, String> {
        let key = Key::new(&[number; 32]).map_err(|error| error.to_string())?;
        let till = TillConfig {
            networks: vec![network()],
            payee: Address::new([number; 20]),
            floor: price(FLOOR),
            link_bytes: 256 << 10,
            links_max: 1024,
            free_permille: FREE_PERMILLE,
        };
        let (network, account) = (network(), key.address());
        let payer = Payer { network, account, key, delegation: None, elsewhere: 0, quiet_until: 0 };
        let purse = PurseConfig { payers: vec![payer], day_max: u128::MAX };
        let config =
            PayConfig { till: Some(till), purse: Some(purse), records: Vec::new(), offsets: true };
        let writes = Arc::default();
        let kept = Arc::clone(&writes);
        let pay = self.engine.start_pay(config, |handle| Box::new(Host { handle, writes: kept }));
        Ok(Account { pay: pay.map_err(|error| error.to_string())?, own: account, writes })
    }

    /// The same, and it sells.
    pub(crate) fn sells(&self) -> Result<Account, String> {
        let account = self.trade(1)?;
        account.pay.sell(true).map_err(|error| error.to_string())?;
        Ok(account)
    }

    /// The same, and it buys.
    pub(crate) fn buys(&self, number: u8, lane: Lane) -> Result<Account, String> {
        let account = self.trade(number)?;
        let wish = PayWish { lane, budget: 1 << 50, price_max: price(100 * FLOOR) };
        account.pay.want(self.key, wish);
        account.pay.buy(true);
        Ok(account)
    }
}

/// The payments of a node.
pub(crate) struct Account {
    pub(crate) pay: PayHandle,
    /// Whose money it pays with.
    pub(crate) own: Address,
    /// How often something was written down.
    pub(crate) writes: Arc<AtomicU64>,
}

/// What is shared, and where it lies.
pub(crate) struct Torrent {
    pub(crate) metainfo: Metainfo,
    pub(crate) folder: PathBuf,
}

impl Torrent {
    fn source(&self) -> Source {
        Source::Metainfo(Arc::new(self.metainfo.clone()))
    }
}

/// Drive and chain.
struct Host {
    handle: PayHandle,
    writes: Arc<AtomicU64>,
}

impl PayHost for Host {
    fn write(&mut self, _records: &[Record]) -> Result<(), String> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn ask_facts(&mut self, key: FactsKey) {
        self.handle.facts(key, Some(facts()));
    }

    fn ask_funds(&mut self, network: Network) {
        self.handle.funds(network, Some(facts()));
    }

    fn cash(&mut self, sale: Sale) {
        let cheque = sale.last.signed.cheque;
        let value = cheque.worth(sale.last.number).ok();
        self.handle.cashed(sale.network, cheque.payer, cheque.channel, value);
    }

    fn paid_time(&mut self, _torrent: piecework_pay::TorrentKey, _time: PaidTime) {}

    fn tell(&mut self, _news: PayNews) {}

    fn wall(&self) -> u64 {
        wall()
    }
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), String> {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > PATIENCE {
            return Err(format!("{what}: it does not come to that"));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn engine(state: &Path, up_limit: Option<u64>) -> Result<Engine, String> {
    let mut config = EngineConfig::new(state.join("state"));
    (config.port, config.shards, config.workers) = (PortChoice::Any, 1, 1);
    (config.up_limit, config.exchanges_peers, config.rest_after) = (up_limit, false, None);
    config.encryption = Encryption::Off;
    Engine::start(&config).map_err(|error| error.to_string())
}

fn network() -> Network {
    let (vault, token) = (Address::new([4; 20]), Address::new([3; 20]));
    Network { chain_id: 1, vault, token, genesis: [9; 8] }
}

/// An account that no run can empty.
fn facts() -> Facts {
    Facts {
        free: 1 << 60,
        bond: 1 << 60,
        epoch: 5,
        is_final: true,
        chain_time: wall(),
        fee: 1,
        ..Facts::default()
    }
}

fn price(per_mib: u128) -> Price {
    Price::new(per_mib).unwrap_or_default()
}

fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs())
}
