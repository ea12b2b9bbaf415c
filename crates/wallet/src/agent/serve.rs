//! The side of the agent: requests of the same user are answered one after the other, until the key is gone.

use super::frame::{REQUEST_BYTES, Reply, Request};
use super::place::AgentSocket;
use super::system;
use crate::Unlocked;
use piecework_pay::Key;
use piecework_types::Time;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// What one program may take of the agent's time.
const REQUEST_AFTER: Duration = Duration::from_secs(1);
/// The longest time between two looks at the clock: a poll's own time stands still while the machine sleeps.
const LOOK_AFTER: Duration = Duration::from_secs(30);

/// What the agent's loop asks of its surroundings, so that tests can have others.
pub(super) struct Surroundings<'a> {
    /// The time.
    pub(super) now: &'a dyn Fn() -> Time,
    /// Whom it serves.
    pub(super) user: u32,
}

impl AgentSocket {
    /// Serves until the key is locked, by somebody or by itself after `duration`. The key is wiped then.
    ///
    /// # Errors
    /// When the socket gives out; the key is wiped then as well.
    pub fn serve(self, key: Key, duration: Duration) -> io::Result<()> {
        let mut unlocked = Unlocked::new(key, system::now(), duration);
        let around = Surroundings { now: &system::now, user: system::user() };
        self.serve_with(&mut unlocked, &around)
    }

    pub(super) fn serve_with(
        self,
        unlocked: &mut Unlocked,
        around: &Surroundings<'_>,
    ) -> io::Result<()> {
        loop {
            let now = (around.now)();
            if unlocked.key(now).is_none() {
                return Ok(());
            }
            self.wait(unlocked.locks_at().since(now).min(LOOK_AFTER))?;
            match self.listener.accept() {
                // What one program does wrong is its own affair.
                Ok((stream, _)) => drop(serve_one(stream, unlocked, around)),
                Err(error) if may_pass(error.kind()) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn wait(&self, most: Duration) -> io::Result<()> {
        let mut listener = [PollFd::new(&self.listener, PollFlags::IN)];
        // A moment more, so that the time is over when it returns.
        let most = Timespec::try_from(most + Duration::from_millis(1)).ok();
        match poll(&mut listener, most.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn serve_one(
    mut stream: UnixStream,
    unlocked: &mut Unlocked,
    around: &Surroundings<'_>,
) -> io::Result<()> {
    if system::user_of(&stream)? != around.user {
        return Ok(());
    }
    stream.set_nonblocking(false)?;
    let request = read(&mut stream, Instant::now() + REQUEST_AFTER)?;
    let reply = answer(Request::decode(&request), unlocked, (around.now)());
    stream.set_write_timeout(Some(REQUEST_AFTER))?;
    stream.write_all(&reply.encode())
}

/// What an agent makes of a request.
pub(super) fn answer(request: Option<Request>, unlocked: &mut Unlocked, now: Time) -> Reply {
    let left = unlocked.locks_at().since(now);
    match (request, unlocked.key(now)) {
        (None, _) => Reply::Foreign,
        (Some(Request::Lock), _) => {
            unlocked.lock();
            Reply::Locked
        }
        (Some(_), None) => Reply::Locked,
        (Some(Request::Status), Some(key)) => Reply::Unlocked { address: key.address(), left },
        (Some(Request::Sign(digest)), Some(key)) => Reply::Signed(key.sign(&digest)),
    }
}

/// A whole request, however slowly it comes, but until `deadline` only.
fn read(stream: &mut UnixStream, deadline: Instant) -> io::Result<[u8; REQUEST_BYTES]> {
    let (mut request, mut have) = ([0; REQUEST_BYTES], 0);
    while have < REQUEST_BYTES {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut request[have..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => have += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(request)
}

fn may_pass(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted)
}
