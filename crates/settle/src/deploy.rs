//! Putting the contracts on a chain that has none, and the network file that comes of it.
//!
//! Where the chain has the usual factory, the addresses follow from the code alone: whoever deploys first,
//! the contracts are the same, and what is there already is used. Elsewhere they follow from the deploying
//! account and its next numbers. They are known before anything is sent either way.

use crate::client::Client;
use crate::error::SettleError;
use crate::eth::At;
use crate::network::{Coin, Contract, Format, Money, Network, TokenEntry};
use crate::plan::{Call, Plan};
use crate::rpc::{Patience, Rpc, RpcFault};
use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use alloy_sol_types::SolValue;

/// The factory that most EVM chains have at this address: the first 32 bytes it is told are the salt, the
/// rest is the code that makes the contract (github.com/Arachnid/deterministic-deployment-proxy).
pub const FACTORY: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");

/// Gas that making any of the contracts stays under.
const DEPLOY_GAS_MOST: u64 = 8_000_000;

/// What contracts the factory makes with: a new form of them would take another.
const SALT: &str = "piecework 1";

/// A chain that the contracts will be put on.
pub struct Deployment {
    client: Client,
    vault: Place,
    assets: Place,
    wrapped: Place,
    first_block: u64,
}

/// A contract that has to be made, or is there.
struct Place {
    address: Address,
    call: Option<Call>,
}

/// What the chain will be called.
#[derive(Clone, Debug)]
pub struct DeploymentNames {
    /// The network's name.
    pub network: String,
    /// The short name of the chain's coin.
    pub coin: String,
    /// The name of the chain's rules, such as `prague`; of a foreign one, what is known.
    pub hardfork: String,
    /// Blocks on top until a transaction counts there.
    pub confirmations: u64,
}

/// What creates each contract; the arguments of constructors are not in it.
#[derive(Clone, Debug)]
pub struct CreationCodes {
    /// The Vault's.
    pub vault: Bytes,
    /// That of Assets.
    pub assets: Bytes,
    /// Wrapped's, which takes (name, symbol).
    pub wrapped: Bytes,
}

impl Deployment {
    /// Asks the chain behind these servers who it is and what is there already, and computes the addresses of
    /// what `from` would put there.
    ///
    /// # Errors
    /// When the servers do not tell, or a name is out of its bounds.
    pub fn survey(
        rpc: Vec<String>,
        names: DeploymentNames,
        codes: CreationCodes,
        from: Address,
        patience: Patience,
    ) -> Result<Self, SettleError> {
        let first = rpc.first().map_or("", String::as_str);
        let server = Rpc::new(first, patience)?;
        let chain_id = server.chain_id()?;
        let genesis = server.block(At::Block(0))?.ok_or_else(|| {
            let (expected, got) = ("there", "nothing".into());
            let fault = RpcFault::Field { what: "the first block", expected, got };
            server.error("eth_getBlockByNumber", fault)
        })?;
        let DeploymentNames { network: name, coin: symbol, hardfork, confirmations } = names;
        let nothing = Contract { address: FACTORY, code_hash: B256::ZERO };
        let network = Network {
            format: Format,
            name,
            chain_id,
            genesis: genesis.hash,
            hardfork,
            rpc,
            confirmations,
            first_block: 0,
            coin: Coin { symbol },
            vault: nothing,
            assets: nothing,
            tokens: Vec::new(),
            money: Money::default(),
        };
        // Refuses names that no file could hold before anything is paid for.
        network.write()?;
        let client = Client::unchecked(network, patience)?;
        Self::places(client, codes, from)
    }

    fn places(client: Client, codes: CreationCodes, from: Address) -> Result<Self, SettleError> {
        let has_factory = client.code_hash(FACTORY)?.is_some();
        let (first_nonce, first_block) = (client.nonce(from, true)?, client.height()?);
        let symbol = &client.network().coin.symbol;
        let named = (format!("Wrapped {symbol}"), format!("W{symbol}")).abi_encode_params();
        let wrapped = [codes.wrapped.as_ref(), &named].concat().into();
        let codes = [("Vault", codes.vault), ("Assets", codes.assets), ("Wrapped", wrapped)];
        let (mut places, mut nonce, mut is_new) = (Vec::new(), first_nonce, true);
        for (name, code) in codes {
            let place = if has_factory {
                factory_place(&client, name, &code)?
            } else {
                let call = creation(format!("make the {name}"), None, code);
                let place = Place { address: from.create(nonce), call: Some(call) };
                nonce = nonce.saturating_add(1);
                place
            };
            is_new &= place.call.is_some();
            places.push(place);
        }
        let mut places = places.into_iter();
        let mut next = || places.next().unwrap_or(Place { address: Address::ZERO, call: None });
        let (vault, assets, wrapped) = (next(), next(), next());
        // Of what was there before nobody knows since when.
        let first_block = if is_new { first_block } else { 0 };
        Ok(Self { client, vault, assets, wrapped, first_block })
    }

    /// The chain's number.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.client.network().chain_id
    }

    /// The chain, for carrying the plan out; its network file is not a checked one yet.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where the Vault is, or will be.
    #[must_use]
    pub fn vault(&self) -> Address {
        self.vault.address
    }

    /// The transactions that are still needed; without any step if all is there.
    ///
    /// # Errors
    /// When the account has too little coin, or the chain takes no such contracts.
    pub fn plan(&self, from: Address) -> Result<Plan, SettleError> {
        let calls = [&self.vault, &self.assets, &self.wrapped].map(|place| place.call.clone());
        self.client.plan(from, calls.into_iter().flatten().collect())
    }

    /// The network file, once the plan is carried out. Check it like any other.
    ///
    /// # Errors
    /// When a contract is not there, or the servers do not tell.
    pub fn network(&self) -> Result<Network, SettleError> {
        let contract = |name, address| {
            let code_hash = self.client.code_hash(address)?.ok_or_else(|| {
                let server = self.client.server_name();
                crate::CheckFault::NoContract { server, contract: name, address }
            })?;
            Ok::<_, SettleError>(Contract { address, code_hash })
        };
        let Contract { address, code_hash } = contract("Wrapped", self.wrapped.address)?;
        let known = self.client.network();
        let symbol = &known.coin.symbol;
        let wrapped = TokenEntry {
            address,
            code_hash,
            name: format!("Wrapped {symbol}"),
            symbol: format!("W{symbol}"),
            decimals: crate::COIN_DECIMALS,
        };
        let network = Network {
            first_block: self.first_block,
            vault: contract("Vault", self.vault.address)?,
            assets: contract("Assets", self.assets.address)?,
            tokens: vec![wrapped],
            ..known.clone()
        };
        Ok(network)
    }
}

fn factory_place(client: &Client, name: &str, code: &Bytes) -> Result<Place, SettleError> {
    let salt = keccak256(SALT);
    let address = FACTORY.create2(salt, keccak256(code));
    if client.code_hash(address)?.is_some() {
        return Ok(Place { address, call: None });
    }
    let data: Bytes = [salt.as_slice(), code].concat().into();
    let call = creation(format!("make the {name} at {address}"), Some(FACTORY), data);
    Ok(Place { address, call: Some(call) })
}

fn creation(what: String, to: Option<Address>, data: Bytes) -> Call {
    Call { what, to, value: U256::ZERO, data, gas_most: DEPLOY_GAS_MOST }
}
