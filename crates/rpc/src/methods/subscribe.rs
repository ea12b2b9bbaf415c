//! `eth_subscribe`: new heads and logs, sent as blocks come.
//!
//! A client that does not keep up is told so, and its subscription ends: nothing waits for it without bound.

use crate::answers;
use crate::api::Api;
use crate::error::invalid_params;
use crate::feed::Sealed;
use crate::parameters::Arguments;
use alloy_rpc_types_eth::Filter;
use jsonrpsee::RpcModule;
use jsonrpsee::core::{RegisterMethodError, SubscriptionError};
use jsonrpsee::server::{
    PendingSubscriptionSink, SendTimeoutError, SubscriptionCloseResponse, SubscriptionSink,
};
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde_json::value::{RawValue, to_raw_value};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

pub(super) fn register(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_subscription(
        "eth_subscribe",
        "eth_subscription",
        "eth_unsubscribe",
        |params, pending, api, _| subscribe(params, pending, api),
    )?;
    Ok(())
}

/// Who is sent to.
struct Client {
    sink: SubscriptionSink,
    lag_max: Duration,
}

/// What a client wants to hear of.
enum Wanted {
    Heads,
    Logs(Box<Filter>),
}

async fn subscribe(
    params: Params<'static>,
    pending: PendingSubscriptionSink,
    api: Arc<Api>,
) -> SubscriptionCloseResponse {
    let wanted = match wanted(&params) {
        Ok(wanted) => wanted,
        Err(error) => {
            pending.reject(error).await;
            return SubscriptionCloseResponse::None;
        }
    };
    let mut news = api.feed.listen();
    let lag_max = api.lag_max;
    // It must not keep the chain open while nothing happens.
    drop(api);
    let Ok(sink) = pending.accept().await else { return SubscriptionCloseResponse::None };
    let client = Client { sink, lag_max };
    loop {
        let sealed = tokio::select! {
            () = client.sink.closed() => return SubscriptionCloseResponse::None,
            sealed = news.recv() => sealed,
        };
        let sent = match sealed {
            Ok(sealed) => client.send(&wanted, &sealed).await,
            Err(RecvError::Lagged(blocks)) => Err(Some(format!(
                "subscription dropped: {blocks} blocks behind; subscribe again and read what was missed"
            ))),
            Err(RecvError::Closed) => Err(Some("subscription dropped: the node stops".into())),
        };
        match sent {
            Ok(()) => {}
            Err(None) => return SubscriptionCloseResponse::None,
            Err(Some(reason)) => {
                tracing::debug!(reason, "a subscription ends");
                return SubscriptionCloseResponse::NotifErr(SubscriptionError::from(reason));
            }
        }
    }
}

fn wanted(params: &Params<'_>) -> Result<Wanted, ErrorObjectOwned> {
    let mut arguments = Arguments::of(params, 2)?;
    let kind: String = arguments.required()?;
    match kind.as_str() {
        "newHeads" => Ok(Wanted::Heads),
        "logs" => {
            let filter: Box<Filter> = arguments.optional()?.unwrap_or_default();
            super::logs::check_terms(&filter)?;
            Ok(Wanted::Logs(filter))
        }
        _ => Err(invalid_params("invalid argument 0: subscribe to newHeads or logs")),
    }
}

impl Client {
    /// Sends what a block has for this subscription. The error is why it ends; `None`: the client is gone.
    async fn send(&self, wanted: &Wanted, sealed: &Sealed) -> Result<(), Option<String>> {
        let filter = match wanted {
            Wanted::Heads => {
                let Some(head) = sealed.head() else { return Ok(()) };
                return self.send_one(head.to_owned()).await;
            }
            Wanted::Logs(filter) => filter,
        };
        let block = sealed.block();
        if !filter.matches_bloom(block.header.logs_bloom) {
            return Ok(());
        }
        for (index, transaction, log) in block.logs() {
            if !filter.matches(log) {
                continue;
            }
            let answer = answers::log((block, transaction, index), log.clone());
            if let Ok(message) = to_raw_value(&answer) {
                self.send_one(message).await?;
            }
        }
        Ok(())
    }

    async fn send_one(&self, message: Box<RawValue>) -> Result<(), Option<String>> {
        match self.sink.send_timeout(message, self.lag_max).await {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Closed(_)) => Err(None),
            Err(SendTimeoutError::Timeout(_)) => {
                let lag = self.lag_max;
                Err(Some(format!("subscription dropped: messages were left unread for {lag:?}")))
            }
        }
    }
}
