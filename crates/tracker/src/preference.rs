//! What a host says in the DNS about the trackers it runs (BEP 34).
//!
//! Owns the reading of its TXT records and what follows for a tracker's address. A record can only send us
//! to other ports of the host that the torrent names, or away from it; never to another host, and never
//! from TLS to a protocol without. Must not know how records are looked up.

use crate::url::{Host, Scheme, TrackerUrl};

/// Trackers read of one host.
pub const HOSTED_MAX: usize = 8;

/// The first word of a record, in capitals.
const MARK: &str = "BITTORRENT";

/// A tracker that a host says it runs.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum HostedTracker {
    /// Over UDP at this port.
    Udp(u16),
    /// Over HTTP or HTTPS at this port.
    Tcp(u16),
}

/// What a host says.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub enum HostPreference {
    /// Nothing: the torrent's address is taken as it is.
    #[default]
    Unsaid,
    /// That it runs these trackers and no others, the best first; at most [`HOSTED_MAX`].
    Only(Vec<HostedTracker>),
}

impl HostPreference {
    /// Reads the TXT records of a host, in any order. Of several that speak of trackers all words count.
    pub fn read<'r>(records: impl IntoIterator<Item = &'r str>) -> Self {
        let mut hosted = Vec::new();
        let mut is_said = false;
        for record in records {
            let mut words = record.split(' ').filter(|word| !word.is_empty());
            if words.next() != Some(MARK) || record.starts_with(' ') {
                continue;
            }
            is_said = true;
            for tracker in words.filter_map(tracker) {
                if hosted.len() < HOSTED_MAX && !hosted.contains(&tracker) {
                    hosted.push(tracker);
                }
            }
        }
        if is_said { Self::Only(hosted) } else { Self::Unsaid }
    }

    /// Where to ask in place of `url`, the best first; nowhere if its host runs no tracker that may be
    /// asked. An address that needs TLS keeps it.
    pub fn places(&self, url: &TrackerUrl) -> Vec<TrackerUrl> {
        let Self::Only(hosted) = self else { return vec![url.clone()] };
        let mut places = Vec::new();
        for tracker in hosted {
            let place = match *tracker {
                HostedTracker::Udp(_) if url.scheme() == Scheme::Https => continue,
                HostedTracker::Udp(port) => url.moved(Scheme::Udp, port),
                HostedTracker::Tcp(port) => url.moved(tcp_scheme(url, port), port),
            };
            places.push(place);
        }
        places
    }
}

/// The name to look up, if there is one: an IP address has no records.
pub fn preference_name(url: &TrackerUrl) -> Option<&str> {
    match url.host() {
        Host::Name(name) => Some(name),
        Host::V4(_) | Host::V6(_) => None,
    }
}

/// A record does not tell HTTP from HTTPS.
fn tcp_scheme(url: &TrackerUrl, port: u16) -> Scheme {
    match url.scheme() {
        Scheme::Https => Scheme::Https,
        Scheme::Http if url.port() == port => Scheme::Http,
        Scheme::Http | Scheme::Udp if port == 443 => Scheme::Https,
        Scheme::Http | Scheme::Udp => Scheme::Http,
    }
}

/// Words that are not understood say nothing, `DENY` and `ALL` among them.
fn tracker(word: &str) -> Option<HostedTracker> {
    let (protocol, port) = word.split_once(':')?;
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|&port| port != 0 && is_number)?;
    match protocol {
        "UDP" => Some(HostedTracker::Udp(port)),
        "TCP" => Some(HostedTracker::Tcp(port)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop, prop_assert, proptest};

    fn places(record: &str, url: &str) -> Vec<String> {
        let url = url.parse().expect("an address");
        let places = HostPreference::read([record]).places(&url);
        places.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_examples_of_the_specification_mean_what_it_says() {
        use HostedTracker::{Tcp, Udp};
        for (record, hosted) in [
            ("BITTORRENT", vec![]),
            ("BITTORRENT DENY ALL", vec![]),
            ("BITTORRENT UDP:1337 TCP:80", vec![Udp(1337), Tcp(80)]),
            ("BITTORRENT TCP:1 TCP:2 UDP:1 UDP:2", vec![Tcp(1), Tcp(2), Udp(1), Udp(2)]),
            ("BITTORRENT  TCP:7 SCTP:9 udp:1 UDP: UDP:0 UDP:+1 UDP:65536 TCP:7", vec![Tcp(7)]),
        ] {
            assert_eq!(HostPreference::read([record]), HostPreference::Only(hosted), "{record}");
        }
    }

    #[test]
    fn records_of_other_things_say_nothing() {
        for record in
            ["", "v=spf1 -all", "bittorrent UDP:1", "BITTORRENTS UDP:1", " BITTORRENT", "UDP:1"]
        {
            assert_eq!(HostPreference::read([record]), HostPreference::Unsaid, "{record}");
        }
        assert_eq!(HostPreference::read([]), HostPreference::Unsaid);
        let among_others = HostPreference::read(["v=spf1", "BITTORRENT UDP:5", "x"]);
        assert_eq!(among_others, HostPreference::Only(vec![HostedTracker::Udp(5)]));
    }

    #[test]
    fn an_address_is_moved_to_what_the_host_prefers_and_keeps_its_path() {
        let record = "BITTORRENT UDP:1337 TCP:80";
        assert_eq!(
            places(record, "http://t.example:6969/announce?a=1"),
            ["udp://t.example:1337/announce?a=1", "http://t.example/announce?a=1"]
        );
        assert_eq!(places(record, "udp://t.example:80/x")[0], "udp://t.example:1337/x");
        assert_eq!(places("BITTORRENT", "http://t.example/announce"), [""; 0]);
        assert_eq!(places("x", "http://t.example/announce"), ["http://t.example/announce"]);
        assert_eq!(places("BITTORRENT TCP:443", "udp://t.example:1/a"), ["https://t.example/a"]);
        assert_eq!(
            places("BITTORRENT TCP:443", "http://t.example:443/a"),
            ["http://t.example:443/a"]
        );
    }

    #[test]
    fn an_address_with_tls_is_never_moved_to_a_protocol_without() {
        let moved = places("BITTORRENT UDP:1 TCP:80 TCP:8443", "https://t.example/a");
        assert_eq!(moved, ["https://t.example:80/a", "https://t.example:8443/a"]);
        assert_eq!(places("BITTORRENT UDP:1", "https://t.example/a"), [""; 0]);
    }

    proptest! {
        #[test]
        fn whatever_the_records_say_the_host_stays_and_the_places_are_few(
            records in prop::collection::vec("(BITTORRENT)?( (UDP|TCP|X):[0-9]{0,6}| .{0,5}){0,20}", 0..4),
            scheme in "(http|https|udp)",
        ) {
            let url: TrackerUrl = format!("{scheme}://t.example:7/a").parse().expect("an address");
            let places = HostPreference::read(records.iter().map(String::as_str)).places(&url);
            prop_assert!(places.len() <= HOSTED_MAX);
            for place in places {
                prop_assert!(place.host() == url.host());
                prop_assert!(place.path_and_query() == url.path_and_query());
                prop_assert!(url.scheme() != Scheme::Https || place.scheme() == Scheme::Https);
            }
        }
    }
}
