//! What a person can ask of a chain.

use super::spend::SpendArgs;
use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// `piecework chain`
#[derive(Debug, Subcommand)]
pub(crate) enum ChainCommand {
    /// Make a chain of one's own: a coin, the contracts, and a first token, all of which belong to the
    /// wallet.
    Init(InitArgs),
    /// Run the chain and serve it as JSON-RPC until a signal ends it.
    Run(RunArgs),
    /// Tell how the chain is doing that a server serves.
    Status(StatusArgs),
    /// Write the network file by which others join.
    Share(ShareArgs),
    /// Join the network of a network file: check all that it says, and sign for it from now on.
    Join(JoinArgs),
    /// Put the contracts on a chain of somebody else's and write its network file.
    Deploy(DeployArgs),
    /// Hand out coins from the wallet, as a chain made with --faucet allows: 100 for each address and day,
    /// 1,000 a day in all.
    Faucet {
        /// To whom.
        address: String,
        #[command(flatten)]
        spend: SpendArgs,
    },
    /// Copy the chain into a folder, up to its newest block. It may be running.
    Backup {
        /// The folder; it must not have a chain.
        folder: PathBuf,
    },
    /// Put such a copy in the place of a chain that is gone, checking every block.
    Restore {
        /// The folder.
        folder: PathBuf,
    },
}

/// `piecework chain init`
#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// What people call the network.
    #[arg(long, value_name = "TEXT", default_value = "My network")]
    pub(crate) name: String,
    /// Who owns all at first [default: the wallet of this folder].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) owner: Option<String>,
    /// Short name of the coin that pays for transactions.
    #[arg(long, value_name = "SYMBOL", default_value = "COIN")]
    pub(crate) coin: String,
    /// Whole coins that the owner gets.
    #[arg(long, value_name = "N", default_value_t = 1_000_000_000)]
    pub(crate) coins: u64,
    /// Short name of the first token.
    #[arg(long, value_name = "SYMBOL", default_value = "TOK")]
    pub(crate) token: String,
    /// Its name.
    #[arg(long, value_name = "TEXT", default_value = "Token")]
    pub(crate) token_name: String,
    /// Its digits behind the point, 18 at most.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u8).range(..=18))]
    pub(crate) token_decimals: u8,
    /// Whole tokens that there are.
    #[arg(long, value_name = "N", default_value_t = 1_000_000_000,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tokens: u64,
    /// What a unit of gas costs at least, in wei, 10^-18 of a coin. Zero is for a chain that only this
    /// machine can reach.
    #[arg(long, value_name = "WEI", default_value_t = 0)]
    pub(crate) gas_price: u64,
    /// Let the owner hand out coins with `chain faucet`.
    #[arg(long)]
    pub(crate) faucet: bool,
    /// Gas that each account may use for nothing each day (UTC).
    #[arg(long, value_name = "GAS", default_value_t = 0)]
    pub(crate) free_gas: u64,
    /// Whole coins that an account must have held since the day before for that.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) free_gas_coins: u64,
    /// Take further accounts from this genesis file (`alloc` in JSON, as geth and anvil read it).
    #[arg(long, value_name = "FILE")]
    pub(crate) alloc: Option<PathBuf>,
    /// No owner, coin, token or contract; for tests of other programs.
    #[arg(long, requires = "alloc")]
    pub(crate) bare: bool,
}

/// `piecework chain run`
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// Where to serve JSON-RPC over HTTP and WebSocket; port 0 takes a free one.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8545")]
    pub(crate) rpc: SocketAddr,
    /// Serve only what strangers may ask: reads, and transactions that are signed.
    #[arg(long)]
    pub(crate) public: bool,
    /// A name under which the server is reached, besides its address. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<String>,
    /// Serve beyond this machine although transactions cost nothing, so that anybody can fill the chain.
    #[arg(long)]
    pub(crate) open_free: bool,
}

/// `piecework chain status`
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// The server [default: the first of the network that was joined].
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Option<String>,
}

/// `piecework chain share`
#[derive(Args, Debug)]
pub(crate) struct ShareArgs {
    /// Where others reach this chain's server. May be repeated; of two or more, two must agree [default:
    /// where it ran last].
    #[arg(long, value_name = "URL")]
    pub(crate) rpc: Vec<String>,
    /// Where to write the file [default: standard output].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// `piecework chain join`
#[derive(Args, Debug)]
pub(crate) struct JoinArgs {
    /// The network file, or its http(s) address.
    pub(crate) file: String,
    /// Then move so many whole tokens from the wallet to what cheques are paid from.
    #[arg(long, value_name = "AMOUNT", requires = "bond")]
    pub(crate) deposit: Option<String>,
    /// And so many to the bond.
    #[arg(long, value_name = "AMOUNT", requires = "deposit")]
    pub(crate) bond: Option<String>,
    #[command(flatten)]
    pub(crate) spend: SpendArgs,
}

/// `piecework chain deploy`
#[derive(Args, Debug)]
pub(crate) struct DeployArgs {
    /// A server of the chain. May be repeated; the network file names them all.
    #[arg(long, value_name = "URL", required = true)]
    pub(crate) rpc: Vec<String>,
    /// Where to write the network file.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// What people call the network.
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: String,
    /// Short name of the chain's coin.
    #[arg(long, value_name = "SYMBOL", default_value = "ETH")]
    pub(crate) coin: String,
    /// Blocks on top of a transaction's until it counts.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) confirmations: u64,
    /// The chain's rules, by the name of the last upgrade it has.
    #[arg(long, value_name = "NAME", default_value = "prague")]
    pub(crate) hardfork: String,
    #[command(flatten)]
    pub(crate) spend: SpendArgs,
}
