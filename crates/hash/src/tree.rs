//! Inner nodes of a v2 hash tree (BEP 52): SHA-256 of two child nodes, a layer at a time.
//!
//! A node is two blocks whatever its children, so the lanes run in step and need no scheduler.
//! Knows nothing of tree shapes: which nodes belong side by side is up to the caller.

use piecework_types::Sha256Digest;

use crate::algorithm::sealed::Internals;
use crate::algorithm::{BLOCK_BYTES, Block, Sha256};
use crate::batch::digest_of;
use crate::hasher::Hasher;
use crate::kernel::{Compress, CompressFn, Lanes};

/// The block that follows a message of one block: its end mark and its length of 512 bits.
const PADDING: Block = {
    let mut block = [0; BLOCK_BYTES];
    block[0] = 0x80;
    block[BLOCK_BYTES - 2] = 0x02;
    block
};

impl Hasher {
    /// The parent of each pair of nodes.
    pub fn sha256_pairs(&self, pairs: &[[Sha256Digest; 2]]) -> Vec<Sha256Digest> {
        let mut parents = Vec::with_capacity(pairs.len());
        for rung in self.sha256.rungs() {
            let left = &pairs[parents.len()..];
            match rung.compress {
                Compress::X1(compress) => hash_pairs(compress, rung.lanes_min, left, &mut parents),
                Compress::X2(compress) => hash_pairs(compress, rung.lanes_min, left, &mut parents),
                Compress::X4(compress) => hash_pairs(compress, rung.lanes_min, left, &mut parents),
                Compress::X8(compress) => hash_pairs(compress, rung.lanes_min, left, &mut parents),
                Compress::X16(compress) => hash_pairs(compress, rung.lanes_min, left, &mut parents),
                Compress::X32(compress) => hash_pairs(compress, rung.lanes_min, left, &mut parents),
            }
        }
        parents
    }

    /// Replaces a layer of nodes by the layer above it. A last node without a sibling is paired
    /// with `padding`, the root of an empty subtree of that height.
    pub fn reduce_layer(&self, layer: &mut Vec<Sha256Digest>, padding: Sha256Digest) {
        if !layer.len().is_multiple_of(2) {
            layer.push(padding);
        }
        *layer = self.sha256_pairs(layer.as_chunks().0);
    }
}

/// Appends the parents of the first pairs, for as long as `lanes_min` pairs are left.
fn hash_pairs<const L: usize>(
    compress: CompressFn<L>,
    lanes_min: usize,
    pairs: &[[Sha256Digest; 2]],
    parents: &mut Vec<Sha256Digest>,
) {
    let mut messages = [[[0; BLOCK_BYTES], PADDING]; L];
    for group in pairs.chunks(L).take_while(|group| group.len() >= lanes_min) {
        for (message, [left, right]) in messages.iter_mut().zip(group) {
            message[0][..Sha256Digest::BYTES].copy_from_slice(&left.0);
            message[0][Sha256Digest::BYTES..].copy_from_slice(&right.0);
        }
        let mut lanes: Lanes<L> = Sha256::INITIAL.map(|word| [word; L]);
        compress(&mut lanes, &messages.each_ref().map(<[Block; 2]>::as_slice));
        let nodes = (0..group.len()).map(|lane| lanes.map(|word| word[lane]));
        parents.extend(nodes.map(|words| digest_of::<Sha256>(&words)));
    }
}
