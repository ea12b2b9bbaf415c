//! IP filters: addresses that are neither connected to nor let in.
//!
//! [`FilterBuilder`] reads lists in the three forms in use, [`IpFilter`] answers whether an address is on
//! them. Strict about sizes, lenient about lines: one that is not understood is counted and reported, for
//! these lists are made by many hands.
//!
//! This crate must not know files, sockets or torrents: it is given bytes and addresses.

mod line;
mod ranges;
mod read;

pub use ranges::IpFilter;
pub use read::{
    BAD_LINES_SHOWN, BadLine, FILE_BYTES_MAX, FilterBuilder, FilterFault, LINE_BYTES_MAX,
    RANGES_MAX, Reading,
};
