//! One socket a protocol and family, all on one port.

use super::TrackerPlace;
use crate::listen::{ListenError, RANDOM_TRIES_MAX};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

/// Connections that the kernel queues before they are accepted.
const BACKLOG: i32 = 512;

/// Bytes that the kernel keeps of what was not read yet: some thousand announces.
const RECEIVE_BYTES: usize = 1024 * 1024;

/// The sockets, non-blocking, and their common port.
pub(super) struct Sockets {
    pub(super) tcp: Vec<TcpListener>,
    pub(super) udp: Vec<UdpSocket>,
    pub(super) port: u16,
}

impl Sockets {
    pub(super) fn bind(place: TrackerPlace) -> Result<Self, ListenError> {
        if place.port != 0 {
            return Self::at(place).map_err(|source| match place.ip {
                None => ListenError::Port { port: place.port, source },
                Some(ip) => {
                    ListenError::Address { address: SocketAddr::new(ip, place.port), source }
                }
            });
        }
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for _ in 0..RANDOM_TRIES_MAX {
            match Self::at(place) {
                Ok(sockets) => return Ok(sockets),
                Err(error) => last = error,
            }
        }
        Err(match place.ip {
            None => ListenError::NoFamily(last),
            Some(ip) => ListenError::Address { address: SocketAddr::new(ip, 0), source: last },
        })
    }

    /// The first socket chooses the port, if it is to be any, and the others take the same. A missing family
    /// is no error, a taken port is one.
    fn at(TrackerPlace { ip, mut port }: TrackerPlace) -> io::Result<Self> {
        let both = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        let one = ip.map(|ip| [ip]);
        let (mut tcp, mut udp) = (Vec::new(), Vec::new());
        let mut missing = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for &ip in one.as_ref().map_or(&both[..], |one| &one[..]) {
            let listener = match listen(SocketAddr::new(ip, port)) {
                Ok(listener) => listener,
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
                Err(error) => {
                    missing = error;
                    continue;
                }
            };
            port = listener.local_addr()?.port();
            udp.push(datagrams(SocketAddr::new(ip, port))?);
            tcp.push(listener);
        }
        if tcp.is_empty() { Err(missing) } else { Ok(Self { tcp, udp, port }) }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A port in TIME_WAIT is ours to take again; one that another process listens on is not.
    socket.set_reuse_address(true)?;
    bind(&socket, address)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // The system may grant less.
    let _ = socket.set_recv_buffer_size(RECEIVE_BYTES);
    bind(&socket, address)?;
    Ok(socket.into())
}

fn bind(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())
}
