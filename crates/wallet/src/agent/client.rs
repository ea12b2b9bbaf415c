//! The side of those who want something signed.

use super::frame::{REPLY_BYTES, Reply, Request};
use super::{AgentFault, place, system};
use crate::WalletFolder;
use piecework_pay::{Address, B256, Signature, Signer};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an agent may take to answer: it serves one after the other, each for a second at most.
const ANSWER_AFTER: Duration = Duration::from_secs(5);

/// An unlocked wallet: an agent that was there a moment ago.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Agent {
    file: PathBuf,
    pub(super) address: Address,
    left: Duration,
}

impl Agent {
    /// The agent of a wallet; none while the wallet is locked.
    ///
    /// # Errors
    /// When it was killed, speaks another version, or does not answer.
    pub fn find(folder: &WalletFolder) -> Result<Option<Self>, AgentFault> {
        let file = folder.agent_file();
        match ask(&file, Request::Status) {
            Ok(Reply::Unlocked { address, left }) => Ok(Some(Self { file, address, left })),
            Ok(Reply::Locked) | Err(AgentFault::Locked) => Ok(None),
            Ok(Reply::Signed(_) | Reply::Foreign) => Err(AgentFault::Version),
            Err(fault) => Err(fault),
        }
    }

    /// How long the wallet stays unlocked, from when the agent was found.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.left
    }

    /// Locks a wallet, and tells whether it was unlocked. What a killed agent left behind is removed.
    ///
    /// # Errors
    /// When the agent does not answer; then it may still hold the key.
    pub fn lock(folder: &WalletFolder) -> Result<bool, AgentFault> {
        match ask(&folder.agent_file(), Request::Lock) {
            Ok(Reply::Locked) => Ok(true),
            Ok(Reply::Unlocked { .. } | Reply::Signed(_) | Reply::Foreign) => {
                Err(AgentFault::Nonsense)
            }
            Err(AgentFault::Locked) => Ok(false),
            Err(AgentFault::Gone) => place::remove_stale(folder).map(|()| false),
            Err(fault) => Err(fault),
        }
    }
}

impl Signer for Agent {
    fn address(&self) -> Address {
        self.address
    }

    fn sign(&self, digest: &B256) -> Result<Signature, String> {
        let signed = match ask(&self.file, Request::Sign(*digest)) {
            Ok(Reply::Signed(signature)) => {
                let checked = signature.check(digest, self.address);
                checked.map(|()| signature).map_err(|_| AgentFault::Nonsense)
            }
            Ok(Reply::Locked) => Err(AgentFault::Locked),
            Ok(Reply::Unlocked { .. } | Reply::Foreign) => Err(AgentFault::Version),
            Err(fault) => Err(fault),
        };
        signed.map_err(|fault| fault.to_string())
    }
}

/// One question. Without a socket the wallet is locked.
fn ask(file: &Path, request: Request) -> Result<Reply, AgentFault> {
    let fault = |error| place::fault_of(file, error);
    let mut stream = place::connect(file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => AgentFault::Locked,
        ErrorKind::ConnectionRefused => AgentFault::Gone,
        _ => fault(error),
    })?;
    // Who else listens here could collect what is to be signed.
    if system::user_of(&stream).map_err(|error| fault(error.into()))? != system::user() {
        let error = ErrorKind::PermissionDenied;
        return Err(fault(std::io::Error::new(error, "another user listens here")));
    }
    stream.set_read_timeout(Some(ANSWER_AFTER)).map_err(fault)?;
    stream.set_write_timeout(Some(ANSWER_AFTER)).map_err(fault)?;
    let mut reply = [0; REPLY_BYTES];
    let asked = stream.write_all(&request.encode()).and_then(|()| stream.read_exact(&mut reply));
    match asked {
        Ok(()) => Ok(Reply::decode(&reply)),
        // It ended before it came to us.
        Err(error) if is_end(error.kind()) => Err(AgentFault::Locked),
        Err(error) => Err(fault(error)),
    }
}

fn is_end(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}
