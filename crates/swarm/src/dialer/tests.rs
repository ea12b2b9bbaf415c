#![allow(clippy::unwrap_used)]

use super::admission::DISPLACE_INTERVAL;
use super::*;
use piecework_types::Rng;
use proptest::prelude::*;

fn dialer(connections_max: usize, candidates_max: usize) -> Dialer {
    let policy = AddressPolicy::default();
    let config = DialerConfig { connections_max, candidates_max, policy };
    let mut dialer = Dialer::new(config, Rng::new(1), Time::ZERO);
    dialer.handle(DialerInput::Granted { dials: 1_000_000 }, Time::ZERO);
    dialer
}

fn peer(number: u16) -> SocketAddr {
    SocketAddr::from(([8, 8, (number >> 8) as u8, number as u8], 6881))
}

const fn ms(millis: u64) -> Time {
    Time::from_micros(millis * 1_000)
}

fn learn(dialer: &mut Dialer, address: SocketAddr, source: Source) {
    dialer.handle(DialerInput::Learned { address, source }, dialer.now);
}

fn told_by(number: u16) -> Source {
    Source::Exchange { from: peer(number).ip() }
}

fn refused(dialer: &Dialer) -> Vec<(Refusal, u64)> {
    dialer.refusals().collect()
}

fn dials(dialer: &mut Dialer) -> Vec<SocketAddr> {
    std::iter::from_fn(|| dialer.poll()).map(|dial| dial.address).collect()
}

#[test]
fn dials_each_address_once_and_the_users_first() {
    let mut dialer = dialer(200, 100);
    for number in [1, 2, 1] {
        learn(&mut dialer, peer(number), Source::Tracker);
    }
    learn(&mut dialer, peer(9), Source::Given);
    let dialled = dials(&mut dialer);
    assert_eq!(dialled[0], peer(9));
    assert_eq!(dialled.len(), 3);
    assert_eq!(dialer.connections(), 3);
}

#[test]
fn dials_no_more_than_granted_and_says_how_many_it_wants() {
    let config =
        DialerConfig { connections_max: 4, candidates_max: 100, policy: AddressPolicy::default() };
    let mut dialer = Dialer::new(config, Rng::new(1), Time::ZERO);
    for number in 0..10 {
        learn(&mut dialer, peer(number), Source::Tracker);
    }
    assert_eq!((dialer.poll(), dialer.wanted()), (None, 4));
    dialer.handle(DialerInput::Granted { dials: 3 }, Time::ZERO);
    assert_eq!(dialer.wanted(), 1);
    assert_eq!(dials(&mut dialer).len(), 3);
    dialer.handle(DialerInput::Granted { dials: 9 }, Time::ZERO);
    assert_eq!(dials(&mut dialer).len(), 1, "the torrent's connections are used up");
    assert_eq!(dialer.return_grants(), 8);
}

#[test]
fn incoming_connections_count_and_are_refused_when_full() {
    let mut dialer = dialer(2, 100);
    dialer.handle(DialerInput::Accepted { address: peer(1) }, Time::ZERO);
    dialer.handle(DialerInput::Accepted { address: peer(2) }, Time::ZERO);
    learn(&mut dialer, peer(3), Source::Tracker);
    assert!(!dialer.accepts(peer(4)));
    assert_eq!(dialer.poll(), None);
    let reason = CloseReason::Lost;
    dialer.handle(DialerInput::Closed { address: peer(1), reason }, Time::ZERO);
    assert!(dialer.accepts(peer(4)));
    assert_eq!(dials(&mut dialer), [peer(3)]);
}

#[test]
fn a_given_peer_is_tried_for_ever_with_at_most_five_seconds_between() {
    let mut dialer = dialer(200, 100);
    learn(&mut dialer, peer(1), Source::Given);
    let mut waits = Vec::new();
    for _ in 0..8 {
        assert_eq!(dials(&mut dialer), [peer(1)]);
        let now = dialer.now;
        dialer.handle(DialerInput::Failed { address: peer(1) }, now);
        let at = dialer.poll_timeout().unwrap();
        waits.push(at.since(now).as_millis());
        dialer.handle(DialerInput::Timeout, at);
    }
    assert_eq!(waits, [200, 500, 1_000, 2_000, 5_000, 5_000, 5_000, 5_000]);
}

