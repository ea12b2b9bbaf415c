//! The picker as its users see it.

use super::*;
use crate::picker::partial::BlockState;
use piecework_types::Rng;
use proptest::prelude::*;
use std::collections::BTreeSet;

const BLOCK: u32 = piecework_types::BLOCK_BYTES;
const ORIGIN: Origin = Origin(1);

/// A picker for `pieces` pieces of `blocks` blocks, all wanted, and past its first random pieces.
fn picker(pieces: u32, blocks: u32) -> Picker {
    let bytes = u64::from(pieces) * u64::from(blocks * BLOCK);
    let grid = PieceGrid::contiguous(bytes, blocks * BLOCK).expect("a small grid");
    Picker::new(grid, Bitfield::new(pieces), &vec![4; pieces as usize], Rng::new(1))
}

/// The same with the last four pieces verified.
fn experienced(pieces: u32, blocks: u32) -> Picker {
    let mut picker = picker(pieces + 4, blocks);
    for index in pieces..pieces + 4 {
        picker.verified(PieceIndex::trusted(index), &mut Vec::new());
    }
    picker
}

fn asker(slot: u32, have: &Bitfield) -> Asker<'_> {
    Asker {
        slot: PeerSlot(slot),
        have,
        speed: Speed::Slow,
        is_snubbed: false,
        is_alone: false,
        finishes: None,
        side_by_side: 1,
        suggested: &[],
        queue_time: Duration::ZERO,
    }
}

fn set(len: u32, pieces: impl IntoIterator<Item = u32>) -> Bitfield {
    let mut have = Bitfield::new(len);
    for index in pieces {
        have.insert(PieceIndex::trusted(index));
    }
    have
}

/// The pieces of the next `count` blocks.
fn pick_pieces(picker: &mut Picker, asker: &Asker<'_>, work: &mut Work, count: usize) -> Vec<u32> {
    let blocks = std::iter::from_fn(|| picker.pick(asker, work)).take(count);
    blocks.map(|block| block.piece.get()).collect()
}

#[test]
fn the_rarest_piece_comes_first() {
    let mut picker = experienced(3, 1);
    let all = Bitfield::full(7);
    picker.peer_joined(&all);
    picker.peer_joined(&set(7, [0, 2]));
    picker.peer_joined(&set(7, [2]));
    let picked = pick_pieces(&mut picker, &asker(0, &all), &mut Work::default(), 9);
    assert_eq!(picked, [1, 0, 2]);
}

#[test]
fn pieces_that_go_before_all_others_do_whatever_the_order_is_and_unwanted_ones_do_not() {
    for is_sequential in [false, true] {
        // Not past its first random pieces either.
        let mut picker = picker(8, 1);
        picker.set_sequential(is_sequential);
        let all = Bitfield::full(8);
        picker.peer_joined(&all);
        picker.prioritise(&[7, 7, 7, 7, 7, 1, 1, 0]);
        picker.set_first(&[5, 7, 6, 99].map(PieceIndex::trusted));
        let mut work = Work::default();
        assert_eq!(pick_pieces(&mut picker, &asker(0, &all), &mut work, 2), [5, 6]);
        let rest = pick_pieces(&mut picker, &asker(0, &all), &mut work, 9);
        assert_eq!(rest.into_iter().collect::<BTreeSet<_>>(), (0..5).collect());
        // One that is lost is the first again.
        picker.verified(PieceIndex::trusted(5), &mut Vec::new());
        picker.lost(PieceIndex::trusted(5));
        picker.prioritise(&[4; 8]);
        assert_eq!(pick_pieces(&mut picker, &asker(0, &all), &mut work, 2), [5, 7]);
    }
}

#[test]
fn a_piece_is_missing_then_fetched_then_there() {
    let mut picker = picker(2, 2);
    let all = Bitfield::full(2);
    picker.peer_joined(&all);
    let piece = picker.pick(&asker(0, &all), &mut Work::default()).expect("a block").piece;
    let other = PieceIndex::trusted(1 - piece.get());
    let states = |picker: &Picker| [piece, other].map(|piece| picker.state(piece));
    assert_eq!(states(&picker), [PieceState::Fetching, PieceState::Missing]);
    picker.verified(piece, &mut Vec::new());
    assert_eq!(states(&picker), [PieceState::Have, PieceState::Missing]);
}

