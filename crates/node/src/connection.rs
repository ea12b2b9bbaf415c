//! One socket of a shard: its stage, its two halves, and what is gathered for its next read and write.

use crate::event::TorrentKey;
use crate::limits::Permit;
use crate::shard::PayLine;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use piecework_disk::Chunk;
use piecework_mse::{Ciphers, Established, Initiator, MseFault, Rc4};
use piecework_net::{Flushed, FramePool, Receiver, Sender};
use piecework_types::{Block, InfoHash, PeerSlot, Time};
use piecework_wire::PIECES_MAX;
use std::io;
use std::net::SocketAddr;

/// Payload queued for a socket that has not shown yet how much it takes, bytes: the longest block that
/// the machine serves, which would never leave otherwise.
const SEND_TARGET_MIN: usize = 128 * 1024;
/// Payload queued for the fastest socket, bytes: two reads of 16 blocks.
const SEND_TARGET_MAX: usize = 512 * 1024;
/// Messages a peer may leave unread before it is dropped, bytes: the longest bitfield, or the 256 KiB
/// that the machine answers ahead and more of haves and rejects.
const UNREAD_MESSAGES_MAX: usize = 640 * 1024;
const _: () = assert!(UNREAD_MESSAGES_MAX > PIECES_MAX as usize / 8 + 64 * 1024);

/// How far a connection has come.
pub(crate) enum Stage {
    /// We called; the other side has not answered.
    Connecting,
    /// The encrypted handshake that we began is incomplete.
    Encrypting(Box<Initiator>),
    /// The peer's plaintext handshake is incomplete. `received` is decrypted, what comes next is to be
    /// with the cipher, if there is one.
    Handshake { received: Vec<u8>, cipher: Option<Box<Rc4>> },
    /// Both handshakes are through.
    Open(PeerSlot),
}

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) address: SocketAddr,
    pub(crate) torrent: TorrentKey,
    pub(crate) is_outgoing: bool,
    /// The name of the torrent in the handshake of a peer that came to us.
    pub(crate) called_as: Option<InfoHash>,
    /// The peer called for a hybrid torrent by its v1 name, and was answered with the v2 one.
    pub(crate) is_upgraded: bool,
    /// It opened, or is to open, with an encrypted handshake.
    pub(crate) is_encrypted: bool,
    /// Its place among the node's peers.
    pub(crate) permit: Option<Permit>,
    /// Its place among the node's connections that are being opened.
    pub(crate) half_open: Option<Permit>,
    pub(crate) stage: Stage,
    /// When it must have reached the next stage.
    pub(crate) deadline: Time,
    /// When both handshakes were through.
    pub(crate) opened_at: Time,
    pub(crate) receiver: Receiver<Chunk>,
    pub(crate) sender: Sender,
    /// Blocks the machine wants sent, not read from storage yet.
    pub(crate) blocks: Vec<Block>,
    /// It speaks of payments, and so do we.
    pub(crate) pay: Option<Box<PayLine>>,
    /// It has spoken of payments.
    pub(crate) spoke_pay: bool,
    /// In the shard's list of sockets that may have bytes for us.
    pub(crate) is_ready: bool,
    /// In the shard's list of sockets that wait for memory or a limit.
    pub(crate) is_stalled: bool,
    /// The kernel has told, and will not tell again, that the stream ends behind what it holds.
    pub(crate) is_ending: bool,
    /// In the shard's list of sockets to flush.
    pub(crate) is_dirty: bool,
    /// The socket took all we had when we last tried.
    can_write: bool,
    /// The poll tells when the socket takes bytes again.
    is_watched_for_room: bool,
    send_target: usize,
}

impl Connection {
    pub(crate) fn new(
        stream: TcpStream,
        address: SocketAddr,
        torrent: TorrentKey,
        deadline: Time,
    ) -> Self {
        Self {
            stream,
            address,
            torrent,
            is_outgoing: true,
            called_as: None,
            is_upgraded: false,
            is_encrypted: false,
            permit: None,
            half_open: None,
            stage: Stage::Connecting,
            deadline,
            opened_at: Time::ZERO,
            receiver: Receiver::default(),
            sender: Sender::default(),
            blocks: Vec::new(),
            pay: None,
            spoke_pay: false,
            is_ready: false,
            is_stalled: false,
            is_ending: false,
            is_dirty: false,
            can_write: true,
            is_watched_for_room: false,
            send_target: SEND_TARGET_MIN,
        }
    }

    /// The peer's address in the form that the dialer knows it by.
    pub(crate) fn remote(&self) -> SocketAddr {
        SocketAddr::new(self.address.ip().to_canonical(), self.address.port())
    }

    pub(crate) fn slot(&self) -> Option<PeerSlot> {
        match self.stage {
            Stage::Open(slot) => Some(slot),
            Stage::Connecting | Stage::Encrypting(_) | Stage::Handshake { .. } => None,
        }
    }

