//! TXT records of a tracker's host, one a line, and the address that they are asked for: the last line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_tracker::{HOSTED_MAX, HostPreference, Scheme, TrackerUrl};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (records, address) = text.rsplit_once('\n').unwrap_or((text.as_ref(), "http://t/a"));
    let preference = HostPreference::read(records.lines());
    let Ok(url) = address.parse::<TrackerUrl>() else { return };
    let places = preference.places(&url);
    match &preference {
        HostPreference::Unsaid => assert_eq!(places, [url]),
        HostPreference::Only(hosted) => {
            assert!(places.len() <= hosted.len() && hosted.len() <= HOSTED_MAX);
            for place in places {
                assert_eq!(
                    (place.host(), place.path_and_query()),
                    (url.host(), url.path_and_query())
                );
                assert!(url.scheme() != Scheme::Https || place.scheme() == Scheme::Https);
                assert_ne!(place.port(), 0);
            }
        }
    }
});
