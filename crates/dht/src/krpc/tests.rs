use super::*;
use crate::BloomFilter;
use proptest::collection::vec;
use proptest::prelude::*;

const ASKER: NodeId = NodeId(*b"abcdefghij0123456789");
const ANSWERER: NodeId = NodeId(*b"mnopqrstuvwxyz123456");

fn query(method: Method) -> Message {
    message(Body::Query(Query::new(ASKER, method)))
}

fn message(body: Body) -> Message {
    Message { transaction: b"aa".to_vec(), version: None, seen_as: None, body }
}

fn response(response: Response) -> Message {
    message(Body::Response(Box::new(response)))
}

fn both_ways(packet: &[u8], message: &Message) {
    assert_eq!(Message::decode(packet).as_ref(), Ok(message));
    assert_eq!(message.encode().escape_ascii().to_string(), packet.escape_ascii().to_string());
}

#[test]
fn the_published_queries_are_read_and_written() {
    both_ways(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe", &query(Method::Ping));
    both_ways(
        b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
        &query(Method::FindNode { target: ANSWERER }),
    );
    both_ways(
        b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
        &query(Method::GetPeers { info_hash: ANSWERER.into(), no_seeds: false, scrape: false }),
    );
    both_ways(
        b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz123456\
          4:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
        &query(Method::AnnouncePeer {
            info_hash: ANSWERER.into(),
            port: 6881,
            implied_port: true,
            seed: false,
            token: b"aoeusnth".to_vec(),
        }),
    );
}

#[test]
fn the_published_answers_are_read_and_written() {
    both_ways(
        b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re",
        &response(Response::new(ANSWERER)),
    );
    let peers = ["97.120.106.101:11893", "105.100.104.116:28269"];
    both_ways(
        b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
        &response(Response {
            token: Some(b"aoeusnth".to_vec()),
            values: peers.map(|peer| peer.parse().expect("an address")).to_vec(),
            ..Response::new(ASKER)
        }),
    );
    both_ways(
        b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
        &message(Body::Error(ErrorAnswer {
            code: ErrorCode::GENERIC,
            text: "A Generic Error Ocurred".into(),
        })),
    );
}

#[test]
fn what_other_nodes_do_is_read() {
    // Keys out of order, a want of the future, a read-only asker, an eight-byte transaction.
    let odd = b"d1:y1:q1:t8:abcdefgh2:roi1e1:q9:find_node1:ad6:target20:mnopqrstuvwxyz123456\
                4:wantl2:n62:n8e2:id20:abcdefghij01234567893:newi7eee";
    let Ok(Message { transaction, body: Body::Query(query), .. }) = Message::decode(odd) else {
        panic!("a query");
    };
    assert_eq!(transaction, b"abcdefgh");
    assert!(query.read_only);
    assert_eq!(query.want, Some(Want { v4: false, v6: true }));
    // A port that is implied may be absent, or nonsense.
    for port in ["", "4:porti0e", "4:porti70000e", "4:porti-1e"] {
        let packet = format!(
            "d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz123456\
             {port}5:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe"
        );
        assert!(Message::decode(packet.as_bytes()).is_ok(), "{port}");
    }
    // An error that says nothing.
    let Ok(Message { body: Body::Error(error), .. }) = Message::decode(b"d1:t1:a1:y1:ee") else {
        panic!("an error");
    };
    assert_eq!(error, ErrorAnswer { code: ErrorCode::GENERIC, text: String::new() });
}

#[test]
fn a_query_of_the_future_keeps_its_target() {
    let packet =
        b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q4:vote1:t2:aa1:y1:qe";
    let target = Some(ANSWERER);
    assert_eq!(Message::decode(packet), Ok(query(Method::Unknown { target })));
}

fn refusal(arguments: &str, method: &str) -> Option<ErrorCode> {
    let packet = format!(
        "d1:ad2:id20:abcdefghij0123456789{arguments}e1:q{}:{method}1:t2:aa1:y1:qe",
        method.len()
    );
    match Message::decode(packet.as_bytes()) {
        Err(KrpcFault::BadQuery { transaction, code, .. }) => {
            assert_eq!(transaction, b"aa");
            Some(code)
        }
        _ => None,
    }
}

#[test]
fn a_query_that_lacks_an_argument_is_refused_with_its_code() {
    let key = format!("1:k32:{}", "k".repeat(32));
    let signature = format!("3:sig64:{}", "s".repeat(64));
    let protocol = Some(ErrorCode::PROTOCOL);
    for (arguments, method, code) in [
        ("", "find_node", protocol),
        ("6:target3:abc", "find_node", protocol),
        ("", "get_peers", protocol),
        ("9:info_hash20:mnopqrstuvwxyz1234565:token1:x", "announce_peer", protocol),
        ("9:info_hash20:mnopqrstuvwxyz1234564:porti1e", "announce_peer", protocol),
        ("9:info_hash20:mnopqrstuvwxyz1234564:porti0e5:token1:x", "announce_peer", protocol),
        ("5:token1:x", "put", protocol),
        ("1:v1:x", "put", protocol),
        ("5:token1:x1:vi01e", "put", protocol),
        (&format!("{key}{signature}5:token1:x1:v1:x"), "put", protocol),
        (&format!("{key}3:seqi1e5:token1:x1:v1:x"), "put", Some(ErrorCode::SIGNATURE)),
        (
            &format!("{key}4:salt65:{}3:seqi1e{signature}5:token1:x1:v1:x", "x".repeat(65)),
            "put",
            Some(ErrorCode::SALT_TOO_LONG),
        ),
        (&format!("5:token1:x1:v997:{}", "x".repeat(997)), "put", Some(ErrorCode::VALUE_TOO_LONG)),
        (&format!("5:token1:x1:v996:{}", "x".repeat(996)), "put", None),
        ("", "vote", None),
    ] {
        assert_eq!(refusal(arguments, method), code, "{method} {arguments}");
    }
}

#[test]
fn what_is_no_message_is_told_apart() {
    for (packet, fault) in [
        (&b""[..], KrpcFault::NotDictionary),
        (b"i1e", KrpcFault::NotDictionary),
        (b"d1:y1:qe", KrpcFault::NoKind),
        (b"d1:t2:aae", KrpcFault::NoKind),
        (b"d1:t2:aa1:y1:ze", KrpcFault::NoKind),
        (b"d1:t33:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1:y1:qe", KrpcFault::NoKind),
        (&[b'i'; PACKET_BYTES_MAX + 1], KrpcFault::TooLong(PACKET_BYTES_MAX + 1)),
    ] {
        assert_eq!(Message::decode(packet), Err(fault));
    }
    let lacks = |packet: &[u8]| match Message::decode(packet) {
        Err(KrpcFault::BadAnswer { transaction, .. }) => transaction,
        other => panic!("{other:?}"),
    };
    assert_eq!(lacks(b"d1:t2:aa1:y1:re"), b"aa");
    assert_eq!(lacks(b"d1:rd2:id3:abce1:t2:aa1:y1:re"), b"aa");
}

#[test]
fn lists_that_are_too_long_are_cut() {
    let contact = Contact { id: ANSWERER, address: ([1, 2, 3, 4], 5).into() };
    let sent = Response {
        nodes: Some(vec![contact; NODES_MAX + 4]),
        samples: Some(Samples {
            info_hashes: vec![ASKER.into(); SAMPLES_MAX - 40],
            ..Samples::default()
        }),
        ..Response::new(ANSWERER)
    };
    let Ok(Message { body: Body::Response(got), .. }) = Message::decode(&response(sent).encode())
    else {
        panic!("a response");
    };
    assert_eq!(got.nodes.map(|nodes| nodes.len()), Some(NODES_MAX));
    let peers =
        Response { values: vec![contact.address; VALUES_MAX + 9], ..Response::new(ANSWERER) };
    let Ok(Message { body: Body::Response(got), .. }) = Message::decode(&response(peers).encode())
    else {
        panic!("a response");
    };
    assert_eq!(got.values.len(), VALUES_MAX);
}

fn address() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        any::<([u8; 4], u16)>().prop_map(SocketAddr::from),
        any::<([u8; 16], u16)>().prop_map(SocketAddr::from),
    ]
}

