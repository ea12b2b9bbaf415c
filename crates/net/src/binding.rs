//! Sockets tied to one interface: what cannot leave by it does not leave.
//!
//! A socket is tied to the interface itself where the system lets us (Linux: to everybody since 5.7, before
//! that to who may use raw sockets), and to the interface's address always: the address alone would let the
//! routing table choose another way. When interface or address are gone, no socket is made. Names of hosts
//! are looked up by the system, which this does not reach.

use crate::interfaces::{Interface, interfaces};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What our sockets are tied to; by default to nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Binding {
    interface: Option<String>,
    address: Option<IpAddr>,
}

/// Where a [`Binding`] leads at the moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The interface, and its number: an interface that went and came is another one.
    pub interface: String,
    pub(crate) index: u32,
    /// The address that IPv4 leaves from.
    pub v4: Option<IpAddr>,
    /// The address that IPv6 leaves from.
    pub v6: Option<IpAddr>,
}

impl Place {
    /// The address for one family.
    pub fn address(&self, is_v6: bool) -> Option<IpAddr> {
        if is_v6 { self.v6 } else { self.v4 }
    }
}

/// Why nothing may be sent.
#[derive(Debug, thiserror::Error)]
pub enum BindingError {
    /// The interface is not there or off.
    #[error("there is no interface {0} that is up")]
    NoInterface(String),
    /// It has no address, or not the wanted one.
    #[error("interface {0} has no address")]
    NoAddress(String),
    /// No interface has the address.
    #[error("no interface that is up has the address {0}")]
    AddressElsewhere(IpAddr),
    /// There is no address of this family.
    #[error("interface {interface} has no {family} address")]
    NoFamily {
        /// The interface.
        interface: String,
        /// IPv4 or IPv6.
        family: &'static str,
    },
    /// The system does not tell.
    #[error("cannot look at the network interfaces: {0}")]
    System(#[from] io::Error),
}

impl From<BindingError> for io::Error {
    fn from(error: BindingError) -> Self {
        Self::new(io::ErrorKind::AddrNotAvailable, error)
    }
}

impl Binding {
    /// To this interface, to this address, or to both.
    pub const fn new(interface: Option<String>, address: Option<IpAddr>) -> Self {
        Self { interface, address }
    }

    /// Whether sockets are tied to nothing.
    pub const fn is_free(&self) -> bool {
        self.interface.is_none() && self.address.is_none()
    }

    /// The interface that was asked for by name.
    pub fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
    }

    /// Where it leads now; `None` if to nothing.
    ///
    /// # Errors
    /// When nothing may be sent.
    pub fn place(&self) -> Result<Option<Place>, BindingError> {
        if self.is_free() { Ok(None) } else { self.find(&interfaces()?).map(Some) }
    }

    fn find(&self, all: &[Interface]) -> Result<Place, BindingError> {
        let mut up = all.iter().filter(|interface| interface.is_up);
        let found = match (&self.interface, self.address) {
            (Some(name), _) => up.find(|it| it.name == *name),
            (None, Some(ip)) => up.find(|it| it.addresses.contains(&ip)),
            (None, None) => None,
        };
        let Some(found) = found else {
            return Err(match (&self.interface, self.address) {
                (None, Some(ip)) => BindingError::AddressElsewhere(ip),
                (name, _) => BindingError::NoInterface(name.clone().unwrap_or_default()),
            });
        };
        let (v4, v6) = match self.address {
            None => (found.address(false), found.address(true)),
            Some(ip) if !found.addresses.contains(&ip) => {
                return Err(BindingError::AddressElsewhere(ip));
            }
            Some(ip) => (Some(ip).filter(IpAddr::is_ipv4), Some(ip).filter(IpAddr::is_ipv6)),
        };
        if v4.is_none() && v6.is_none() {
            return Err(BindingError::NoAddress(found.name.clone()));
        }
        let index = nix::net::if_::if_nametoindex(found.name.as_str()).unwrap_or_default();
        Ok(Place { interface: found.name.clone(), index, v4, v6 })
    }

