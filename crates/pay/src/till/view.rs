//! What faces show of a till.

use super::Till;
use crate::exposure::{Exposure, exposure};
use crate::{Network, PeerKey, Price, TorrentKey};
use alloy_primitives::Address;

/// A buyer on one connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BuyerView {
    /// Which connection.
    pub peer: PeerKey,
    /// Of which torrent.
    pub torrent: TorrentKey,
    /// Whose account pays.
    pub payer: Address,
    /// In which money.
    pub network: Network,
    /// Its channel.
    pub channel: u64,
    /// Whether it has the paid lane.
    pub is_paid: bool,
    /// The price of its next byte.
    pub price: Price,
    /// What it was allocated, bytes a second.
    pub rate: u64,
    /// Billable bytes so far, in either lane.
    pub served: u64,
    /// What it has revealed on this connection.
    pub paid: u128,
    /// What of the served is not paid.
    pub owed: u128,
    /// Up to how many billable bytes it is served.
    pub limit: u64,
    /// Its window, in bytes.
    pub window: u64,
}

/// A payer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AccountView {
    /// In which money.
    pub network: Network,
    /// Whose account.
    pub payer: Address,
    /// What it may owe in all, as the chain said last; 0 when it has no credit.
    pub exposure: u128,
    /// What it has revealed and we have not cashed.
    pub uncashed: u128,
    /// What was cashed on the channels that are known.
    pub cashed: u128,
    /// Windows that it did not pay.
    pub defaults: u32,
    /// No credit before, seconds since 1970.
    pub banned_until: u64,
}

impl Till {
    /// Whether it sells.
    #[must_use]
    pub fn is_selling(&self) -> bool {
        self.sells
    }

    /// The ask.
    #[must_use]
    pub fn ask(&self) -> Price {
        self.asking.ask()
    }

    /// What everybody in the paid lane pays since the last allocation.
    #[must_use]
    pub fn price(&self) -> Price {
        self.price
    }

    /// Which part of the paid capacity was sold in the last ten seconds, in thousandths. It is over 1000 when
    /// the free class left some of its own.
    #[must_use]
    pub fn load_permille(&self) -> u16 {
        self.load_permille
    }

    /// Every buyer whose account was accepted.
    pub fn buyers(&self) -> impl Iterator<Item = BuyerView> + '_ {
        self.trades.iter().filter_map(|(&peer, trade)| {
            let deal = trade.deal()?;
            let paid = self.paid(deal);
            Some(BuyerView {
                peer,
                torrent: trade.meeting.torrent,
                payer: deal.account.payer,
                network: deal.account.network,
                channel: deal.channel,
                is_paid: deal.rate.is_some(),
                price: deal.bill.price(),
                rate: deal.rate.unwrap_or(0),
                served: deal.bill.bytes(),
                paid,
                owed: deal.owed(paid),
                limit: deal.limit,
                window: deal.window.bytes(),
            })
        })
    }

    /// Every account that is known.
    pub fn accounts(&self) -> impl Iterator<Item = AccountView> + '_ {
        self.accounts.iter().map(|(key, account)| {
            let limits = account.sales.values().filter_map(|shelf| {
                let (facts, _) = shelf.facts?;
                match exposure(&facts, shelf.delegate().as_ref(), self.wall) {
                    Exposure::Limit { amount, .. } => Some(amount),
                    Exposure::Little | Exposure::Refused(_) => None,
                }
            });
            let cashed = account.sales.values().map(|shelf| shelf.sale.paid);
            AccountView {
                network: key.network,
                payer: key.payer,
                exposure: limits.max().unwrap_or(0),
                uncashed: account.uncashed(),
                cashed: cashed.fold(0, u128::saturating_add),
                defaults: account.defaults,
                banned_until: account.banned_until,
            }
        })
    }
}
