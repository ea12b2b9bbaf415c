//! The methods by name, and what kind of work each is.

mod blocks;
mod filter;
mod identity;
mod logs;
mod state;
mod subscribe;
mod transactions;

use crate::api::Api;
use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::server::Methods;
use std::sync::Arc;

/// What a method asks of the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Reads something small.
    Look,
    /// Executes, searches, or answers with a whole block: on a thread for such work, one by one.
    Work,
    /// Hands over a transaction.
    Submit,
    /// Keeps something on behalf of a client that may not come back: not for strangers.
    Filter,
    /// Sends from now on, on a WebSocket.
    Subscribe,
}

impl Kind {
    /// Of the method with that name; `None` where there is none.
    pub(crate) fn of(method: &str) -> Option<Self> {
        Some(match method {
            "eth_sendRawTransaction" => Self::Submit,
            "web3_clientVersion"
            | "net_version"
            | "eth_accounts"
            | "eth_blockNumber"
            | "eth_chainId"
            | "eth_gasPrice"
            | "eth_getBalance"
            | "eth_getBlockTransactionCountByHash"
            | "eth_getBlockTransactionCountByNumber"
            | "eth_getCode"
            | "eth_getStorageAt"
            | "eth_getTransactionByBlockHashAndIndex"
            | "eth_getTransactionByBlockNumberAndIndex"
            | "eth_getTransactionByHash"
            | "eth_getTransactionCount"
            | "eth_getTransactionReceipt"
            | "eth_maxPriorityFeePerGas"
            | "eth_syncing" => Self::Look,
            "eth_call"
            | "eth_estimateGas"
            | "eth_feeHistory"
            | "eth_getBlockByHash"
            | "eth_getBlockByNumber"
            | "eth_getBlockReceipts"
            | "eth_getLogs" => Self::Work,
            "eth_getFilterChanges"
            | "eth_getFilterLogs"
            | "eth_newBlockFilter"
            | "eth_newFilter"
            | "eth_newPendingTransactionFilter"
            | "eth_uninstallFilter" => Self::Filter,
            "eth_subscribe" | "eth_unsubscribe" => Self::Subscribe,
            _ => return None,
        })
    }
}

/// All of them, for one chain.
pub(crate) fn all(api: Arc<Api>) -> Result<Methods, RegisterMethodError> {
    let mut module = RpcModule::from_arc(api);
    identity::register(&mut module)?;
    state::register(&mut module)?;
    blocks::register(&mut module)?;
    transactions::register(&mut module)?;
    logs::register(&mut module)?;
    filter::register(&mut module)?;
    subscribe::register(&mut module)?;
    Ok(module.into())
}
