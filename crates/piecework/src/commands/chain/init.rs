//! `piecework chain init`: a chain that nobody else has, and what it begins with.

use super::{alloc, faucet, share};
use crate::args::chain::InitArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::purse::{owner as wallet_owner, pinned, remove};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::SolValue;
use piecework_chain::beginning::Beginning;
use piecework_chain::call::CallRequest;
use piecework_chain::chain::{Chain, OpenError};
use piecework_chain::contracts::FirstAsset;
use piecework_chain::execute::Outcome;
use piecework_chain::genesis::{CHAIN_IDS, Genesis};
use piecework_chain::quota::Quota;
use piecework_settle::{COIN_DECIMALS, Coin, Contract, Format, Money, Network, TokenEntry};
use piecework_wallet::{WalletFolder, parse_address, random, write_over};
use serde_json::json;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The network file of a chain of one's own, in its folder.
pub(super) const NETWORK: &str = "network.json";

/// The rules of the EVM that a chain of ours follows.
const HARDFORK: &str = "prague";

/// Runs the command.
pub(super) fn run(args: &InitArgs, state: &Path, folder: &Path, out: Out) -> Result<(), Failure> {
    let (chain_id, salt) = identity()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut genesis = Genesis::new(chain_id, salt, now);
    genesis.base_fee = args.gas_price;
    genesis.base_fee_floor = args.gas_price;
    genesis.quota = Quota { gas_per_day: args.free_gas, balance_min: coins(args.free_gas_coins) };
    if let Some(file) = &args.alloc {
        genesis.accounts = alloc::read(file)?;
    }
    if args.bare {
        let chain = make(args, (state, folder), &genesis, None)?;
        let hash = chain.genesis_hash();
        let told = json!({ "event": "chain", "chain_id": chain_id, "genesis": hash });
        out.say(&format!("CHAIN {chain_id} {hash}"), &told);
        return Ok(());
    }
    let owner = owner(args, state)?;
    genesis.beneficiary = owner;
    genesis.faucet = if args.faucet { owner } else { Address::ZERO };
    genesis = genesis.with_balance(owner, coins(args.coins));
    genesis = genesis.with_contracts().with_asset(&first_token(args, owner)?);
    let network = network(args, &genesis)?;
    make(args, (state, folder), &genesis, Some(&network))?;
    if pinned(state)?.is_none() {
        network.pin(state).map_err(Failure::new)?;
    }
    tell(args, &network, owner, folder, out);
    Ok(())
}

/// Makes the chain; its network file, and whether it has a faucet, are in its folder before it is.
fn make(
    args: &InitArgs,
    (state, folder): (&Path, &Path),
    genesis: &Genesis,
    network: Option<&Network>,
) -> Result<Chain, Failure> {
    let text = network.map(Network::write).transpose().map_err(Failure::new)?;
    let beside = || {
        // Whatever an attempt has left that was cut off.
        remove(&folder.join(NETWORK))?;
        faucet::forbid(folder)?;
        if let Some(text) = &text {
            write_over(&folder.join(NETWORK), text.as_bytes()).map_err(Failure::new)?;
        }
        if args.faucet { faucet::allow(folder) } else { Ok(()) }
    };
    let beside = || beside().map_err(|failure| io::Error::other(failure.text));
    match Chain::init_with(folder, genesis, beside) {
        Err(error @ OpenError::Exists(_)) => Err(taken_up(&error, state, folder)?),
        made => made.map_err(Failure::new),
    }
}

/// That there is a chain already. A wallet beside it without a network was cut off from it, and signs for it
/// from now on.
fn taken_up(error: &OpenError, state: &Path, folder: &Path) -> Result<Failure, Failure> {
    let Some(network) = share::own(folder)?.filter(|_| matches!(pinned(state), Ok(None))) else {
        return Ok(Failure::new(error));
    };
    network.pin(state).map_err(Failure::new)?;
    Ok(Failure::new(format!(
        "{error}. The wallet had no network, and signs for that chain now: `piecework chain run` serves it"
    )))
}

