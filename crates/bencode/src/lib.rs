//! Bencode (BEP 3): a zero-copy decoder with limits, and an encoder that can only write canonical
//! form.
//!
//! [`decode`] indexes its input once, in one flat table of 12 bytes a value, and every [`Value`]
//! is a view: it can give its own raw bytes, which is what info-hashes are made of. Nothing is
//! copied and nothing is recursive, so ten megabytes of dictionaries cost a bounded table or are
//! refused. What the keys mean is not known here.
//!
//! ```
//! use piecework_bencode::{Mode, decode, encode_dict};
//!
//! let bytes = encode_dict(|dict| {
//!     dict.int("port", 6881);
//!     dict.bytes("ip", "127.0.0.1");
//! });
//! let document = decode(&bytes, Mode::Strict).expect("canonical");
//! assert_eq!(bytes, b"d2:ip9:127.0.0.14:porti6881ee");
//! assert_eq!(document.root().get("port").and_then(|port| port.as_u64()), Some(6881));
//! ```

mod document;
mod encode;
mod error;
mod scan;

pub use document::{Dict, Document, Entries, Items, Kind, Value, decode, decode_prefix};
pub use encode::{DictWriter, ListWriter, encode_dict, encode_list};
pub use error::{DecodeError, Irregularity, Rule};
pub use scan::{INTEGER_DIGITS_MAX, Limits, Mode};
