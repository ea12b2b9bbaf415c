//! One lane in plain Rust: the kernel of every CPU, and the one that needs no `unsafe`.

use super::rounds::{SHA256_K, lane_kernel, unroll};
use super::{Block, Compress, Kernels, Lanes};

pub(super) const KERNELS: Kernels =
    Kernels { sha1: Compress::X1(sha1), sha256: Compress::X1(sha256) };

#[derive(Clone, Copy)]
struct Word(u32);

lane_kernel!(sha1, sha256, Word, 1);

impl Word {
    #[inline]
    fn message(inputs: &[&[Block]; 1], block: usize) -> [Self; 16] {
        let (words, _) = inputs[0][block].as_chunks::<4>();
        std::array::from_fn(|word| Self(u32::from_be_bytes(words[word])))
    }

    #[inline]
    fn load(lane: &[u32; 1]) -> Self {
        Self(lane[0])
    }

    #[inline]
    fn store(self, lane: &mut [u32; 1]) {
        lane[0] = self.0;
    }

    #[inline]
    fn splat(word: u32) -> Self {
        Self(word)
    }

    #[inline]
    fn add(self, y: Self) -> Self {
        Self(self.0.wrapping_add(y.0))
    }

    #[inline]
    fn xor(self, y: Self) -> Self {
        Self(self.0 ^ y.0)
    }

    #[inline]
    fn xor3(self, y: Self, z: Self) -> Self {
        Self(self.0 ^ y.0 ^ z.0)
    }

    #[inline]
    fn choose(self, y: Self, z: Self) -> Self {
        Self(z.0 ^ (self.0 & (y.0 ^ z.0)))
    }

    #[inline]
    fn majority(self, y: Self, z: Self) -> Self {
        Self(y.0 ^ ((self.0 ^ y.0) & (y.0 ^ z.0)))
    }

    #[inline]
    fn rotate_left<const N: u32, const REST: u32>(self) -> Self {
        Self(self.0.rotate_left(N))
    }

    #[inline]
    fn shift_right<const N: u32>(self) -> Self {
        Self(self.0 >> N)
    }
}
