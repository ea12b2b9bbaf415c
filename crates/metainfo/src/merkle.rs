//! The SHA-256 tree over a file's blocks (BEP 52): its shape, its padding, its proofs.
//!
//! Layer 0 holds the leaves, one a block; a file's tree has as many leaves as the next power of
//! two. Absent leaves count as 32 zero bytes, so a subtree that lies wholly behind the file's end
//! has a known hash for its layer ([`pad_hash`]). Knows files only as a number of bytes: which file
//! has which root is the business of [`PieceLayers`](crate::PieceLayers).

use piecework_hash::sha256;
use piecework_types::{BLOCK_BYTES, Sha256Digest};
use std::ops::Range;
use std::sync::OnceLock;

/// Layers of the highest tree: 2^50 blocks of 16 KiB are 2^64 bytes.
const HEIGHT_MAX: u32 = 50;

/// Hashes that one request may ask for. BEP 52 recommends 512 at most; clients ask for the blocks
/// of a whole piece, and 8192 of them are 128 MiB.
pub const SPAN_HASHES_MAX: u32 = 8192;

/// Why hashes prove nothing. All of these are the fault of whoever sent the hashes or the request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MerkleFault {
    /// A request for hashes that the tree does not have or that BEP 52 does not allow.
    #[error("no such span of hashes in a tree of {height} layers: {span:?}")]
    Span {
        /// What was asked.
        span: HashSpan,
        /// Layers of the tree above its leaves.
        height: u32,
    },
    /// Not the number of hashes the request is answered with.
    #[error("expected {expected} hashes, got {got}")]
    Count {
        /// Hashes that belong there.
        expected: u64,
        /// Hashes that came.
        got: usize,
    },
    /// The hashes do not lead to the file's root.
    #[error("hashes lead to {got} instead of the root {expected}")]
    Root {
        /// The file's root.
        expected: Sha256Digest,
        /// What the hashes lead to.
        got: Sha256Digest,
    },
}

/// The hash of a node from its two children.
pub fn parent(left: &Sha256Digest, right: &Sha256Digest) -> Sha256Digest {
    let mut both = [0; 2 * Sha256Digest::BYTES];
    both[..Sha256Digest::BYTES].copy_from_slice(&left.0);
    both[Sha256Digest::BYTES..].copy_from_slice(&right.0);
    sha256(&both)
}

/// The hash of a node of this layer that has no block below it. Layers above 2^64 bytes do not
/// exist and give the highest one's.
pub fn pad_hash(layer: u32) -> Sha256Digest {
    static PADS: OnceLock<Vec<Sha256Digest>> = OnceLock::new();
    let pads = PADS.get_or_init(|| {
        let leaf = Sha256Digest([0; Sha256Digest::BYTES]);
        std::iter::successors(Some(leaf), |pad| Some(parent(pad, pad)))
            .take(HEIGHT_MAX as usize + 1)
            .collect()
    });
    pads[layer.min(HEIGHT_MAX) as usize]
}

/// The node of layer `top` above `hashes`, which are its first descendants in layer `base`; the
/// missing ones are padding. Without any hash it is padding itself.
pub fn root_of(hashes: &[Sha256Digest], base: u32, top: u32) -> Sha256Digest {
    let mut level = hashes.to_vec();
    for layer in base..top {
        level = level_above(&level, layer);
    }
    level.first().copied().unwrap_or_else(|| pad_hash(top))
}

/// The parents of the nodes of `layer`.
fn level_above(level: &[Sha256Digest], layer: u32) -> Vec<Sha256Digest> {
    let pad = pad_hash(layer);
    level.chunks(2).map(|pair| parent(&pair[0], pair.get(1).unwrap_or(&pad))).collect()
}

/// Which hashes of a file's tree are asked for (hash request, BEP 52).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HashSpan {
    /// Layer of the hashes; 0 for blocks.
    pub base_layer: u32,
    /// First hash within the layer, a multiple of `length`.
    pub index: u32,
    /// How many: a power of two, 2 to [`SPAN_HASHES_MAX`].
    pub length: u32,
    /// Ancestor layers for which uncle hashes are to be sent too. Those that follow from the hashes
    /// themselves are left out of the answer.
    pub proof_layers: u32,
}

impl HashSpan {
    /// Layers between the hashes and the one node above all of them.
    const fn own_layers(self) -> u32 {
        self.length.trailing_zeros()
    }

    /// Uncle hashes at the end of the answer.
    pub const fn proof_hashes(self) -> u32 {
        // The first uncle's layer is own_layers above the base; layers are counted from 1.
        (self.proof_layers + 1).saturating_sub(self.own_layers())
    }
}

/// How high and wide the tree of one file is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TreeShape {
    blocks: u64,
    height: u32,
    piece_layer: u32,
}

