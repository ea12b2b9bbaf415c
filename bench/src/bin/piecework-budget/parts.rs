//! The hot paths that are one machine or one parser.

use crate::counted;
use piecework_metainfo::Metainfo;
use piecework_swarm::{Asker, Class, Origin, Part, Picker, Speed, Uplink, UplinkConfig, Work};
use piecework_testkit::FixtureBuilder;
use piecework_types::{BLOCK_BYTES, Bitfield, Block, PeerSlot, PieceGrid, PieceIndex, Rng, Time};
use piecework_wire::{Decoded, Limits, Message, Request, block_header, decode, encode};
use std::hint::black_box;
use std::time::Duration;

/// Pieces of the torrent that is picked from.
const PIECES: u32 = 20_000;
/// Peers that compete for the uplink.
const COMPETITORS: u32 = 50;

/// Messages of a busy connection: mostly haves, requests and blocks, now and then something longer.
fn mixed_messages(messages: u32, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..messages {
        let piece = rng.below(u64::from(PIECES)) as u32;
        let request = Request { piece, begin: 4 * BLOCK_BYTES, length: BLOCK_BYTES };
        match rng.below(16) {
            0..=5 => encode(&Message::Have(piece), &mut bytes),
            6..=9 => encode(&Message::Request(request), &mut bytes),
            10 => encode(&Message::Cancel(request), &mut bytes),
            11 => encode(&Message::Reject(request), &mut bytes),
            12 => encode(&Message::Unchoke, &mut bytes),
            13 => encode(&Message::KeepAlive, &mut bytes),
            14 => {
                let payload = vec![b'x'; 300];
                encode(&Message::Extended { id: 1, payload }, &mut bytes);
            }
            // The payload of a block never reaches the decoder.
            _ => bytes.extend(block_header(request)),
        }
    }
    bytes
}

/// The messages in a buffer.
fn decode_all(bytes: &[u8], limits: &Limits) -> u32 {
    let (mut rest, mut count) = (bytes, 0);
    while !rest.is_empty() {
        let consumed = match decode(rest, limits) {
            Ok(Decoded::Message { message, consumed }) => {
                black_box(message);
                consumed
            }
            Ok(Decoded::Block { request, header_bytes }) => {
                black_box(request);
                header_bytes
            }
            Ok(Decoded::Skipped { consumed }) => consumed,
            Ok(Decoded::Incomplete { .. }) | Err(_) => break,
        };
        rest = &rest[consumed..];
        count += 1;
    }
    count
}

/// Mixed messages out of one buffer.
pub(crate) fn wire(messages: u32) {
    let bytes = mixed_messages(messages, &mut Rng::new(1));
    let limits = Limits { pieces_max: PIECES, ..Limits::default() };
    let mut count = 0;
    counted(&mut || count = decode_all(&bytes, &limits));
    assert_eq!(count, messages, "every message is decoded");
}

/// A fast peer that has everything asks for block after block.
pub(crate) fn pick(blocks: u32) {
    let grid = PieceGrid::contiguous(u64::from(PIECES) << 20, 1 << 20).expect("a grid");
    let have = Bitfield::full(PIECES);
    let wanted = vec![4; PIECES as usize];
    let mut picker = Picker::new(grid, Bitfield::new(PIECES), &wanted, Rng::new(1));
    picker.peer_joined(&have);
    let asker = Asker {
        slot: PeerSlot(0),
        have: &have,
        speed: Speed::Fast,
        is_snubbed: false,
        is_alone: false,
        finishes: None,
        side_by_side: 8,
        suggested: &[],
        queue_time: Duration::ZERO,
    };
    let (mut work, mut picked) = (Work::default(), 0);
    counted(&mut || {
        for _ in 0..blocks {
            let Some(block) = picker.pick(&asker, &mut work) else { break };
            black_box(picker.receive(block, Origin(0), true));
            picked += 1;
        }
    });
    assert_eq!(picked, blocks, "there is enough to pick");
}

/// A limited uplink that fifty peers compete for: each block sent is asked for anew.
pub(crate) fn uplink(blocks: u32) {
    let mut uplink = Uplink::new(&UplinkConfig::default());
    uplink.set_limited(true);
    let block = |at: u32| Block { piece: PieceIndex::trusted(at), begin: 0, length: BLOCK_BYTES };
    for slot in (0..COMPETITORS).map(PeerSlot) {
        let class = if slot.0 % 5 == 0 { Class::ALTRUISTIC } else { Class::RECIPROCAL };
        uplink.join(slot, class);
        uplink.set_room(slot, 1 << 40);
        for at in 0..16 {
            uplink.push(slot, block(at)).expect("an empty queue has room");
        }
    }
    let mut sent = 0;
    counted(&mut || {
        while sent < blocks {
            black_box(uplink.quota_wanted(Part::Open, Time::ZERO));
            uplink.grant(Part::Open, 16 * u64::from(BLOCK_BYTES));
            while sent < blocks
                && let Some((slot, block)) = uplink.poll()
            {
                black_box(uplink.push(slot, block)).expect("the block has left the queue");
                sent += 1;
            }
        }
    });
    assert_eq!(sent, blocks);
}

/// A torrent of many small files, all of it read and checked.
pub(crate) fn metainfo(files: u32) {
    let folder = FixtureBuilder::folder("many").piece_length(256 << 10);
    let path = |at: u32| format!("folder {}/file {at}", at / 200);
    let fixture = (0..files).fold(folder, |folder, at| folder.with(&path(at), 100)).build();
    let mut parsed = None;
    counted(&mut || parsed = Metainfo::parse(fixture.torrent()).ok());
    assert_eq!(parsed.map(|it| it.info().files().len()), Some(files as usize));
}
