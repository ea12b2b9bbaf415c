//! Bytes of a handshake that have come and are read field by field.

use crate::{MseFault, PAD_BYTES_MAX, Rc4};

/// Bytes that there is room for from the start: a handshake whose pads are not of the longest.
const FIRST_BYTES: usize = 1024;

/// What came. Bytes before `at` are read.
#[derive(Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    at: usize,
}

impl Inbox {
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(FIRST_BYTES.max(bytes.len()));
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next field as it came.
    pub(crate) fn plain<const N: usize>(&mut self) -> Option<[u8; N]> {
        let field = *self.bytes[self.at..].first_chunk()?;
        self.at += N;
        Some(field)
    }

    /// The next field, decrypted.
    pub(crate) fn field<const N: usize>(&mut self, cipher: &mut Rc4) -> Option<[u8; N]> {
        let mut field = self.plain()?;
        cipher.apply(&mut field);
        Some(field)
    }

    /// So many bytes, decrypted, once all of them are there.
    pub(crate) fn span(&mut self, bytes: usize, cipher: &mut Rc4) -> Option<&[u8]> {
        let span = self.bytes[self.at..].get_mut(..bytes)?;
        cipher.apply(span);
        self.at += bytes;
        Some(span)
    }

    /// Skips the pad and the mark behind it. False if the mark may still come.
    ///
    /// # Errors
    /// When it does not stand where the longest pad ends at the latest.
    pub(crate) fn pass<const N: usize>(&mut self, mark: [u8; N]) -> Result<bool, MseFault> {
        let searched_bytes = PAD_BYTES_MAX + N;
        let rest = &self.bytes[self.at..];
        let rest = &rest[..rest.len().min(searched_bytes)];
        if let Some(pad) = rest.windows(N).position(|window| window == mark) {
            self.at += pad + N;
            return Ok(true);
        }
        if rest.len() == searched_bytes {
            return Err(MseFault::NoMarker { searched_bytes });
        }
        Ok(false)
    }

    /// What has not been read.
    pub(crate) fn rest(self) -> Vec<u8> {
        let mut bytes = self.bytes;
        bytes.drain(..self.at);
        bytes
    }

    /// Bytes that have come.
    pub(crate) const fn held(&self) -> usize {
        self.bytes.len()
    }

    /// Those of them that are not read.
    pub(crate) const fn unread(&self) -> usize {
        self.bytes.len() - self.at
    }
}
