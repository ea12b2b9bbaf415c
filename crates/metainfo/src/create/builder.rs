//! Collecting the digests of a planned torrent until it can be written.
//!
//! Invariant: a piece counts as done only with every digest that its version needs.

use super::{CreateError, Details, Plan, write};
use crate::merkle::TreeShape;
use crate::{Metainfo, url};
use piecework_types::{BLOCK_BYTES, Bitfield, PieceIndex, Sha1Digest, Sha256Digest};

/// Collects the digests of a planned torrent.
#[derive(Clone, Debug)]
pub struct Builder {
    pub(super) plan: Plan,
    done: Bitfield,
    pub(super) v1: Vec<u8>,
    /// By piece.
    pub(super) v2: Vec<Sha256Digest>,
}

/// A finished torrent.
#[derive(Clone, Debug)]
pub struct Created {
    /// The whole torrent file.
    pub torrent: Vec<u8>,
    /// The same, read again.
    pub metainfo: Metainfo,
}

impl Builder {
    pub(super) fn new(plan: Plan) -> Self {
        let pieces = plan.grid.piece_count() as usize;
        let v1 = if plan.version.has_v1() { pieces * Sha1Digest::BYTES } else { 0 };
        let v2 = if plan.version.has_v2() { pieces } else { 0 };
        Self {
            done: Bitfield::new(plan.grid.piece_count()),
            v1: vec![0; v1],
            v2: vec![Sha256Digest([0; Sha256Digest::BYTES]); v2],
            plan,
        }
    }

    /// What is being built.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Adds a piece: for v1 and hybrid the SHA-1 of all its bytes, padding included; for v2 and
    /// hybrid the SHA-256 of each block of its [`Plan::v2_piece_bytes`], else no block hashes.
    ///
    /// # Errors
    /// [`CreateError::Digests`] when a digest is missing or there are too many.
    pub fn add(
        &mut self,
        piece: PieceIndex,
        sha1: Option<Sha1Digest>,
        block_hashes: &[Sha256Digest],
    ) -> Result<(), CreateError> {
        let refused = |expected| Err(CreateError::Digests { piece, expected });
        if piece.get() >= self.plan.grid.piece_count() {
            return refused("a smaller number");
        }
        let blocks = self.plan.v2_piece_bytes(piece).div_ceil(BLOCK_BYTES);
        if block_hashes.len() != blocks as usize {
            return refused("one SHA-256 for each block of a file");
        }
        if sha1.is_some() != self.plan.version.has_v1() {
            return refused("a SHA-1 for v1 and hybrid only");
        }
        if let Some(sha1) = sha1 {
            let start = piece.as_usize() * Sha1Digest::BYTES;
            self.v1[start..start + Sha1Digest::BYTES].copy_from_slice(&sha1.0);
        }
        if let Some(shape) = self.tree_at(piece).filter(|_| self.plan.version.has_v2()) {
            self.v2[piece.as_usize()] = shape.piece_hash(block_hashes);
        }
        self.done.insert(piece);
        Ok(())
    }

    /// Writes the torrent and reads it again.
    ///
    /// # Errors
    /// [`CreateError::Incomplete`] when pieces are missing; [`CreateError::Refused`] when the
    /// torrent breaks a rule of reading, which no plan should.
    pub fn finish(&self, details: &Details) -> Result<Created, CreateError> {
        if !self.done.is_full() {
            let pieces = self.done.len();
            return Err(CreateError::Incomplete { missing: pieces - self.done.count(), pieces });
        }
        check_addresses(details)?;
        let (info, trees) = write::content(self, details.is_private);
        let trees = self.plan.version.has_v2().then(|| trees.iter());
        let torrent = write::torrent(&info, trees, details);
        let metainfo = Metainfo::parse(&torrent)?;
        Ok(Created { torrent, metainfo })
    }

    fn tree_at(&self, piece: PieceIndex) -> Option<TreeShape> {
        let file = self.plan.layout.file_at(self.plan.grid.piece_offset(piece))?;
        TreeShape::new(self.plan.layout.extents()[file].length, self.plan.grid.piece_length())
    }
}

/// Refuses addresses that [`Metainfo::parse`] would drop or change.
fn check_addresses(details: &Details) -> Result<(), CreateError> {
    let mut trackers = details.trackers.iter().flatten();
    let bad = trackers
        .find(|given| url::tracker(given.as_bytes()).as_ref() != Some(given))
        .or_else(|| {
            let mut web_seeds = details.web_seeds.iter();
            web_seeds.find(|given| url::web_seed(given.as_bytes()).as_ref() != Some(given))
        });
    bad.map_or(Ok(()), |bad| Err(CreateError::Address { got: bad.clone() }))
}
