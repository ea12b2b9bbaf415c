//! Bodies of HTTP trackers, and addresses of trackers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_tracker::http::{decode_announce, decode_scrape, encode_announce};
use piecework_tracker::{PEERS_MAX, TrackerUrl, URL_BYTES_MAX};
use piecework_types::InfoHash;

fuzz_target!(|body: &[u8]| {
    let _ = decode_scrape(body, &[InfoHash([b'a'; 20])]);
    if let Ok(url) = str::from_utf8(body).unwrap_or_default().parse::<TrackerUrl>() {
        let printed = url.to_string();
        assert!(printed.bytes().all(|byte| byte.is_ascii_graphic()));
        // Percent-encoding may have made it too long to be read again.
        assert!(printed.len() > URL_BYTES_MAX || printed.parse() == Ok(url));
    }
    let Ok(mut answer) = decode_announce(body) else { return };
    assert!(answer.peers.len() <= PEERS_MAX);
    // The compact form has IPv4 first and no place for flow labels.
    answer.peers.sort_by_key(|peer| peer.is_ipv6());
    assert_eq!(decode_announce(&encode_announce(&answer)), Ok(answer));
});
