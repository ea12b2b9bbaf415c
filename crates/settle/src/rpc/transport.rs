//! How a question travels and what comes back, before anybody reads it.

use super::fault::RpcFault;
use std::time::Duration;

/// Longest answer taken, bytes: the code of a contract and a few thousand logs fit well.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A way to a server and back: [HTTP](super::Rpc::new), or one of the caller's own.
pub trait Transport: Send + Sync {
    /// Brings `question`, JSON, to the server and what it answers back, blocking for at most `limit`.
    ///
    /// # Errors
    /// When there is no answer, or one above [`ANSWER_BYTES_MAX`].
    fn exchange(&self, question: String, limit: Duration) -> Result<Received, RpcFault>;
}

/// What came, unread.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Received {
    /// HTTP's status; 200 where all went well.
    pub status: u16,
    /// Whether it says that it is a page for people.
    pub is_html: bool,
    /// How long the server wants to be left alone.
    pub retry_after: Option<Duration>,
    /// What it says.
    pub body: Vec<u8>,
    /// That the connection ended before the body did.
    pub is_cut: bool,
}