#[test]
fn prefers_untried_addresses_then_those_with_fewest_failures() {
    let mut dialer = dialer(200, 100);
    for number in [1, 2] {
        learn(&mut dialer, peer(number), Source::Tracker);
    }
    dials(&mut dialer);
    dialer.handle(DialerInput::Connected { address: peer(1) }, Time::ZERO);
    let reason = CloseReason::Useless;
    dialer.handle(DialerInput::Closed { address: peer(1), reason }, Time::ZERO);
    dialer.handle(DialerInput::Failed { address: peer(2) }, Time::ZERO);
    learn(&mut dialer, peer(3), told_by(99));
    dialer.handle(DialerInput::Timeout, ms(600_000));
    assert_eq!(dials(&mut dialer), [peer(3), peer(1), peer(2)]);
}

#[test]
fn a_connection_resets_the_failures() {
    let mut dialer = dialer(200, 100);
    learn(&mut dialer, peer(1), Source::Given);
    for _ in 0..6 {
        dials(&mut dialer);
        let now = dialer.now;
        dialer.handle(DialerInput::Failed { address: peer(1) }, now);
        dialer.handle(DialerInput::Timeout, now + Duration::from_secs(5));
    }
    dials(&mut dialer);
    let now = dialer.now;
    dialer.handle(DialerInput::Connected { address: peer(1) }, now);
    dialer.handle(DialerInput::Closed { address: peer(1), reason: CloseReason::Lost }, now);
    assert_eq!(dialer.poll_timeout(), Some(now + Duration::from_millis(200)));
}

#[test]
fn a_ban_covers_every_port_of_a_public_address_and_outlives_its_connection() {
    let mut dialer = dialer(200, 100);
    let other_port = SocketAddr::new(peer(1).ip(), 7_000);
    learn(&mut dialer, peer(1), Source::Given);
    dials(&mut dialer);
    learn(&mut dialer, other_port, Source::Tracker);
    dialer.handle(DialerInput::Banned { address: peer(1) }, Time::ZERO);
    dialer.handle(DialerInput::Closed { address: peer(1), reason: CloseReason::Fault }, Time::ZERO);
    learn(&mut dialer, peer(1), Source::Given);
    assert_eq!((dials(&mut dialer), dialer.candidate_count()), (vec![], 0));
    assert!(!dialer.accepts(other_port));
    assert_eq!(dialer.connections(), 0);
}

#[test]
fn a_ban_that_is_lifted_refuses_no_port_of_its_address_and_no_other_is_lifted_with_it() {
    let mut dialer = dialer(200, 100);
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    for address in [peer(1), peer(2), local(1), local(2)] {
        dialer.handle(DialerInput::Banned { address }, Time::ZERO);
    }
    let wrapped = "::ffff:127.0.0.1".parse().unwrap();
    for ip in [peer(1).ip(), wrapped] {
        dialer.handle(DialerInput::Lifted { ip }, Time::ZERO);
    }
    assert!(dialer.accepts(SocketAddr::new(peer(1).ip(), 7_000)) && !dialer.accepts(peer(2)));
    learn(&mut dialer, local(1), Source::Given);
    learn(&mut dialer, local(2), Source::Given);
    assert_eq!(dials(&mut dialer), [local(1), local(2)]);
}

#[test]
fn one_bad_peer_on_loopback_does_not_ban_the_others() {
    let mut dialer = dialer(200, 100);
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    dialer.handle(DialerInput::Banned { address: local(1) }, Time::ZERO);
    for port in 1..=3 {
        learn(&mut dialer, local(port), Source::Tracker);
    }
    let mut dialled = dials(&mut dialer);
    dialled.sort();
    assert_eq!(dialled, [local(2), local(3)]);
}