#[test]
fn the_first_pieces_are_random() {
    let firsts: BTreeSet<u32> = (0..20)
        .map(|seed| {
            let grid = PieceGrid::contiguous(64 * 16_384, 16_384).expect("a grid");
            let (none, all) = (Bitfield::new(64), Bitfield::full(64));
            let mut picker = Picker::new(grid, none, &[4; 64], Rng::new(seed));
            picker.peer_joined(&all);
            pick_pieces(&mut picker, &asker(0, &all), &mut Work::default(), 1)[0]
        })
        .collect();
    assert!(firsts.len() > 5, "{firsts:?}");
}

#[test]
fn a_higher_priority_wins_over_rarity_and_priority_zero_is_never_asked() {
    let mut picker = experienced(3, 1);
    let all = Bitfield::full(7);
    picker.peer_joined(&all);
    picker.peer_joined(&set(7, [1]));
    picker.prioritise(&[4, 7, 0, 4, 4, 4, 4]);
    let picked = pick_pieces(&mut picker, &asker(0, &all), &mut Work::default(), 9);
    assert_eq!(picked, [1, 0]);
}

#[test]
fn slow_peers_share_a_piece_and_fast_ones_take_their_own() {
    let mut picker = experienced(4, 4);
    let all = Bitfield::full(8);
    for _ in 0..4 {
        picker.peer_joined(&all);
    }
    picker.set_peer_count(4);
    let slow = |slot| asker(slot, &all);
    let fast = |slot| Asker { speed: Speed::Fast, ..asker(slot, &all) };
    let mut work = [(); 4].map(|()| Work::default());
    let [a, b, c, d] = &mut work;
    let first = pick_pieces(&mut picker, &slow(0), a, 1);
    assert_eq!(pick_pieces(&mut picker, &slow(1), b, 1), first);
    let own = pick_pieces(&mut picker, &fast(2), c, 4);
    assert!(own.iter().all(|piece| *piece == own[0]) && own[0] != first[0]);
    let other = pick_pieces(&mut picker, &fast(3), d, 1);
    assert!(other != first && other[0] != own[0]);
}

#[test]
fn a_piece_that_was_left_is_taken_up_first() {
    let mut picker = experienced(4, 4);
    let all = Bitfield::full(8);
    picker.peer_joined(&all);
    picker.set_peer_count(9);
    let fast = |slot| Asker { speed: Speed::Fast, ..asker(slot, &all) };
    let mut work = Work::default();
    let left: Vec<_> = std::iter::from_fn(|| picker.pick(&fast(0), &mut work)).take(2).collect();
    left.iter().for_each(|block| picker.release(*block));
    picker.disown(PeerSlot(0), Speed::Slow);
    let piece = left[0].piece.get();
    assert_eq!(pick_pieces(&mut picker, &fast(1), &mut Work::default(), 4), [piece; 4]);
}

#[test]
fn a_lone_fast_peer_is_asked_for_runs_of_eight_pieces_side_by_side() {
    let mut picker = experienced(20, 64);
    let all = Bitfield::full(24);
    picker.peer_joined(&all);
    let asker = Asker { speed: Speed::Fast, side_by_side: 8, ..asker(0, &all) };
    let picked = pick_pieces(&mut picker, &asker, &mut Work::default(), 8 * 16 * 2);
    let (first_round, second_round) = picked.split_at(8 * 16);
    let runs = |round: &[u32]| -> Vec<u32> {
        assert!(round.chunks(16).all(|run| run.iter().all(|piece| *piece == run[0])));
        round.chunks(16).map(|run| run[0]).collect()
    };
    let mut pieces = runs(first_round);
    pieces.sort_unstable();
    let mut again = runs(second_round);
    again.sort_unstable();
    assert_eq!(pieces, again);
    pieces.dedup();
    assert_eq!(pieces.len(), 8);
}

#[test]
fn a_snubbed_peer_gets_what_others_have_in_plenty() {
    let mut picker = experienced(3, 1);
    let all = Bitfield::full(7);
    picker.peer_joined(&all);
    picker.peer_joined(&set(7, [1, 2]));
    picker.peer_joined(&set(7, [1]));
    let snubbed = Asker { is_snubbed: true, ..asker(0, &all) };
    assert_eq!(pick_pieces(&mut picker, &snubbed, &mut Work::default(), 3), [1, 2, 0]);
}

