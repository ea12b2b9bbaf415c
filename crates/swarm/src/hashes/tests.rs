//! Piece layers between a node that has them and one that does not.

use super::*;
use piecework_bencode::encode_dict;
use piecework_hash::sha256;
use piecework_metainfo::Info;
use piecework_metainfo::merkle::Tree;

const A: PeerSlot = PeerSlot(1);
const B: PeerSlot = PeerSlot(2);
const PIECES: u32 = 1200;

fn at(seconds: u64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

fn hashes() -> Vec<Sha256Digest> {
    (0..PIECES).map(|index| sha256(&index.to_be_bytes())).collect()
}

/// A seed's and a leech's side of a torrent with one file, and its root.
fn sides() -> (HashExchange, HashExchange, Sha256Digest) {
    let bytes = u64::from(PIECES) * 16_384;
    let shape = TreeShape::new(bytes, 16_384).expect("a tree");
    let root = Tree::new(shape, hashes()).expect("as many hashes as pieces").root();
    let metadata = encode_dict(|top| {
        top.dict("file tree", |tree| {
            tree.dict("file", |file| {
                file.dict("", |leaf| {
                    leaf.int("length", bytes);
                    leaf.bytes("pieces root", root);
                });
            });
        });
        top.int("meta version", 2);
        top.bytes("name", "file");
        top.int("piece length", 16_384);
    });
    let info = Info::parse(metadata.as_slice()).expect("a valid info dictionary");
    let bare = info.unknown_layers().expect("a v2 torrent");
    let mut full = bare.clone();
    full.insert(&root, hashes()).expect("the right hashes");
    let grid = info.grid();
    (HashExchange::new(full, grid), HashExchange::new(bare, grid), root)
}

fn requests(exchange: &mut HashExchange, now: Time) -> Vec<(PeerSlot, HashSpan)> {
    let mut out = Vec::new();
    exchange.request(now, &mut out);
    out
}

#[test]
fn a_layer_comes_in_proven_spans_and_frees_its_pieces() {
    let (mut seed, mut leech, root) = sides();
    assert_eq!(leech.unknown_pieces().count(), PIECES as usize);
    leech.join(A);
    let asked = requests(&mut leech, at(0));
    assert_eq!(asked.len(), 3);
    for (nth, (slot, span)) in asked.into_iter().enumerate() {
        let answer = seed.serve(B, &span).expect("a seed has it");
        match leech.receive(slot, &span, &answer) {
            Received::Nothing => assert!(nth < 2),
            Received::Layer { pieces_root, hashes: got, pieces } => {
                assert_eq!((pieces_root, got, pieces.len()), (root, hashes(), PIECES as usize));
            }
            Received::Lie => panic!("honest hashes"),
        }
    }
    assert!(!leech.is_waiting());
    assert!(leech.serve(A, &HashSpan { index: 512, ..first_span(root) }).is_some());
}

const fn first_span(pieces_root: Sha256Digest) -> HashSpan {
    HashSpan { pieces_root, base_layer: 0, index: 0, length: 512, proof_layers: 10 }
}

#[test]
fn a_lie_is_found_at_once_and_the_span_is_asked_elsewhere() {
    let (mut seed, mut leech, _) = sides();
    leech.join(A);
    let (slot, span) = requests(&mut leech, at(0))[0];
    let mut answer = seed.serve(B, &span).expect("a seed has it");
    answer[7] = Sha256Digest([0; 32]);
    assert_eq!(leech.receive(slot, &span, &answer), Received::Lie);
    leech.leave(A);
    leech.join(B);
    assert_eq!(requests(&mut leech, at(0)).len(), 3);
}

#[test]
fn rejects_and_silence_pass_the_spans_to_others() {
    let (_, mut leech, _) = sides();
    leech.join(A);
    assert_eq!(requests(&mut leech, at(0)).len(), 3);
    leech.join(B);
    leech.reject(A, at(1));
    assert!(requests(&mut leech, at(1)).iter().all(|(slot, _)| *slot == B));
    assert_eq!(requests(&mut leech, at(10)), []);
    assert_eq!(requests(&mut leech, at(11)), [], "both pause");
    assert_eq!(requests(&mut leech, at(31)).len(), 3);
}

#[test]
fn what_was_not_asked_changes_nothing() {
    let (mut seed, mut leech, root) = sides();
    leech.join(A);
    let (slot, span) = requests(&mut leech, at(0))[0];
    let answer = seed.serve(B, &span).expect("a seed has it");
    assert_eq!(leech.receive(B, &span, &answer), Received::Nothing);
    let other = HashSpan { length: 2, ..span };
    assert_eq!(leech.receive(slot, &other, &answer), Received::Nothing);
    let unknown = HashSpan { pieces_root: Sha256Digest([1; 32]), ..span };
    assert_eq!(leech.receive(slot, &unknown, &answer), Received::Nothing);
    assert_eq!(seed.serve(A, &unknown), None);
    assert_eq!(seed.serve(A, &HashSpan { length: 8192, ..first_span(root) }), None);
}

#[test]
fn a_flood_of_requests_is_answered_at_a_bounded_rate() {
    let (mut seed, _, root) = sides();
    let span = first_span(root);
    let mut serve = |second| {
        seed.has_share(A, at(second)).then(|| seed.serve(A, &span).expect("a seed has it"))
    };
    let served = (0..100).filter(|_| serve(0).is_some()).count();
    assert_eq!(served, SERVED_MAX as usize);
    assert!(serve(1).is_some());
}
