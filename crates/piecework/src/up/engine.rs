//! The engine that the settings describe.

use crate::failure::Failure;
use crate::ip_filter;
use crate::out::Out;
use piecework_node::{
    AddressPolicy, AddressScope, Binding, DhtConfig, EngineConfig, PortChoice, Reach, TrackerDns,
};
use piecework_settings::{Encryption, Folder, HostPort, Port, Settings};
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};

/// The engine's own settings; its resume data lies in `state`.
pub(crate) fn config(settings: &Settings, state: &Path, out: Out) -> Result<EngineConfig, Failure> {
    let net = settings.net();
    let mut config = EngineConfig::new(state.to_owned());
    config.port = match net.port {
        Port::Auto => PortChoice::Default,
        Port::Number(0) => PortChoice::Any,
        Port::Number(port) => PortChoice::Exactly(port),
    };
    config.binding = Binding::new(net.interface.clone(), net.bind);
    config.maps_port = net.port_mapping;
    config.encryption = match net.encryption {
        Encryption::Prefer => piecework_node::Encryption::Prefer,
        Encryption::Require => piecework_node::Encryption::Require,
        Encryption::Off => piecework_node::Encryption::Off,
    };
    config.peers_max = net.peers_max.try_into().unwrap_or(usize::MAX);
    config.exchanges_peers = net.exchange;
    config.local = net.local_discovery.then_some(Reach::Networks);
    if !net.tracker_dns {
        config.tracker_dns = TrackerDns::Off;
    }
    if net.trust_peers {
        config.gossip = AddressPolicy { allows_local: true, port_min: 1, ..config.gossip };
    }
    let lists: Vec<PathBuf> = net.ip_filters.iter().map(|Folder(path)| path.into()).collect();
    config.ip_filter = ip_filter::load(&lists, out)?;
    config.dht = settings.dht().on.then(|| dht(&settings.dht().routers));
    Ok(config)
}

/// The DHT that is entered at these routers: that of a local network if one of them is in one.
fn dht(routers: &[HostPort]) -> DhtConfig {
    let mut config = DhtConfig::default();
    if !routers.is_empty() {
        config.routers = routers.iter().map(|HostPort(router)| router.clone()).collect();
    }
    // A name that nobody knows yet, as before the network is up, is a public one.
    let is_local = routers.iter().any(|HostPort(router)| {
        let mut found = router.to_socket_addrs().into_iter().flatten();
        found.any(|address| !AddressScope::Public.allows(address))
    });
    if is_local {
        config.scope = AddressScope::Any;
    }
    config
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use piecework_settings::Sources;

    fn config_of(settings: &[(&str, &str)]) -> EngineConfig {
        let flag = |(key, value): &(&str, &str)| {
            ("--set".to_owned(), (*key).to_owned(), (*value).to_owned())
        };
        let flags = settings.iter().map(flag).collect();
        let settings = Settings::read(&Sources { flags, ..Sources::default() }).unwrap();
        config(&settings, Path::new("/state"), Out::new(false)).unwrap()
    }

    #[test]
    fn each_setting_of_the_network_reaches_the_engine() {
        let usual = config_of(&[]);
        assert_eq!(usual.port, PortChoice::Default);
        assert!(usual.maps_port && usual.exchanges_peers && usual.dht.is_some());
        assert!(usual.local.is_some() && !usual.gossip.allows_local);
        assert_eq!(usual.peers_max, 2000);
        let list = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(list.path(), "1.0.0.0/8\n").unwrap();
        let config = config_of(&[
            ("net.port", "7000"),
            ("net.bind", "127.0.0.1"),
            ("net.port_mapping", "false"),
            ("net.encryption", "require"),
            ("net.peers_max", "50"),
            ("net.exchange", "false"),
            ("net.local_discovery", "false"),
            ("net.tracker_dns", "false"),
            ("net.trust_peers", "true"),
            ("net.ip_filters", list.path().to_str().unwrap()),
            ("dht.on", "false"),
        ]);
        assert_eq!(config.port, PortChoice::Exactly(7000));
        assert_eq!(config.binding, Binding::new(None, Some([127, 0, 0, 1].into())));
        assert_eq!(config.encryption, piecework_node::Encryption::Require);
        assert_eq!(config.peers_max, 50);
        assert!(!config.maps_port && !config.exchanges_peers && config.dht.is_none());
        assert!(config.local.is_none() && config.gossip.allows_local);
        assert_eq!(config.tracker_dns, TrackerDns::Off);
        assert!(config.ip_filter.blocks([1, 2, 3, 4].into()));
        assert_eq!(config_of(&[("net.port", "0")]).port, PortChoice::Any);
        let named = config_of(&[("net.interface", "tun0")]);
        assert_eq!(named.binding, Binding::new(Some("tun0".into()), None));
    }

    #[test]
    fn a_router_in_a_local_network_makes_a_dht_of_that_network() {
        let dht = config_of(&[("dht.routers", "127.0.0.1:6881")]).dht.unwrap();
        assert_eq!(dht.routers, ["127.0.0.1:6881"]);
        assert_eq!(dht.scope, AddressScope::Any);
        let dht = config_of(&[("dht.routers", "192.0.2.1:6881")]).dht.unwrap();
        assert_ne!(dht.routers, DhtConfig::default().routers);
    }
}
