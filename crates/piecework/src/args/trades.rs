//! What a person can ask of what was earned and spent.

use super::client::ClientArgs;
use clap::{Args, ValueEnum};

/// What a report has a line for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ByArg {
    /// Each torrent
    Torrent,
    /// Each account of the other side
    Peer,
    /// Each day (UTC)
    Day,
}

/// `piecework earnings` and `piecework spending`
#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// A line for each of these [default: one line in all].
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "csv")]
    pub(crate) by: Option<ByArg>,
    /// The first day (UTC), as in 2026-11-22.
    #[arg(long, value_name = "DAY")]
    pub(crate) since: Option<String>,
    /// The last day (UTC), which is in it.
    #[arg(long, value_name = "DAY")]
    pub(crate) until: Option<String>,
    /// Only of the torrent with this info-hash.
    #[arg(long, value_name = "HASH")]
    pub(crate) torrent: Option<String>,
    /// Print rows by day, torrent and channel as CSV.
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}
