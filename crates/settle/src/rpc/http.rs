//! JSON-RPC over HTTP(S), from a small runtime of its own, in which each exchange runs to its end: the face
//! is blocking, because those who ask are threads. What comes back is bounded in bytes and in time.

use super::fault::RpcFault;
use super::transport::{ANSWER_BYTES_MAX, Received, Transport};
use reqwest::Url;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub(super) struct Http {
    url: Url,
    client: reqwest::Client,
    /// One exchange at a time drives the runtime; another waits.
    runtime: Mutex<tokio::runtime::Runtime>,
}

impl Http {
    pub(super) fn new(url: Url) -> Result<Self, RpcFault> {
        let client = reqwest::Client::builder()
            // A server that points elsewhere is a mistake of its address, or worse.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("piecework/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| RpcFault::Unreachable(describe(error)))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| RpcFault::Unreachable(error.to_string()))?;
        Ok(Self { url, client, runtime: Mutex::new(runtime) })
    }
}

impl Transport for Http {
    fn exchange(&self, question: String, limit: Duration) -> Result<Received, RpcFault> {
        if tokio::runtime::Handle::try_current().is_ok() {
            return Err(RpcFault::InsideRuntime);
        }
        let request = self.client.post(self.url.clone());
        let request = request.header("content-type", "application/json").body(question);
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        let exchange = async { tokio::time::timeout(limit, receive(request)).await };
        runtime.block_on(exchange).map_err(|_| RpcFault::Timeout { after: limit })?
    }
}

async fn receive(request: reqwest::RequestBuilder) -> Result<Received, RpcFault> {
    let sent = request.send().await;
    let mut response = sent.map_err(|error| RpcFault::Unreachable(describe(error)))?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let is_html = header("content-type").is_some_and(|it| it.starts_with("text/html"));
    let retry_after = header("retry-after").and_then(|it| it.parse().ok()).map(Duration::from_secs);
    let status = response.status().as_u16();
    let mut received = Received { status, is_html, retry_after, ..Received::default() };
    loop {
        match response.chunk().await {
            Ok(Some(part)) if received.body.len() + part.len() > ANSWER_BYTES_MAX => {
                return Err(RpcFault::TooLong { most_bytes: ANSWER_BYTES_MAX });
            }
            Ok(Some(part)) => received.body.extend_from_slice(&part),
            Ok(None) => return Ok(received),
            Err(_) => {
                received.is_cut = true;
                return Ok(received);
            }
        }
    }
}

/// The innermost reason: the outer ones say little, and name the whole address.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
