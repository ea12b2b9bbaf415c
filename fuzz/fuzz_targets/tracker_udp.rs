//! Packets of UDP trackers in both directions, and an exchange that receives them. The input is a
//! sequence of packets, each behind a byte with its length.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_tracker::Family;
use piecework_tracker::udp::{
    PACKET_BYTES_MAX, UdpExchange, UdpPolicy, UdpQuery, UdpRequest, UdpResponse,
};
use piecework_types::{InfoHash, Rng, Time};

fuzz_target!(|bytes: &[u8]| {
    let query = UdpQuery::Scrape(vec![InfoHash([1; 20])]);
    let policy = UdpPolicy::default();
    let mut exchange = UdpExchange::new(query, Family::V4, policy, None, Rng::new(1));
    let (mut now, mut packets, mut rest) = (Time::ZERO, 0, bytes);
    while let Some((&length, more)) = rest.split_first() {
        let (packet, more) = more.split_at(more.len().min(length.into()));
        rest = more;
        check(packet);
        if let Some(sent) = exchange.poll_transmit(now) {
            packets += 1;
            // Connect and query, and each repeated for every timeout at worst.
            assert!(packets <= 2 * (1 + policy.timeouts_max) && sent.len() <= PACKET_BYTES_MAX);
            exchange.handle(&[&sent[8..16], packet].concat(), now);
        }
        exchange.handle(packet, now);
        now = exchange.poll_timeout().unwrap_or(now);
    }
});

fn check(packet: &[u8]) {
    for family in [Family::V4, Family::V6] {
        if let Ok(response) = UdpResponse::decode(packet, family) {
            let again = response.encode(family);
            assert_eq!(UdpResponse::decode(&again, family), Ok(response));
        }
    }
    if let Ok(request) = UdpRequest::decode(packet) {
        assert_eq!(UdpRequest::decode(&request.encode()), Ok(request));
    }
}
