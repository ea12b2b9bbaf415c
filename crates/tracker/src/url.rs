//! Tracker addresses: parsed once, so that nobody else has to look into them.
//!
//! Invariant: a [`TrackerUrl`] contains printable ASCII only and has a scheme we speak, a host and a
//! port. Paths and queries often carry a user's passkey: `Debug` hides them, `Display` shows all.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use thiserror::Error;

/// Longest tracker address accepted, in bytes.
pub const URL_BYTES_MAX: usize = 2048;

/// Longest host name (RFC 1035).
const HOST_BYTES_MAX: usize = 253;

/// What may not stand in a request line as it is. A percent sign stays: the address comes encoded.
const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'`');

/// How a tracker is spoken to.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Scheme {
    /// HTTP (BEP 3).
    Http,
    /// HTTP over TLS.
    Https,
    /// UDP (BEP 15).
    Udp,
}

impl Scheme {
    /// The scheme as it stands in an address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Udp => "udp",
        }
    }

    const fn default_port(self) -> Option<u16> {
        match self {
            Self::Http => Some(80),
            Self::Https => Some(443),
            Self::Udp => None,
        }
    }
}

/// Where a tracker is.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Host {
    /// A name to be looked up, in lower case.
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(ip) => fmt::Display::fmt(ip, f),
            Self::V6(ip) => write!(f, "[{ip}]"),
        }
    }
}

/// Text that is no tracker address we can use.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum UrlFault {
    /// No scheme, or one that is not spoken here.
    #[error("tracker address must begin with http://, https:// or udp://, got {got:?}")]
    Scheme {
        /// What stands in front of `://`, or all of it.
        got: String,
    },
    /// Longer than [`URL_BYTES_MAX`].
    #[error("tracker address may have {URL_BYTES_MAX} bytes, got {got_bytes}")]
    TooLong {
        /// Its length.
        got_bytes: usize,
    },
    /// The host is missing or not one.
    #[error("tracker address needs a host name of ASCII characters or an IP address, got {got:?}")]
    Host {
        /// What stands there.
        got: String,
    },
    /// The port is not a number from 1 to 65535, or missing where there is no usual one.
    #[error("tracker address needs a port from 1 to 65535, got {got:?}")]
    Port {
        /// What stands there.
        got: String,
    },
}

/// The address of a tracker.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TrackerUrl {
    scheme: Scheme,
    /// `user:password`, as some private trackers want it.
    credentials: Option<String>,
    host: Host,
    port: u16,
    /// Begins with a slash; no fragment.
    path_and_query: String,
}

impl TrackerUrl {
    /// How to speak to it.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Where it is.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The port, the scheme's usual one if none was written.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, `/` at least. May hold a secret of the user.
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// Where to scrape (BEP 48): the same address with `scrape` for `announce` at the start of what
    /// follows the last slash. `None` when that is something else: the tracker does not scrape. A UDP
    /// tracker is scraped at its own address.
    pub fn scrape(&self) -> Option<Self> {
        if self.scheme == Scheme::Udp {
            return Some(self.clone());
        }
        let (folder, last) = self.path_and_query.rsplit_once('/')?;
        let rest = last.strip_prefix("announce")?;
        Some(Self { path_and_query: format!("{folder}/scrape{rest}"), ..self.clone() })
    }

    /// The same host, path and query by another way.
    pub(crate) fn moved(&self, scheme: Scheme, port: u16) -> Self {
        Self { scheme, port, ..self.clone() }
    }
}

impl FromStr for TrackerUrl {
    type Err = UrlFault;

    fn from_str(text: &str) -> Result<Self, UrlFault> {
        // Torrent files contain addresses with line ends and blanks around them.
        let text = text.trim();
        if text.len() > URL_BYTES_MAX {
            return Err(UrlFault::TooLong { got_bytes: text.len() });
        }
        let (scheme, rest) = text.split_once("://").unwrap_or((text, ""));
        let scheme = [Scheme::Http, Scheme::Https, Scheme::Udp]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(scheme))
            .ok_or_else(|| UrlFault::Scheme { got: scheme.chars().take(32).collect() })?;
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (credentials, place) = match authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(encoded(credentials)), place),
            None => (None, authority),
        };
        let (host, port) = split_port(place);
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self {
            scheme,
            credentials,
            host: parse_host(host)?,
            port: parse_port(port, scheme)?,
            path_and_query: format!("{slash}{}", encoded(path)),
        })
    }
}

fn encoded(part: &str) -> String {
    utf8_percent_encode(part, UNSAFE).to_string()
}

/// Splits `host:port`; the colons inside of `[...]` belong to the host.
fn split_port(place: &str) -> (&str, Option<&str>) {
    match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (place, None),
    }
}