    /// Takes bytes of an unfinished handshake, whose answer is queued.
    pub(crate) fn take_handshake(&mut self, bytes: &mut [u8]) -> Result<(), MseFault> {
        match &mut self.stage {
            Stage::Handshake { received, cipher } => {
                if let Some(cipher) = cipher {
                    cipher.apply(bytes);
                }
                received.extend_from_slice(bytes);
            }
            Stage::Encrypting(initiator) => {
                let mut out = Vec::new();
                let established = initiator.receive(bytes, &mut out)?;
                if !out.is_empty() {
                    self.sender.message(|answer| answer.append(&mut out));
                }
                if let Some(Established { ciphers, payload, .. }) = established {
                    let cipher = self.go_on_with(ciphers);
                    self.stage = Stage::Handshake { received: payload, cipher };
                }
            }
            Stage::Connecting | Stage::Open(_) => {}
        }
        Ok(())
    }

    /// Encrypts what is sent from now on, if both sides want that; gives the cipher of what comes.
    pub(crate) fn go_on_with(&mut self, ciphers: Option<Ciphers>) -> Option<Box<Rc4>> {
        let Ciphers { receive, send } = ciphers?;
        self.sender.encrypt(send);
        Some(receive)
    }

    /// Puts the socket under the poll. That it takes bytes is news only of one that we called: others have
    /// room from the start, and each would be one more event.
    pub(crate) fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.is_watched_for_room = self.is_outgoing;
        let interest = match self.is_outgoing {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        registry.register(&mut self.stream, token, interest)
    }

    /// Has the poll tell when the socket takes bytes again, unless it has room or is watched already.
    pub(crate) fn watch_if_blocked(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if self.can_write || self.is_watched_for_room {
            return Ok(());
        }
        self.is_watched_for_room = true;
        registry.reregister(&mut self.stream, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// The kernel says that the socket takes bytes again.
    pub(crate) fn became_writable(&mut self) {
        self.can_write = true;
    }

    /// Writes what is queued, and learns from it how much to queue the next time.
    pub(crate) fn flush(&mut self, frames: &mut FramePool) -> io::Result<()> {
        if self.can_write && self.sender.has_work() {
            self.write(frames)?;
        }
        if self.sender.message_bytes() > UNREAD_MESSAGES_MAX {
            return Err(io::Error::other("the peer asks and does not read the answers"));
        }
        Ok(())
    }

    fn write(&mut self, frames: &mut FramePool) -> io::Result<()> {
        let had_payload = self.sender.payload_bytes();
        match self.sender.flush(&mut self.stream, |buffer| frames.give_back(buffer))? {
            Flushed::Empty if had_payload * 2 >= self.send_target => {
                self.send_target = (self.send_target * 2).min(SEND_TARGET_MAX);
            }
            Flushed::Empty => {}
            Flushed::Blocked => {
                self.can_write = false;
                self.send_target = (self.send_target / 2).max(SEND_TARGET_MIN);
            }
        }
        Ok(())
    }

    /// Payload the machine may queue now, or `None` while enough is queued.
    pub(crate) fn room(&self) -> Option<u64> {
        let queued = self.sender.payload_bytes();
        (self.can_write && queued * 2 <= self.send_target)
            .then(|| (self.send_target - queued) as u64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mio::{Events, Poll};
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpListener};
    use std::time::Duration;

    #[test]
    fn a_peer_that_never_reads_is_given_up_although_its_socket_is_full() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stream = std::net::TcpStream::connect(address).unwrap();
        let _unread = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let stream = TcpStream::from_std(stream);
        let mut connection = Connection::new(stream, address, TorrentKey(1), Time::NEVER);
        let mut frames = FramePool::default();
        let mut answer = |connection: &mut Connection| {
            connection.sender.message(|out| out.resize(out.len() + 64 * 1024, 0));
            connection.flush(&mut frames)
        };
        while connection.can_write {
            answer(&mut connection).unwrap();
        }
        let answers = UNREAD_MESSAGES_MAX / (64 * 1024) + 1;
        assert!((0..answers).any(|_| answer(&mut connection).is_err()));
        assert!(connection.sender.message_bytes() <= UNREAD_MESSAGES_MAX + 64 * 1024);
    }

    #[test]
    fn a_caller_whose_socket_is_full_is_news_once_it_has_read_and_not_before() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let mut caller = std::net::TcpStream::connect(address).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let stream = TcpStream::from_std(stream);
        let mut connection = Connection::new(stream, address, TorrentKey(1), Time::NEVER);
        connection.is_outgoing = false;
        let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(8));
        connection.watch(poll.registry(), Token(1)).unwrap();
        let mut sent = 0;
        while connection.can_write {
            connection.sender.message(|out| out.resize(out.len() + 64 * 1024, 0));
            sent += 64 * 1024;
            connection.flush(&mut FramePool::default()).unwrap();
        }
        connection.watch_if_blocked(poll.registry(), Token(1)).unwrap();
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty());
        sent -= connection.sender.message_bytes();
        caller.read_exact(&mut vec![0; sent]).unwrap();
        poll.poll(&mut events, Some(Duration::from_secs(60))).unwrap();
        assert!(events.iter().any(mio::event::Event::is_writable));
    }
}
