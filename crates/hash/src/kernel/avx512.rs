//! Sixteen lanes in 512-bit vectors, or twice sixteen: rotates and three-input logic are single
//! instructions.
//!
//! `unsafe` is needed twice: to enter code compiled for AVX-512 and to load and store vectors.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::rounds::{SHA256_K, lane_kernel, unroll};
use super::{Block, Compress, Kernels, Lanes};

/// The kernels for sixteen lanes, if this CPU can run them.
pub(super) fn kernels() -> Option<Kernels> {
    is_supported().then_some(Kernels { sha1: Compress::X16(sha1), sha256: Compress::X16(sha256) })
}

/// The kernels for thirty-two lanes, if this CPU can run them.
pub(super) fn kernels_x2() -> Option<Kernels> {
    is_supported()
        .then_some(Kernels { sha1: Compress::X32(sha1_x2), sha256: Compress::X32(sha256_x2) })
}

fn is_supported() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

fn sha1(lanes: &mut Lanes<16>, inputs: &[&[Block]; 16]) {
    // SAFETY: this function is private and only `kernels` hands it out, after it has found both
    // features on this CPU.
    unsafe { sha1_x16(lanes, inputs) }
}

fn sha256(lanes: &mut Lanes<16>, inputs: &[&[Block]; 16]) {
    // SAFETY: as for `sha1`.
    unsafe { sha256_x16(lanes, inputs) }
}

fn sha1_x2(lanes: &mut Lanes<32>, inputs: &[&[Block]; 32]) {
    // SAFETY: as for `sha1`; `kernels_x2` hands it out.
    unsafe { sha1_x32(lanes, inputs) }
}

fn sha256_x2(lanes: &mut Lanes<32>, inputs: &[&[Block]; 32]) {
    // SAFETY: as for `sha1_x2`.
    unsafe { sha256_x32(lanes, inputs) }
}

/// How far ahead of the lanes their data is asked for: the hardware does not follow sixteen streams
/// at once. Measured; eight blocks ahead win half as much.
const PREFETCH_BLOCKS: usize = 2;

/// One word of each lane, in G vectors of sixteen.
#[derive(Clone, Copy)]
struct Words<const G: usize>([__m512i; G]);

lane_kernel!(
    #[target_feature(enable = "avx512f,avx512bw")]
    sha1_x16,
    sha256_x16,
    Words<1>,
    16
);
lane_kernel!(
    #[target_feature(enable = "avx512f,avx512bw")]
    sha1_x32,
    sha256_x32,
    Words<2>,
    32
);

impl<const G: usize> Words<G> {
    /// Block number `block` of all lanes: vector n holds word n of each, as a big-endian number.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn message<const L: usize>(inputs: &[&[Block]; L], block: usize) -> [Self; 16] {
        let swap = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
        let mut words = [Self([swap; G]); 16];
        let (groups, _) = inputs.as_chunks::<16>();
        for (g, group) in groups.iter().enumerate() {
            let mut rows = [swap; 16];
            for (row, input) in rows.iter_mut().zip(group) {
                if let Some(later) = input.get(block + PREFETCH_BLOCKS) {
                    _mm_prefetch::<_MM_HINT_T0>(later.as_ptr().cast());
                }
                // SAFETY: a block is 64 readable bytes and the load asks for no alignment.
                let bytes = unsafe { _mm512_loadu_si512(input[block].as_ptr().cast()) };
                *row = _mm512_shuffle_epi8(bytes, swap);
            }
            for (word, column) in words.iter_mut().zip(transpose(rows)) {
                word.0[g] = column;
            }
        }
        words
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn load<const L: usize>(lane: &[u32; L]) -> Self {
        let mut out = Self::splat(0);
        let (groups, _) = lane.as_chunks::<16>();
        for (vector, group) in out.0.iter_mut().zip(groups) {
            // SAFETY: the group is 64 readable bytes and the load asks for no alignment.
            *vector = unsafe { _mm512_loadu_si512(group.as_ptr().cast()) };
        }
        out
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn store<const L: usize>(self, lane: &mut [u32; L]) {
        let (groups, _) = lane.as_chunks_mut::<16>();
        for (vector, group) in self.0.iter().zip(groups) {
            // SAFETY: the group is 64 writable bytes and the store asks for no alignment.
            unsafe { _mm512_storeu_si512(group.as_mut_ptr().cast(), *vector) }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn splat(word: u32) -> Self {
        Self([_mm512_set1_epi32(word.cast_signed()); G])
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn add(self, y: Self) -> Self {
        let mut out = self;
        for g in 0..G {
            out.0[g] = _mm512_add_epi32(self.0[g], y.0[g]);
        }
        out
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn xor(self, y: Self) -> Self {
        let mut out = self;
        for g in 0..G {
            out.0[g] = _mm512_xor_si512(self.0[g], y.0[g]);
        }
        out
    }

    // The constants below are truth tables: bit (4x + 2y + z) is the result for inputs x, y, z.

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn xor3(self, y: Self, z: Self) -> Self {
        let mut out = self;
        for g in 0..G {
            out.0[g] = _mm512_ternarylogic_epi32::<0b1001_0110>(self.0[g], y.0[g], z.0[g]);
        }
        out
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn choose(self, y: Self, z: Self) -> Self {
        let mut out = self;
        for g in 0..G {
            out.0[g] = _mm512_ternarylogic_epi32::<0b1100_1010>(self.0[g], y.0[g], z.0[g]);
        }
        out
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn majority(self, y: Self, z: Self) -> Self {
        let mut out = self;
        for g in 0..G {
            out.0[g] = _mm512_ternarylogic_epi32::<0b1110_1000>(self.0[g], y.0[g], z.0[g]);
        }
        out
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn rotate_left<const N: i32, const REST: i32>(self) -> Self {
        let mut out = self;
        for g in 0..G {
            out.0[g] = _mm512_rol_epi32::<N>(self.0[g]);
        }
        out
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn shift_right<const N: u32>(self) -> Self {
        let mut out = self;
        for g in 0..G {
            out.0[g] = _mm512_srli_epi32::<N>(self.0[g]);
        }
        out
    }
}

/// Transposes a 16 x 16 matrix of words: first inside each group of four rows and columns, then the
/// 4 x 4 matrix of those groups.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn transpose(mut r: [__m512i; 16]) -> [__m512i; 16] {
    let mut t = r;
    for i in 0..8 {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for i in 0..4 {
        r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for i in 0..4 {
        t[i] = _mm512_shuffle_i32x4::<0x88>(r[i], r[i + 4]);
        t[i + 4] = _mm512_shuffle_i32x4::<0xdd>(r[i], r[i + 4]);
        t[i + 8] = _mm512_shuffle_i32x4::<0x88>(r[i + 8], r[i + 12]);
        t[i + 12] = _mm512_shuffle_i32x4::<0xdd>(r[i + 8], r[i + 12]);
    }
    for i in 0..8 {
        r[i] = _mm512_shuffle_i32x4::<0x88>(t[i], t[i + 8]);
        r[i + 8] = _mm512_shuffle_i32x4::<0xdd>(t[i], t[i + 8]);
    }
    r
}
