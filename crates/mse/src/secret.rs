//! What follows from the number that the two sides agreed on.

use crate::key::KEY_BYTES;
use crate::rc4::Rc4;
use piecework_hash::Sha1Stream;
use piecework_types::InfoHash;

/// A shared secret.
pub(crate) struct Secret(pub(crate) [u8; KEY_BYTES]);

impl Secret {
    /// Shows the responder where the initiator's part begins.
    pub(crate) fn marker(&self) -> [u8; 20] {
        hash([b"req1", &self.0])
    }

    /// Hides the torrent's name, or shows it again: both are the same.
    pub(crate) fn mask(&self, name: [u8; 20]) -> [u8; 20] {
        let mask = hash([b"req3", &self.0]);
        std::array::from_fn(|at| name[at] ^ mask[at])
    }

    /// The ciphers of what the initiator sends, and of what the responder sends.
    pub(crate) fn ciphers(&self, torrent: InfoHash) -> [Box<Rc4>; 2] {
        let keys = [b"keyA", b"keyB"].map(|label| hash([label, &self.0, &torrent.0]));
        Rc4::several(keys.each_ref()).map(Box::new)
    }
}

/// What stands for a torrent before it is masked.
pub(crate) fn name(torrent: InfoHash) -> [u8; 20] {
    hash([b"req2", &torrent.0])
}

fn hash<const N: usize>(parts: [&[u8]; N]) -> [u8; 20] {
    let mut stream = Sha1Stream::new();
    parts.into_iter().for_each(|part| stream.update(part));
    stream.finish().0
}
