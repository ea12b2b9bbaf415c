//! Errors in the shapes of geth, which libraries tell apart by code and, for transactions, by their words.
//!
//! Sources: the JSON-RPC 2.0 specification, EIP-1474, and the texts of geth's `core` and `txpool` packages,
//! which viem and ethers search for.

use alloy_primitives::Bytes;
use alloy_sol_types::{Panic, Revert, SolError as _};
use jsonrpsee::types::ErrorObjectOwned;
use piecework_chain::call::NoEstimate;
use piecework_chain::chain::ReadError;
use piecework_chain::execute::Outcome;

/// The EVM ran and reverted; the data is what it returned (EIP-1474 leaves it open, geth uses 3).
pub(crate) const REVERTED: i32 = 3;
/// The server could not do it: geth's code for transactions that are refused.
pub(crate) const SERVER: i32 = -32000;
/// More was asked for than anybody may have (EIP-1474).
pub(crate) const LIMIT_EXCEEDED: i32 = -32005;
/// Something here went wrong (JSON-RPC 2.0).
pub(crate) const INTERNAL: i32 = -32603;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;

/// A parameter is missing, too many, or not what it should be.
pub(crate) fn invalid_params(text: impl Into<String>) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(INVALID_PARAMS, text, None::<()>)
}

/// A limit of this server; `text` names it.
pub(crate) fn limit_exceeded(text: impl Into<String>) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(LIMIT_EXCEEDED, text, None::<()>)
}

/// This server has no such method, or not for everybody.
pub(crate) fn method_not_found(method: &str) -> ErrorObjectOwned {
    // Names are as long as a request; an answer need not repeat that.
    let name: String = method.chars().take(64).collect();
    let text = format!("the method {name} does not exist/is not available");
    ErrorObjectOwned::owned(METHOD_NOT_FOUND, text, None::<()>)
}

/// Anything else that the request ran into.
#[allow(clippy::needless_pass_by_value)] // Errors come by value and end here.
pub(crate) fn failed(text: impl ToString) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(SERVER, text.to_string(), None::<()>)
}

/// A subscription was asked for where nothing can be sent later.
pub(crate) fn needs_web_socket() -> ErrorObjectOwned {
    failed("notifications not supported: subscribe over a WebSocket, at the same port")
}

/// What the chain could not answer.
pub(crate) fn not_read(error: ReadError) -> ErrorObjectOwned {
    match error {
        ReadError::NoEstimate(NoEstimate::Fails(outcome)) => not_executed(&outcome),
        ReadError::TooMany => limit_exceeded(error.to_string()),
        ReadError::NoBlock(_) => failed("header not found"),
        ReadError::Gone(_) | ReadError::Refused(_) | ReadError::NoEstimate(_) => failed(error),
        ReadError::Store(_) | ReadError::Log(_) | ReadError::Record(_) => {
            tracing::error!(%error, "the chain cannot be read");
            ErrorObjectOwned::owned(INTERNAL, error.to_string(), None::<()>)
        }
    }
}

/// A call that did not return, in geth's words.
pub(crate) fn not_executed(outcome: &Outcome) -> ErrorObjectOwned {
    match outcome {
        Outcome::Revert { output } => reverted(output),
        Outcome::Halt { reason } => {
            let name = format!("{reason:?}");
            failed(if name.starts_with("OutOfGas") { "out of gas".into() } else { name })
        }
        Outcome::Success { .. } => failed("execution succeeded"),
    }
}

fn reverted(output: &Bytes) -> ErrorObjectOwned {
    let reason = if let Ok(Revert { reason }) = Revert::abi_decode(output) {
        format!(": {reason}")
    } else if let Ok(panic) = Panic::abi_decode(output) {
        format!(": {panic}")
    } else {
        String::new()
    };
    ErrorObjectOwned::owned(REVERTED, format!("execution reverted{reason}"), Some(output))
}
