//! What is to be hashed: a midstate, a list of slices, and whether the message ends there.
//!
//! Invariant: a [`State`] stands at the border of two blocks, and every slice of a [`Job`] but the
//! last of a finishing one is whole blocks. Knows no kernel.

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

use crate::algorithm::{Algorithm, BLOCK_BYTES, Sha1, Sha256, Words};

/// A midstate: the chaining value after a whole number of blocks. Copying it forks the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct State<A> {
    pub(crate) words: Words,
    bytes: u64,
    algorithm: PhantomData<A>,
}

/// A midstate of SHA-1.
pub type Sha1State = State<Sha1>;

/// A midstate of SHA-256.
pub type Sha256State = State<Sha256>;

impl<A: Algorithm> State<A> {
    /// The start of a message.
    pub const fn new() -> Self {
        Self { words: A::INITIAL, bytes: 0, algorithm: PhantomData }
    }

    /// How many bytes have been hashed so far: always a multiple of [`BLOCK_BYTES`].
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) const fn after(words: Words, bytes: u64) -> Self {
        Self { words, bytes, algorithm: PhantomData }
    }
}

impl<A: Algorithm> Default for State<A> {
    fn default() -> Self {
        Self::new()
    }
}

/// One message, or the next part of one, to be hashed in a lane.
///
/// Its data are slices, so that the chunks of a piece need not be contiguous.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a, A> {
    pub(crate) from: State<A>,
    pub(crate) slices: &'a [&'a [u8]],
    /// Length of all slices.
    bytes: u64,
    pub(crate) finishes: bool,
}

impl<'a, A: Algorithm> Job<'a, A> {
    /// Continues the message of `from` with `slices`; yields [`Outcome::Midstate`].
    ///
    /// # Errors
    ///
    /// A slice is not a multiple of [`BLOCK_BYTES`] long.
    pub fn extend(from: State<A>, slices: &'a [&'a [u8]]) -> Result<Self, RaggedSlice> {
        let bytes = whole_blocks(slices)?;
        Ok(Self { from, slices, bytes, finishes: false })
    }

    /// Ends the message of `from` with `slices`; yields [`Outcome::Digest`].
    ///
    /// # Errors
    ///
    /// A slice other than the last is not a multiple of [`BLOCK_BYTES`] long.
    pub fn finish(from: State<A>, slices: &'a [&'a [u8]]) -> Result<Self, RaggedSlice> {
        let (last, before) = slices.split_last().map_or((0, slices), |(s, rest)| (s.len(), rest));
        let bytes = whole_blocks(before)? + last as u64;
        Ok(Self { from, slices, bytes, finishes: true })
    }

    /// A whole message in one slice; yields [`Outcome::Digest`].
    pub fn message(message: &'a &'a [u8]) -> Self {
        let slices = std::slice::from_ref(message);
        Self { from: State::new(), slices, bytes: message.len() as u64, finishes: true }
    }

    /// Length of the message up to the end of this job.
    ///
    /// The sum cannot overflow: 2^64 bytes take a century to hash.
    pub(crate) fn bytes_total(&self) -> u64 {
        self.from.bytes + self.bytes
    }

    /// Whether this job is a message from its first byte to its last.
    pub(crate) fn is_whole(&self) -> bool {
        self.finishes && self.from.bytes == 0
    }
}

/// The length of `slices`, which must all be whole blocks.
fn whole_blocks(slices: &[&[u8]]) -> Result<u64, RaggedSlice> {
    let mut sum = 0;
    for (index, slice) in slices.iter().enumerate() {
        if !slice.len().is_multiple_of(BLOCK_BYTES) {
            return Err(RaggedSlice { index, bytes: slice.len() });
        }
        sum += slice.len() as u64;
    }
    Ok(sum)
}

/// A slice inside a message that ends in the middle of a block: a fault of the caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RaggedSlice {
    /// Which slice of the job.
    pub index: usize,
    /// Its length.
    pub bytes: usize,
}

impl fmt::Display for RaggedSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, bytes } = self;
        write!(f, "slice {index} has {bytes} bytes, expected a multiple of {BLOCK_BYTES}")
    }
}

impl Error for RaggedSlice {}

/// What a [`Job`] yields.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome<A: Algorithm> {
    /// The state from which the message goes on.
    Midstate(State<A>),
    /// The digest of the message.
    Digest(A::Digest),
}

impl<A: Algorithm> Outcome<A> {
    /// The midstate, if the job was made by [`Job::extend`].
    pub const fn midstate(self) -> Option<State<A>> {
        match self {
            Self::Midstate(state) => Some(state),
            Self::Digest(_) => None,
        }
    }

    /// The digest, if the job was made by [`Job::finish`] or [`Job::message`].
    pub const fn digest(self) -> Option<A::Digest> {
        match self {
            Self::Midstate(_) => None,
            Self::Digest(digest) => Some(digest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_that_splits_a_block_is_refused_unless_it_is_the_last() {
        let (whole, ragged): (&[u8], &[u8]) = (&[0; 64], &[0; 65]);
        let fault = Err(RaggedSlice { index: 1, bytes: 65 });
        let start = Sha1State::new();
        assert_eq!(Job::extend(start, &[whole, ragged]).map(|_| ()), fault);
        assert_eq!(Job::finish(start, &[whole, ragged, whole]).map(|_| ()), fault);
        assert_eq!(Job::finish(start, &[whole, whole, ragged]).map(|_| ()), Ok(()));
        assert_eq!(Job::finish(start, &[]).map(|_| ()), Ok(()));
    }
}
