//! Finding what contracts said, in stretches of blocks that servers answer.

use super::Client;
use crate::error::SettleError;
use crate::eth::quantity;
use crate::receipt::Log;
use crate::rpc::RpcFault;
use alloy_primitives::{Address, B256, U256};
use serde_json::{Value, json};

/// Blocks asked for at once; several operators allow no more. Halved where one refuses or says too much.
pub const LOG_BLOCKS: u64 = 10_000;

/// Stretches of one search at most: a thousand million blocks, of what a server gives at once at best.
const STRETCHES_MAX: u64 = 100_000;

/// Logs of one search at most; more are an error, not a part of the truth.
const FOUND_MAX: usize = 100_000;

impl Client {
    /// Logs of `address` from block `from` to block `to`, both included, in the chain's order. `topics` are
    /// those of Ethereum's filters: for each place one value or none for any; the first place takes several.
    ///
    /// # Errors
    /// When the servers do not tell, or not the same, there are over 100,000, or too many blocks.
    pub fn logs(
        &self,
        address: Address,
        events: &[B256],
        indexed: &[Option<B256>],
        (from, to): (u64, u64),
    ) -> Result<Vec<Log>, SettleError> {
        let wanted = Wanted { address, events, indexed };
        let (mut found, mut at, mut span) = (Vec::new(), from, LOG_BLOCKS);
        while at <= to {
            // A server that names a height which no chain has would be asked for years.
            if (to - at) / span > STRETCHES_MAX {
                let most = U256::from(STRETCHES_MAX) * U256::from(span);
                return Err(SettleError::TooLarge { what: "the number of blocks to search", most });
            }
            let until = to.min(at.saturating_add(span - 1));
            match self.logs_between(&wanted.filter(at, until)) {
                Ok(logs) => {
                    self.demand_asked_for(&logs, &wanted, (at, until))?;
                    found.extend(logs);
                    at = until.saturating_add(1);
                    if let Some(told) = &self.searched {
                        told(at - from, to.saturating_sub(from).saturating_add(1));
                    }
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
        wanted: &Wanted<'_>,
        (from, to): (u64, u64),
    ) -> Result<(), SettleError> {
        let is_asked_for = |log: &Log| wanted.is_met(log) && (from..=to).contains(&log.block);
        let Some(other) = logs.iter().find(|log| !is_asked_for(log)) else { return Ok(()) };
        let got = format!("one of {} in block {}", other.address, other.block);
        let fault = RpcFault::Field { what: "a log", expected: "one that was asked for", got };
        Err(self.servers[0].error("eth_getLogs", fault).into())
    }
}

/// Whose logs, of which events, with which indexed fields.
struct Wanted<'a> {
    address: Address,
    events: &'a [B256],
    indexed: &'a [Option<B256>],
}

impl Wanted<'_> {
    fn filter(&self, from: u64, to: u64) -> Value {
        let mut topics = vec![json!(self.events)];
        topics.extend(self.indexed.iter().map(|topic| json!(topic)));
        json!({
            "address": self.address,
            "fromBlock": quantity(from),
            "toBlock": quantity(to),
            "topics": topics,
        })
    }

    fn is_met(&self, log: &Log) -> bool {
        let Some((event, fields)) = log.topics.split_first() else { return false };
        let mut indexed = self.indexed.iter().enumerate();
        let has_fields = indexed.all(|(at, it)| it.is_none_or(|it| fields.get(at) == Some(&it)));
        log.address == self.address && self.events.contains(event) && has_fields
    }
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
