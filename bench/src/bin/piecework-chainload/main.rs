//! The load of the chain bench: token transfers, signed before the clock starts, through JSON-RPC.
//!
//! A program of its own, so that what it costs is told apart from what the chain costs. It takes any Ethereum
//! node: what it asks for is in the protocol. `genesis` writes the accounts that both ours and anvil begin
//! with.

mod genesis;
mod heads;
mod measure;
mod rpc;
mod senders;
mod submit;

use clap::{Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Sends ERC-20 transfers to a node and counts what came of them.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a genesis file, as geth and anvil read it, in which every sender owns tokens.
    Genesis {
        /// The chain's number.
        #[arg(long)]
        chain_id: u64,
        /// Accounts that own tokens.
        #[arg(long, default_value_t = 100_000)]
        senders: u32,
        /// The compiled token contract, with its storage layout.
        #[arg(long, default_value = "contracts/artifacts/Token.json")]
        artifact: PathBuf,
    },
    /// Send transfers for some seconds, count what is in blocks by then, and print what was measured as JSON.
    Run(Load),
    /// Count the transfers with status 1 in blocks, and print it as JSON.
    Count {
        /// Address and port of the node.
        #[arg(long)]
        rpc: SocketAddr,
        /// The last block to count [default: the newest].
        #[arg(long, value_name = "BLOCK")]
        last: Option<u64>,
    },
}

/// What is sent, and how fast.
#[derive(Debug, clap::Args)]
struct Load {
    /// Address and port of the node.
    #[arg(long)]
    rpc: SocketAddr,
    /// Distinct accounts that send, in turn.
    #[arg(long, default_value_t = 100_000)]
    senders: u32,
    /// How long to send, seconds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Transfers a request.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    batch: u32,
    /// Connections, each with one request under way.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    connections: u32,
    /// Transfers a second at most; without it, as many as are taken.
    #[arg(long)]
    rate: Option<u32>,
    /// Transfers to sign beforehand; a run that uses them up before its end measures nothing.
    #[arg(long, default_value_t = 450_000)]
    prepared: u32,
    /// Measure the time from sending to the block's announcement (`newHeads` over WebSocket) as well.
    #[arg(long)]
    latency: bool,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Genesis { chain_id, senders, artifact } => {
            genesis::file(chain_id, senders, &artifact)
        }
        Command::Run(load) => measure::run(&load),
        Command::Count { rpc, last } => measure::count(rpc, last),
    };
    match done {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("piecework-chainload: {error}");
            ExitCode::FAILURE
        }
    }
}
