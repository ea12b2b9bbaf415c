//! A chain in a folder that is gone afterwards, with JSON-RPC in front of it: for clients of others to try.
//!
//! `rpc-node [--listen IP:PORT] [--base-fee WEI] ADDRESS...` gives each address a million coins, prints one
//! line of JSON that says where it listens, and runs until its standard input ends.

use alloy_primitives::{Address, B256, U256};
use piecework_chain::chain::Chain;
use piecework_chain::genesis::Genesis;
use piecework_rpc::{Server, Settings};
use std::error::Error;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const COIN: u64 = 1_000_000_000_000_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    // Chain id and salt only have to differ from those of other runs.
    let nanos = u64::try_from(now.as_nanos() & u128::from(u64::MAX))?;
    let chain_id = (1 << 40) | (nanos & 0xffff_ffff);
    let salt = B256::from(U256::from(nanos));
    let mut genesis = Genesis::new(chain_id, salt, now.as_secs());
    let mut settings = Settings { listen: "127.0.0.1:0".parse()?, ..Settings::default() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--listen" => settings.listen = arguments.next().unwrap_or_default().parse()?,
            "--base-fee" => genesis.base_fee = arguments.next().unwrap_or_default().parse()?,
            address => {
                let balance = U256::from(COIN) * U256::from(1_000_000);
                genesis = genesis.with_balance(address.parse::<Address>()?, balance);
            }
        }
    }
    let folder = tempfile::tempdir()?;
    let chain = Arc::new(Chain::init(folder.path(), &genesis)?);
    let server = Server::start(Arc::clone(&chain), settings)?;
    let address = server.address();
    println!(
        r#"{{"http":"http://{address}","ws":"ws://{address}","chainId":{chain_id},"genesis":"{}"}}"#,
        chain.genesis_hash()
    );
    io::stdin().read_to_end(&mut Vec::new())?;
    server.stop();
    Ok(())
}
