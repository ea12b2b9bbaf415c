//! One connection of the churn, from its first byte to its end.
//!
//! Everything is paced: two hundred of these together are to cost a fraction of a core. A session ends
//! at its deadline, or before it when the other side closes the connection.

use super::kind::{Ending, Kind};
use crate::fixture::{Fixture, payload};
use crate::stream::{Incoming, PeerStream, StreamError};
use piecework_types::{BLOCK_BYTES, PeerId, Rng};
use piecework_wire::extension::{
    Extension, ExtensionHandshake, ExtensionIds, ExtensionMessage, HANDSHAKE_ID, MetadataMessage,
    Pex, PexFlags, PexPeer,
};
use piecework_wire::{Message, Request, block_header, encode};
use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

/// Longest wait for a message: how late a session notices that the churn is over.
const TURN: Duration = Duration::from_millis(500);
/// Writing to a process that does not read.
const WRITE_PATIENCE: Duration = Duration::from_secs(2);
/// Requests of others that a session keeps; what comes beyond is dropped.
const ASKED_MAX: usize = 512;
/// Requests of a flood.
const FLOOD_REQUESTS: u32 = 10_000;
/// Requests of a peer that never reads: 6 MiB of answers.
const UNREAD_REQUESTS: u32 = 400;
/// Blocks sent without being asked.
const UNASKED_BLOCKS: u32 = 8;
/// Bytes of noise.
const NOISE_BYTES: usize = 64 << 10;

/// What a connection is to do.
pub(super) struct Plan<'a> {
    pub(super) kind: Kind,
    pub(super) ending: Ending,
    pub(super) fixture: &'a Fixture,
    pub(super) deadline: Instant,
    /// Whether we have connected, and so greet first.
    pub(super) is_outgoing: bool,
}

/// Payload that went over a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moved {
    /// To the process under test.
    pub(super) sent_bytes: u64,
    /// From it.
    pub(super) received_bytes: u64,
}

/// A running connection.
pub(super) struct Session<'a> {
    plan: Plan<'a>,
    stream: PeerStream,
    /// The same socket, for what a stream cannot do.
    socket: TcpStream,
    rng: Rng,
    moved: Moved,
    /// The other side's ids for extension messages.
    ids: ExtensionIds,
    is_unchoked: bool,
    /// Requests of ours that have not been answered.
    outstanding: u32,
    /// Requests of theirs.
    asked: VecDeque<Request>,
    /// Between two actions: a block, a have, a message of gossip.
    pace: Duration,
    next: Instant,
}

impl<'a> Session<'a> {
    pub(super) fn new(plan: Plan<'a>, socket: TcpStream, mut rng: Rng) -> io::Result<Self> {
        let stream = PeerStream::new(socket)?;
        let socket = stream.handle()?;
        socket.set_write_timeout(Some(WRITE_PATIENCE))?;
        // 8 to 128 KiB a second.
        let pace = Duration::from_millis(125 + rng.below(1875));
        Ok(Self {
            plan,
            stream,
            socket,
            rng,
            moved: Moved::default(),
            ids: ExtensionIds::default(),
            is_unchoked: false,
            outstanding: 0,
            asked: VecDeque::new(),
            pace,
            next: Instant::now(),
        })
    }

    /// Until its deadline, until `is_over` says so, or until the other side closes the connection.
    pub(super) fn run(mut self, is_over: impl Fn() -> bool) -> Moved {
        // That the other side closes it is what half of the kinds are about.
        if self.greet().and_then(|()| self.stay(&is_over)).is_ok() {
            drop(self.end());
        }
        self.moved
    }

    fn greet(&mut self) -> Result<(), StreamError> {
        match self.plan.kind {
            Kind::Silent => return Ok(()),
            Kind::NoiseFirst => return self.send_noise(),
            _ => {}
        }
        if !self.plan.is_outgoing {
            self.stream.receive_handshake()?;
        }
        let mut peer_id = PeerId(*b"-TK0002-churn-peer--");
        peer_id.0[12..].copy_from_slice(&self.rng.next_u64().to_le_bytes());
        let mut info_hash = self.plan.fixture.info_hash();
        if self.plan.kind == Kind::OtherTorrent {
            info_hash.0[0] ^= 1;
        }
        self.stream.send_handshake(info_hash, peer_id)?;
        if self.plan.is_outgoing {
            self.stream.receive_handshake()?;
        }
        if self.plan.kind == Kind::HandshakeOnly {
            return Ok(());
        }
        self.introduce()?;
        let claim = match self.plan.kind {
            Kind::BadBitfield => Message::Bitfield(vec![0xff; 3]),
            Kind::Partial => Message::Bitfield(self.some_pieces()),
            kind if kind.claims_all() => Message::HaveAll,
            _ => Message::HaveNone,
        };
        self.stream.send(&claim)?;
        self.misbehave()
    }

