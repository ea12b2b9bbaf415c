//! What was found out about the way to this machine, and what follows from it: whether peers can come in,
//! why not, and what helps.
//!
//! Knows no socket: the facts are gathered by `piecework net`.

mod running;

pub(crate) use running::Running;

use piecework_gateway::{Grant, Method, Refusal, Site};
use piecework_net::Interface;
use piecework_types::Scope;
use serde_json::{Value, json};
use std::fmt::Write;
use std::net::IpAddr;

/// The facts, as far as this machine and its gateway tell them.
#[derive(Debug)]
pub(crate) struct Facts {
    /// What the daemon says, if one runs.
    pub(crate) running: Option<Running>,
    /// Those that are up, but loopback.
    pub(crate) interfaces: Vec<Interface>,
    /// The port for peers, or why there is none.
    pub(crate) port: Result<u16, String>,
    /// The gateway that is asked for mappings. Without one none is needed, or none possible.
    pub(crate) site: Option<Site>,
    /// What each method made of a mapping.
    pub(crate) methods: Vec<(Method, Result<Grant, Refusal>)>,
    /// IPv6 has a way out.
    pub(crate) has_v6_route: bool,
    /// Firewalls of this machine that are known to be on, with the command that opens the port.
    pub(crate) firewalls: Vec<(&'static str, String)>,
}

/// What it comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// No network at all.
    Offline,
    /// The port for peers cannot be had.
    NoPort,
    /// Somebody has connected to the daemon that runs.
    Reached,
    /// This machine has a public address of its own.
    Open,
    /// The gateway maps ports, and is itself reachable.
    Mapped,
    /// The gateway maps ports, but another NAT stands before it.
    DoubleNat,
    /// The gateway maps nothing; peers come in by IPv6 alone.
    OnlyV6,
    /// The gateway maps nothing.
    Closed,
}

impl Verdict {
    /// The word for scripts.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::NoPort => "no_port",
            Self::Reached => "reached",
            Self::Open => "open",
            Self::Mapped => "mapped",
            Self::DoubleNat => "double_nat",
            Self::OnlyV6 => "only_ipv6",
            Self::Closed => "closed",
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::Offline => "no network: no interface that is up has an address",
            Self::NoPort => "nobody can connect: there is no port to listen on",
            Self::Reached => "peers can connect: one has come to the daemon that runs",
            Self::Open => "peers can connect: this machine has a public address",
            Self::Mapped => "peers can connect: the gateway lets them in while a torrent is served",
            Self::DoubleNat => {
                "peers cannot connect over IPv4: your gateway lets them in, but has no public address \
                 itself, so another NAT stands before it"
            }
            Self::OnlyV6 => {
                "peers cannot connect over IPv4: the gateway maps no port; over IPv6 they may"
            }
            Self::Closed => "peers cannot connect: the gateway maps no port",
        }
    }
}

impl Facts {
    /// What it comes to.
    pub(crate) fn verdict(&self) -> Verdict {
        let addresses = || self.interfaces.iter().flat_map(|interface| &interface.addresses);
        let sees = |is_v6: bool| {
            let mut family = addresses().filter(|ip| ip.is_ipv6() == is_v6);
            family.any(|&ip| Scope::of(ip) == Scope::World)
        };
        let has_v6 = self.has_v6_route && sees(true);
        let is_mapped = self.methods.iter().any(|(_, outcome)| outcome.is_ok());
        if self.running.as_ref().is_some_and(|daemon| daemon.is_reachable) {
            Verdict::Reached
        } else if addresses().all(|&ip| Scope::of(ip) <= Scope::Link) {
            Verdict::Offline
        } else if self.port.is_err() {
            Verdict::NoPort
        } else if sees(false) {
            Verdict::Open
        } else if is_mapped || self.running.as_ref().is_some_and(Running::is_mapped) {
            let is_hidden = self.external().is_some_and(|ip| Scope::of(ip) != Scope::World);
            if is_hidden { Verdict::DoubleNat } else { Verdict::Mapped }
        } else if has_v6 {
            Verdict::OnlyV6
        } else {
            Verdict::Closed
        }
    }

    /// The address outside, as the gateway tells it.
    pub(crate) fn external(&self) -> Option<IpAddr> {
        let granted = self.methods.iter().filter_map(|(_, outcome)| outcome.as_ref().ok());
        granted.filter_map(|grant| grant.external_ip).map(IpAddr::V4).next()
    }

