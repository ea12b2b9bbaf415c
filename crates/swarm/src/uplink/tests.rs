#![allow(clippy::unwrap_used)]

use super::*;
use piecework_types::PieceIndex;
use proptest::prelude::*;
use std::collections::BTreeMap;

const fn block(piece: u32, number: u32) -> Block {
    let begin = number * BLOCK_BYTES;
    Block { piece: PieceIndex::trusted(piece), begin, length: BLOCK_BYTES }
}

const A: PeerSlot = PeerSlot(0);
const B: PeerSlot = PeerSlot(1);

fn uplink() -> Uplink {
    Uplink::new(&UplinkConfig::default())
}

/// Joins `slot` and queues `count` blocks of the piece with its number, with room for all of them.
fn backlog(uplink: &mut Uplink, slot: PeerSlot, class: Class, count: u32) {
    uplink.join(slot, class);
    uplink.set_room(slot, u64::MAX);
    for number in 0..count {
        uplink.push(slot, block(slot.0, number)).unwrap();
    }
}

/// Blocks sent to each slot.
fn drain(uplink: &mut Uplink) -> BTreeMap<PeerSlot, u32> {
    let mut sent = BTreeMap::new();
    while let Some((slot, _)) = uplink.poll() {
        *sent.entry(slot).or_default() += 1;
    }
    sent
}

#[test]
fn blocks_of_a_peer_leave_in_order_and_sixteen_at_a_time() {
    let mut uplink = uplink();
    backlog(&mut uplink, A, Class::RECIPROCAL, 40);
    backlog(&mut uplink, B, Class::RECIPROCAL, 40);
    let order: Vec<_> = std::iter::from_fn(|| uplink.poll()).collect();
    let of_a: Vec<_> =
        order.iter().filter(|(slot, _)| *slot == A).map(|(_, block)| *block).collect();
    assert_eq!(of_a, (0..40).map(|number| block(0, number)).collect::<Vec<_>>());
    let runs: Vec<_> = order.chunk_by(|a, b| a.0 == b.0).map(|run| (run[0].0, run.len())).collect();
    assert_eq!(runs, [(A, 16), (B, 16), (A, 16), (B, 16), (A, 8), (B, 8)]);
}

#[test]
fn without_room_nothing_leaves() {
    let mut uplink = uplink();
    backlog(&mut uplink, A, Class::RECIPROCAL, 3);
    uplink.set_room(A, 2 * QUANTUM_BYTES - 1);
    assert_eq!(drain(&mut uplink)[&A], 1);
    assert_eq!(uplink.queue_len(A), 2);
    uplink.set_room(A, QUANTUM_BYTES);
    assert_eq!(uplink.poll(), Some((A, block(0, 1))));
    assert_eq!(uplink.poll(), None);
}

#[test]
fn without_a_limit_no_quota_is_asked_for() {
    let mut uplink = uplink();
    backlog(&mut uplink, A, Class::RECIPROCAL, 3);
    assert_eq!(uplink.quota_wanted(Part::Open, Time::ZERO), None);
    assert_eq!(drain(&mut uplink)[&A], 3);
}

#[test]
fn under_a_limit_peers_alternate_and_stop_with_the_quota() {
    let mut uplink = uplink();
    uplink.set_limited(true);
    backlog(&mut uplink, A, Class::RECIPROCAL, 10);
    backlog(&mut uplink, B, Class::RECIPROCAL, 10);
    assert_eq!(uplink.poll(), None);
    assert_eq!(uplink.quota_wanted(Part::Open, Time::ZERO), Some(20 * QUANTUM_BYTES));
    assert_eq!(uplink.quota_wanted(Part::Open, Time::ZERO), None, "one figure is asked for once");
    uplink.grant(Part::Open, 4 * QUANTUM_BYTES + 5);
    let order: Vec<_> = std::iter::from_fn(|| uplink.poll()).map(|(slot, _)| slot).collect();
    assert_eq!(order, [A, B, A, B]);
    assert_eq!(
        uplink.quota_wanted(Part::Open, Time::ZERO),
        None,
        "the rest of the first figure is still to come"
    );
    backlog(&mut uplink, PeerSlot(2), Class::RECIPROCAL, 1);
    assert_eq!(uplink.quota_wanted(Part::Open, Time::ZERO), Some(17 * QUANTUM_BYTES - 5));
    uplink.set_limited(false);
    assert_eq!(drain(&mut uplink).values().sum::<u32>(), 17);
}

