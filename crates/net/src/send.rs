//! What waits to be written to one connection, in order, and how it reaches the socket.
//!
//! Small messages gather in one buffer; framed payload comes in pooled buffers of up to 16 blocks; a
//! place can be kept for payload that a worker still reads. One vectored write takes as much as the
//! socket accepts. On an encrypted connection all that can be written is encrypted where it lies: these
//! buffers are this connection's own. Knows no torrent and makes no decision.

use crate::frame::FrameBuffer;
use piecework_mse::Rc4;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

/// Slices given to one vectored write.
const SLICES_MAX: usize = 32;

/// Bytes that a new buffer for messages has room for: what a peer is greeted with fits in.
const FIRST_BYTES: usize = 1024;

/// Buffers below this are appended to instead of starting a new segment, bytes.
const SMALL_BYTES: usize = 4096;

/// Names payload that a worker is reading for this connection.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ReadToken(pub u64);

enum Segment {
    /// Messages; its memory is freed when written.
    Small(Vec<u8>),
    /// Framed blocks; its memory goes back to the driver's pool when written.
    Payload(FrameBuffer),
    /// Payload of so many bytes on its way from a worker: nothing behind it may overtake it.
    Waiting(ReadToken, usize),
}

impl Segment {
    /// What can be written of it; `None` while a worker still reads it.
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Small(buffer) => Some(buffer),
            Self::Payload(buffer) => Some(buffer.as_ref()),
            Self::Waiting(..) => None,
        }
    }

    /// The same, to be encrypted.
    fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        match self {
            Self::Small(buffer) => Some(buffer),
            Self::Payload(buffer) => Some(buffer.as_mut()),
            Self::Waiting(..) => None,
        }
    }
}

/// The cipher of a connection and how far its queue is encrypted: all segments before this one, and so
/// many bytes of it.
struct Seal {
    cipher: Box<Rc4>,
    segment: usize,
    bytes: usize,
}

/// The writing half of a connection.
#[derive(Default)]
pub struct Sender {
    segments: VecDeque<Segment>,
    /// Bytes of the first segment that are already written.
    written: usize,
    /// Bytes of framed payload queued or awaited.
    payload_bytes: usize,
    message_bytes: usize,
    seal: Option<Seal>,
}

/// How a flush ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flushed {
    /// Nothing is left to write (or only payload that is still being read).
    Empty,
    /// The socket takes no more for now: wait until it is writable.
    Blocked,
}

impl Sender {
    /// Encrypts what is appended from now on.
    pub fn encrypt(&mut self, cipher: Box<Rc4>) {
        let segment = self.segments.len().saturating_sub(1);
        let bytes = self.segments.back().and_then(Segment::bytes).map_or(0, <[u8]>::len);
        self.seal = Some(Seal { cipher, segment, bytes });
    }

    /// Framed payload queued and not yet accepted by the socket, bytes.
    pub fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// Messages queued and not yet accepted by the socket, bytes. The driver drops a peer that lets
    /// this grow: it asks and never reads.
    pub fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    /// Whether a flush could write something.
    pub fn has_work(&self) -> bool {
        !matches!(self.segments.front(), None | Some(Segment::Waiting(..)))
    }

    /// Appends a message by letting `encode` write it.
    pub fn message(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        if let Some(Segment::Small(buffer)) = self.segments.back_mut()
            && buffer.len() < SMALL_BYTES
        {
            let before = buffer.len();
            encode(buffer);
            self.message_bytes += buffer.len() - before;
            return;
        }
        let mut buffer = Vec::with_capacity(FIRST_BYTES);
        encode(&mut buffer);
        self.message_bytes += buffer.len();
        self.segments.push_back(Segment::Small(buffer));
    }

    /// Appends framed blocks.
    pub fn payload(&mut self, framed: FrameBuffer) {
        self.payload_bytes += framed.as_ref().len();
        self.segments.push_back(Segment::Payload(framed));
    }

    /// Keeps a place for framed blocks of `bytes` in all that a worker reads.
    pub fn wait_for(&mut self, token: ReadToken, bytes: usize) {
        self.payload_bytes += bytes;
        self.segments.push_back(Segment::Waiting(token, bytes));
    }

    /// Whether a place is kept for what this token names.
    pub fn awaits(&self, token: ReadToken) -> bool {
        let is_it = |segment: &Segment| matches!(segment, Segment::Waiting(of, _) if *of == token);
        self.segments.iter().any(is_it)
    }

    /// Puts what the worker read in its place; drops it if the token is unknown.
    pub fn arrived(&mut self, token: ReadToken, framed: FrameBuffer) {
        for segment in &mut self.segments {
            if let Segment::Waiting(waiting, bytes) = segment
                && *waiting == token
            {
                self.payload_bytes = self.payload_bytes - *bytes + framed.as_ref().len();
                *segment = Segment::Payload(framed);
                return;
            }
        }
    }

