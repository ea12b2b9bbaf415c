//! Memory for framed payload on its way out: `[header][block][header][block]...` in one buffer, so that a
//! read scatters into it and a single write sends it.

use piecework_types::BLOCK_BYTES;
use piecework_wire::{BLOCK_HEADER_BYTES, Request, block_header};
use std::io::IoSliceMut;

/// Blocks in one buffer at most: a read of 256 KiB.
pub const FRAME_BLOCKS_MAX: usize = 16;

/// Bytes of a kept buffer: so many blocks of the usual length with their headers. Peers may ask for
/// longer blocks; fewer of those go into one buffer.
pub const FRAME_BYTES_MAX: usize = FRAME_BLOCKS_MAX * ONE_BYTES;

const ONE_BYTES: usize = BLOCK_HEADER_BYTES + BLOCK_BYTES as usize;

/// Spare buffers kept of each size.
const SPARE_MAX: usize = 32;

/// One or more framed blocks.
#[derive(Debug)]
pub struct FrameBuffer {
    /// Never shrinks: only `used` changes, so that reuse writes no zeros.
    memory: Box<[u8]>,
    used: usize,
}

impl FrameBuffer {
    /// Writes the headers of these blocks and gives the places of their payloads to `fill`, in order.
    ///
    /// # Panics
    /// If the blocks with their headers are longer than what the buffer was taken for, or more than
    /// [`FRAME_BLOCKS_MAX`].
    pub fn frame<T>(
        &mut self,
        blocks: impl IntoIterator<Item = Request>,
        fill: impl FnOnce(&mut [IoSliceMut<'_>]) -> T,
    ) -> T {
        let mut rest = &mut self.memory[..];
        let mut places: [IoSliceMut<'_>; FRAME_BLOCKS_MAX] =
            std::array::from_fn(|_| IoSliceMut::new(&mut []));
        let (mut count, mut used) = (0, 0);
        for block in blocks {
            let (header, behind) = rest.split_at_mut(BLOCK_HEADER_BYTES);
            header.copy_from_slice(&block_header(block));
            let (payload, behind) = behind.split_at_mut(block.length as usize);
            used += BLOCK_HEADER_BYTES + payload.len();
            places[count] = IoSliceMut::new(payload);
            count += 1;
            rest = behind;
        }
        self.used = used;
        fill(&mut places[..count])
    }
}

impl AsRef<[u8]> for FrameBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.used]
    }
}

impl AsMut<[u8]> for FrameBuffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.memory[..self.used]
    }
}

/// Spare buffers of a shard, last used first.
#[derive(Debug, Default)]
pub struct FramePool {
    small: Vec<Box<[u8]>>,
    large: Vec<Box<[u8]>>,
}

impl FramePool {
    /// A buffer for so many bytes of blocks and headers. One longer than [`FRAME_BYTES_MAX`] is made
    /// for this time only.
    pub fn take(&mut self, bytes: usize) -> FrameBuffer {
        let (spare, bytes) = if bytes <= ONE_BYTES {
            (self.small.pop(), ONE_BYTES)
        } else if bytes <= FRAME_BYTES_MAX {
            (self.large.pop(), FRAME_BYTES_MAX)
        } else {
            (None, bytes)
        };
        let memory = spare.unwrap_or_else(|| vec![0; bytes].into_boxed_slice());
        FrameBuffer { memory, used: 0 }
    }

    /// Keeps the buffer for the next [`FramePool::take`].
    pub fn give_back(&mut self, buffer: FrameBuffer) {
        let spare = match buffer.memory.len() {
            ONE_BYTES => &mut self.small,
            FRAME_BYTES_MAX => &mut self.large,
            _ => return,
        };
        if spare.len() < SPARE_MAX {
            spare.push(buffer.memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_blocks_one_behind_the_other() {
        let mut pool = FramePool::default();
        let mut buffer = pool.take(2 * BLOCK_HEADER_BYTES + 5);
        let blocks = [3, 2].map(|length| Request { piece: 1, begin: 0, length });
        buffer.frame(blocks, |places| {
            assert_eq!(places.iter().map(|place| place.len()).collect::<Vec<_>>(), [3, 2]);
            places[0].fill(7);
            places[1].fill(9);
        });
        let mut expected = block_header(blocks[0]).to_vec();
        expected.extend([7; 3]);
        expected.extend(block_header(blocks[1]));
        expected.extend([9; 2]);
        assert_eq!(buffer.as_ref(), expected);
        pool.give_back(buffer);
        assert_eq!(pool.take(5).as_ref(), [0_u8; 0]);
    }

    #[test]
    fn a_buffer_is_as_long_as_the_blocks_it_was_taken_for() {
        let mut pool = FramePool::default();
        for length in [1, BLOCK_BYTES, BLOCK_BYTES + 1, 8 * BLOCK_BYTES, 17 * BLOCK_BYTES] {
            let block = Request { piece: 0, begin: 0, length };
            let bytes = BLOCK_HEADER_BYTES + length as usize;
            for _ in 0..2 {
                let mut buffer = pool.take(bytes);
                buffer.frame([block], |places| assert_eq!(places[0].len(), length as usize));
                assert_eq!(buffer.as_ref().len(), bytes);
                pool.give_back(buffer);
            }
        }
    }
}
