//! A chain as its servers tell it: the network's file checked, facts agreed upon, transactions planned.
//!
//! A client exists only after [`check`](crate::check()) has passed, so nothing is ever signed for a chain or
//! contract that is not the file's. What is believed about money is asked of two servers where the network
//! has two; what only helps to be quick (prices, numbers, estimates) of the first that answers, because
//! a lie there costs a refused transaction at most, and the fee that was agreed to.

use crate::check::{Checked, check};
use crate::error::SettleError;
use crate::eth::{At, Block};
use crate::network::Network;
use crate::receipt::{Log, Receipt};
use crate::rpc::{Patience, Rpc, RpcError, RpcFault};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall;
use piecework_pay::Domain;
use serde_json::json;

mod logs;
mod planning;
mod seen;

pub use logs::LOG_BLOCKS;
pub use planning::{GAS_MAX, STEPS_MAX};
pub use seen::Seen;

/// Servers that have to say the same, where the network has so many.
const WITNESSES: usize = 2;

/// How often two servers are asked that do not agree: a block may come in between.
const AGREE_TRIES: usize = 3;

/// A checked network and its servers.
pub struct Client {
    network: Network,
    servers: Vec<Rpc>,
    searched: Option<Searched>,
}

/// Hears how many blocks of how many a search has seen.
type Searched = Box<dyn Fn(u64, u64) + Send + Sync>;

impl Client {
    /// Checks the network at its servers.
    ///
    /// # Errors
    /// When the servers do not confirm the network file.
    pub fn connect(network: Network, patience: Patience) -> Result<(Self, Checked), SettleError> {
        let servers = servers(&network, patience)?;
        Self::connect_to(network, servers)
    }

    /// Checks the network at these servers, which stand for those that its file names.
    ///
    /// # Errors
    /// When the servers do not confirm the network file.
    pub fn connect_to(network: Network, servers: Vec<Rpc>) -> Result<(Self, Checked), SettleError> {
        let checked = check(&network, &servers)?;
        Ok((Self { network, servers, searched: None }, checked))
    }

    /// A client of a chain that has no contracts yet.
    pub(crate) fn unchecked(network: Network, patience: Patience) -> Result<Self, SettleError> {
        let servers = servers(&network, patience)?;
        Ok(Self { network, servers, searched: None })
    }

    /// From now on `told` hears how many blocks of how many a search for logs has seen, after each stretch.
    pub fn tell_searches(&mut self, told: impl Fn(u64, u64) + Send + Sync + 'static) {
        self.searched = Some(Box::new(told));
    }

    /// The preferred server, for messages.
    pub(crate) fn server_name(&self) -> String {
        self.servers.first().map(|server| server.name().to_owned()).unwrap_or_default()
    }

