//! Whole messages in one slice, by the reference implementation (aws-lc-rs).
//!
//! Knows nothing of lanes or midstates. The lanes are checked against these two functions.

use aws_lc_rs::digest::{self, Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use piecework_types::{Sha1Digest, Sha256Digest};

/// The SHA-1 digest of `message` (FIPS 180-4; v1 pieces and info-hashes, BEP 3).
pub fn sha1(message: &[u8]) -> Sha1Digest {
    Sha1Digest(fixed(&SHA1_FOR_LEGACY_USE_ONLY, message))
}

/// The SHA-256 digest of `message` (FIPS 180-4; v2 leaves, tree nodes and info-hashes, BEP 52).
pub fn sha256(message: &[u8]) -> Sha256Digest {
    Sha256Digest(fixed(&SHA256, message))
}

fn fixed<const BYTES: usize>(algorithm: &'static Algorithm, message: &[u8]) -> [u8; BYTES] {
    let digest = digest::digest(algorithm, message);
    digest.as_ref().try_into().expect("the algorithm fixes the length of its digest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vectors_hold() {
        // FIPS 180-4 examples and the empty message.
        assert_eq!(sha1(b"").to_string(), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(sha1(b"abc").to_string(), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(
            sha256(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
