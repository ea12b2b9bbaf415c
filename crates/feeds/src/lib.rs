//! RSS and Atom feeds of torrents, and rules that choose from them.
//!
//! [`Feeds`] is a machine: it says which feeds are due, takes what a server answered, and gives the links
//! that a rule wants and nobody has been given before. [`parse()`] reads RSS 2.0, RSS 1.0 and Atom 1.0 (RFC
//! 4287).
//!
//! It must not know: HTTP, torrents, where links lead.

mod episode;
mod feeds;
mod parse;
mod rule;

pub use episode::{EpisodeFilter, EpisodeFilterError};
pub use feeds::{Answer, FEEDS_MAX, Feed, FeedError, Feeds, RULES_MAX, SEEN_MAX, Wanted};
pub use parse::{FEED_BYTES_MAX, ITEMS_MAX, Item, ParseError, parse};
pub use rule::{PATTERN_CHARS_MAX, Rule, RuleError};
