//! How common each piece is, and the open pieces in the order in which that makes them worth asking.
//!
//! Owns availability and the buckets of open pieces: wanted, not held, no block asked yet. Invariant:
//! an open piece stands in the one bucket of its priority and availability, at a random place in it.
//! Every change costs O(1), a seed's coming and going included. Knows no blocks and no peers.

use piecework_types::{Bitfield, PieceIndex, Rng};

/// Above this many peers with a piece its rarity no longer matters.
const AVAILABILITY_MAX: usize = 255;
const STEPS: usize = AVAILABILITY_MAX + 1;

/// The highest priority; 0 means unwanted.
pub(crate) const PRIORITY_MAX: u8 = 7;

const BUCKETS: usize = STEPS * PRIORITY_MAX as usize;
const WORDS: usize = BUCKETS / 64;
const _: () = assert!(BUCKETS.is_multiple_of(64), "every bucket has a bit in `occupied`");

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Peers that have the piece, seeds not counted.
    availability: u16,
    /// Priority while the piece is open, else 0.
    open: u8,
    /// Place in its bucket while it is open.
    place: u32,
}

#[derive(Debug)]
pub(super) struct Rarity {
    entries: Vec<Entry>,
    /// Empty while no piece is open, as in a seed: there would be 42 KiB of them.
    buckets: Vec<Vec<PieceIndex>>,
    /// Bit `b` of the whole: bucket `b` is not empty.
    occupied: [u64; WORDS],
    /// Pieces by their availability, seeds not counted.
    counts: Box<[u32; STEPS]>,
    open_count: u32,
    /// Open pieces that no peer but a seed has.
    rare_count: u32,
    seeds: u32,
}

impl Rarity {
    pub(super) fn new(piece_count: u32) -> Self {
        let entry = Entry { availability: 0, open: 0, place: 0 };
        let mut counts = Box::new([0; STEPS]);
        counts[0] = piece_count;
        Self {
            entries: vec![entry; piece_count as usize],
            buckets: Vec::new(),
            occupied: [0; WORDS],
            counts,
            open_count: 0,
            rare_count: 0,
            seeds: 0,
        }
    }

    /// Peers that have the piece.
    pub(super) fn availability(&self, piece: PieceIndex) -> u32 {
        self.seeds + u32::from(self.entries[piece.as_usize()].availability)
    }

    /// Copies of all pieces that the peers have together, in thousandths: as many as there are of the
    /// rarest piece, and the share of pieces that there are more of. Beyond 255 copies without seeds they
    /// are not told apart. 0 without pieces.
    pub(super) fn copies_milli(&self) -> u32 {
        let Some(least) = self.counts.iter().position(|&count| count > 0) else { return 0 };
        let pieces = self.entries.len() as u64;
        let more = pieces - u64::from(self.counts[least]);
        let whole = (u64::from(self.seeds) + least as u64) * 1000;
        u32::try_from(whole + more * 1000 / pieces).unwrap_or(u32::MAX)
    }

    pub(super) fn is_open(&self, piece: PieceIndex) -> bool {
        self.entries[piece.as_usize()].open > 0
    }

    /// Open pieces, had by somebody or not.
    pub(super) const fn open_count(&self) -> u32 {
        self.open_count
    }

    /// Open pieces that at least one peer has.
    pub(super) const fn available_count(&self) -> u32 {
        if self.seeds > 0 { self.open_count } else { self.open_count - self.rare_count }
    }

    /// Makes the piece open at this priority, or closes it with priority 0.
    pub(super) fn set_open(&mut self, piece: PieceIndex, priority: u8, rng: &mut Rng) {
        self.take_out(piece);
        self.entries[piece.as_usize()].open = priority.min(PRIORITY_MAX);
        self.put_in(piece, rng);
    }

    /// Gives back memory that only open pieces need, if there are none.
    pub(super) fn shrink(&mut self) {
        if self.open_count == 0 {
            self.buckets = Vec::new();
        }
    }

    pub(super) fn seed_joined(&mut self) {
        self.seeds += 1;
    }

    pub(super) fn seed_left(&mut self) {
        self.seeds = self.seeds.saturating_sub(1);
    }

    pub(super) fn gained(&mut self, piece: PieceIndex, rng: &mut Rng) {
        self.shift(piece, u16::saturating_add, rng);
    }