#[test]
fn never_dials_itself() {
    let mut dialer = dialer(200, 100);
    dialer.handle(DialerInput::Own(peer(1)), Time::ZERO);
    learn(&mut dialer, peer(1), Source::Tracker);
    learn(&mut dialer, peer(2), Source::Tracker);
    assert_eq!(dials(&mut dialer), [peer(2)]);
    let reason = CloseReason::Ourselves;
    dialer.handle(DialerInput::Closed { address: peer(2), reason }, Time::ZERO);
    learn(&mut dialer, peer(2), Source::Tracker);
    assert_eq!((dialer.poll(), dialer.poll_timeout()), (None, None));
}

#[test]
fn a_peer_cannot_make_us_scan_the_ports_of_a_host() {
    let mut dialer = dialer(200, 1000);
    for port in 2_000..2_100 {
        learn(&mut dialer, SocketAddr::new(peer(1).ip(), port), told_by(port));
    }
    assert_eq!(dials(&mut dialer).len(), 4);
    assert_eq!(refused(&dialer), [(Refusal::ManyPorts, 96)]);
    learn(&mut dialer, SocketAddr::new(peer(1).ip(), 3_000), Source::Tracker);
    assert_eq!(dials(&mut dialer).len(), 1, "a tracker's word counts more");
}

#[test]
fn a_peer_has_a_share_of_the_memory_and_gets_it_back_for_addresses_that_answer() {
    let mut dialer = dialer(200, 80);
    for number in 1..=30 {
        learn(&mut dialer, peer(number), told_by(99));
    }
    assert_eq!((dialer.candidate_count(), refused(&dialer)), (10, vec![(Refusal::ManyTold, 20)]));
    learn(&mut dialer, peer(40), told_by(98));
    assert_eq!(dialer.candidate_count(), 11, "another peer has a share of its own");
    for address in dials(&mut dialer) {
        dialer.handle(DialerInput::Connected { address }, Time::ZERO);
    }
    learn(&mut dialer, peer(50), told_by(99));
    assert_eq!(dialer.candidate_count(), 12);
}

#[test]
fn each_refusal_is_counted_under_its_reason() {
    let mut dialer = dialer(200, 100);
    dialer.handle(DialerInput::Own(peer(1)), Time::ZERO);
    dialer.handle(DialerInput::Banned { address: peer(2) }, Time::ZERO);
    let strangers = ["8.1.1.1:0", "192.168.0.1:6881", "8.1.1.1:80"];
    let strangers = strangers.map(|address| address.parse().unwrap());
    for address in strangers.into_iter().chain([peer(1), peer(2)]) {
        learn(&mut dialer, address, told_by(99));
    }
    let expected =
        [Refusal::Nowhere, Refusal::Local, Refusal::LowPort, Refusal::Ourselves, Refusal::Banned];
    assert_eq!(refused(&dialer), expected.map(|refusal| (refusal, 1)));
    assert_eq!(dialer.candidate_count(), 0);
}

#[test]
fn once_our_address_is_known_candidates_are_dialled_by_priority() {
    let mut dialer = dialer(200, 100);
    let ours = SocketAddr::from(([90, 1, 2, 3], 6881));
    for number in 0..20 {
        learn(&mut dialer, SocketAddr::from(([number + 1, 7, 7, 7], 6881)), Source::Tracker);
    }
    dialer.handle(DialerInput::External(ours), Time::ZERO);
    for number in 20..40 {
        learn(&mut dialer, SocketAddr::from(([number + 1, 7, 7, 7], 6881)), Source::Tracker);
    }
    learn(&mut dialer, ours, Source::Tracker);
    let dialled = dials(&mut dialer);
    let priorities: Vec<_> = dialled.iter().map(|it| peer_priority(ours, *it)).collect();
    assert_eq!(dialled.len(), 40, "our own address is not among them");
    assert!(priorities.is_sorted_by(|a, b| a >= b), "{priorities:?}");
}