    fn introduce(&mut self) -> Result<(), StreamError> {
        let handshake = ExtensionHandshake {
            ids: ExtensionIds::ours(|_| true),
            client: Some("churn".to_owned()),
            requests_max: Some(250),
            ..ExtensionHandshake::default()
        };
        self.stream.send(&Message::Extended { id: HANDSHAKE_ID, payload: handshake.encode() })
    }

    /// About half of the pieces.
    fn some_pieces(&mut self) -> Vec<u8> {
        let count = self.pieces();
        let mut bits: Vec<u8> = (0..count.div_ceil(8)).map(|_| self.rng.next_u64() as u8).collect();
        if let (Some(last), spare @ 1..) = (bits.last_mut(), (8 - count % 8) % 8) {
            *last &= 0xff << spare;
        }
        bits
    }

    /// What is done once, right behind the greeting.
    fn misbehave(&mut self) -> Result<(), StreamError> {
        let mut bytes = Vec::new();
        match self.plan.kind {
            Kind::NoiseLater => return self.send_noise(),
            Kind::Oversize => {
                bytes.extend([0x7f, 0xff, 0xff, 0xff, 5]);
                bytes.resize(NOISE_BYTES, 0xff);
            }
            Kind::OutOfRange => {
                let beyond = Request { piece: u32::MAX, begin: u32::MAX, length: u32::MAX };
                encode(&Message::Interested, &mut bytes);
                encode(&Message::Have(u32::MAX), &mut bytes);
                encode(&Message::Request(beyond), &mut bytes);
            }
            Kind::Flood | Kind::NeverReads => {
                let is_flood = self.plan.kind == Kind::Flood;
                encode(&Message::Interested, &mut bytes);
                for _ in 0..if is_flood { FLOOD_REQUESTS } else { UNREAD_REQUESTS } {
                    encode(&Message::Request(self.any_block()), &mut bytes);
                }
            }
            Kind::Unasked => {
                let data = payload(97, BLOCK_BYTES as usize);
                for _ in 0..UNASKED_BLOCKS {
                    let block = Request { length: BLOCK_BYTES, ..self.any_block() };
                    bytes.extend(block_header(block));
                    bytes.extend(&data);
                }
            }
            Kind::Leecher => encode(&Message::Interested, &mut bytes),
            _ => return Ok(()),
        }
        self.stream.send_bytes(&bytes)
    }

    fn send_noise(&mut self) -> Result<(), StreamError> {
        let noise = payload(self.rng.next_u64(), NOISE_BYTES);
        self.stream.send_bytes(&noise)
    }

    fn stay(&mut self, is_over: &impl Fn() -> bool) -> Result<(), StreamError> {
        loop {
            let now = Instant::now();
            if now >= self.plan.deadline || is_over() {
                return Ok(());
            }
            if now >= self.next {
                self.next = now + self.pace;
                self.act()?;
            }
            let until = self.next.min(self.plan.deadline).saturating_duration_since(now);
            if self.plan.kind == Kind::NeverReads {
                std::thread::sleep(until.min(TURN));
            } else if let Some(incoming) = self.stream.receive(until.min(TURN))? {
                self.take(incoming)?;
            }
        }
    }

    /// What is due once a pace.
    fn act(&mut self) -> Result<(), StreamError> {
        match self.plan.kind {
            Kind::Leecher => self.ask(),
            Kind::Seed | Kind::Corrupt => self.serve(),
            Kind::Partial => {
                let piece = self.rng.below(u64::from(self.pieces())) as u32;
                self.stream.send(&Message::Have(piece))?;
                self.serve()
            }
            Kind::Gossip => self.gossip(),
            Kind::Metadata => self.ask_metadata(),
            Kind::Fickle => {
                let message = match self.rng.below(4) {
                    0 => Message::Choke,
                    1 => Message::Unchoke,
                    2 => Message::Interested,
                    _ => Message::NotInterested,
                };
                self.stream.send(&message)
            }
            _ => Ok(()),
        }
    }

