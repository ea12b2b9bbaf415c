//! The interfaces of this machine that multicast makes sense on.

use super::Reach;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Interfaces used at most: a host of containers has hundreds.
const INTERFACES_MAX: usize = 32;

/// One of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Interface {
    pub(super) index: u32,
    /// Its first address that others can use, if it has any.
    pub(super) v4: Option<Ipv4Addr>,
    pub(super) has_v6: bool,
    is_loopback: bool,
}

/// Those within reach, now. None if the system does not tell.
pub(super) fn list(reach: Reach) -> Vec<Interface> {
    let mut by_name: BTreeMap<String, Interface> = BTreeMap::new();
    for entry in getifaddrs().into_iter().flatten() {
        let is_loopback = entry.flags.contains(InterfaceFlags::IFF_LOOPBACK);
        let is_able = is_loopback || entry.flags.contains(InterfaceFlags::IFF_MULTICAST);
        if !is_able || !entry.flags.contains(InterfaceFlags::IFF_UP) {
            continue;
        }
        let Ok(index) = if_nametoindex(entry.interface_name.as_str()) else { continue };
        let new = Interface { index, v4: None, has_v6: false, is_loopback };
        let interface = by_name.entry(entry.interface_name).or_insert(new);
        let Some(address) = entry.address else { continue };
        interface.has_v6 |= address.as_sockaddr_in6().is_some();
        if let Some(v4) = address.as_sockaddr_in() {
            let ip = v4.ip();
            if interface.v4.is_none_or(|known| known.is_loopback() && !ip.is_loopback()) {
                interface.v4 = Some(ip);
            }
        }
    }
    let has_network = by_name.values().any(|it| !it.is_loopback);
    let wants_loopback = reach == Reach::Machine || !has_network;
    let within = by_name.into_values().filter(|it| it.is_loopback == wants_loopback);
    within.take(INTERFACES_MAX).collect()
}
