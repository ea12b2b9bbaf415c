//! The network interfaces of this machine, and the way from one of them to a gateway.

use piecework_types::Scope;
use std::cmp::Reverse;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

/// Interfaces that are looked at; addresses of each.
const INTERFACES_MAX: usize = 256;
const ADDRESSES_MAX: usize = 64;

/// One interface, as the system describes it now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// It is switched on and has its link.
    pub is_up: bool,
    /// It leads to this machine alone.
    pub is_loopback: bool,
    /// Its addresses, IPv4 and IPv6.
    pub addresses: Vec<IpAddr>,
}

impl Interface {
    /// Its address to send from: the one that reaches furthest.
    pub fn address(&self, is_v6: bool) -> Option<IpAddr> {
        let family = self.addresses.iter().copied().filter(|ip| ip.is_ipv6() == is_v6);
        family.min_by_key(|&ip| Reverse(Scope::of(ip)))
    }
}

/// All interfaces, in the system's order.
///
/// # Errors
/// When the system does not tell.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    use nix::net::if_::InterfaceFlags as Flags;
    let mut found: Vec<Interface> = Vec::new();
    for entry in nix::ifaddrs::getifaddrs()? {
        let at = found.iter().position(|interface| interface.name == entry.interface_name);
        let at = match at {
            Some(at) => at,
            None if found.len() >= INTERFACES_MAX => break,
            None => {
                found.push(Interface {
                    name: entry.interface_name.clone(),
                    is_up: entry.flags.contains(Flags::IFF_UP | Flags::IFF_RUNNING),
                    is_loopback: entry.flags.contains(Flags::IFF_LOOPBACK),
                    addresses: Vec::new(),
                });
                found.len() - 1
            }
        };
        let v4 = entry.address.and_then(|it| Some(IpAddr::V4(it.as_sockaddr_in()?.ip())));
        let v6 = entry.address.and_then(|it| Some(IpAddr::V6(it.as_sockaddr_in6()?.ip())));
        let addresses = &mut found[at].addresses;
        if addresses.len() < ADDRESSES_MAX {
            addresses.extend(v4.or(v6));
        }
    }
    Ok(found)
}

/// The way out of this machine for IPv4.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DefaultRoute {
    /// Through which interface.
    pub interface: String,
    /// To which router.
    pub gateway: Ipv4Addr,
}

/// The best default route, of this interface or of any. `None` on systems without `/proc/net/route` too.
pub fn default_route(interface: Option<&str>) -> Option<DefaultRoute> {
    best_route(&std::fs::read_to_string("/proc/net/route").ok()?, interface)
}

/// Whether IPv6 has a way out.
pub fn has_default_route_v6() -> bool {
    let table = std::fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    table.lines().any(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        // Destination, its length, ..., the device: systems without a way out have one through `lo`.
        matches!(columns[..], [to, "00", .., device] if to.bytes().all(|it| it == b'0') && device != "lo")
    })
}

/// Columns: interface, destination, gateway, flags, -, -, metric; addresses as little-endian hex (proc(5)).
fn best_route(table: &str, interface: Option<&str>) -> Option<DefaultRoute> {
    const UP_AND_GATEWAY: u32 = 0x3;
    let routes = table.lines().skip(1).filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [name, "00000000", gateway, flags, _, _, metric, ..] = columns[..] else { return None };
        let flags = u32::from_str_radix(flags, 16).ok()?;
        let is_wanted = interface.is_none_or(|wanted| wanted == name);
        if !is_wanted || flags & UP_AND_GATEWAY != UP_AND_GATEWAY {
            return None;
        }
        let gateway = Ipv4Addr::from(u32::from_str_radix(gateway, 16).ok()?.to_ne_bytes());
        Some((metric.parse::<u32>().ok()?, DefaultRoute { interface: name.to_owned(), gateway }))
    });
    routes.min_by_key(|(metric, _)| *metric).map(|(_, route)| route)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_default_route_with_the_lowest_metric_is_taken() {
        let table = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
            wg0 00000000 00000000 0001 0 0 0 00000000 0 0 0\n\
            eth1 00000000 0100000A 0003 0 0 200 00000000 0 0 0\n\
            eth0 00000000 0101A8C0 0003 0 0 100 00000000 0 0 0\n\
            eth0 0001A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n";
        let route = best_route(table, None).unwrap();
        assert_eq!(route.interface, "eth0");
        // The kernel writes the bytes of the address as one number of its own order.
        let bytes = u32::from_str_radix("0101A8C0", 16).unwrap().to_ne_bytes();
        assert_eq!(route.gateway, Ipv4Addr::from(bytes));
        assert_eq!(best_route(table, Some("eth1")).unwrap().interface, "eth1");
        // No gateway, only a link.
        assert_eq!(best_route(table, Some("wg0")), None);
        assert_eq!(best_route("", None), None);
    }

    #[test]
    fn the_loopback_interface_is_found() {
        let found = interfaces().unwrap();
        assert!(found.iter().any(|interface| interface.is_loopback));
    }
}
