//! What will be done, before it is: a list of transactions with all that they can cost.

use crate::fees::Fees;
use alloy_primitives::{Address, Bytes, U256};

/// A transaction before its price is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Call {
    /// What it does, for a person: verb, amount, whom.
    pub what: String,
    /// The account or contract; none makes a contract.
    pub to: Option<Address>,
    /// Of the chain's coin, wei.
    pub value: U256,
    /// What the contract is told.
    pub data: Bytes,
    /// Gas that suffices when it cannot be estimated yet, because an earlier transaction has to come first.
    pub gas_most: u64,
}

/// A transaction with its gas.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// What is called.
    pub call: Call,
    /// Gas at most.
    pub gas: u64,
    /// The fee at most, wei, with room for a higher price should it have to be sent again.
    pub fee_most: U256,
}

/// Transactions of one account, in their order. Nothing is signed yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// Whose.
    pub from: Address,
    /// One after the other; each waits for the one before.
    pub steps: Vec<Step>,
    /// The price of gas.
    pub fees: Fees,
}

impl Plan {
    /// All fees at most, wei.
    #[must_use]
    pub fn fee_most(&self) -> U256 {
        self.steps.iter().fold(U256::ZERO, |sum, step| sum.saturating_add(step.fee_most))
    }

    /// All that the account can lose of the chain's coin, wei.
    #[must_use]
    pub fn coin_most(&self) -> U256 {
        let value = |sum: U256, step: &Step| sum.saturating_add(step.call.value);
        self.steps.iter().fold(self.fee_most(), value)
    }
}
