//! One, two or four streams with the SHA instructions of x86 (Intel SHA extensions, 2013).
//!
//! A stream waits for the latency of each instruction; independent ones beside it fill the gaps.
//! `unsafe` is needed twice: to enter code compiled for the SHA instructions and to load vectors.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::rounds::{SHA256_K, unroll};
use super::{Block, Compress, Kernels, Lanes};

/// The kernels for one stream, if this CPU can run them.
pub(super) fn kernels() -> Option<Kernels> {
    is_supported().then_some(Kernels { sha1: Compress::X1(sha1), sha256: Compress::X1(sha256) })
}

/// The kernels for two streams side by side, if this CPU can run them.
pub(super) fn kernels_x2() -> Option<Kernels> {
    is_supported().then_some(Kernels { sha1: Compress::X2(sha1), sha256: Compress::X2(sha256) })
}

/// The kernels for four streams side by side, if this CPU can run them.
pub(super) fn kernels_x4() -> Option<Kernels> {
    is_supported().then_some(Kernels { sha1: Compress::X4(sha1), sha256: Compress::X4(sha256) })
}

fn is_supported() -> bool {
    is_x86_feature_detected!("sha")
        && is_x86_feature_detected!("ssse3")
        && is_x86_feature_detected!("sse4.1")
}

fn sha1<const N: usize>(lanes: &mut Lanes<N>, inputs: &[&[Block]; N]) {
    // SAFETY: this function is private and only the `kernels` functions hand it out, after they
    // have found the features on this CPU.
    unsafe { sha1_streams(lanes, inputs) }
}

fn sha256<const N: usize>(lanes: &mut Lanes<N>, inputs: &[&[Block]; N]) {
    // SAFETY: as for `sha1`.
    unsafe { sha256_streams(lanes, inputs) }
}

/// SHA-1 over as many blocks as every stream has.
///
/// `abcd` holds four working variables, a in the highest word; `sha1rnds4` does four rounds. The
/// fifth variable of a group of rounds is the `a` of the group before, rotated: `sha1nexte` makes
/// it from the `abcd` of that group and adds the message.
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn sha1_streams<const N: usize>(lanes: &mut Lanes<N>, inputs: &[&[Block]; N]) {
    let blocks = inputs.iter().map(|input| input.len()).min().unwrap_or(0);
    let mut abcd: [__m128i; N] =
        std::array::from_fn(|n| words(lanes[0][n], lanes[1][n], lanes[2][n], lanes[3][n]));
    let mut e: [__m128i; N] = std::array::from_fn(|n| words(lanes[4][n], 0, 0, 0));
    let swap = _mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f);
    for block in 0..blocks {
        let (abcd_start, e_start) = (abcd, e);
        let mut w = messages(inputs, block, swap);
        let mut before = abcd;
        macro_rules! rounds {
            ($group:literal, $function:literal) => {
                for n in 0..N {
                    let w = &mut w[n];
                    if $group >= 4 {
                        let mix = _mm_sha1msg1_epu32(w[$group % 4], w[($group + 1) % 4]);
                        let mix = _mm_xor_si128(mix, w[($group + 2) % 4]);
                        w[$group % 4] = _mm_sha1msg2_epu32(mix, w[($group + 3) % 4]);
                    }
                    let e_and_message = if $group == 0 {
                        _mm_add_epi32(e[n], w[0])
                    } else {
                        _mm_sha1nexte_epu32(before[n], w[$group % 4])
                    };
                    before[n] = abcd[n];
                    abcd[n] = _mm_sha1rnds4_epu32::<$function>(abcd[n], e_and_message);
                }
            };
        }
        macro_rules! rounds_choose {
            ($group:literal) => {
                rounds!($group, 0)
            };
        }
        macro_rules! rounds_parity_1 {
            ($group:literal) => {
                rounds!($group, 1)
            };
        }
        macro_rules! rounds_majority {
            ($group:literal) => {
                rounds!($group, 2)
            };
        }
        macro_rules! rounds_parity_2 {
            ($group:literal) => {
                rounds!($group, 3)
            };
        }
        unroll!(rounds_choose: 0 1 2 3 4);
        unroll!(rounds_parity_1: 5 6 7 8 9);
        unroll!(rounds_majority: 10 11 12 13 14);
        unroll!(rounds_parity_2: 15 16 17 18 19);
        for n in 0..N {
            abcd[n] = _mm_add_epi32(abcd[n], abcd_start[n]);
            e[n] = _mm_sha1nexte_epu32(before[n], e_start[n]);
        }
    }
    for n in 0..N {
        [lanes[0][n], lanes[1][n], lanes[2][n], lanes[3][n]] = unpack(abcd[n]);
        [lanes[4][n], ..] = unpack(e[n]);
    }
}

