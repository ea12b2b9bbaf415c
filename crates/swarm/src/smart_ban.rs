//! Who sent the bad block of a piece.
//!
//! Owns the block digests of pieces that failed. When such a piece passes later, whoever sent a block
//! that differs from the good one lied; whoever sent only equal ones is cleared. Invariant: at most
//! [`RECORDS_MAX`] digests are kept; without room nobody new is suspected. Names peers by connection,
//! so that one which is gone can still be found out. Knows no slots and no messages.

use crate::picker::Origin;
use piecework_types::{PieceIndex, Sha256Digest};
use std::collections::{BTreeMap, BTreeSet};

/// Digests kept at most: 2.5 MiB, four failed pieces of 256 MiB.
pub(crate) const RECORDS_MAX: usize = 1 << 16;

/// What each peer sent as each block of one piece.
type Records = BTreeMap<(u32, Origin), Sha256Digest>;

/// What a piece's digests tell.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Verdict {
    /// They certainly sent bad data.
    pub(crate) liars: BTreeSet<Origin>,
    /// They may have: each gets pieces alone until it is cleared.
    pub(crate) suspects: BTreeSet<Origin>,
    /// They are no longer suspected of anything.
    pub(crate) cleared: BTreeSet<Origin>,
}

#[derive(Debug, Default)]
pub(crate) struct SmartBan {
    records: BTreeMap<PieceIndex, Records>,
    count: usize,
}

impl SmartBan {
    /// Whether the digests of this piece, now that it passed, would tell something.
    pub(crate) fn waits_for(&self, piece: PieceIndex) -> bool {
        self.records.contains_key(&piece)
    }

    /// The piece failed; `origins` and `digests` go by block number.
    pub(crate) fn failed(
        &mut self,
        piece: PieceIndex,
        origins: &[Option<Origin>],
        digests: &[Sha256Digest],
    ) -> Verdict {
        let mut verdict = Verdict::default();
        let senders: BTreeSet<Origin> = origins.iter().copied().flatten().collect();
        let is_whole = origins.iter().all(Option::is_some);
        if senders.len() == 1 && is_whole {
            verdict.liars = senders;
            return verdict;
        }
        if self.count + digests.len() > RECORDS_MAX || origins.len() != digests.len() {
            return verdict;
        }
        let records = self.records.entry(piece).or_default();
        for (block, (origin, digest)) in (0..).zip(origins.iter().zip(digests)) {
            let Some(origin) = *origin else { continue };
            match records.insert((block, origin), *digest) {
                // Two versions of one block: at least one of them is a lie.
                Some(before) if before != *digest => {
                    verdict.liars.insert(origin);
                }
                Some(_) => {}
                None => self.count += 1,
            }
        }
        verdict.suspects = senders.difference(&verdict.liars).copied().collect();
        verdict
    }

    /// The piece passed with these digests, by block number.
    pub(crate) fn passed(&mut self, piece: PieceIndex, digests: &[Sha256Digest]) -> Verdict {
        let mut verdict = Verdict::default();
        let Some(records) = self.records.remove(&piece) else { return verdict };
        self.count -= records.len();
        for ((block, origin), digest) in &records {
            if digests.get(*block as usize).is_some_and(|good| good != digest) {
                verdict.liars.insert(*origin);
            }
        }
        let others = self.records.values().flat_map(BTreeMap::keys);
        let suspected: BTreeSet<Origin> = others.map(|(_, origin)| *origin).collect();
        let senders: BTreeSet<Origin> = records.into_keys().map(|(_, origin)| origin).collect();
        verdict.cleared = &(&senders - &verdict.liars) - &suspected;
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: PieceIndex = PieceIndex::trusted(3);
    const LIAR: Origin = Origin(1);
    const HONEST: Origin = Origin(2);

    fn digest(byte: u8) -> Sha256Digest {
        Sha256Digest([byte; 32])
    }

    #[test]
    fn a_lone_sender_of_a_bad_piece_needs_no_trial() {
        let verdict = SmartBan::default().failed(PIECE, &[Some(LIAR); 2], &[digest(0); 2]);
        assert_eq!(verdict, Verdict { liars: [LIAR].into(), ..Verdict::default() });
    }

    #[test]
    fn the_good_copy_convicts_the_liar_and_clears_the_others() {
        let mut ban = SmartBan::default();
        let origins = [Some(LIAR), Some(HONEST)];
        let suspected = ban.failed(PIECE, &origins, &[digest(9), digest(1)]);
        assert_eq!(suspected.suspects, [LIAR, HONEST].into());
        assert!(ban.waits_for(PIECE));
        let verdict = ban.passed(PIECE, &[digest(0), digest(1)]);
        assert_eq!((verdict.liars, verdict.cleared), ([LIAR].into(), [HONEST].into()));
        assert!(!ban.waits_for(PIECE) && ban.count == 0);
    }

    #[test]
    fn two_versions_of_one_block_convict_before_any_copy_is_good() {
        let mut ban = SmartBan::default();
        ban.failed(PIECE, &[Some(LIAR), Some(HONEST)], &[digest(9), digest(1)]);
        let verdict = ban.failed(PIECE, &[Some(LIAR), Some(HONEST)], &[digest(8), digest(1)]);
        assert_eq!((verdict.liars, verdict.suspects), ([LIAR].into(), [HONEST].into()));
    }

    #[test]
    fn memory_is_bounded() {
        let mut ban = SmartBan::default();
        let origins = [Some(LIAR), Some(HONEST)].repeat(1 << 14);
        let digests = vec![digest(0); 1 << 15];
        for index in 0..10 {
            ban.failed(PieceIndex::trusted(index), &origins, &digests);
        }
        assert_eq!(ban.count, RECORDS_MAX);
    }
}