fn nodes(v4: bool) -> impl Strategy<Value = Vec<Contact>> {
    let node = (any::<[u8; 20]>(), any::<[u8; 16]>(), any::<u16>());
    vec(node, 0..3).prop_map(move |nodes| {
        let contact = |(id, ip, port): ([u8; 20], [u8; 16], u16)| {
            let v4_ip = [ip[0], ip[1], ip[2], ip[3]];
            let address = if v4 { (v4_ip, port).into() } else { (ip, port).into() };
            Contact { id: NodeId(id), address }
        };
        nodes.into_iter().map(contact).collect()
    })
}

fn method() -> impl Strategy<Value = Method> {
    let id = || any::<[u8; 20]>();
    let token = || vec(any::<u8>(), 0..=TOKEN_BYTES_MAX);
    let compare = prop::option::of(any::<i64>());
    let signed = (any::<[u8; 32]>(), vec(any::<u8>(), 0..=64), any::<i64>(), compare);
    let signed = signed.prop_map(|(key, salt, sequence, compare)| Signed {
        key: PublicKey(key),
        salt,
        sequence,
        signature: Signature([9; 64]),
        compare,
    });
    prop_oneof![
        Just(Method::Ping),
        id().prop_map(|target| Method::FindNode { target: NodeId(target) }),
        id().prop_map(|target| Method::SampleInfoHashes { target: NodeId(target) }),
        (id(), any::<bool>(), any::<bool>()).prop_map(|(hash, no_seeds, scrape)| {
            Method::GetPeers { info_hash: InfoHash(hash), no_seeds, scrape }
        }),
        (id(), 1_u16.., any::<bool>(), any::<bool>(), token()).prop_map(
            |(hash, port, implied_port, seed, token)| Method::AnnouncePeer {
                info_hash: InfoHash(hash),
                port,
                implied_port,
                seed,
                token,
            }
        ),
        (id(), prop::option::of(any::<i64>()))
            .prop_map(|(target, newer_than)| Method::Get { target: NodeId(target), newer_than }),
        (token(), 0_i64.., prop::option::of(signed)).prop_map(|(token, number, signed)| {
            Method::Put { token, value: format!("i{number}e").into_bytes(), signed }
        }),
    ]
}

