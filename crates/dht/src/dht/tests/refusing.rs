use super::*;
use crate::krpc::Response;

/// A node that asks one other, which the test plays; and that other's address.
fn asking() -> (Dht, SocketAddr) {
    let mut config = quiet(Family::V4);
    config.endpoints[0].routers = vec![address(1)];
    (Dht::new(config, [1; 32], Rng::new(1), Time::ZERO), address(1))
}

/// Lets the node ask, and gives the queries: to whom, and their transactions.
fn queries(node: &mut Dht) -> Vec<(SocketAddr, Vec<u8>)> {
    let outputs = std::iter::from_fn(|| node.poll());
    let sent = outputs.filter_map(|output| match output {
        Output::Send { to, bytes, .. } => Some((to, bytes)),
        _ => None,
    });
    sent.map(|(to, bytes)| (to, Message::decode(&bytes).expect("a message").transaction)).collect()
}

fn reply(transaction: &[u8], response: Response) -> Vec<u8> {
    let body = Body::Response(Box::new(response));
    Message { transaction: transaction.to_vec(), version: None, seen_as: None, body }.encode()
}

fn millis(millis: u64) -> Time {
    Time::ZERO + Duration::from_millis(millis)
}

fn good(node: &Dht) -> usize {
    node.endpoint(HERE).expect("an endpoint").good
}

#[test]
fn an_answer_counts_only_from_whom_was_asked() {
    let (mut node, router) = asking();
    node.handle_timeout(Time::ZERO);
    let sent = queries(&mut node);
    let [(to, transaction)] = &sent[..] else { panic!("one query: {sent:?}") };
    assert_eq!(*to, router);
    let answer = reply(transaction, Response::new(NodeId([7; 20])));
    node.handle_packet(HERE, address(2), &answer, millis(10));
    let mut guess = transaction.clone();
    guess[2] ^= 0xff;
    let guessed = reply(&guess, Response::new(NodeId([7; 20])));
    node.handle_packet(HERE, router, &guessed, millis(10));
    assert_eq!((good(&node), node.counters().strays), (0, 2));
    node.handle_packet(HERE, router, &answer, millis(10));
    node.handle_packet(HERE, router, &answer, millis(11));
    assert_eq!((good(&node), node.counters().strays), (1, 3));
}

#[test]
fn hostile_addresses_are_neither_heard_nor_asked_nor_told() {
    let (mut node, router) = asking();
    let goal = Goal::Peers { info_hash: HASH, no_seeds: false, scrape: false };
    node.start(HERE, goal, Time::ZERO).expect("there is room");
    let sent = queries(&mut node);
    let hostile = ["127.0.0.1:1", "10.0.0.9:2", "192.168.1.1:80", "224.0.0.1:5", "8.8.8.8:0"];
    let hostile: Vec<SocketAddr> = hostile.map(|text| text.parse().expect("an address")).to_vec();
    let contact = |(number, address): (usize, &SocketAddr)| Contact {
        id: NodeId([number as u8; 20]),
        address: *address,
    };
    let honest = Contact { id: NodeId([0x40; 20]), address: address(3) };
    let mut nodes: Vec<_> = hostile.iter().enumerate().map(contact).collect();
    nodes.push(honest);
    let values = hostile.iter().copied().chain([address(4)]).collect();
    let response = Response { nodes: Some(nodes), values, ..Response::new(NodeId([7; 20])) };
    node.handle_packet(HERE, router, &reply(&sent[0].1, response), millis(10));
    let (mut asked, mut told) = (Vec::new(), Vec::new());
    while let Some(output) = node.poll() {
        match output {
            Output::Send { to, .. } => asked.push(to),
            Output::PeersFound { peers, .. } => told.extend(peers),
            _ => {}
        }
    }
    assert_eq!((asked, told), (vec![honest.address], vec![address(4)]));
    let ping = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
    hostile.iter().for_each(|from| node.handle_packet(HERE, *from, ping, millis(10)));
    assert_eq!((node.poll(), node.counters().refused), (None, 5));
}

