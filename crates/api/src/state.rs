//! What all routes of the own API share.

use crate::events::Feed;
use crate::gate::{AccessGate, random};
use crate::idempotency::Replies;
use crate::problem::{Code, Problem};
use crate::trades::Trades;
use piecework_access::{Role, Scope, Signer};
use piecework_catalog::{Catalog, Torrent};
use piecework_daemon::Handle;
use piecework_types::InfoHash;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Changes the log's level, or says why not.
pub type SetLevel = dyn Fn(&str) -> Result<(), String> + Send + Sync;

/// The log's level while the program runs.
pub struct LogLevel {
    /// What it is.
    pub get: Box<dyn Fn() -> String + Send + Sync>,
    /// Changes it, or says why not.
    pub set: Box<SetLevel>,
}

/// Opens the ledger to read it, as it is now; none where nothing was ever traded. May take a while.
pub type OpenTrades = dyn Fn() -> Result<Option<Trades>, String> + Send + Sync;

/// What the own API is made of.
pub struct Parts {
    /// The daemon.
    pub daemon: Handle,
    /// Who may ask what.
    pub gate: Arc<AccessGate>,
    /// The log's level.
    pub log_level: LogLevel,
    /// What was earned and spent.
    pub trades: Arc<OpenTrades>,
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Api(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) daemon: Handle,
    pub(crate) gate: Arc<AccessGate>,
    pub(crate) log_level: LogLevel,
    pub(crate) trades: Arc<OpenTrades>,
    pub(crate) signer: Signer,
    pub(crate) feed: Feed,
    pub(crate) replies: Replies,
}

impl Deref for Api {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Api {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { daemon, gate, log_level, trades } = parts;
        Self(Arc::new(Inner {
            daemon,
            gate,
            log_level,
            trades,
            signer: Signer::new(random()),
            feed: Feed::default(),
            replies: Replies::default(),
        }))
    }

    /// Reads a torrent of the catalog.
    pub(crate) fn torrent<T>(
        &self,
        id: InfoHash,
        read: impl FnOnce(&Torrent) -> T,
    ) -> Result<T, Problem> {
        let catalog = self.daemon.catalog();
        catalog.get(id).map(read).ok_or_else(|| Problem::no_torrent(&id.to_string()))
    }

    /// Fails unless all of them are there.
    pub(crate) fn check_ids(&self, ids: &[InfoHash]) -> Result<(), Problem> {
        let catalog = self.daemon.catalog();
        let is_absent = |catalog: &Catalog, id: &InfoHash| catalog.get(*id).is_none();
        match ids.iter().find(|id| is_absent(&catalog, id)) {
            Some(id) => Err(Problem::no_torrent(&id.to_string())),
            None => Ok(()),
        }
    }
}

/// Who asks: an extension of each request that was let in.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) role: Role,
    pub(crate) credential: Credential,
}

/// By what somebody was let in, so that it can be looked at again while they stay.
#[derive(Clone)]
pub(crate) enum Credential {
    Key(String),
    Login(String),
    /// A signed address: no role of its own.
    Token,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key(..)",
            Self::Login(_) => "Login(..)",
            Self::Token => "Token",
        })
    }
}

impl Who {
    /// Fails unless requests of that kind are answered.
    pub(crate) fn needs(&self, scope: Scope) -> Result<(), Problem> {
        if self.role.scopes.allow(scope) {
            return Ok(());
        }
        let text = match self.credential {
            Credential::Login(_) => {
                "to spend, give the password once more (PUT /session/spend)".into()
            }
            _ => format!("this key has no scope {:?}: ask with one that has", scope.word()),
        };
        Err(Problem::new(Code::Scope, text))
    }
}

/// Seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
