//! One power, its number across the lanes of two vectors, with the multiply-and-add of 52 bits
//! (AVX-512 IFMA).
//!
//! Montgomery's multiplication waits most of its time for the multiple of the modulus that makes the next
//! limb vanish. Modulo a multiple of the prime P that is -1 modulo 2^52 that multiple is the limb itself, so
//! numbers are kept modulo such a one, N, of 820 bits: sixteen limbs, Montgomery's with 2^832. As that is
//! more than 4 N, factors below 2 N give a product below 2 N. What is done, and which memory is touched,
//! depends on no bit of base or exponent.
//!
//! `unsafe` is needed once: to enter code compiled for these instructions.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::lanes::{LIMB_BITS, LIMB_MASK, WINDOW_BITS, all, bytes, limbs, of_lane, vector};
use super::{KEY_BYTES, Power};

const LIMBS: usize = 16;

/// The lowest limb first.
type Number = [u64; LIMBS];

/// N + 1, where N is the prime times 0xd6e6995075bb5.
const MODULUS_AND_ONE: Number = [
    0x0000000000000,
    0xeae84d00ce2a1,
    0x566b4c098a72b,
    0x908b5addf67cc,
    0x38466912fbe9b,
    0xb489b4274cb3c,
    0x2c3408b4ea8ec,
    0xfa59e3015d084,
    0x01fb7b224e44a,
    0x981e726a1f897,
    0xb7937216e9b4e,
    0xacc1a65de42fa,
    0xcd6ded1cd6e64,
    0xb2af2db6e66ba,
    0xbb4fffd1e1c41,
    0x000d6e6995075,
];

/// 2^1664 modulo N: a number times this is its Montgomery form.
const INTO_FORM: Number = [
    0xd92b5736552dd,
    0x003f58ed19c81,
    0x1a5193d0d1df5,
    0xd73cef78c05d6,
    0xddf133a9dfe89,
    0xed313e049d05f,
    0x7be405bf3d891,
    0xbb0db0b473394,
    0x16cf9ca2645a1,
    0xc9722e2226107,
    0x5f6f1b0088283,
    0x21a49f37577cd,
    0x84bc9e2ac0a0b,
    0x8667a2fcf7173,
    0xdbe6f24d3836a,
    0x00019d87b5d68,
];

/// The lower and the upper eight limbs.
type Pair = [__m512i; 2];

/// A number moved up by 0 to 7 limbs.
type Moved = [[__m512i; 3]; 8];

/// What multiplications share. It lies in memory, as otherwise the compiler makes two slow instructions of
/// one whose index it knows.
struct Shared {
    modulus_and_one: Moved,
    lane: [__m512i; 8],
}

