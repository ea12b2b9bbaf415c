//! SHA-1 and SHA-256 as types: what differs between them besides the rounds.
//!
//! Knows no kernel and no scheduling. The trait is sealed, because the kernels know exactly these
//! two.

use std::fmt::Debug;

use aws_lc_rs::digest;
use piecework_types::{Sha1Digest, Sha256Digest};

/// Bytes in a block, the unit both algorithms compress (FIPS 180-4, section 1).
pub const BLOCK_BYTES: usize = 64;

/// One block of a padded message.
pub(crate) type Block = [u8; BLOCK_BYTES];

/// A chaining value. SHA-1 has five words and leaves the last three zero.
pub(crate) type Words = [u32; 8];

/// SHA-1 (v1 pieces and info-hashes, BEP 3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sha1;

/// SHA-256 (v2 leaves, tree nodes and info-hashes, BEP 52).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sha256;

/// One of the two hash functions: [`Sha1`] or [`Sha256`].
pub trait Algorithm: Copy + Debug + Eq + Send + Sync + sealed::Internals + 'static {
    /// What hashing a whole message yields.
    type Digest: AsRef<[u8]> + Copy + Debug + Eq + Ord + Send + Sync + 'static;

    /// The name, as printed.
    const NAME: &'static str;
}

impl Algorithm for Sha1 {
    type Digest = Sha1Digest;
    const NAME: &'static str = "SHA-1";
}

impl Algorithm for Sha256 {
    type Digest = Sha256Digest;
    const NAME: &'static str = "SHA-256";
}

pub(crate) mod sealed {
    use super::{Algorithm, Sha1, Sha1Digest, Sha256, Sha256Digest, Words, digest};
    use crate::hasher::{Hasher, Ladder};
    use crate::kernel::{Compress, Kernels};

    /// What the rest of this crate needs of an algorithm and nobody else does.
    pub trait Internals: Sized {
        /// The chaining value before the first block (FIPS 180-4, section 5.3).
        const INITIAL: Words;

        /// The same algorithm in the reference implementation.
        fn reference() -> &'static digest::Algorithm;

        /// The function of `kernels` for this algorithm.
        fn compress(kernels: &Kernels) -> Compress;

        /// The ladder of `hasher` for this algorithm.
        fn ladder(hasher: &Hasher) -> &Ladder;

        /// The digest at the front of `bytes`, which must be long enough.
        fn digest(bytes: &[u8]) -> Self::Digest
        where
            Self: Algorithm;
    }

    impl Internals for Sha1 {
        const INITIAL: Words =
            [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0, 0, 0, 0];

        fn reference() -> &'static digest::Algorithm {
            &digest::SHA1_FOR_LEGACY_USE_ONLY
        }

        fn compress(kernels: &Kernels) -> Compress {
            kernels.sha1
        }

        fn ladder(hasher: &Hasher) -> &Ladder {
            &hasher.sha1
        }

        fn digest(bytes: &[u8]) -> Sha1Digest {
            Sha1Digest(*bytes.first_chunk().expect("both sources yield 20 bytes or more"))
        }
    }

    impl Internals for Sha256 {
        const INITIAL: Words = [
            0x6a09_e667,
            0xbb67_ae85,
            0x3c6e_f372,
            0xa54f_f53a,
            0x510e_527f,
            0x9b05_688c,
            0x1f83_d9ab,
            0x5be0_cd19,
        ];

        fn reference() -> &'static digest::Algorithm {
            &digest::SHA256
        }

        fn compress(kernels: &Kernels) -> Compress {
            kernels.sha256
        }

        fn ladder(hasher: &Hasher) -> &Ladder {
            &hasher.sha256
        }

        fn digest(bytes: &[u8]) -> Sha256Digest {
            Sha256Digest(*bytes.first_chunk().expect("both sources yield 32 bytes"))
        }
    }
}
