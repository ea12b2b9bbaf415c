//! What is to happen in a market of paid lanes.

use piecework_pay::Lane;
use piecework_types::Time;
use std::time::Duration;

/// How a node cheats: what lies between its machine and the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cheat {
    /// A buyer that says no link and no further cheque.
    NeverPays,
    /// A buyer that reveals half of the links that it owes, and says no further cheque.
    HalfPays,
    /// A buyer whose links lead nowhere, and that says no further cheque.
    WrongLink,
    /// The same with each link under the next one's number.
    SkippedLink,
    /// The same with links behind the end of the chain.
    LinkBeyondEnd,
    /// A buyer that says the first opening it made on every later connection.
    ReplaysOpen,
    /// A buyer that is told that its account is as rich as ever.
    BelievesItself,
    /// A seller whose data is corrupt.
    Corrupts,
    /// A seller that counts half as much again.
    InflatesStat,
    /// A seller that asks a fifth more for what was sent already.
    RetroactiveAsk,
    /// A seller that asks ten times what others do.
    Gouges,
    /// A seller that gives an eighth of what it says.
    Throttles,
    /// A seller that bills every fourth block although it was cancelled in time.
    IgnoresCancels,
    /// A buyer whose further cheques are worth half of what it has promised before.
    LowersCheques,
    /// A buyer whose cheque is one of another chain, vault, channel or time, or whose root was shown.
    ReplaysCheques,
}

/// A session key that signs for an account: one a account.
#[derive(Clone, Copy, Debug)]
pub struct SessionSpec {
    /// What it may spend.
    pub max_amount: u128,
    /// What of the bond burns for its bounces at most.
    pub bond_at_risk: u128,
}

/// What a node does.
#[derive(Clone, Debug)]
pub enum Role {
    /// It sells its uplink.
    Sells {
        /// Bytes a second.
        uplink: u64,
    },
    /// It buys for one torrent, until the last seconds of the run.
    Buys {
        /// How fast.
        lane: Lane,
        /// What it may cost.
        budget: u128,
        /// In hundredths of the floor, the highest price.
        price_percent: u32,
        /// Whose money: several may have one account.
        account: u8,
    },
}

/// A node.
#[derive(Clone, Debug)]
pub struct SeatSpec {
    /// What it does.
    pub role: Role,
    /// How it cheats, if it does.
    pub cheat: Option<Cheat>,
    /// Its clock is ahead by so many seconds.
    pub clock_ahead: i64,
    /// A buyer that has no more than a session key.
    pub session: Option<SessionSpec>,
}

/// An account in the vault.
#[derive(Clone, Copy, Debug)]
pub struct Fund {
    /// What it may spend.
    pub free: u128,
    /// What burns on a bounce.
    pub bond: u128,
    /// Whether the deposit is final.
    pub is_final: bool,
}

/// A connection between a seller and a buyer.
#[derive(Clone, Copy, Debug)]
pub struct LineSpec {
    /// Who sells.
    pub seller: usize,
    /// Who buys.
    pub buyer: usize,
    /// One way.
    pub latency: Duration,
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub enum MarketAction {
    /// A node loses what is not on its drive, and comes again with all its connections.
    Crash(usize),
    /// The same, from the drive as it was at this moment.
    Restore(usize, Time),
    /// An account is emptied by a cheque to itself.
    Drain(u8),
    /// An account asks for all it has.
    Exit(u8),
    /// The deposit of an account was never made.
    Reorg(u8),
    /// An account revokes its delegations.
    Revoke(u8),
    /// To cash a cheque costs so much from now on.
    Fee(u128),
    /// The chain answers no question any more.
    Silence,
}

/// A whole run.
#[derive(Clone, Debug)]
pub struct MarketPlan {
    /// All nodes.
    pub seats: Vec<SeatSpec>,
    /// Their connections.
    pub lines: Vec<LineSpec>,
    /// The accounts of buyers, by number.
    pub funds: Vec<Fund>,
    /// What accounts have reserved for sellers.
    pub locks: Vec<(u8, usize, u128)>,
    /// What happens when, in order of time.
    pub actions: Vec<(Time, MarketAction)>,
    /// Bytes of a piece; 16 KiB is a v2 torrent.
    pub piece_bytes: u32,
    /// Whether the free lane carries anything: without, every byte that leaves is in the paid one.
    pub has_free_lane: bool,
    /// How long a transaction takes to be in a block.
    pub block_time: Duration,
    /// A bug in the vault, in the drive, or in a buyer.
    pub plant: Option<crate::Plant>,
    /// When it ends.
    pub ends: Time,
}
