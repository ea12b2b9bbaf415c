//! The contracts that come with us, and a genesis that begins with them.
//!
//! Owns: their creation code, as `contracts/artifacts` has it, and the order in which a genesis makes them.
//! Must not know: what they do; that is written in Solidity.

use crate::genesis::{Genesis, GenesisCall, created_at};
use alloy_primitives::{Address, Bytes, U256, hex, keccak256};
use alloy_sol_types::SolValue as _;
use serde_json::Value;

/// A contract of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Contract {
    /// Holds deposits and bonds, and cashes cheques.
    Vault,
    /// Issues tokens that have no code of their own.
    Assets,
    /// The template of a token with code of its own; its constructor takes (name, symbol, decimals, supply,
    /// owner).
    Token,
    /// The coin as a token; its constructor takes (name, symbol).
    Wrapped,
}

/// Where a genesis puts its contracts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FirstContracts {
    /// [`Contract::Vault`].
    pub vault: Address,
    /// [`Contract::Assets`].
    pub assets: Address,
    /// [`Contract::Wrapped`].
    pub wrapped: Address,
}

/// An asset to issue at genesis.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FirstAsset {
    /// Who issues it and owns all of it.
    pub owner: Address,
    /// Its name.
    pub name: String,
    /// Its short name.
    pub symbol: String,
    /// Digits behind the point of a whole one.
    pub decimals: u8,
    /// How much there is for ever, in its smallest unit.
    pub supply: u128,
}

impl Contract {
    /// What creates it; arguments of a constructor, ABI-encoded, are to be put behind.
    pub fn creation_code(self) -> Bytes {
        let artifact = match self {
            Self::Vault => include_str!("../../../contracts/artifacts/Vault.json"),
            Self::Assets => include_str!("../../../contracts/artifacts/Assets.json"),
            Self::Token => include_str!("../../../contracts/artifacts/Token.json"),
            Self::Wrapped => include_str!("../../../contracts/artifacts/Wrapped.json"),
        };
        let artifact: Value = serde_json::from_str(artifact).expect("artifacts are checked in");
        let code = artifact["bytecode"].as_str().expect("an artifact has code");
        hex::decode(code).expect("code is in hex").into()
    }
}

/// The code of each first contract, in the order in which they are made.
fn first_codes() -> [Bytes; 3] {
    let arguments = ("Wrapped coin".to_owned(), "WCOIN".to_owned()).abi_encode_params();
    let wrapped = [&Contract::Wrapped.creation_code()[..], &arguments].concat().into();
    [Contract::Vault.creation_code(), Contract::Assets.creation_code(), wrapped]
}

impl Genesis {
    /// Where [`Self::with_contracts`] puts them: it follows from the salt, so no two chains agree on an
    /// address and what was signed for one Vault is worth nothing to another.
    pub fn first_contracts(&self) -> FirstContracts {
        let [vault, assets, wrapped] = first_codes().map(|code| created_at(self.salt, &code));
        FirstContracts { vault, assets, wrapped }
    }

    /// Makes Vault, Assets and Wrapped.
    #[must_use]
    pub fn with_contracts(mut self) -> Self {
        let salt = self.salt;
        self.calls.extend(first_codes().map(|code| GenesisCall::create(salt, &code)));
        self
    }

    /// Issues an asset, after [`Self::with_contracts`]; the first has id 1. Genesis has no receipts: what the
    /// contract says of it is in no log.
    #[must_use]
    pub fn with_asset(mut self, asset: &FirstAsset) -> Self {
        let arguments = (
            asset.name.clone(),
            asset.symbol.clone(),
            U256::from(asset.decimals),
            U256::from(asset.supply),
        );
        let selector = &keccak256("issue(string,string,uint8,uint128)")[..4];
        let data = [selector, &arguments.abi_encode_params()].concat().into();
        let to = self.first_contracts().assets;
        self.calls.push(GenesisCall { from: asset.owner, to, value: U256::ZERO, data });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{CallRequest, call};
    use crate::execute::Outcome;
    use crate::state::StateRead as _;
    use crate::testing::{Bare, address, genesis};

    fn asked(chain: &Bare, to: Address, signature: &str, arguments: &[u8]) -> Bytes {
        let data = [&keccak256(signature)[..4], arguments].concat().into();
        let request = CallRequest { to: Some(to), data, ..CallRequest::default() };
        let block = chain.head.next_context(&chain.rules, 0);
        let done = call(&chain.rules, block, &chain.state, &request).unwrap();
        let Outcome::Success { output, .. } = done.outcome else {
            panic!("{signature} gives {:?}", done.outcome);
        };
        output
    }

    #[test]
    fn a_chain_begins_with_its_contracts_and_an_asset_that_belongs_to_the_owner() {
        let owner = address(0);
        let (name, symbol) = ("First".to_owned(), "ONE".to_owned());
        let asset = FirstAsset { owner, name, symbol, decimals: 6, supply: 1_000_000_000 };
        let genesis = genesis().with_contracts().with_asset(&asset);
        let chain = Bare::new(&genesis);
        let FirstContracts { vault, assets, wrapped } = genesis.first_contracts();
        for contract in [vault, assets, wrapped] {
            let account = chain.state.account(contract).unwrap().unwrap();
            assert!(chain.state.code(account.code_hash).unwrap().original_bytes().len() > 1000);
        }
        let (id, supply) = (U256::from(1), U256::from(1_000_000_000).abi_encode());
        let mine = (owner, id).abi_encode_params();
        assert_eq!(asked(&chain, assets, "balanceOf(address,uint256)", &mine), supply);
        let face = asked(&chain, assets, "faceOf(uint256)", &id.abi_encode());
        let face = Address::from_slice(&face[12..]);
        assert_eq!(asked(&chain, face, "balanceOf(address)", &owner.abi_encode()), supply);
        assert_eq!(asked(&chain, face, "symbol()", &[]), "ONE".to_owned().abi_encode());
        // The owner's first transaction still has nonce 0, and its coin is untouched.
        assert_eq!(chain.nonce(owner), 0);
        assert_eq!(chain.balance(owner), crate::testing::coin(100));
    }

    #[test]
    fn another_salt_moves_every_contract() {
        let (one, mut other) = (genesis(), genesis());
        other.salt = keccak256("another");
        assert_ne!(one.first_contracts().vault, other.first_contracts().vault);
        assert_ne!(one.first_contracts().assets, other.first_contracts().assets);
    }
}