#[test]
fn small_grants_add_up_to_a_block() {
    let mut uplink = uplink();
    uplink.set_limited(true);
    backlog(&mut uplink, A, Class::BACKGROUND, 2);
    for _ in 0..3 {
        uplink.grant(Part::Open, QUANTUM_BYTES / 4);
        assert_eq!(uplink.poll(), None);
    }
    uplink.grant(Part::Open, QUANTUM_BYTES / 4);
    assert_eq!(uplink.poll(), Some((A, block(0, 0))));
    assert_eq!(uplink.poll(), None);
}

#[test]
fn classes_share_what_the_floors_leave_by_weight() {
    let classes = vec![
        ClassConfig { weight: 3, floor_percent: 0 },
        ClassConfig { weight: 1, floor_percent: 20 },
    ];
    let mut uplink = Uplink::new(&UplinkConfig { queue_max: 10_000, classes });
    uplink.set_limited(true);
    backlog(&mut uplink, A, Class(0), 2_000);
    backlog(&mut uplink, B, Class(1), 2_000);
    let mut sent = [0; 2];
    for _ in 0..100 {
        uplink.grant(Part::Open, 10 * QUANTUM_BYTES);
        while let Some((slot, _)) = uplink.poll() {
            sent[slot.0 as usize] += 1;
        }
    }
    // 200 by the floor, the other 800 as 3 to 1.
    assert_eq!(sent.iter().sum::<u32>(), 1_000);
    assert!((398..=402).contains(&sent[1]), "{sent:?}");
}

#[test]
fn the_share_of_an_idle_class_flows_to_the_others() {
    let mut uplink = uplink();
    uplink.set_limited(true);
    backlog(&mut uplink, A, Class::BACKGROUND, 100);
    uplink.grant(Part::Open, 50 * QUANTUM_BYTES);
    assert_eq!(drain(&mut uplink)[&A], 50);
    // What was not used earlier is no claim later.
    backlog(&mut uplink, B, Class::RECIPROCAL, 100);
    uplink.grant(Part::Open, 20 * QUANTUM_BYTES);
    let sent = drain(&mut uplink);
    assert!(sent[&A] >= 1 && sent[&B] <= 19, "{sent:?}");
}

#[test]
fn a_queue_is_bounded_and_a_cancelled_block_never_leaves() {
    let mut uplink =
        Uplink::new(&UplinkConfig { queue_max: 3, classes: UplinkConfig::default().classes });
    backlog(&mut uplink, A, Class::RECIPROCAL, 3);
    assert_eq!(uplink.push(A, block(0, 3)), Err(QueueFull { queue_max: 3 }));
    assert!(uplink.cancel(A, block(0, 1)));
    assert!(!uplink.cancel(A, block(0, 1)));
    assert_eq!(uplink.poll(), Some((A, block(0, 0))));
    assert_eq!(uplink.clear(A), [block(0, 2)]);
    assert_eq!(uplink.poll(), None);
}

#[test]
fn a_slot_used_again_inherits_nothing() {
    let mut uplink = uplink();
    backlog(&mut uplink, A, Class::RECIPROCAL, 3);
    uplink.leave(A);
    uplink.join(A, Class::ALTRUISTIC);
    assert_eq!((uplink.poll(), uplink.queue_len(A)), (None, 0));
    uplink.push(A, block(9, 9)).unwrap();
    assert_eq!(uplink.poll(), None, "no room yet");
    uplink.set_room(A, QUANTUM_BYTES);
    assert_eq!(uplink.poll(), Some((A, block(9, 9))));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push(u32, u32),
    Cancel(u32, u32),
    Clear(u32),
    Room(u32, u64),
    Grant(u64),
    Limited(bool),
    Class(u32, u8),
    Leave(u32),
    Poll,
}

fn step() -> impl Strategy<Value = Step> {
    let slot = 0_u32..4;
    prop_oneof![
        6 => (slot.clone(), 1..=BLOCK_BYTES).prop_map(|(slot, length)| Step::Push(slot, length)),
        1 => (slot.clone(), 0_u32..40).prop_map(|(slot, number)| Step::Cancel(slot, number)),
        1 => slot.clone().prop_map(Step::Clear),
        4 => (slot.clone(), 0..200_000_u64).prop_map(|(slot, room)| Step::Room(slot, room)),
        3 => (0..100_000_u64).prop_map(Step::Grant),
        1 => any::<bool>().prop_map(Step::Limited),
        1 => (slot.clone(), 0..3_u8).prop_map(|(slot, class)| Step::Class(slot, class)),
        1 => slot.prop_map(Step::Leave),
        8 => Just(Step::Poll),
    ]
}

