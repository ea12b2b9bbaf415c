use super::*;
use crate::AMPLIFICATION_MAX;
use crate::krpc::{ErrorCode, Response, Signed};
use crate::{ImmutableItem, Item, SigningKey};
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_oneof, proptest,
};

const ASKER: NodeId = NodeId([9; 20]);

fn from() -> SocketAddr {
    "9.8.7.6:5".parse().expect("an address")
}

fn packet(method: Method, padding: usize) -> Vec<u8> {
    let query = Query { padding, read_only: true, ..Query::new(ASKER, method) };
    let body = Body::Query(query);
    Message { transaction: b"t".to_vec(), version: None, seen_as: None, body }.encode()
}

fn message(packets: &[Vec<u8>]) -> Option<Message> {
    assert!(packets.len() <= 1, "one answer a query");
    packets.first().map(|packet| Message::decode(packet).expect("a message"))
}

fn response(net: &mut Net, method: Method, padding: usize) -> Response {
    let packets = net.exchange(0, from(), &packet(method, padding));
    let Some(Message { body: Body::Response(response), transaction, seen_as, .. }) =
        message(&packets)
    else {
        panic!("a response")
    };
    assert_eq!((transaction, seen_as), (b"t".to_vec(), Some(from())));
    *response
}

fn refusal(net: &mut Net, packet: &[u8]) -> ErrorCode {
    match message(&net.exchange(0, from(), packet)).map(|message| message.body) {
        Some(Body::Error(error)) => error.code,
        other => panic!("{other:?}"),
    }
}

fn net() -> Net {
    let mut net = Net::new(30);
    net.run(Duration::from_secs(60));
    net
}

fn get_peers(scrape: bool) -> Method {
    Method::GetPeers { info_hash: HASH, no_seeds: false, scrape }
}

fn announce(token: Vec<u8>) -> Method {
    Method::AnnouncePeer { info_hash: HASH, port: 7, implied_port: false, seed: false, token }
}

#[test]
fn a_node_that_knows_nobody_says_so_if_it_is_asked() {
    let mut net = Net::new(1);
    let found = response(&mut net, Method::FindNode { target: NodeId([0xee; 20]) }, 40);
    assert_eq!((found.nodes, found.nodes6), (Some(Vec::new()), None));
    assert_eq!(response(&mut net, Method::Ping, 40).nodes, None);
}

#[test]
fn a_query_is_answered_with_the_closest_nodes_and_a_token() {
    let mut net = net();
    let target = NodeId([0xee; 20]);
    let found = response(&mut net, Method::FindNode { target }, 40);
    assert_eq!((found.nodes6, found.token), (None, None));
    let nodes = found.nodes.expect("a list of nodes");
    let mut sorted = nodes.clone();
    sorted.sort_by_key(|node| target.distance(node.id));
    assert_eq!((nodes.len(), &nodes), (8, &sorted));
    let peers = response(&mut net, get_peers(false), 40);
    assert_eq!((peers.nodes.map_or(0, |nodes| nodes.len()), peers.values.len()), (8, 0));
    assert!(peers.token.is_some_and(|token| token.len() == 8));
    // A query of the future that has a target.
    let unknown = response(&mut net, Method::Unknown { target: Some(target) }, 40);
    assert_eq!(unknown.nodes, Some(nodes));
    let without = packet(Method::Unknown { target: None }, 0);
    assert_eq!(refusal(&mut net, &without), ErrorCode::METHOD);
}

#[test]
fn a_token_counts_for_its_owner_torrent_and_time() {
    let mut net = net();
    let token = response(&mut net, get_peers(false), 0).token.expect("there is room");
    let replayed = packet(announce(token.clone()), 0);
    let others = message(&net.exchange(0, "9.8.7.7:5".parse().expect("an address"), &replayed));
    assert!(
        matches!(others.map(|m| m.body), Some(Body::Error(e)) if e.code == ErrorCode::PROTOCOL)
    );
    assert_eq!(refusal(&mut net, &packet(announce(b"guess".to_vec()), 0)), ErrorCode::PROTOCOL);
    assert_eq!(net.node(0).stored().peers, 0);
    response(&mut net, announce(token), 0);
    assert_eq!(net.node(0).stored().peers, 1);
    net.run(Duration::from_secs(600));
    assert_eq!(refusal(&mut net, &replayed), ErrorCode::PROTOCOL, "it is too old");
}

