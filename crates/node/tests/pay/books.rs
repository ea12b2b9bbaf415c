//! A drive and a chain in memory, for engines that pay each other.

use piecework_node::{Engine, PaidTime, PayConfig, PayError, PayHandle, PayHost, PayNews};
use piecework_pay::{
    Address, Entry, Facts, FactsKey, Key, Network, Payer, Price, PurseConfig, Record, Sale, Side,
    TillConfig, TorrentKey,
};
use piecework_testkit::{PATIENCE, Watched};
use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a MiB costs at least.
pub(crate) const FLOOR: u128 = 1000;

/// The least that the free lane has, in thousandths.
pub(crate) const FREE_PERMILLE: u16 = 250;

/// How the drive of one node behaves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Drive {
    #[default]
    Works,
    /// Every write fails.
    Full,
    /// The first write takes the thread with it.
    Panics,
}

/// What one node has written, and what it was told.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) drive: Drive,
    pub(crate) records: Vec<Record>,
    pub(crate) cashed: Vec<Sale>,
    pub(crate) news: Vec<PayNews>,
    /// The chain answers when the test does.
    pub(crate) is_chain_slow: bool,
    pub(crate) asked: Vec<FactsKey>,
    pub(crate) times: Vec<(TorrentKey, PaidTime)>,
}

/// The books of one node: they outlive its engine.
#[derive(Clone)]
pub(crate) struct Books {
    pub(crate) kept: Watched<Kept>,
    number: u8,
}

struct Host {
    books: Books,
    handle: PayHandle,
}

fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn network() -> Network {
    let (vault, token) = (Address::new([4; 20]), Address::new([3; 20]));
    Network { chain_id: 1, vault, token, genesis: [9; 8] }
}

/// An account that may owe ten gigabytes at [`FLOOR`].
pub(crate) fn facts() -> Facts {
    Facts {
        free: 400_000_000,
        bond: 256 * 10_000_000,
        epoch: 5,
        is_final: true,
        chain_time: wall(),
        fee: 1,
        ..Facts::default()
    }
}

pub(crate) fn price(per_mib: u128) -> Price {
    Price::new(per_mib).unwrap()
}

impl PayHost for Host {
    fn write(&mut self, records: &[Record]) -> Result<(), String> {
        self.books.kept.change(|kept| match kept.drive {
            Drive::Works => {
                kept.records.extend_from_slice(records);
                Ok(())
            }
            Drive::Full => Err("no space left".into()),
            Drive::Panics => panic!("the host of payments is told to die"),
        })
    }

    fn ask_facts(&mut self, key: FactsKey) {
        let is_slow = self.books.kept.change(|kept| {
            kept.asked.push(key);
            kept.is_chain_slow
        });
        if !is_slow {
            self.handle.facts(key, Some(facts()));
        }
    }

    fn ask_funds(&mut self, network: Network) {
        self.handle.funds(network, Some(facts()));
    }

    fn cash(&mut self, sale: Sale) {
        let cheque = sale.last.signed.cheque;
        let value = cheque.worth(sale.last.number).ok();
        self.handle.cashed(sale.network, cheque.payer, cheque.channel, value);
        self.books.kept.change(|kept| kept.cashed.push(sale));
    }

    fn paid_time(&mut self, torrent: TorrentKey, time: PaidTime) {
        self.books.kept.change(|kept| kept.times.push((torrent, time)));
    }

    fn tell(&mut self, news: PayNews) {
        self.books.kept.change(|kept| kept.news.push(news));
    }

    fn wall(&self) -> u64 {
        wall()
    }
}

impl Books {
    /// Those of a node whose account has this number.
    pub(crate) fn new(number: u8) -> Self {
        Self { kept: Watched::new(Kept::default()), number }
    }

    /// Payments of an engine that may sell and buy, and does neither yet.
    pub(crate) fn start(&self, engine: &Engine) -> PayHandle {
        self.try_start(engine).unwrap()
    }

    /// The same, unless payments run still.
    pub(crate) fn try_start(&self, engine: &Engine) -> Result<PayHandle, PayError> {
        let key = Key::new(&[self.number; 32]).unwrap();
        let till = TillConfig {
            networks: vec![network()],
            payee: Address::new([self.number; 20]),
            floor: price(FLOOR),
            link_bytes: 256 << 10,
            links_max: 1024,
            free_permille: FREE_PERMILLE,
        };
        let (network, account) = (network(), key.address());
        let payer = Payer { network, account, key, delegation: None, elsewhere: 0, quiet_until: 0 };
        let purse = PurseConfig { payers: vec![payer], day_max: u128::MAX };
        let records = self.kept.look(|kept| kept.records.clone());
        let config = PayConfig { till: Some(till), purse: Some(purse), records, offsets: false };
        let books = self.clone();
        engine.start_pay(config, |handle| Box::new(Host { books, handle }))
    }

    pub(crate) fn drive(&self, drive: Drive) {
        self.kept.change(|kept| kept.drive = drive);
    }

    /// Waits for what the books show some time.
    pub(crate) fn wait<T>(&self, found: impl FnMut(&Kept) -> Option<T>) -> T {
        let found = self.kept.wait(PATIENCE, found);
        found.unwrap_or_else(|| self.kept.look(|kept| panic!("not in the books: {kept:?}")))
    }
}

impl Kept {
    /// Bytes and money of one side, of all lines together.
    pub(crate) fn sums(&self, side: Side) -> (u64, u128) {
        let lines = self.records.iter().filter_map(|record| match record {
            Record::Entry(entry) if entry.side == side => Some(entry),
            _ => None,
        });
        let add =
            |(bytes, amount): (u64, u128), line: &Entry| (bytes + line.bytes, amount + line.amount);
        lines.fold((0, 0), add)
    }

    /// The channels on which it has bought.
    pub(crate) fn bought_on(&self) -> BTreeSet<u64> {
        let channel = |record: &Record| match record {
            Record::Purchase(purchase) => Some(purchase.signed.cheque.channel),
            _ => None,
        };
        self.records.iter().filter_map(channel).collect()
    }

    /// What all channels are worth that it sells on, by the best cheque and link of each.
    pub(crate) fn holds(&self) -> u128 {
        let mut best = std::collections::BTreeMap::new();
        for record in &self.records {
            if let Record::Sale(sale) = record {
                let cheque = &sale.last.signed.cheque;
                best.insert(cheque.channel, cheque.worth(sale.last.number).unwrap());
            }
        }
        best.values().sum()
    }
}
