//! A blocking connection that speaks the peer wire: handshakes, messages, blocks, or any bytes at all.
//!
//! Reading keeps to the limits of the wire crate, so what the node under test sends is checked too.
//! Writing has no rules: a byzantine peer needs none. It must not know torrents.

use piecework_types::{InfoHash, PeerId};
use piecework_wire::{
    Decoded, HANDSHAKE_BYTES, Handshake, HandshakeStep, Limits, Message, Request, Reserved,
    WireFault, block_header, decode, encode,
};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;

/// Why a connection is of no more use.
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamError {
    /// The other side closed it, or the system did.
    Closed(io::Error),
    /// The other side sent what no client may send.
    Fault(WireFault),
    /// Nothing came before the deadline.
    Silence(&'static str),
}

impl std::fmt::Display for StreamError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed(error) => write!(f, "the connection was closed: {error}"),
            Self::Fault(fault) => write!(f, "the other side breaks the protocol: {fault}"),
            Self::Silence(expected) => write!(f, "expected {expected} and nothing came"),
        }
    }
}

impl std::error::Error for StreamError {}

impl From<io::Error> for StreamError {
    fn from(error: io::Error) -> Self {
        Self::Closed(error)
    }
}

impl From<WireFault> for StreamError {
    fn from(fault: WireFault) -> Self {
        Self::Fault(fault)
    }
}

/// What came in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Incoming {
    /// A message without payload.
    Message(Message),
    /// A block and its bytes.
    Block(Request, Vec<u8>),
}

/// A connection to one peer.
#[derive(Debug)]
pub struct PeerStream {
    stream: TcpStream,
    unread: Vec<u8>,
    limits: Limits,
}

impl PeerStream {
    /// Takes over a connected socket.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, unread: Vec::new(), limits: Limits::default() })
    }

    /// Connects to a peer.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::new(TcpStream::connect_timeout(&address, PATIENCE)?)
    }

    /// A handle that can end the connection from another thread.
    pub(crate) fn handle(&self) -> io::Result<TcpStream> {
        self.stream.try_clone()
    }

    /// Our port of the connection: another one for each connection that is open.
    pub(crate) fn local_port(&self) -> io::Result<u16> {
        Ok(self.stream.local_addr()?.port())
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection is closed.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When the connection is closed.
    pub fn send(&mut self, message: &Message) -> Result<(), StreamError> {
        let mut frame = Vec::new();
        encode(message, &mut frame);
        self.send_bytes(&frame)
    }

    /// Sends a block.
    ///
    /// # Errors
    /// When the connection is closed.
    pub fn send_block(&mut self, block: Request, data: &[u8]) -> Result<(), StreamError> {
        self.send_bytes(&[block_header(block).as_slice(), data].concat())
    }

    /// Sends an ordinary handshake.
    ///
    /// # Errors
    /// When the connection is closed.
    pub fn send_handshake(
        &mut self,
        info_hash: InfoHash,
        peer_id: PeerId,
    ) -> Result<(), StreamError> {
        let handshake = Handshake { reserved: Reserved::ours().with_v2(), info_hash, peer_id };
        self.send_bytes(&handshake.encode())
    }

    /// Waits for the other side's handshake.
    ///
    /// # Errors
    /// When it does not come or is none.
    pub fn receive_handshake(&mut self) -> Result<Handshake, StreamError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let HandshakeStep::Complete(handshake) = Handshake::decode(&self.unread)? {
                self.unread.drain(..HANDSHAKE_BYTES);
                return Ok(handshake);
            }
            if !self.fill(deadline)? {
                return Err(StreamError::Silence("a handshake"));
            }
        }
    }

    /// The next message or block; `None` if none is there after `wait`.
    ///
    /// # Errors
    /// When the connection is closed or the other side breaks the protocol.
    pub fn receive(&mut self, wait: Duration) -> Result<Option<Incoming>, StreamError> {
        let deadline = Instant::now() + wait;
        loop {
            if let Some(incoming) = self.next_buffered()? {
                return Ok(Some(incoming));
            }
            if !self.fill(deadline)? {
                return Ok(None);
            }
        }
    }

    /// Reads and forgets until the other side closes the connection; false if it does not.
    pub fn is_closed_within(&mut self, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        loop {
            self.unread.clear();
            match self.fill(deadline) {
                Ok(true) => {}
                Ok(false) => return false,
                Err(_) => return true,
            }
        }
    }

    fn next_buffered(&mut self) -> Result<Option<Incoming>, StreamError> {
        let (incoming, consumed) = match decode(&self.unread, &self.limits)? {
            Decoded::Incomplete { .. } => return Ok(None),
            Decoded::Message { message, consumed } => (Some(Incoming::Message(message)), consumed),
            Decoded::Skipped { consumed } => (None, consumed),
            Decoded::Block { request, header_bytes } => {
                let end = header_bytes + request.length as usize;
                let Some(data) = self.unread.get(header_bytes..end) else { return Ok(None) };
                (Some(Incoming::Block(request, data.to_vec())), end)
            }
        };
        self.unread.drain(..consumed);
        match incoming {
            Some(incoming) => Ok(Some(incoming)),
            None => self.next_buffered(),
        }
    }

    /// Reads what is there; false when nothing came before the deadline.
    fn fill(&mut self, deadline: Instant) -> Result<bool, StreamError> {
        // A timeout of zero would mean none.
        let rest = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.stream.set_read_timeout(Some(rest))?;
        let start = self.unread.len();
        self.unread.resize(start + READ_BYTES, 0);
        let result = self.stream.read(&mut self.unread[start..]);
        self.unread.truncate(start + *result.as_ref().unwrap_or(&0));
        match result {
            Ok(0) => Err(StreamError::Closed(ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(true),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(false),
                ErrorKind::Interrupted => Ok(Instant::now() < deadline),
                _ => Err(error.into()),
            },
        }
    }
}

impl Drop for PeerStream {
    fn drop(&mut self) {
        // Other handles to the socket may still be there.
        drop(self.stream.shutdown(Shutdown::Both));
    }
}