#[test]
fn a_network_of_ones_own_is_served_if_the_setting_says_so() {
    let mut config = quiet(Family::V4);
    config.addresses = AddressScope::Any;
    let mut node = Dht::new(config, [1; 32], Rng::new(1), Time::ZERO);
    let ping = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
    node.handle_packet(HERE, "127.0.0.1:5".parse().expect("an address"), ping, Time::ZERO);
    assert!(matches!(node.poll(), Some(Output::Send { .. })));
}

#[test]
fn who_claims_our_id_is_no_node() {
    let (mut node, router) = asking();
    node.handle_timeout(Time::ZERO);
    let own = node.endpoint(HERE).expect("an endpoint").id;
    let sent = queries(&mut node);
    node.handle_packet(HERE, router, &reply(&sent[0].1, Response::new(own)), millis(10));
    assert_eq!(good(&node), 0);
}

#[test]
fn a_stranger_that_asks_is_pinged_later_and_once() {
    let mut node = Dht::new(quiet(Family::V4), [1; 32], Rng::new(1), Time::ZERO);
    node.handle_timeout(Time::ZERO);
    let ping = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
    for at in 0..20 {
        node.handle_packet(HERE, address(2), ping, millis(at));
    }
    let at_once: Vec<_> = std::iter::from_fn(|| node.poll()).collect();
    assert_eq!(at_once.len(), 20, "answers alone");
    let mut pings = 0;
    for second in 1..200 {
        let now = Time::ZERO + Duration::from_secs(second);
        node.handle_packet(HERE, address(2), ping, now);
        node.handle_timeout(now);
        pings += queries(&mut node).iter().filter(|(_, t)| t.len() == 4).count();
    }
    assert_eq!(pings, 1);
    assert_eq!(good(&node), 0, "it never answered");
}

#[test]
fn a_poisoned_answer_costs_a_few_queries() {
    let mut net = Net::new(20);
    net.run(Duration::from_secs(60));
    let id = net.start(3, PEERS);
    // Node 3 asks a liar first: eight dead nodes right at the target, each in its own network.
    let now = net.now;
    let sent: Vec<_> = queries(net.node_mut(3));
    let dead = |number: u8| {
        let mut id = HASH.0;
        id[19] ^= number;
        Contact { id: NodeId(id), address: ([66, number, 1, 1], 1).into() }
    };
    let nodes = (0..8).map(dead).collect();
    let response = Response { nodes: Some(nodes), ..Response::new(NodeId([7; 20])) };
    net.node_mut(3).handle_packet(HERE, sent[0].0, &reply(&sent[0].1, response), now);
    // The others' answers are lost; they count as silent.
    net.run(Duration::from_secs(30));
    let outcome = net.told(3).iter().find_map(|output| match output {
        Output::Finished { lookup, outcome } if *lookup == id => Some(outcome.clone()),
        _ => None,
    });
    let outcome = outcome.expect("it ends");
    assert!(outcome.answered >= 8 && outcome.asked <= 19 + 6, "{outcome:?}");
}

#[test]
fn a_machine_survives_packets_at_endpoints_it_has_not() {
    let mut node = Dht::new(Config::new(vec![]), [1; 32], Rng::new(1), Time::ZERO);
    node.handle_packet(HERE, address(1), b"d1:t1:a1:y1:qe", Time::ZERO);
    node.add_node(HERE, address(1), Time::ZERO);
    node.handle_timeout(Time::ZERO);
    assert!(node.poll().is_none() && node.endpoint(HERE).is_none());
    assert_eq!(node.saved(), Saved::default());
    let many = Config::new(vec![EndpointConfig::new(Family::V4); ENDPOINTS_MAX + 1]);
    let node = Dht::new(many, [1; 32], Rng::new(1), Time::ZERO);
    assert_eq!(node.saved().endpoints.len(), ENDPOINTS_MAX);
}
