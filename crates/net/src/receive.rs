//! Turns the bytes of one connection into messages and blocks.
//!
//! Owns at most one unfinished frame header and one unfinished block a connection; everything else lies
//! in a scratch buffer that all connections of a shard share, so an idle peer costs no buffer.
//! A block's payload goes straight into a chunk: while a block is being received the first part of each
//! read lands in its chunk without another copy. What comes encrypted is decrypted where it landed, a whole
//! read at a time. Knows no torrent and makes no decision.

use piecework_mse::{MseFault, Rc4};
use piecework_types::BLOCK_BYTES;
use piecework_wire::{Decoded, Limits, Message, Request, WireFault};
use std::io::{self, IoSliceMut, Read};
use std::ops::DerefMut;

/// Bytes of the scratch buffer that the connections of a shard share.
pub const SCRATCH_BYTES: usize = 512 * 1024;

/// Reads one connection may make in one turn, so that a fast peer cannot starve the others.
const READS_PER_TURN_MAX: usize = 4;

/// Who takes what a connection received.
pub trait Sink {
    /// Memory for a block's payload: at least [`BLOCK_BYTES`] long.
    type Chunk: DerefMut<Target = [u8]>;

    /// A whole message. False: stop reading, the connection is to be closed.
    fn message(&mut self, message: Message) -> bool;

    /// A block's payload is coming. `None` if nobody asked for it: its bytes are skipped.
    fn accept(&mut self, request: Request) -> Option<Self::Chunk>;

    /// All bytes of an accepted block are in its chunk. False: stop reading.
    fn block(&mut self, request: Request, chunk: Self::Chunk) -> bool;
}

/// Why a connection cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The peer closed the connection.
    #[error("the peer closed the connection")]
    Closed,
    /// The operating system reports a broken connection.
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
    /// The peer broke the protocol.
    #[error("protocol fault of the peer: {0}")]
    Wire(#[from] WireFault),
    /// The peer does not complete the encrypted handshake that we began.
    #[error("encrypted handshake: {0}")]
    Mse(#[from] MseFault),
}

/// What one turn of reading achieved.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Received {
    /// Bytes taken from the socket.
    pub bytes: usize,
    /// The socket may hold more: call again before waiting for an event.
    pub more: bool,
}

struct Incoming<C> {
    request: Request,
    /// `None` while the bytes of an unwanted block are skipped.
    chunk: Option<C>,
    filled: usize,
}

/// The reading half of a connection.
pub struct Receiver<C> {
    /// An unfinished frame, shorter than the largest frame the limits allow.
    partial: Vec<u8>,
    incoming: Option<Incoming<C>>,
    cipher: Option<Box<Rc4>>,
}

impl<C> Default for Receiver<C> {
    fn default() -> Self {
        Self { partial: Vec::new(), incoming: None, cipher: None }
    }
}

impl<C: DerefMut<Target = [u8]>> Receiver<C> {
    /// A receiver that starts with bytes already read behind the handshake, and decrypted; what follows
    /// them is decrypted with `cipher`.
    pub fn with_leftover(leftover: Vec<u8>, cipher: Option<Box<Rc4>>) -> Self {
        Self { partial: leftover, incoming: None, cipher }
    }

    /// Whether a block that somebody asked for is half received.
    pub fn is_mid_block(&self) -> bool {
        self.incoming.as_ref().is_some_and(|block| block.chunk.is_some())
    }

    /// Handles bytes that came with the handshake, before any read.
    ///
    /// # Errors
    /// [`ReceiveError::Wire`] if they break the protocol.
    pub fn replay(
        &mut self,
        limits: &Limits,
        sink: &mut impl Sink<Chunk = C>,
    ) -> Result<bool, ReceiveError> {
        let bytes = std::mem::take(&mut self.partial);
        self.digest(&bytes, limits, sink)
    }