    /// Writes until nothing is left or the socket is full. Buffers that carried payload are given to
    /// `recycle`.
    ///
    /// # Errors
    /// Whatever the socket reports except `WouldBlock`.
    pub fn flush(
        &mut self,
        socket: &mut impl Write,
        mut recycle: impl FnMut(FrameBuffer),
    ) -> io::Result<Flushed> {
        self.seal();
        while self.has_work() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for (slot, segment) in slices.iter_mut().zip(&self.segments) {
                let Some(bytes) = segment.bytes() else { break };
                let from = if count == 0 { self.written } else { 0 };
                *slot = IoSlice::new(&bytes[from..]);
                count += 1;
            }
            match socket.write_vectored(&slices[..count]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => self.advance(bytes, &mut recycle),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Flushed::Blocked);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Flushed::Empty)
    }

    /// Encrypts all that can be written and is not encrypted yet, in the order of the stream.
    fn seal(&mut self) {
        let Some(Seal { cipher, segment, bytes }) = &mut self.seal else { return };
        while let Some(ready) = self.segments.get_mut(*segment).and_then(Segment::bytes_mut) {
            cipher.apply(&mut ready[*bytes..]);
            if *segment + 1 == self.segments.len() {
                // The last one may still grow.
                *bytes = self.segments[*segment].bytes().map_or(0, <[u8]>::len);
                return;
            }
            (*segment, *bytes) = (*segment + 1, 0);
        }
    }

    fn advance(&mut self, mut bytes: usize, recycle: &mut impl FnMut(FrameBuffer)) {
        while let Some(segment) = self.segments.front().filter(|_| bytes > 0) {
            let length = segment.bytes().map_or(0, <[u8]>::len);
            let step = bytes.min(length - self.written);
            self.written += step;
            bytes -= step;
            match segment {
                Segment::Payload(_) => self.payload_bytes -= step,
                Segment::Small(_) | Segment::Waiting(..) => self.message_bytes -= step,
            }
            if self.written == length {
                self.written = 0;
                if let Some(Segment::Payload(spent)) = self.segments.pop_front() {
                    recycle(spent);
                }
                if let Some(seal) = &mut self.seal {
                    // Only what is encrypted is written: the first segment was, or was the last.
                    match seal.segment.checked_sub(1) {
                        Some(before) => seal.segment = before,
                        None => seal.bytes = 0,
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::frame::FramePool;
    use piecework_wire::Request;

    fn framed(length: u32, byte: u8) -> FrameBuffer {
        let mut buffer =
            FramePool::default().take(piecework_wire::BLOCK_HEADER_BYTES + length as usize);
        let request = Request { piece: 0, begin: 0, length };
        buffer.frame([request], |places| places[0].fill(byte));
        buffer
    }

    /// A socket that takes `room` bytes and then blocks.
    struct Socket {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Socket {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let take = buf.len().min(self.room);
            self.taken.extend_from_slice(&buf[..take]);
            self.room -= take;
            Ok(take)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_overtakes_payload_that_a_worker_still_reads() {
        let mut sender = Sender::default();
        sender.message(|out| out.extend_from_slice(b"ab"));
        sender.wait_for(ReadToken(7), 17);
        sender.message(|out| out.extend_from_slice(b"yz"));
        let mut socket = Socket { taken: Vec::new(), room: 100 };
        assert_eq!(sender.flush(&mut socket, drop).unwrap(), Flushed::Empty);
        assert_eq!(socket.taken, b"ab");
        assert!(sender.awaits(ReadToken(7)) && !sender.awaits(ReadToken(8)));
        sender.arrived(ReadToken(8), framed(1, 0));
        let payload = framed(4, b'P');
        let expected = [b"ab", payload.as_ref(), b"yz"].concat();
        sender.arrived(ReadToken(7), payload);
        let mut spent = 0;
        assert_eq!(sender.flush(&mut socket, |_| spent += 1).unwrap(), Flushed::Empty);
        assert_eq!(socket.taken, expected);
        assert_eq!((spent, sender.payload_bytes(), sender.message_bytes()), (1, 0, 0));
        assert!(!sender.has_work());
    }

    #[test]
    fn an_encrypted_stream_is_the_plain_one_once_decrypted_whatever_the_socket_takes() {
        let key = [7; 20];
        for room in [1, 3, 10, 1000, 100_000] {
            let (mut sender, mut socket) =
                (Sender::default(), Socket { taken: Vec::new(), room: 0 });
            let mut expected = Vec::new();
            let step = |sender: &mut Sender, socket: &mut Socket| {
                socket.room = room;
                sender.flush(socket, drop).unwrap()
            };
            sender.message(|out| out.extend_from_slice(b"in the clear"));
            sender.encrypt(Box::new(Rc4::new(&key)));
            for round in 0..20_u8 {
                sender.message(|out| out.extend_from_slice(&[round; 5]));
                step(&mut sender, &mut socket);
                sender.message(|out| out.extend_from_slice(&[round; 7]));
                sender.wait_for(ReadToken(u64::from(round)), 17);
                sender.payload(framed(100, round));
                step(&mut sender, &mut socket);
                sender.arrived(ReadToken(u64::from(round)), framed(4, !round));
                let (waited, block) = (framed(4, !round), framed(100, round));
                expected.extend([&[round; 12][..], waited.as_ref(), block.as_ref()].concat());
            }
            while step(&mut sender, &mut socket) == Flushed::Blocked {}
            let (clear, sealed) = socket.taken.split_at_mut(12);
            assert_eq!(clear, b"in the clear");
            Rc4::new(&key).apply(sealed);
            assert_eq!(sealed, expected, "{room} bytes at a time");
        }
    }

    #[test]
    fn goes_on_in_the_middle_of_a_buffer_after_a_full_socket() {
        let mut sender = Sender::default();
        let (first, second) = (framed(1000, 1), framed(1000, 2));
        let expected = [first.as_ref(), second.as_ref()].concat();
        sender.payload(first);
        sender.payload(second);
        let mut socket = Socket { taken: Vec::new(), room: 1500 };
        assert_eq!(sender.flush(&mut socket, drop).unwrap(), Flushed::Blocked);
        assert_eq!(sender.payload_bytes(), expected.len() - 1500);
        socket.room = 10_000;
        assert_eq!(sender.flush(&mut socket, drop).unwrap(), Flushed::Empty);
        assert_eq!(socket.taken, expected);
    }
}
