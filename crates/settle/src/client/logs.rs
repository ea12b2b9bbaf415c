//! Finding what contracts said, in stretches of blocks that servers answer.

use super::Client;
use crate::error::SettleError;
use crate::eth::quantity;
use crate::receipt::Log;
use crate::rpc::RpcFault;
use alloy_primitives::{Address, B256};
use serde_json::{Value, json};

/// Blocks asked for at once; several operators allow no more. Halved where one refuses or says too much.
pub const LOG_BLOCKS: u64 = 10_000;

/// Logs of one search at most; more are an error, not a part of the truth.
const FOUND_MAX: usize = 100_000;

impl Client {
    /// Logs of `address` from block `from` to block `to`, both included, in the chain's order. `topics` are
    /// those of Ethereum's filters: for each place one value or none for any; the first place takes several.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same, or there are over 100,000.
    pub fn logs(
        &self,
        address: Address,
        events: &[B256],
        indexed: &[Option<B256>],
        (from, to): (u64, u64),
    ) -> Result<Vec<Log>, SettleError> {
        let mut topics = vec![json!(events)];
        topics.extend(indexed.iter().map(|topic| json!(topic)));
        let (mut found, mut at, mut span) = (Vec::new(), from, LOG_BLOCKS);
        while at <= to {
            let until = to.min(at.saturating_add(span - 1));
            match self.logs_between(&filter(address, &topics, at, until)) {
                Ok(logs) => {
                    self.demand_asked_for(&logs, address, events, (at, until))?;
                    found.extend(logs);
                    at = until.saturating_add(1);
                }
                Err(SettleError::Rpc(error)) if span > 1 && is_too_much(&error.fault) => span /= 2,
                Err(error) => return Err(error),
            }
            if found.len() > FOUND_MAX {
                let fault = RpcFault::TooLong { most_bytes: FOUND_MAX };
                return Err(self.servers[0].error("eth_getLogs", fault).into());
            }
            if until == u64::MAX {
                break;
            }
        }
        found.sort_by_key(|log| (log.block, log.index));
        Ok(found)
    }

    /// A server that answers other logs than were asked for lies or ignores filters.
    fn demand_asked_for(
        &self,
        logs: &[Log],
        address: Address,
        events: &[B256],
        (from, to): (u64, u64),
    ) -> Result<(), SettleError> {
        let is_asked_for = |log: &Log| {
            let is_event = log.topics.first().is_some_and(|topic| events.contains(topic));
            log.address == address && is_event && (from..=to).contains(&log.block)
        };
        let Some(other) = logs.iter().find(|log| !is_asked_for(log)) else { return Ok(()) };
        let got = format!("one of {} in block {}", other.address, other.block);
        let fault = RpcFault::Field { what: "a log", expected: "one that was asked for", got };
        Err(self.servers[0].error("eth_getLogs", fault).into())
    }
}

fn filter(address: Address, topics: &[Value], from: u64, to: u64) -> Value {
    json!({
        "address": address,
        "fromBlock": quantity(from),
        "toBlock": quantity(to),
        "topics": topics,
    })
}

/// Whether fewer blocks may help.
fn is_too_much(fault: &RpcFault) -> bool {
    matches!(
        fault,
        RpcFault::TooLong { .. }
            | RpcFault::Timeout { .. }
            | RpcFault::Refused { .. }
            | RpcFault::Status { status: 400 | 413 }
    )
}
