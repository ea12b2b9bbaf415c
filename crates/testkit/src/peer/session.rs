//! One connection of a fake peer: the honest part, which every behaviour starts from.

use super::{Behaviour, Shared};
use crate::stream::{Incoming, PeerStream, StreamError};
use piecework_wire::extension::{
    Extension, ExtensionHandshake, ExtensionIds, ExtensionMessage, HANDSHAKE_ID,
    METADATA_BLOCK_BYTES, METADATA_BYTES_MAX, MetadataMessage,
};
use piecework_wire::{Message, Request};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How long a session waits for a message before it looks after other work.
const TURN: Duration = Duration::from_millis(20);

/// Requests kept while they are held back; what comes beyond is dropped.
const HELD_MAX: usize = 1 << 16;

/// One connection.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) stream: PeerStream,
    is_outgoing: bool,
    held: VecDeque<Request>,
    has_introduced: bool,
    /// The other side's ids for extension messages.
    ids: ExtensionIds,
    pub(super) served: usize,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, stream: PeerStream, is_outgoing: bool) -> Self {
        let ids = ExtensionIds::default();
        let (held, has_introduced) = (VecDeque::new(), false);
        Self { shared, stream, is_outgoing, held, has_introduced, ids, served: 0 }
    }

    /// Until one side closes the connection.
    pub(super) fn run(mut self) -> Result<(), StreamError> {
        if self.replaces_handshake() {
            return self.attack_instead_of_handshake();
        }
        self.handshake()?;
        self.greet()?;
        self.attack_after_greeting()?;
        loop {
            if self.shared.state.look(|state| state.is_over) {
                return Ok(());
            }
            if let Some(incoming) = self.stream.receive(TURN)? {
                self.take(incoming)?;
            }
            self.serve_held()?;
            self.introduce()?;
        }
    }

    pub(super) fn misdeed(&self) {
        self.shared.state.change(|state| state.stats.misdeeds += 1);
    }

    fn handshake(&mut self) -> Result<(), StreamError> {
        let mut info_hash = self.shared.fixture.info_hash();
        if self.shared.behaviour == Behaviour::OtherInfoHash {
            info_hash.0[0] ^= 1;
            self.misdeed();
        }
        if self.is_outgoing {
            self.stream.send_handshake(info_hash, self.shared.peer_id)?;
        }
        self.stream.receive_handshake()?;
        self.shared.state.change(|state| state.stats.handshakes += 1);
        if !self.is_outgoing {
            self.stream.send_handshake(info_hash, self.shared.peer_id)?;
        }
        Ok(())
    }

    /// Extensions and pieces.
    fn greet(&mut self) -> Result<(), StreamError> {
        self.introduce()?;
        let pieces = &self.shared.pieces;
        let claim = if pieces.is_full() {
            Message::HaveAll
        } else if pieces.is_empty() {
            Message::HaveNone
        } else {
            Message::Bitfield(pieces.to_wire())
        };
        self.stream.send(&claim)
    }

    /// The extension handshake, once metadata may be mentioned.
    fn introduce(&mut self) -> Result<(), StreamError> {
        if self.has_introduced || self.shared.state.look(|state| state.holds_metadata) {
            return Ok(());
        }
        self.has_introduced = true;
        let metadata_bytes = if self.shared.behaviour == Behaviour::HugeMetadata {
            METADATA_BYTES_MAX as u32
        } else {
            self.shared.fixture.info().raw().len() as u32
        };
        let handshake = ExtensionHandshake {
            ids: ExtensionIds::ours(|_| true),
            client: Some("testkit".to_owned()),
            requests_max: Some(250),
            metadata_bytes: Some(metadata_bytes),
            ..ExtensionHandshake::default()
        };
        self.stream.send(&Message::Extended { id: HANDSHAKE_ID, payload: handshake.encode() })
    }

    fn take(&mut self, incoming: Incoming) -> Result<(), StreamError> {
        let message = match incoming {
            Incoming::Message(message) => message,
            // Nobody here asks for blocks.
            Incoming::Block(..) => return Ok(()),
        };
        match message {
            Message::Interested if self.shared.behaviour == Behaviour::NeverUnchokes => {
                self.misdeed();
                Ok(())
            }
            Message::Interested => self.stream.send(&Message::Unchoke),
            Message::Request(request) => self.take_request(request),
            Message::Cancel(request) => {
                self.held.retain(|held| *held != request);
                self.count_held();
                Ok(())
            }
            Message::Have(_) => {
                self.shared.state.change(|state| state.stats.haves += 1);
                Ok(())
            }
            Message::HashRequest(span) => match self.shared.fixture.hashes(&span) {
                Some(hashes) => self.stream.send(&Message::Hashes(span, hashes)),
                None => self.stream.send(&Message::HashReject(span)),
            },
            Message::Extended { id, payload } => self.take_extended(id, &payload),
            Message::KeepAlive
            | Message::Choke
            | Message::Unchoke
            | Message::NotInterested
            | Message::Bitfield(_)
            | Message::Port(_)
            | Message::Suggest(_)
            | Message::HaveAll
            | Message::HaveNone
            | Message::Reject(_)
            | Message::AllowedFast(_)
            | Message::Hashes(..)
            | Message::HashReject(_) => Ok(()),
        }
    }

    fn take_request(&mut self, request: Request) -> Result<(), StreamError> {
        self.shared.state.change(|state| state.stats.requests.push(request));
        match self.shared.behaviour {
            Behaviour::FalseBitfield => {
                self.misdeed();
                Ok(())
            }
            Behaviour::RejectsAll => {
                self.misdeed();
                self.stream.send(&Message::Reject(request))
            }
            _ => {
                if self.held.len() < HELD_MAX {
                    self.held.push_back(request);
                }
                self.serve_held()
            }
        }
    }

    fn serve_held(&mut self) -> Result<(), StreamError> {
        while let Some(&request) = self.held.front() {
            let may_serve = self.shared.state.look(|state| {
                state.hold_after.is_none_or(|bytes| state.stats.served_bytes < bytes)
            });
            if !may_serve {
                break;
            }
            self.held.pop_front();
            let bytes = u64::from(request.length);
            self.shared.state.change(|state| state.stats.served_bytes += bytes);
            self.serve(request)?;
        }
        self.count_held();
        Ok(())
    }

    fn count_held(&self) {
        let held = self.held.len();
        self.shared.state.change(|state| state.stats.held = held);
    }

    fn serve(&mut self, request: Request) -> Result<(), StreamError> {
        let piece = self.shared.fixture.grid().piece(request.piece);
        let block = self.shared.fixture.block(request);
        let has_it = piece.is_some_and(|piece| self.shared.pieces.contains(piece));
        let Some(mut data) = block.filter(|_| has_it) else {
            return self.stream.send(&Message::Reject(request));
        };
        self.spoil(request, &mut data)?;
        self.served += 1;
        self.stream.send_block(request, &data)
    }

    fn take_extended(&mut self, id: u8, payload: &[u8]) -> Result<(), StreamError> {
        match ExtensionMessage::decode(id, payload)? {
            Some(ExtensionMessage::Handshake(handshake)) => self.ids.update(&handshake.ids),
            Some(ExtensionMessage::Metadata(MetadataMessage::Request { block })) => {
                self.shared.state.change(|state| state.stats.metadata_requests += 1);
                return self.send_metadata(block);
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    fn send_metadata(&mut self, block: u32) -> Result<(), StreamError> {
        let Some(id) = self.ids.get(Extension::Metadata) else { return Ok(()) };
        let mut raw = self.shared.fixture.info().raw().to_vec();
        match self.shared.behaviour {
            Behaviour::FalseMetadata => {
                raw[1] ^= 1;
                self.misdeed();
            }
            Behaviour::HugeMetadata => {
                self.misdeed();
                return Ok(());
            }
            _ => {}
        }
        let start = (block as usize * METADATA_BLOCK_BYTES).min(raw.len());
        let end = (start + METADATA_BLOCK_BYTES).min(raw.len());
        let total_bytes = raw.len() as u32;
        let message = if start < end {
            MetadataMessage::Data { block, total_bytes, data: &raw[start..end] }
        } else {
            MetadataMessage::Reject { block }
        };
        self.stream.send(&Message::Extended { id, payload: message.encode() })
    }
}
