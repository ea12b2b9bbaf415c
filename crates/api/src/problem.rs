//! What went wrong, as `application/problem+json` (RFC 9457), with a code that stays the same.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use piecework_access::{Foreign, KeyFault, Refused};
use piecework_catalog::{Refusal, RefusalKind};
use piecework_daemon::{WalletFault, WalletTrouble};
use serde_json::json;
use std::time::Duration;

use crate::gate::GateError;

/// When to ask again of a chain that did not answer.
const CHAIN_AFTER: Duration = Duration::from_secs(10);

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident $word:literal $status:literal,)*) => {
        /// Codes of problems: programs decide by them, people read the text.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Code {
            /// All of them: the one table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word, which never changes.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// What it means.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)* }
            }
        }
    };
}

codes! {
    /// The request cannot be read.
    BadRequest "bad_request" 400,
    /// A value makes no sense.
    Invalid "invalid" 422,
    /// Nobody is logged in, or the key is unknown.
    Unauthorized "unauthorized" 401,
    /// User or password are wrong.
    WrongPassword "wrong_password" 401,
    /// The key has no scope for this.
    Scope "scope" 403,
    /// A change by cookie came from another web page.
    ForeignPage "foreign_page" 403,
    /// The place that was named is out of bounds.
    Forbidden "forbidden" 403,
    /// There is no such thing.
    NotFound "not_found" 404,
    /// There is no such method here.
    Method "method" 405,
    /// It took too long.
    Timeout "timeout" 408,
    /// It is there already, or its state forbids it.
    Conflict "conflict" 409,
    /// The torrent after which the list was to go on is gone.
    CursorGone "cursor_gone" 409,
    /// There is no wallet.
    NoWallet "no_wallet" 409,
    /// There is a wallet already.
    WalletExists "wallet_exists" 409,
    /// The wallet's key is needed, and locked away.
    WalletLocked "wallet_locked" 409,
    /// The wallet's password is wrong.
    WrongWalletPassword "wrong_wallet_password" 403,
    /// The wallet has joined no network.
    NoNetwork "no_network" 409,
    /// The chain cannot be asked or believed; later.
    ChainUnreachable "chain_unreachable" 503,
    /// There is too little of coin, tokens, or what the vault has.
    TooLittle "too_little" 409,
    /// A contract would refuse it.
    Refused "refused" 409,
    /// The fees could be higher than was agreed to.
    PriceRose "price_rose" 409,
    /// The body is too large.
    TooLarge "too_large" 413,
    /// The body is of a type that is not read here.
    MediaType "media_type" 415,
    /// The range lies behind the end.
    Range "range" 416,
    /// The request is addressed to a host name that is not ours.
    ForeignHost "foreign_host" 421,
    /// Too many requests, or failed logins: later.
    TooMany "too_many" 429,
    /// Something failed here; the text has the cause.
    Failed "failed" 500,
    /// A maximum is reached.
    Full "full" 507,
}

/// A problem on its way to whoever asked.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    retry_after: Option<Duration>,
}

impl Problem {
    /// With a text for people: cause and remedy on one line.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after: None }
    }

    /// No such torrent.
    pub(crate) fn no_torrent(id: &str) -> Self {
        let id: String = id.chars().take(64).collect();
        Self::new(Code::NotFound, format!("there is no torrent {id:?}"))
    }

    /// Its code.
    pub const fn code(&self) -> Code {
        self.code
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        json!({
            "type": format!("urn:piecework:problem:{}", self.code.word()),
            "title": self.code.title(),
            "status": self.code.status(),
            "code": self.code.word(),
            "detail": self.detail,
        })
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, self.to_json().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, wait.as_secs().max(1).into());
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.kind {
            RefusalKind::Unknown => Code::NotFound,
            RefusalKind::Conflict => Code::Conflict,
            RefusalKind::Invalid => Code::Invalid,
            RefusalKind::Full => Code::Full,
            RefusalKind::Forbidden => Code::Forbidden,
            RefusalKind::Failed => Code::Failed,
        };
        Self::new(code, refusal.text)
    }
}

impl From<WalletFault> for Problem {
    fn from(fault: WalletFault) -> Self {
        let code = match fault.trouble {
            WalletTrouble::NoWallet => Code::NoWallet,
            WalletTrouble::Exists => Code::WalletExists,
            WalletTrouble::Locked => Code::WalletLocked,
            WalletTrouble::WrongPassword => Code::WrongWalletPassword,
            WalletTrouble::TooMany(_) => Code::TooMany,
            WalletTrouble::NoNetwork => Code::NoNetwork,
            WalletTrouble::AnotherNetwork => Code::Conflict,
            WalletTrouble::Unreachable => Code::ChainUnreachable,
            WalletTrouble::TooLittle => Code::TooLittle,
            WalletTrouble::Refused => Code::Refused,
            WalletTrouble::PriceRose => Code::PriceRose,
            WalletTrouble::Unknown => Code::NotFound,
            WalletTrouble::Invalid => Code::Invalid,
            WalletTrouble::Full => Code::Full,
            WalletTrouble::Failed => Code::Failed,
        };
        let retry_after = match fault.trouble {
            WalletTrouble::TooMany(wait) => Some(wait),
            WalletTrouble::Unreachable => Some(CHAIN_AFTER),
            _ => None,
        };
        Self { retry_after, ..Self::new(code, fault.text) }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let code = match refused {
            Refused::Wrong | Refused::NoPassword => Code::WrongPassword,
            Refused::Banned(_) | Refused::Busy(_) => Code::TooMany,
        };
        Self { retry_after: refused.retry_after(), ..Self::new(code, refused.to_string()) }
    }
}

impl From<Foreign> for Problem {
    fn from(foreign: Foreign) -> Self {
        let code = match foreign {
            Foreign::Host => Code::ForeignHost,
            Foreign::Page => Code::ForeignPage,
        };
        Self::new(code, foreign.to_string())
    }
}

impl From<GateError> for Problem {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Refused(refused) => refused.into(),
            GateError::File { .. } => Self::new(Code::Failed, error.to_string()),
            GateError::Key(KeyFault::Taken) => Self::new(Code::Conflict, error.to_string()),
            GateError::Key(KeyFault::Full) => Self::new(Code::Full, error.to_string()),
            GateError::Password(_) | GateError::Key(_) => {
                Self::new(Code::Invalid, error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_problems_share_a_code_and_each_status_is_an_error() {
        let words: BTreeSet<_> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!((400..600).contains(&code.status()), "{code:?}");
            assert!(code.title().ends_with('.'), "{code:?}");
        }
    }

    #[test]
    fn a_ban_tells_when_to_come_again() {
        let problem = Problem::from(Refused::Banned(Duration::from_secs(9)));
        let response = problem.into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "9");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    }
}
