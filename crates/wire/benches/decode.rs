//! What reading messages costs, apart from the socket: a thousand of one kind, or mixed as on a busy
//! connection.

use divan::counter::{BytesCount, ItemsCount};
use piecework_types::{BLOCK_BYTES, Rng};
use piecework_wire::{Decoded, Limits, Message, Request, block_header, decode, encode};

const MESSAGES: u32 = 1_000;
/// Pieces of the torrent that they are about.
const PIECES: u32 = 20_000;

fn main() {
    divan::main();
}

#[divan::bench(args = [Kind::Have, Kind::Request, Kind::BlockHeader, Kind::Extended, Kind::Mixed])]
fn wire_decode(bencher: divan::Bencher<'_, '_>, kind: Kind) {
    let bytes = kind.stream();
    let limits = Limits { pieces_max: PIECES, ..Limits::default() };
    bencher.counter(ItemsCount::new(MESSAGES)).counter(BytesCount::of_slice(&bytes)).bench_local(
        || {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                rest = &rest[step(rest, &limits)..];
            }
        },
    );
}

/// Bytes of the next message. The payload of a block never reaches the decoder.
fn step(bytes: &[u8], limits: &Limits) -> usize {
    match divan::black_box(decode(bytes, limits)).expect("the encoder wrote it") {
        Decoded::Message { consumed, .. } | Decoded::Skipped { consumed } => consumed,
        Decoded::Block { header_bytes, .. } => header_bytes,
        Decoded::Incomplete { need_bytes } => panic!("{need_bytes} bytes of a whole message"),
    }
}

/// What the stream consists of.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Have,
    Request,
    BlockHeader,
    Extended,
    Mixed,
}

impl Kind {
    fn stream(self) -> Vec<u8> {
        let (mut rng, mut bytes) = (Rng::new(1), Vec::new());
        for _ in 0..MESSAGES {
            let piece = rng.below(u64::from(PIECES)) as u32;
            self.drawn(&mut rng).write(piece, &mut bytes);
        }
        bytes
    }

    fn drawn(self, rng: &mut Rng) -> Self {
        match self {
            Self::Mixed => match rng.below(16) {
                0..=6 => Self::Have,
                7..=11 => Self::Request,
                12..=14 => Self::BlockHeader,
                _ => Self::Extended,
            },
            one => one,
        }
    }

    fn write(self, piece: u32, bytes: &mut Vec<u8>) {
        let request = Request { piece, begin: 4 * BLOCK_BYTES, length: BLOCK_BYTES };
        match self {
            Self::Have | Self::Mixed => encode(&Message::Have(piece), bytes),
            Self::Request => encode(&Message::Request(request), bytes),
            Self::BlockHeader => bytes.extend(block_header(request)),
            Self::Extended => {
                encode(&Message::Extended { id: 1, payload: vec![b'x'; 300] }, bytes);
            }
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}
