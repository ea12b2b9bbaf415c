//! SHA-1 and SHA-256: one message at a time, or many at once in the lanes of the vector unit.
//!
//! Pure compute: no I/O, no threads, no clock. It must not know pieces, files or torrents.

mod oneshot;

pub use oneshot::{sha1, sha256};
