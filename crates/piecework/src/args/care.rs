//! What a person can ask about the daemon as a whole: its service, its health.

use crate::args::daemon::{PlaceArg, SetArgs};
use clap::{Args, Subcommand};

/// `piecework service`
#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Write a unit for systemd's user manager, and start it.
    Install(ServiceArgs),
    /// End the daemon and take the unit away. Downloads, settings and wallet stay.
    Remove,
}

/// `piecework service install`
#[derive(Args, Debug)]
pub(crate) struct ServiceArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArg,
}

/// `piecework doctor`
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArg,
    #[command(flatten)]
    pub(crate) set: SetArgs,
}
