//! What a person can ask of tokens.

use super::spend::SpendArgs;
use clap::{Args, Subcommand};

/// `piecework token`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token whose whole supply belongs to the wallet.
    Issue(IssueArgs),
    /// List the network's tokens.
    List,
    /// Send tokens, or the network's coin, to an address.
    Send(SendArgs),
    /// Tell what an address has.
    Balance(BalanceArgs),
}

/// `piecework token issue`
#[derive(Args, Debug)]
pub(crate) struct IssueArgs {
    /// Its short name, such as TOK.
    pub(crate) symbol: String,
    /// How much there will ever be, whole tokens, such as 1000000.
    pub(crate) supply: String,
    /// Its name [default: the short name].
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// Digits behind the point.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u8).range(..=18))]
    pub(crate) decimals: u8,
    #[command(flatten)]
    pub(crate) spend: SpendArgs,
}

/// `piecework token send` and `piecework wallet send`
#[derive(Args, Debug)]
pub(crate) struct SendArgs {
    /// Whole tokens, such as 1.5.
    pub(crate) amount: String,
    /// The token: short name or address; `coin` is the network's coin.
    pub(crate) token: String,
    /// To whom.
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) spend: SpendArgs,
}

/// `piecework token balance`
#[derive(Args, Debug)]
pub(crate) struct BalanceArgs {
    /// Whose [default: the wallet's].
    pub(crate) address: Option<String>,
    /// Of this token only: short name or address.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
}