    /// Reads what the socket has, up to `budget` bytes, and hands it to the sink.
    ///
    /// # Errors
    /// When the connection ended or the peer broke the protocol. Everything before that was delivered.
    pub fn receive(
        &mut self,
        mut socket: impl Read,
        scratch: &mut [u8],
        budget: usize,
        limits: &Limits,
        sink: &mut impl Sink<Chunk = C>,
    ) -> Result<Received, ReceiveError> {
        let mut total = Received::default();
        for _ in 0..READS_PER_TURN_MAX {
            let room = budget.saturating_sub(total.bytes);
            if room == 0 {
                return Ok(Received { more: true, ..total });
            }
            let (got, wanted) = match self.read_once(&mut socket, scratch, room, limits, sink) {
                Ok(Some(step)) => step,
                Ok(None) => return Ok(total),
                Err(ReceiveError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Received { more: false, ..total });
                }
                Err(error) => return Err(error),
            };
            total.bytes += got;
            // A short read means the socket is empty: its next event will tell. (epoll(7), question 9)
            if got < wanted {
                return Ok(Received { more: false, ..total });
            }
        }
        Ok(Received { more: true, ..total })
    }

    /// One system call and what follows from it: bytes got and asked for; `None` if the sink said stop.
    fn read_once(
        &mut self,
        socket: &mut impl Read,
        scratch: &mut [u8],
        room: usize,
        limits: &Limits,
        sink: &mut impl Sink<Chunk = C>,
    ) -> Result<Option<(usize, usize)>, ReceiveError> {
        if self.partial.len() > scratch.len() / 2 {
            return self.read_long_frame(socket, scratch, room, limits, sink);
        }
        let held = self.partial.len();
        let mut direct = 0;
        let got;
        let wanted;
        match &mut self.incoming {
            Some(Incoming { request, chunk: Some(chunk), filled }) => {
                debug_assert_eq!(held, 0, "a frame header cannot be pending inside a block");
                let tail = &mut chunk[*filled..request.length as usize];
                direct = tail.len().min(room);
                let tail = &mut tail[..direct];
                let end = scratch.len().min(room - direct);
                wanted = direct + end;
                got = read_vectored(
                    socket,
                    &mut [IoSliceMut::new(tail), IoSliceMut::new(&mut scratch[..end])],
                )?;
                let (direct_got, end_got) = (got.min(direct), got.saturating_sub(direct));
                *filled += direct_got;
                decrypt(&mut self.cipher, [&mut tail[..direct_got], &mut scratch[..end_got]]);
            }
            _ => {
                scratch[..held].copy_from_slice(&self.partial);
                let end = scratch.len().min(held.saturating_add(room));
                wanted = end - held;
                got = read_vectored(socket, &mut [IoSliceMut::new(&mut scratch[held..end])])?;
                decrypt(&mut self.cipher, [&mut scratch[held..held + got]]);
                self.partial.clear();
            }
        }
        if got == 0 {
            return Err(ReceiveError::Closed);
        }
        if !self.finish_block_if_full(sink) {
            return Ok(None);
        }
        let tail_bytes = held + got.saturating_sub(direct);
        let go_on = self.digest(&scratch[..tail_bytes], limits, sink)?;
        Ok(go_on.then_some((got, wanted)))
    }

    /// A frame longer than half the scratch buffer, say the bitfield of millions of pieces, gathers in
    /// memory of its own; the decoder's limits bound it.
    fn read_long_frame(
        &mut self,
        socket: &mut impl Read,
        scratch: &mut [u8],
        room: usize,
        limits: &Limits,
        sink: &mut impl Sink<Chunk = C>,
    ) -> Result<Option<(usize, usize)>, ReceiveError> {
        let wanted = room.min(scratch.len());
        let got = read_vectored(socket, &mut [IoSliceMut::new(&mut scratch[..wanted])])?;
        if got == 0 {
            return Err(ReceiveError::Closed);
        }
        decrypt(&mut self.cipher, [&mut scratch[..got]]);
        let mut bytes = std::mem::take(&mut self.partial);
        bytes.extend_from_slice(&scratch[..got]);
        Ok(self.digest(&bytes, limits, sink)?.then_some((got, wanted)))
    }

    /// Decodes every frame in `bytes`; keeps an unfinished rest. False if the sink said stop.
    fn digest(
        &mut self,
        mut bytes: &[u8],
        limits: &Limits,
        sink: &mut impl Sink<Chunk = C>,
    ) -> Result<bool, ReceiveError> {
        loop {
            bytes = self.fill_block(bytes);
            if !self.finish_block_if_full(sink) {
                return Ok(false);
            }
            if bytes.is_empty() {
                return Ok(true);
            }
            match piecework_wire::decode(bytes, limits)? {
                Decoded::Incomplete { .. } => {
                    self.partial.clear();
                    self.partial.extend_from_slice(bytes);
                    return Ok(true);
                }
                Decoded::Skipped { consumed } => bytes = &bytes[consumed..],
                Decoded::Message { message, consumed } => {
                    bytes = &bytes[consumed..];
                    if !sink.message(message) {
                        return Ok(false);
                    }
                }
                Decoded::Block { request, header_bytes } => {
                    bytes = &bytes[header_bytes..];
                    let chunk = sink.accept(request).filter(|_| request.length <= BLOCK_BYTES);
                    self.incoming = Some(Incoming { request, chunk, filled: 0 });
                }
            }
        }
    }

    /// Moves payload into the unfinished block; returns what is left.
    fn fill_block<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(Incoming { request, chunk, filled }) = &mut self.incoming else { return bytes };
        let take = bytes.len().min(request.length as usize - *filled);
        let (payload, rest) = bytes.split_at(take);
        if let Some(chunk) = chunk {
            chunk[*filled..*filled + take].copy_from_slice(payload);
        }
        *filled += take;
        rest
    }

    fn finish_block_if_full(&mut self, sink: &mut impl Sink<Chunk = C>) -> bool {
        match self.incoming.take_if(|block| block.filled >= block.request.length as usize) {
            Some(Incoming { request, chunk: Some(chunk), .. }) => sink.block(request, chunk),
            Some(Incoming { chunk: None, .. }) | None => true,
        }
    }
}

fn decrypt<const N: usize>(cipher: &mut Option<Box<Rc4>>, spans: [&mut [u8]; N]) {
    if let Some(cipher) = cipher {
        spans.into_iter().for_each(|span| cipher.apply(span));
    }
}

fn read_vectored(socket: &mut impl Read, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    loop {
        match socket.read_vectored(slices) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
#[path = "receive/tests.rs"]
mod tests;
