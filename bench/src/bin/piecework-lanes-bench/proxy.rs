//! A line that takes its time: what passes is delayed, and what passes when is noted.

use crate::market::PATIENCE;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of the handshake that comes before messages (BEP 3).
const HANDSHAKE_BYTES: usize = 68;
/// Messages by their numbers (BEP 3, BEP 10).
const PIECE: u8 = 7;
const EXTENDED: u8 = 20;

/// How a sealed message of `pw_pay` begins.
const SEALED: &[u8] = b"d1:ti12e";

/// What has passed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum What {
    /// The extension handshake of BEP 10.
    Extensions,
    /// A sealed message.
    Sealed,
    /// A block.
    Block,
}

/// Something that the called side has said, or the caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Note {
    pub(crate) at: Instant,
    pub(crate) is_callers: bool,
    pub(crate) what: What,
}

/// The line of one call.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) notes: Receiver<Note>,
}

impl Proxy {
    /// Waits for one call and leads it to `called`; each direction takes `delay`.
    pub(crate) fn open(called: SocketAddr, delay: Duration) -> Result<Self, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(|error| format!("no free port on loopback: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let (sender, notes) = channel();
        thread::spawn(move || {
            let Ok((caller, _)) = listener.accept() else { return };
            let Ok(called) = TcpStream::connect(called) else { return };
            let (Ok(to_caller), Ok(to_called)) = (caller.try_clone(), called.try_clone()) else {
                return;
            };
            carry(caller, to_called, delay, Reader::new(true, sender.clone()));
            carry(called, to_caller, delay, Reader::new(false, sender));
        });
        Ok(Self { address, notes })
    }

    /// What has passed next.
    pub(crate) fn next(&self) -> Result<Note, String> {
        self.notes.recv_timeout(PATIENCE).map_err(|_| "the line is dead".to_owned())
    }
}

/// One direction, on two threads of its own.
fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration, mut reader: Reader) {
    let (sender, parcels) = channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut part = vec![0; 256 << 10];
        while let Ok(bytes @ 1..) = from.read(&mut part) {
            let now = Instant::now();
            reader.read(&part[..bytes], now);
            if sender.send((now + delay, part[..bytes].to_vec())).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (at, bytes) in parcels {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        // Whoever has gone already needs not be told.
        drop(to.shutdown(Shutdown::Both));
    });
}

/// Finds messages in what passes.
struct Reader {
    is_callers: bool,
    notes: Sender<Note>,
    bytes: Vec<u8>,
    is_past_handshake: bool,
}

impl Reader {
    const fn new(is_callers: bool, notes: Sender<Note>) -> Self {
        Self { is_callers, notes, bytes: Vec::new(), is_past_handshake: false }
    }

    fn read(&mut self, more: &[u8], at: Instant) {
        self.bytes.extend_from_slice(more);
        if !self.is_past_handshake {
            if self.bytes.len() < HANDSHAKE_BYTES {
                return;
            }
            self.bytes.drain(..HANDSHAKE_BYTES);
            self.is_past_handshake = true;
        }
        let mut rest = self.bytes.as_slice();
        while let Some((length, behind)) = rest.split_first_chunk()
            && let Some(message) = behind.get(..u32::from_be_bytes(*length) as usize)
        {
            rest = &behind[message.len()..];
            let what = match message {
                [EXTENDED, 0, ..] => What::Extensions,
                [EXTENDED, _, payload @ ..] if payload.starts_with(SEALED) => What::Sealed,
                [PIECE, ..] => What::Block,
                _ => continue,
            };
            // Once nobody listens, it carries on all the same.
            let _ = self.notes.send(Note { at, is_callers: self.is_callers, what });
        }
        let left = rest.len();
        self.bytes.drain(..self.bytes.len() - left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_however_the_bytes_are_cut() {
        let mut bytes = vec![0; HANDSHAKE_BYTES];
        let mut say = |message: &[u8]| {
            bytes.extend((message.len() as u32).to_be_bytes());
            bytes.extend(message);
        };
        say(&[EXTENDED, 0, b'd', b'e']);
        say(&[]);
        say(&[&[EXTENDED, 3], SEALED, b"1:x0:e"].concat());
        say(&[EXTENDED, 3, b'd', b'e']);
        say(&[PIECE, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
        for part in [1, 7, bytes.len()] {
            let (sender, notes) = channel();
            let mut reader = Reader::new(true, sender);
            for some in bytes.chunks(part) {
                reader.read(some, Instant::now());
            }
            let found: Vec<What> = notes.try_iter().map(|note| note.what).collect();
            assert_eq!(found, [What::Extensions, What::Sealed, What::Block]);
        }
    }
}
