//! The rounds of SHA-1 and SHA-256 (FIPS 180-4, sections 6.1.2 and 6.2.2), written once for every
//! width of vector.
//!
//! [`lane_kernel!`] expands to two functions inside a module that supplies a vector type of one
//! 32-bit word a lane with these methods: `message` (a block of each lane, as sixteen vectors),
//! `load` and `store` (one word of the chaining value), `splat`, `add`, `xor`, `xor3`, `choose`,
//! `majority`, `shift_right::<N>` and `rotate_left::<N, REST>` with REST = 32 - N. A macro rather
//! than a trait, because a function that needs a CPU feature cannot implement a safe trait method.
//!
//! All rounds are unrolled: the schedule then lives in registers and the rotation of the working
//! variables costs nothing.

/// SHA-256 round constants: the first 32 bits of the fractional parts of the cube roots of the
/// first 64 primes (FIPS 180-4, section 4.2.2).
pub(super) const SHA256_K: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

/// Invokes `$step!(n)` for each literal n in turn, where a loop might not be unrolled.
macro_rules! unroll {
    ($step:ident: $($n:literal)*) => { $( $step!($n); )* };
}

/// Defines the functions `$sha1` and `$sha256` for `$lanes` lanes in values of type `$vector`.
macro_rules! lane_kernel {
    ($(#[$feature:meta])* $sha1:ident, $sha256:ident, $vector:ty, $lanes:literal) => {
        /// SHA-1 over as many blocks as every lane has.
        $(#[$feature])*
        fn $sha1(lanes: &mut Lanes<$lanes>, inputs: &[&[Block]; $lanes]) {
            let blocks = inputs.iter().map(|input| input.len()).min().unwrap_or(0);
            let mut state = [<$vector>::load(&lanes[0]); 5];
            for (word, lane) in state.iter_mut().zip(&*lanes) {
                *word = <$vector>::load(lane);
            }
            for block in 0..blocks {
                let mut w = <$vector>::message(inputs, block);
                let [mut a, mut b, mut c, mut d, mut e] = state;
                macro_rules! round {
                    ($t:literal, $f:expr, $k:literal) => {
                        if $t >= 16 {
                            let mix = w[($t + 13) % 16].xor3(w[($t + 8) % 16], w[($t + 2) % 16]);
                            w[$t % 16] = mix.xor(w[$t % 16]).rotate_left::<1, 31>();
                        }
                        let rest = w[$t % 16].add(<$vector>::splat($k)).add(e).add($f);
                        let next = a.rotate_left::<5, 27>().add(rest);
                        (a, b, c, d, e) = (next, a, b.rotate_left::<30, 2>(), c, d);
                    };
                }
                macro_rules! choose {
                    ($t:literal) => { round!($t, b.choose(c, d), 0x5a82_7999) };
                }
                macro_rules! parity_1 {
                    ($t:literal) => { round!($t, b.xor3(c, d), 0x6ed9_eba1) };
                }
                macro_rules! majority {
                    ($t:literal) => { round!($t, b.majority(c, d), 0x8f1b_bcdc) };
                }
                macro_rules! parity_2 {
                    ($t:literal) => { round!($t, b.xor3(c, d), 0xca62_c1d6) };
                }
                unroll!(choose: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
                unroll!(parity_1: 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39);
                unroll!(majority: 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59);
                unroll!(parity_2: 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79);
                for (word, worked) in state.iter_mut().zip([a, b, c, d, e]) {
                    *word = word.add(worked);
                }
            }
            for (lane, word) in lanes.iter_mut().zip(state) {
                word.store(lane);
            }
        }

        /// SHA-256 over as many blocks as every lane has.
        $(#[$feature])*
        fn $sha256(lanes: &mut Lanes<$lanes>, inputs: &[&[Block]; $lanes]) {
            let blocks = inputs.iter().map(|input| input.len()).min().unwrap_or(0);
            let mut state = [<$vector>::load(&lanes[0]); 8];
            for (word, lane) in state.iter_mut().zip(&*lanes) {
                *word = <$vector>::load(lane);
            }
            for block in 0..blocks {
                let mut w = <$vector>::message(inputs, block);
                let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
                macro_rules! rotations {
                    ($x:ident, $r1:literal, $r2:literal, $r3:literal) => {
                        $x.rotate_left::<{ 32 - $r1 }, $r1>().xor3(
                            $x.rotate_left::<{ 32 - $r2 }, $r2>(),
                            $x.rotate_left::<{ 32 - $r3 }, $r3>(),
                        )
                    };
                }
                macro_rules! rotations_and_shift {
                    ($x:ident, $r1:literal, $r2:literal, $shift:literal) => {
                        $x.rotate_left::<{ 32 - $r1 }, $r1>().xor3(
                            $x.rotate_left::<{ 32 - $r2 }, $r2>(),
                            $x.shift_right::<$shift>(),
                        )
                    };
                }
                macro_rules! round {
                    ($t:literal) => {
                        if $t >= 16 {
                            let (far, near) = (w[($t + 1) % 16], w[($t + 14) % 16]);
                            let sigma_0 = rotations_and_shift!(far, 7, 18, 3);
                            let sigma_1 = rotations_and_shift!(near, 17, 19, 10);
                            w[$t % 16] = w[$t % 16].add(sigma_0).add(w[($t + 9) % 16]).add(sigma_1);
                        }
                        let keyed = h.add(w[$t % 16].add(<$vector>::splat(SHA256_K[$t])));
                        let t1 = keyed.add(e.choose(f, g)).add(rotations!(e, 6, 11, 25));
                        let t2 = rotations!(a, 2, 13, 22).add(a.majority(b, c));
                        (a, b, c, d, e, f, g, h) = (t1.add(t2), a, b, c, d.add(t1), e, f, g);
                    };
                }
                unroll!(round: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
                unroll!(round: 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
                unroll!(round: 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47);
                unroll!(round: 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
                for (word, worked) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
                    *word = word.add(worked);
                }
            }
            for (lane, word) in lanes.iter_mut().zip(state) {
                word.store(lane);
            }
        }
    };
}

pub(super) use {lane_kernel, unroll};