#[test]
fn a_full_house_takes_a_peer_of_higher_priority_instead_of_the_lowest_one_now_and_then() {
    let mut dialer = dialer(3, 100);
    let ours = SocketAddr::from(([90, 1, 2, 3], 6881));
    let mut peers: Vec<_> =
        (1..=6).map(|number| SocketAddr::from(([number, 7, 7, 7], 6881))).collect();
    peers.sort_by_key(|peer| peer_priority(ours, *peer));
    for address in [peers[1], peers[2], peers[3]] {
        dialer.handle(DialerInput::Accepted { address }, Time::ZERO);
    }
    assert_eq!(dialer.admission(peers[5]), Admission::Refused(Refusal::Full));
    dialer.handle(DialerInput::External(ours), Time::ZERO);
    assert_eq!(dialer.admission(peers[0]), Admission::Refused(Refusal::Full));
    assert_eq!(dialer.admission(peers[5]), Admission::InsteadOf(peers[1]));
    let reason = CloseReason::Displaced;
    dialer.handle(DialerInput::Closed { address: peers[1], reason }, Time::ZERO);
    assert_eq!(dialer.admission(peers[5]), Admission::Welcome);
    dialer.handle(DialerInput::Accepted { address: peers[5] }, Time::ZERO);
    assert_eq!(dialer.admission(peers[4]), Admission::Refused(Refusal::Full), "too soon");
    dialer.handle(DialerInput::Timeout, Time::ZERO + DISPLACE_INTERVAL);
    assert_eq!(dialer.admission(peers[4]), Admission::InsteadOf(peers[2]));
}

#[test]
fn a_peer_that_the_user_gave_is_not_displaced() {
    let mut dialer = dialer(1, 100);
    let ours = SocketAddr::from(([90, 1, 2, 3], 6881));
    dialer.handle(DialerInput::External(ours), Time::ZERO);
    learn(&mut dialer, peer(1), Source::Given);
    let address = dials(&mut dialer)[0];
    dialer.handle(DialerInput::Connected { address }, Time::ZERO);
    for number in 1..100 {
        let newcomer = SocketAddr::from(([number, 9, 9, 9], 50_000));
        assert_eq!(dialer.admission(newcomer), Admission::Refused(Refusal::Full));
    }
}

#[test]
fn nobody_on_the_ip_filter_is_dialled_or_let_in_whoever_names_it() {
    let mut filter = piecework_filter::FilterBuilder::default();
    filter.read(b"8.8.0.0/24\n").unwrap();
    let config = DialerConfig::default();
    let mut dialer = Dialer::filtered(config, Arc::new(filter.build()), Rng::new(1), Time::ZERO);
    dialer.handle(DialerInput::Granted { dials: 10 }, Time::ZERO);
    for source in [Source::Given, Source::Tracker, told_by(999)] {
        learn(&mut dialer, peer(1), source);
    }
    learn(&mut dialer, peer(256), Source::Tracker);
    assert_eq!(dials(&mut dialer), [peer(256)]);
    assert_eq!(refused(&dialer), [(Refusal::Filtered, 3)]);
    assert_eq!(dialer.admission(peer(7)), Admission::Refused(Refusal::Filtered));
    assert!(dialer.accepts(peer(300)));
}

#[test]
fn gossip_cannot_push_out_what_never_failed() {
    let mut dialer = dialer(1, 3);
    for number in 1..=3 {
        learn(&mut dialer, peer(number), Source::Tracker);
    }
    learn(&mut dialer, peer(4), told_by(99));
    assert_eq!(dialer.candidate_count(), 3);
    let tried = dials(&mut dialer)[0];
    dialer.handle(DialerInput::Failed { address: tried }, Time::ZERO);
    learn(&mut dialer, peer(5), told_by(99));
    let known: Vec<_> = dialer.candidates.keys().copied().collect();
    assert!(known.contains(&peer(5)) && !known.contains(&tried) && known.len() == 3);
    learn(&mut dialer, peer(6), Source::Given);
    assert!(dialer.candidates.contains_key(&peer(6)), "the user's word counts more");
}

