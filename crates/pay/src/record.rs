//! What must outlive a crash, and in which order it is written and said.
//!
//! A machine says [`Write`] before the message that depends on it, and holds that message back until the
//! driver has told it that everything up to this number is on the drive.

use crate::{Delegation, Entry, LastCheque, Network, SignedCheque, TorrentKey};
use alloy_primitives::{Address, B256};
use std::fmt;
use zeroize::Zeroize;

/// The number of a write, one more each time.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WriteId(pub u64);

/// Something to be written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Its number.
    pub id: WriteId,
    /// Whether a message waits for it: flush at once. The others are flushed together, within 200 ms.
    pub at_once: bool,
    /// What.
    pub record: Record,
}

/// A fact that takes the place of the one of the same name before.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A buyer's channel, by network, payee and number.
    Purchase(Box<Purchase>),
    /// A seller's channel, by network, payer and number.
    Sale(Box<Sale>),
    /// How an account has behaved, by network and account.
    Standing(Standing),
    /// A line of the ledger. Lines of one side, torrent, network, counterparty and channel add up.
    Entry(Entry),
}

/// What a buyer knows of a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Purchase {
    /// In which money.
    pub network: Network,
    /// For which torrent: a purchase of another one has a channel of its own.
    pub torrent: TorrentKey,
    /// The last cheque signed.
    pub signed: SignedCheque,
    /// The end of its chain.
    pub seed: Seed,
    /// Links revealed of it.
    pub revealed: u32,
    /// What the channel may be worth to the payee at most: links are revealed up to it before the next
    /// record is on the drive. It counts as spent when this record is all that is left.
    pub at_most: u128,
    /// The digest of the delegation that it was signed under.
    pub delegation: Option<B256>,
    /// The day on which it was last worth more, counted from 1970 (UTC).
    pub day: u64,
    /// What it was worth when that day began.
    pub before: u128,
}

impl Purchase {
    /// What it is worth with the links that are known to be revealed.
    #[must_use]
    pub fn value(&self) -> u128 {
        let cheque = &self.signed.cheque;
        cheque.worth(self.revealed.min(cheque.links)).unwrap_or(u128::MAX)
    }
}

/// What a seller knows of a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Sale {
    /// In which money.
    pub network: Network,
    /// For which torrent it was opened last.
    pub torrent: TorrentKey,
    /// Who may sign for the payer.
    pub delegation: Option<Delegation>,
    /// The best cheque and link.
    pub last: LastCheque,
    /// What the vault has paid on the channel, as far as it is known.
    pub paid: u128,
    /// Since when something waits to be cashed, in seconds since 1970; 0 with nothing.
    pub since: u64,
}

/// How an account has behaved towards us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    /// In which money.
    pub network: Network,
    /// The payer.
    pub account: Address,
    /// Windows that it did not pay.
    pub defaults: u32,
    /// No credit before, seconds since 1970.
    pub banned_until: u64,
}

/// The last link of a chain, which is all of its money. Wiped from memory, and not shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Seed(pub [u8; 32]);

impl Drop for Seed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}
