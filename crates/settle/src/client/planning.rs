//! From calls to a plan: gas estimated, price asked, coin counted.

use super::Client;
use crate::amount::format_amount;
use crate::error::SettleError;
use crate::fees::{Fees, PRICE_MAX};
use crate::network::COIN_DECIMALS;
use crate::plan::{Call, Plan, Step};
use crate::reason::reason;
use crate::rpc::RpcFault;
use alloy_primitives::{Address, Bytes, U256};
use serde_json::{Value, json};

/// Gas of one transaction at most (EIP-7825).
pub const GAS_MAX: u64 = 1 << 24;

/// Transactions in one plan at most.
pub const STEPS_MAX: usize = 64;

/// More gas than estimated, in percent: state can change before the transaction comes to its turn.
const GAS_MARGIN_PERCENT: u64 = 20;

/// What a plain transfer of coin takes; there is nothing to estimate wrongly.
const TRANSFER_GAS: u64 = 21_000;

impl Client {
    /// Prices calls of an account. Only the first has to succeed as things stand: a later one may need it.
    ///
    /// # Errors
    /// When a contract would refuse the first call, one takes more gas than a transaction may, or the
    /// account has too little coin for all of them.
    pub fn plan(&self, from: Address, calls: Vec<Call>) -> Result<Plan, SettleError> {
        if calls.len() > STEPS_MAX {
            return Err(SettleError::TooManySent { most: STEPS_MAX });
        }
        let values = calls.iter().fold(U256::ZERO, |sum, call| sum.saturating_add(call.value));
        // First, for what a server says to an account that cannot pay differs from program to program.
        let have = self.coin(from)?;
        self.demand_coin(from, (have, values))?;
        let fees = self.fees()?;
        let mut steps = Vec::with_capacity(calls.len());
        for call in calls {
            let gas = match self.gas(from, &call) {
                Ok(gas) => gas,
                Err(SettleError::Refused { .. }) if !steps.is_empty() => call.gas_most.min(GAS_MAX),
                Err(error) => return Err(error),
            };
            let fee_most = fees.with_room(gas);
            steps.push(Step { call, gas, fee_most });
        }
        let plan = Plan { from, steps, fees };
        self.demand_coin(from, (have, plan.coin_most()))?;
        Ok(plan)
    }

    fn demand_coin(
        &self,
        account: Address,
        (have, needed): (U256, U256),
    ) -> Result<(), SettleError> {
        if have >= needed {
            return Ok(());
        }
        let whole = |amount| format_amount(amount, COIN_DECIMALS);
        let coin = self.network().coin.symbol.clone();
        let (needed, have) = (whole(needed), whole(have));
        Err(SettleError::Coin { account, coin, needed, have })
    }

    /// What gas costs now.
    ///
    /// # Errors
    /// When no server tells, or a price beyond any chain's.
    pub fn fees(&self) -> Result<Fees, SettleError> {
        let price = |method| self.first(|server| server.ask(method, &json!([]), |it| it.u128()));
        let fees = match self.latest()?.base_fee {
            None => Fees::Legacy { price: price("eth_gasPrice")? },
            Some(base) => {
                // Not every program knows the method; without a tip a transaction waits at worst.
                let tip = match price("eth_maxPriorityFeePerGas") {
                    Err(SettleError::Rpc(error)) if is_refusal(&error.fault) => 0,
                    tip => tip?,
                };
                Fees::market(base, tip)
            }
        };
        if fees.most() > PRICE_MAX {
            let server = self.servers[0].name().to_owned();
            return Err(SettleError::Price { server, price: fees.most() });
        }
        Ok(fees)
    }

    /// The gas of a call with its margin.
    pub(crate) fn gas(&self, from: Address, call: &Call) -> Result<u64, SettleError> {
        let params = json!([transaction(from, call)]);
        let asked = self.first(|server| server.ask("eth_estimateGas", &params, |it| it.u64()));
        let estimate = asked.map_err(|error| refused(error, &call.what))?;
        if call.data.is_empty() && estimate == TRANSFER_GAS {
            return Ok(estimate);
        }
        let gas = estimate.saturating_add(estimate / 100 * GAS_MARGIN_PERCENT);
        if estimate > GAS_MAX {
            return Err(SettleError::Gas { what: call.what.clone(), gas: estimate, most: GAS_MAX });
        }
        Ok(gas.min(GAS_MAX))
    }

    /// Why a call fails after block `height`, if it does and the contract says.
    pub(crate) fn why(&self, from: Address, call: &Call, height: u64) -> Option<String> {
        let params = json!([transaction(from, call), crate::eth::quantity(height)]);
        let asked = self.first(|server| server.ask("eth_call", &params, |it| it.bytes()));
        match refused(asked.err()?, &call.what) {
            SettleError::Refused { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

fn transaction(from: Address, call: &Call) -> Value {
    let mut transaction = json!({ "from": from, "data": call.data });
    if let Some(to) = call.to {
        transaction["to"] = json!(to);
    }
    if call.value != U256::ZERO {
        transaction["value"] = json!(format!("{:#x}", call.value));
    }
    transaction
}

fn is_refusal(fault: &RpcFault) -> bool {
    matches!(fault, RpcFault::Refused { .. })
}

/// A refusal in the contract's words.
fn refused(error: SettleError, what: &str) -> SettleError {
    let SettleError::Rpc(rpc) = &error else { return error };
    let RpcFault::Refused { message, data, .. } = &rpc.fault else { return error };
    let told = data.as_ref().and_then(|data: &Bytes| reason(data));
    SettleError::Refused { what: what.to_owned(), reason: told.unwrap_or_else(|| message.clone()) }
}