#[test]
fn a_torrent_that_is_not_active_dials_nobody() {
    let mut dialer = dialer(200, 100);
    learn(&mut dialer, peer(1), Source::Tracker);
    dialer.handle(DialerInput::Active(false), Time::ZERO);
    assert_eq!((dialer.poll(), dialer.wanted()), (None, 0));
    dialer.handle(DialerInput::Active(true), Time::ZERO);
    assert_eq!(dials(&mut dialer), [peer(1)]);
}

#[test]
fn useless_peers_are_dialled_again_when_something_is_wanting_again_and_failed_ones_wait() {
    let mut dialer = dialer(200, 100);
    learn(&mut dialer, peer(1), Source::Tracker);
    learn(&mut dialer, peer(2), Source::Tracker);
    assert_eq!(dials(&mut dialer).len(), 2);
    dialer.handle(DialerInput::Connected { address: peer(1) }, Time::ZERO);
    let reason = CloseReason::Useless;
    dialer.handle(DialerInput::Closed { address: peer(1), reason }, Time::ZERO);
    dialer.handle(DialerInput::Failed { address: peer(2) }, Time::ZERO);
    assert_eq!(dials(&mut dialer), []);
    dialer.handle(DialerInput::Active(true), Time::ZERO);
    assert_eq!(dials(&mut dialer), [peer(1)]);
}

#[test]
fn a_second_address_of_a_peer_waits_for_the_connection_that_stays() {
    let kept = SocketAddr::new(peer(1).ip(), 50_001);
    let mut dialer = dialer(200, 100);
    learn(&mut dialer, peer(1), Source::Tracker);
    dials(&mut dialer);
    dialer.handle(DialerInput::Accepted { address: kept }, Time::ZERO);
    dialer.handle(DialerInput::Connected { address: peer(1) }, Time::ZERO);
    let reason = CloseReason::Duplicate { kept };
    dialer.handle(DialerInput::Closed { address: peer(1), reason }, Time::ZERO);
    dialer.handle(DialerInput::Active(true), Time::ZERO);
    dialer.handle(DialerInput::Timeout, ms(3_600_000));
    assert_eq!((dials(&mut dialer), dialer.poll_timeout()), (vec![], None));
    let reason = CloseReason::Lost;
    dialer.handle(DialerInput::Closed { address: kept, reason }, ms(3_600_000));
    dialer.handle(DialerInput::Timeout, ms(3_605_000));
    assert_eq!(dials(&mut dialer), [peer(1)]);
}

