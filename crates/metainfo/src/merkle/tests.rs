#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

/// Distinct block hashes without data behind them.
fn block_hashes(count: u64) -> Vec<Sha256Digest> {
    (0..count).map(|block| sha256(&block.to_be_bytes())).collect()
}

/// The definition of BEP 52, literally: all leaves, zero-padded to a power of two, hashed upwards.
fn literal_root(blocks: &[Sha256Digest]) -> Sha256Digest {
    let mut level = blocks.to_vec();
    level.resize(blocks.len().next_power_of_two(), Sha256Digest([0; 32]));
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| parent(&pair[0], &pair[1])).collect();
    }
    level[0]
}

fn tree_of(blocks: &[Sha256Digest], piece_length: u32) -> Tree {
    let bytes = blocks.len() as u64 * u64::from(BLOCK_BYTES);
    let shape = TreeShape::new(bytes, piece_length).unwrap();
    let pieces = blocks.chunks((piece_length / BLOCK_BYTES) as usize);
    Tree::new(shape, pieces.map(|piece| shape.piece_hash(piece)).collect()).unwrap()
}

#[test]
fn a_file_of_one_block_has_its_hash_as_root() {
    let blocks = block_hashes(1);
    let tree = tree_of(&blocks, 4 * BLOCK_BYTES);
    assert_eq!(tree.root(), blocks[0]);
    assert!(!tree.shape().has_piece_layer());
    assert_eq!(tree.shape().piece_span(0, 512), None);
}

#[test]
fn a_file_shorter_than_a_piece_is_padded_to_its_own_power_of_two() {
    // Three blocks, pieces of eight: the tree has four leaves, not eight.
    let tree = tree_of(&block_hashes(3), 8 * BLOCK_BYTES);
    assert_eq!(tree.shape().height(), 2);
    assert_eq!(tree.root(), literal_root(&block_hashes(3)));
}

#[test]
fn an_empty_file_or_an_odd_piece_length_has_no_tree() {
    assert_eq!(TreeShape::new(0, BLOCK_BYTES), None);
    assert_eq!(TreeShape::new(1, 3 * BLOCK_BYTES), None);
    assert_eq!(TreeShape::new(1, BLOCK_BYTES / 2), None);
    assert_eq!(TreeShape::new(1, 0), None);
    assert_eq!(TreeShape::new(u64::MAX, BLOCK_BYTES).unwrap().height(), 50);
}

#[test]
fn requests_that_bep_52_forbids_are_refused() {
    // 20 blocks, pieces of 2: height 5, piece layer 1, 16 nodes wide with 10 real ones.
    let tree = tree_of(&block_hashes(20), 2 * BLOCK_BYTES);
    let good = HashSpan { base_layer: 1, index: 4, length: 4, proof_layers: 3 };
    assert_eq!(tree.answer(good).unwrap().len(), 4 + 2);
    let bad = [
        HashSpan { length: 0, ..good },
        HashSpan { length: 1, ..good },
        HashSpan { length: 3, index: 3, ..good },
        HashSpan { index: 2, ..good },
        HashSpan { index: 16, ..good },
        HashSpan { index: u32::MAX - 3, ..good },
        HashSpan { length: 1 << 31, index: 0, ..good },
        HashSpan { base_layer: 5, index: 0, ..good },
        HashSpan { base_layer: u32::MAX, ..good },
        HashSpan { proof_layers: 4, ..good },
        HashSpan { proof_layers: u32::MAX, ..good },
    ];
    for span in bad {
        assert_eq!(tree.answer(span), None, "{span:?}");
        let fault = Err(MerkleFault::Span { span, height: 5 });
        assert_eq!(tree.shape().check(span), fault);
        assert_eq!(tree.answer_with(span, &block_hashes(20)), None, "{span:?}");
    }
}

#[test]
fn a_proof_that_stops_early_proves_nothing() {
    let tree = tree_of(&block_hashes(16), BLOCK_BYTES);
    let span = HashSpan { base_layer: 0, index: 0, length: 2, proof_layers: 2 };
    let hashes = tree.answer(span).unwrap();
    let verified = tree.shape().verify(&tree.root(), span, &hashes);
    assert!(matches!(verified, Err(MerkleFault::Span { .. })));
}

#[test]
fn block_hashes_of_another_file_answer_nothing() {
    let tree = tree_of(&block_hashes(20), 4 * BLOCK_BYTES);
    let span = HashSpan { base_layer: 0, index: 0, length: 4, proof_layers: 4 };
    assert!(tree.answer_with(span, &block_hashes(4)).is_some());
    assert_eq!(tree.answer_with(span, &block_hashes(5)[1..]), None);
    assert_eq!(tree.answer_with(span, &block_hashes(3)), None);
}

proptest! {
    #[test]
    fn the_root_is_what_bep_52_defines(blocks in 1_u64..200, piece_blocks in 0_u32..6) {
        let hashes = block_hashes(blocks);
        let tree = tree_of(&hashes, BLOCK_BYTES << piece_blocks);
        prop_assert_eq!(tree.root(), literal_root(&hashes));
        prop_assert_eq!(root_of(tree.pieces(), tree.shape().piece_layer(), tree.shape().height()),
            tree.root());
    }

    #[test]
    fn every_answer_proves_itself_and_no_changed_one_does(
        blocks in 2_u64..200,
        piece_blocks in 0_u32..4,
        base_layer in 0_u32..6,
        log_length in 1_u32..5,
        at in any::<u32>(),
        flip in any::<prop::sample::Index>(),
    ) {
        let hashes = block_hashes(blocks);
        let tree = tree_of(&hashes, BLOCK_BYTES << piece_blocks);
        let shape = tree.shape();
        prop_assume!(base_layer + log_length <= shape.height());
        let spans = 1 << (shape.height() - base_layer - log_length);
        let span = HashSpan {
            base_layer,
            index: (at % spans) << log_length,
            length: 1 << log_length,
            proof_layers: shape.height() - base_layer - 1,
        };
        let below = shape.pieces_below(span);
        let first = (below.start << piece_blocks).min(blocks) as usize;
        let end = (below.end << piece_blocks).min(blocks) as usize;
        let mut answer = tree.answer_with(span, &hashes[first..end]).unwrap();
        if base_layer >= shape.piece_layer() {
            prop_assert_eq!(tree.answer(span), Some(answer.clone()));
        }
        let proven = shape.verify(&tree.root(), span, &answer).unwrap();
        let real = shape.node_count(base_layer).saturating_sub(span.index.into());
        prop_assert_eq!(proven.len() as u64, real.min(span.length.into()));
        let victim = flip.index(answer.len());
        answer[victim].0[7] ^= 1;
        prop_assert!(shape.verify(&tree.root(), span, &answer).is_err());
    }

    #[test]
    fn piece_spans_cover_the_whole_piece_layer(pieces in 2_u64..3000, length in 0_u32..600) {
        let shape = TreeShape::new(pieces * u64::from(BLOCK_BYTES) - 5, BLOCK_BYTES).unwrap();
        let mut at = 0;
        while u64::from(at) < pieces {
            let span = shape.piece_span(at, length).unwrap();
            prop_assert_eq!(span.index, at);
            at += span.length;
        }
    }
}
