//! miniupnpd on the router of a home network: the gateway that half of the world's routers run.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::failure::{Context as _, Outcome};
use crate::island::HomeNetwork;
use crate::process::{Deadline, Launch, Process};

const PROGRAM: &str = "miniupnpd";

/// What the gateway says is its address outside. It only says so, and insists on a public one.
pub(crate) const TOLD_OUTSIDE: &str = "11.22.33.44";

/// The version of the package.
pub(crate) fn version() -> Outcome<String> {
    let home = tempfile::tempdir().context(|| "cannot make a temporary folder")?;
    let query = ["-W", "-f=${Version}", PROGRAM];
    let launch = Launch::new("dpkg-query", home.path()).args(query);
    Ok(launch.output(Deadline::after(Duration::from_secs(5)))?.trim().to_owned())
}

/// The one method that the gateway is left with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Only {
    /// PCP: requests of NAT-PMP, whose first byte is 0, are dropped on the way.
    Pcp,
    /// NAT-PMP: those of PCP, whose first byte is 2, are.
    NatPmp,
    /// UPnP.
    Upnp,
}

impl Only {
    /// Each.
    pub(crate) const ALL: [Self; 3] = [Self::Pcp, Self::NatPmp, Self::Upnp];

    /// The name that our reports have for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pcp => "PCP",
            Self::NatPmp => "NAT-PMP",
            Self::Upnp => "UPnP",
        }
    }
}

/// Starts it on the router; comes back when it listens.
pub(crate) fn start(
    network: &HomeNetwork,
    only: Only,
    home: &Path,
    deadline: Deadline,
) -> Outcome<Process> {
    let yes = |is_on: bool| if is_on { "yes" } else { "no" };
    let (upnp, natpmp) = (yes(only == Only::Upnp), yes(only != Only::Upnp));
    let dropped = match only {
        Only::Pcp => Some(0),
        Only::NatPmp => Some(2),
        Only::Upnp => None,
    };
    if let Some(first) = dropped {
        let rule = format!("udp dport 5351 @th,64,8 {first} drop;");
        let chain = format!("chain i {{ type filter hook input priority 0; {rule} }}");
        network.router.run("nft", &[&format!("table inet only {{ {chain}; }}")])?;
    }
    let lines = [
        "ext_ifname=wa".to_owned(),
        format!("ext_ip={TOLD_OUTSIDE}"),
        "listening_ip=la".into(),
        "http_port=5000".into(),
        format!("enable_upnp={upnp}"),
        format!("enable_natpmp={natpmp}"),
        "secure_mode=yes".into(),
        format!("lease_file={}", home.join("leases").display()),
        "uuid=00000000-0000-0000-0000-000000000001".into(),
        "upnp_table_name=miniupnpd".into(),
        "upnp_nat_table_name=miniupnpd".into(),
        "upnp_forward_chain=upnp_fwd".into(),
        "upnp_nat_chain=upnp_pre".into(),
        "upnp_nat_postrouting_chain=upnp_post".into(),
        "allow 1024-65535 10.1.0.0/24 1024-65535".into(),
        "deny 0-65535 0.0.0.0/0 0-65535".into(),
    ];
    let settings = home.join("miniupnpd.conf");
    fs::write(&settings, lines.join("\n") + "\n").context(|| "cannot write its settings")?;
    let mut process = Launch::new(PROGRAM, home)
        .args(["-d", "-f"])
        .arg(&settings)
        // One of the machine's own, or of another run, would keep it from starting.
        .arg("-P")
        .arg(home.join("pid"))
        .inside(network.router.id())
        .start()?;
    // Its port of UPnP is 1900, that of the others 5351.
    let listens = if only == Only::Upnp { ":1900 " } else { ":5351 " };
    deadline.poll("the gateway listens", || {
        process.must_live("it listens")?;
        let sockets = network.router.run("ss", &["-H", "-u", "-l", "-n"])?;
        Ok(sockets.contains(listens).then_some(()))
    })?;
    Ok(process)
}
