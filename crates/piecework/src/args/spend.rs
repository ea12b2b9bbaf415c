//! Options of every command that signs.

use super::PasswordArgs;
use clap::Args;

/// Options of every command that signs.
#[derive(Args, Debug)]
pub(crate) struct SpendArgs {
    /// Do it without asking.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}