impl TreeShape {
    /// The shape for a file of `file_bytes`; an empty file has no tree. `piece_length` is a power
    /// of two of at least 16 KiB, as v2 demands; anything else has no tree either.
    pub fn new(file_bytes: u64, piece_length: u32) -> Option<Self> {
        if file_bytes == 0 || !piece_length.is_power_of_two() || piece_length < BLOCK_BYTES {
            return None;
        }
        let blocks = file_bytes.div_ceil(BLOCK_BYTES.into());
        let height = blocks.next_power_of_two().trailing_zeros();
        let piece_layer = (piece_length / BLOCK_BYTES).trailing_zeros();
        Some(Self { blocks, height, piece_layer })
    }

    /// Blocks of the file.
    pub const fn block_count(self) -> u64 {
        self.blocks
    }

    /// Layers above the leaves; the root's layer.
    pub const fn height(self) -> u32 {
        self.height
    }

    /// The layer whose nodes are pieces: the root's if the file is not longer than a piece.
    pub const fn piece_layer(self) -> u32 {
        if self.piece_layer < self.height { self.piece_layer } else { self.height }
    }

    /// True when the file is longer than a piece, so that its piece layer has to be known.
    pub const fn has_piece_layer(self) -> bool {
        self.piece_layer < self.height
    }

    /// Pieces of the file.
    pub const fn piece_count(self) -> u64 {
        self.node_count(self.piece_layer())
    }

    /// Nodes of a layer that have a block below them.
    pub const fn node_count(self, layer: u32) -> u64 {
        self.blocks.div_ceil(1 << if layer < HEIGHT_MAX { layer } else { HEIGHT_MAX })
    }

    /// The hash of a piece of this file from its blocks' hashes, of which a short last piece has
    /// fewer.
    pub fn piece_hash(self, block_hashes: &[Sha256Digest]) -> Sha256Digest {
        root_of(block_hashes, 0, self.piece_layer())
    }

    /// The request for this many hashes of the piece layer (or all, if there are fewer) with the
    /// proof up to the root. `index` is rounded down to where such a span can start. Without a
    /// piece layer there is nothing to ask.
    pub fn piece_span(self, index: u32, length: u32) -> Option<HashSpan> {
        let width =
            1_u64 << self.height.checked_sub(self.piece_layer).filter(|&above| above > 0)?;
        let length = length.clamp(2, SPAN_HASHES_MAX);
        // At most `length`, so it fits.
        let length = (1 << length.ilog2()).min(width) as u32;
        let span = HashSpan {
            base_layer: self.piece_layer,
            index: index - index % length,
            length,
            proof_layers: self.height - self.piece_layer - 1,
        };
        self.check(span).is_ok().then_some(span)
    }

    /// Checks a peer's request against this tree.
    ///
    /// # Errors
    /// [`MerkleFault::Span`] when the tree has no such hashes.
    pub fn check(self, span: HashSpan) -> Result<(), MerkleFault> {
        let above = self.height.saturating_sub(span.base_layer);
        let end = u64::from(span.index) + u64::from(span.length);
        let valid = span.length.is_power_of_two()
            && (2..=SPAN_HASHES_MAX).contains(&span.length)
            && span.index.is_multiple_of(span.length)
            && end <= 1 << above
            && span.proof_layers < above;
        if valid { Ok(()) } else { Err(MerkleFault::Span { span, height: self.height }) }
    }

    /// Pieces of the file that lie, at least in part, below the hashes of `span`.
    pub fn pieces_below(self, span: HashSpan) -> Range<u64> {
        // Wide enough for spans that no tree has: those come out empty or cut.
        let leaf = |index: u32| u128::from(index) << span.base_layer.min(HEIGHT_MAX);
        let end = leaf(span.index.saturating_add(span.length)).div_ceil(1 << self.piece_layer());
        let start = leaf(span.index) >> self.piece_layer();
        let pieces = self.piece_count();
        start.min(pieces.into()) as u64..end.min(pieces.into()) as u64
    }

    /// Checks the answer to `span` against the file's root and returns its base hashes; those
    /// behind the file's end are left out. The span must have been asked with the whole proof, as
    /// [`Self::piece_span`] does.
    ///
    /// # Errors
    /// When the span or the number of hashes is wrong, or they do not lead to `root`.
    pub fn verify<'h>(
        self,
        root: &Sha256Digest,
        span: HashSpan,
        hashes: &'h [Sha256Digest],
    ) -> Result<&'h [Sha256Digest], MerkleFault> {
        self.check(span)?;
        let reached = span.own_layers().max(span.proof_layers + 1);
        if reached < self.height - span.base_layer {
            return Err(MerkleFault::Span { span, height: self.height });
        }
        let expected = u64::from(span.length) + u64::from(span.proof_hashes());
        if hashes.len() as u64 != expected {
            return Err(MerkleFault::Count { expected, got: hashes.len() });
        }
        let (base, uncles) = hashes.split_at(span.length as usize);
        let top = span.base_layer + span.own_layers();
        let mut index = span.index / span.length;
        let mut node = root_of(base, span.base_layer, top);
        for uncle in uncles {
            node =
                if index.is_multiple_of(2) { parent(&node, uncle) } else { parent(uncle, &node) };
            index /= 2;
        }
        if node != *root {
            return Err(MerkleFault::Root { expected: *root, got: node });
        }
        let real = self.node_count(span.base_layer).saturating_sub(span.index.into());
        Ok(&base[..real.min(base.len() as u64) as usize])
    }
}

