//! What a gateway answers: any bytes as any answer. Nothing it says leads to another machine.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_gateway::{Ask, Refusal, TEXT_MAX, Transport, natpmp, pcp, upnp};
use std::net::Ipv4Addr;

const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

fn check<T>(answer: Result<T, Refusal>) -> Option<T> {
    if let Err(Refusal::Refused(text)) = &answer {
        assert!(text.chars().count() <= TEXT_MAX && !text.contains(char::is_control));
    }
    answer.ok()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    let ask = Ask {
        transport: if kind & 0x80 == 0 { Transport::Tcp } else { Transport::Udp },
        internal_port: 6881,
        external_port: 6881,
        lifetime_seconds: 3600,
        is_permanent: false,
        nonce: [b'n'; 12],
    };
    let from = upnp::Location { port: 5000, path: "/a/desc.xml".into() };
    match kind & 0x7f {
        0 => {
            if let Some(grant) = natpmp::map_answer(bytes, &ask).and_then(check) {
                assert!(grant.external_port > 0 && grant.lifetime_seconds > 0);
            }
            natpmp::address_answer(bytes).and_then(check);
        }
        1 => {
            if let Some(grant) = pcp::map_answer(bytes, &ask).and_then(check) {
                assert!(grant.external_port > 0 && grant.lifetime_seconds > 0);
            }
        }
        2 => {
            if let Some(location) = check(upnp::search_answer(bytes, GATEWAY)) {
                assert!(location.port > 0 && location.path.starts_with('/'));
                assert!(!location.path.starts_with("//"));
            }
        }
        3 => {
            if let Some(control) = check(upnp::description(bytes, &from, GATEWAY)) {
                let url = control.location.url(GATEWAY);
                assert!(
                    url.starts_with("http://192.168.1.1:") && !url.contains(char::is_whitespace)
                );
            }
        }
        4 => drop(check(upnp::map_outcome(false, bytes, &ask))),
        _ => drop(upnp::address_outcome(true, bytes)),
    }
});
