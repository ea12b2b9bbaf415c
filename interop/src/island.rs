//! Hosts of their own beside the run's: network namespaces with cables between them.
//!
//! A namespace lives as long as the process that sleeps in it, and that no longer than this program, so
//! nothing is left behind and no name is taken on the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{Context as _, Failure, Outcome};
use crate::process::{Deadline, Launch, Process};

/// Longest life of a namespace: more than any cell has.
const LIFE_SECONDS: &str = "600";
/// Time for one command that sets something up.
const COMMAND_PATIENCE: Duration = Duration::from_secs(10);

/// A host of its own.
#[derive(Debug)]
pub(crate) struct Island {
    keeper: Process,
    home: PathBuf,
}

impl Island {
    /// A host with nothing but `lo`.
    pub(crate) fn new(home: &Path, deadline: Deadline) -> Outcome<Self> {
        let keeper = Launch::new("unshare", home).args(["-n", "--", "sleep", LIFE_SECONDS]);
        let mut keeper = keeper.start()?;
        let ours = fs::read_link("/proc/self/ns/net").context(|| "cannot see our namespace")?;
        let theirs = format!("/proc/{}/ns/net", keeper.id());
        deadline.poll("a namespace of its own", || {
            keeper.must_live("it has a namespace")?;
            let theirs = fs::read_link(&theirs).context(|| "cannot see its namespace")?;
            Ok((theirs != ours).then_some(()))
        })?;
        let island = Self { keeper, home: home.to_owned() };
        island.ip("link set lo up")?;
        Ok(island)
    }

    /// The process whose namespace it is.
    pub(crate) fn id(&self) -> u32 {
        self.keeper.id()
    }

    /// A cable to another host: the names of its ends, and the address of each with its length.
    pub(crate) fn cable(
        &self,
        other: &Self,
        names: [&str; 2],
        addresses: [&str; 2],
    ) -> Outcome<()> {
        let [here, there] = names;
        self.ip(&format!("link add {here} type veth peer name {there} netns {}", other.id()))?;
        for ((host, name), address) in [(self, here), (other, there)].into_iter().zip(addresses) {
            host.ip(&format!("addr add {address} dev {name}"))?;
            host.ip(&format!("link set {name} up"))?;
        }
        Ok(())
    }

    /// Runs `ip` there.
    pub(crate) fn ip(&self, arguments: &str) -> Outcome<()> {
        self.run("ip", &arguments.split(' ').collect::<Vec<_>>()).map(drop)
    }

    /// Runs a program there to its end; hands back what it printed.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Outcome<String> {
        let launch = Launch::new(program, &self.home).args(arguments).inside(self.id());
        launch
            .output(Deadline::after(COMMAND_PATIENCE))
            .context(|| format!("{program} {}", arguments.join(" ")))
    }

    /// Sets a number of the kernel below `/proc/sys/net`.
    pub(crate) fn set(&self, name: &str, value: u32) -> Outcome<()> {
        self.run("sh", &["-c", &format!("echo {value} > /proc/sys/net/{name}")]).map(drop)
    }
}

/// A home behind a router, and a host outside: what every NAT is between.
#[derive(Debug)]
pub(crate) struct HomeNetwork {
    /// In the home.
    pub(crate) host: Island,
    /// Between the two.
    pub(crate) router: Island,
    /// Outside.
    pub(crate) stranger: Island,
}

impl HomeNetwork {
    /// The router's own address in the home.
    pub(crate) const GATEWAY: &str = "10.1.0.1";
    /// The router's own address outside.
    pub(crate) const OUTSIDE: &str = "203.0.113.1";

    /// With a NAT that lets nobody in by itself.
    pub(crate) fn new(homes: [PathBuf; 3], deadline: Deadline) -> Outcome<Self> {
        let [host, router, stranger] = homes.map(|home| Island::new(&home, deadline));
        let home = Self { host: host?, router: router?, stranger: stranger? };
        home.host.cable(&home.router, ["h0", "la"], ["10.1.0.2/24", "10.1.0.1/24"])?;
        home.router.cable(&home.stranger, ["wa", "p0"], ["203.0.113.1/24", "203.0.113.2/24"])?;
        home.host.ip("route add default via 10.1.0.1")?;
        home.router.set("ipv4/ip_forward", 1)?;
        home.router.run("nft", &[NAT])?;
        Ok(home)
    }

    /// The ports that lead in.
    pub(crate) fn mapped(&self) -> Outcome<String> {
        self.router.run("nft", &["list", "chain", "inet", "miniupnpd", "upnp_pre"])
    }

    /// Fails unless no port leads in.
    pub(crate) fn must_be_closed(&self) -> Outcome<()> {
        let mapped = self.mapped()?;
        if mapped.contains("dnat") {
            return Err(Failure::new(format!("a port still leads in: {mapped}")));
        }
        Ok(())
    }
}

/// The chains are those that miniupnpd fills.
const NAT: &str = "table inet miniupnpd { \
    chain upnp_fwd { }; chain upnp_pre { }; chain upnp_post { }; \
    chain forward { type filter hook forward priority 0; policy drop; \
    iifname la accept; ct state established,related accept; jump upnp_fwd; }; \
    chain prerouting { type nat hook prerouting priority -100; jump upnp_pre; }; \
    chain postrouting { type nat hook postrouting priority 100; jump upnp_post; \
    oifname wa masquerade; }; }";
