//! The pieces a peer may request while choked (BEP 6): computed from its address, so that asking
//! again under another peer id gives the same few pieces and not more.

use piecework_hash::sha1;
use piecework_types::InfoHash;
use std::net::Ipv4Addr;

/// Pieces in the allowed-fast set that we give to a peer, the number BEP 6 suggests.
pub const ALLOWED_FAST_COUNT: usize = 10;

/// Rounds of hashing, five candidates each. Ten pieces take two or three; a count close to the number
/// of pieces would otherwise wait for the last one very long.
const ROUNDS_MAX: usize = 64;

/// The first `count` pieces of the allowed-fast set of a peer at `ip`, in the order of the
/// specification. Fewer when the torrent is smaller or `count` is far above [`ALLOWED_FAST_COUNT`].
pub fn allowed_fast(ip: Ipv4Addr, info_hash: InfoHash, piece_count: u32, count: usize) -> Vec<u32> {
    if piece_count as usize <= count {
        return (0..piece_count).collect();
    }
    let [a, b, c, _] = ip.octets();
    let mut digest = sha1(&[[a, b, c, 0].as_slice(), &info_hash.0].concat());
    let mut pieces = Vec::with_capacity(count.min(5 * ROUNDS_MAX));
    for _ in 0..ROUNDS_MAX {
        for candidate in digest.0.as_chunks::<4>().0 {
            let piece = u32::from_be_bytes(*candidate) % piece_count;
            if pieces.len() == count {
                return pieces;
            }
            if !pieces.contains(&piece) {
                pieces.push(piece);
            }
        }
        digest = sha1(&digest.0);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const IP: Ipv4Addr = Ipv4Addr::new(80, 4, 4, 200);
    const INFO_HASH: InfoHash = InfoHash([0xaa; 20]);

    #[test]
    fn gives_the_sets_printed_in_bep_6() {
        let nine = [1059, 431, 808, 1217, 287, 376, 1188, 353, 508];
        assert_eq!(allowed_fast(IP, INFO_HASH, 1313, 7), nine[..7]);
        assert_eq!(allowed_fast(IP, INFO_HASH, 1313, 9), nine);
    }

    #[test]
    fn a_neighbour_in_the_same_24_bit_network_gets_the_same_pieces() {
        let neighbour = Ipv4Addr::new(80, 4, 4, 7);
        let stranger = Ipv4Addr::new(80, 4, 5, 200);
        let pieces = allowed_fast(IP, INFO_HASH, 1313, 10);
        assert_eq!(allowed_fast(neighbour, INFO_HASH, 1313, 10), pieces);
        assert_ne!(allowed_fast(stranger, INFO_HASH, 1313, 10), pieces);
    }

    #[test]
    fn never_repeats_or_invents_a_piece_however_small_the_torrent() {
        for piece_count in 0..40 {
            for count in [0, 1, 10, 39] {
                let pieces = allowed_fast(IP, INFO_HASH, piece_count, count);
                let distinct: BTreeSet<_> = pieces.iter().copied().collect();
                assert_eq!(distinct.len(), pieces.len());
                assert!(pieces.iter().all(|&piece| piece < piece_count));
                assert!(pieces.len() <= count);
            }
        }
        assert_eq!(allowed_fast(IP, INFO_HASH, 3, 10), [0, 1, 2]);
        assert!(allowed_fast(IP, INFO_HASH, u32::MAX, 1 << 20).len() <= 5 * ROUNDS_MAX);
    }
}
