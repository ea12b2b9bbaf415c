//! What faces and hosts say to payments.

use super::inbox::{Call, Inbox};
use super::{PayView, PayWish};
use crate::engine::Shared;
use crate::event::TorrentKey;
use piecework_pay::{Address, Facts, FactsKey, Network, Payer, Price};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Why a node cannot sell.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("what the uplink can carry is not known: set an upload limit, of which lanes are sold")]
pub struct SellRefused;

/// The way to the thread of payments. Every call returns at once; once the thread has ended none does
/// anything.
#[derive(Clone)]
pub struct PayHandle {
    inbox: Arc<Inbox>,
    pub(crate) view: Arc<Mutex<Arc<PayView>>>,
    shared: Arc<Shared>,
}

impl fmt::Debug for PayHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayHandle").finish_non_exhaustive()
    }
}

impl PayHandle {
    pub(crate) fn new(inbox: Arc<Inbox>, shared: Arc<Shared>) -> Self {
        Self { inbox, view: Arc::default(), shared }
    }

    /// The answer to [`PayHost::ask_facts`](super::PayHost::ask_facts); `None`: the chain does not answer.
    pub fn facts(&self, key: FactsKey, facts: Option<Facts>) {
        self.inbox.call(Call::Facts(key, facts));
    }

    /// The answer to [`PayHost::ask_funds`](super::PayHost::ask_funds); `None`: the chain does not answer.
    pub fn funds(&self, network: Network, facts: Option<Facts>) {
        self.inbox.call(Call::Funds(network, facts));
    }

    /// A cash-out has ended: what the vault has paid on the channel in all, or, with `None`, that it failed
    /// and is to be tried again later.
    pub fn cashed(&self, network: Network, payer: Address, channel: u64, paid: Option<u128>) {
        self.inbox.call(Call::Cashed { network, payer, channel, paid });
    }

    /// The chain told of an exit, a bond exit or a revocation of this account.
    pub fn exiting(&self, network: Network, payer: Address) {
        self.inbox.call(Call::Exiting { network, payer });
    }

    /// Sell, or stop. Credit that was given is still collected. A limit that is taken away later lets
    /// selling stand still until there is one again.
    ///
    /// # Errors
    /// While the node's upload has no limit.
    pub fn sell(&self, sells: bool) -> Result<(), SellRefused> {
        if sells && self.shared.limits.up.limit().is_none() {
            return Err(SellRefused);
        }
        self.inbox.call(Call::Sell(sells));
        Ok(())
    }

    /// Buy, or stop everywhere at once; what is owed is still paid.
    pub fn buy(&self, buys: bool) {
        self.inbox.call(Call::Buy(buys));
    }

    /// The lowest ask.
    pub fn floor(&self, floor: Price) {
        self.inbox.call(Call::Floor(floor));
    }

    /// What is for those who do not pay, in thousandths of the uplink, at least
    /// [`piecework_pay::FREE_PERMILLE_MIN`].
    pub fn free_permille(&self, permille: u16) {
        self.inbox.call(Call::FreePermille(permille));
    }

    /// What may be spent in a day (UTC), for all torrents.
    pub fn day_max(&self, most: u128) {
        self.inbox.call(Call::DayMax(most));
    }

    /// Which part of the last week the node was up, in thousandths.
    pub fn uptime(&self, permille: u16) {
        self.inbox.call(Call::Uptime(permille));
    }

    /// Pays from this account from now on, in place of the one of the same network: a delegation ends after
    /// some days.
    pub fn renew(&self, payer: Payer) {
        self.inbox.call(Call::Renew(Box::new(payer)));
    }

    /// What is wanted of a torrent from now on. It takes the place of what was wanted before, and is
    /// forgotten with the torrent.
    pub fn want(&self, torrent: TorrentKey, wish: PayWish) {
        self.inbox.want(torrent, Some(wish));
    }

    /// Nothing is bought for a torrent any more.
    pub fn forget(&self, torrent: TorrentKey) {
        self.inbox.want(torrent, None);
    }

    /// How things stand, as of a quarter of a second ago while somebody looks. Who has not looked for a while
    /// gets what there was then.
    pub fn view(&self) -> Arc<PayView> {
        self.inbox.look();
        Arc::clone(&self.view.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends politely: what is owed is paid, bids and lanes are closed, everything is written. Peers stay.
    pub fn stop(&self) {
        self.inbox.stop();
    }

    pub(crate) fn quit(&self) {
        self.inbox.quit();
    }
}
