//! One JSON-RPC server over HTTP: a question, its answer, and everything that can be wrong with it.
//!
//! Owns the HTTP client and a small runtime of its own, in which each call runs to its end: the face is
//! blocking, because those who ask are threads. What comes back is bounded in bytes and in time; what may
//! pass by itself (no connection, no answer in time, a busy server, a broken body) is asked again, with
//! growing pauses. Knows no contract and no account.
//!
//! The address may hold a key of the operator's customer, so messages name scheme, host and port alone.

use reqwest::Url;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

mod answer;
mod fault;
mod field;

pub use fault::{RpcError, RpcFault};
pub(crate) use field::{Field, cleaned};

/// Longest answer read, bytes: the code of a contract and a few thousand logs fit well.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Longest address of a server, bytes.
pub const URL_BYTES_MAX: usize = 2048;

/// How long to wait, and how often to ask.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one exchange, from the name look-up to the last byte.
    pub exchange: Duration,
    /// Exchanges for one call at most, the first included.
    pub tries: u32,
    /// Before the second try; each later pause is twice as long, up to [`Self::pause_max`].
    pub pause: Duration,
    /// The longest pause, also when the server asks for a longer one.
    pub pause_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            exchange: Duration::from_secs(10),
            tries: 4,
            pause: Duration::from_millis(250),
            pause_max: Duration::from_secs(5),
        }
    }
}

/// A JSON-RPC server.
pub struct Rpc {
    url: Url,
    name: String,
    client: reqwest::Client,
    /// One call at a time drives the runtime; another waits.
    runtime: Mutex<tokio::runtime::Runtime>,
    patience: Patience,
    next_id: AtomicU64,
}

impl Rpc {
    /// A server at an `http` or `https` address. Nothing is sent yet.
    ///
    /// # Errors
    /// When the address is none of these, or the system gives no runtime.
    pub fn new(url: &str, patience: Patience) -> Result<Self, RpcError> {
        let refuse =
            |name: &str, fault| RpcError { server: name.into(), method: "", tries: 0, fault };
        let parsed = (url.len() <= URL_BYTES_MAX).then(|| Url::parse(url).ok()).flatten();
        let parsed = parsed.filter(|it| matches!(it.scheme(), "http" | "https") && it.has_host());
        let url = parsed.ok_or_else(|| refuse("the server", RpcFault::BadUrl))?;
        let name = shown(&url);
        let client = reqwest::Client::builder()
            // A server that points elsewhere is a mistake of its address, or worse.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("piecework/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| refuse(&name, RpcFault::Unreachable(describe(error))))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| refuse(&name, RpcFault::Unreachable(e.to_string())))?;
        let runtime = Mutex::new(runtime);
        Ok(Self { url, name, client, runtime, patience, next_id: AtomicU64::new(1) })
    }

    /// Scheme, host and port: what is shown to people. The rest of the address may be a secret.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long this server is waited for.
    #[must_use]
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// Asks for `method` with `params`, a JSON array, and answers the result.
    ///
    /// # Errors
    /// When the last try failed, or a try failed with what another cannot mend; [`RpcFault`] says which.
    pub fn call(&self, method: &'static str, params: &Value) -> Result<Value, RpcError> {
        let error = |fault| self.error(method, fault);
        if tokio::runtime::Handle::try_current().is_ok() {
            return Err(error(RpcFault::InsideRuntime));
        }
        let mut pause = self.patience.pause;
        let mut tries = 1;
        loop {
            let fault = match self.exchange(method, params) {
                Ok(result) => return Ok(result),
                Err(fault) => fault,
            };
            if !fault.may_pass() || tries >= self.patience.tries {
                return Err(RpcError { tries, ..error(fault) });
            }
            tracing::debug!(server = self.name, method, tries, %fault, "asking again");
            let wanted = fault.wait().unwrap_or(pause).max(pause);
            std::thread::sleep(wanted.min(self.patience.pause_max));
            pause = pause.saturating_mul(2).min(self.patience.pause_max);
            tries += 1;
        }
    }

    /// An error that names this server.
    pub(crate) fn error(&self, method: &'static str, fault: RpcFault) -> RpcError {
        RpcError { server: self.name.clone(), method, tries: 1, fault }
    }

    /// One question and its answer.
    fn exchange(&self, method: &str, params: &Value) -> Result<Value, RpcFault> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let question = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let request = self.client.post(self.url.clone());
        let request = request.header("content-type", "application/json").body(question.to_string());
        let runtime = self.runtime.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let exchange =
            async { tokio::time::timeout(self.patience.exchange, receive(request)).await };
        let received = runtime.block_on(exchange);
        let received =
            received.map_err(|_| RpcFault::Timeout { after: self.patience.exchange })??;
        answer::read(&received, id)
    }
}

/// What came over HTTP.
pub(crate) struct Received {
    status: u16,
    is_html: bool,
    retry_after: Option<Duration>,
    body: Vec<u8>,
    /// That the connection ended before the body did.
    is_cut: bool,
}

async fn receive(request: reqwest::RequestBuilder) -> Result<Received, RpcFault> {
    let sent = request.send().await;
    let mut response = sent.map_err(|error| RpcFault::Unreachable(describe(error)))?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let is_html = header("content-type").is_some_and(|it| it.starts_with("text/html"));
    let retry_after = header("retry-after").and_then(|it| it.parse().ok()).map(Duration::from_secs);
    let status = response.status().as_u16();
    let mut received = Received { status, is_html, retry_after, body: Vec::new(), is_cut: false };
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

/// The address without user, path and query.
fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", url.scheme())
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
