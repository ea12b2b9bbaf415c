//! Tokens and the chain's coin: what they call themselves, who has how much, sending and issuing.
//!
//! Every operation is a [`Plan`] first. An issued token of `Assets` is used through its own contract, which
//! is an ERC-20 token like any other.

use crate::abi::{Assets, Erc20};
use crate::amount::{DECIMALS_MAX, format_amount};
use crate::client::Client;
use crate::error::SettleError;
use crate::network::{COIN_DECIMALS, NAME_CHARS_MAX, TokenEntry};
use crate::plan::{Call, Plan};
use crate::receipt::Receipt;
use crate::rpc::{RpcFault, cleaned};
use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, SolEvent};

mod history;

pub use history::Movement;

/// Tokens listed at once at most.
pub const LISTED_MAX: u64 = 256;

/// Gas that any transfer or permission of a usual token stays under.
const TRANSFER_GAS_MOST: u64 = 150_000;

/// Gas that issuing stays under.
const ISSUE_GAS_MOST: u64 = 600_000;

/// A token that was made with `Assets`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issued {
    /// Its number, from 1.
    pub id: U256,
    /// Who made it and got the whole supply.
    pub issuer: Address,
    /// The token.
    pub token: TokenEntry,
}

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its name, 1 to 64 bytes.
    pub name: String,
    /// Its short name, 1 to 16 bytes.
    pub symbol: String,
    /// Digits behind the point, at most 18.
    pub decimals: u8,
    /// How much there will ever be, smallest units, above 0.
    pub supply: u128,
}

impl Client {
    /// What a token says of itself; the network file's words where it is listed there. Words of others are
    /// shortened and cleaned.
    ///
    /// # Errors
    /// When there is no token at the address, or none whose amounts can be shown.
    pub fn token(&self, address: Address) -> Result<TokenEntry, SettleError> {
        if let Some(entry) = self.network().token(address) {
            return Ok(entry.clone());
        }
        let code_hash = self.code_hash(address)?.ok_or(SettleError::NoToken(address))?;
        let decimals = match self.newest(address, &Erc20::decimalsCall {}) {
            Err(SettleError::Rpc(error)) if is_other_contract(&error.fault) => {
                return Err(SettleError::NoToken(address));
            }
            told => told?,
        };
        if decimals > DECIMALS_MAX {
            return Err(crate::AmountFault::Decimals { got: decimals }.into());
        }
        let words = |text: &str| cleaned(text, NAME_CHARS_MAX);
        let name = words(&self.newest(address, &Erc20::nameCall {})?);
        let symbol = words(&self.newest(address, &Erc20::symbolCall {})?);
        Ok(TokenEntry { address, code_hash, name, symbol, decimals })
    }

    /// How much of a token an account has, smallest units.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same.
    pub fn balance(&self, token: Address, owner: Address) -> Result<U256, SettleError> {
        self.newest(token, &Erc20::balanceOfCall { owner })
    }

    /// Tokens made with `Assets`, the newest last, at most [`LISTED_MAX`] from number `first` on.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same.
    pub fn issued(&self, first: u64) -> Result<Vec<Issued>, SettleError> {
        let assets = self.network().assets.address;
        let count = self.newest(assets, &Assets::countCall {})?.saturating_to::<u64>();
        let last = count.min(first.max(1).saturating_add(LISTED_MAX - 1));
        (first.max(1)..=last).map(|id| self.issued_one(U256::from(id))).collect()
    }

    fn issued_one(&self, id: U256) -> Result<Issued, SettleError> {
        let assets = self.network().assets.address;
        let issuer = self.newest(assets, &Assets::issuerCall { id })?;
        let token = self.token(self.newest(assets, &Assets::faceOfCall { id })?)?;
        Ok(Issued { id, issuer, token })
    }

    /// Makes a token; its whole supply goes to `from`.
    ///
    /// # Errors
    /// When `Assets` would refuse it, or the fee cannot be paid.
    pub fn issue(&self, from: Address, token: &NewToken) -> Result<Plan, SettleError> {
        let supply = format_amount(U256::from(token.supply), token.decimals);
        let what = format!("issue {supply} {} ({}) to {from}", token.symbol, token.name);
        let NewToken { name, symbol, .. } = token.clone();
        let call =
            Assets::issueCall { name, symbol, decimals: token.decimals, supply: token.supply };
        self.plan(
            from,
            vec![contract_call(what, self.network().assets.address, &call, ISSUE_GAS_MOST)],
        )
    }

    /// The token that a transaction has made.
    ///
    /// # Errors
    /// When it made none, or the servers do not tell.
    pub fn issued_in(&self, receipt: &Receipt) -> Result<Option<Issued>, SettleError> {
        let assets = self.network().assets.address;
        let logs = receipt.logs.iter().filter(|log| log.address == assets);
        let id = logs
            .filter_map(|log| {
                Assets::Issued::decode_raw_log(log.topics.iter().copied(), &log.data).ok()
            })
            .map(|issued| issued.id)
            .next();
        id.map(|id| self.issued_one(id)).transpose()
    }

