//! What happened lately, in words, for people and scripts.

use piecework_types::InfoHash;

/// News that are kept; older ones are in the log.
pub const NEWS_MAX: usize = 1_000;

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
    /// A stable word for scripts, such as `torrent_done` or `disk_full`.
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
