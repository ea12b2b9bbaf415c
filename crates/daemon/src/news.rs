//! What happened lately, in words, for people and scripts.
//!
//! Owns the ring of news. Invariant: numbers grow by one, and the newest [`NEWS_MAX`] are there. Every code
//! is in [`code`], and stays what it is once it was released.

use piecework_types::InfoHash;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// News that are kept; older ones are in the log.
pub const NEWS_MAX: usize = 1_000;

/// The words that scripts may wait for.
pub mod code {
    /// A torrent was added.
    pub const TORRENT_ADDED: &str = "torrent_added";
    /// A torrent was removed.
    pub const TORRENT_REMOVED: &str = "torrent_removed";
    /// All that is wanted of a torrent has come.
    pub const TORRENT_DONE: &str = "torrent_done";
    /// The info dictionary of a magnet has come.
    pub const METADATA_ARRIVED: &str = "metadata_arrived";
    /// A torrent needs attention; it goes on.
    pub const TORRENT_PROBLEM: &str = "torrent_problem";
    /// A problem of a torrent is over.
    pub const TORRENT_RECOVERED: &str = "torrent_recovered";
    /// A torrent cannot go on.
    pub const TORRENT_FAILED: &str = "torrent_failed";
    /// Files of a complete torrent are gone or changed.
    pub const FILES_MISSING: &str = "files_missing";
    /// Files lie where they should.
    pub const FILES_MOVED: &str = "files_moved";
    /// Files could not be moved or renamed.
    pub const MOVE_FAILED: &str = "move_failed";
    /// A limit of sharing was reached, and acted upon.
    pub const SHARE_LIMIT_REACHED: &str = "share_limit_reached";
    /// Files of a removed torrent were deleted.
    pub const FILES_DELETED: &str = "files_deleted";
    /// Files of a removed torrent could not be deleted.
    pub const DELETE_FAILED: &str = "delete_failed";
    /// An address is refused from now on, for what it did.
    pub const PEER_BANNED: &str = "peer_banned";
    /// A web seed is asked for nothing any more.
    pub const WEB_SEED_DROPPED: &str = "web_seed_dropped";
    /// The node itself has a problem.
    pub const NODE_PROBLEM: &str = "node_problem";
    /// A problem of the node is over.
    pub const NODE_RECOVERED: &str = "node_recovered";
    /// Changes cannot be written down.
    pub const STORE_FAILED: &str = "store_failed";
    /// Changes are written down again.
    pub const STORE_RECOVERED: &str = "store_recovered";
    /// A feed cannot be read, or what it offers cannot be had.
    pub const FEED_FAILED: &str = "feed_failed";
    /// A rule took something from a feed.
    pub const FEED_TAKEN: &str = "feed_taken";
    /// The node cannot trade.
    pub const MARKET_CLOSED: &str = "market_closed";
    /// Something of what is sold and bought, or of the chain, does not work.
    pub const MARKET_PROBLEM: &str = "market_problem";
    /// Something of what is sold and bought that is good to know.
    pub const MARKET_NEWS: &str = "market_news";
    /// A file of the watch folder cannot be used.
    pub const WATCH_FAILED: &str = "watch_failed";
}

/// Something that a person may want to know.
#[derive(Clone, Debug)]
pub struct News {
    /// Grows by one each time.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// How serious it is.
    pub level: Level,
    /// Which torrent it is about.
    pub torrent: Option<InfoHash>,
    /// A stable word for scripts, one of [`code`].
    pub code: &'static str,
    /// Cause and remedy on one line.
    pub text: String,
}

/// How serious news are.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Good to know.
    Info,
    /// Something does not work as it should; the daemon copes.
    Warning,
    /// Somebody has to do something.
    Error,
}

/// The latest news.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the newest.
    last: u64,
    news: VecDeque<News>,
}

impl Ring {
    /// Tells everybody, and the log.
    pub(crate) fn tell(
        &self,
        level: Level,
        torrent: Option<InfoHash>,
        code: &'static str,
        text: String,
    ) {
        match level {
            Level::Info => tracing::info!(?torrent, code, "{text}"),
            Level::Warning => tracing::warn!(?torrent, code, "{text}"),
            Level::Error => tracing::error!(?torrent, code, "{text}"),
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let mut state = self.lock();
        state.last += 1;
        if state.news.len() == NEWS_MAX {
            state.news.pop_front();
        }
        let number = state.last;
        state.news.push_back(News { number, at_ms, level, torrent, code, text });
    }

    /// What came after the news of this number, oldest first.
    pub(crate) fn after(&self, number: u64) -> Vec<News> {
        let state = self.lock();
        let newer = state.last.saturating_sub(number);
        let newer = usize::try_from(newer).unwrap_or(usize::MAX).min(state.news.len());
        state.news.range(state.news.len() - newer..).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_news_are_kept_and_given_after_a_number_in_order() {
        let ring = Ring::default();
        for count in 0..NEWS_MAX + 10 {
            ring.tell(Level::Info, None, code::TORRENT_ADDED, count.to_string());
        }
        let numbers = |after| ring.after(after).iter().map(|news| news.number).collect::<Vec<_>>();
        let last = NEWS_MAX as u64 + 10;
        assert_eq!(numbers(0), (11..=last).collect::<Vec<_>>());
        assert_eq!(numbers(last - 2), [last - 1, last]);
        assert_eq!(numbers(last), [] as [u64; 0]);
        assert_eq!(numbers(u64::MAX), [] as [u64; 0]);
        assert_eq!(ring.after(last - 1)[0].text, "1009");
    }
}
