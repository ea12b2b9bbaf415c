use super::*;
use piecework_types::Rng;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn slots(count: usize) -> Choker {
    let config = ChokerConfig { slots_start: count, slots_min: count, slots_max: count };
    Choker::new(config, Rng::new(1), Time::ZERO)
}

fn join(choker: &mut Choker, slot: u32, now: Time) {
    choker.handle(ChokerInput::PeerJoined { slot: PeerSlot(slot) }, now);
    want(choker, slot, true, now);
}

fn want(choker: &mut Choker, slot: u32, interested: bool, now: Time) {
    choker.handle(ChokerInput::Interested { slot: PeerSlot(slot), interested }, now);
}

fn sent(choker: &mut Choker, slot: u32, bytes: u64) {
    choker.handle(ChokerInput::Sent { slot: PeerSlot(slot), bytes }, Time::ZERO);
}

fn received(choker: &mut Choker, slot: u32, bytes: u64) {
    choker.handle(ChokerInput::Received { slot: PeerSlot(slot), bytes }, Time::ZERO);
}

fn drain(choker: &mut Choker) -> Vec<ChokerOutput> {
    std::iter::from_fn(|| choker.poll()).collect()
}

fn round(choker: &mut Choker) -> (Time, Vec<ChokerOutput>) {
    let now = choker.poll_timeout().expect("there are peers");
    choker.handle(ChokerInput::Timeout, now);
    (now, drain(choker))
}

fn unchoked(choker: &Choker) -> Vec<u32> {
    choker.peers.iter().filter(|(_, p)| p.unchoked.is_some()).map(|(slot, _)| slot.0).collect()
}

#[test]
fn unchokes_at_once_when_a_slot_is_free_and_never_before_interest() {
    let mut choker = slots(2);
    choker.handle(ChokerInput::PeerJoined { slot: PeerSlot(7) }, Time::ZERO);
    assert_eq!(drain(&mut choker), []);
    want(&mut choker, 7, true, Time::ZERO);
    assert_eq!(drain(&mut choker), [ChokerOutput::Unchoke(PeerSlot(7))]);
}

#[test]
fn a_peer_without_interest_gives_its_slot_to_the_next_at_once() {
    let mut choker = slots(1);
    join(&mut choker, 1, Time::ZERO);
    join(&mut choker, 2, Time::ZERO);
    assert_eq!(drain(&mut choker), [ChokerOutput::Unchoke(PeerSlot(1))]);
    want(&mut choker, 1, false, Time::ZERO + SECOND);
    let expected = [ChokerOutput::Choke(PeerSlot(1)), ChokerOutput::Unchoke(PeerSlot(2))];
    assert_eq!(drain(&mut choker), expected);
    choker.handle(ChokerInput::PeerLeft { slot: PeerSlot(2) }, Time::ZERO + SECOND);
    assert_eq!(drain(&mut choker), [], "nobody else is interested");
}

#[test]
fn a_decision_taken_back_before_it_left_is_not_told() {
    let mut choker = slots(1);
    join(&mut choker, 1, Time::ZERO);
    want(&mut choker, 1, false, Time::ZERO);
    assert_eq!(drain(&mut choker), []);
    want(&mut choker, 1, true, Time::ZERO);
    drain(&mut choker);
    want(&mut choker, 1, false, Time::ZERO);
    want(&mut choker, 1, true, Time::ZERO);
    assert_eq!(drain(&mut choker), []);
}

#[test]
fn a_slot_that_is_reused_hears_nothing_meant_for_its_last_owner() {
    let mut choker = slots(1);
    join(&mut choker, 1, Time::ZERO);
    choker.handle(ChokerInput::PeerLeft { slot: PeerSlot(1) }, Time::ZERO);
    choker.handle(ChokerInput::PeerJoined { slot: PeerSlot(1) }, Time::ZERO);
    assert_eq!(drain(&mut choker), []);
}

