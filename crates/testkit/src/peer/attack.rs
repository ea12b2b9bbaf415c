//! What byzantine peers do, by the moment at which they do it.

use super::Behaviour;
use super::session::Session;
use crate::fixture::payload;
use crate::stream::StreamError;
use piecework_types::BLOCK_BYTES;
use piecework_wire::{Message, Request, encode};
use std::io::ErrorKind;
use std::time::Duration;

/// Requests of a flood: 17 MB of them.
const FLOOD_REQUESTS: u32 = 1_000_000;

/// Requests written at once.
const FLOOD_BATCH: u32 = 10_000;

/// Claims of a flood of haves.
const FLOOD_HAVES: u32 = 100_000;

/// Blocks sent without being asked: 64 MiB.
const UNASKED_BLOCKS: u32 = 4096;

/// Bytes of noise.
const NOISE_BYTES: usize = 1 << 20;

/// Blocks between two ends of a connection.
const BLOCKS_A_CONNECTION: usize = 3;

impl Session {
    pub(super) fn replaces_handshake(&self) -> bool {
        matches!(
            self.shared.behaviour,
            Behaviour::Silent | Behaviour::SlowHandshake | Behaviour::NoiseFirst
        )
    }

    pub(super) fn attack_instead_of_handshake(&mut self) -> Result<(), StreamError> {
        self.misdeed();
        match self.shared.behaviour {
            Behaviour::SlowHandshake => {
                for byte in *b"\x13BitTorrent protocol" {
                    self.stream.send_bytes(&[byte])?;
                    if self.stream.is_closed_within(Duration::from_secs(1)) {
                        break;
                    }
                }
            }
            Behaviour::NoiseFirst => self.stream.send_bytes(&payload(99, NOISE_BYTES))?,
            _ => {}
        }
        while !self.stream.is_closed_within(Duration::from_secs(1)) {
            if self.shared.state.look(|state| state.is_over) {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn attack_after_greeting(&mut self) -> Result<(), StreamError> {
        let mut bytes = Vec::new();
        match self.shared.behaviour {
            Behaviour::NoiseLater => bytes = payload(98, NOISE_BYTES),
            Behaviour::OversizeFrame => {
                // A bitfield of 2 GiB, of which a part comes.
                bytes.extend([0x7f, 0xff, 0xff, 0xff, 5]);
                bytes.resize(NOISE_BYTES, 0xff);
            }
            Behaviour::FloodsHaves => {
                let pieces = self.shared.fixture.grid().piece_count();
                (0..FLOOD_HAVES).for_each(|at| encode(&Message::Have(at % pieces), &mut bytes));
            }
            Behaviour::OutOfRange => out_of_range().iter().for_each(|it| encode(it, &mut bytes)),
            Behaviour::UnaskedBlocks => return self.send_unasked_blocks(),
            Behaviour::FloodsRequests => return self.flood_requests(),
            _ => return Ok(()),
        }
        self.misdeed();
        self.stream.send_bytes(&bytes)
    }

    /// The connection may be closed while a block is under way.
    pub(super) fn spoil(&mut self, request: Request, data: &mut [u8]) -> Result<(), StreamError> {
        match self.shared.behaviour {
            Behaviour::CorruptBlocks => {
                data[0] = !data[0];
                self.misdeed();
            }
            Behaviour::ClosesOften if self.served == BLOCKS_A_CONNECTION => {
                self.misdeed();
                let header = piecework_wire::block_header(request);
                let half = [header.as_slice(), &data[..data.len() / 2]].concat();
                self.stream.send_bytes(&half)?;
                return Err(StreamError::Closed(ErrorKind::ConnectionAborted.into()));
            }
            _ => {}
        }
        Ok(())
    }

    fn send_unasked_blocks(&mut self) -> Result<(), StreamError> {
        let pieces = self.shared.fixture.grid().piece_count();
        let data = payload(97, BLOCK_BYTES as usize);
        for at in 0..UNASKED_BLOCKS {
            self.misdeed();
            let block = Request { piece: at % pieces, begin: 0, length: BLOCK_BYTES };
            self.stream.send_block(block, &data)?;
        }
        Ok(())
    }

    fn flood_requests(&mut self) -> Result<(), StreamError> {
        self.stream.send(&Message::Interested)?;
        let pieces = self.shared.fixture.grid().piece_count();
        for batch in 0..FLOOD_REQUESTS / FLOOD_BATCH {
            self.misdeed();
            let mut bytes = Vec::new();
            for at in 0..FLOOD_BATCH {
                let piece = (batch + at) % pieces;
                encode(&Message::Request(Request { piece, begin: 0, length: 1 }), &mut bytes);
            }
            self.stream.send_bytes(&bytes)?;
        }
        Ok(())
    }
}

/// Messages about pieces and spans that no torrent has.
fn out_of_range() -> Vec<Message> {
    let beyond = Request { piece: u32::MAX, begin: u32::MAX, length: u32::MAX };
    let inside = Request { piece: 0, begin: u32::MAX, length: BLOCK_BYTES };
    vec![
        Message::Interested,
        Message::Cancel(beyond),
        Message::Reject(inside),
        Message::Suggest(u32::MAX),
        Message::AllowedFast(u32::MAX),
        Message::Request(inside),
        Message::Request(beyond),
        Message::Have(u32::MAX),
    ]
}
