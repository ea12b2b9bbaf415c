//! Eight powers at once, one in each 64-bit lane of the vector unit, with the multiply-and-add of 52 bits
//! (AVX-512 IFMA).
//!
//! A number is fifteen limbs of 52 bits, a vector holds one limb of all eight, and multiplication is
//! Montgomery's with 2^780. As that is more than 4 times the prime P, factors below 2 P give a product below
//! 2 P, and nothing is subtracted on the way. What is done, and which memory is touched, depends on no bit of
//! base or exponent.
//!
//! `unsafe` is needed once: to enter code compiled for these instructions.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{KEY_BYTES, LANES, Power};

const LIMBS: usize = 15;
pub(super) const LIMB_BITS: u32 = 52;
pub(super) const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;

/// The lowest limb first.
type Number = [u64; LIMBS];

/// The prime.
const PRIME: Number = [
    0x0000000090563,
    0xe9a63a3621000,
    0x25e7ec6f44c42,
    0xc245e485b5766,
    0x74fe1356d6d51,
    0x2b0a6df25f143,
    0x9b3cd3a431b30,
    0x8e3404ddef951,
    0x39b22514a0879,
    0x74020bbea63b1,
    0x9024e088a67cc,
    0x628b80dc1cd12,
    0x22168c234c4c6,
    0xffffffc90fdaa,
    0x000ffffffffff,
];

/// 2^1560 modulo the prime: a number times this is its Montgomery form.
const INTO_FORM: Number = [
    0x6224063fb665c,
    0xc04f70f38d404,
    0xf25edba23cbf4,
    0x25270c139b4da,
    0x34e2f1732f4db,
    0x180c95d201eec,
    0xc7667dcbe2ab7,
    0x9b1f07d446580,
    0x1a53f9597441b,
    0x8b5bbca0fc796,
    0x3e4de641eefdc,
    0xdfbd569a44b08,
    0x6821ebf56f2b2,
    0xb0a3eb5a727d2,
    0x0009d54da3d53,
];

/// What the prime must be multiplied with to be -1 modulo 2^52.
const TO_MINUS_ONE: u64 = 0xd6e6995075bb5;
const _: () = assert!(PRIME[0].wrapping_mul(TO_MINUS_ONE) & LIMB_MASK == LIMB_MASK);

/// Bits of the exponent that are worked off at once.
pub(super) const WINDOW_BITS: usize = 4;

/// The numbers of all lanes: one limb of each in each vector.
type Vectors = [__m512i; LIMBS];

/// The powers, or nothing if this CPU has not the instructions. Unused lanes cost as much as used ones.
pub(super) fn powers(of: &[Power; LANES]) -> Option<[[u8; KEY_BYTES]; LANES]> {
    let is_supported =
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma");
    // SAFETY: this CPU has the instructions that the function is compiled for.
    is_supported.then(|| unsafe { powers_in_lanes(of) })
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn powers_in_lanes(of: &[Power; LANES]) -> [[u8; KEY_BYTES]; LANES] {
    let mut one = [_mm512_setzero_si512(); LIMBS];
    one[0] = all(1);
    let mut base = gather(&of.map(|power| limbs(&power.base)));
    multiply(&mut base, &INTO_FORM.map(|limb| all(limb)));
    let mut table = [INTO_FORM.map(|limb| all(limb)); 1 << WINDOW_BITS];
    multiply(&mut table[0], &one);
    for at in 1..table.len() {
        table[at] = table[at - 1];
        multiply(&mut table[at], &base);
    }
    let mut power = table[0];
    for at in 0..of[0].exponent.len() {
        let bytes = of.map(|power| u64::from(power.exponent[at]));
        for window in [bytes.map(|byte| byte >> WINDOW_BITS), bytes.map(|byte| byte & 0xf)] {
            for _ in 0..WINDOW_BITS {
                square(&mut power);
            }
            multiply(&mut power, &select(&table, &window));
        }
    }
    multiply(&mut power, &one);
    std::array::from_fn(|lane| bytes(&reduced(power.map(|limb| of_lane(limb, lane)))))
}

/// The entry that each lane wants. All of them are read.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn select(table: &[Vectors; 1 << WINDOW_BITS], wanted: &[u64; LANES]) -> Vectors {
    let wanted = vector(wanted);
    let mut selected = table[0];
    for (at, entry) in table.iter().enumerate() {
        let is_it = _mm512_cmpeq_epi64_mask(wanted, all(at as u64));
        for (limb, from) in selected.iter_mut().zip(entry) {
            *limb = _mm512_mask_mov_epi64(*limb, is_it, *from);
        }
    }
    selected
}

/// Makes a number its product with another, in Montgomery's sense.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply(number: &mut Vectors, by: &Vectors) {
    let mut sum = [_mm512_setzero_si512(); LIMBS];
    add_rows::<0>(&mut sum, number, by);
    *number = carried(sum);
}

/// The same with the number itself. Most products of two limbs occur twice in it: those of a third of the
/// number with what stands above that third are made once, with the double of the latter.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn square(number: &mut Vectors) {
    const THIRD: usize = LIMBS / 3;
    let mut sum = [_mm512_setzero_si512(); LIMBS];
    let (low, rest) = number.split_at(THIRD);
    let (middle, high) = rest.split_at(THIRD);
    add_rows::<0>(&mut sum, &doubled_from::<THIRD>(number), low);
    add_rows::<THIRD>(&mut sum, &doubled_from::<{ 2 * THIRD }>(number), middle);
    add_rows::<{ 2 * THIRD }>(&mut sum, number, high);
    *number = carried(sum);
}