    /// The hash of the code at an address after the newest block; none without code.
    pub(crate) fn code_hash(&self, address: Address) -> Result<Option<B256>, SettleError> {
        self.agree("a contract's code", |server| server.code_hash(address, At::Latest))
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What cheques are signed for.
    #[must_use]
    pub fn domain(&self) -> Domain {
        let verifying_contract = self.network.vault.address;
        Domain { chain_id: self.network.chain_id, verifying_contract }
    }

    /// The chain's time, seconds since 1970: what the next block would have. The newest block may be days old
    /// where blocks are made only when there is work.
    ///
    /// # Errors
    /// When no server tells.
    pub fn now(&self) -> Result<u64, SettleError> {
        let latest = self.latest()?.timestamp;
        let next = self.first(|server| match server.block(At::Pending) {
            // Not every program knows such a block.
            Err(error) if matches!(error.fault, RpcFault::Refused { .. }) => Ok(None),
            block => block,
        })?;
        Ok(next.map_or(latest, |block| block.timestamp.max(latest)))
    }

    /// The coin of an account, wei.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same.
    pub fn coin(&self, account: Address) -> Result<U256, SettleError> {
        self.agree("a balance", |server| {
            server.ask("eth_getBalance", &json!([account, "latest"]), |it| it.quantity())
        })
    }

    /// What a contract answers, as far as the network waits for: behind its confirmations.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same, or the contract refuses.
    pub fn settled<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, SettleError> {
        let at = match self.network.confirmations {
            0 => At::Latest,
            depth => At::Block(self.height()?.saturating_sub(depth)),
        };
        self.read_at(to, call, at)
    }

    /// What a contract answers after the newest block.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same, or the contract refuses.
    pub fn newest<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, SettleError> {
        self.read_at(to, call, At::Latest)
    }

    fn read_at<C: SolCall>(&self, to: Address, call: &C, at: At) -> Result<C::Return, SettleError> {
        let data = call.abi_encode();
        let answer = self.agree(C::SIGNATURE, |server| {
            let answer = server.read_raw(to, &data, at)?;
            // Wrong answers of two servers that agree are wrong too.
            match C::abi_decode_returns_validate(&answer) {
                Ok(_) => Ok(answer),
                Err(_) => Err(server.no_such(C::SIGNATURE, &answer)),
            }
        })?;
        let error = |_| self.servers[0].no_such(C::SIGNATURE, &answer).into();
        C::abi_decode_returns_validate(&answer).map_err(error)
    }

    /// The height that all servers which answer have reached.
    ///
    /// # Errors
    /// When none answers.
    pub fn height(&self) -> Result<u64, SettleError> {
        let mut lowest = Err(None);
        for server in &self.servers {
            match (server.height(), &lowest) {
                (Ok(height), Ok(other)) => lowest = Ok(height.min(*other)),
                (Ok(height), Err(_)) => lowest = Ok(height),
                (Err(error), Err(_)) => lowest = Err(Some(error)),
                (Err(_), Ok(_)) => {}
            }
        }
        lowest.map_err(|error: Option<RpcError>| error.map_or_else(none, SettleError::from))
    }

    pub(crate) fn latest(&self) -> Result<Block, SettleError> {
        self.first(|server| {
            let block = server.block(At::Latest)?;
            block.ok_or_else(|| server.error("eth_getBlockByNumber", missing_block()))
        })
    }

    /// The hash of the block at a height, as agreed; none if there is none.
    pub(crate) fn block_hash(&self, height: u64) -> Result<Option<B256>, SettleError> {
        self.agree("a block", |server| Ok(server.block(At::Block(height))?.map(|block| block.hash)))
    }

    /// A receipt that the servers agree upon; one that only some know yet does not count.
    pub(crate) fn receipt(&self, hash: B256) -> Result<Option<Receipt>, SettleError> {
        let asked = self.agree("a receipt", |server| {
            let params = json!([hash]);
            server.ask("eth_getTransactionReceipt", &params, |it| Receipt::read(it, hash))
        });
        match asked {
            Err(SettleError::Disagree { .. }) => Ok(None),
            other => other,
        }
    }

    /// Whose transaction this is, if the servers know it.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same.
    pub fn sender(&self, transaction: B256) -> Result<Option<Address>, SettleError> {
        self.agree("a transaction", |server| {
            server.ask("eth_getTransactionByHash", &json!([transaction]), |it| {
                if it.is_null() { Ok(None) } else { it.get("from").address().map(Some) }
            })
        })
    }

    /// When the block at a height was made, seconds since 1970.
    ///
    /// # Errors
    /// When the servers do not tell, or there is none.
    pub fn block_time(&self, height: u64) -> Result<u64, SettleError> {
        self.first(|server| {
            let block = server.block(At::Block(height))?;
            let block =
                block.ok_or_else(|| server.error("eth_getBlockByNumber", missing_block()))?;
            Ok(block.timestamp)
        })
    }

    /// Whether any server knows a transaction, in a block or waiting.
    pub(crate) fn knows(&self, hash: B256) -> Result<bool, SettleError> {
        let known = |server: &Rpc| {
            let params = json!([hash]);
            server.ask("eth_getTransactionByHash", &params, |it| Ok(!it.is_null()))
        };
        self.first(known)
    }

    /// How many transactions an account has sent, with or without those that wait.
    pub(crate) fn nonce(&self, account: Address, with_waiting: bool) -> Result<u64, SettleError> {
        let at = if with_waiting { "pending" } else { "latest" };
        self.first(|server| {
            server.ask("eth_getTransactionCount", &json!([account, at]), |it| it.u64())
        })
    }

    /// Gives a signed transaction to the servers until one takes it.
    ///
    /// A refusal counts only from a server that was asked once, with nobody asked in vain before: else the
    /// transaction may have arrived, and what is refused is its second copy.
    pub(crate) fn send(&self, raw: &Bytes, hash: B256) -> Result<Delivery, SettleError> {
        let params = json!([raw]);
        let mut is_first = true;
        for server in &self.servers {
            match server.ask("eth_sendRawTransaction", &params, |it| it.b256()) {
                Ok(got) if got == hash => return Ok(Delivery::Taken),
                Ok(got) => {
                    let server = server.name().to_owned();
                    return Err(SettleError::WrongHash { server, expected: hash, got });
                }
                Err(error) if is_known_already(&error.fault) => return Ok(Delivery::Taken),
                Err(RpcError { tries: 1, fault: RpcFault::Refused { message, .. }, .. })
                    if is_first =>
                {
                    return Ok(Delivery::Refused(message));
                }
                Err(error) => {
                    tracing::debug!(%error, %hash, "it is not known whether the transaction arrived");
                    is_first = false;
                }
            }
        }
        Ok(Delivery::Unsure)
    }

    /// Logs of some events, as agreed; the caller bounds the blocks.
    fn logs_between(&self, filter: &serde_json::Value) -> Result<Vec<Log>, SettleError> {
        let params = json!([filter]);
        self.agree("logs", |server| server.ask("eth_getLogs", &params, Log::read_all))
    }

    /// The answer of the first server that gives one. A refusal is an answer.
    fn first<T>(&self, ask: impl Fn(&Rpc) -> Result<T, RpcError>) -> Result<T, SettleError> {
        let mut last = None;
        for server in &self.servers {
            match ask(server) {
                Ok(answer) => return Ok(answer),
                Err(error) if matches!(error.fault, RpcFault::Refused { .. }) => {
                    return Err(error.into());
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.map_or_else(none, SettleError::from))
    }

    /// What two servers say alike; with one server, what it says.
    pub(crate) fn agree<T: PartialEq>(
        &self,
        what: &'static str,
        ask: impl Fn(&Rpc) -> Result<T, RpcError>,
    ) -> Result<T, SettleError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.agree_once(what, &ask) {
                Err(SettleError::Disagree { .. }) if tries < AGREE_TRIES => {
                    std::thread::sleep(self.servers[0].patience().pause);
                }
                result => return result,
            }
        }
    }

    fn agree_once<T: PartialEq>(
        &self,
        what: &'static str,
        ask: &impl Fn(&Rpc) -> Result<T, RpcError>,
    ) -> Result<T, SettleError> {
        if self.servers.len() < WITNESSES {
            return self.first(ask);
        }
        let (mut answers, mut servers, mut last) = (Vec::new(), Vec::new(), None);
        for server in &self.servers {
            match ask(server) {
                Ok(answer) if answers.contains(&answer) => return Ok(answer),
                Ok(answer) => {
                    answers.push(answer);
                    servers.push(server.name().to_owned());
                }
                Err(error) => last = Some(error),
            }
        }
        match (answers.len(), last) {
            (0, Some(error)) => Err(error.into()),
            (1, Some(error)) => Err(SettleError::OneWitness(Box::new(error))),
            _ => Err(SettleError::Disagree { what, servers }),
        }
    }
}

/// What became of a transaction on its way to the servers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Delivery {
    /// A server has it.
    Taken,
    /// It arrived nowhere, for this reason.
    Refused(String),
    /// Nobody knows; looking will tell.
    Unsure,
}

fn servers(network: &Network, patience: Patience) -> Result<Vec<Rpc>, RpcError> {
    network.rpc.iter().map(|url| Rpc::new(url, patience)).collect()
}

/// A network has at least one server, so this is never said.
fn none() -> SettleError {
    SettleError::Disagree { what: "anything", servers: Vec::new() }
}

fn missing_block() -> RpcFault {
    RpcFault::Field { what: "the latest block", expected: "there", got: "nothing".into() }
}

/// Programs say it each in their own way.
fn is_known_already(fault: &RpcFault) -> bool {
    let RpcFault::Refused { message, .. } = fault else { return false };
    let message = message.to_ascii_lowercase();
    ["already known", "already imported", "alreadyknown", "known transaction"]
        .iter()
        .any(|words| message.contains(words))
}
