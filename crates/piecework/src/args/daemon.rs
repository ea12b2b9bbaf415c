//! What a person can ask of a daemon: to run, and where it is.

use super::client::ClientArgs;
use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Which daemon.
#[derive(Args, Clone, Debug)]
pub(crate) struct PlaceArg {
    /// Folder of everything that the daemon keeps, settings and downloads too unless they say otherwise
    /// [default: folders of the XDG base directory specification].
    #[arg(long, value_name = "DIR", env = "PIECEWORK_DATA_DIR", hide_env_values = true)]
    pub(crate) data_dir: Option<PathBuf>,
    /// The settings file [default: piecework.toml in the configuration folder].
    #[arg(long, value_name = "FILE", env = "PIECEWORK_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
}

/// Settings on the command line.
#[derive(Args, Clone, Debug)]
pub(crate) struct SetArgs {
    /// Set a setting for this run, as docs/settings.md names it. May be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<Assignment>,
}

/// A setting and its value.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl std::str::FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) =
            text.split_once('=').ok_or_else(|| format!("expected KEY=VALUE, got {text:?}"))?;
        Ok(Self { key: key.trim().into(), value: value.trim().into() })
    }
}

/// `piecework up`
#[derive(Args, Debug)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArg,
    #[command(flatten)]
    pub(crate) set: SetArgs,
    /// Where programs and browsers reach it: short for --set api.listen=. May be repeated.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Vec<SocketAddr>,
    /// Port for incoming connections of peers: short for --set net.port=.
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
}

/// `piecework password`
#[derive(Args, Debug)]
pub(crate) struct PasswordArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArg,
    /// Take the password from the first line of a file, "-" for stdin, instead of asking for it.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// `piecework config`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Tell everything that is wrong with the settings; exit status 0 if nothing is, 1 if something is.
    Check(ConfigArgs),
    /// Show all settings, as a daemon started now would read them.
    Show {
        #[command(flatten)]
        config: ConfigArgs,
        /// Say where each value comes from.
        #[arg(long)]
        origin: bool,
    },
    /// Change settings of a running daemon; it writes them down.
    Set {
        /// A setting, as docs/settings.md names it. May be repeated.
        #[arg(required = true, value_name = "KEY=VALUE")]
        changes: Vec<Assignment>,
        #[command(flatten)]
        client: ClientArgs,
    },
}

/// Which settings.
#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArg,
    #[command(flatten)]
    pub(crate) set: SetArgs,
}