/// Doubles the number that begins at a limb, and leaves those below alone.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn doubled_from<const AT: usize>(a: &Vectors) -> Vectors {
    let mut doubled = *a;
    // The multiplication sees 52 bits: the one above them is the next limb's lowest.
    doubled[AT] = _mm512_slli_epi64::<1>(a[AT]);
    for at in AT + 1..LIMBS {
        let carry = _mm512_srli_epi64::<{ LIMB_BITS - 1 }>(a[at - 1]);
        doubled[at] = _mm512_or_si512(_mm512_slli_epi64::<1>(a[at]), carry);
    }
    doubled
}

/// For each limb of `by`: adds its product with the limbs of `a` from number `FROM` on, and takes the lowest
/// limb of the sum away.
///
/// It is a function of its own because the compiler, when it sees all rows at once, puts the additions to one
/// limb behind one another, where each waits for the last.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn add_rows<const FROM: usize>(sum: &mut Vectors, a: &Vectors, by: &[__m512i]) {
    let mut row = *sum;
    for at in FROM..LIMBS {
        row[at] = _mm512_madd52lo_epu64(row[at], a[at], by[0]);
    }
    let next = by[1..].iter().copied().chain([_mm512_setzero_si512()]);
    for (now, next) in by.iter().zip(next) {
        row = step::<FROM>(row, a, *now, next);
    }
    *sum = row;
}

/// Adds the multiple of the prime that makes the lowest limb vanish, shifts by a limb, and adds the upper
/// halves of this row's products and the lower halves of the next row's, which need not wait for the
/// multiple.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn step<const FROM: usize>(row: Vectors, a: &Vectors, now: __m512i, next: __m512i) -> Vectors {
    let zero = _mm512_setzero_si512();
    let multiple = _mm512_madd52lo_epu64(zero, row[0], all(TO_MINUS_ONE));
    // The lowest 52 bits become zero, so they carry if they are not zero now.
    let carries = _mm512_test_epi64_mask(row[0], all(LIMB_MASK));
    let carry = _mm512_srli_epi64::<LIMB_BITS>(row[0]);
    let carry = _mm512_mask_add_epi64(carry, carries, carry, all(1));
    let carry = _mm512_madd52hi_epu64(carry, multiple, all(PRIME[0]));
    let mut sum = [zero; LIMBS];
    sum[..LIMBS - 1].copy_from_slice(&row[1..]);
    for at in FROM..LIMBS {
        sum[at] = _mm512_madd52hi_epu64(sum[at], a[at], now);
    }
    for at in FROM..LIMBS {
        sum[at] = _mm512_madd52lo_epu64(sum[at], a[at], next);
    }
    for at in 1..LIMBS {
        sum[at - 1] = _mm512_madd52lo_epu64(sum[at - 1], multiple, all(PRIME[at]));
    }
    sum[0] = _mm512_add_epi64(sum[0], carry);
    for at in 1..LIMBS {
        sum[at] = _mm512_madd52hi_epu64(sum[at], multiple, all(PRIME[at]));
    }
    sum
}

/// Brings limbs that hold more than 52 bits into order; what is above those of the last is zero. None has
/// overflown: at most 60 halves of products are added to one.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn carried(mut number: Vectors) -> Vectors {
    let mut carry = _mm512_setzero_si512();
    for limb in &mut number {
        let sum = _mm512_add_epi64(*limb, carry);
        *limb = _mm512_and_si512(sum, all(LIMB_MASK));
        carry = _mm512_srli_epi64::<LIMB_BITS>(sum);
    }
    number
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn all(word: u64) -> __m512i {
    _mm512_set1_epi64(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn vector(words: &[u64; LANES]) -> __m512i {
    let [a, b, c, d, e, f, g, h] = words.map(u64::cast_signed);
    _mm512_setr_epi64(a, b, c, d, e, f, g, h)
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn of_lane(vector: __m512i, lane: usize) -> u64 {
    let first = _mm512_maskz_compress_epi64(1 << lane, vector);
    _mm_cvtsi128_si64(_mm512_castsi512_si128(first)).cast_unsigned()
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn gather(numbers: &[Number; LANES]) -> Vectors {
    std::array::from_fn(|at| vector(&numbers.map(|number| number[at])))
}

/// The limbs of a number that is written with its highest byte first.
pub(super) fn limbs<const N: usize>(number: &[u8; KEY_BYTES]) -> [u64; N] {
    std::array::from_fn(|at| {
        let bit = at * LIMB_BITS as usize;
        // 52 bits and the 4 below them that the first byte may have to spare are 7 bytes.
        let bytes = number.iter().rev().skip(bit / 8).take(7);
        let word = bytes.rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        (word >> (bit % 8)) & LIMB_MASK
    })
}

/// What comes out of Montgomery's form is below the prime, or is the prime and means zero.
fn reduced(number: Number) -> Number {
    if number == PRIME { [0; LIMBS] } else { number }
}

/// The lower 768 bits of a number, the highest byte first.
pub(super) fn bytes(number: &[u64]) -> [u8; KEY_BYTES] {
    std::array::from_fn(|at| {
        let bit = (KEY_BYTES - 1 - at) * 8;
        let (limb, shift) = (bit / LIMB_BITS as usize, bit % LIMB_BITS as usize);
        let above = number.get(limb + 1).map_or(0, |above| above << (LIMB_BITS as usize - shift));
        (number[limb] >> shift | above) as u8
    })
}