/// The chain's number and salt, which no other chain has.
fn identity() -> Result<(u64, B256), Failure> {
    let number = u64::from_be_bytes(*random().map_err(Failure::new)?);
    let chain_id = CHAIN_IDS.start + number % (CHAIN_IDS.end - CHAIN_IDS.start);
    Ok((chain_id, B256::from(*random().map_err(Failure::new)?)))
}

fn owner(args: &InitArgs, state: &Path) -> Result<Address, Failure> {
    match &args.owner {
        Some(text) => parse_address(text).map_err(Failure::usage),
        None => wallet_owner(&WalletFolder::of(state)),
    }
}

fn coins(whole: u64) -> U256 {
    U256::from(whole) * U256::from(10).pow(U256::from(COIN_DECIMALS))
}

fn first_token(args: &InitArgs, owner: Address) -> Result<FirstAsset, Failure> {
    let unit = 10_u128.pow(args.token_decimals.into());
    let supply = u128::from(args.tokens).checked_mul(unit).ok_or_else(|| {
        Failure::usage(
            "--tokens with --token-decimals has to stay below 2^128: take fewer of either",
        )
    })?;
    let (name, symbol) = (args.token_name.clone(), args.token.clone());
    Ok(FirstAsset { owner, name, symbol, decimals: args.token_decimals, supply })
}

/// The network file of a chain that begins so.
fn network(args: &InitArgs, genesis: &Genesis) -> Result<Network, Failure> {
    let begun = Beginning::new(genesis).map_err(Failure::new)?;
    let placed = genesis.first_contracts();
    let data = [&keccak256("faceOf(uint256)")[..4], &U256::ONE.abi_encode()].concat().into();
    let face = CallRequest { to: Some(placed.assets), data, ..CallRequest::default() };
    let face = begun.call(&face).map_err(Failure::new)?;
    let face = match &face.outcome {
        Outcome::Success { output, .. } => Address::abi_decode(output).ok(),
        _ => None,
    };
    let fault = || Failure::new("the first token has no address, which is a fault of this program");
    let face = face.ok_or_else(fault)?;
    let code_hash = |address| {
        let code = begun.code(address).map_err(Failure::new)?;
        Ok::<_, Failure>(keccak256(code))
    };
    let contract = |address| Ok::<_, Failure>(Contract { address, code_hash: code_hash(address)? });
    let token = |address, name: &str, symbol: &str, decimals| {
        let (name, symbol) = (name.to_owned(), symbol.to_owned());
        Ok::<_, Failure>(TokenEntry {
            address,
            code_hash: code_hash(address)?,
            name,
            symbol,
            decimals,
        })
    };
    Ok(Network {
        format: Format,
        name: args.name.clone(),
        chain_id: genesis.chain_id,
        genesis: begun.hash(),
        hardfork: HARDFORK.into(),
        rpc: vec!["http://127.0.0.1:8545".into()],
        confirmations: 0,
        first_block: 0,
        coin: Coin { symbol: args.coin.clone() },
        vault: contract(placed.vault)?,
        assets: contract(placed.assets)?,
        tokens: vec![
            token(face, &args.token_name, &args.token, args.token_decimals)?,
            token(placed.wrapped, "Wrapped coin", "WCOIN", COIN_DECIMALS)?,
        ],
        money: Money::Test,
    })
}

fn tell(args: &InitArgs, network: &Network, owner: Address, folder: &Path, out: Out) {
    let token = &network.tokens[0];
    let told = json!({
        "event": "chain", "chain_id": network.chain_id, "genesis": network.genesis, "owner": owner,
        "vault": network.vault.address, "assets": network.assets.address, "token": token.address,
        "folder": folder,
    });
    let text = format!(
        "CHAIN {id} {genesis}\n\
         {owner} owns {coins} {coin} and {tokens} {symbol}, worth nothing by themselves.\n\
         Token {symbol} {token}\nVault {vault}\nAssets {assets}\n\
         All of it lies in {folder}: who loses that disk loses the money. \
         `piecework chain backup FOLDER` copies it.",
        id = network.chain_id,
        genesis = network.genesis,
        coins = args.coins,
        coin = args.coin,
        tokens = args.tokens,
        symbol = args.token,
        token = token.address,
        vault = network.vault.address,
        assets = network.assets.address,
        folder = folder.display(),
    );
    out.say(&text, &told);
}