/// The specification: plain queues, rooms and a quota, without any policy.
#[derive(Default)]
struct Model {
    queues: BTreeMap<u32, VecDeque<Block>>,
    rooms: BTreeMap<u32, u64>,
    quota: Option<u64>,
    serial: u32,
}

impl Model {
    fn check_poll(&mut self, polled: Option<(PeerSlot, Block)>) {
        if let Some((slot, block)) = polled {
            let length = u64::from(block.length);
            assert_eq!(self.queues.get_mut(&slot.0).unwrap().pop_front(), Some(block));
            let room = self.rooms.get_mut(&slot.0).unwrap();
            *room = room.checked_sub(length).expect("room for the block");
            if let Some(quota) = &mut self.quota {
                *quota = quota.checked_sub(length).expect("quota for the block");
            }
            return;
        }
        // Nothing may be left behind that room and a full block of quota would let pass.
        let blocked = self.quota.is_some_and(|quota| quota < QUANTUM_BYTES);
        let waiting = self.queues.iter().find(|(slot, queue)| {
            queue.front().is_some_and(|block| u64::from(block.length) <= self.rooms[slot])
        });
        assert!(blocked || waiting.is_none(), "not work-conserving: {waiting:?}");
    }

    fn apply(&mut self, uplink: &mut Uplink, step: Step) {
        match step {
            Step::Push(slot, length) => {
                let piece = PieceIndex::trusted(self.serial);
                self.serial += 1;
                let block = Block { piece, begin: 0, length };
                uplink.push(PeerSlot(slot), block).unwrap();
                self.queues.get_mut(&slot).unwrap().push_back(block);
            }
            Step::Cancel(slot, number) => {
                let queue = self.queues.get_mut(&slot).unwrap();
                let Some(block) = queue.remove(number as usize) else { return };
                assert!(uplink.cancel(PeerSlot(slot), block));
            }
            Step::Clear(slot) => {
                let queue = std::mem::take(self.queues.get_mut(&slot).unwrap());
                assert_eq!(uplink.clear(PeerSlot(slot)), queue);
            }
            Step::Room(slot, bytes) => {
                uplink.set_room(PeerSlot(slot), bytes);
                self.rooms.insert(slot, bytes);
            }
            Step::Grant(bytes) => {
                uplink.grant(Part::Open, bytes);
                self.quota = self.quota.map(|quota| quota + bytes);
            }
            Step::Limited(limited) => {
                uplink.set_limited(limited);
                self.quota = limited.then(|| self.quota.unwrap_or(0));
            }
            Step::Class(slot, class) => uplink.set_class(PeerSlot(slot), Class(class)),
            Step::Leave(slot) => {
                uplink.join(PeerSlot(slot), Class::RECIPROCAL);
                self.queues.insert(slot, VecDeque::new());
                self.rooms.insert(slot, 0);
            }
            Step::Poll => self.check_poll(uplink.poll()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_block_leaves_once_in_order_within_room_and_quota(
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let (mut uplink, mut model) = (uplink(), Model::default());
        for slot in 0..4 {
            model.apply(&mut uplink, Step::Leave(slot));
        }
        for step in steps {
            model.apply(&mut uplink, step);
        }
        for (slot, queue) in &model.queues {
            prop_assert_eq!(uplink.queue_len(PeerSlot(*slot)), queue.len());
        }
    }

    #[test]
    fn backlogged_peers_of_a_class_never_differ_by_more_than_a_quantum_and_a_block(
        lengths in prop::collection::vec(1..=BLOCK_BYTES, 2..8),
        grants in prop::collection::vec(0..300_000_u64, 1..40),
    ) {
        let mut uplink = uplink();
        uplink.set_limited(true);
        for (slot, &length) in lengths.iter().enumerate() {
            let slot = PeerSlot(slot as u32);
            uplink.join(slot, Class::RECIPROCAL);
            uplink.set_room(slot, u64::MAX);
            uplink.push(slot, Block { piece: PieceIndex::trusted(0), begin: 0, length }).unwrap();
        }
        let mut sent = vec![0_u64; lengths.len()];
        for grant in grants {
            uplink.grant(Part::Open, grant);
            while let Some((slot, block)) = uplink.poll() {
                sent[slot.0 as usize] += u64::from(block.length);
                uplink.push(slot, block).unwrap();
                let (least, most) = (sent.iter().min().unwrap(), sent.iter().max().unwrap());
                prop_assert!(most - least <= 2 * QUANTUM_BYTES, "{sent:?}");
            }
        }
    }
}

/// A limited uplink with `count` blocks queued for A and B, of which A has a reserve.
fn with_reserve(rate: u64, until: u64, count: u32) -> Uplink {
    let mut uplink = uplink();
    uplink.set_limited(true);
    for slot in [A, B] {
        backlog(&mut uplink, slot, Class::RECIPROCAL, count);
    }
    uplink.set_reserve(A, Some(Reserve { rate, most: 0, until }), Time::ZERO);
    uplink
}

/// Bytes that A gets in a second of which each millisecond brings quota enough.
fn second(uplink: &mut Uplink) -> u64 {
    second_by(uplink, 1)
}

/// The same of a server that looks every so many milliseconds.
fn second_by(uplink: &mut Uplink, step: usize) -> u64 {
    let mut sent = 0;
    for milli in (0..1000).step_by(step) {
        uplink.grant(Part::Reserved, 1 << 20);
        while let Some((slot, block)) = uplink.poll_reserved(Time::from_micros(milli * 1000)) {
            assert_eq!(slot, A);
            sent += u64::from(block.length);
            uplink.count(slot, block.length.into());
        }
    }
    sent
}

#[test]
fn a_reserve_is_served_at_its_rate_and_the_classes_never_touch_it() {
    let mut uplink = with_reserve(500_000, u64::MAX, 100);
    let sent = second(&mut uplink);
    assert!((484_000..=500_000 + 2 * QUANTUM_BYTES).contains(&sent), "{sent}");
    uplink.grant(Part::Open, 1 << 20);
    assert_eq!(drain(&mut uplink).keys().copied().collect::<Vec<_>>(), [B]);
}

#[test]
fn a_reserve_that_is_served_late_has_its_rate_all_the_same() {
    const RATE: u64 = 4 << 20;
    let mut uplink = with_reserve(RATE, u64::MAX, 600);
    let sent = second_by(&mut uplink, 200);
    assert!((RATE * 79 / 100..=RATE).contains(&sent), "all but the last fifth: {sent}");
}

#[test]
fn a_peer_that_paused_catches_up_with_little_of_what_it_could_have_had() {
    const RATE: u64 = 4 << 20;
    let mut uplink = with_reserve(RATE, u64::MAX, 600);
    let at = |uplink: &mut Uplink, milli: u64| {
        uplink.grant(Part::Reserved, RATE);
        let now = Time::from_micros(milli * 1000);
        std::iter::from_fn(|| uplink.poll_reserved(now)).count() as u64
    };
    let burst = RATE / 20 / QUANTUM_BYTES;
    assert_eq!(at(&mut uplink, 0), burst);
    assert!(at(&mut uplink, 200) > 3 * burst, "it waited all the time");
    uplink.set_room(A, 0);
    assert_eq!(at(&mut uplink, 400), 0);
    uplink.set_room(A, u64::MAX);
    assert_eq!(at(&mut uplink, 400), burst);
}

#[test]
fn a_reserve_ends_at_its_count_and_goes_on_when_that_is_raised() {
    let mut uplink = with_reserve(u64::MAX >> 8, 10 * QUANTUM_BYTES + 5, 40);
    assert_eq!(second(&mut uplink), 10 * QUANTUM_BYTES);
    assert_eq!(uplink.quota_wanted(Part::Reserved, Time::ZERO), None);
    let more = Reserve { rate: u64::MAX >> 8, most: 0, until: 25 * QUANTUM_BYTES };
    uplink.set_reserve(A, Some(more), Time::ZERO);
    assert_eq!(second(&mut uplink), 15 * QUANTUM_BYTES);
    assert_eq!((uplink.counted(A), uplink.reserve_left(A)), (25 * QUANTUM_BYTES, 0));
}

#[test]
fn without_quota_a_reserve_waits_and_asks_for_no_more_than_its_pace() {
    let mut uplink = with_reserve(1000, u64::MAX, 40);
    assert_eq!(uplink.poll_reserved(Time::ZERO), None);
    assert_eq!(uplink.quota_wanted(Part::Reserved, Time::ZERO), Some(2 * QUANTUM_BYTES));
    assert_eq!(uplink.quota_wanted(Part::Reserved, Time::ZERO), None);
    uplink.grant(Part::Reserved, 2 * QUANTUM_BYTES);
    assert_eq!(uplink.poll_reserved(Time::ZERO), Some((A, block(0, 0))));
    assert_eq!(uplink.poll_reserved(Time::ZERO), Some((A, block(0, 1))));
    assert_eq!(uplink.poll_reserved(Time::ZERO), None);
    assert_eq!(uplink.poll_spare(Time::ZERO), None);
    let at = Time::from_micros(QUANTUM_BYTES * 1000);
    assert_eq!(uplink.reserved_at(), at);
    assert_eq!(uplink.quota_wanted(Part::Reserved, at), Some(QUANTUM_BYTES));
}

#[test]
fn a_reserve_that_ends_leaves_its_queue_to_the_class_and_a_peer_that_leaves_takes_it_along() {
    let mut uplink = with_reserve(1000, u64::MAX, 4);
    uplink.set_reserve(A, None, Time::ZERO);
    uplink.grant(Part::Open, 1 << 20);
    assert_eq!(drain(&mut uplink), BTreeMap::from([(A, 4), (B, 4)]));
    let mut uplink = with_reserve(1000, u64::MAX, 4);
    uplink.leave(A);
    assert_eq!((uplink.reserved_at(), uplink.poll_reserved(Time::ZERO)), (Time::NEVER, None));
    backlog(&mut uplink, A, Class::RECIPROCAL, 1);
    assert_eq!((uplink.counted(A), uplink.reserve_left(A)), (0, 0));
}

/// What A and B get in a second of which each millisecond brings `bytes` to spare, at these reserves.
fn spare_second(reserves: [Reserve; 2], bytes: u64) -> [u64; 2] {
    let mut uplink = uplink();
    uplink.set_limited(true);
    for (slot, reserve) in [A, B].into_iter().zip(reserves) {
        backlog(&mut uplink, slot, Class::RECIPROCAL, 600);
        uplink.set_reserve(slot, Some(reserve), Time::ZERO);
    }
    let mut sent = [0; 2];
    for milli in 0..1000 {
        let now = Time::from_micros(milli * 1000);
        uplink.grant(Part::Spare, bytes);
        while let Some((slot, block)) = uplink.poll_spare(now) {
            sent[usize::from(slot == B)] += u64::from(block.length);
            uplink.count(slot, block.length.into());
        }
    }
    sent
}

#[test]
fn what_is_to_spare_goes_to_reserves_by_their_rates_up_to_the_most_that_each_may_have() {
    let reserve = |rate, most| Reserve { rate, most, until: u64::MAX };
    let [a, b] = spare_second([reserve(300_000, 90_000_000), reserve(100_000, 90_000_000)], 4000);
    assert!((a + b).abs_diff(4_000_000) <= 2 * QUANTUM_BYTES, "{a} {b}");
    assert!(a.abs_diff(3 * b) <= 4 * QUANTUM_BYTES, "{a} {b}");
    let [a, b] = spare_second([reserve(300_000, 800_000), reserve(100_000, 100_000)], 4000);
    assert!(a.abs_diff(500_000) <= 3 * QUANTUM_BYTES && b == 0, "{a} {b}");
    let ended = Reserve { until: 5 * QUANTUM_BYTES, ..reserve(300_000, 90_000_000) };
    let [a, b] = spare_second([ended, reserve(1, 90_000_000)], 4000);
    assert!(a == 5 * QUANTUM_BYTES && (a + b).abs_diff(4_000_000) <= 2 * QUANTUM_BYTES, "{a} {b}");
}

#[test]
fn what_is_to_spare_is_asked_for_beyond_what_the_rate_lets_pass() {
    let mut uplink = with_reserve(1000, u64::MAX, 10);
    assert_eq!(uplink.quota_wanted(Part::Spare, Time::ZERO), None, "it may have no more");
    let more = Reserve { rate: 1000, most: 90_000_000, until: u64::MAX };
    uplink.set_reserve(A, Some(more), Time::ZERO);
    assert_eq!(uplink.quota_wanted(Part::Spare, Time::ZERO), Some(8 * QUANTUM_BYTES));
    assert_eq!(uplink.poll_spare(Time::ZERO), None);
    assert_eq!(uplink.reserved_at(), Time::ZERO, "what is kept was not looked at");
    uplink.grant(Part::Spare, QUANTUM_BYTES);
    assert_eq!(uplink.poll_spare(Time::ZERO), Some((A, block(0, 0))));
    assert_eq!(uplink.poll_spare(Time::ZERO), None);
}
