//! One JSON-RPC server over HTTP: a question, its answer, and everything that can be wrong with it.
//!
//! Questions travel by a [`Transport`]. What may pass by itself (no connection, no answer in time, a busy
//! server, a broken body) is asked again, with growing pauses. Knows no contract and no account.
//!
//! The address may hold a key of the operator's customer, so messages name scheme, host and port alone.

use http::Http;
use reqwest::Url;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

mod answer;
mod fault;
mod field;
mod http;
mod transport;

pub use fault::{RpcError, RpcFault};
pub(crate) use field::{Field, cleaned};
pub use transport::{ANSWER_BYTES_MAX, Received, Transport};

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
    name: String,
    transport: Box<dyn Transport>,
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
        let http = Http::new(url).map_err(|fault| refuse(&name, fault))?;
        Ok(Self::over(name, Box::new(http), patience))
    }

    /// A server that is reached in another way, by the name that messages call it.
    #[must_use]
    pub fn over(name: String, transport: Box<dyn Transport>, patience: Patience) -> Self {
        Self { name, transport, patience, next_id: AtomicU64::new(1) }
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
        self.persist(method, || self.exchange(method, params))
    }

    /// Asks for `method` several times in one exchange, each time with other `params`, and answers the
    /// results in their order.
    ///
    /// # Errors
    /// As for [`Self::call`]; one refusal refuses all. Not every server takes a batch.
    pub fn call_all(&self, method: &'static str, params: &[Value]) -> Result<Vec<Value>, RpcError> {
        if params.is_empty() {
            return Ok(Vec::new());
        }
        self.persist(method, || self.exchange_all(method, params))
    }

    /// Tries until there is an answer, or no further try would help.
    fn persist<T>(
        &self,
        method: &'static str,
        exchange: impl Fn() -> Result<T, RpcFault>,
    ) -> Result<T, RpcError> {
        let mut pause = self.patience.pause;
        let mut tries = 1;
        loop {
            let fault = match exchange() {
                Ok(result) => return Ok(result),
                Err(fault) => fault,
            };
            if !fault.may_pass() || tries >= self.patience.tries {
                return Err(RpcError { tries, ..self.error(method, fault) });
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
        let received = self
            .transport
            .exchange(question(id, method, params).to_string(), self.patience.exchange)?;
        answer::read(&received, id)
    }

    /// Several questions and their answers.
    fn exchange_all(&self, method: &str, params: &[Value]) -> Result<Vec<Value>, RpcFault> {
        let first = self.next_id.fetch_add(params.len() as u64, Ordering::Relaxed);
        let questions = (first..).zip(params).map(|(id, params)| question(id, method, params));
        let questions = Value::Array(questions.collect());
        let received = self.transport.exchange(questions.to_string(), self.patience.exchange)?;
        answer::read_all(&received, first, params.len())
    }
}

fn question(id: u64, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// The address without user, path and query.
fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", url.scheme())
}
