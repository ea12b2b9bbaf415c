//! The private network every run lives in: a namespace with `lo` and a cable that leads nowhere.
//!
//! Owns the addresses of the peers. Nothing in a run can reach, or be reached from, another machine
//! or another run. It must not know what the peers are.

use std::env;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::failure::{Context as _, Failure, Outcome};

/// Tells the second start of this program that it is inside the namespace.
const INSIDE: &str = "PIECEWORK_INTEROP_NETNS";

/// The ends of the cable. Programs announce themselves by multicast on the first, which `lo` does not
/// pass for all of them.
const CABLE: [&str; 2] = ["cable0", "cable1"];

/// Addresses on `lo`: `10.77.0.1` and `fd77::1`, and on the cable `10.78.0.1`, up to this last byte.
const HOST_MAX: u8 = 9;
/// Further addresses on `lo`, up to `10.77.0.32` and `fd77::20`, for those who are in a DHT and on no cable.
const NODE_MAX: u8 = 32;

/// One of the hosts of the private network, named by its last byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Host(u8);

impl Host {
    /// The client under test. It takes no address to bind, so it is also the one that every
    /// connection without a bound source address comes from.
    pub(crate) const SUBJECT: Self = Self(1);
    /// libtorrent.
    pub(crate) const LIBTORRENT: Self = Self(2);
    /// Transmission, which talks to no peer in 127/8 and to none at its own address.
    pub(crate) const TRANSMISSION: Self = Self(3);
    /// aria2.
    pub(crate) const ARIA2: Self = Self(4);
    /// opentracker.
    pub(crate) const OPENTRACKER: Self = Self(5);
    /// Whoever asks the DHT something for the harness.
    pub(crate) const ASKER: Self = Self(10);
    /// The nodes of a DHT.
    pub(crate) const DHT: [Self; 20] = {
        let mut hosts = [Self(11); 20];
        let mut index = 0;
        while index < hosts.len() {
            hosts[index].0 += index as u8;
            index += 1;
        }
        hosts
    };
    /// The crate mainline.
    pub(crate) const MAINLINE: Self = Self(31);
    /// npm's bittorrent-dht.
    pub(crate) const BITTORRENT_DHT: Self = Self(32);

    /// `10.77.0.N`.
    pub(crate) const fn v4(self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 77, 0, self.0))
    }

    /// `10.78.0.N`, on the cable.
    pub(crate) const fn on_cable(self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 78, 0, self.0))
    }

    /// `fd77::N`.
    pub(crate) const fn v6(self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, self.0 as u16))
    }
}

/// Starts this program again inside a new namespace, or sets the namespace up when already inside.
///
/// Comes back only inside; there it has to run once, before any peer starts.
pub(crate) fn enter() -> Outcome<()> {
    if env::var_os(INSIDE).is_some() {
        return set_up();
    }
    let program = env::current_exe().context(|| "cannot find this program's own file")?;
    let flags = if rustix::process::geteuid().is_root() { "-n" } else { "-rn" };
    let error = Command::new("unshare")
        .args([flags, "--"])
        .arg(program)
        .args(env::args_os().skip(1))
        .env(INSIDE, "1")
        .exec();
    Err(Failure::new(format!("cannot make a network namespace with unshare {flags}: {error}")))
}

fn set_up() -> Outcome<()> {
    ip("link set lo up")?;
    let [cable, end] = CABLE;
    ip(&format!("link add {cable} type veth peer name {end}"))?;
    ip(&format!("link set {end} up"))?;
    ip(&format!("link set {cable} up"))?;
    // For programs that do not choose the interface of a multicast.
    ip(&format!("route add 224.0.0.0/4 dev {cable}"))?;
    let (subject, subject_on_cable) = (Host::SUBJECT.v4(), Host::SUBJECT.on_cable());
    for host in (1..=NODE_MAX).map(Host) {
        ip(&format!("addr add {}/32 dev lo", host.v4()))?;
        // Our client binds no source address. On `lo` the kernel would give it the address it talks
        // to, and Transmission takes such a peer for itself.
        ip(&format!("route replace local {}/32 dev lo table local src {subject}", host.v4()))?;
        // A kernel without IPv6 loses the IPv6 cells alone; they fail with their own reason.
        if let Err(failure) = add_v6(host) {
            eprintln!("no {} on lo: {failure}", host.v6());
        }
    }
    for host in (1..=HOST_MAX).map(Host) {
        let on_cable = host.on_cable();
        ip(&format!("addr add {on_cable}/24 dev {cable}"))?;
        ip(&format!(
            "route replace local {on_cable}/32 dev {cable} table local src {subject_on_cable}"
        ))?;
    }
    ip(&format!("addr add {}/32 dev lo", public()))
}

/// The same for IPv6, where the kernel's own route has to go first.
fn add_v6(host: Host) -> Outcome<()> {
    let (address, subject) = (host.v6(), Host::SUBJECT.v6());
    ip(&format!("-6 addr add {address}/128 dev lo nodad"))?;
    if host == Host::SUBJECT {
        return Ok(());
    }
    ip(&format!("-6 route del local {address} dev lo table local"))?;
    ip(&format!("-6 route add local {address}/128 dev lo table local src {subject} metric 0"))
}

/// An address that counts as public: nobody has it (RFC 5737), so nobody is kept from it.
pub(crate) const fn public() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1))
}

fn ip(arguments: &str) -> Outcome<()> {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .context(|| "cannot run ip (package iproute2)")?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("ip {arguments}: {}", reason.trim())))
}

/// A port of `address` that is free for TCP and UDP, for programs that cannot bind port 0.
pub(crate) fn free_port(address: IpAddr) -> Outcome<u16> {
    for _ in 0..16 {
        let tcp = TcpListener::bind(SocketAddr::new(address, 0))
            .context(|| format!("cannot bind a port on {address}"))?;
        let port = tcp.local_addr().context(|| "a bound socket has no address")?.port();
        if UdpSocket::bind(SocketAddr::new(address, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Failure::new(format!("no port of {address} is free for both TCP and UDP")))
}
