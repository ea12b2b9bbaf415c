//! What the one ledger is told: every figure of money on any screen is a sum of these.

use crate::{Network, Price};
use alloy_primitives::Address;

/// A torrent as the ledger names it: its 20-byte info-hash of the handshake.
pub type TorrentKey = [u8; 20];

/// Which side of a trade.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Side {
    /// Bytes came, money goes.
    Buying,
    /// Bytes go, money comes.
    Selling,
}

/// One row: what one trade has come to since the row before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Which side we are.
    pub side: Side,
    /// Of which torrent.
    pub torrent: TorrentKey,
    /// In which money.
    pub network: Network,
    /// The other's account: payee of a purchase, payer of a sale.
    pub counterparty: Address,
    /// The channel.
    pub channel: u64,
    /// Billable bytes.
    pub bytes: u64,
    /// What was revealed for them: earned or spent.
    pub amount: u128,
    /// The price of the last of them.
    pub price: Price,
}