#[test]
fn leeching_serves_those_to_whom_we_owe_most() {
    let mut choker = slots(3);
    for slot in 0..6 {
        join(&mut choker, slot, Time::ZERO);
    }
    drain(&mut choker);
    received(&mut choker, 5, 900_000);
    received(&mut choker, 4, 800_000);
    sent(&mut choker, 0, 500_000);
    sent(&mut choker, 1, 500_000);
    round(&mut choker);
    let regular: Vec<_> =
        unchoked(&choker).into_iter().filter(|s| !choker.is_optimistic(PeerSlot(*s))).collect();
    assert_eq!(regular, [4, 5]);
    assert_eq!(unchoked(&choker).len(), 3);
}

#[test]
fn an_incumbent_keeps_its_slot_on_a_tie_and_loses_it_by_one_byte() {
    let mut choker = slots(2);
    for slot in [3, 1, 2] {
        join(&mut choker, slot, Time::ZERO);
    }
    drain(&mut choker);
    received(&mut choker, 3, 1_000);
    received(&mut choker, 1, 1_000);
    received(&mut choker, 2, 1_000);
    round(&mut choker);
    assert!(unchoked(&choker).contains(&3), "the regular slot stays with its incumbent");
    let mut behind = slots(2);
    for slot in [3, 1, 2] {
        join(&mut behind, slot, Time::ZERO);
    }
    received(&mut behind, 3, 1_000);
    received(&mut behind, 2, 1_001);
    round(&mut behind);
    assert!(behind.is_unchoked(PeerSlot(2)) && !behind.is_optimistic(PeerSlot(2)));
}

#[test]
fn a_deficit_halves_in_a_minute_and_vanishes_in_the_end() {
    let mut deficit = 1_000_000_i64;
    for _ in 0..6 {
        deficit = rank::decayed(deficit);
    }
    assert!((499_000..=501_000).contains(&deficit), "{deficit}");
    let mut debt = -1_000_000_i64;
    for _ in 0..200 {
        debt = rank::decayed(debt);
    }
    assert_eq!(debt, 0);
    assert!(rank::decayed(i64::MIN) > i64::MIN && rank::decayed(i64::MAX) > 0);
}

#[test]
fn twenty_peers_share_one_optimistic_slot_evenly() {
    // The figures of libtorrent's simulation test: 1,800 s, 90 s each, within 1.5 s.
    let mut choker = slots(1);
    let mut held = [Duration::ZERO; 20];
    for slot in 0..20 {
        join(&mut choker, slot, Time::ZERO);
    }
    drain(&mut choker);
    let mut last = Time::ZERO;
    while last < Time::from_micros(1_800_000_000) {
        let before = unchoked(&choker);
        let (now, _) = round(&mut choker);
        for slot in before {
            held[slot as usize] += now.since(last);
        }
        last = now;
    }
    assert_eq!(held, [Duration::from_secs(90); 20]);
}

#[test]
fn a_newcomer_is_tried_before_an_old_peer_that_waited_as_long() {
    let mut choker = slots(1);
    let start = Time::ZERO;
    join(&mut choker, 0, start);
    join(&mut choker, 1, start);
    let late = start + Duration::from_secs(211);
    for _ in 0..21 {
        round(&mut choker);
    }
    // By now 0 and 1 alternate and are old; 2 waits 60 s at most before its first turn.
    join(&mut choker, 2, late);
    drain(&mut choker);
    for _ in 0..6 {
        round(&mut choker);
        if choker.is_unchoked(PeerSlot(2)) {
            return;
        }
    }
    panic!("the newcomer was not tried");
}

