//! What a person can ask about feeds.

use super::client::ClientArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `piecework feed`
#[derive(Debug, Subcommand)]
pub(crate) enum FeedCommand {
    /// Show feeds, when they were last read, and what went wrong.
    List(ClientArgs),
    /// Add a feed (RSS or Atom), or give it another address.
    Add {
        /// What to call it.
        name: String,
        /// Its http(s) address. It often holds a passkey, and is not shown whole afterwards.
        address: String,
        /// Minutes between two looks.
        #[arg(long, value_name = "N", default_value_t = 30)]
        every: u32,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Remove a feed; what came from it stays.
    Remove {
        /// Its name.
        name: String,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Look at a feed now.
    Refresh {
        /// Its name.
        name: String,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Show what a feed offered last.
    Items {
        /// Its name.
        name: String,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Rules that choose from feeds.
    #[command(subcommand)]
    Rule(RuleCommand),
}

/// `piecework feed rule`
#[derive(Debug, Subcommand)]
pub(crate) enum RuleCommand {
    /// Show rules.
    List(ClientArgs),
    /// Make a rule, or put another in its place. Of what a new item's title matches, the first rule by name
    /// takes it.
    Set {
        /// What to call it.
        name: String,
        #[command(flatten)]
        rule: Box<RuleArgs>,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Show what a rule would take of what the feeds offered last; takes nothing.
    Try {
        #[command(flatten)]
        rule: Box<RuleArgs>,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Remove a rule.
    Remove {
        /// Its name.
        name: String,
        #[command(flatten)]
        client: ClientArgs,
    },
}

/// A rule.
#[derive(Args, Debug)]
pub(crate) struct RuleArgs {
    /// What titles must have: all words, `*` and `?` as in file names, `|` between alternatives.
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub(crate) wants: String,
    /// What titles must not have, in the same form.
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub(crate) refuses: String,
    /// The two above are regular expressions.
    #[arg(long)]
    pub(crate) regex: bool,
    /// Which episodes: `2x3;5-7;10-` are 3, 5 to 7, and from 10 on, of season 2, and all of later seasons.
    #[arg(long, value_name = "EPISODES", default_value = "")]
    pub(crate) episodes: String,
    /// A feed it looks at; all if not given. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) feed: Vec<String>,
    /// Days after a match in which nothing more is taken.
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    pub(crate) pause: u32,
    /// Category of what is taken.
    #[arg(long, value_name = "NAME")]
    pub(crate) category: Option<String>,
    /// A tag of what is taken. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) tag: Vec<String>,
    /// Folder of what is taken.
    #[arg(long, value_name = "DIR")]
    pub(crate) save_path: Option<PathBuf>,
    /// What is taken waits until somebody resumes it.
    #[arg(long)]
    pub(crate) stopped: bool,
    /// The rule is kept and not followed.
    #[arg(long)]
    pub(crate) off: bool,
}