/// SHA-256 over as many blocks as every stream has.
///
/// The instructions want the working variables as (a, b, e, f) and (c, d, g, h), the first in the
/// highest word; `sha256rnds2` does two rounds and yields the new (a, b, e, f), while the old one
/// has become (c, d, g, h).
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn sha256_streams<const N: usize>(lanes: &mut Lanes<N>, inputs: &[&[Block]; N]) {
    let blocks = inputs.iter().map(|input| input.len()).min().unwrap_or(0);
    let mut abef: [__m128i; N] =
        std::array::from_fn(|n| words(lanes[0][n], lanes[1][n], lanes[4][n], lanes[5][n]));
    let mut cdgh: [__m128i; N] =
        std::array::from_fn(|n| words(lanes[2][n], lanes[3][n], lanes[6][n], lanes[7][n]));
    let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    for block in 0..blocks {
        let (abef_start, cdgh_start) = (abef, cdgh);
        let mut w = messages(inputs, block, swap);
        macro_rules! rounds {
            ($group:literal) => {
                let constants = words(
                    SHA256_K[4 * $group + 3],
                    SHA256_K[4 * $group + 2],
                    SHA256_K[4 * $group + 1],
                    SHA256_K[4 * $group],
                );
                for n in 0..N {
                    let w = &mut w[n];
                    if $group >= 4 {
                        let (newest, newer) = (w[($group + 3) % 4], w[($group + 2) % 4]);
                        let mix = _mm_sha256msg1_epu32(w[$group % 4], w[($group + 1) % 4]);
                        let mix = _mm_add_epi32(mix, _mm_alignr_epi8::<4>(newest, newer));
                        w[$group % 4] = _mm_sha256msg2_epu32(mix, newest);
                    }
                    let low = _mm_add_epi32(w[$group % 4], constants);
                    let high = _mm_shuffle_epi32::<0b00_00_11_10>(low);
                    cdgh[n] = _mm_sha256rnds2_epu32(cdgh[n], abef[n], low);
                    abef[n] = _mm_sha256rnds2_epu32(abef[n], cdgh[n], high);
                }
            };
        }
        unroll!(rounds: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        for n in 0..N {
            abef[n] = _mm_add_epi32(abef[n], abef_start[n]);
            cdgh[n] = _mm_add_epi32(cdgh[n], cdgh_start[n]);
        }
    }
    for n in 0..N {
        [lanes[0][n], lanes[1][n], lanes[4][n], lanes[5][n]] = unpack(abef[n]);
        [lanes[2][n], lanes[3][n], lanes[6][n], lanes[7][n]] = unpack(cdgh[n]);
    }
}

/// Block number `block` of each stream as four vectors, their bytes reordered by `swap`.
#[inline]
#[target_feature(enable = "ssse3")]
fn messages<const N: usize>(
    inputs: &[&[Block]; N],
    block: usize,
    swap: __m128i,
) -> [[__m128i; 4]; N] {
    let mut messages = [[swap; 4]; N];
    for (message, input) in messages.iter_mut().zip(inputs) {
        let (quarters, _) = input[block].as_chunks::<16>();
        for (vector, bytes) in message.iter_mut().zip(quarters) {
            // SAFETY: the quarter is 16 readable bytes and the load asks for no alignment.
            let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
            *vector = _mm_shuffle_epi8(bytes, swap);
        }
    }
    messages
}

/// A vector of four words, the highest first.
#[inline]
#[target_feature(enable = "sse2")]
fn words(w3: u32, w2: u32, w1: u32, w0: u32) -> __m128i {
    _mm_set_epi32(w3.cast_signed(), w2.cast_signed(), w1.cast_signed(), w0.cast_signed())
}

/// The four words of a vector, the highest first.
#[inline]
#[target_feature(enable = "sse4.1")]
fn unpack(vector: __m128i) -> [u32; 4] {
    [
        _mm_extract_epi32::<3>(vector).cast_unsigned(),
        _mm_extract_epi32::<2>(vector).cast_unsigned(),
        _mm_extract_epi32::<1>(vector).cast_unsigned(),
        _mm_extract_epi32::<0>(vector).cast_unsigned(),
    ]
}