    /// What helps, if something has to.
    pub(crate) fn remedies(&self) -> Vec<String> {
        let port = self.port.as_ref().map_or_else(|_| "the port".to_owned(), u16::to_string);
        let mut remedies = Vec::new();
        match self.verdict() {
            Verdict::Offline => remedies.push("connect this machine to a network".to_owned()),
            Verdict::NoPort => remedies.push("choose another port with --port".to_owned()),
            Verdict::Reached | Verdict::Open | Verdict::Mapped => {}
            Verdict::DoubleNat => {
                let is_provider =
                    self.external().is_some_and(|ip| Scope::of(ip) == Scope::Provider);
                remedies.push(if is_provider {
                    "the other NAT is your provider's: ask them for a public IPv4 address, or use IPv6"
                        .to_owned()
                } else {
                    format!(
                        "switch one of the two routers to bridge mode, or map TCP and UDP port {port} on \
                         the outer one as well"
                    )
                });
            }
            Verdict::OnlyV6 | Verdict::Closed => remedies.push(match self.site {
                Some(Site { gateway, ours }) => format!(
                    "switch UPnP, NAT-PMP or PCP on at the router {gateway}, or map TCP and UDP port \
                     {port} there by hand to {ours} and give --port {port}"
                ),
                None => format!(
                    "no gateway for IPv4 was found on this machine; if there is one, map TCP and UDP port \
                     {port} there by hand"
                ),
            }),
        }
        let firewalls = self.firewalls.iter();
        remedies.extend(firewalls.map(|(name, opens)| format!("{name} is on here: {opens}")));
        remedies
    }

    /// The report for people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |label: &str, value: &str| {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{label:<11} {value}");
        };
        for interface in &self.interfaces {
            let shown: Vec<String> =
                interface.addresses.iter().map(|&ip| format!("{ip} ({})", told(ip))).collect();
            line("interface", &format!("{}: {}", interface.name, shown.join(", ")));
        }
        match (&self.running, &self.port) {
            (Some(running), _) => {
                for (label, value) in running.lines() {
                    line(label, &value);
                }
            }
            (None, Ok(port)) => line("listening", &format!("port {port} can be had")),
            (None, Err(reason)) => line("listening", reason),
        }
        match self.site {
            Some(Site { gateway, ours }) => {
                line("gateway", &format!("{gateway}, sees us as {ours}"));
            }
            None => line("gateway", "none that would have to map a port"),
        }
        for (method, outcome) in &self.methods {
            let value = match outcome {
                Ok(_) => "works".to_owned(),
                Err(refusal) => refusal.to_string(),
            };
            line(&format!("  {method}"), &value);
        }
        if let Some(ip) = self.external() {
            line("outside", &format!("{ip} ({}), as the gateway says", told(ip)));
        }
        line("IPv6", self.v6());
        line("verdict", self.verdict().reason());
        for remedy in self.remedies() {
            line("remedy", &remedy);
        }
        text.pop();
        text
    }

    fn v6(&self) -> &'static str {
        let mut addresses = self.interfaces.iter().flat_map(|interface| &interface.addresses);
        let is_public = addresses.any(|&ip| ip.is_ipv6() && Scope::of(ip) == Scope::World);
        match (is_public, self.has_v6_route) {
            (true, true) => {
                "public address and a way out; the router's firewall may keep peers out"
            }
            (true, false) => "public address, but no way out",
            (false, _) => "no public address",
        }
    }

    /// The report for scripts.
    pub(crate) fn object(&self) -> Value {
        let interfaces: Vec<Value> = self
            .interfaces
            .iter()
            .map(|interface| {
                let addresses: Vec<Value> = interface
                    .addresses
                    .iter()
                    .map(|&ip| json!({ "address": ip.to_string(), "reach": told(ip) }))
                    .collect();
                json!({ "name": interface.name, "addresses": addresses })
            })
            .collect();
        let methods: Vec<Value> = self
            .methods
            .iter()
            .map(|(method, outcome)| {
                let reason = outcome.as_ref().err().map(ToString::to_string);
                json!({ "method": method.to_string(), "works": outcome.is_ok(), "reason": reason })
            })
            .collect();
        json!({
            "event": "net",
            "verdict": self.verdict().word(),
            "reason": self.verdict().reason(),
            "remedies": self.remedies(),
            "daemon": self.running.as_ref().map(Running::object),
            "interfaces": interfaces,
            "port": self.port.as_ref().ok(),
            "port_error": self.port.as_ref().err(),
            "gateway": self.site.map(|site| site.gateway.to_string()),
            "our_address": self.site.map(|site| site.ours.to_string()),
            "methods": methods,
            "external_address": self.external().map(|ip| ip.to_string()),
            "external_reach": self.external().map(told),
            "ipv6": self.v6(),
        })
    }
}

