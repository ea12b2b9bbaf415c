//! What can be wrong with a server or its answer, and which of it may pass by itself.

use alloy_primitives::Bytes;
use std::time::Duration;

/// A call that failed: where, what was asked, and why.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{server}{}: {fault}", asked(.method))]
pub struct RpcError {
    /// Scheme, host and port.
    pub server: String,
    /// What was asked for; empty before anything was.
    pub method: &'static str,
    /// How often it was asked. After more than once, an earlier question may have had its effect.
    pub tries: u32,
    /// Why it failed the last time.
    pub fault: RpcFault,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RpcFault {
    /// Not an address of HTTP.
    #[error("not an address: write http://HOST:PORT or https://HOST/PATH")]
    BadUrl,
    /// A blocking call from within a runtime, which it would stop.
    #[error("asked from an asynchronous task: call it from a thread of its own")]
    InsideRuntime,
    /// No connection, or one that broke before an answer.
    #[error("cannot be reached ({0}): is the node running, is the address right?")]
    Unreachable(String),
    /// No whole answer in time.
    #[error("no answer within {} s: try again, or name another server", .after.as_secs_f32())]
    Timeout {
        /// The time it had.
        after: Duration,
    },
    /// The server wants fewer questions.
    #[error("the operator limits requests: wait, or use another server or a plan of one's own")]
    Busy {
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// An HTTP status instead of an answer.
    #[error("answered with HTTP status {status}{}", remedy(*.status))]
    Status {
        /// The status.
        status: u16,
    },
    /// A page for people: a wrong path, or a portal in between.
    #[error("answered with a web page instead of JSON-RPC: check the path of its address")]
    WebPage,
    /// Neither JSON nor a page.
    #[error("answered with something else than JSON, which begins with {begins:?}")]
    NotJson {
        /// A few of its first characters.
        begins: String,
    },
    /// JSON that ends in the middle.
    #[error("the answer broke off after {got_bytes} bytes")]
    Truncated {
        /// What came of it.
        got_bytes: usize,
    },
    /// More than we read.
    #[error("the answer is longer than {most_bytes} bytes: ask for less at once")]
    TooLong {
        /// The longest that is read.
        most_bytes: usize,
    },
    /// JSON that is no JSON-RPC answer.
    #[error("the answer is not JSON-RPC 2.0: {what}")]
    NotAnAnswer {
        /// What it lacks.
        what: &'static str,
    },
    /// An answer to another question.
    #[error("answered question {got} instead of {expected}: a proxy in between mixes answers up")]
    WrongId {
        /// The number of our question.
        expected: u64,
        /// What the answer says, shortened.
        got: String,
    },
    /// The server understood and refused.
    #[error("refused: {message} (code {code})")]
    Refused {
        /// JSON-RPC's code.
        code: i64,
        /// Its words, shortened and cleaned.
        message: String,
        /// What a contract said when it reverted.
        data: Option<Bytes>,
    },
    /// A result of the wrong form.
    #[error("{what} has to be {expected}, got {got}")]
    Field {
        /// Which field.
        what: &'static str,
        /// Its form.
        expected: &'static str,
        /// What came, shortened.
        got: String,
    },
}

impl RpcFault {
    /// Whether asking again may help.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::Timeout { .. }
            | Self::Busy { .. }
            | Self::Truncated { .. }
            | Self::WrongId { .. } => true,
            Self::Status { status } => *status >= 500,
            Self::BadUrl
            | Self::InsideRuntime
            | Self::WebPage
            | Self::NotJson { .. }
            | Self::TooLong { .. }
            | Self::NotAnAnswer { .. }
            | Self::Refused { .. }
            | Self::Field { .. } => false,
        }
    }

    /// How long the server wants to be left alone.
    pub(super) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after } => *retry_after,
            _ => None,
        }
    }
}

fn asked(method: &str) -> String {
    if method.is_empty() { String::new() } else { format!(", {method}") }
}

fn remedy(status: u16) -> &'static str {
    match status {
        300..=399 => ": it points elsewhere; name the address it points to",
        401 | 403 => ": it wants a key, or does not let us in",
        404 => ": check the path of its address",
        500.. => ": the trouble is on its side; try later or another server",
        _ => "",
    }
}
