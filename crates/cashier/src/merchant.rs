//! A merchant: all by which a node trades, from the folder of its wallet.

use crate::cashier::{Cashier, CashierConfig, CashierFault, networks};
use crate::desk::OwnAccount;
use crate::payers::{PayersFault, payers};
use crate::status::Status;
use crate::wall::WallClock;
use alloy_primitives::U256;
use piecework_ledger::{LEDGER_FILE, Ledger, LedgerError};
use piecework_node::{Engine, PayConfig, PayError, PayHandle, PayNews};
use piecework_pay::{Address, Network, Payer, Price, PurseConfig, TillConfig};
use piecework_wallet::{FolderFault, WalletFolder};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Held by who trades: two would promise the same money twice.
const LOCK_FILE: &str = "ledger.lock";

/// Bytes that one link pays for, and links of one cheque: a signature each 256 MiB.
const LINK_BYTES: u32 = 256 * 1024;
const LINKS_MAX: u32 = 1024;

/// No cash-out is sent whose fee could be over this, in thousandths of a coin.
const FEE_MOST_MILLI: u64 = 100;
const MILLI_WEI: u64 = 1_000_000_000_000_000;

/// How somebody trades.
pub struct MerchantConfig {
    /// The folder of the wallet; the ledger and the key for fees lie there too.
    pub state: PathBuf,
    /// The network file.
    pub network: piecework_settle::Network,
    /// What is traded in: one of the file's tokens.
    pub token: Address,
    /// Whether it may sell; then cheques pay the wallet.
    pub may_sell: bool,
    /// The lowest ask.
    pub floor: Price,
    /// What is for those who do not pay, in thousandths of the uplink.
    pub free_permille: u16,
    /// What may be spent in a day (UTC).
    pub day_max: u128,
    /// How many of the token's smallest units a coin is worth; see [`CashierConfig::coin_price`].
    pub coin_price: Option<u128>,
    /// The time of day.
    pub wall: WallClock,
    /// Who hears the news of payments, on their thread.
    pub news: Box<dyn FnMut(PayNews) + Send>,
}

/// Why a node cannot trade.
#[derive(Debug, thiserror::Error)]
pub enum MerchantFault {
    /// No wallet.
    #[error("there is no wallet in {}: make one with `piecework wallet new`", .0.display())]
    NoWallet(PathBuf),
    /// The wallet's files.
    #[error(transparent)]
    Wallet(#[from] FolderFault),
    /// A wallet without an address.
    #[error("the wallet's file names no address: `piecework wallet restore` it once")]
    Unnamed,
    /// A token that the network does not have.
    #[error("the network file has no token {0}")]
    NoToken(Address),
    /// Somebody else trades.
    #[error(
        "another process trades with the wallet in {}: give the torrent to that daemon (`piecework add`), \
         or end it",
        .0.display()
    )]
    Taken(PathBuf),
    /// The lock.
    #[error("{}: {error}", file.display())]
    Lock {
        /// Its file.
        file: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What it may pay from.
    #[error(transparent)]
    Payers(#[from] PayersFault),
    /// The cashier.
    #[error(transparent)]
    Cashier(#[from] CashierFault),
    /// The thread of payments.
    #[error(transparent)]
    Pay(#[from] PayError),
}

/// A node that trades. Nothing is sold or bought before its [`PayHandle`] is told so.
#[derive(Debug)]
pub struct Merchant {
    file: piecework_settle::Network,
    network: Network,
    wallet: WalletFolder,
    account: Address,
    wall: WallClock,
    ledger: Ledger,
    cashier: Cashier,
    pay: PayHandle,
    /// Held for as long as it lives.
    _lock: File,
}

impl Merchant {
    /// Opens the ledger and starts the threads of payments and of the chain, which need not answer.
    ///
    /// # Errors
    /// When there is no wallet, another process trades with it, or a file or thread cannot be had.
    pub fn open(engine: &Engine, config: MerchantConfig) -> Result<Self, MerchantFault> {
        let MerchantConfig { state, network: file, token, wall, .. } = config;
        let all = networks(&file);
        let network = all.into_iter().find(|it| it.token == token);
        let network = network.ok_or(MerchantFault::NoToken(token))?;
        let wallet = WalletFolder::of(&state);
        if !wallet.is_taken() {
            return Err(MerchantFault::NoWallet(state));
        }
        let account = wallet.keystore()?.address().ok_or(MerchantFault::Unnamed)?;
        let lock = lock(&state)?;
        let ledger = Ledger::open(&state.join(LEDGER_FILE))?;
        let payers = payers(&wallet, &ledger, &[network], wall.now())?;
        let cashier = Cashier::start(CashierConfig {
            network: file.clone(),
            state,
            ledger: ledger.clone(),
            payee: config.may_sell.then_some(account),
            accounts: payers.iter().map(OwnAccount::of).collect(),
            coin_price: config.coin_price,
            fee_most: U256::from(FEE_MOST_MILLI) * U256::from(MILLI_WEI),
            wall,
            news: config.news,
        })?;
        let till = config.may_sell.then(|| TillConfig {
            networks: vec![network],
            payee: account,
            floor: config.floor,
            link_bytes: LINK_BYTES,
            links_max: LINKS_MAX,
            free_permille: config.free_permille,
        });
        let records = ledger.load()?;
        let purse = Some(PurseConfig { payers, day_max: config.day_max });
        let config = PayConfig { till, purse, records, offsets: true };
        let pay = engine.start_pay(config, |handle| cashier.host(handle))?;
        Ok(Self { file, network, wallet, account, wall, ledger, cashier, pay, _lock: lock })
    }

    /// What it pays and is paid in.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The network file.
    #[must_use]
    pub fn file(&self) -> &piecework_settle::Network {
        &self.file
    }

    /// Whose account buys, and whom buyers pay.
    #[must_use]
    pub fn account(&self) -> Address {
        self.account
    }

    /// Where every figure comes from.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The payments of the node.
    #[must_use]
    pub fn pay(&self) -> &PayHandle {
        &self.pay
    }

    /// How things stand with the chain.
    #[must_use]
    pub fn status(&self) -> Status {
        self.cashier.status()
    }

    /// Looks for a session key that was drawn meanwhile, and pays with it from now on. Gives what it may pay
    /// with: none without a key that sellers take.
    ///
    /// # Errors
    /// When the wallet's files or the ledger cannot be read.
    pub fn renew(&self) -> Result<Option<Trust>, MerchantFault> {
        let payers = payers(&self.wallet, &self.ledger, &[self.network], self.wall.now())?;
        let Some(payer) = payers.into_iter().next() else { return Ok(None) };
        let trust = Trust::of(&payer);
        self.cashier.renew(OwnAccount::of(&payer));
        self.pay.renew(payer);
        Ok(trust)
    }
}

/// What a node was entrusted with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Trust {
    /// What its session key may spend in all, in the token's smallest unit.
    pub max_amount: u128,
    /// Until when, seconds since 1970; sellers take its cheques until two days before.
    pub valid_until: u64,
}

impl Trust {
    fn of(payer: &Payer) -> Option<Self> {
        let word = payer.delegation?;
        Some(Self { max_amount: word.max_amount, valid_until: word.valid_until })
    }
}

fn lock(state: &Path) -> Result<File, MerchantFault> {
    let path = state.join(LOCK_FILE);
    let mut options = OpenOptions::new();
    let opened = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
    let fault = |error| MerchantFault::Lock { file: path.clone(), error };
    let file = opened.map_err(fault)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(MerchantFault::Taken(state.to_owned())),
        Err(TryLockError::Error(error)) => Err(fault(error)),
    }
}