#[test]
fn what_is_malformed_is_refused_with_its_code() {
    let mut net = net();
    let bare = b"d1:ad2:id20:abcdefghij0123456789e1:q9:find_node1:t2:aa1:y1:qe";
    assert_eq!(refusal(&mut net, bare), ErrorCode::PROTOCOL);
    assert_eq!(net.exchange(0, from(), b"d1:t2:aa1:y1:ee"), Vec::<Vec<u8>>::new());
    assert_eq!(net.exchange(0, from(), b"rubbish"), Vec::<Vec<u8>>::new());
    assert_eq!((net.node(0).counters().strays, net.node(0).counters().malformed), (1, 2));
}

#[test]
fn puts_are_refused_with_the_codes_of_their_faults() {
    let mut net = net();
    let key = SigningKey::from_seed(&[1; 32]).expect("a key");
    let item = |sequence, value: &[u8]| key.sign(b"", sequence, value.to_vec()).expect("in bounds");
    let first = item(3, b"1:a");
    let get = Method::Get { target: first.name().target(), newer_than: None };
    let token = response(&mut net, get, 0).token.expect("there is room");
    let put = |token: &[u8], item: &crate::MutableItem, compare| {
        let value = item.value().to_vec();
        packet(Method::Put { token: token.to_vec(), value, signed: Some(item.signed(compare)) }, 0)
    };
    assert_eq!(refusal(&mut net, &put(b"x", &first, None)), ErrorCode::PROTOCOL);
    assert!(message(&net.exchange(0, from(), &put(&token, &first, None))).is_some());
    assert_eq!(net.node(0).stored().items, 1);
    let lower = put(&token, &item(2, b"1:b"), None);
    assert_eq!(refusal(&mut net, &lower), ErrorCode::SEQUENCE_TOO_LOW);
    let mismatch = put(&token, &item(4, b"1:b"), Some(2));
    assert_eq!(refusal(&mut net, &mismatch), ErrorCode::COMPARE_MISMATCH);
    let mut forged = item(5, b"1:b").signed(None);
    forged.signature.0[5] ^= 1;
    let value = b"1:b".to_vec();
    let forged = packet(Method::Put { token: token.clone(), value, signed: Some(forged) }, 0);
    assert_eq!(refusal(&mut net, &forged), ErrorCode::SIGNATURE);
    let salted = Signed { salt: b"s".to_vec(), ..first.signed(None) };
    let salted = Method::Put { token, value: b"1:a".to_vec(), signed: Some(salted) };
    assert_eq!(refusal(&mut net, &packet(salted, 0)), ErrorCode::PROTOCOL, "another target");
}

#[test]
fn a_flood_of_puts_is_slowed() {
    let mut net = net();
    let mut kept = 0;
    for number in 0..30 {
        let item = ImmutableItem::new(format!("i{number}e").into_bytes()).expect("canonical");
        let get = Method::Get { target: item.target(), newer_than: None };
        let Some(Message { body: Body::Response(got), .. }) =
            message(&net.exchange(0, from(), &packet(get, 0)))
        else {
            continue;
        };
        let token = got.token.expect("there is room");
        let put = Method::Put { token, value: item.value().to_vec(), signed: None };
        let answer = message(&net.exchange(0, from(), &packet(put, 0)));
        kept += usize::from(matches!(answer.map(|m| m.body), Some(Body::Response(_))));
    }
    assert_eq!(kept, 10);
    assert_eq!(net.node(0).stored().items, 10);
}

#[test]
fn a_flood_of_queries_is_answered_in_part() {
    let mut net = net();
    let ping = packet(Method::Ping, 0);
    let one = (0..1000).filter(|_| !net.exchange(0, from(), &ping).is_empty()).count();
    assert_eq!(one, 40);
    let many = (0..5000_u32).filter(|number| {
        let ip = std::net::Ipv4Addr::from(0x5000_0000 + number);
        !net.exchange(0, (ip, 5).into(), &ping).is_empty()
    });
    assert_eq!(many.count(), 600 - 40);
    assert_eq!(net.node(0).counters().over_budget, 960 + 4440);
}

