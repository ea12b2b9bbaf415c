//! Whole messages, one at a time, by the reference implementation (aws-lc-rs).
//!
//! Knows nothing of lanes or midstates. The lanes are checked against these functions.

use std::fmt;
use std::marker::PhantomData;

use aws_lc_rs::digest::{self, Context};
use piecework_types::{Sha1Digest, Sha256Digest};

use crate::algorithm::{Algorithm, Sha1, Sha256};

/// The SHA-1 digest of `message` (FIPS 180-4; v1 pieces and info-hashes, BEP 3).
pub fn sha1(message: &[u8]) -> Sha1Digest {
    whole::<Sha1>(message)
}

/// The SHA-256 digest of `message` (FIPS 180-4; v2 leaves, tree nodes and info-hashes, BEP 52).
pub fn sha256(message: &[u8]) -> Sha256Digest {
    whole::<Sha256>(message)
}

fn whole<A: Algorithm>(message: &[u8]) -> A::Digest {
    A::digest(digest::digest(A::reference(), message).as_ref())
}

/// A message that comes in parts of any length, for instance a file being read.
///
/// Use a [`Job`](crate::Job) where other messages are hashed at the same time: lanes are faster.
#[derive(Clone)]
pub struct Stream<A> {
    context: Context,
    algorithm: PhantomData<A>,
}

/// A message hashed with SHA-1 in parts.
pub type Sha1Stream = Stream<Sha1>;

/// A message hashed with SHA-256 in parts.
pub type Sha256Stream = Stream<Sha256>;

impl<A: Algorithm> Stream<A> {
    /// The empty message.
    pub fn new() -> Self {
        Self { context: Context::new(A::reference()), algorithm: PhantomData }
    }

    /// Appends `part` to the message.
    pub fn update(&mut self, part: &[u8]) {
        self.context.update(part);
    }

    /// The digest of all parts.
    #[must_use]
    pub fn finish(self) -> A::Digest {
        A::digest(self.context.finish().as_ref())
    }
}

impl<A: Algorithm> Default for Stream<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: Algorithm> fmt::Debug for Stream<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stream").field(&A::NAME).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages and digests of FIPS 180-4's examples ("abc", two blocks, a million a's) and NIST's
    /// CAVP (the empty message).
    #[test]
    fn published_vectors_hold() {
        let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        let million = vec![b'a'; 1_000_000];
        let vectors: [(&[u8], &str, &str); 4] = [
            (
                b"",
                "da39a3ee5e6b4b0d3255bfef95601890afd80709",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                b"abc",
                "a9993e364706816aba3e25717850c26c9cd0d89d",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                two_blocks,
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
            (
                &million,
                "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
            ),
        ];
        for (message, in_sha1, in_sha256) in vectors {
            assert_eq!(sha1(message).to_string(), in_sha1);
            assert_eq!(sha256(message).to_string(), in_sha256);
        }
    }

    #[test]
    fn a_stream_does_not_care_where_it_is_split() {
        let message: Vec<u8> = (0..1000_u32).map(|i| (i * 7) as u8).collect();
        for split in [0, 1, 63, 64, 65, 500, 1000] {
            let mut stream = Sha1Stream::new();
            stream.update(&message[..split]);
            stream.update(&message[split..]);
            assert_eq!(stream.finish(), sha1(&message));
        }
    }
}
