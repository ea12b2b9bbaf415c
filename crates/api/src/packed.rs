//! Big answers, packed with gzip for who takes it: a list of ten thousand torrents is a tenth as long.
//!
//! Never packed: what is small, events (which are to come at once), and whatever has a strong ETag or is a
//! part of something, since both promise the bytes themselves (RFC 9110, 8.8.1). Files are of that kind.

use axum::http::header::{ACCEPT_RANGES, CONTENT_TYPE, ETAG, HeaderMap};
use axum::http::{Extensions, StatusCode, Version};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

/// What fits into a few packets gains nothing.
const PACKED_BYTES_MIN: u16 = 8 << 10;

type Judge = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;

/// To lay around all faces.
pub(crate) fn layer() -> CompressionLayer<And<SizeAbove, Judge>> {
    let judge: Judge = |_, _, headers, _| is_text(headers) && may_differ(headers);
    // The best level takes six times as long and saves a tenth more.
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(PACKED_BYTES_MIN).and(judge))
}

/// Said to be of a kind that shrinks, and that nobody waits for line by line.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_events = kind.eq_ignore_ascii_case("text/event-stream");
    let kinds = ["application/json", "application/problem+json", "text/"];
    !is_events && kinds.iter().any(|known| kind.to_ascii_lowercase().starts_with(known))
}

/// Nothing promises that the bytes are the same each time.
fn may_differ(headers: &HeaderMap) -> bool {
    let is_weak = headers.get(ETAG).is_none_or(|tag| tag.as_bytes().starts_with(b"W/"));
    is_weak && !headers.contains_key(ACCEPT_RANGES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        all.iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn what_shrinks_is_text_but_events_which_are_not_kept_waiting() {
        for kind in
            ["application/json", "Application/JSON; charset=UTF-8", "text/plain;version=0.0.4"]
        {
            assert!(is_text(&headers(&[("content-type", kind)])), "{kind}");
        }
        for kind in ["", "text/event-stream", "video/mp4", "application/x-bittorrent"] {
            assert!(!is_text(&headers(&[("content-type", kind)])), "{kind}");
        }
        assert!(!is_text(&HeaderMap::new()));
    }

    #[test]
    fn what_promises_its_bytes_is_sent_as_it_is() {
        assert!(may_differ(&HeaderMap::new()));
        assert!(may_differ(&headers(&[("etag", "W/\"7\"")])));
        assert!(!may_differ(&headers(&[("etag", "\"7\"")])));
        assert!(!may_differ(&headers(&[("accept-ranges", "bytes")])));
    }
}
