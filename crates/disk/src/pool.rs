//! The chunks of a node: how many there are, and whether sockets may be read.
//!
//! Owns idle chunks, last used first: memory that was just in use is in cache and has its pages. What
//! no one used for ten seconds is freed. Invariant: received payload never takes more than the maximum.
//! It must not know what chunks are used for.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::chunk::{CHUNK_BYTES, Chunk};

/// How long chunks may lie idle before they are freed.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(10);

/// Hands out chunks and takes them back. Cloning gives another handle of the same pool.
#[derive(Clone)]
pub struct ChunkPool {
    shelf: Arc<Shelf>,
}

/// What handles and chunks of one pool share.
pub(crate) struct Shelf {
    idle: Mutex<Idle>,
    in_use: AtomicUsize,
    has_pressure: AtomicBool,
    chunks_max: usize,
    /// Pressure begins at 7/8 and ends below 3/4 of the maximum (libtorrent's watermarks).
    high: usize,
    low: usize,
}

struct Idle {
    memory: Vec<Box<[u8]>>,
    /// Fewest idle chunks since the last trim: these nobody needed.
    unused: usize,
}

impl ChunkPool {
    /// A pool of at most `bytes_max` in use, but at least 16 chunks.
    pub fn new(bytes_max: usize) -> Self {
        let chunks_max = (bytes_max / CHUNK_BYTES).max(16);
        let shelf = Shelf {
            idle: Mutex::new(Idle { memory: Vec::new(), unused: 0 }),
            in_use: AtomicUsize::new(0),
            has_pressure: AtomicBool::new(false),
            chunks_max,
            high: chunks_max / 8 * 7,
            low: chunks_max / 4 * 3,
        };
        Self { shelf: Arc::new(shelf) }
    }

    /// Appends up to `count` chunks. Fewer only when the maximum is reached, which readers of sockets
    /// avoid by stopping at [`Self::pressure`].
    pub fn take(&self, count: usize, chunks: &mut Vec<Chunk>) {
        let granted = self.shelf.reserve(count, self.shelf.chunks_max);
        self.append(granted, chunks);
    }

    /// As [`Self::take`], without a maximum: for reads, which something else bounds.
    pub(crate) fn take_beyond_max(&self, count: usize, chunks: &mut Vec<Chunk>) {
        let granted = self.shelf.reserve(count, usize::MAX);
        self.append(granted, chunks);
    }

    /// Appends chunks that are counted as taken.
    fn append(&self, count: usize, chunks: &mut Vec<Chunk>) {
        let shelf = &self.shelf;
        chunks.reserve(count);
        let reused = {
            let mut idle = shelf.lock();
            let rest = idle.memory.len().saturating_sub(count);
            let reused = idle.memory.len() - rest;
            let home = || Arc::clone(shelf);
            chunks.extend(idle.memory.drain(rest..).rev().map(|memory| Chunk::new(memory, home())));
            idle.unused = idle.unused.min(rest);
            reused
        };
        for _ in reused..count {
            let memory = vec![0; CHUNK_BYTES].into_boxed_slice();
            chunks.push(Chunk::new(memory, Arc::clone(shelf)));
        }
    }

    /// Returns all of `chunks`, which must be of this pool; the vector keeps its capacity.
    pub fn give_back(&self, chunks: &mut Vec<Chunk>) {
        if chunks.is_empty() {
            return;
        }
        let count = chunks.len();
        self.shelf.lock().memory.extend(chunks.drain(..).map(|mut chunk| {
            debug_assert!(Arc::ptr_eq(&chunk.home, &self.shelf), "chunk of another pool");
            std::mem::take(&mut chunk.memory)
        }));
        self.shelf.release(count);
    }

    /// Bytes of all chunks that are taken.
    pub fn in_use_bytes(&self) -> usize {
        self.shelf.in_use.load(Ordering::Relaxed) * CHUNK_BYTES
    }