/// The power modulo the prime as a number below 2^832: its lower 768 bits, and those above. Nothing if this
/// CPU has not the instructions.
pub(super) fn power(of: &Power) -> Option<([u8; KEY_BYTES], u64)> {
    let is_supported =
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma");
    // SAFETY: this CPU has the instructions that the function is compiled for.
    let number = is_supported.then(|| unsafe { power_across_lanes(of) })?;
    Some((bytes(&number), number[14] >> 40 | number[15] << 12))
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn power_across_lanes(of: &Power) -> Number {
    let shared = Shared {
        modulus_and_one: moved(pair(&MODULUS_AND_ONE)),
        lane: [0, 1, 2, 3, 4, 5, 6, 7].map(|lane| all(lane)),
    };
    let mut one = [0; LIMBS];
    one[0] = 1;
    let one = pair(&one);
    let mut base = pair(&limbs(&of.base));
    multiply(&mut base, &pair(&INTO_FORM), &shared);
    let mut table = [pair(&INTO_FORM); 1 << WINDOW_BITS];
    multiply(&mut table[0], &one, &shared);
    for at in 1..table.len() {
        table[at] = table[at - 1];
        multiply(&mut table[at], &base, &shared);
    }
    let mut power = table[0];
    for byte in of.exponent {
        for window in [byte >> WINDOW_BITS, byte & 0xf] {
            for _ in 0..WINDOW_BITS {
                let factor = power;
                multiply(&mut power, &factor, &shared);
            }
            multiply(&mut power, &select(&table, window), &shared);
        }
    }
    multiply(&mut power, &one, &shared);
    std::array::from_fn(|at| of_lane(power[at / 8], at % 8))
}

/// The entry that is wanted. All of them are read.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn select(table: &[Pair; 1 << WINDOW_BITS], wanted: u8) -> Pair {
    let mut selected = table[0];
    for (at, entry) in table.iter().enumerate() {
        let is_it = _mm512_cmpeq_epi64_mask(all(wanted.into()), all(at as u64));
        for (half, from) in selected.iter_mut().zip(entry) {
            *half = _mm512_mask_mov_epi64(*half, is_it, *from);
        }
    }
    selected
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn moved([low, high]: Pair) -> Moved {
    let zero = _mm512_setzero_si512();
    macro_rules! moved {
        ($($down:literal)*) => {
            [[low, high, zero], $([
                _mm512_alignr_epi64::<$down>(low, zero),
                _mm512_alignr_epi64::<$down>(high, low),
                _mm512_alignr_epi64::<$down>(zero, high),
            ],)*]
        };
    }
    moved!(7 6 5 4 3 2 1)
}

/// Adds the products of a number, moved up by so many limbs, with a limb: the lower halves in their places,
/// the upper halves a place higher.
macro_rules! add_row {
    ($low:ident, $high:ident, $moved:expr, $limb:expr, $at:literal) => {
        let (at, above) = ($at, $at + 1);
        for part in 0..if at % 8 == 0 { 2 } else { 3 } {
            let place = &mut $low[at / 8 + part];
            *place = _mm512_madd52lo_epu64(*place, $moved[at % 8][part], $limb);
        }
        for part in 0..if above % 8 == 0 { 2 } else { 3 } {
            let place = &mut $high[above / 8 + part];
            *place = _mm512_madd52hi_epu64(*place, $moved[above % 8][part], $limb);
        }
    };
}

/// Calls a macro for each limb.
macro_rules! for_limbs {
    ($row:ident) => {
        $row!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
}

/// Makes a number its product with another, in Montgomery's sense.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply(number: &mut Pair, by: &Pair, shared: &Shared) {
    let zero = _mm512_setzero_si512();
    let Shared { modulus_and_one, lane } = shared;
    let number_moved = moved(*number);
    // Chains of their own for lower and upper halves: each addition to a place waits for the last.
    let (mut low, mut high) = ([zero; 4], [zero; 4]);
    macro_rules! product {
        ($($at:literal)*) => {$(
            let limb = _mm512_permutexvar_epi64(lane[$at % 8], by[$at / 8]);
            add_row!(low, high, number_moved, limb, $at);
        )*};
    }
    for_limbs!(product);
    let mut low: [__m512i; 4] = std::array::from_fn(|at| _mm512_add_epi64(low[at], high[at]));
    let mut high = [zero; 4];
    // N times a limb vanishes modulo 2^52 together with the limb: what remains is N + 1 times the limb.
    let mut limb = _mm512_permutexvar_epi64(lane[0], low[0]);
    macro_rules! reduction {
        ($($at:literal)*) => {$(
            let next = $at + 1;
            let above = _mm512_permutexvar_epi64(lane[next % 8], high[next / 8]);
            let carry = _mm512_srli_epi64::<LIMB_BITS>(limb);
            add_row!(low, high, modulus_and_one, limb, $at);
            let below = _mm512_permutexvar_epi64(lane[next % 8], low[next / 8]);
            limb = _mm512_add_epi64(below, _mm512_add_epi64(above, carry));
        )*};
    }
    for_limbs!(reduction);
    let sum = [2, 3].map(|at| _mm512_add_epi64(low[at], high[at]));
    // The last limb taken is the lowest of the sum, with what is carried to it.
    *number = carried([_mm512_mask_mov_epi64(sum[0], 1, limb), sum[1]]);
}

/// Brings limbs that hold more than 52 bits into order.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn carried([low, high]: Pair) -> Pair {
    let (zero, mask) = (_mm512_setzero_si512(), all(LIMB_MASK));
    let [carry_low, carry_high] = [low, high].map(|half| _mm512_srli_epi64::<LIMB_BITS>(half));
    let carries = [
        _mm512_alignr_epi64::<7>(carry_low, zero),
        _mm512_alignr_epi64::<7>(carry_high, carry_low),
    ];
    let [low, high] = [(low, carries[0]), (high, carries[1])]
        .map(|(half, carry)| _mm512_add_epi64(_mm512_and_si512(half, mask), carry));
    // Now a limb carries 1 at most: by itself, or because all of it is ones and the one below carries. An
    // addition of the two sets, a bit for each limb, finds out which do.
    let bits = |masks: [__mmask8; 2]| u32::from(masks[0]) | u32::from(masks[1]) << 8;
    let carries = bits([low, high].map(|half| _mm512_cmpgt_epu64_mask(half, mask)));
    let ones = bits([low, high].map(|half| _mm512_cmpeq_epu64_mask(half, mask)));
    let takes = ((carries << 1) + ones) ^ ones;
    [(low, takes as u8), (high, (takes >> 8) as u8)].map(|(half, takes)| {
        _mm512_and_si512(_mm512_mask_add_epi64(half, takes, half, all(1)), mask)
    })
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn pair(number: &Number) -> Pair {
    std::array::from_fn(|half| vector(&std::array::from_fn(|at| number[8 * half + at])))
}
