//! Packets that a tracker of ours is sent, each behind a byte with its length and one with its sender. A
//! connection id of all ones stands for the one that the sender was given. Nothing unproven is answered
//! with more than it had, and the bounds hold.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_tracker::Family;
use piecework_tracker::server::{Admission, ServerConfig, TrackerServer, UDP_ANSWER_BYTES_MAX};
use piecework_tracker::udp::{UdpRequest, UdpResponse};
use piecework_types::{Rng, Time};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

fuzz_target!(|bytes: &[u8]| {
    let config = ServerConfig::new(Admission::Open);
    let mut server = TrackerServer::new(config, [1; 32], Rng::new(1));
    let (mut now, mut rest, mut packets) = (Time::ZERO, bytes, 0);
    while let [length, sender, more @ ..] = rest {
        let (packet, more) = more.split_at(more.len().min(usize::from(*length)));
        (rest, packets) = (more, packets + 1);
        now = Time::from_micros(packets << 20);
        let from = address(*sender);
        let mut packet = packet.to_vec();
        let is_proven = packet.len() >= 8 && packet[..8] == [0xff; 8];
        if is_proven {
            packet[..8].copy_from_slice(&connection(&mut server, from, now).to_be_bytes());
        }
        let Some(answer) = server.answer_udp(from, &packet, now) else { continue };
        let bytes_max = if is_proven { UDP_ANSWER_BYTES_MAX } else { packet.len() };
        assert!(answer.len() <= bytes_max);
        let request = UdpRequest::decode(&packet).expect("only requests are answered");
        let answer = UdpResponse::decode(&answer, Family::of(from.ip())).expect("a response");
        assert_eq!(answer.transaction(), request.transaction());
    }
    server.handle_timeout(now);
    assert!(server.figures().peers as u64 <= packets);
});

fn address(sender: u8) -> SocketAddr {
    let ip: IpAddr = match sender % 2 {
        0 => Ipv4Addr::new(10, 0, 0, sender).into(),
        _ => Ipv6Addr::new(0x2001, 0xdb8, 0, sender.into(), 0, 0, 0, 1).into(),
    };
    SocketAddr::new(ip, 9)
}

fn connection(server: &mut TrackerServer, from: SocketAddr, now: Time) -> u64 {
    let packet = UdpRequest::Connect { transaction: 1 }.encode();
    let answer = server.answer_udp(from, &packet, now).unwrap_or_default();
    match UdpResponse::decode(&answer, Family::of(from.ip())) {
        Ok(UdpResponse::Connect { connection, .. }) => connection,
        _ => 0,
    }
}