fn parse_host(host: &str) -> Result<Host, UrlFault> {
    let fault = || UrlFault::Host { got: host.chars().take(HOST_BYTES_MAX).collect() };
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse().map(Host::V6).map_err(|_| fault());
    }
    if let Ok(ip) = host.parse() {
        return Ok(Host::V4(ip));
    }
    let is_name = (1..=HOST_BYTES_MAX).contains(&host.len())
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if is_name { Ok(Host::Name(host.to_ascii_lowercase())) } else { Err(fault()) }
}

fn parse_port(port: Option<&str>, scheme: Scheme) -> Result<u16, UrlFault> {
    match port {
        // "host:" means the usual port (RFC 3986, section 3.2.3).
        None | Some("") => scheme.default_port(),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok().filter(|&port| port != 0)
        }
        Some(_) => None,
    }
    .ok_or_else(|| UrlFault::Port { got: port.unwrap_or_default().chars().take(32).collect() })
}

impl fmt::Display for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.as_str())?;
        if let Some(credentials) = &self.credentials {
            write!(f, "{credentials}@")?;
        }
        write!(f, "{}", self.host)?;
        if self.scheme.default_port() != Some(self.port) {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path_and_query)
    }
}

impl fmt::Debug for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}/...", self.scheme.as_str(), self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> TrackerUrl {
        text.parse().unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    #[test]
    fn addresses_are_taken_apart_and_put_together_again() {
        let url = parse("UDP://Tracker.Example.ORG:6969/announce?key=1#top\r\n");
        assert_eq!(url.scheme(), Scheme::Udp);
        assert_eq!(url.host(), &Host::Name("tracker.example.org".into()));
        assert_eq!((url.port(), url.path_and_query()), (6969, "/announce?key=1"));
        assert_eq!(url.to_string(), "udp://tracker.example.org:6969/announce?key=1");

        let url = parse("http://user:pass@[2001:db8::1]/a b\u{e9}");
        assert_eq!(url.host(), &Host::V6("2001:db8::1".parse().expect("an address")));
        assert_eq!(url.to_string(), "http://user:pass@[2001:db8::1]/a%20b%C3%A9");

        assert_eq!(parse("https://1.2.3.4:443?x").to_string(), "https://1.2.3.4/?x");
        assert_eq!(parse("http://h:").port(), 80);
    }

    #[test]
    fn what_cannot_be_spoken_to_is_refused_with_its_reason() {
        type Check = fn(&UrlFault) -> bool;
        let scheme: Check = |fault| matches!(fault, UrlFault::Scheme { .. });
        let host: Check = |fault| matches!(fault, UrlFault::Host { .. });
        let port: Check = |fault| matches!(fault, UrlFault::Port { .. });
        for (text, check) in [
            ("", scheme),
            ("tracker.example", scheme),
            ("wss://tracker.example", scheme),
            ("http://", host),
            ("http:///announce", host),
            ("http://[::1/announce", host),
            ("http://[fe80::1%25eth0]/", host),
            ("http://b\u{fc}cher.example/", host),
            ("http://a\r\nb/", host),
            ("http://a:0/", port),
            ("http://a:65536/", port),
            ("http://a:+1/", port),
            ("udp://a/announce", port),
        ] {
            let fault = text.parse::<TrackerUrl>().expect_err(text);
            assert!(check(&fault), "{text}: {fault}");
        }
        let long = format!("http://a/{}", "x".repeat(URL_BYTES_MAX));
        assert_eq!(long.parse::<TrackerUrl>(), Err(UrlFault::TooLong { got_bytes: 9 + 2048 }));
    }

    #[test]
    fn a_scrape_address_follows_the_convention_of_bep_48() {
        for (announce, scrape) in [
            ("/announce", Some("/scrape")),
            ("/x/announce", Some("/x/scrape")),
            ("/announce.php", Some("/scrape.php")),
            ("/a", None),
            ("/announce?x2%0644", Some("/scrape?x2%0644")),
            ("/announce?x=2/4", None),
            ("/x%064announce", None),
        ] {
            let url = parse(&format!("http://example.com{announce}")).scrape();
            assert_eq!(url.as_ref().map(TrackerUrl::path_and_query), scrape);
        }
        assert!(parse("udp://example.com:1/x").scrape().is_some());
    }

    #[test]
    fn debug_output_keeps_passkeys_to_itself() {
        let url = parse("https://me:secret@t.example/0123456789abcdef/announce?pk=abcdef");
        assert_eq!(format!("{url:?}"), "https://t.example:443/...");
    }

    proptest! {
        #[test]
        fn parsing_what_was_printed_changes_nothing(text in "(http|https|udp)://.{0,40}") {
            if let Ok(url) = text.parse::<TrackerUrl>() {
                let printed = url.to_string();
                prop_assert!(printed.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert_eq!(printed.parse(), Ok(url));
            }
        }

        #[test]
        fn arbitrary_text_is_no_reason_to_panic(text: String) {
            let _ = text.parse::<TrackerUrl>();
        }
    }
}
