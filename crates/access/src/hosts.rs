//! Under which names requests may address a daemon, and from which web pages changes may come.
//!
//! A page of a stranger can make a browser connect to this machine: under a name of the stranger's that
//! resolves to it (DNS rebinding; then `Host` is that name), or from the stranger's own page, with the
//! cookie of a login (cross-site request forgery; then `Origin`, `Referer` or `Sec-Fetch-Site` tell). Both
//! are refused here.

use std::net::IpAddr;
use thiserror::Error;

/// Stands for any name: whoever sets it trusts something else, such as a proxy, to look.
const ANY: &str = "*";
/// Names that are set, at most.
const NAMES_MAX: usize = 100;

/// The names that are answered to besides addresses and `localhost`; `*` is any.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    names: Vec<String>,
}

/// What a browser says of the page that a request comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page<'a> {
    /// The header `Origin`.
    pub origin: Option<&'a str>,
    /// The header `Referer`.
    pub referer: Option<&'a str>,
    /// The header `Sec-Fetch-Site`.
    pub fetch_site: Option<&'a str>,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Foreign {
    /// It is addressed to a name that is not ours.
    #[error(
        "unknown host name: use localhost or an address, or add the name to the setting for host names"
    )]
    Host,
    /// It comes from somebody else's web page.
    #[error("changes from other web pages are refused: open this one itself, or use an API key")]
    Page,
}

impl Hosts {
    /// Those that were set; names without port, beyond the limit they are left out.
    pub fn new(names: &[String]) -> Self {
        let names = names.iter().take(NAMES_MAX);
        Self { names: names.map(|name| name.trim().to_ascii_lowercase()).collect() }
    }

    /// Whether a request for this `Host` is answered. Addresses are: no name has to be resolved for them, so
    /// none can be rebound. Whoever sends no `Host` is no browser.
    ///
    /// # Errors
    /// When it is a name that is not ours.
    pub fn check_host(&self, host: Option<&str>) -> Result<(), Foreign> {
        match host {
            Some(host) if !self.is_ours(host) => Err(Foreign::Host),
            _ => Ok(()),
        }
    }

    /// Whether a change may come from this page: of the host that is asked, or of a name that was set (a
    /// proxy may have changed `Host`). Whoever sends none of the three headers is no browser: they all send
    /// `Origin` with what changes something.
    ///
    /// # Errors
    /// When the page is a stranger's.
    pub fn check_page(&self, host: Option<&str>, page: Page<'_>) -> Result<(), Foreign> {
        let is_own_site = match page.fetch_site {
            None | Some("same-origin" | "none") => true,
            // A proxy that changed the name cannot change what the browser saw: then the name decides.
            Some(_) => page.origin.is_some_and(|origin| self.is_set(origin)),
        };
        let is_own_page = match page.origin.or(page.referer) {
            None => true,
            Some(address) => self.is_set(address) || self.is_same(address, host),
        };
        if is_own_site && is_own_page { Ok(()) } else { Err(Foreign::Page) }
    }

    fn is_ours(&self, authority: &str) -> bool {
        let Some((name, _)) = split(authority) else { return false };
        let is_any = self.names.iter().any(|ours| ours == ANY);
        is_any || is_address(name) || name.eq_ignore_ascii_case("localhost") || self.has(name)
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|ours| ours.eq_ignore_ascii_case(name))
    }

    fn is_set(&self, address: &str) -> bool {
        authority_of(address).and_then(|(_, it)| split(it)).is_some_and(|(name, _)| self.has(name))
    }

    /// Same name and port, whatever the scheme: behind a proxy it is not known here.
    fn is_same(&self, address: &str, host: Option<&str>) -> bool {
        let (Some((scheme, theirs)), Some(host)) = (authority_of(address), host) else {
            return false;
        };
        let default = if scheme == "https" { 443 } else { 80 };
        let (Some((their_name, their_port)), Some((name, port))) = (split(theirs), split(host))
        else {
            return false;
        };
        name.eq_ignore_ascii_case(their_name)
            && (their_port == port || their_port.unwrap_or(default) == port.unwrap_or(default))
    }
}

/// Scheme and authority of a web page's address.
fn authority_of(address: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = address.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    matches!(scheme, "http" | "https").then(|| (scheme, &rest[..end]))
}

/// Name and port of an authority; nothing where it has a user or no name.
fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port.parse().ok()?)),
        _ => (authority, None),
    };
    let is_bracketed = name.starts_with('[') && name.ends_with(']');
    let is_name = !name.is_empty() && !name.contains(['@', '/', '\\']);
    (is_name && (is_bracketed || !name.contains(':'))).then_some((name, port))
}