/// The nodes of a file's tree from the piece layer up to the root: 64 bytes a piece. With them a
/// seed answers hash requests without hashing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tree {
    shape: TreeShape,
    /// From the piece layer up, without padding; the last holds the root alone.
    layers: Vec<Vec<Sha256Digest>>,
}

impl Tree {
    /// The tree above the hashes of all pieces.
    ///
    /// # Errors
    /// [`MerkleFault::Count`] when there are not as many hashes as pieces.
    pub fn new(shape: TreeShape, piece_hashes: Vec<Sha256Digest>) -> Result<Self, MerkleFault> {
        let expected = shape.piece_count();
        if piece_hashes.len() as u64 != expected {
            return Err(MerkleFault::Count { expected, got: piece_hashes.len() });
        }
        let mut layers = vec![piece_hashes];
        for layer in shape.piece_layer()..shape.height() {
            layers.push(level_above(&layers[layers.len() - 1], layer));
        }
        Ok(Self { shape, layers })
    }

    /// Its shape.
    pub const fn shape(&self) -> TreeShape {
        self.shape
    }

    /// The hash that stands in the info dictionary.
    pub fn root(&self) -> Sha256Digest {
        self.layers.last().and_then(|top| top.first()).copied().unwrap_or_else(|| pad_hash(0))
    }

    /// The hashes of the pieces, in order.
    pub fn pieces(&self) -> &[Sha256Digest] {
        &self.layers[0]
    }

    /// The answer to a hash request for the piece layer or above it: the hashes, then the uncles.
    /// `None` when the request has to be rejected; block hashes need [`Self::answer_with`].
    pub fn answer(&self, span: HashSpan) -> Option<Vec<Sha256Digest>> {
        if span.base_layer < self.shape.piece_layer() {
            return None;
        }
        self.collect(span, |layer, index| self.node(layer, index))
    }

    /// The answer to a hash request below the piece layer. `block_hashes` are those of the pieces
    /// that [`TreeShape::pieces_below`] names. `None` when the request has to be rejected, or the
    /// block hashes are not those of this file.
    pub fn answer_with(
        &self,
        span: HashSpan,
        block_hashes: &[Sha256Digest],
    ) -> Option<Vec<Sha256Digest>> {
        self.shape.check(span).ok()?;
        let pieces = self.shape.pieces_below(span);
        let mut below = vec![block_hashes.to_vec()];
        for layer in 0..self.shape.piece_layer() {
            below.push(level_above(&below[layer as usize], layer));
        }
        let known = self.pieces().get(pieces.start as usize..pieces.end as usize)?;
        if below.pop()? != known {
            return None;
        }
        self.collect(span, |layer, index| match below.get(layer as usize) {
            None => self.node(layer, index),
            Some(nodes) => {
                let first = pieces.start << (self.shape.piece_layer() - layer);
                let node = index.checked_sub(first).and_then(|at| nodes.get(at as usize));
                node.copied().or_else(|| self.padding(layer, index))
            }
        })
    }

    fn collect(
        &self,
        span: HashSpan,
        node: impl Fn(u32, u64) -> Option<Sha256Digest>,
    ) -> Option<Vec<Sha256Digest>> {
        self.shape.check(span).ok()?;
        let first = u64::from(span.index);
        let base = first..first + u64::from(span.length);
        let top = span.base_layer + span.own_layers();
        let uncles = (0..span.proof_hashes())
            .map(|up| node(top + up, (first >> (span.own_layers() + up)) ^ 1));
        base.map(|index| node(span.base_layer, index)).chain(uncles).collect()
    }

    /// A node of the piece layer or above it.
    fn node(&self, layer: u32, index: u64) -> Option<Sha256Digest> {
        let nodes = self.layers.get(layer.checked_sub(self.shape.piece_layer())? as usize)?;
        nodes.get(index as usize).copied().or_else(|| self.padding(layer, index))
    }

    fn padding(&self, layer: u32, index: u64) -> Option<Sha256Digest> {
        (index >= self.shape.node_count(layer)).then(|| pad_hash(layer))
    }
}

#[cfg(test)]
mod tests;