#[test]
fn a_piece_that_failed_and_a_suspects_pieces_belong_to_one_peer() {
    let mut picker = experienced(2, 4);
    let all = Bitfield::full(6);
    picker.peer_joined(&all);
    let suspect = Asker { is_alone: true, ..asker(0, &all) };
    let mut work = Work::default();
    let alone = pick_pieces(&mut picker, &suspect, &mut work, 1)[0];
    let others = pick_pieces(&mut picker, &asker(1, &all), &mut Work::default(), 9);
    assert_eq!(others, [1 - alone; 4]);
    picker.failed(PieceIndex::trusted(1 - alone), &mut Vec::new());
    let again = pick_pieces(&mut picker, &asker(1, &all), &mut Work::default(), 1);
    assert_eq!(again, [1 - alone]);
    assert_eq!(pick_pieces(&mut picker, &asker(2, &all), &mut Work::default(), 9), []);
}

#[test]
fn a_peer_that_is_paid_finishes_what_has_blocks_of_it_before_it_begins_anything() {
    let mut picker = experienced(3, 4);
    let all = Bitfield::full(7);
    picker.peer_joined(&all);
    let picks = |picker: &mut Picker, asker: &Asker<'_>, count| {
        pick_pieces(picker, asker, &mut Work::default(), count)
    };
    let first = picker.pick(&asker(0, &all), &mut Work::default()).expect("a block");
    let (begun, mine) = (first.piece.get(), Origin(8));
    picker.receive(first, mine, true);
    // Somebody else is at it as well.
    assert_eq!(picks(&mut picker, &asker(1, &all), 1), [begun]);
    let paid = Asker { is_alone: true, finishes: Some(mine), ..asker(0, &all) };
    let next = picks(&mut picker, &paid, 6);
    assert_eq!(next[..2], [begun; 2]);
    assert!(next[2] != begun && next[2..].iter().all(|piece| *piece == next[2]), "{next:?}");
    // Who answers for whole pieces alone joins none.
    let suspect = Asker { is_alone: true, ..asker(2, &all) };
    assert!(!next.contains(&picks(&mut picker, &suspect, 1)[0]));
}

#[test]
fn second_copies_are_asked_in_the_end_game_only_and_of_four_peers_at_most() {
    let mut picker = experienced(1, 2);
    let all = Bitfield::full(5);
    picker.peer_joined(&all);
    let mut work = Work::default();
    let first = picker.pick(&asker(0, &all), &mut work).expect("a block");
    assert_eq!(picker.pick_duplicate(&asker(1, &all), |_| false), None);
    let second = picker.pick(&asker(0, &all), &mut work).expect("a block");
    assert!(picker.is_end_game());
    let copies: Vec<_> =
        (1..9).filter_map(|slot| picker.pick_duplicate(&asker(slot, &all), |_| false)).collect();
    assert_eq!(copies.len(), 6, "{copies:?}");
    assert_eq!(picker.receive(first, ORIGIN, true), Arrival::First { duplicates: 3 });
    assert_eq!(picker.pick_duplicate(&asker(9, &all), |block| block == second), None);
}

#[test]
fn what_cannot_be_checked_yet_is_not_asked() {
    let mut picker = experienced(2, 1);
    let all = Bitfield::full(6);
    picker.peer_joined(&all);
    picker.lock([PieceIndex::trusted(0)]);
    let mut work = Work::default();
    assert_eq!(pick_pieces(&mut picker, &asker(0, &all), &mut work, 9), [1]);
    picker.unlock([PieceIndex::trusted(0)]);
    assert_eq!(pick_pieces(&mut picker, &asker(0, &all), &mut work, 9), [0]);
}

