//! The agent: a process that keeps the key of one unlocked wallet in its memory, and signs with it for
//! programs of the same user, until it is told to lock, its time is over, or it ends.
//!
//! It listens at a socket in the wallet's own folder, which nobody else enters. Programs get signatures and
//! never the key. What it cannot do is tell a good request from a bad one: whoever runs as the wallet's user
//! has anything signed while the wallet is unlocked, and nothing afterwards.

mod client;
mod frame;
mod place;
mod serve;
mod start;
mod system;

#[cfg(test)]
mod tests;

pub use client::Agent;
pub use place::AgentSocket;
pub use start::AGENT_READY;
pub use system::shield;

use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why an agent is of no use, or cannot be one.
#[derive(Debug, Error)]
pub enum AgentFault {
    /// A socket that nobody listens at.
    #[error(
        "the agent that held the wallet's key was killed, or the machine was: the wallet is locked; \
         `piecework wallet unlock` unlocks it again"
    )]
    Gone,
    /// Its time was over, or somebody else locked it.
    #[error("the wallet is locked: `piecework wallet unlock` unlocks it")]
    Locked,
    /// An agent that speaks otherwise.
    #[error(
        "another version of Piecework holds the wallet's key: `piecework wallet lock`, then unlock it again"
    )]
    Version,
    /// A signature of nobody, or of somebody else.
    #[error(
        "what the wallet's agent signed is worth nothing: `piecework wallet lock`, then unlock it again"
    )]
    Nonsense,
    /// It has the wallet, and cannot be talked to.
    #[error(
        "another agent, process {process}, holds the wallet's key and does not answer: end it, then try again"
    )]
    Busy {
        /// Its number, as it wrote it down.
        process: String,
    },
    /// The key of a wallet whose file is gone.
    #[error(
        "the agent holds the key of a wallet that was here before: `piecework wallet lock` ends it"
    )]
    OtherWallet,
    /// The process.
    #[error("cannot start the process that keeps the wallet unlocked: {why}")]
    NotStarted {
        /// What it says, or the system.
        why: String,
    },
    /// The socket, its folder or its lock.
    #[error("{}: {error}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}
