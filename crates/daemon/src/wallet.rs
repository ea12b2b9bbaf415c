//! The wallet of a daemon, for faces: the same treasury and the same agent that the command line uses.
//!
//! Owns the connection to the wallet's network, the orders of what is sent, and the count of wrong passwords.
//! The key never comes here but between a password and the agent: whoever signs is the agent's process.
//! Everything that asks a chain, an agent or a password waits on threads of its own.

mod fault;
mod hold;
mod join;
mod look;
mod order;
mod orders;
mod past;
mod room;
mod send;
mod tries;

pub use fault::{WalletFault, WalletTrouble};
pub use join::NetworkLook;
pub use look::{ExitView, Holdings, SessionView, VaultView, WalletView};
pub use order::{Errand, ErrandKind, Order, OrderState, OrderStep, StepState};
pub use past::{PAST_MAX, Past, PastItem};
pub use room::Approval;
pub(crate) use room::WalletRoom;

use crate::handle::Handle;
use crate::shared::{Shared, ending};
use piecework_pay::Delegate;
use piecework_settle::{Network, Plan, TokenEntry};
use piecework_wallet::{Password, Phrase};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

impl Handle {
    /// The wallet, and what it has where its chain answers.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub async fn wallet(&self) -> Result<WalletView, WalletFault> {
        self.beside(look::look).await
    }

    /// Tells of each change of the wallet: its lock, its orders, whether there is one.
    pub fn wallet_changes(&self) -> watch::Receiver<u64> {
        self.shared().wallet.changes()
    }

    /// Makes the wallet of these words, under a password; the node trades with it from now on.
    ///
    /// # Errors
    /// When there is a wallet, the password is short, or the files cannot be written.
    pub async fn make_wallet(&self, words: Phrase, password: Password) -> Result<(), WalletFault> {
        self.beside(move |shared| hold::make(shared, &words, &password)).await
    }

    /// Has an agent hold the wallet's key for a while.
    ///
    /// # Errors
    /// When the password is wrong, was so too often lately, or no agent can be started.
    pub async fn unlock_wallet(
        &self,
        password: Password,
        most: Duration,
    ) -> Result<(), WalletFault> {
        self.beside(move |shared| hold::unlock(shared, &password, most)).await
    }

    /// Locks the wallet at once.
    ///
    /// # Errors
    /// When its agent does not answer.
    pub async fn lock_wallet(&self) -> Result<(), WalletFault> {
        self.beside(hold::lock).await
    }

    /// What a network file says, and what its servers say of it. Nothing is kept.
    ///
    /// # Errors
    /// When it is no network file, its servers do not confirm it, or the wallet signs for another network.
    pub async fn look_at_network(&self, file: String) -> Result<NetworkLook, WalletFault> {
        self.beside(move |shared| join::look(shared, &file)).await
    }

    /// Joins the network of a file once its servers have confirmed it: the wallet signs for it from now on,
    /// and the node trades on it.
    ///
    /// # Errors
    /// As [`Handle::look_at_network`], or when it cannot be written down.
    pub async fn join_network(&self, file: String) -> Result<(), WalletFault> {
        self.beside(move |shared| join::join(shared, &file)).await
    }

    /// What an errand would do and cost at most, and where. Nothing is signed.
    ///
    /// # Errors
    /// When it cannot be done as things stand.
    pub async fn plan(&self, errand: Errand) -> Result<(Plan, Network), WalletFault> {
        self.beside(move |shared| send::plan(shared, &errand)).await
    }

    /// Orders an errand, once for each key of `approval`; it is carried out after those before it.
    ///
    /// # Errors
    /// When it cannot be done, the wallet is locked, or the key was used for another errand.
    pub async fn order(&self, errand: Errand, approval: Approval) -> Result<Order, WalletFault> {
        self.beside(move |shared| send::order(shared, &errand, &approval)).await
    }

    /// The orders, newest first.
    ///
    /// # Errors
    /// When their file cannot be read.
    pub async fn orders(&self) -> Result<Vec<Order>, WalletFault> {
        self.beside(|shared| shared.wallet.orders()?.all()).await
    }

    /// What came in and went out of tokens before a block, newest first; see [`Past`].
    ///
    /// # Errors
    /// When the chain does not tell.
    pub async fn wallet_past(
        &self,
        token: Option<alloy_primitives::Address>,
        before: Option<u64>,
        most: usize,
    ) -> Result<Past, WalletFault> {
        self.beside(move |shared| past::past(shared, token, before, most)).await
    }

    /// Draws a session key that may spend up to `max` of what is paid in, whole tokens, and risk so much of
    /// the bond: all of it where nothing is said. The node pays with it from now on, if it buys.
    ///
    /// # Errors
    /// When the wallet is locked, less is free than is promised, or the chain does not tell.
    pub async fn entrust(
        &self,
        max: String,
        bond_at_risk: Option<String>,
    ) -> Result<(Delegate, TokenEntry), WalletFault> {
        self.beside(move |shared| hold::entrust(shared, &max, bond_at_risk.as_deref())).await
    }

    /// Does something that waits for a chain, an agent or a drive, away from everybody.
    async fn beside<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Arc<Shared>) -> Result<T, WalletFault> + Send + 'static,
    ) -> Result<T, WalletFault> {
        let shared = Arc::clone(self.shared());
        let answer = self.shared().jobs.wallet.ask(move || job(&shared));
        answer.await.unwrap_or_else(|_| Err(ending().into()))
    }
}