#[test]
fn when_both_connections_to_a_peer_are_gone_its_address_is_dialled_again_soon() {
    let mut dialer = dialer(200, 100);
    learn(&mut dialer, peer(1), Source::Tracker);
    dials(&mut dialer);
    dialer.handle(DialerInput::Connected { address: peer(1) }, Time::ZERO);
    let reason = CloseReason::Duplicate { kept: peer(2) };
    dialer.handle(DialerInput::Closed { address: peer(1), reason }, Time::ZERO);
    assert_eq!(dialer.poll_timeout(), Some(ms(5_000)));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Learn(u16, bool),
    Poll,
    Connected(u16),
    Failed(u16),
    Closed(u16, CloseReason),
    Accepted(u16),
    Banned(u16),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let dialled = CloseReason::Duplicate { kept: peer(1) };
    let accepted = CloseReason::Duplicate { kept: SocketAddr::new(peer(2).ip(), 50_002) };
    let peer = 0_u16..40;
    let reason = prop::sample::select(vec![
        CloseReason::Lost,
        CloseReason::Useless,
        CloseReason::Fault,
        CloseReason::Ourselves,
        dialled,
        accepted,
    ]);
    prop_oneof![
        6 => (peer.clone(), any::<bool>()).prop_map(|(peer, given)| Step::Learn(peer, given)),
        8 => Just(Step::Poll),
        3 => peer.clone().prop_map(Step::Connected),
        3 => peer.clone().prop_map(Step::Failed),
        3 => (peer.clone(), reason).prop_map(|(peer, reason)| Step::Closed(peer, reason)),
        1 => peer.clone().prop_map(Step::Accepted),
        1 => peer.prop_map(Step::Banned),
        2 => (0..100_000_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn limits_hold_and_no_address_is_dialled_twice_at_once(
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut dialer = dialer(8, 20);
        let mut open: BTreeSet<SocketAddr> = BTreeSet::new();
        let mut banned: BTreeSet<SocketAddr> = BTreeSet::new();
        let mut now = Time::ZERO;
        for step in steps {
            match step {
                Step::Learn(number, given) => {
                    let source = if given { Source::Given } else { told_by(number / 3) };
                    let address = peer(number);
                    dialer.handle(DialerInput::Learned { address, source }, now);
                }
                Step::Poll => {
                    if let Some(Dial { address }) = dialer.poll() {
                        prop_assert!(open.insert(address), "dialled twice: {}", address);
                        prop_assert!(!banned.contains(&address));
                    }
                }
                Step::Connected(number) => {
                    dialer.handle(DialerInput::Connected { address: peer(number) }, now);
                }
                Step::Failed(number) => {
                    // A failure of a connection that stands already is not one of a dial.
                    let address = peer(number);
                    let dialing = dialer.candidates.get(&address);
                    if dialing.is_some_and(|candidate| candidate.state == State::Dialing) {
                        open.remove(&address);
                    }
                    dialer.handle(DialerInput::Failed { address }, now);
                }
                Step::Closed(number, reason) => {
                    let address = peer(number);
                    dialer.handle(DialerInput::Closed { address, reason }, now);
                    open.remove(&address);
                }
                Step::Accepted(number) => {
                    let address = SocketAddr::new(peer(number).ip(), 50_000 + number);
                    if dialer.accepts(address) {
                        dialer.handle(DialerInput::Accepted { address }, now);
                        open.insert(address);
                    }
                }
                Step::Banned(number) => {
                    dialer.handle(DialerInput::Banned { address: peer(number) }, now);
                    banned.insert(peer(number));
                }
                Step::Wait(millis) => {
                    now += Duration::from_millis(millis);
                    dialer.handle(DialerInput::Timeout, now);
                }
            }
            prop_assert_eq!(dialer.connections(), open.len());
            prop_assert!(open.len() <= 8 && dialer.candidate_count() <= 20);
            prop_assert!(dialer.doubles.iter().all(|(kept, _)| dialer.is_connected(*kept)));
            let idle = dialer.ready.len() + dialer.waiting.len() + dialer.doubles.len();
            prop_assert_eq!(idle + dialer.dialled, dialer.candidate_count());
            let told = dialer.candidates.values().filter(|it| it.teller.is_some()).count();
            prop_assert_eq!(told, dialer.told.values().sum::<usize>());
            prop_assert!(dialer.told.values().all(|told| (1..=3).contains(told)));
        }
    }
}

#[test]
fn who_told_an_address_first_is_remembered_unless_the_user_tells_it_too() {
    let mut dialer = dialer(200, 100);
    learn(&mut dialer, peer(1), Source::Dht { is_local: false });
    learn(&mut dialer, peer(1), Source::Tracker);
    learn(&mut dialer, peer(2), told_by(1));
    dials(&mut dialer);
    dialer.handle(DialerInput::Connected { address: peer(1) }, dialer.now);
    dialer.handle(DialerInput::Failed { address: peer(2) }, dialer.now);
    learn(&mut dialer, peer(3), Source::Tracker);
    learn(&mut dialer, peer(3), Source::Given);
    assert_eq!(dialer.known_at(peer(2).ip()), [peer(2)]);
    assert_eq!(dialer.known_at(peer(4).ip()), []);
    let sources = [1, 2, 3, 4].map(|number| dialer.source_of(peer(number)));
    let expected = [SourceKind::Dht, SourceKind::Exchange, SourceKind::Given];
    assert_eq!(sources[..3], expected.map(Some));
    assert_eq!(sources[3], None);
}
