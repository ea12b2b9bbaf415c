//! Pads: bytes without meaning, so that a handshake has no length of its own.

use crate::{MseFault, PAD_BYTES_MAX};
use piecework_types::Rng;

/// A pad of random length and content, for places that are not encrypted.
pub(crate) fn random(rng: &mut Rng, out: &mut Vec<u8>) {
    let from = out.len();
    out.resize(from + length(rng), 0);
    for word in out[from..].chunks_mut(8) {
        word.copy_from_slice(&rng.next_u64().to_le_bytes()[..word.len()]);
    }
}

/// The length of a pad and zeros, for places that are encrypted.
pub(crate) fn announced(rng: &mut Rng, out: &mut Vec<u8>) {
    let length = length(rng);
    out.extend_from_slice(&(length as u16).to_be_bytes());
    out.resize(out.len() + length, 0);
}

/// The announced length of a pad.
pub(crate) fn checked(field: [u8; 2]) -> Result<usize, MseFault> {
    let got_bytes = usize::from(u16::from_be_bytes(field));
    if got_bytes > PAD_BYTES_MAX {
        return Err(MseFault::LongPad { got_bytes });
    }
    Ok(got_bytes)
}

fn length(rng: &mut Rng) -> usize {
    rng.below(PAD_BYTES_MAX as u64 + 1) as usize
}