#[test]
fn a_seeding_turn_lasts_twenty_pieces_and_a_minute_and_then_goes_round() {
    let mut choker = slots(2);
    choker.handle(ChokerInput::Seeding(true), Time::ZERO);
    choker.handle(ChokerInput::PieceBytes(1_000), Time::ZERO);
    for slot in 0..4 {
        join(&mut choker, slot, Time::ZERO);
    }
    drain(&mut choker);
    for _ in 0..5 {
        sent(&mut choker, 0, 10_000);
        round(&mut choker);
        assert!(!choker.is_optimistic(PeerSlot(0)) && choker.is_unchoked(PeerSlot(0)));
    }
    // 60 s and 50 pieces: the turn is over and one that waited is next.
    round(&mut choker);
    let regular = |choker: &Choker, slot| {
        choker.is_unchoked(PeerSlot(slot)) && !choker.is_optimistic(PeerSlot(slot))
    };
    let next = (1..4).find(|slot| regular(&choker, *slot)).expect("the slot is taken");
    // It asks for nothing, so it keeps the slot until the longest turn is over.
    for _ in 0..29 {
        round(&mut choker);
        assert!(regular(&choker, next));
    }
    round(&mut choker);
    assert!(!regular(&choker, next));
}

#[test]
fn while_seeding_the_rarest_need_wins_among_those_who_waited_equally_long() {
    let mut choker = slots(2);
    choker.handle(ChokerInput::Seeding(true), Time::ZERO);
    for slot in 0..4 {
        join(&mut choker, slot, Time::ZERO);
    }
    choker.handle(ChokerInput::Rarity { slot: PeerSlot(3), gain: 9 }, Time::ZERO);
    choker.handle(ChokerInput::PeerLeft { slot: PeerSlot(0) }, Time::ZERO);
    assert!(choker.is_unchoked(PeerSlot(3)));
}

#[test]
fn a_peer_that_hides_its_progress_is_served_last() {
    let mut choker = slots(2);
    choker.handle(ChokerInput::Seeding(true), Time::ZERO);
    choker.handle(ChokerInput::PieceBytes(1 << 20), Time::ZERO);
    for slot in 0..3 {
        join(&mut choker, slot, Time::ZERO);
    }
    let progress = ChokerInput::PeerProgress { slot: PeerSlot(0), have: 1, pieces: 1_000 };
    choker.handle(progress, Time::ZERO);
    sent(&mut choker, 0, (64 << 20) + (2 << 20));
    round(&mut choker);
    let regular = |choker: &Choker, slot| {
        choker.is_unchoked(PeerSlot(slot)) && !choker.is_optimistic(PeerSlot(slot))
    };
    assert!(!regular(&choker, 0), "it took more than twice what it admits to have");
    assert!(choker.is_free_rider(PeerSlot(0)) && !choker.is_free_rider(PeerSlot(1)));
    let progress = ChokerInput::PeerProgress { slot: PeerSlot(0), have: 500, pieces: 1_000 };
    choker.handle(progress, Time::ZERO);
    for slot in [1, 2] {
        choker.handle(ChokerInput::PeerLeft { slot: PeerSlot(slot) }, Time::ZERO);
    }
    round(&mut choker);
    assert!(regular(&choker, 0));
}

#[test]
fn slots_follow_the_measured_link() {
    let mut choker = Choker::new(ChokerConfig::default(), Rng::new(1), Time::ZERO);
    assert_eq!(choker.slots(), 8);
    for slot in 0..40 {
        join(&mut choker, slot, Time::ZERO);
    }
    assert_eq!(drain(&mut choker).len(), 8);
    choker.handle(ChokerInput::LinkMeasured { rate_bytes: 1_000_000 }, Time::ZERO);
    // sqrt(0.6 * 1000) = 24
    assert_eq!((choker.slots(), unchoked(&choker).len()), (24, 24));
    choker.handle(ChokerInput::LinkBusy { percent: 50 }, Time::ZERO);
    round(&mut choker);
    assert_eq!((choker.slots(), unchoked(&choker).len()), (25, 25));
    round(&mut choker);
    assert_eq!(choker.slots(), 25, "no report, no change");
    choker.handle(ChokerInput::LinkBusy { percent: 95 }, Time::ZERO);
    round(&mut choker);
    assert_eq!((choker.slots(), unchoked(&choker).len()), (24, 24), "slots are too thin");
}