/// Where an address can be reached from.
fn told(ip: IpAddr) -> &'static str {
    match Scope::of(ip) {
        Scope::World => "public",
        Scope::Provider => "behind the provider's NAT",
        Scope::Site => "private",
        Scope::Link | Scope::Machine | Scope::Nowhere => "this machine or link only",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn home(outcome: Result<Option<Ipv4Addr>, Refusal>) -> Facts {
        let ours = Ipv4Addr::new(192, 168, 1, 7);
        let outcome = outcome.map(|external_ip| Grant {
            external_port: 6881,
            lifetime_seconds: 60,
            external_ip,
        });
        Facts {
            running: None,
            interfaces: vec![Interface {
                name: "eth0".into(),
                is_up: true,
                is_loopback: false,
                addresses: vec![ours.into()],
            }],
            port: Ok(6881),
            site: Some(Site { gateway: Ipv4Addr::new(192, 168, 1, 1), ours }),
            methods: vec![(Method::Pcp, Err(Refusal::NoAnswer)), (Method::Upnp, outcome)],
            has_v6_route: false,
            firewalls: Vec::new(),
        }
    }

    #[test]
    fn a_gateway_that_maps_is_judged_by_its_own_address() {
        let verdict = |ip: [u8; 4]| home(Ok(Some(ip.into()))).verdict();
        assert_eq!(verdict([11, 22, 33, 44]), Verdict::Mapped);
        assert_eq!(verdict([10, 0, 0, 1]), Verdict::DoubleNat);
        assert_eq!(verdict([100, 64, 0, 1]), Verdict::DoubleNat);
        assert_eq!(home(Ok(None)).verdict(), Verdict::Mapped);
        assert!(home(Ok(Some([100, 64, 0, 1].into()))).remedies()[0].contains("provider"));
        assert!(home(Ok(Some([10, 0, 0, 1].into()))).remedies()[0].contains("bridge mode"));
    }

    #[test]
    fn a_gateway_that_maps_nothing_is_named_with_what_to_do_there() {
        let mut facts = home(Err(Refusal::NoAnswer));
        assert_eq!(facts.verdict(), Verdict::Closed);
        assert!(facts.remedies()[0].contains("192.168.1.1"));
        facts.interfaces[0].addresses.push([0x2a00, 0, 0, 0, 0, 0, 0, 7].into());
        assert_eq!(facts.verdict(), Verdict::Closed, "an address without a way out is no help");
        facts.has_v6_route = true;
        assert_eq!(facts.verdict(), Verdict::OnlyV6);
        let text = facts.text();
        assert!(text.contains("  PCP       no answer") && text.contains("remedy"), "{text}");
    }

    #[test]
    fn a_public_address_needs_no_gateway_and_no_network_needs_everything() {
        let mut facts = home(Err(Refusal::NoAnswer));
        facts.interfaces[0].addresses = vec![[11, 22, 33, 44].into()];
        assert_eq!(facts.verdict(), Verdict::Open);
        facts.firewalls.push(("ufw", "ufw allow 6881".into()));
        assert_eq!(facts.remedies(), ["ufw is on here: ufw allow 6881"]);
        facts.port = Err("cannot listen".into());
        assert_eq!(facts.verdict(), Verdict::NoPort);
        facts.interfaces.clear();
        assert_eq!(facts.verdict(), Verdict::Offline);
    }

    #[test]
    fn what_a_daemon_that_runs_has_met_counts_for_more_than_what_the_gateway_says_now() {
        let mut node = json!({
            "port": 6881, "outside_port": 40_001, "seen_at": ["11.22.33.44"], "is_reachable": false,
            "mapping": "failed", "mapping_text": "failed: PCP: no answer",
        });
        let mut facts = home(Err(Refusal::NoAnswer));
        facts.running = Running::read(&node);
        assert_eq!(facts.verdict(), Verdict::Closed);
        let text = facts.text();
        assert!(text.contains("  seen at   11.22.33.44, port 40001"), "{text}");
        assert!(text.contains("failed: PCP: no answer") && !text.contains("can be had"), "{text}");
        node["mapping"] = "mapped".into();
        facts.running = Running::read(&node);
        assert_eq!(facts.verdict(), Verdict::Mapped);
        node["is_reachable"] = true.into();
        facts.running = Running::read(&node);
        assert_eq!((facts.verdict(), facts.remedies()), (Verdict::Reached, vec![]));
        assert_eq!(facts.object()["daemon"], node);
        node["outside_port"] = 70_000.into();
        assert!(Running::read(&node).is_none(), "no port is as large as that");
    }

    #[test]
    fn the_object_says_what_the_text_says() {
        let object = home(Ok(Some([10, 0, 0, 1].into()))).object();
        assert_eq!(object["verdict"], "double_nat");
        assert_eq!(object["methods"][0]["reason"], "no answer");
        assert_eq!(object["methods"][1]["works"], true);
        assert_eq!(object["external_reach"], "private");
    }
}
