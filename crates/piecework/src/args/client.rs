//! What a person can ask of a daemon that runs.

use super::daemon::PlaceArg;
use super::market::LaneArgs;
use clap::{Args, Subcommand, ValueEnum};
use clap_complete::ArgValueCompleter;
use piecework_settings::ByteRate;
use std::path::PathBuf;

/// Which daemon, and who asks.
#[derive(Args, Clone, Debug)]
pub(crate) struct ClientArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArg,
    /// Address of the daemon [default: what its data folder says].
    #[arg(long, value_name = "URL", env = "PIECEWORK_URL", hide_env_values = true)]
    pub(crate) url: Option<String>,
    /// Key for its API [default: what its data folder says]. The environment is the better place: other
    /// programs can see flags.
    #[arg(long, value_name = "KEY", env = "PIECEWORK_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
}

/// `piecework add`
#[derive(Args, Debug)]
pub(crate) struct AddArgs {
    /// Torrent files, magnet links, or http(s) addresses of torrent files.
    #[arg(required = true)]
    pub(crate) sources: Vec<String>,
    /// Category, which must exist.
    #[arg(long, value_name = "NAME")]
    pub(crate) category: Option<String>,
    /// A tag. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) tag: Vec<String>,
    /// Folder for its files, inside of the daemon's roots [default: that of the category, or of all].
    #[arg(long, value_name = "DIR")]
    pub(crate) save_path: Option<PathBuf>,
    /// Add it and do nothing more.
    #[arg(long)]
    pub(crate) stopped: bool,
    /// Put it before all others in the queue.
    #[arg(long)]
    pub(crate) top: bool,
    /// Fetch pieces in order.
    #[arg(long)]
    pub(crate) sequential: bool,
    /// Files of the right size that are there count as complete without a check.
    #[arg(long)]
    pub(crate) trusted: bool,
    /// A peer to connect to, besides those that trackers name. May be repeated.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) peer: Vec<String>,
    /// Download at most so many bytes a second: 500k, 2M, 1Mi.
    #[arg(long, value_name = "R")]
    pub(crate) limit_down: Option<ByteRate>,
    /// Upload at most so many bytes a second.
    #[arg(long, value_name = "R")]
    pub(crate) limit_up: Option<ByteRate>,
    #[command(flatten)]
    pub(crate) lane: LaneArgs,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum SortArg {
    /// When it was added
    #[default]
    Added,
    /// Name
    Name,
    /// Bytes of all files
    Size,
    /// How much of it is there
    Progress,
    /// Bytes a second received
    Down,
    /// Bytes a second sent
    Up,
    /// Sent over received
    Ratio,
    /// Place in the queue
    Queue,
    /// What it is doing
    Stage,
}

/// `piecework list`
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// What comes first: the smallest, or with --reverse the greatest.
    #[arg(long, value_enum, value_name = "FIELD", default_value_t)]
    pub(crate) sort: SortArg,
    /// The other way round.
    #[arg(long)]
    pub(crate) reverse: bool,
    /// Only this category.
    #[arg(long, value_name = "NAME")]
    pub(crate) category: Option<String>,
    /// Only with this tag.
    #[arg(long, value_name = "NAME")]
    pub(crate) tag: Option<String>,
    /// Only those that do this: downloading, seeding, stopped, queued, ...
    #[arg(long, value_name = "WORD")]
    pub(crate) stage: Option<String>,
    /// Go on showing what changes, until a signal ends it.
    #[arg(long, short)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// One torrent of the daemon.
#[derive(Args, Debug)]
pub(crate) struct OneArgs {
    /// The torrent: the beginning of its info-hash, or a part of its name that no other has.
    #[arg(add = ArgValueCompleter::new(crate::complete::torrents))]
    pub(crate) torrent: String,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// Some torrents of the daemon.
#[derive(Args, Debug)]
pub(crate) struct SomeArgs {
    /// The torrents: each by the beginning of its info-hash, or a part of its name that no other has.
    #[arg(required_unless_present = "all", add = ArgValueCompleter::new(crate::complete::torrents))]
    pub(crate) torrents: Vec<String>,
    /// All of them.
    #[arg(long, conflicts_with = "torrents")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `piecework resume`
#[derive(Args, Debug)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(crate) which: SomeArgs,
    /// Whatever the queue and its limits say.
    #[arg(long)]
    pub(crate) force: bool,
}

/// `piecework remove`
#[derive(Args, Debug)]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    pub(crate) which: SomeArgs,
    /// Delete their files too; asks before it does.
    #[arg(long)]
    pub(crate) with_files: bool,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// A limit, or none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LimitArg(pub(crate) Option<ByteRate>);

impl std::str::FromStr for LimitArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            text => text.parse().map(|rate| Self(Some(rate))),
        }
    }
}

/// `piecework limit`
#[derive(Args, Debug)]
pub(crate) struct LimitArgs {
    /// The torrents; none for the whole node.
    #[arg(add = ArgValueCompleter::new(crate::complete::torrents))]
    pub(crate) torrents: Vec<String>,
    /// Download at most so many bytes a second: 500k, 2M, or none.
    #[arg(long, value_name = "R", required_unless_present = "up")]
    pub(crate) down: Option<LimitArg>,
    /// Upload at most so many bytes a second, or none.
    #[arg(long, value_name = "R")]
    pub(crate) up: Option<LimitArg>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `piecework move`
#[derive(Args, Debug)]
pub(crate) struct MoveArgs {
    /// The torrent: the beginning of its info-hash, or a part of its name that no other has.
    #[arg(add = ArgValueCompleter::new(crate::complete::torrents))]
    pub(crate) torrent: String,
    /// Where its files go: a folder inside of the daemon's roots.
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `piecework rename`
#[derive(Args, Debug)]
pub(crate) struct RenameArgs {
    /// The torrent: the beginning of its info-hash, or a part of its name that no other has.
    #[arg(add = ArgValueCompleter::new(crate::complete::torrents))]
    pub(crate) torrent: String,
    /// What people call it from now on; its files keep their names.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `piecework category`
#[derive(Debug, Subcommand)]
pub(crate) enum CategoryCommand {
    /// Show all.
    List(ClientArgs),
    /// Make one.
    Create {
        /// Its name.
        name: String,
        /// Folder of its torrents [default: its name, below the folder of all].
        #[arg(long, value_name = "DIR")]
        save_path: Option<PathBuf>,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Remove one; its torrents have none then.
    Remove {
        /// Its name.
        name: String,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Give it to torrents.
    Set {
        /// Its name, or empty for none.
        name: String,
        #[command(flatten)]
        which: SomeArgs,
    },
}

/// `piecework tag`
#[derive(Debug, Subcommand)]
pub(crate) enum TagCommand {
    /// Show all.
    List(ClientArgs),
    /// Give a tag to torrents.
    Add {
        /// The tag.
        name: String,
        #[command(flatten)]
        which: SomeArgs,
    },
    /// Take a tag from torrents.
    Remove {
        /// The tag.
        name: String,
        #[command(flatten)]
        which: SomeArgs,
    },
}

/// `piecework log-level`
#[derive(Args, Debug)]
pub(crate) struct LogLevelArgs {
    /// error, warn, info, debug or trace; without it the level is shown.
    pub(crate) level: Option<String>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `piecework queue`
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// Before all others.
    Top(SomeArgs),
    /// One place forward.
    Up(SomeArgs),
    /// One place back.
    Down(SomeArgs),
    /// Behind all others.
    Bottom(SomeArgs),
}