    /// Sends a token.
    ///
    /// # Errors
    /// When there is too little of it or of the coin, or the token would refuse.
    pub fn send_token(
        &self,
        from: Address,
        token: &TokenEntry,
        (to, amount): (Address, u128),
    ) -> Result<Plan, SettleError> {
        self.demand_token(from, token, amount, "your account")?;
        let whole = format_amount(U256::from(amount), token.decimals);
        let what = format!("send {whole} {} to {to}", token.symbol);
        demand_receiver(&what, to, &[token.address, self.network().vault.address])?;
        let call = Erc20::transferCall { to, value: U256::from(amount) };
        self.plan(from, vec![contract_call(what, token.address, &call, TRANSFER_GAS_MOST)])
    }

    /// How much of a token came to an account by a transaction, as the token tells: less than was sent, if it
    /// keeps a part.
    #[must_use]
    pub fn arrived(&self, receipt: &Receipt, token: Address, whom: Address) -> U256 {
        let logs = receipt.logs.iter().filter(|log| log.address == token);
        let told = logs.filter_map(|log| {
            Erc20::Transfer::decode_raw_log(log.topics.iter().copied(), &log.data).ok()
        });
        let amounts = told.filter(|it| it.to == whom).map(|it| it.value);
        amounts.fold(U256::ZERO, U256::saturating_add)
    }

    /// Sends of the chain's coin, wei.
    ///
    /// # Errors
    /// When there is too little of it for the amount and the fee.
    pub fn send_coin(&self, from: Address, to: Address, amount: u128) -> Result<Plan, SettleError> {
        let value = U256::from(amount);
        let whole = format_amount(value, COIN_DECIMALS);
        let what = format!("send {whole} {} to {to}", self.network().coin.symbol);
        demand_receiver(&what, to, &[self.network().vault.address])?;
        let (data, gas_most) = (Bytes::new(), TRANSFER_GAS_MOST);
        self.plan(from, vec![Call { what, to: Some(to), value, data, gas_most }])
    }

    /// The calls that let the Vault take `amount` of a token: none where it may already. A permission that is
    /// there and too small is taken back first, for some tokens refuse to change one.
    pub(crate) fn permit(
        &self,
        from: Address,
        token: &TokenEntry,
        amount: u128,
    ) -> Result<Vec<Call>, SettleError> {
        let spender = self.network().vault.address;
        let allowed = self.newest(token.address, &Erc20::allowanceCall { owner: from, spender })?;
        let approve = |value: u128| {
            let whole = format_amount(U256::from(value), token.decimals);
            let what = format!("let the vault {spender} take {whole} {}", token.symbol);
            let call = Erc20::approveCall { spender, value: U256::from(value) };
            contract_call(what, token.address, &call, TRANSFER_GAS_MOST)
        };
        Ok(match allowed {
            allowed if allowed >= U256::from(amount) => vec![],
            U256::ZERO => vec![approve(amount)],
            _ => vec![approve(0), approve(amount)],
        })
    }

    /// That an account has so much of a token.
    pub(crate) fn demand_token(
        &self,
        owner: Address,
        token: &TokenEntry,
        needed: u128,
        what: &'static str,
    ) -> Result<(), SettleError> {
        let have = self.balance(token.address, owner)?;
        if have >= U256::from(needed) {
            return Ok(());
        }
        Err(too_little(what, token, (U256::from(needed), have)))
    }
}

pub(crate) fn too_little(
    what: &'static str,
    token: &TokenEntry,
    (needed, have): (U256, U256),
) -> SettleError {
    let whole = |amount| format_amount(amount, token.decimals);
    let (needed, have) = (whole(needed), whole(have));
    SettleError::TooLittle { what, symbol: token.symbol.clone(), needed, have }
}

/// A call of a contract that takes no coin.
pub(crate) fn contract_call(what: String, to: Address, call: &impl SolCall, gas_most: u64) -> Call {
    let data = call.abi_encode().into();
    Call { what, to: Some(to), value: U256::ZERO, data, gas_most }
}

/// What is sent to a contract by mistake stays there for good.
fn demand_receiver(what: &str, to: Address, contracts: &[Address]) -> Result<(), SettleError> {
    if to != Address::ZERO && !contracts.contains(&to) {
        return Ok(());
    }
    let reason = "nobody could ever send it on from there; name an account".to_owned();
    Err(SettleError::Refused { what: what.to_owned(), reason })
}

/// What a contract answers that has no such function: nothing, something else, or a refusal.
fn is_other_contract(fault: &RpcFault) -> bool {
    matches!(fault, RpcFault::Field { .. } | RpcFault::Refused { .. })
}
