//! What one line of a list says.
//!
//! - eMule `.dat`: `001.002.003.000 - 001.002.003.255 , 000 , Somebody`; an access level above 127 means that
//!   the range is let in;
//! - PeerGuardian text (P2P): `Somebody:1.2.3.0-1.2.3.255`, IPv4 only;
//! - a bare range, a network in CIDR form, or one address, of either family.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Access levels above it mean that the range is let in (eMule).
const LEVEL_BLOCKED_MAX: u32 = 127;

/// What a line says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Line {
    /// Nothing: it is empty or a comment.
    Nothing,
    /// These addresses, both ends included, are blocked.
    Blocked(IpAddr, IpAddr),
    /// These are listed but let in.
    Allowed,
}

/// Reads a line without its end. `None`: it is none of these.
pub(crate) fn read(text: &str) -> Option<Line> {
    let text = text.trim();
    if text.is_empty() || text.starts_with(['#', ';']) || text.starts_with("//") {
        return Some(Line::Nothing);
    }
    bare(text).or_else(|| described(text)).or_else(|| with_level(text))
}

fn bare(text: &str) -> Option<Line> {
    let (from, to) = span(text).or_else(|| network(text)).or_else(|| {
        let ip = address(text)?;
        Some((ip, ip))
    })?;
    Some(Line::Blocked(from, to))
}

/// P2P: the description may contain anything, colons too.
fn described(text: &str) -> Option<Line> {
    let (_, range) = text.rsplit_once(':')?;
    let (from, to) = span(range)?;
    from.is_ipv4().then_some(Line::Blocked(from, to))
}

/// eMule: the description may contain anything, commas too.
fn with_level(text: &str) -> Option<Line> {
    let mut fields = text.splitn(3, ',');
    let (from, to) = span(fields.next()?)?;
    let level: u32 = fields.next()?.trim().parse().ok()?;
    Some(if level <= LEVEL_BLOCKED_MAX { Line::Blocked(from, to) } else { Line::Allowed })
}

/// Two addresses of one family in order, with a dash between them.
fn span(text: &str) -> Option<(IpAddr, IpAddr)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (address(from)?, address(to)?);
    (from.is_ipv4() == to.is_ipv4() && from <= to).then_some((from, to))
}

/// A network: bits behind its prefix do not count.
fn network(text: &str) -> Option<(IpAddr, IpAddr)> {
    let (ip, prefix) = text.split_once('/')?;
    let prefix: u32 = prefix.trim().parse().ok()?;
    match address(ip)? {
        IpAddr::V4(ip) if prefix <= 32 => {
            let host = u32::MAX.checked_shr(prefix).unwrap_or(0);
            let from = u32::from(ip) & !host;
            Some((Ipv4Addr::from(from).into(), Ipv4Addr::from(from | host).into()))
        }
        IpAddr::V6(ip) if prefix <= 128 => {
            let host = u128::MAX.checked_shr(prefix).unwrap_or(0);
            let from = u128::from(ip) & !host;
            Some((Ipv6Addr::from(from).into(), Ipv6Addr::from(from | host).into()))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// An address. Octets of IPv4 are decimal and may have leading zeros, which the standard library refuses
/// because elsewhere they mean octal.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok().map(|ip| IpAddr::V6(ip).to_canonical());
    }
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        let is_decimal = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        *octet = part.parse().ok().filter(|_| is_decimal)?;
    }
    parts.next().is_none().then(|| octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked(text: &str) -> Option<(String, String)> {
        match read(text)? {
            Line::Blocked(from, to) => Some((from.to_string(), to.to_string())),
            Line::Nothing | Line::Allowed => None,
        }
    }

    #[test]
    fn each_form_is_read() {
        for (text, from, to) in [
            ("001.009.096.105 - 001.009.096.110 , 000 , Some, org: x", "1.9.96.105", "1.9.96.110"),
            ("1.2.3.4-1.2.3.9,127,x", "1.2.3.4", "1.2.3.9"),
            ("Some, org: and more:1.2.3.0-1.2.3.255", "1.2.3.0", "1.2.3.255"),
            (":1.2.3.0-1.2.3.255", "1.2.3.0", "1.2.3.255"),
            ("10.1.2.3/8", "10.0.0.0", "10.255.255.255"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            ("9.9.9.9/32", "9.9.9.9", "9.9.9.9"),
            ("9.9.9.9", "9.9.9.9", "9.9.9.9"),
            ("1.1.1.1 - 1.1.1.2", "1.1.1.1", "1.1.1.2"),
            ("2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::1 - 2001:db8::5 , 000 , x", "2001:db8::1", "2001:db8::5"),
            ("2001:db8::1-2001:db8::5", "2001:db8::1", "2001:db8::5"),
            ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::ffff:1.2.3.4", "1.2.3.4", "1.2.3.4"),
        ] {
            assert_eq!(blocked(text), Some((from.to_owned(), to.to_owned())), "{text}");
        }
    }

    #[test]
    fn comments_say_nothing_and_high_levels_let_in() {
        for text in ["", "   ", "# 1.2.3.4", "// x", "; x"] {
            assert_eq!(read(text), Some(Line::Nothing), "{text}");
        }
        assert_eq!(read("1.2.3.4 - 1.2.3.5 , 128 , x"), Some(Line::Allowed));
    }

    #[test]
    fn what_is_none_of_these_is_refused() {
        for text in [
            "hello",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1.2.3.0001",
            "1.2.3.+4",
            "1.2.3.9-1.2.3.4",
            "1.2.3.4-2001:db8::1",
            "1.2.3.4/33",
            "::/129",
            "x:1.2.3.4",
            "1.2.3.4 - 1.2.3.5 , many , x",
            "1.2.3.4 - 1.2.3.5 ,",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
