//! Extension messages (BEP 10): what travels inside [`crate::Message::Extended`].

/// Longest metadata accepted, in bytes (BEP 9). Longer ones only serve to exhaust memory.
pub const METADATA_BYTES_MAX: usize = 64 << 20;
