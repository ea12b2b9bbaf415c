//! Whether a network file is true: all of it is asked of its servers before anything is signed.
//!
//! A file that names two or more servers needs two that confirm it whole; with one, the report says that
//! its operator is trusted. What a server says of itself it can invent, so a second one is the only
//! witness; the hashes keep a true chain with a false contract out.

use crate::abi::{Erc20, Vault};
use crate::eth::At;
use crate::network::{Network, TokenEntry};
use crate::rpc::{Rpc, RpcError, cleaned};
use alloy_primitives::{Address, B256};
use piecework_pay::Domain;

/// Servers that have to confirm a file which names more than one.
const WITNESSES: usize = 2;

/// Why a server does not confirm a network file.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckFault {
    /// It could not be asked, or answered nonsense.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// Another chain.
    #[error(
        "{server} serves chain {got}, the network file is of chain {expected}: use its own servers"
    )]
    ChainId {
        /// Which server.
        server: String,
        /// The file's number.
        expected: u64,
        /// Its number.
        got: u64,
    },
    /// A chain of the same number that began otherwise: wiped and made anew, or a copy.
    #[error(
        "{server} serves a chain that began with block {got}, the network file's with {expected}: the \
         chain was made anew; ask its operator for the new file, and forget this network in the wallet"
    )]
    Genesis {
        /// Which server.
        server: String,
        /// The file's hash.
        expected: B256,
        /// Its hash.
        got: B256,
    },
    /// Nothing at the address.
    #[error(
        "{server} has no {contract} at {address}: it may not have caught up with the chain yet, or the \
         network file is of another one"
    )]
    NoContract {
        /// Which server.
        server: String,
        /// Which contract.
        contract: &'static str,
        /// Where it should be.
        address: Address,
    },
    /// Another contract at the address.
    #[error(
        "the {contract} at {address} has other code ({got}) than the network file says ({expected}), says \
         {server}: do not use this network; ask whoever gave you the file"
    )]
    CodeHash {
        /// Which server.
        server: String,
        /// Which contract.
        contract: &'static str,
        /// Where it is.
        address: Address,
        /// The file's hash.
        expected: B256,
        /// The hash of what is there.
        got: B256,
    },
    /// The Vault signs for another chain or contract.
    #[error(
        "the Vault takes signatures for another chain or contract ({got} instead of {expected}), says \
         {server}: nothing signed for this network would be paid; do not use it"
    )]
    Separator {
        /// Which server.
        server: String,
        /// What we sign with.
        expected: B256,
        /// What it answers.
        got: B256,
    },
    /// A token that says something else of itself than the file: amounts would be shown wrongly.
    #[error(
        "token {address} has {what} {got}, the network file says {expected}, says {server}: amounts would \
         be shown wrongly; correct the file or leave the token out"
    )]
    Token {
        /// Which server.
        server: String,
        /// Which token.
        address: Address,
        /// Name, symbol or decimals.
        what: &'static str,
        /// The file's.
        expected: String,
        /// Its own.
        got: String,
    },
    /// Fewer servers than needed confirm the file.
    #[error(
        "{agreed} of the {WITNESSES} servers that are needed confirm the network file; {}", list(.failed)
    )]
    TooFew {
        /// How many do.
        agreed: usize,
        /// What the others said.
        failed: Vec<Self>,
    },
}

/// Whom a checked network rests on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trust {
    /// One operator, who can invent all it says.
    OneOperator {
        /// Its server.
        server: String,
    },
    /// Several that say the same.
    Witnesses {
        /// Their servers.
        servers: Vec<String>,
    },
}

/// What came of a check that succeeded.
#[derive(Debug)]
pub struct Checked {
    /// Whom it rests on.
    pub trust: Trust,
    /// Why other servers of the file do not confirm it, if some do not.
    pub failed: Vec<CheckFault>,
}

/// Asks every server whether the file is true: the chain's number and first block, the code of its
/// contracts, the domain that the Vault takes signatures for, and what the tokens say of themselves.
///
/// # Errors
/// With one server its fault; with more, when fewer than two confirm the whole file. A contradiction
/// between servers that both answer is an error even if two others agree: one of them lies.
pub fn check(network: &Network, servers: &[Rpc]) -> Result<Checked, CheckFault> {
    if let [server] = servers {
        ask(network, server)?;
        let trust = Trust::OneOperator { server: server.name().to_owned() };
        return Ok(Checked { trust, failed: Vec::new() });
    }
    let (mut agreed, mut failed) = (Vec::new(), Vec::new());
    for server in servers {
        match ask(network, server) {
            Ok(()) => agreed.push(server.name().to_owned()),
            Err(fault) => failed.push(fault),
        }
    }
    let contradicts = failed.iter().position(|fault| !matches!(fault, CheckFault::Rpc(_)));
    match contradicts {
        Some(at) if !agreed.is_empty() => Err(failed.swap_remove(at)),
        _ if agreed.len() < WITNESSES => Err(CheckFault::TooFew { agreed: agreed.len(), failed }),
        _ => Ok(Checked { trust: Trust::Witnesses { servers: agreed }, failed }),
    }
}

/// One server's word.
fn ask(network: &Network, rpc: &Rpc) -> Result<(), CheckFault> {
    let server = || rpc.name().to_owned();
    let (expected, got) = (network.chain_id, rpc.chain_id()?);
    if got != expected {
        return Err(CheckFault::ChainId { server: server(), expected, got });
    }
    let (expected, first) = (network.genesis, rpc.block(At::Block(0))?);
    let got = first.map(|block| block.hash).unwrap_or_default();
    if got != expected {
        return Err(CheckFault::Genesis { server: server(), expected, got });
    }
    let contracts = [("Vault", network.vault), ("Assets", network.assets)];
    for (name, contract) in contracts {
        code(rpc, name, contract.address, contract.code_hash)?;
    }
    let vault = network.vault.address;
    let domain = Domain { chain_id: network.chain_id, verifying_contract: vault };
    let expected = domain.separator();
    let got = rpc.read(vault, &Vault::DOMAIN_SEPARATORCall {}, At::Latest)?;
    if got != expected {
        return Err(CheckFault::Separator { server: server(), expected, got });
    }
    network.tokens.iter().try_for_each(|it| token(rpc, it))
}

fn code(
    rpc: &Rpc,
    contract: &'static str,
    address: Address,
    expected: B256,
) -> Result<(), CheckFault> {
    let server = rpc.name().to_owned();
    match rpc.code_hash(address, At::Latest)? {
        None => Err(CheckFault::NoContract { server, contract, address }),
        Some(got) if got != expected => {
            Err(CheckFault::CodeHash { server, contract, address, expected, got })
        }
        Some(_) => Ok(()),
    }
}

fn token(rpc: &Rpc, entry: &TokenEntry) -> Result<(), CheckFault> {
    let address = entry.address;
    code(rpc, "token", address, entry.code_hash)?;
    let says = |what, expected: &str, got: &str| {
        if got == expected {
            return Ok(());
        }
        let (server, expected) = (rpc.name().to_owned(), expected.to_owned());
        Err(CheckFault::Token { server, address, what, expected, got: cleaned(got, 64) })
    };
    let decimals = rpc.read(address, &Erc20::decimalsCall {}, At::Latest)?;
    says("decimals", &entry.decimals.to_string(), &decimals.to_string())?;
    says("symbol", &entry.symbol, &rpc.read(address, &Erc20::symbolCall {}, At::Latest)?)?;
    says("name", &entry.name, &rpc.read(address, &Erc20::nameCall {}, At::Latest)?)
}

fn list(failed: &[CheckFault]) -> String {
    failed.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