#[test]
fn a_slow_measured_link_serves_fewer_but_never_under_four() {
    let mut choker = Choker::new(ChokerConfig::default(), Rng::new(1), Time::ZERO);
    for slot in 0..10 {
        join(&mut choker, slot, Time::ZERO);
    }
    choker.handle(ChokerInput::LinkMeasured { rate_bytes: 1_000 }, Time::ZERO);
    assert_eq!((choker.slots(), unchoked(&choker).len()), (4, 4));
}

#[derive(Clone, Debug)]
enum Step {
    Join(u32),
    Leave(u32),
    Interest(u32, bool),
    Sent(u32, u64),
    Received(u32, u64),
    Seeding(bool),
    Busy(u8),
    Measured(u64),
    Round,
}

fn step() -> impl Strategy<Value = Step> {
    let slot = 0_u32..30;
    prop_oneof![
        4 => slot.clone().prop_map(Step::Join),
        1 => slot.clone().prop_map(Step::Leave),
        6 => (slot.clone(), any::<bool>()).prop_map(|(slot, on)| Step::Interest(slot, on)),
        3 => (slot.clone(), 0..1_000_000_u64).prop_map(|(slot, bytes)| Step::Sent(slot, bytes)),
        3 => (slot, 0..1_000_000_u64).prop_map(|(slot, bytes)| Step::Received(slot, bytes)),
        1 => any::<bool>().prop_map(Step::Seeding),
        1 => (0..=100_u8).prop_map(Step::Busy),
        1 => (0..10_000_000_u64).prop_map(Step::Measured),
        4 => Just(Step::Round),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn outputs_alternate_and_slots_are_full_of_interested_peers_only(
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut choker = Choker::new(ChokerConfig::default(), Rng::new(3), Time::ZERO);
        // What each peer was told and said: the specification.
        let mut told: BTreeMap<u32, (bool, bool)> = BTreeMap::new();
        let mut now = Time::ZERO;
        for step in steps {
            now += Duration::from_millis(700);
            match step {
                Step::Join(slot) => {
                    choker.handle(ChokerInput::PeerJoined { slot: PeerSlot(slot) }, now);
                    told.insert(slot, (false, false));
                }
                Step::Leave(slot) => {
                    choker.handle(ChokerInput::PeerLeft { slot: PeerSlot(slot) }, now);
                    told.remove(&slot);
                }
                Step::Interest(slot, on) => {
                    want(&mut choker, slot, on, now);
                    if let Some(peer) = told.get_mut(&slot) {
                        peer.1 = on;
                    }
                }
                Step::Sent(slot, bytes) => sent(&mut choker, slot, bytes),
                Step::Received(slot, bytes) => received(&mut choker, slot, bytes),
                Step::Seeding(on) => choker.handle(ChokerInput::Seeding(on), now),
                Step::Busy(percent) => choker.handle(ChokerInput::LinkBusy { percent }, now),
                Step::Measured(rate_bytes) => {
                    choker.handle(ChokerInput::LinkMeasured { rate_bytes }, now);
                }
                Step::Round => {
                    now = choker.poll_timeout().unwrap_or(now).max(now);
                    choker.handle(ChokerInput::Timeout, now);
                }
            }
            for output in drain(&mut choker) {
                let peer = told.get_mut(&output.slot().0).expect("a peer that is here");
                let unchoke = matches!(output, ChokerOutput::Unchoke(_));
                prop_assert_ne!(peer.0, unchoke, "told twice: {:?}", output);
                peer.0 = unchoke;
            }
            let served = told.values().filter(|peer| peer.0).count();
            let interested = told.values().filter(|peer| peer.1).count();
            prop_assert!(told.values().all(|peer| peer.1 || !peer.0), "served without interest");
            prop_assert_eq!(served, interested.min(choker.slots()));
        }
    }
}
