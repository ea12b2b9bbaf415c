//! From how far away an address can be reached: the one place where ranges of addresses stand.

use std::net::IpAddr;

/// From how far away an address can be reached; ordered from nowhere to everywhere.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Scope {
    /// No host has it: unspecified, multicast, broadcast, reserved.
    Nowhere,
    /// This machine.
    Machine,
    /// The cable it is plugged into: link-local addresses (RFC 3927, 4291).
    Link,
    /// A private network (RFC 1918, 4193).
    Site,
    /// A provider's network, behind the provider's own NAT (RFC 6598).
    Provider,
    /// The internet.
    World,
}

impl Scope {
    /// Of this address; IPv4 inside IPv6 is the same as IPv4.
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => match v4.octets() {
                [0 | 224..=255, ..] => Self::Nowhere,
                [127, ..] => Self::Machine,
                [169, 254, ..] => Self::Link,
                [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Self::Site,
                [100, 64..=127, ..] => Self::Provider,
                _ => Self::World,
            },
            IpAddr::V6(v6) if v6.is_unspecified() || v6.is_multicast() => Self::Nowhere,
            IpAddr::V6(v6) if v6.is_loopback() => Self::Machine,
            IpAddr::V6(v6) if v6.is_unicast_link_local() => Self::Link,
            IpAddr::V6(v6) if v6.is_unique_local() => Self::Site,
            IpAddr::V6(_) => Self::World,
        }
    }

    /// A host has it that not everybody can reach: other hosts may have the same address elsewhere.
    pub fn is_local(self) -> bool {
        (Self::Machine..=Self::Provider).contains(&self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn each_range_has_its_scope() {
        for (scope, ips) in [
            (
                Scope::Nowhere,
                ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"].as_slice(),
            ),
            (Scope::Machine, &["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"]),
            (Scope::Link, &["169.254.1.1", "fe80::1"]),
            (Scope::Site, &["10.0.0.1", "172.16.0.1", "172.31.9.9", "192.168.1.1"]),
            (Scope::Site, &["fd00::1", "::ffff:10.0.0.1"]),
            (Scope::Provider, &["100.64.0.1", "100.127.255.255"]),
            (Scope::World, &["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1"]),
        ] {
            for ip in ips {
                let found = Scope::of(ip.parse().unwrap());
                assert_eq!(found, scope, "{ip}");
                assert_eq!(found.is_local(), ![Scope::Nowhere, Scope::World].contains(&scope));
            }
        }
    }
}