#[test]
fn sequential_means_in_order() {
    let mut picker = picker(5, 2);
    let all = Bitfield::full(5);
    picker.peer_joined(&all);
    picker.set_sequential(true);
    let picked = pick_pieces(&mut picker, &asker(0, &all), &mut Work::default(), 99);
    assert_eq!(picked, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
}

#[test]
fn a_reader_with_nothing_in_store_gets_the_next_pieces_in_order() {
    let mut picker = picker(20, 2);
    let all = Bitfield::full(20);
    picker.peer_joined(&all);
    let position = u64::from(5 * 2 * BLOCK);
    picker.set_stream(Some(StreamWindow { position, bitrate_bytes: u64::from(BLOCK) }));
    let picked = pick_pieces(&mut picker, &asker(0, &all), &mut Work::default(), 4);
    assert_eq!(picked, [5, 5, 6, 6]);
}

#[test]
fn one_whose_pieces_are_its_alone_ends_an_urgent_piece_before_the_next_and_others_leave_it() {
    let mut picker = picker(20, 2);
    let all = Bitfield::full(20);
    picker.peer_joined(&all);
    picker.set_stream(Some(StreamWindow { position: 0, bitrate_bytes: u64::from(BLOCK) }));
    let (alone, mut work) = (Asker { is_alone: true, ..asker(0, &all) }, Work::default());
    let first = picker.pick(&alone, &mut work).expect("a block");
    assert_eq!(pick_pieces(&mut picker, &asker(1, &all), &mut Work::default(), 2), [1, 1]);
    let other = Asker { slot: PeerSlot(2), ..alone };
    assert_eq!(pick_pieces(&mut picker, &other, &mut Work::default(), 2), [2, 2]);
    assert_eq!(pick_pieces(&mut picker, &alone, &mut work, 3), [0, 3, 3]);
    // What it was asked for and is taken back is for nobody else either.
    picker.release(first);
    assert_eq!(pick_pieces(&mut picker, &alone, &mut Work::default(), 1), [0]);
}

#[test]
fn a_busy_peer_leaves_the_most_urgent_pieces_to_others() {
    let mut picker = picker(20, 1);
    let all = Bitfield::full(20);
    picker.peer_joined(&all);
    picker.set_stream(Some(StreamWindow { position: 0, bitrate_bytes: u64::from(BLOCK) }));
    let busy = Asker { queue_time: Duration::from_secs(3), ..asker(0, &all) };
    assert_eq!(pick_pieces(&mut picker, &busy, &mut Work::default(), 1), [3]);
    assert_eq!(pick_pieces(&mut picker, &asker(1, &all), &mut Work::default(), 1), [0]);
}

#[test]
fn a_suggested_piece_is_preferred_among_open_ones() {
    let mut picker = experienced(9, 1);
    let all = Bitfield::full(13);
    picker.peer_joined(&all);
    let suggested = [PieceIndex::trusted(10), PieceIndex::trusted(7)];
    let asker = Asker { suggested: &suggested, ..asker(0, &all) };
    assert_eq!(pick_pieces(&mut picker, &asker, &mut Work::default(), 1), [7]);
}

#[test]
fn a_choking_peer_is_asked_for_allowed_pieces_only() {
    let mut picker = experienced(3, 2);
    let all = Bitfield::full(7);
    picker.peer_joined(&all);
    let allowed = [PieceIndex::trusted(6), PieceIndex::trusted(1)];
    let picked: Vec<_> =
        std::iter::from_fn(|| picker.pick_among(&allowed, &asker(0, &all))).collect();
    assert!(picked.iter().all(|block| block.piece == allowed[1]) && picked.len() == 2);
}

#[test]
fn what_is_not_wanted_is_missing_but_not_left() {
    let mut picker = picker(3, 1);
    picker.verified(PieceIndex::trusted(0), &mut Vec::new());
    picker.prioritise(&[4, 4, 0]);
    let block = u64::from(BLOCK);
    assert_eq!((picker.left_bytes(), picker.missing_bytes()), (block, 2 * block));
    picker.verified(PieceIndex::trusted(1), &mut Vec::new());
    assert_eq!((picker.left_bytes(), picker.missing_bytes()), (0, block));
}

#[test]
fn losing_a_verified_piece_makes_it_wanted_again() {
    let mut picker = picker(1, 1);
    let all = Bitfield::full(1);
    picker.peer_joined(&all);
    let piece = PieceIndex::trusted(0);
    assert!(picker.verified(piece, &mut Vec::new()) && picker.is_complete());
    assert!(!picker.verified(piece, &mut Vec::new()));
    assert!(picker.lost(piece) && !picker.is_complete());
    assert_eq!(picker.left_bytes(), u64::from(BLOCK));
    assert_eq!(picker.missing_bytes(), u64::from(BLOCK));
    assert_eq!(pick_pieces(&mut picker, &asker(0, &all), &mut Work::default(), 9), [0]);
}

const PIECES: u32 = 12;
const BLOCKS: u32 = 5;
const PEERS: u32 = 4;

/// What may happen to a picker.
#[derive(Clone, Debug)]
enum Step {
    Pick { slot: u32, speed: u8, snubbed: bool, suspect: bool, side: usize },
    Duplicate { slot: u32 },
    Receive { nth: usize },
    Release { nth: usize },
    Verify,
    Fail { piece: u32 },
    Lose { piece: u32 },
    Prioritise(Vec<u8>),
    Gain { slot: u32, piece: u32 },
    Lock { piece: u32, locked: bool },
    Stream(Option<u64>),
    Disown { slot: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    let (slot, piece) = (0..PEERS, 0..PIECES);
    prop_oneof![
        10 => (slot.clone(), 0_u8..3, any::<bool>(), any::<bool>(), 1_usize..9).prop_map(
            |(slot, speed, snubbed, suspect, side)| Step::Pick { slot, speed, snubbed, suspect, side }
        ),
        2 => slot.clone().prop_map(|slot| Step::Duplicate { slot }),
        6 => any::<usize>().prop_map(|nth| Step::Receive { nth }),
        2 => any::<usize>().prop_map(|nth| Step::Release { nth }),
        2 => Just(Step::Verify),
        1 => piece.clone().prop_map(|piece| Step::Fail { piece }),
        1 => piece.clone().prop_map(|piece| Step::Lose { piece }),
        1 => prop::collection::vec(0_u8..8, PIECES as usize).prop_map(Step::Prioritise),
        2 => (slot.clone(), piece.clone()).prop_map(|(slot, piece)| Step::Gain { slot, piece }),
        1 => (piece, any::<bool>()).prop_map(|(piece, locked)| Step::Lock { piece, locked }),
        1 => prop::option::of(0_u64..2_000_000).prop_map(Step::Stream),
        1 => slot.prop_map(|slot| Step::Disown { slot }),
    ]
}

/// A picker with the books of an onlooker.
struct Watched {
    picker: Picker,
    have: Vec<Bitfield>,
    work: Vec<Work>,
    asked: Vec<(u32, Block)>,
    locked: BTreeSet<PieceIndex>,
}

impl Watched {
    fn new() -> Self {
        let mut picker = picker(PIECES, BLOCKS);
        let mut have = vec![Bitfield::new(PIECES); PEERS as usize];
        have[0] = Bitfield::full(PIECES);
        have.iter().for_each(|have| picker.peer_joined(have));
        picker.set_peer_count(PEERS as usize);
        let work = vec![Work::default(); PEERS as usize];
        Self { picker, have, work, asked: Vec::new(), locked: BTreeSet::new() }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Pick { slot, speed, snubbed, suspect, side } => {
                let speed = [Speed::Slow, Speed::Medium, Speed::Fast][usize::from(speed)];
                let asker = Asker {
                    speed,
                    is_snubbed: snubbed,
                    is_alone: suspect,
                    side_by_side: side,
                    ..asker(slot, &self.have[slot as usize])
                };
                let picked = self.picker.pick(&asker, &mut self.work[slot as usize]);
                if let Some(block) = picked {
                    self.check_pick(slot, block);
                    assert!(self.asked.iter().all(|(_, asked)| *asked != block), "asked twice");
                    self.asked.push((slot, block));
                }
            }
            Step::Duplicate { slot } => {
                let mine = |block| self.asked.contains(&(slot, block));
                let asker = asker(slot, &self.have[slot as usize]);
                if let Some(block) = self.picker.pick_duplicate(&asker, mine) {
                    self.check_pick(slot, block);
                    assert!(self.asked.iter().any(|(_, asked)| *asked == block), "not a copy");
                    self.asked.push((slot, block));
                }
            }
            Step::Receive { nth } => {
                if let Some((slot, block)) = self.remove(nth) {
                    self.picker.receive(block, Origin(slot), true);
                    self.work[slot as usize].wake();
                }
            }
            Step::Release { nth } => {
                if let Some((_, block)) = self.remove(nth) {
                    self.picker.release(block);
                }
            }
            Step::Verify => {
                let full = self.picker.partials.iter().find(|partial| {
                    partial.blocks().iter().all(|state| matches!(state, BlockState::Held(_)))
                });
                if let Some(piece) = full.map(|partial| partial.piece) {
                    self.picker.verified(piece, &mut Vec::new());
                }
            }
            Step::Fail { piece } => self.restart(piece, |picker, piece| {
                picker.failed(piece, &mut Vec::new());
            }),
            Step::Lose { piece } => self.restart(piece, |picker, piece| {
                picker.lost(piece);
            }),
            Step::Prioritise(ref priorities) => self.picker.prioritise(priorities),
            Step::Gain { slot, piece } => {
                let piece = PieceIndex::trusted(piece);
                let have = &mut self.have[slot as usize];
                if have.insert(piece) {
                    self.picker.peer_gained(piece, have);
                    self.work[slot as usize].wake();
                }
            }
            Step::Lock { piece, locked } => {
                let piece = PieceIndex::trusted(piece);
                if locked {
                    self.picker.lock([piece]);
                    self.locked.insert(piece);
                } else {
                    self.picker.unlock([piece]);
                    self.locked.remove(&piece);
                }
            }
            Step::Stream(position) => {
                let window = |position| StreamWindow { position, bitrate_bytes: 50_000 };
                self.picker.set_stream(position.map(window));
            }
            Step::Disown { slot } => {
                self.work[slot as usize].clear();
                self.picker.disown(PeerSlot(slot), Speed::Slow);
            }
        }
    }

    fn remove(&mut self, nth: usize) -> Option<(u32, Block)> {
        let at = nth.checked_rem(self.asked.len())?;
        Some(self.asked.swap_remove(at))
    }

    /// The piece starts over: the driver hears no more of what was asked of it.
    fn restart(&mut self, piece: u32, act: impl Fn(&mut Picker, PieceIndex)) {
        let piece = PieceIndex::trusted(piece);
        if self.asked.iter().all(|(_, block)| block.piece != piece) {
            act(&mut self.picker, piece);
        }
    }

    fn check_pick(&self, slot: u32, block: Block) {
        assert!(self.have[slot as usize].contains(block.piece), "the peer lacks it");
        assert!(self.picker.wants(block.piece), "not wanted, or held already");
    }

    fn check(&self) {
        let picker = &self.picker;
        for piece in picker.grid.pieces() {
            let is_open = picker.rarity.is_open(piece);
            let partial = picker.partials.get(piece);
            assert!(!(is_open && partial.is_some()), "open and partial");
            assert!(!is_open || picker.wants(piece), "open and not wanted");
            assert!(!(is_open && self.locked.contains(&piece)), "open and locked");
            let is_reachable = is_open || partial.is_some() || self.locked.contains(&piece);
            assert!(is_reachable || !picker.wants(piece), "wanted and nowhere");
            let peers = self.have.iter().filter(|have| have.contains(piece)).count();
            assert_eq!(picker.availability(piece) as usize, peers);
            for (number, state) in (0..).zip(partial.map_or(&[][..], |partial| partial.blocks())) {
                let block = picker.grid.block(piece, number).expect("a block of the table");
                let times = self.asked.iter().filter(|(_, asked)| *asked == block).count();
                match state {
                    BlockState::Missing => assert_eq!(times, 0),
                    BlockState::Asked(counted) => assert_eq!(usize::from(*counted), times),
                    BlockState::Held(_) => {}
                }
            }
        }
        let missing = picker.grid.pieces().filter(|&piece| picker.wants(piece)).count();
        assert_eq!(picker.wanted_missing as usize, missing);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_block_is_in_one_state_whatever_happens(
        steps in prop::collection::vec(step(), 0..150),
    ) {
        let mut watched = Watched::new();
        for step in &steps {
            watched.take(step);
            watched.check();
        }
    }

    #[test]
    fn whoever_has_everything_can_be_asked_for_everything(
        steps in prop::collection::vec(step(), 0..100),
    ) {
        let mut watched = Watched::new();
        steps.iter().for_each(|step| watched.take(step));
        watched.picker.set_stream(None);
        watched.picker.unlock(std::mem::take(&mut watched.locked));
        watched.picker.prioritise(&[4; PIECES as usize]);
        (0..PEERS).for_each(|slot| watched.take(&Step::Disown { slot }));
        while watched.remove(0).is_some_and(|(_, block)| {
            watched.picker.release(block);
            true
        }) {}
        let have = Bitfield::full(PIECES);
        let asker = asker(0, &have);
        let picked: BTreeSet<Block> =
            std::iter::from_fn(|| watched.picker.pick(&asker, &mut watched.work[0])).collect();
        let picker = &watched.picker;
        for piece in picker.grid.pieces().filter(|&piece| picker.wants(piece)) {
            for (number, block) in (0..).zip(picker.grid.blocks(piece)) {
                let state = picker.partials.get(piece).map(|partial| partial.blocks()[number]);
                let is_held = matches!(state, Some(BlockState::Held(_)));
                prop_assert!(is_held || picked.contains(&block), "{block:?} is never asked");
            }
        }
    }
}