    /// True from 7/8 of the maximum on until less than 3/4 is in use: do not read from sockets.
    pub fn pressure(&self) -> bool {
        self.shelf.has_pressure.load(Ordering::Relaxed)
    }

    /// Frees what was idle since the last call. Called every [`IDLE_MAX`].
    pub(crate) fn trim(&self) {
        let freed = {
            let mut idle = self.shelf.lock();
            let unused = idle.unused.min(idle.memory.len());
            let freed: Vec<_> = idle.memory.drain(..unused).collect();
            idle.unused = idle.memory.len();
            freed
        };
        drop(freed);
    }
}

impl fmt::Debug for ChunkPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChunkPool({} bytes in use)", self.in_use_bytes())
    }
}

impl Shelf {
    /// Counts up to `count` chunks as taken; how many it were.
    fn reserve(&self, count: usize, chunks_max: usize) -> usize {
        let before = self
            .in_use
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                Some(used + count.min(chunks_max.saturating_sub(used)))
            })
            .unwrap_or_else(|used| used);
        let granted = count.min(chunks_max.saturating_sub(before));
        if before + granted >= self.high {
            self.has_pressure.store(true, Ordering::Relaxed);
        }
        granted
    }

    fn release(&self, count: usize) {
        let left = self.in_use.fetch_sub(count, Ordering::Relaxed) - count;
        if left < self.low && self.has_pressure.load(Ordering::Relaxed) {
            self.has_pressure.store(false, Ordering::Relaxed);
        }
    }

    pub(crate) fn put_one(&self, memory: Box<[u8]>) {
        self.lock().memory.push(memory);
        self.release(1);
    }

    /// A panic elsewhere cannot leave a vector of buffers half changed.
    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_back_last_first_when_given_or_dropped() {
        let pool = ChunkPool::new(1 << 20);
        let mut chunks = Vec::new();
        pool.take(2, &mut chunks);
        chunks[1][0] = 7;
        chunks[0][0] = 5;
        assert_eq!(pool.in_use_bytes(), 2 * CHUNK_BYTES);
        drop(chunks.pop());
        pool.give_back(&mut chunks);
        assert_eq!(pool.in_use_bytes(), 0);
        pool.take(3, &mut chunks);
        assert_eq!(chunks.iter().map(|chunk| chunk[0]).collect::<Vec<_>>(), [5, 7, 0]);
    }

    #[test]
    fn pressure_lasts_from_seven_eighths_until_three_quarters() {
        let pool = ChunkPool::new(64 * CHUNK_BYTES);
        let mut chunks = Vec::new();
        pool.take(55, &mut chunks);
        assert!(!pool.pressure());
        pool.take(1, &mut chunks);
        assert!(pool.pressure());
        chunks.truncate(48);
        assert!(pool.pressure());
        chunks.truncate(47);
        assert!(!pool.pressure());
    }

    #[test]
    fn never_gives_more_than_the_maximum() {
        let pool = ChunkPool::new(16 * CHUNK_BYTES);
        let mut chunks = Vec::new();
        pool.take(10, &mut chunks);
        pool.take(10, &mut chunks);
        assert_eq!(chunks.len(), 16);
        pool.take(1, &mut chunks);
        assert_eq!(chunks.len(), 16);
    }

    #[test]
    fn a_trim_frees_only_what_was_idle_all_along() {
        let pool = ChunkPool::new(1 << 20);
        let mut chunks = Vec::new();
        pool.take(10, &mut chunks);
        pool.give_back(&mut chunks);
        pool.trim();
        pool.take(4, &mut chunks);
        pool.give_back(&mut chunks);
        assert_eq!(pool.shelf.lock().memory.len(), 10);
        pool.trim();
        assert_eq!(pool.shelf.lock().memory.len(), 4);
        pool.trim();
        assert_eq!(pool.shelf.lock().memory.len(), 0);
    }
}
