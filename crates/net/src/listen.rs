//! Listening sockets: one port for IPv4 and IPv6, where either family may be absent.

use crate::binding::Binding;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Connections the kernel queues before we accept them.
const BACKLOG: i32 = 512;

/// Ports tried in order when none is given.
pub const DEFAULT_PORTS: std::ops::RangeInclusive<u16> = 6881..=6889;

/// Times a random port is tried for both families.
pub(crate) const RANDOM_TRIES_MAX: u32 = 16;

/// Which port to listen on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PortChoice {
    /// The first free one of [`DEFAULT_PORTS`], else any.
    #[default]
    Default,
    /// Any free port.
    Any,
    /// This one or none.
    Exactly(u16),
}

/// Nobody can reach us, and why.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The chosen port cannot be had.
    #[error(
        "cannot listen on port {port}: {source}; choose another with --port, or --port 0 for any"
    )]
    Port {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The chosen address cannot be had.
    #[error(
        "cannot listen on {address}: {source}; it has to be an address of this machine, and the port free"
    )]
    Address {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Neither IPv4 nor IPv6 works.
    #[error("cannot listen on any port: {0}; is there a network device that is up?")]
    NoFamily(io::Error),
}

/// The sockets, non-blocking, and their common port.
#[derive(Debug)]
pub struct Listeners {
    /// One or two sockets.
    pub sockets: Vec<std::net::TcpListener>,
    /// Their port.
    pub port: u16,
}

impl Listeners {
    /// Binds every available family to one port, where `binding` leads.
    ///
    /// # Errors
    /// When the given port is in use, or no family can be bound at all.
    pub fn bind(choice: PortChoice, binding: &Binding) -> Result<Self, ListenError> {
        match choice {
            PortChoice::Exactly(port) => {
                Self::both(port, binding).map_err(|source| ListenError::Port { port, source })
            }
            PortChoice::Default => {
                let mut ports = DEFAULT_PORTS;
                match ports.find_map(|port| Self::both(port, binding).ok()) {
                    Some(listeners) => Ok(listeners),
                    None => Self::any(binding),
                }
            }
            PortChoice::Any => Self::any(binding),
        }
    }

    /// No socket: nobody can reach us for now.
    pub const fn none(port: u16) -> Self {
        Self { sockets: Vec::new(), port }
    }

    fn any(binding: &Binding) -> Result<Self, ListenError> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for _ in 0..RANDOM_TRIES_MAX {
            match Self::both(0, binding) {
                Ok(listeners) => return Ok(listeners),
                Err(error) => last = error,
            }
        }
        Err(ListenError::NoFamily(last))
    }

    /// IPv4 first, then IPv6 on the same port. A missing family is no error, a taken port is one.
    fn both(port: u16, binding: &Binding) -> io::Result<Self> {
        let v4 = bind_one(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port, binding);
        let port = match &v4 {
            Ok(socket) => socket.local_addr()?.port(),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return v4.map(Self::single),
            Err(_) => port,
        };
        let v6 = bind_one(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port, binding);
        match (v4, v6) {
            (Ok(v4), Ok(v6)) => Ok(Self { sockets: vec![v4, v6], port }),
            (_, Err(error)) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
            (Ok(only), Err(_)) | (Err(_), Ok(only)) => Ok(Self::single(only)),
            (Err(error), Err(_)) => Err(error),
        }
    }

    fn single(socket: std::net::TcpListener) -> Self {
        let port = socket.local_addr().map_or(0, |address| address.port());
        Self { sockets: vec![socket], port }
    }
}

fn bind_one(any: IpAddr, port: u16, binding: &Binding) -> io::Result<std::net::TcpListener> {
    let place = binding.place()?;
    let ip = match &place {
        None => any,
        Some(place) => place.address(any.is_ipv6()).ok_or(io::ErrorKind::AddrNotAvailable)?,
    };
    let address = SocketAddr::new(ip, port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if let Some(place) = &place {
        crate::binding::tie(&socket, place)?;
    }
    // A port in TIME_WAIT is ours to take again; one that another process listens on is not.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Whoever is accepted has it from here.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_given_port_in_use_is_refused_and_any_port_is_found() {
        let first = Listeners::bind(PortChoice::Any, &Binding::default()).unwrap();
        assert!(first.port > 0);
        let second = Listeners::bind(PortChoice::Exactly(first.port), &Binding::default());
        assert!(matches!(second, Err(ListenError::Port { port, .. }) if port == first.port));
    }
}
