//! Eight lanes in 256-bit vectors.
//!
//! `unsafe` is needed twice: to enter code compiled for AVX2 and to load and store vectors.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::rounds::{SHA256_K, lane_kernel, unroll};
use super::{Block, Compress, Kernels, Lanes};

/// The kernels, if this CPU can run them.
pub(super) fn kernels() -> Option<Kernels> {
    let supported = is_x86_feature_detected!("avx2");
    supported.then_some(Kernels { sha1: Compress::X8(sha1), sha256: Compress::X8(sha256) })
}

fn sha1(lanes: &mut Lanes<8>, inputs: &[&[Block]; 8]) {
    // SAFETY: this function is private and only `kernels` hands it out, after it has found the
    // feature on this CPU.
    unsafe { sha1_lanes(lanes, inputs) }
}

fn sha256(lanes: &mut Lanes<8>, inputs: &[&[Block]; 8]) {
    // SAFETY: as for `sha1`.
    unsafe { sha256_lanes(lanes, inputs) }
}

/// One word of each lane.
#[derive(Clone, Copy)]
struct Words(__m256i);

lane_kernel!(
    #[target_feature(enable = "avx2")]
    sha1_lanes,
    sha256_lanes,
    Words,
    8
);

impl Words {
    /// Block number `block` of all lanes: vector n holds word n of each, as a big-endian number.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn message(inputs: &[&[Block]; 8], block: usize) -> [Self; 16] {
        let swap = _mm_set_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
        let swap = _mm256_broadcastsi128_si256(swap);
        let mut low = [_mm256_setzero_si256(); 8];
        let mut high = low;
        for (lane, input) in inputs.iter().enumerate() {
            let (halves, _) = input[block].as_chunks::<32>();
            low[lane] = _mm256_shuffle_epi8(load_bytes(&halves[0]), swap);
            high[lane] = _mm256_shuffle_epi8(load_bytes(&halves[1]), swap);
        }
        let halves = [transpose(low), transpose(high)];
        std::array::from_fn(|word| Self(halves[word / 8][word % 8]))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(lane: &[u32; 8]) -> Self {
        // SAFETY: the array is 32 readable bytes and the load asks for no alignment.
        Self(unsafe { _mm256_loadu_si256(lane.as_ptr().cast()) })
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn store(self, lane: &mut [u32; 8]) {
        // SAFETY: the array is 32 writable bytes and the store asks for no alignment.
        unsafe { _mm256_storeu_si256(lane.as_mut_ptr().cast(), self.0) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn splat(word: u32) -> Self {
        Self(_mm256_set1_epi32(word.cast_signed()))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn add(self, y: Self) -> Self {
        Self(_mm256_add_epi32(self.0, y.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn and(self, y: Self) -> Self {
        Self(_mm256_and_si256(self.0, y.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn xor(self, y: Self) -> Self {
        Self(_mm256_xor_si256(self.0, y.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn xor3(self, y: Self, z: Self) -> Self {
        self.xor(y).xor(z)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn choose(self, y: Self, z: Self) -> Self {
        z.xor(self.and(y.xor(z)))
    }

    /// In SHA-256 the `y ^ z` of a round is the `x ^ y` of the round before, so it costs nothing.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn majority(self, y: Self, z: Self) -> Self {
        y.xor(self.xor(y).and(y.xor(z)))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn rotate_left<const N: i32, const REST: i32>(self) -> Self {
        let (high, low) = (_mm256_slli_epi32::<N>(self.0), _mm256_srli_epi32::<REST>(self.0));
        Self(_mm256_or_si256(high, low))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn shift_right<const N: i32>(self) -> Self {
        Self(_mm256_srli_epi32::<N>(self.0))
    }
}

/// Transposes an 8 x 8 matrix of words: first inside each group of four columns, then the groups.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(mut r: [__m256i; 8]) -> [__m256i; 8] {
    let mut t = r;
    for i in 0..4 {
        t[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for i in 0..2 {
        r[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for i in 0..4 {
        t[i] = _mm256_permute2x128_si256::<0x20>(r[i], r[i + 4]);
        t[i + 4] = _mm256_permute2x128_si256::<0x31>(r[i], r[i + 4]);
    }
    t
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_bytes(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: the array is 32 readable bytes and the load asks for no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}