    fn take(&mut self, incoming: Incoming) -> Result<(), StreamError> {
        let message = match incoming {
            Incoming::Message(message) => message,
            Incoming::Block(request, _) => {
                self.moved.received_bytes += u64::from(request.length);
                self.outstanding = self.outstanding.saturating_sub(1);
                return Ok(());
            }
        };
        match message {
            Message::Unchoke => self.is_unchoked = true,
            Message::Choke => (self.is_unchoked, self.outstanding) = (false, 0),
            Message::Reject(_) => self.outstanding = self.outstanding.saturating_sub(1),
            Message::Interested if self.plan.kind.serves() => {
                return self.stream.send(&Message::Unchoke);
            }
            Message::Request(request) if self.asked.len() < ASKED_MAX => {
                self.asked.push_back(request);
            }
            Message::Cancel(request) => self.asked.retain(|asked| *asked != request),
            Message::HashRequest(span) => {
                let answer = match self.plan.fixture.hashes(&span) {
                    Some(hashes) => Message::Hashes(span, hashes),
                    None => Message::HashReject(span),
                };
                return self.stream.send(&answer);
            }
            Message::Extended { id, payload } => {
                if let Ok(Some(ExtensionMessage::Handshake(handshake))) =
                    ExtensionMessage::decode(id, &payload)
                {
                    self.ids.update(&handshake.ids);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// One block more, as long as not many are on their way.
    fn ask(&mut self) -> Result<(), StreamError> {
        if !self.is_unchoked || self.outstanding >= 8 {
            return Ok(());
        }
        self.outstanding += 1;
        let request = Message::Request(self.any_block());
        self.stream.send(&request)
    }

    /// One block, if any is asked for.
    fn serve(&mut self) -> Result<(), StreamError> {
        let Some(request) = self.asked.pop_front() else { return Ok(()) };
        let Some(mut data) = self.plan.fixture.block(request) else {
            return self.stream.send(&Message::Reject(request));
        };
        if self.plan.kind == Kind::Corrupt {
            data[0] = !data[0];
        }
        self.moved.sent_bytes += data.len() as u64;
        self.stream.send_block(request, &data)
    }

    fn gossip(&mut self) -> Result<(), StreamError> {
        let Some(id) = self.ids.get(Extension::Pex) else { return Ok(()) };
        let added = (0..20).map(|_| PexPeer {
            // Nobody listens at port 1, so a dial ends at once.
            address: (loopback(&mut self.rng), 1).into(),
            flags: PexFlags::default(),
        });
        let pex = Pex { added: added.collect(), dropped: Vec::new() };
        self.stream.send(&Message::Extended { id, payload: pex.encode() })
    }

    fn ask_metadata(&mut self) -> Result<(), StreamError> {
        let Some(id) = self.ids.get(Extension::Metadata) else { return Ok(()) };
        let block = self.rng.below(4) as u32;
        let payload = MetadataMessage::Request { block }.encode();
        self.stream.send(&Message::Extended { id, payload })
    }

    fn any_block(&mut self) -> Request {
        let piece = self.rng.below(u64::from(self.pieces())) as u32;
        let grid = self.plan.fixture.grid();
        let bytes = grid.piece(piece).map_or(0, |piece| grid.piece_bytes(piece));
        Request { piece, begin: 0, length: BLOCK_BYTES.min(bytes) }
    }

    fn pieces(&self) -> u32 {
        self.plan.fixture.grid().piece_count()
    }

    fn end(&mut self) -> Result<(), StreamError> {
        match self.plan.ending {
            Ending::Polite => Ok(()),
            Ending::Torn => {
                let header = block_header(Request { piece: 0, begin: 0, length: BLOCK_BYTES });
                self.stream.send_bytes(&header)?;
                self.stream.send_bytes(&[0; 1000])
            }
            // Dissolving the association is how a socket is aborted (connect(2)).
            Ending::Reset => {
                Ok(rustix::net::connect_unspec(&self.socket).map_err(io::Error::from)?)
            }
        }
    }
}

/// Any loopback address but those that services use.
pub(super) fn loopback(rng: &mut Rng) -> Ipv4Addr {
    let [a, b, c, ..] = rng.next_u64().to_le_bytes();
    Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254))
}
