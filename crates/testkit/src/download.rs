//! A downloader that checks what it gets: the other half of a test of a seed.

use crate::fixture::Fixture;
use crate::patience::PATIENCE;
use crate::stream::{Incoming, PeerStream, StreamError};
use piecework_types::{Bitfield, PeerId};
use piecework_wire::{Message, Request};
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Requests on their way at once.
const REQUESTS_MAX: usize = 64;

/// What a download brought.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Downloaded {
    /// Payload bytes, each block once and each as the torrent says.
    pub bytes: u64,
    /// Pieces the other side says it has.
    pub pieces: u32,
}

/// Why a download is not what it should be.
#[derive(Debug)]
#[non_exhaustive]
pub enum DownloadError {
    /// The connection broke.
    Stream(StreamError),
    /// A block with other bytes than the torrent's.
    WrongBytes(Request),
    /// A block that was not asked for.
    Unasked(Request),
    /// A request that was rejected.
    Rejected(Request),
    /// The other side lacks pieces, or does not unchoke, or stops sending.
    Stuck {
        /// Pieces that the other side has.
        pieces: u32,
        /// Bytes that came.
        bytes: u64,
        /// Whether it unchoked us.
        is_unchoked: bool,
    },
}

impl fmt::Display for DownloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(error) => error.fmt(f),
            Self::WrongBytes(block) => write!(f, "wrong bytes in {block:?}"),
            Self::Unasked(block) => write!(f, "nobody asked for {block:?}"),
            Self::Rejected(block) => write!(f, "rejected: {block:?}"),
            Self::Stuck { pieces, bytes, is_unchoked } => {
                write!(f, "stuck after {bytes} bytes of {pieces} pieces, unchoked: {is_unchoked}")
            }
        }
    }
}

impl std::error::Error for DownloadError {}

impl<E: Into<StreamError>> From<E> for DownloadError {
    fn from(error: E) -> Self {
        Self::Stream(error.into())
    }
}

/// Downloads every piece that the peer at `address` has and compares each byte.
///
/// # Errors
/// When the peer does not give the whole torrent, as it is.
pub fn download(fixture: &Fixture, address: SocketAddr) -> Result<Downloaded, DownloadError> {
    let mut stream = connect(fixture, address)?;
    stream.send(&Message::Interested)?;
    let count = fixture.grid().piece_count();
    Download { fixture, stream, pieces: Bitfield::new(count), bytes: 0, is_unchoked: false }.run()
}

/// The pieces that the peer at `address` says it has when it greets.
///
/// # Errors
/// When it does not greet.
pub fn claimed_pieces(fixture: &Fixture, address: SocketAddr) -> Result<Bitfield, StreamError> {
    let mut stream = connect(fixture, address)?;
    let count = fixture.grid().piece_count();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match stream.receive(PATIENCE)? {
            Some(Incoming::Message(Message::HaveAll)) => return Ok(Bitfield::full(count)),
            Some(Incoming::Message(Message::HaveNone)) => return Ok(Bitfield::new(count)),
            Some(Incoming::Message(Message::Bitfield(bits))) => return bitfield(&bits, count),
            Some(_) | None => {}
        }
    }
    Err(StreamError::Silence("a bitfield"))
}

fn connect(fixture: &Fixture, address: SocketAddr) -> Result<PeerStream, StreamError> {
    let mut stream = PeerStream::connect(address)?;
    let mut peer_id = PeerId(*b"-TK0001-downloader--");
    let local = stream.local_port()?.to_be_bytes();
    peer_id.0[18..].copy_from_slice(&local);
    stream.send_handshake(fixture.info_hash(), peer_id)?;
    stream.receive_handshake()?;
    stream.send(&Message::HaveNone)?;
    Ok(stream)
}

fn bitfield(bits: &[u8], count: u32) -> Result<Bitfield, StreamError> {
    Bitfield::from_wire(bits, count)
        .map_err(|_| StreamError::Silence("a bitfield of the right size"))
}

struct Download<'a> {
    fixture: &'a Fixture,
    stream: PeerStream,
    pieces: Bitfield,
    bytes: u64,
    is_unchoked: bool,
}

impl Download<'_> {
    fn run(mut self) -> Result<Downloaded, DownloadError> {
        let grid = self.fixture.grid();
        let spans = grid.pieces().flat_map(|piece| grid.blocks(piece));
        let mut wanted: Vec<Request> = spans
            .map(|it| Request { piece: it.piece.get(), begin: it.begin, length: it.length })
            .collect();
        wanted.reverse();
        let mut asked = Vec::new();
        let mut deadline = Instant::now() + PATIENCE;
        while !wanted.is_empty() || !asked.is_empty() {
            while self.is_unchoked && self.pieces.is_full() && asked.len() < REQUESTS_MAX {
                let Some(request) = wanted.pop() else { break };
                self.stream.send(&Message::Request(request))?;
                asked.push(request);
            }
            let incoming = self.stream.receive(Duration::from_millis(100))?;
            if incoming.is_some() {
                deadline = Instant::now() + PATIENCE;
            } else if Instant::now() >= deadline {
                let (pieces, bytes) = (self.pieces.count(), self.bytes);
                return Err(DownloadError::Stuck { pieces, bytes, is_unchoked: self.is_unchoked });
            }
            match incoming {
                Some(Incoming::Block(block, data)) => self.take_block(block, &data, &mut asked)?,
                Some(Incoming::Message(message)) => self.take(message)?,
                None => {}
            }
        }
        Ok(Downloaded { bytes: self.bytes, pieces: self.pieces.count() })
    }

    fn take(&mut self, message: Message) -> Result<(), DownloadError> {
        let count = self.fixture.grid().piece_count();
        match message {
            Message::HaveAll => self.pieces = Bitfield::full(count),
            Message::Bitfield(bits) => {
                self.pieces = bitfield(&bits, count)?;
            }
            Message::Have(piece) => {
                self.fixture.grid().piece(piece).map(|piece| self.pieces.insert(piece));
            }
            Message::Unchoke => self.is_unchoked = true,
            Message::Choke => self.is_unchoked = false,
            Message::Reject(request) => return Err(DownloadError::Rejected(request)),
            _ => {}
        }
        Ok(())
    }

    fn take_block(
        &mut self,
        block: Request,
        data: &[u8],
        asked: &mut Vec<Request>,
    ) -> Result<(), DownloadError> {
        let Some(at) = asked.iter().position(|request| *request == block) else {
            return Err(DownloadError::Unasked(block));
        };
        asked.swap_remove(at);
        if self.fixture.block(block).as_deref() != Some(data) {
            return Err(DownloadError::WrongBytes(block));
        }
        self.bytes += data.len() as u64;
        Ok(())
    }
}