fn is_address(name: &str) -> bool {
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(v6) => v6.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()),
        None => name.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hosts() -> Hosts {
        Hosts::new(&["Box.Example".into()])
    }

    #[test]
    fn addresses_localhost_and_set_names_are_answered_to() {
        let ours = [
            "localhost",
            "localhost:8545",
            "LOCALHOST",
            "127.0.0.1:8545",
            "192.168.1.6",
            "[::1]:8545",
            "[::1]",
            "[fe80::1]",
            "box.example:443",
            "BOX.example",
        ];
        for host in ours {
            assert_eq!(hosts().check_host(Some(host)), Ok(()), "{host}");
        }
        assert_eq!(hosts().check_host(None), Ok(()));
    }

    #[test]
    fn other_names_are_not() {
        let foreign = [
            "evil.example",
            "evil.example:8545",
            "localhost.evil.example",
            "",
            ":80",
            "a@localhost",
            "127.0.0.1.evil.example",
            "box.example.evil:1",
            "::1:x",
            "::1",
            "[127.0.0.1]",
            "localhost:",
            "localhost:99999",
            "[::1",
            "0x7f.1",
        ];
        for host in foreign {
            assert_eq!(hosts().check_host(Some(host)), Err(Foreign::Host), "{host}");
        }
    }

    #[test]
    fn a_star_is_any_host_but_no_page() {
        let any = Hosts::new(&["*".into()]);
        assert_eq!(any.check_host(Some("evil.example")), Ok(()));
        let page = Page { origin: Some("http://evil.example"), ..Page::default() };
        assert_eq!(any.check_page(Some("localhost:1"), page), Err(Foreign::Page));
    }

    fn from(host: &str, origin: &str) -> Result<(), Foreign> {
        hosts().check_page(Some(host), Page { origin: Some(origin), ..Page::default() })
    }

    #[test]
    fn changes_come_from_the_page_of_the_same_host_and_port() {
        for (host, origin) in [
            ("localhost:8080", "http://localhost:8080"),
            ("192.168.1.5", "http://192.168.1.5"),
            ("192.168.1.5:80", "http://192.168.1.5"),
            ("[::1]:8080", "https://[::1]:8080"),
            // The proxy says 127.0.0.1, the browser the name that was set.
            ("127.0.0.1:8080", "https://box.example"),
        ] {
            assert_eq!(from(host, origin), Ok(()), "{host} {origin}");
        }
        for (host, origin) in [
            ("localhost:8080", "http://localhost:3000"),
            ("localhost:8080", "http://evil.example:8080"),
            ("localhost:8080", "null"),
            ("localhost:8080", "file://localhost:8080"),
            ("localhost:8080", "http://localhost:8080@evil.example"),
            ("localhost:8080", "http://evil.example/localhost:8080"),
            ("localhost:8080", ""),
        ] {
            assert_eq!(from(host, origin), Err(Foreign::Page), "{host} {origin}");
        }
    }

    #[test]
    fn a_referer_counts_where_there_is_no_origin_and_the_site_in_any_case() {
        let host = Some("localhost:1");
        let check = |page| hosts().check_page(host, page);
        assert_eq!(check(Page::default()), Ok(()));
        let referer = |referer| Page { referer: Some(referer), ..Page::default() };
        assert_eq!(check(referer("http://localhost:1/torrents/?a#b")), Ok(()));
        assert_eq!(check(referer("http://evil.example/localhost:1")), Err(Foreign::Page));
        let site = |site| Page { fetch_site: Some(site), ..Page::default() };
        assert_eq!(check(site("same-origin")), Ok(()));
        assert_eq!(check(site("none")), Ok(()));
        for other in ["cross-site", "same-site", "", "x"] {
            assert_eq!(check(site(other)), Err(Foreign::Page), "{other}");
            let page = Page { origin: Some("http://localhost:1"), ..site(other) };
            assert_eq!(check(page), Err(Foreign::Page), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_name_but_ours_passes_however_it_is_written(
            name in "[a-z]{1,8}(\\.[a-z]{1,8}){1,2}", port in 0_u16.., user in "([a-z]{1,5}@)?",
        ) {
            prop_assume!(name != "box.example");
            let host = format!("{user}{name}:{port}");
            prop_assert_eq!(hosts().check_host(Some(&host)), Err(Foreign::Host));
            let page = Page { origin: Some(&format!("http://{host}")), ..Page::default() };
            prop_assert_eq!(hosts().check_page(Some("127.0.0.1:1"), page), Err(Foreign::Page));
        }

        #[test]
        fn nothing_in_a_header_panics(host in ".{0,40}", origin in ".{0,40}") {
            let page = Page { origin: Some(&origin), referer: Some(&host), ..Page::default() };
            let _ = hosts().check_host(Some(&host));
            let _ = hosts().check_page(Some(&host), page);
        }
    }
}
