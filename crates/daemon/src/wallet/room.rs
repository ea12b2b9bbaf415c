//! What a daemon keeps of its wallet between two questions.

use super::fault::{WalletFault, WalletTrouble};
use super::orders::Orders;
use super::tries::Tries;
use piecework_cashier::{Treasury, TreasuryFault};
use piecework_settle::{Network, Patience, TokenEntry};
use piecework_wallet::WalletFolder;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long a chain that did not answer is left alone: nobody waits for it in vain again and again.
const PAUSE: Duration = Duration::from_secs(10);
/// How often a server is asked in vain, for somebody who waits.
const TRIES: u32 = 2;

/// What somebody agreed to.
#[derive(Clone, Debug)]
pub struct Approval {
    /// By which the order is told from another.
    pub key: String,
    /// A digest of what was asked.
    pub request: String,
    /// The fees at most, whole coins.
    pub fee_most: Option<String>,
}

/// The wallet of a daemon.
#[derive(Debug)]
pub(crate) struct WalletRoom {
    state: Option<PathBuf>,
    link: Mutex<Link>,
    pub(super) tries: Mutex<Tries>,
    /// Held by who draws a session key: what two draw at once could be more than is there.
    pub(super) drawing: Mutex<()>,
    orders: OnceLock<Orders>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Link {
    treasury: Option<Arc<Treasury>>,
    /// Until when the chain is left alone, and why.
    down: Option<(Instant, WalletFault)>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("down", &self.down).finish_non_exhaustive()
    }
}

impl WalletRoom {
    /// Nothing is looked at yet. Without a folder there can be no wallet.
    pub(crate) fn new(state: Option<PathBuf>) -> Self {
        Self {
            state,
            link: Mutex::default(),
            tries: Mutex::default(),
            drawing: Mutex::default(),
            orders: OnceLock::new(),
            changes: watch::Sender::new(0),
        }
    }

    /// The state folder.
    pub(crate) fn state(&self) -> Result<&Path, WalletFault> {
        let text =
            "this daemon has no folder for a wallet: it has no home; set one and start it again";
        self.state.as_deref().ok_or_else(|| WalletFault::new(WalletTrouble::NoWallet, text))
    }

    /// Where the wallet lies.
    pub(super) fn folder(&self) -> Result<WalletFolder, WalletFault> {
        self.state().map(WalletFolder::of)
    }

    /// The network that the wallet signs for, if it has joined one.
    pub(super) fn network(&self) -> Result<Option<Network>, WalletFault> {
        let pinned = Network::pinned(self.state()?);
        pinned.map_err(|fault| WalletFault::new(WalletTrouble::Failed, fault))
    }

    /// The connection to the wallet's network, made anew where it was lost or the network is another one.
    pub(super) fn treasury(&self) -> Result<Arc<Treasury>, WalletFault> {
        let network = self.network()?.ok_or(TreasuryFault::NoNetwork)?;
        let mut link = self.link();
        match &link.treasury {
            Some(treasury) if *treasury.client.network() == network => {
                return Ok(Arc::clone(treasury));
            }
            _ => link.treasury = None,
        }
        if let Some((until, fault)) = &link.down
            && *until > Instant::now()
        {
            return Err(fault.clone());
        }
        let opened = Treasury::open(self.state()?, patience()).map_err(WalletFault::from);
        let (treasury, _) = opened.inspect_err(|fault| {
            link.down = Some((Instant::now() + PAUSE, fault.clone()));
        })?;
        Ok(Arc::clone(link.treasury.insert(Arc::new(treasury))))
    }

    /// After an error that says the chain cannot be asked or believed, it is checked anew before it is used.
    pub(super) fn note(&self, fault: &WalletFault) {
        if fault.trouble == WalletTrouble::Unreachable {
            let mut link = self.link();
            link.treasury = None;
            link.down = Some((Instant::now() + PAUSE, fault.clone()));
        }
    }

    /// The network may be another one now: nobody waits because of the last one.
    pub(super) fn forget_link(&self) {
        *self.link() = Link::default();
    }

    /// The orders; read at their first use.
    pub(super) fn orders(&self) -> Result<&Orders, WalletFault> {
        if let Some(orders) = self.orders.get() {
            return Ok(orders);
        }
        // Of two that come at once one waits here.
        let _link = self.link();
        if self.orders.get().is_none() {
            let opened = Orders::open(self.state()?)?;
            drop(self.orders.set(opened));
        }
        self.orders.get().ok_or_else(|| WalletFault::new(WalletTrouble::Failed, "no orders"))
    }

    /// Tells those who watch that something is other than before.
    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// With the servers of a chain, where somebody waits.
pub(super) fn patience() -> Patience {
    Patience { tries: TRIES, ..Patience::default() }
}

/// The token that is paid in, as the settings name it.
pub(super) fn payment_token(
    treasury: &Treasury,
    name: Option<&str>,
) -> Result<TokenEntry, WalletFault> {
    Ok(treasury.preferred(name)?)
}
