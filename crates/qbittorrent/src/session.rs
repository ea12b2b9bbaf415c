//! What logins have been sent by `sync/maindata`, so that they are sent only what changed.

use crate::json::Datum;
use crate::serve::Server;
use piecework_catalog::Revision;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, MutexGuard, PoisonError};

/// Sessions that are remembered; one more, and the one that was quiet longest starts from everything again.
const SESSIONS_MAX: usize = 256;

/// Answers of one session that are remembered. More than one program may use a session, and an answer can get
/// lost on its way.
const SENT_MAX: usize = 8;

/// An answer that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// As of which revision of the catalog.
    pub(crate) revision: Revision,
    /// The figures of the node, in the order of `server_state`.
    pub(crate) state: Vec<Datum<'static>>,
    /// Trackers with a fingerprint of the torrents that have them.
    pub(crate) trackers: Arc<BTreeMap<String, u64>>,
    /// Share limits of all torrents: other ones change what is said of torrents that have not changed.
    pub(crate) limits: [Option<u32>; 3],
}

/// One login's answers.
#[derive(Debug, Default)]
pub(crate) struct Session {
    newest: i64,
    sent: VecDeque<(i64, Sent)>,
    used: u64,
}

impl Session {
    /// What was sent under a number, if it is known.
    pub(crate) fn sent(&self, number: i64) -> Option<&Sent> {
        self.sent.iter().find(|(sent, _)| *sent == number).map(|(_, sent)| sent)
    }

    /// Remembers an answer and gives its number: from 1 on, never the same twice.
    pub(crate) fn send(&mut self, sent: Sent) -> i64 {
        self.newest += 1;
        if self.sent.len() >= SENT_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back((self.newest, sent));
        self.newest
    }
}

/// All logins.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_name: BTreeMap<String, Session>,
    uses: u64,
}

impl Sessions {
    /// The session of that name, a new one if there is none.
    pub(crate) fn of(&mut self, name: &str) -> &mut Session {
        self.uses += 1;
        if !self.by_name.contains_key(name) && self.by_name.len() >= SESSIONS_MAX {
            let oldest = self.by_name.iter().min_by_key(|(_, session)| session.used);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.by_name.remove(&oldest);
            }
        }
        let session = self.by_name.entry(name.to_owned()).or_default();
        session.used = self.uses;
        session
    }

    /// Forgets a session.
    pub(crate) fn forget(&mut self, name: &str) {
        self.by_name.remove(name);
    }
}

impl Server {
    pub(crate) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(revision: Revision) -> Sent {
        Sent { revision, state: Vec::new(), trackers: Arc::default(), limits: [None; 3] }
    }

    #[test]
    fn numbers_belong_to_their_session_and_old_ones_are_forgotten() {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.of("a").send(sent(7)), 1);
        assert_eq!(sessions.of("a").sent(1).map(|sent| sent.revision), Some(7));
        assert!(sessions.of("b").sent(1).is_none(), "another session knows nothing of it");
        for revision in 0..SENT_MAX as u64 {
            sessions.of("a").send(sent(revision));
        }
        assert!(sessions.of("a").sent(1).is_none());
        assert!(sessions.of("a").sent(2).is_some());
    }

    #[test]
    fn the_quietest_session_goes_when_there_are_too_many() {
        let mut sessions = Sessions::default();
        for number in 0..SESSIONS_MAX {
            sessions.of(&number.to_string()).send(sent(1));
        }
        sessions.of("0");
        sessions.of("new");
        assert!(sessions.of("0").sent(1).is_some());
        assert!(sessions.of("1").sent(1).is_none());
        assert_eq!(sessions.by_name.len(), SESSIONS_MAX);
    }
}
