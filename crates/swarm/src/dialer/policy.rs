//! Which addresses may be dialled, by who told them, and why not.
//!
//! Pure judgement of one address by itself; what depends on others that are known (bans, limits) is
//! the dialer's. Invariant: what the user gave is refused only if no host can have it.

use super::Source;
use super::address::is_shared_with;
use piecework_types::Scope;
use std::net::{IpAddr, SocketAddr};

/// Why an address is not dialled, or a peer not accepted.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, thiserror::Error)]
pub enum Refusal {
    /// No host has this address, or none listens on this port.
    #[error("nobody can listen there")]
    Nowhere,
    /// It belongs to a machine or network that whoever told it is not in.
    #[error("a local address, told by a peer from outside")]
    Local,
    /// Services that are no peers have such ports: gossip must not send us there.
    #[error("a port of system services, told by a peer")]
    LowPort,
    /// It is ours.
    #[error("our own address")]
    Ourselves,
    /// A peer there did harm.
    #[error("banned")]
    Banned,
    /// The user's IP filter lists it.
    #[error("listed in the IP filter")]
    Filtered,
    /// One host with that many ports looks like a scan by our hands.
    #[error("too many ports of one host")]
    ManyPorts,
    /// Whoever told it has filled its share with addresses that nobody answered at.
    #[error("too many addresses from one peer")]
    ManyTold,
    /// As many addresses are known as may be.
    #[error("enough addresses are known")]
    Full,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Nowhere,
        Self::Local,
        Self::LowPort,
        Self::Ourselves,
        Self::Banned,
        Self::Filtered,
        Self::ManyPorts,
        Self::ManyTold,
        Self::Full,
    ];

    /// A word for counters and machine-readable output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nowhere => "nowhere",
            Self::Local => "local",
            Self::LowPort => "low_port",
            Self::Ourselves => "ourselves",
            Self::Banned => "banned",
            Self::Filtered => "filtered",
            Self::ManyPorts => "many_ports",
            Self::ManyTold => "many_told",
            Self::Full => "full",
        }
    }
}

/// What gossip may make us dial.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AddressPolicy {
    /// Local addresses are dialled whoever told them.
    pub allows_local: bool,
    /// The lowest port dialled because a stranger told it.
    pub port_min: u16,
    /// Ports of one public host that strangers may make us dial. Hosts of private networks get
    /// sixteen times as many: a proxy or a container host may have a network of its own behind it.
    pub ports_max: usize,
}

impl Default for AddressPolicy {
    fn default() -> Self {
        Self { allows_local: false, port_min: 1024, ports_max: 4 }
    }
}

impl AddressPolicy {
    /// Whether an address in its canonical form may be dialled as far as it can be judged by itself.
    ///
    /// # Errors
    /// When not, and why.
    pub fn check(&self, address: SocketAddr, source: Source) -> Result<(), Refusal> {
        if address.port() == 0 || Scope::of(address.ip()) == Scope::Nowhere {
            return Err(Refusal::Nowhere);
        }
        let Some(teller) = source.teller() else { return Ok(()) };
        if !self.allows_local && !is_shared_with(address.ip(), teller) {
            return Err(Refusal::Local);
        }
        if address.port() < self.port_min {
            return Err(Refusal::LowPort);
        }
        Ok(())
    }

    /// Ports of this host that strangers may make us dial.
    pub(super) fn ports_max_of(&self, ip: IpAddr) -> usize {
        match Scope::of(ip) {
            Scope::World | Scope::Nowhere => self.ports_max,
            Scope::Machine | Scope::Link | Scope::Site | Scope::Provider => {
                self.ports_max.saturating_mul(16)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn check(policy: AddressPolicy, address: &str, source: Source) -> Result<(), Refusal> {
        policy.check(address.parse().unwrap(), source)
    }

    fn told_by(ip: &str) -> Source {
        Source::Exchange { from: ip.parse().unwrap() }
    }

    #[test]
    fn nobody_can_listen_on_port_zero_or_everywhere_whoever_says_so() {
        for address in ["1.2.3.4:0", "0.0.0.0:1", "[::]:1", "224.0.0.1:1", "255.255.255.255:1"] {
            for source in [Source::Given, Source::Tracker, told_by("127.0.0.1")] {
                let checked = check(AddressPolicy::default(), address, source);
                assert_eq!(checked, Err(Refusal::Nowhere), "{address}");
            }
        }
    }

    #[test]
    fn a_stranger_cannot_send_us_into_our_own_network() {
        let policy = AddressPolicy::default();
        for address in
            ["127.0.0.1:6881", "10.0.0.1:6881", "169.254.0.1:6881", "[::1]:6881", "[fd00::1]:6881"]
        {
            assert_eq!(
                check(policy, address, told_by("8.8.8.8")),
                Err(Refusal::Local),
                "{address}"
            );
            assert_eq!(check(policy, address, Source::Given), Ok(()), "{address}");
            assert_eq!(check(policy, address, Source::Tracker), Ok(()), "{address}");
            let open = AddressPolicy { allows_local: true, ..policy };
            assert_eq!(check(open, address, told_by("8.8.8.8")), Ok(()), "{address}");
        }
        assert_eq!(check(policy, "10.0.0.1:6881", told_by("10.0.0.2")), Ok(()));
        assert_eq!(check(policy, "127.0.0.1:6881", told_by("10.0.0.2")), Err(Refusal::Local));
    }

    #[test]
    fn ports_of_system_services_are_dialled_for_the_user_and_trackers_only() {
        let policy = AddressPolicy::default();
        assert_eq!(check(policy, "8.8.8.8:25", told_by("9.9.9.9")), Err(Refusal::LowPort));
        assert_eq!(check(policy, "8.8.8.8:1024", told_by("9.9.9.9")), Ok(()));
        assert_eq!(check(policy, "8.8.8.8:25", Source::Given), Ok(()));
        assert_eq!(check(policy, "8.8.8.8:25", Source::Tracker), Ok(()));
        let low = AddressPolicy { port_min: 1, ..policy };
        assert_eq!(check(low, "8.8.8.8:25", told_by("9.9.9.9")), Ok(()));
    }

    #[test]
    fn every_refusal_has_a_name_and_a_place_of_its_own() {
        let names: std::collections::BTreeSet<_> =
            Refusal::ALL.iter().map(|it| it.name()).collect();
        assert_eq!(names.len(), Refusal::ALL.len());
        for (at, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, at);
        }
    }
}
