//! Markets of paid lanes in virtual time: the very machines of `piecework_pay`, many times over, with
//! sealed messages that take their time, drives that lose what is on its way, and a vault by its rules.
//!
//! What is real: every decision and every message. What is not: payload (a seller serves as it is told, a
//! buyer counts what came and verifies it piece by piece), the swarm, and the chain. Who cheats has real
//! machines too, and a script between them and the wire. Checkers judge by what crosses the border of a
//! machine, by records on drives and by the vault's books.

mod chain;
mod cheat;
mod checkers;
mod drive;
mod plan;
mod seat;
mod world;

pub use plan::{Cheat, Fund, LineSpec, MarketAction, MarketPlan, Role, SeatSpec, SessionSpec};
pub(crate) use world::MarketWorld;

use piecework_pay::{Address, Network, Price, TorrentKey};
use std::time::Duration;

/// What every seller asks at least, a MiB.
pub(crate) const FLOOR: Price = match Price::new(1 << 20) {
    Ok(price) => price,
    Err(_) => Price::UNIT,
};

/// Bytes that a link pays for.
pub(crate) const LINK_BYTES: u32 = 256 << 10;
const LINKS_MAX: u32 = 1024;
/// Of an uplink, for the free class.
pub(crate) const FREE_PERMILLE: u16 = 250;
const TORRENT: TorrentKey = [7; 20];

fn network() -> Network {
    let (vault, token) = (Address::new([1; 20]), Address::new([2; 20]));
    Network { chain_id: 9, vault, token, genesis: [3; 8] }
}

/// What became of a connection, counted from outside and over all times it was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MarketLine {
    /// Bytes that left the seller.
    pub sent: u64,
    /// Of them, while it was told to serve the paid lane.
    pub paid_sent: u64,
    /// Bytes that the buyer has verified.
    pub verified: u64,
    /// What the seller holds in cheques and links.
    pub held: u128,
    /// What the vault has paid for it, when all was cashed at the end.
    pub paid: u128,
    /// Times that the paid lane was given.
    pub grants: u32,
    /// In the last ten seconds of trade: bytes in the paid lane, and those that were allocated.
    pub late_bytes: u64,
    /// See `late_bytes`.
    pub late_allocated: u64,
    /// Bytes of the free lane in them.
    pub late_free: u64,
    /// From its making until the first byte of the paid lane had come, the first time.
    pub first_wait: Option<Duration>,
    /// The same of all later times, the longest.
    pub later_wait: Option<Duration>,
}

/// What came out of a run beside violations.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MarketReport {
    /// By number.
    pub lines: Vec<MarketLine>,
    /// What burned of bonds.
    pub burned: u128,
    /// Conversations with faults at honest nodes.
    pub faults: u32,
    /// Defaults that sellers have recorded, by their records.
    pub defaults: u32,
    /// Transactions that cashed something.
    pub cashes: u32,
    /// What one seller may lose by an account, before anything was spent.
    pub exposure: u128,
}

impl MarketReport {
    /// What buyers have got for nothing, less the bonds that burned: the cheat's gain.
    pub fn gain(&self) -> i128 {
        let loss: u128 = self.lines.iter().map(MarketLine::loss).sum();
        i128::try_from(loss).unwrap_or(i128::MAX) - i128::try_from(self.burned).unwrap_or(i128::MAX)
    }

    /// The most that one seller has lost.
    pub fn loss_most(&self) -> u128 {
        self.lines.iter().map(MarketLine::loss).max().unwrap_or(0)
    }
}

impl MarketLine {
    /// What the buyer has revealed beyond the floor's price of what it verified.
    pub fn overpaid(&self) -> u128 {
        self.held.saturating_sub(FLOOR.of(self.verified))
    }

    /// What the seller has served at its floor, and was not paid. The first bytes of each grant are free.
    pub fn loss(&self) -> u128 {
        FLOOR.of(self.paid_sent).saturating_sub(self.paid + FLOOR.of(self.unpriced()))
    }

    /// What was served at the floor, and is not revealed.
    pub fn unrevealed(&self) -> u128 {
        FLOOR.of(self.paid_sent).saturating_sub(self.held + FLOOR.of(self.unpriced()))
    }

    /// Bytes before the price begins that an answer names.
    fn unpriced(&self) -> u64 {
        u64::from(self.grants) * (64 << 10)
    }
}
