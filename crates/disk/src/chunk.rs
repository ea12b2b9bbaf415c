//! An owned buffer of one block's size that goes back to its pool by itself.
//!
//! Invariant: its memory is [`CHUNK_BYTES`] long until it is dropped. It must not know what is in it:
//! how many of its bytes are payload is told by the block that comes with it.

use piecework_types::BLOCK_BYTES;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::pool::Shelf;

/// Bytes of a [`Chunk`].
pub const CHUNK_BYTES: usize = BLOCK_BYTES as usize;

/// Memory for one block of payload, taken from a [`ChunkPool`](crate::ChunkPool).
///
/// It carries what an earlier block left in it. Dropped alone it returns to its pool under a lock of
/// its own; [`ChunkPool::give_back`](crate::ChunkPool::give_back) does so for many at once.
pub struct Chunk {
    /// Empty only once the memory has gone back.
    pub(crate) memory: Box<[u8]>,
    pub(crate) home: Arc<Shelf>,
}

impl Chunk {
    pub(crate) const fn new(memory: Box<[u8]>, home: Arc<Shelf>) -> Self {
        Self { memory, home }
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory
    }
}

impl DerefMut for Chunk {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if !self.memory.is_empty() {
            self.home.put_one(std::mem::take(&mut self.memory));
        }
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chunk")
    }
}
