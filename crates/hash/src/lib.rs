//! SHA-1 and SHA-256: one message at a time, or many at once in the lanes of the vector unit.
//!
//! - [`sha1`], [`sha256`] and [`Stream`] hash one message with the reference implementation.
//! - [`Hasher::hash`] takes a batch of [`Job`]s. A job is a message or a part of one: it starts
//!   from a midstate ([`State`]), lists slices of whole blocks, and yields the next midstate or the
//!   digest.
//! - [`Hasher::sha256_pairs`] and [`Hasher::reduce_layer`] make inner nodes of v2 hash trees.
//!
//! Which [`Kernel`] hashes a job depends on the CPU and on how many jobs there are; DESIGN.md has
//! the measurements behind the choice. Digests never depend on it.
//!
//! Pure compute: no I/O, no threads, no clock. It must not know pieces, files or torrents.
//!
//! ```
//! use piecework_hash::{Hasher, Job, Sha1State, sha1};
//!
//! let hasher = Hasher::detect();
//! let chunk = [7; 16 * 1024];
//! // The first two chunks of a piece have come …
//! let slices = [&chunk[..], &chunk[..]];
//! let begun = hasher.hash(&[Job::extend(Sha1State::new(), &slices)?]);
//! let midstate = begun[0].midstate().expect("the job extended");
//! // … and later its last one, which is short.
//! let slices = [&chunk[..1000]];
//! let done = hasher.hash(&[Job::finish(midstate, &slices)?]);
//!
//! let piece = [&chunk[..], &chunk[..], &chunk[..1000]].concat();
//! assert_eq!(done[0].digest(), Some(sha1(&piece)));
//! # Ok::<(), piecework_hash::RaggedSlice>(())
//! ```

mod algorithm;
mod batch;
mod hasher;
mod job;
mod kernel;
mod oneshot;
mod tree;

#[cfg(test)]
mod tests;

pub use algorithm::{Algorithm, BLOCK_BYTES, Sha1, Sha256};
pub use hasher::{Hasher, UnsupportedKernel};
pub use job::{Job, Outcome, RaggedSlice, Sha1State, Sha256State, State};
pub use kernel::Kernel;
pub use oneshot::{Sha1Stream, Sha256Stream, Stream, sha1, sha256};