    /// A socket for this address and kind, non-blocking, tied and with its own address, at `port` of ours.
    ///
    /// # Errors
    /// When nothing may be sent, or the system gives no socket.
    pub fn socket(&self, to: SocketAddr, kind: Type, port: u16) -> io::Result<Socket> {
        let protocol = if kind == Type::STREAM { Protocol::TCP } else { Protocol::UDP };
        let socket = Socket::new(Domain::for_address(to), kind, Some(protocol))?;
        socket.set_nonblocking(true)?;
        if let Some(place) = self.place()? {
            tie(&socket, &place)?;
            let family = if to.is_ipv6() { "IPv6" } else { "IPv4" };
            let ip = place.address(to.is_ipv6()).ok_or_else(|| BindingError::NoFamily {
                interface: place.interface.clone(),
                family,
            })?;
            socket.bind(&SocketAddr::new(ip, port).into())?;
        }
        Ok(socket)
    }

    /// Begins a connection; it is there, or has failed, when the socket can be written.
    ///
    /// # Errors
    /// When nothing may be sent, or there is no way to `to`.
    pub fn connect(&self, to: SocketAddr) -> io::Result<mio::net::TcpStream> {
        if self.is_free() {
            return mio::net::TcpStream::connect(to);
        }
        let socket = self.socket(to, Type::STREAM, 0)?;
        match socket.connect(&to.into()) {
            Err(error) if !is_under_way(&error) => Err(error),
            Ok(()) | Err(_) => Ok(mio::net::TcpStream::from_std(socket.into())),
        }
    }

    /// A UDP socket that talks to nobody else than `to`. Needs a tokio runtime.
    ///
    /// # Errors
    /// As for [`Self::connect`].
    pub(crate) fn datagrams(&self, to: SocketAddr) -> io::Result<tokio::net::UdpSocket> {
        let socket = self.socket(to, Type::DGRAM, 0)?;
        socket.connect(&to.into())?;
        tokio::net::UdpSocket::from_std(socket.into())
    }

    /// An HTTP client whose connections are tied to `place`, or free if there is none. It must be made anew
    /// once the place is another. At most `redirects` are followed.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn http(
        place: Option<&Place>,
        builder: reqwest::ClientBuilder,
        redirects: usize,
    ) -> reqwest::Result<reqwest::Client> {
        if place.is_none() {
            return builder.redirect(reqwest::redirect::Policy::limited(redirects)).build();
        }
        let (mut builder, v6) = Self::tie_http(place, builder);
        if v6.is_some() {
            builder = builder.dns_resolver(OneFamily(v6));
        }
        let policy = reqwest::redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > redirects {
                attempt.error("too many redirects")
            } else if !suits(attempt.url().host_str(), v6) {
                attempt.error("the interface has no address for this redirect")
            } else {
                attempt.follow()
            }
        });
        builder.redirect(policy).build()
    }

    /// Ties the connections of a client to `place`. Redirects and look-ups are the caller's part: with a
    /// family (whether it is IPv6), the client must be sent to addresses of that one only.
    pub(crate) fn tie_http(
        place: Option<&Place>,
        builder: reqwest::ClientBuilder,
    ) -> (reqwest::ClientBuilder, Option<bool>) {
        let Some(place) = place else { return (builder, None) };
        let may_tie = may_tie(place);
        let only = match (place.v4, place.v6) {
            // The interface chooses its address itself.
            (Some(_), Some(_)) if may_tie => None,
            (v4, v6) => v4.or(v6),
        };
        let mut builder = builder.local_address(only);
        if may_tie {
            builder = builder.interface(&place.interface);
        }
        // A proxy of the environment may be on another network; it is not asked. A client with an address
        // of one family would leave the other to the routing table.
        (builder.no_proxy(), only.map(|ip| ip.is_ipv6()))
    }

    /// Whether a client of [`Self::http`] may be sent to this host: a name, or an address of a family that
    /// the place has.
    pub fn suits(place: Option<&Place>, host: Option<&str>) -> bool {
        let v6 = place.and_then(|place| match (place.v4, place.v6) {
            (Some(_), Some(_)) if may_tie(place) => None,
            (v4, v6) => v4.or(v6).map(|ip| ip.is_ipv6()),
        });
        suits(host, v6)
    }
}

