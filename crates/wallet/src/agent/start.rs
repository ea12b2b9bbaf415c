//! Starting an agent: a process that gets the key through a pipe and outlives who started it.

use super::{Agent, AgentFault};
use crate::{Keystore, WalletFolder};
use piecework_pay::Key;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What an agent says once it listens; anything else is why it does not.
pub const AGENT_READY: &str = "ready";
/// Bytes of what it says at most.
const SAID_BYTES_MAX: u64 = 4096;

impl Agent {
    /// The agent of the wallet whose keystore this is; none while the wallet is locked.
    ///
    /// # Errors
    /// As [`Self::find`]; and when it holds the key of another wallet.
    pub fn of(folder: &WalletFolder, keystore: &Keystore) -> Result<Option<Self>, AgentFault> {
        let agent = Self::find(folder)?;
        let is_other = |agent: &Self| keystore.address().is_some_and(|it| it != agent.address);
        match agent {
            Some(agent) if is_other(&agent) => Err(AgentFault::OtherWallet),
            agent => Ok(agent),
        }
    }

    /// Has the program that this process is hold the key of the wallet in a state folder, by its command
    /// `wallet hold`. When this returns, it listens; one that was there has given way.
    ///
    /// # Errors
    /// When it does not start, or says why it cannot listen.
    pub fn start(state: &Path, key: &Key, duration: Duration) -> Result<(), AgentFault> {
        let not_started = |why: String| AgentFault::NotStarted { why };
        let io = |error: std::io::Error| not_started(error.to_string());
        let (program, state) =
            (std::env::current_exe().map_err(io)?, std::path::absolute(state).map_err(io)?);
        let mut command = Command::new(program);
        command.args(["wallet", "hold", "--for", &format!("{}s", duration.as_secs()), "--state"]);
        // No folder is kept in use by a process that nobody sees.
        command.arg(state).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(io)?;
        // It may have ended before it reads; why stands on its stdout.
        let given = child.stdin.take().map(|mut stdin| stdin.write_all(key.secret()));
        let mut said = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout.take(SAID_BYTES_MAX)).read_line(&mut said).map_err(io)?;
        }
        // Whoever lives longer than an agent would have it as a dead child.
        let reaper = std::thread::Builder::new().name("agent".into());
        drop(reaper.spawn(move || drop(child.wait())));
        match (said.trim(), given) {
            (AGENT_READY, _) => Ok(()),
            ("", Some(Err(error))) => Err(io(error)),
            ("", _) => Err(not_started("it ended".into())),
            (why, _) => Err(not_started(why.into())),
        }
    }
}
