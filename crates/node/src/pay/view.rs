//! What faces show of payments.

use super::PayWish;
use super::inbox::Meet;
use super::thread::Driver;
use super::wishes::Wanted;
use crate::event::TorrentKey;
use piecework_pay::{AccountView, BuyerView, Price, Purse, SellerView, TorrentView};
use std::net::SocketAddr;

/// Payments at one moment.
#[derive(Clone, Debug, Default)]
pub struct PayView {
    /// Whether the node sells: it was told to, and its upload has a limit.
    pub is_selling: bool,
    /// Whether it buys.
    pub is_buying: bool,
    /// The ask.
    pub ask: Price,
    /// What everybody in the paid lane pays.
    pub price: Price,
    /// The uplink that is shared out, bytes a second: the node's upload limit; 0 without one.
    pub capacity: u64,
    /// Thousandths of it that the free lane has for itself.
    pub free_permille: u16,
    /// Thousandths of the paid capacity that were sold in the last ten seconds; over 1000 when the free lane
    /// left some of its own.
    pub load_permille: u16,
    /// Who buys of us.
    pub buyers: Vec<PayBuyer>,
    /// The payers that are known.
    pub accounts: Vec<AccountView>,
    /// Torrents that somebody wants something of, as [`PayHandle::want`](super::PayHandle::want) told.
    pub torrents: Vec<PayTorrent>,
    /// What was spent today (UTC) for all torrents.
    pub spent_today: u128,
    /// Why nothing can be written, while payments stand still for it.
    pub write_fault: Option<String>,
}

/// A connection that buys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PayBuyer {
    /// Of which torrent.
    pub torrent: TorrentKey,
    /// Its side of the connection.
    pub address: SocketAddr,
    /// What the till knows of it: account, rate, window, what it paid and owes.
    pub trade: BuyerView,
}

/// A connection that sells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PaySeller {
    /// Its side of the connection.
    pub address: SocketAddr,
    /// What the purse knows of it: payee, price, rate, what was paid and is owed.
    pub trade: SellerView,
}

/// What is bought for one torrent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PayTorrent {
    /// Which.
    pub torrent: TorrentKey,
    /// What is wanted.
    pub wish: PayWish,
    /// What the purse knows: budget, spent, price, hold; none while nothing is to come of it.
    pub purchase: Option<TorrentView>,
    /// Of whom.
    pub sellers: Vec<PaySeller>,
}

impl Driver {
    /// Makes a view for those who look.
    pub(super) fn publish(&self) {
        let mut view = PayView {
            is_selling: self.lanes.is_selling(),
            is_buying: self.lanes.is_buying(),
            capacity: self.lanes.capacity(),
            free_permille: self.free_permille,
            write_fault: self.writes.fault().map(str::to_owned),
            ..PayView::default()
        };
        if let Some(till) = self.payments.till() {
            (view.ask, view.price) = (till.ask(), till.price());
            view.load_permille = till.load_permille();
            view.accounts = till.accounts().collect();
            let buyer = |trade: BuyerView| {
                let &Meet { torrent, address, .. } = self.peers.get(&trade.peer)?;
                Some(PayBuyer { torrent, address, trade })
            };
            view.buyers = till.buyers().filter_map(buyer).collect();
        }
        if let Some(purse) = self.payments.purse() {
            view.spent_today = purse.spent_today();
            view.torrents = self.wishes.iter().map(|it| self.bought(purse, it)).collect();
        }
        self.store_view(view);
    }

    fn bought(&self, purse: &Purse, (torrent, wanted): (TorrentKey, &Wanted)) -> PayTorrent {
        let seller = |trade: SellerView| {
            let address = self.peers.get(&trade.peer)?.address;
            Some(PaySeller { address, trade })
        };
        let name = wanted.name;
        let sellers = name.iter().flat_map(|name| purse.sellers(name)).filter_map(seller);
        PayTorrent {
            torrent,
            wish: wanted.wish,
            purchase: name.and_then(|name| purse.torrent(&name)),
            sellers: sellers.collect(),
        }
    }
}
