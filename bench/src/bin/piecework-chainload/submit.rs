//! Sends the prepared transfers over a number of connections, each with one request under way.
//!
//! One thread and one poll: what the generator costs is taken from the chain on a machine of two cores.

use crate::rpc;
use alloy_primitives::hex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What came of the requests.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Transfers in them.
    pub(crate) submitted: u64,
    /// Transfers the node took.
    pub(crate) accepted: u64,
    /// What it said of the first it did not take.
    pub(crate) refusal: Option<String>,
    /// When each transfer was sent, by its place, since the start.
    pub(crate) times: Vec<Duration>,
}

impl Sent {
    /// Whether more than these `requests` could have been sent in the time.
    pub(crate) fn is_used_up(&self, requests: usize, pace: Pace) -> bool {
        self.times.len() >= requests && allowed(pace, pace.lasts, usize::MAX) > requests + 1
    }
}

/// How to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) node: SocketAddr,
    pub(crate) batch: usize,
    pub(crate) connections: usize,
    /// Transfers a second at most.
    pub(crate) rate: Option<u32>,
    pub(crate) lasts: Duration,
}

/// The requests that carry `transfers`, ready to write.
pub(crate) fn requests(node: SocketAddr, transfers: &[Vec<u8>], batch: usize) -> Vec<Vec<u8>> {
    let call = |transfer: &Vec<u8>| {
        let raw = hex::encode(transfer);
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x{raw}"]}}"#
        )
    };
    let body = |part: &[Vec<u8>]| match part {
        [transfer] => call(transfer),
        part => format!("[{}]", part.iter().map(call).collect::<Vec<_>>().join(",")),
    };
    transfers.chunks(batch).map(|part| rpc::request(node, &body(part))).collect()
}

struct Connection {
    stream: TcpStream,
    /// The request under way, and how much of it is written.
    request: Option<(usize, usize)>,
    answer: Vec<u8>,
}

/// Sends until the time is over or nothing is left, and waits for the last answers.
pub(crate) fn send(requests: &[Vec<u8>], pace: Pace) -> io::Result<Sent> {
    let mut connections = Vec::with_capacity(pace.connections);
    for _ in 0..pace.connections {
        let stream = TcpStream::connect(pace.node)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        connections.push(Connection { stream, request: None, answer: Vec::new() });
    }
    let (mut sent, mut next, start) = (Sent::default(), 0, Instant::now());
    let mut part = vec![0; 256 * 1024];
    loop {
        let is_over = start.elapsed() >= pace.lasts || next >= requests.len();
        let allowed = allowed(pace, start.elapsed(), requests.len());
        for connection in &mut connections {
            if connection.request.is_none() && !is_over && next < allowed {
                sent.times.push(start.elapsed());
                connection.request = Some((next, 0));
                sent.submitted += pace.batch as u64;
                next += 1;
            }
            turn(connection, requests, &mut part, &mut sent)?;
        }
        if is_over && connections.iter().all(|it| it.request.is_none()) {
            return Ok(sent);
        }
        wait(&connections, requests)?;
    }
}

/// Requests that may have begun by now.
fn allowed(pace: Pace, elapsed: Duration, all: usize) -> usize {
    let Some(rate) = pace.rate else { return all };
    (elapsed.as_secs_f64() * f64::from(rate) / pace.batch as f64) as usize + 1
}

/// Writes what can be written and reads what has come.
fn turn(
    connection: &mut Connection,
    requests: &[Vec<u8>],
    part: &mut [u8],
    sent: &mut Sent,
) -> io::Result<()> {
    let Some((number, written)) = &mut connection.request else { return Ok(()) };
    let request = &requests[*number];
    while *written < request.len() {
        match connection.stream.write(&request[*written..]) {
            Ok(bytes) => *written += bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    match connection.stream.read(part) {
        Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the node hung up")),
        Ok(bytes) => connection.answer.extend_from_slice(&part[..bytes]),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error),
    }
    let Some((body, end)) = rpc::body(&connection.answer).map_err(io::Error::other)? else {
        return Ok(());
    };
    let taken = body.windows(8).filter(|it| it == b"\"result\"").count();
    sent.accepted += taken as u64;
    if sent.refusal.is_none() && body.windows(7).any(|it| it == b"\"error\"") {
        sent.refusal = Some(String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned());
    }
    connection.answer.drain(..end);
    connection.request = None;
    Ok(())
}

/// Waits for a socket, a millisecond at most: then the pace may allow more.
fn wait(connections: &[Connection], requests: &[Vec<u8>]) -> io::Result<()> {
    let flags = |connection: &Connection| match connection.request {
        Some((number, written)) if written < requests[number].len() => PollFlags::OUT,
        _ => PollFlags::IN,
    };
    let mut polled: Vec<_> =
        connections.iter().map(|it| PollFd::new(&it.stream, flags(it))).collect();
    let patience = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    match poll(&mut polled, Some(&patience)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
