//! What people are shown.

use super::Purse;
use super::trade::Trade;
use crate::{Hold, Lane, Network, PeerKey, Price, TorrentKey};
use alloy_primitives::Address;

/// What is bought for one torrent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TorrentView {
    /// As it was chosen.
    pub lane: Lane,
    /// What it may cost in all.
    pub budget: u128,
    /// What was revealed for it, ever.
    pub spent: u128,
    /// What is set aside beyond that for links that may follow.
    pub reserved: u128,
    /// The highest price that may be bid.
    pub price_max: Price,
    /// The price of the dearest seller that is paid.
    pub price: Price,
    /// Connections that sell.
    pub sellers: usize,
    /// Of them, paid.
    pub paid_sellers: usize,
    /// Why nothing is bought.
    pub hold: Option<Hold>,
}

/// What is bought of one connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SellerView {
    /// Which.
    pub peer: PeerKey,
    /// Whom cheques pay, and in which money; none before its terms were heard and found good.
    pub payee: Option<(Network, Address)>,
    /// Whether it gives the paid lane.
    pub is_paid: bool,
    /// What it asks, or what it takes of us.
    pub price: Price,
    /// What is bid.
    pub bid: Price,
    /// Bytes a second in the last ten seconds.
    pub rate: u64,
    /// What it says that it gives, bytes a second.
    pub promised: u64,
    /// What was paid on this connection.
    pub paid: u128,
    /// What is owed and not paid: less than a link but for moments.
    pub owed: u128,
}

impl Purse {
    /// What is bought for a torrent that is wanted.
    #[must_use]
    pub fn torrent(&self, torrent: &TorrentKey) -> Option<TorrentView> {
        let known = self.torrents.get(torrent)?;
        let wish = known.wish?;
        let sums = self.books.torrent(torrent);
        let trades = known.peers.iter().filter_map(|peer| self.trades.get(peer));
        let paid = trades.filter_map(Trade::deal).filter(|deal| deal.is_paid());
        Some(TorrentView {
            lane: wish.lane,
            budget: wish.budget,
            spent: sums.value,
            reserved: sums.committed.saturating_sub(sums.value),
            price_max: known.cap(self.median()),
            price: paid.clone().map(|deal| deal.price()).max().unwrap_or_default(),
            sellers: known.peers.len(),
            paid_sellers: paid.count(),
            hold: known.hold,
        })
    }

    /// The connections that sell of a torrent.
    pub fn sellers(&self, torrent: &TorrentKey) -> impl Iterator<Item = SellerView> {
        let peers = self.torrents.get(torrent).into_iter().flat_map(|known| &known.peers);
        peers.filter_map(|peer| self.trades.get(peer)).map(|trade| self.seller(trade))
    }

    /// What was spent today (UTC) for all torrents, as far as is known.
    #[must_use]
    pub fn spent_today(&self) -> u128 {
        self.books.today().value
    }

    fn seller(&self, trade: &Trade) -> SellerView {
        let deal = trade.deal();
        let value =
            deal.and_then(|deal| self.books.channel(&deal.channel)).map_or(0, |it| it.value());
        let offer = trade.offer.as_ref();
        SellerView {
            peer: trade.peer(),
            payee: offer.map(|it| (self.accounts[it.account].payer.network, it.terms.payee)),
            is_paid: deal.is_some_and(super::deal::Deal::is_paid),
            price: trade.price().unwrap_or_default(),
            bid: deal.map(|deal| deal.bid.price).unwrap_or_default(),
            rate: trade.rate,
            promised: deal.and_then(|deal| deal.ask).map_or(0, |ask| ask.rate),
            paid: deal.map_or(0, |deal| value.saturating_sub(deal.start)),
            owed: deal.map_or(0, |deal| deal.owed(value)),
        }
    }
}