#[test]
fn a_large_item_needs_a_long_query() {
    let mut net = net();
    let value = format!("990:{}", "x".repeat(990)).into_bytes();
    let item = ImmutableItem::new(value.clone()).expect("in bounds");
    let target = item.target();
    let now = net.now;
    let own = [NodeId([0; 20])];
    let ip = from().ip();
    net.node_mut(0).items.put(Item::Immutable(item), None, ip, &own, now).expect("room");
    let get = Method::Get { target, newer_than: None };
    assert_eq!(response(&mut net, get.clone(), 0).value, None);
    assert_eq!(response(&mut net, get, 340).value, Some(value));
}

fn method() -> impl Strategy<Value = Method> {
    let id = || any::<[u8; 20]>().prop_map(NodeId);
    let bytes = || prop::collection::vec(any::<u8>(), 0..12);
    prop_oneof![
        Just(Method::Ping),
        id().prop_map(|target| Method::FindNode { target }),
        id().prop_map(|target| Method::SampleInfoHashes { target }),
        any::<bool>().prop_map(get_peers),
        bytes().prop_map(announce),
        prop_oneof![id(), Just(stored_item().target())]
            .prop_map(|target| Method::Get { target, newer_than: None }),
        bytes().prop_map(|token| Method::Put { token, value: b"de".to_vec(), signed: None }),
        prop::option::of(id()).prop_map(|target| Method::Unknown { target }),
    ]
}

fn stored_item() -> Item {
    let key = SigningKey::from_seed(&[1; 32]).expect("a key");
    Item::Mutable(key.sign(b"", 1, format!("200:{}", "x".repeat(200)).into_bytes()).expect("short"))
}

/// A node that has much to say.
fn well_informed() -> Net {
    let mut net = Net::dual(20);
    net.run(Duration::from_secs(60));
    let now = net.now;
    let node = net.node_mut(0);
    for number in 0..80_u32 {
        let peer = (std::net::Ipv4Addr::from(0x5000_0000 + (number << 8)), 7).into();
        for info_hash in [HASH, InfoHash([number as u8; 20])] {
            let is_seed = number % 2 == 0;
            node.peers.announce(crate::peer_store::Announce { info_hash, peer, is_seed }, now);
        }
    }
    node.items.put(stored_item(), None, from().ip(), &[ASKER], now).expect("there is room");
    node.config.sender_rate.per_second = u32::MAX;
    node.budgets.senders = Allowances::new(crate::Rate { per_second: 1000, burst: 1 << 30 });
    node.config.total_rate = crate::Rate { per_second: 1000, burst: 1 << 30 };
    node.budgets.total = Allowance::full(node.config.total_rate, now);
    net
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn no_answer_has_more_than_three_times_the_bytes_of_its_query(
        queries in prop::collection::vec((
            method(),
            0_usize..500,
            prop::collection::vec(any::<u8>(), 0..33),
            prop::option::of((any::<bool>(), any::<bool>())),
            prop::option::of(0_usize..120),
        ), 1..60),
    ) {
        let mut net = well_informed();
        let mut answered = 0;
        for (method, padding, transaction, want, cut) in queries {
            let want = want.map(|(v4, v6)| Want { v4, v6 });
            let query = Query { padding, want, ..Query::new(ASKER, method) };
            let body = Body::Query(query);
            let mut packet = Message { transaction, version: None, seen_as: None, body }.encode();
            packet.truncate(cut.unwrap_or(packet.len()));
            let sent = net.exchange(0, from(), &packet);
            let bytes: usize = sent.iter().map(Vec::len).sum();
            prop_assert!(bytes <= packet.len() * AMPLIFICATION_MAX, "{bytes} for {}", packet.len());
            prop_assert!(sent.iter().all(|answer| answer.len() <= ITEM_SENT_BYTES_MAX));
            answered += sent.len();
        }
        prop_assert!(net.node(0).counters().unanswerable == 0 || answered < 60);
    }

    #[test]
    fn an_answer_uses_the_room_it_has(padding in 0_usize..300) {
        let mut net = well_informed();
        let query = packet(get_peers(false), padding);
        let answer = net.exchange(0, from(), &query);
        let room = (query.len() * AMPLIFICATION_MAX).min(SENT_BYTES_MAX);
        let bytes = answer.first().map_or(0, Vec::len);
        // At least one more peer would not have fitted, unless all that may be named are.
        let Some(Body::Response(response)) = message(&answer).map(|m| m.body) else {
            panic!("a response")
        };
        prop_assert!(bytes + 16 > room || response.values.len() == 50, "{bytes} of {room}");
    }
}