    pub(super) fn lost(&mut self, piece: PieceIndex, rng: &mut Rng) {
        self.shift(piece, u16::saturating_sub, rng);
    }

    /// Open pieces, highest priority first, then rarest first. Pieces nobody has are left out.
    pub(super) fn rarest(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        let skip_absent = self.seeds == 0;
        let mut word = 0;
        let mut bits = self.occupied[0];
        std::iter::from_fn(move || {
            while bits == 0 {
                word += 1;
                bits = *self.occupied.get(word)?;
            }
            let bucket = word * 64 + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            Some(bucket)
        })
        .filter(move |bucket| !skip_absent || !bucket.is_multiple_of(STEPS))
        .flat_map(|bucket| self.buckets[bucket].iter().copied())
    }

    /// Open pieces, highest priority first, then most common first.
    pub(super) fn commonest(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        let absent = usize::from(self.seeds == 0);
        (0..PRIORITY_MAX as usize)
            .flat_map(move |level| (absent..STEPS).rev().map(move |step| level * STEPS + step))
            .filter_map(|bucket| self.buckets.get(bucket))
            .flat_map(|bucket| bucket.iter().copied())
    }

    /// Open pieces of `have` from a random place on, each once.
    pub(super) fn shuffled<'a>(
        &'a self,
        have: &'a Bitfield,
        rng: &mut Rng,
    ) -> impl Iterator<Item = PieceIndex> + 'a {
        let count = self.entries.len() as u64;
        let start = rng.below(count);
        (start..count)
            .chain(0..start)
            .map(|index| PieceIndex::trusted(index as u32))
            .filter(|&piece| self.is_open(piece) && have.contains(piece))
    }

    fn shift(&mut self, piece: PieceIndex, step: fn(u16, u16) -> u16, rng: &mut Rng) {
        self.take_out(piece);
        let entry = &mut self.entries[piece.as_usize()];
        self.counts[usize::from(entry.availability).min(AVAILABILITY_MAX)] -= 1;
        entry.availability = step(entry.availability, 1);
        self.counts[usize::from(entry.availability).min(AVAILABILITY_MAX)] += 1;
        self.put_in(piece, rng);
    }

    fn bucket(entry: Entry) -> usize {
        let step = usize::from(entry.availability).min(AVAILABILITY_MAX);
        usize::from(PRIORITY_MAX - entry.open) * STEPS + step
    }

    fn take_out(&mut self, piece: PieceIndex) {
        let entry = self.entries[piece.as_usize()];
        if entry.open == 0 {
            return;
        }
        let at = Self::bucket(entry);
        let bucket = &mut self.buckets[at];
        bucket.swap_remove(entry.place as usize);
        if let Some(moved) = bucket.get(entry.place as usize) {
            self.entries[moved.as_usize()].place = entry.place;
        } else if bucket.is_empty() {
            self.occupied[at / 64] &= !(1 << (at % 64));
        }
        self.open_count -= 1;
        self.rare_count -= u32::from(entry.availability == 0);
    }

    fn put_in(&mut self, piece: PieceIndex, rng: &mut Rng) {
        let entry = self.entries[piece.as_usize()];
        if entry.open == 0 {
            return;
        }
        if self.buckets.is_empty() {
            self.buckets.resize_with(BUCKETS, Vec::new);
        }
        let at = Self::bucket(entry);
        let bucket = &mut self.buckets[at];
        // Appended, then swapped with a random one: the bucket stays shuffled.
        let last = bucket.len();
        bucket.push(piece);
        let place = rng.below(bucket.len() as u64) as usize;
        bucket.swap(last, place);
        self.entries[bucket[last].as_usize()].place = last as u32;
        self.entries[piece.as_usize()].place = place as u32;
        self.occupied[at / 64] |= 1 << (at % 64);
        self.open_count += 1;
        self.rare_count += u32::from(entry.availability == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use piecework_types::Rng;
    use proptest::prelude::*;

    fn piece(index: u32) -> PieceIndex {
        PieceIndex::trusted(index)
    }

    #[test]
    fn priority_comes_before_rarity_and_rarity_before_chance() {
        let mut rng = Rng::new(1);
        let mut rarity = Rarity::new(4);
        for (index, priority, peers) in [(0, 4, 1), (1, 4, 3), (2, 7, 9), (3, 1, 1)] {
            rarity.set_open(piece(index), priority, &mut rng);
            (0..peers).for_each(|_| rarity.gained(piece(index), &mut rng));
        }
        assert!(rarity.rarest().eq([2, 0, 1, 3].map(piece)));
        assert!(rarity.commonest().eq([2, 1, 0, 3].map(piece)));
    }

    #[test]
    fn a_piece_nobody_has_is_not_offered_until_a_seed_comes() {
        let mut rarity = Rarity::new(1);
        rarity.set_open(piece(0), 4, &mut Rng::new(1));
        assert_eq!((rarity.rarest().count(), rarity.available_count()), (0, 0));
        rarity.seed_joined();
        assert_eq!((rarity.rarest().count(), rarity.available_count()), (1, 1));
        assert_eq!(rarity.availability(piece(0)), 1);
    }

    #[test]
    fn without_open_pieces_there_are_no_buckets_and_they_come_back() {
        let mut rng = Rng::new(1);
        let mut rarity = Rarity::new(2);
        rarity.seed_joined();
        assert_eq!((rarity.buckets.len(), rarity.commonest().count()), (0, 0));
        rarity.set_open(piece(1), 4, &mut rng);
        rarity.shrink();
        assert!(rarity.rarest().eq([piece(1)]), "an open piece keeps its place");
        rarity.set_open(piece(1), 0, &mut rng);
        rarity.shrink();
        assert_eq!((rarity.buckets.len(), rarity.rarest().count()), (0, 0));
        rarity.set_open(piece(0), 1, &mut rng);
        assert!(rarity.commonest().eq([piece(0)]));
    }

    #[test]
    fn copies_are_those_of_the_rarest_piece_and_the_share_of_pieces_with_more() {
        let mut rng = Rng::new(1);
        let mut rarity = Rarity::new(4);
        assert_eq!(rarity.copies_milli(), 0);
        (0..4).for_each(|index| rarity.gained(piece(index), &mut rng));
        rarity.gained(piece(2), &mut rng);
        assert_eq!(rarity.copies_milli(), 1250);
        rarity.seed_joined();
        rarity.lost(piece(3), &mut rng);
        assert_eq!(rarity.copies_milli(), 1750);
        rarity.lost(piece(3), &mut rng);
        assert_eq!(rarity.copies_milli(), 1750, "nobody has less than none");
        assert_eq!(Rarity::new(0).copies_milli(), 0);
    }

    #[test]
    fn pieces_of_one_bucket_come_in_random_order() {
        let mut rng = Rng::new(3);
        let mut rarity = Rarity::new(100);
        (0..100).for_each(|index| rarity.set_open(piece(index), 4, &mut rng));
        rarity.seed_joined();
        let order: Vec<_> = rarity.rarest().map(PieceIndex::get).collect();
        assert!(!order.is_sorted());
    }

    proptest! {
        #[test]
        fn buckets_agree_with_a_sort(
            steps in prop::collection::vec((0_u32..20, 0_u8..8, 0_u8..3), 0..300),
            seeds in 0_u32..2,
        ) {
            let mut rng = Rng::new(9);
            let mut rarity = Rarity::new(20);
            let mut model = [(0_u8, 0_u32); 20];
            (0..seeds).for_each(|_| rarity.seed_joined());
            for (index, priority, step) in steps {
                let (open, availability) = &mut model[index as usize];
                match step {
                    0 => {
                        rarity.set_open(piece(index), priority, &mut rng);
                        *open = priority;
                    }
                    1 => {
                        rarity.gained(piece(index), &mut rng);
                        *availability += 1;
                    }
                    _ => {
                        rarity.lost(piece(index), &mut rng);
                        *availability = availability.saturating_sub(1);
                    }
                }
            }
            let key = |piece: PieceIndex| {
                let (open, availability) = model[piece.as_usize()];
                (PRIORITY_MAX - open, availability)
            };
            let listed: Vec<_> = rarity.rarest().collect();
            prop_assert!(listed.iter().map(|&piece| key(piece)).is_sorted());
            let expected = model.iter().filter(|(open, peers)| *open > 0 && peers + seeds > 0);
            prop_assert_eq!(listed.len(), expected.count());
            prop_assert_eq!(rarity.available_count() as usize, listed.len());
        }
    }
}
