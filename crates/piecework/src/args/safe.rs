//! What a person can ask of a daemon's things as a whole: to take them over, put them away, bring them back.

use super::PasswordArgs;
use super::client::ClientArgs;
use super::daemon::PlaceArg;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Another client.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum OtherClient {
    /// qBittorrent 4 and 5
    Qbittorrent,
    /// Transmission 3 and 4
    Transmission,
}

/// `piecework import`
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// Which client.
    pub(crate) from: OtherClient,
    /// Its profile, on the daemon's machine: the folder with BT_backup, or with torrents and resume
    /// [default: where that client keeps it in the home folder].
    pub(crate) profile: Option<PathBuf>,
    /// Read it all, say what would happen, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `piecework backup` and `piecework restore`
#[derive(Args, Debug)]
pub(crate) struct SafeArgs {
    /// The backup.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    #[command(flatten)]
    pub(crate) place: PlaceArg,
}
