//! The piece layers of a v2 or hybrid torrent: known, or still to be fetched from peers (BEP 52).
//!
//! Owns the trees. Invariant: a tree that is in here leads to the root that the info dictionary
//! names, so a hash taken from it needs no further proof. Files with the same content share a root
//! and a tree. Does not know who asked for hashes or who sent them.

use crate::error::LayerError;
use crate::merkle::{MerkleFault, Tree, TreeShape};
use piecework_types::{PieceIndex, Sha256Digest};
use std::sync::Arc;

/// SHA-256 hashes of the pieces, file by file. Cloning shares the trees.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PieceLayers {
    /// Ascending by root.
    trees: Vec<Rooted>,
    /// Of each file with content the first piece and its place in `trees`; ascending.
    files: Vec<(u32, u32)>,
    missing: usize,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Rooted {
    root: Sha256Digest,
    shape: TreeShape,
    tree: Option<Arc<Tree>>,
}

impl PieceLayers {
    /// `files` are (first piece, root, shape) of all files with content, in order. Trees of one
    /// piece are known from the start: the root is that piece's hash. The caller has checked that
    /// one root has one shape.
    pub(crate) fn new(files: &[(u32, Sha256Digest, TreeShape)]) -> Self {
        let mut trees: Vec<_> =
            files.iter().map(|&(_, root, shape)| Rooted { root, shape, tree: None }).collect();
        trees.sort_unstable_by_key(|rooted| rooted.root);
        trees.dedup_by_key(|rooted| rooted.root);
        for rooted in &mut trees {
            if !rooted.shape.has_piece_layer() {
                rooted.tree = Tree::new(rooted.shape, vec![rooted.root]).ok().map(Arc::new);
            }
        }
        let missing = trees.iter().filter(|rooted| rooted.tree.is_none()).count();
        let place = |root: &Sha256Digest| trees.partition_point(|rooted| rooted.root < *root);
        let files = files.iter().map(|(first, root, _)| (*first, place(root) as u32)).collect();
        Self { trees, files, missing }
    }

    /// The expected hash of a piece, if its layer is known. What it is compared with comes from
    /// [`Self::hash_of_blocks`].
    pub fn v2_hash(&self, piece: PieceIndex) -> Option<Sha256Digest> {
        let (rooted, index) = self.place(piece)?;
        rooted.tree.as_ref()?.pieces().get(index as usize).copied()
    }

    /// The hash that a piece has whose blocks have these hashes: padded as BEP 52 wants it, which
    /// differs between a file of one piece and the short last piece of a longer one.
    pub fn hash_of_blocks(
        &self,
        piece: PieceIndex,
        block_hashes: &[Sha256Digest],
    ) -> Option<Sha256Digest> {
        self.place(piece).map(|(rooted, _)| rooted.shape.piece_hash(block_hashes))
    }

    /// The root of the file that a piece belongs to, and the piece's number within that file.
    pub fn root_of(&self, piece: PieceIndex) -> Option<(Sha256Digest, u32)> {
        self.place(piece).map(|(rooted, index)| (rooted.root, index))
    }

    /// The shape of the tree with this root.
    pub fn shape(&self, root: &Sha256Digest) -> Option<TreeShape> {
        self.find(root).map(|at| self.trees[at].shape)
    }

    /// The tree with this root, if its piece layer is known; it answers hash requests.
    pub fn tree(&self, root: &Sha256Digest) -> Option<&Tree> {
        self.find(root).and_then(|at| self.trees[at].tree.as_deref())
    }

    /// All trees that are known, ascending by root.
    pub fn trees(&self) -> impl Iterator<Item = &Tree> {
        self.trees.iter().filter_map(|rooted| rooted.tree.as_deref())
    }

    /// Roots and shapes of the layers that are not known yet.
    pub fn missing(&self) -> impl Iterator<Item = (Sha256Digest, TreeShape)> + '_ {
        let unknown = self.trees.iter().filter(|rooted| rooted.tree.is_none());
        unknown.map(|rooted| (rooted.root, rooted.shape))
    }

    /// True when every piece's hash is known.
    pub const fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Adds the piece layer of the file with this root: one hash a piece, no padding. A layer that
    /// is known already is checked and left as it is.
    ///
    /// # Errors
    /// When no file has this root and a layer, or the hashes do not lead to it.
    pub fn insert(
        &mut self,
        root: &Sha256Digest,
        piece_hashes: Vec<Sha256Digest>,
    ) -> Result<(), LayerError> {
        let at = self.find(root).ok_or(LayerError::UnknownRoot)?;
        let rooted = &mut self.trees[at];
        if !rooted.shape.has_piece_layer() {
            return Err(LayerError::UnknownRoot);
        }
        let tree = Tree::new(rooted.shape, piece_hashes)?;
        let got = tree.root();
        if got != *root {
            return Err(MerkleFault::Root { expected: *root, got }.into());
        }
        if rooted.tree.is_none() {
            rooted.tree = Some(Arc::new(tree));
            self.missing -= 1;
        }
        Ok(())
    }

    /// As [`Self::insert`], from the form that stands in a torrent file.
    pub(crate) fn insert_bytes(
        &mut self,
        root: &Sha256Digest,
        bytes: &[u8],
    ) -> Result<(), LayerError> {
        let (hashes, rest) = bytes.as_chunks::<{ Sha256Digest::BYTES }>();
        if !rest.is_empty() {
            return Err(LayerError::Length { got_bytes: bytes.len() });
        }
        self.insert(root, hashes.iter().copied().map(Sha256Digest).collect())
    }

    fn find(&self, root: &Sha256Digest) -> Option<usize> {
        self.trees.binary_search_by_key(root, |rooted| rooted.root).ok()
    }

    fn place(&self, piece: PieceIndex) -> Option<(&Rooted, u32)> {
        let next = self.files.partition_point(|&(first, _)| first <= piece.get());
        let (first, tree) = *self.files.get(next.checked_sub(1)?)?;
        let rooted = &self.trees[tree as usize];
        let index = piece.get() - first;
        (u64::from(index) < rooted.shape.piece_count()).then_some((rooted, index))
    }
}
