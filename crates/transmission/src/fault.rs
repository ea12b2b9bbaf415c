//! Why a call is not answered.

use piecework_catalog::{Refusal, RefusalKind};

/// Codes of JSON-RPC 2.0, and of Transmission where they are positive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Code {
    Parse = -32700,
    Request = -32600,
    Method = -32601,
    Parameters = -32602,
    Internal = -32603,
    /// The path is not one that may be used.
    Path = 4,
    /// Something is not known.
    Unknown = 5,
    /// The system failed.
    System = 6,
    /// There is no such file in the torrent.
    File = 7,
}

/// A code and a line of text.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) text: String,
}

impl Fault {
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// A parameter makes no sense.
    pub(crate) fn parameter(text: impl Into<String>) -> Self {
        Self::new(Code::Parameters, text)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.kind {
            RefusalKind::Unknown => Code::Unknown,
            RefusalKind::Conflict | RefusalKind::Invalid => Code::Parameters,
            RefusalKind::Forbidden => Code::Path,
            RefusalKind::Full => Code::Internal,
            RefusalKind::Failed => Code::System,
        };
        Self { code, text: refusal.text }
    }
}
