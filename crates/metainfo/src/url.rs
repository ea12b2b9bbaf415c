//! Addresses as they stand in torrents and magnet links, made safe to send.
//!
//! Knows no more of a URL than its scheme: whether there is a tracker behind it, others find out.

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

/// Bytes of the longest address that is kept.
const URL_BYTES_MAX: usize = 2048;

/// What no URL has in it; a request line made of the rest cannot be broken open.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// An announce address (BEP 3, 15), or `None` when nobody could announce to it.
pub(crate) fn tracker(raw: &[u8]) -> Option<String> {
    clean(raw, &["http", "https", "udp", "ws", "wss"])
}

/// A web seed's address (BEP 17, 19), or `None` when it cannot be fetched.
pub(crate) fn web_seed(raw: &[u8]) -> Option<String> {
    clean(raw, &["http", "https"])
}

fn clean(raw: &[u8], schemes: &[&str]) -> Option<String> {
    let raw = raw.trim_ascii();
    let colon = raw.windows(3).position(|three| three == b"://")?;
    let (scheme, rest) = raw.split_at(colon);
    let known = schemes.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(scheme))?;
    let url = format!("{known}{}", percent_encode(rest, UNSAFE));
    (url.len() > known.len() + 3 && url.len() <= URL_BYTES_MAX).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_trimmed_and_cannot_carry_a_line_break() {
        assert_eq!(tracker(b" udp://a:1/x \n"), Some("udp://a:1/x".to_owned()));
        assert_eq!(
            web_seed(b"HTTP://a/b c%20d\r\nHost: e"),
            Some("http://a/b%20c%20d%0D%0AHost:%20e".to_owned())
        );
        assert_eq!(web_seed("http://a/é".as_bytes()), Some("http://a/%C3%A9".to_owned()));
    }

    #[test]
    fn what_cannot_be_reached_is_no_address() {
        assert_eq!(tracker(b"ftp://a"), None);
        assert_eq!(tracker(b"httpfoo://a"), None);
        assert_eq!(tracker(b"http://"), None);
        assert_eq!(tracker(b"tracker.example:80/announce"), None);
        assert_eq!(web_seed(b"udp://a"), None);
        assert_eq!(web_seed(&[b"http://".as_slice(), &[b'a'; 3000]].concat()), None);
    }
}
