//! `piecework chain`: a chain of one's own, and the networks of others.

mod alloc;
mod backup;
mod deploy;
mod faucet;
mod init;
mod join;
mod run;
mod share;
mod status;

use crate::args::Common;
use crate::args::chain::ChainCommand;
use crate::failure::Failure;
use crate::out::Out;
use crate::session::state_dir;
use std::path::PathBuf;

/// Runs the command.
pub(crate) fn run(command: &ChainCommand, common: &Common, out: Out) -> Result<(), Failure> {
    let folder = chain_dir(common)?;
    match command {
        ChainCommand::Init(args) => init::run(args, &state_dir(common)?, &folder, out),
        ChainCommand::Run(args) => run::run(args, &state_dir(common)?, &folder, out),
        ChainCommand::Status(args) => status::run(args, &state_dir(common)?, out),
        ChainCommand::Share(args) => share::run(args, &folder, out),
        ChainCommand::Join(args) => join::run(args, common, out),
        ChainCommand::Deploy(args) => deploy::run(args, common, out),
        ChainCommand::Faucet { address, spend } => faucet::run(address, spend, common, out),
        ChainCommand::Backup { folder: to } => backup::save(&folder, to, out),
        ChainCommand::Restore { folder: from } => backup::restore(&folder, from, out),
    }
}

/// Where the chain of this state folder lies.
fn chain_dir(common: &Common) -> Result<PathBuf, Failure> {
    Ok(state_dir(common)?.join("chain"))
}
