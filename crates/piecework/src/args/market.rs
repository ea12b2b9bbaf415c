//! What a person can ask of the market for uplink: to sell, to buy, and a lane for a torrent.

use super::client::ClientArgs;
use super::spend::SpendArgs;
use clap::{Args, Subcommand, ValueEnum};
use clap_complete::ArgValueCompleter;
use piecework_settings::ByteRate;

/// `piecework sell`
#[derive(Debug, Subcommand)]
pub(crate) enum SellCommand {
    /// Sell a part of the uplink of a daemon: who does not pay keeps the free share.
    On(SellOnArgs),
    /// Sell no more. What was earned is still cashed.
    Off(ClientArgs),
    /// Tell what is sold at which price, what waits to be cashed, and what may be lost.
    Status(ClientArgs),
}

/// `piecework sell on`
#[derive(Args, Debug)]
pub(crate) struct SellOnArgs {
    /// Ask at least so many whole tokens for a GiB [default: as before, at first 0.01].
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) floor: Option<String>,
    /// Bytes a second that the uplink carries, such as 1Mi: the daemon's upload limit [default: as before].
    #[arg(long, value_name = "R")]
    pub(crate) capacity: Option<ByteRate>,
    /// Hundredths of it for those who do not pay, at least 10 [default: as before, at first 25].
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(10..=100))]
    pub(crate) free_share: Option<u32>,
    /// Send the node so much coin to pay the fees of cashing with; its wallet may stay locked.
    #[arg(long, value_name = "COIN")]
    pub(crate) gas: Option<String>,
    #[command(flatten)]
    pub(crate) spend: SpendArgs,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `piecework buy`
#[derive(Debug, Subcommand)]
pub(crate) enum BuyCommand {
    /// Let a daemon pay for the lanes that its torrents ask for.
    On(BuyOnArgs),
    /// Pay nothing more, at once. Torrents go on in the free lane.
    Off(ClientArgs),
    /// Tell what is bought at which price, and what is left.
    Status(ClientArgs),
}

/// `piecework buy on`
#[derive(Args, Debug)]
pub(crate) struct BuyOnArgs {
    /// Entrust the node with so many whole tokens of the wallet's account in the vault, for about 8 days.
    /// Without it the node pays with what it was entrusted before.
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) max: Option<String>,
    /// What its bounces can burn of the bond, whole tokens: sellers give credit for a 256th of it
    /// [default: all of the bond].
    #[arg(long, value_name = "AMOUNT", requires = "max")]
    pub(crate) bond_at_risk: Option<String>,
    /// Spend at most so many whole tokens a day (UTC); `none` for no such limit.
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) day_max: Option<String>,
    #[command(flatten)]
    pub(crate) spend: SpendArgs,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `--lane`
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LaneArg {
    /// Free.
    Slow,
    /// Up to 1.25 times what sellers ask in the middle.
    Medium,
    /// Up to 3 times that.
    Fast,
}

impl LaneArg {
    /// Its word in the API.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Medium => "medium",
            Self::Fast => "fast",
        }
    }
}

/// How fast a torrent is wanted, and what that may cost.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct LaneArgs {
    /// How fast: slow is free, the others are bid for with tokens.
    #[arg(long, value_enum, value_name = "LANE", requires = "budget")]
    pub(crate) lane: Option<LaneArg>,
    /// What it may cost in all, whole tokens.
    #[arg(long, value_name = "AMOUNT", requires = "lane")]
    pub(crate) budget: Option<String>,
    /// The highest price of a GiB, whole tokens [default: the budget over the torrent's size].
    #[arg(long, value_name = "AMOUNT", requires = "lane")]
    pub(crate) max_price: Option<String>,
}

/// `piecework lane`
#[derive(Args, Debug)]
pub(crate) struct LaneOfArgs {
    /// The torrent: the beginning of its info-hash, or a part of its name that no other has.
    #[arg(add = ArgValueCompleter::new(crate::complete::torrents))]
    pub(crate) torrent: String,
    /// How fast; left out, the lane that it has is told.
    #[arg(value_enum)]
    pub(crate) lane: Option<LaneArg>,
    /// What it may cost in all, whole tokens; for medium and fast.
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) budget: Option<String>,
    /// The highest price of a GiB, whole tokens [default: the budget over the torrent's size].
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) max_price: Option<String>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}