/// Whether this host is a name, or an address of the family.
pub(crate) fn suits(host: Option<&str>, v6: Option<bool>) -> bool {
    let literal = host.map(|host| host.trim_start_matches('[').trim_end_matches(']'));
    let literal = literal.and_then(|host| host.parse::<IpAddr>().ok());
    match (literal, v6) {
        (Some(ip), Some(v6)) => ip.is_ipv6() == v6,
        _ => true,
    }
}

/// Looks names up as the system does, and keeps the addresses of one family.
struct OneFamily(Option<bool>);

impl reqwest::dns::Resolve for OneFamily {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let v6 = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let kept: Vec<SocketAddr> =
                found.filter(|it| v6.is_none_or(|v6| it.is_ipv6() == v6)).collect();
            if kept.is_empty() {
                return Err("no address of a family that the interface has".into());
            }
            Ok(Box::new(kept.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// Ties a socket to the interface, unless the system reserves that for others.
pub(crate) fn tie(socket: &Socket, place: &Place) -> io::Result<()> {
    match socket.bind_device(Some(place.interface.as_bytes())) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

/// Whether the system lets us tie sockets to the interface itself.
pub(crate) fn may_tie(place: &Place) -> bool {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None);
    let socket = socket.or_else(|_| Socket::new(Domain::IPV6, Type::DGRAM, None));
    socket.is_ok_and(|socket| socket.bind_device(Some(place.interface.as_bytes())).is_ok())
}

fn is_under_way(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errno = Errno::from_io_error(error);
    errno == Some(Errno::INPROGRESS) || error.kind() == io::ErrorKind::WouldBlock
}

/// How often a binding should be looked at.
pub(crate) const LOOK_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn interface(name: &str, addresses: &[&str]) -> Interface {
        Interface {
            name: name.into(),
            is_up: true,
            is_loopback: false,
            addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
        }
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_interface_is_used_with_its_own_addresses_only() {
        let all = [
            interface("eth0", &["192.168.1.7", "fe80::1", "2a00::7"]),
            interface("wg0", &["10.2.0.2"]),
        ];
        let place = Binding::new(Some("wg0".into()), None).find(&all).unwrap();
        assert_eq!((place.v4, place.v6), (ip("10.2.0.2"), None));
        let place = Binding::new(Some("eth0".into()), None).find(&all).unwrap();
        assert_eq!(place.v6, ip("2a00::7"), "the one that reaches furthest");
        let place = Binding::new(None, ip("192.168.1.7")).find(&all).unwrap();
        assert_eq!((place.interface.as_str(), place.v6), ("eth0", None));
    }

    #[test]
    fn what_is_gone_is_not_replaced_by_anything() {
        let mut all = vec![interface("eth0", &["192.168.1.7"]), interface("wg0", &[])];
        let find = |binding: Binding, all: &[Interface]| binding.find(all).unwrap_err().to_string();
        let wg0 = || Binding::new(Some("wg0".into()), None);
        assert_eq!(find(wg0(), &all), "interface wg0 has no address");
        all[1].is_up = false;
        assert_eq!(find(wg0(), &all), "there is no interface wg0 that is up");
        let both = Binding::new(Some("eth0".into()), ip("10.9.9.9"));
        assert_eq!(find(both, &all), "no interface that is up has the address 10.9.9.9");
        let nowhere = Binding::new(None, ip("10.9.9.9"));
        assert_eq!(find(nowhere, &all), "no interface that is up has the address 10.9.9.9");
        let missing = Binding::new(Some("piecework-none".into()), None);
        assert!(missing.connect(([127, 0, 0, 1], 9).into()).is_err());
    }

    #[test]
    fn an_address_of_a_family_without_one_is_not_asked() {
        assert!(suits(Some("example.org"), Some(false)) && suits(Some("10.0.0.1"), Some(false)));
        assert!(!suits(Some("[2a00::1]"), Some(false)) && !suits(Some("10.0.0.1"), Some(true)));
        assert!(suits(Some("[2a00::1]"), None));
    }

    #[test]
    fn a_connection_from_the_loopback_address_stays_there() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let binding = Binding::new(None, ip("127.0.0.1"));
        let stream = binding.connect(listener.local_addr().unwrap()).unwrap();
        let (_, from) = listener.accept().unwrap();
        assert_eq!(from.ip(), ip("127.0.0.1").unwrap());
        assert_eq!(stream.local_addr().unwrap(), from);
    }
}
