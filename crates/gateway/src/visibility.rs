//! Which part of the world an address can be reached from.

use std::net::IpAddr;

/// From where an address can be reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Visibility {
    /// From everywhere.
    Public,
    /// From the same private network (RFC 1918, RFC 4193).
    Private,
    /// From the same provider: its own NAT stands before it (RFC 6598).
    Provider,
    /// From this machine or this link only, or from nowhere.
    Local,
}

/// Tells by the address alone.
pub fn visibility(ip: IpAddr) -> Visibility {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            if ip.is_private() {
                Visibility::Private
            } else if first == 100 && (64..128).contains(&second) {
                Visibility::Provider
            } else if first == 0
                || first >= 224
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_documentation()
            {
                Visibility::Local
            } else {
                Visibility::Public
            }
        }
        IpAddr::V6(ip) => match ip.segments()[0] {
            first if first & 0xfe00 == 0xfc00 => Visibility::Private,
            // Global unicast is 2000::/3 (RFC 4291); 2001:db8::/32 is for documentation.
            first if first & 0xe000 == 0x2000 && ip.segments()[..2] != [0x2001, 0xdb8] => {
                Visibility::Public
            }
            _ => Visibility::Local,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_homes_and_of_providers_are_not_public() {
        let told = |text: &str| visibility(text.parse().expect("the test's own address is one"));
        assert_eq!(told("11.22.33.44"), Visibility::Public);
        assert_eq!(told("192.168.1.1"), Visibility::Private);
        assert_eq!(told("::ffff:10.0.0.1"), Visibility::Private);
        assert_eq!(told("100.64.0.1"), Visibility::Provider);
        assert_eq!(told("100.128.0.1"), Visibility::Public);
        assert_eq!(told("127.0.0.1"), Visibility::Local);
        assert_eq!(told("169.254.1.1"), Visibility::Local);
        assert_eq!(told("0.0.0.0"), Visibility::Local);
        assert_eq!(told("2a00::1"), Visibility::Public);
        assert_eq!(told("fd77::1"), Visibility::Private);
        assert_eq!(told("fe80::1"), Visibility::Local);
        assert_eq!(told("2001:db8::1"), Visibility::Local);
    }
}
