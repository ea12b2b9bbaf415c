//! What came into an account and left it, from the token's own logs.

use crate::abi::Erc20;
use crate::client::Client;
use crate::error::SettleError;
use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolEvent;
use std::collections::BTreeMap;

/// An amount of a token that moved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Movement {
    /// Whose it was; 0 for what was made then.
    pub from: Address,
    /// Whose it became.
    pub to: Address,
    /// How much, smallest units.
    pub amount: U256,
    /// The block's height.
    pub block: u64,
    /// The transaction.
    pub transaction: B256,
}

impl Client {
    /// What an account sent and got of a token between two blocks, both included, in the chain's order.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same, or there is too much of it.
    pub fn history(
        &self,
        token: Address,
        account: Address,
        blocks: (u64, u64),
    ) -> Result<Vec<Movement>, SettleError> {
        let events = [Erc20::Transfer::SIGNATURE_HASH];
        let its = Some(account.into_word());
        let sent = self.logs(token, &events, &[its], blocks)?;
        let got = self.logs(token, &events, &[None, its], blocks)?;
        // What an account sends to itself is in both.
        let all = sent.into_iter().chain(got).map(|log| ((log.block, log.index), log));
        let all: BTreeMap<_, _> = all.collect();
        let read = all.into_values().filter_map(|log| {
            let topics = log.topics.iter().copied();
            let transfer = Erc20::Transfer::decode_raw_log(topics, &log.data).ok()?;
            let Erc20::Transfer { from, to, value } = transfer;
            let (block, transaction) = (log.block, log.transaction);
            Some(Movement { from, to, amount: value, block, transaction })
        });
        Ok(read.collect())
    }
}