fn any_response() -> impl Strategy<Value = Response> {
    let samples = prop::option::of((vec(any::<[u8; 20]>(), 0..9), any::<u64>()));
    let samples = samples.prop_map(|samples| {
        samples.map(|(hashes, number)| Samples {
            info_hashes: hashes.into_iter().map(InfoHash).collect(),
            total: Some(number),
            interval_seconds: Some(number / 2),
        })
    });
    let [v4, v6] = [true, false].map(|v4| prop::option::of(nodes(v4)));
    let lists = (v4, v6, vec(address(), 0..9), samples);
    let extra = (any::<bool>(), prop::option::of(any::<i64>()), any::<[u8; 20]>());
    (lists, extra).prop_map(|((nodes, nodes6, values, samples), (is_full, sequence, id))| {
        let filter = BloomFilter::from_bytes([id[0]; 256]);
        Response {
            nodes,
            nodes6,
            values,
            samples,
            sequence,
            token: is_full.then(|| id.to_vec()),
            filters: is_full.then(|| Filters { seeds: BloomFilter::new(), peers: filter }),
            value: is_full.then(|| b"li1e3:abce".to_vec()),
            key: is_full.then_some(PublicKey([8; 32])),
            signature: is_full.then_some(Signature([9; 64])),
            ..Response::new(NodeId(id))
        }
    })
}

proptest! {
    #[test]
    fn every_query_survives(
        method in method(),
        id: [u8; 20],
        transaction in vec(any::<u8>(), 0..=TRANSACTION_BYTES_MAX),
        read_only: bool,
        v6: bool,
    ) {
        let want = v6.then_some(Want { v4: read_only, v6 });
        let query = Query { read_only, want, ..Query::new(NodeId(id), method) };
        let sent = Message { transaction, version: Some(*b"PW01"), seen_as: None, body: Body::Query(query) };
        prop_assert_eq!(Message::decode(&sent.encode()), Ok(sent));
    }

    #[test]
    fn every_response_survives(response in any_response(), seen_as in prop::option::of(address())) {
        let body = Body::Response(Box::new(response));
        let sent = Message { transaction: b"t".to_vec(), version: None, seen_as, body };
        prop_assert_eq!(Message::decode(&sent.encode()), Ok(sent));
    }

    #[test]
    fn no_packet_panics_and_what_is_read_is_written_alike(bytes in vec(any::<u8>(), 0..200)) {
        let packet = [b"d1:ad2:id20:abcdefghij0123456789".as_slice(), &bytes].concat();
        for packet in [bytes, packet] {
            if let Ok(message) = Message::decode(&packet) {
                prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
            }
        }
    }
}
