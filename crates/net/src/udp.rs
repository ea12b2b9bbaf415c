//! The node's UDP sockets: one a family, on the port that peers know it by where that is free.

use crate::binding::{Binding, Place, tie};
use mio::net::UdpSocket;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes that the kernel keeps of what was not read yet: a burst of answers to a lookup is 100 KB.
const RECEIVE_BYTES: usize = 512 * 1024;

/// One or two sockets, non-blocking.
#[derive(Debug)]
pub struct UdpSockets {
    /// IPv4, if the machine has it.
    pub v4: Option<UdpSocket>,
    /// IPv6, if the machine has it.
    pub v6: Option<UdpSocket>,
}

impl UdpSockets {
    /// Binds both families to `port`, and a family to any port if another program has that one, where
    /// `binding` leads.
    ///
    /// # Errors
    /// When there is neither family.
    pub fn bind(port: u16, binding: &Binding) -> io::Result<Self> {
        let place = binding.place()?;
        let bound = |any: IpAddr| {
            let place = place.as_ref();
            bind_one(any, port, place).or_else(|_| bind_one(any, 0, place))
        };
        let v4 = bound(Ipv4Addr::UNSPECIFIED.into());
        let v6 = bound(Ipv6Addr::UNSPECIFIED.into());
        match (v4, v6) {
            (Err(error), Err(_)) => Err(error),
            (v4, v6) => Ok(Self { v4: v4.ok(), v6: v6.ok() }),
        }
    }

    /// The port of the IPv4 socket, or of the other if there is none.
    pub fn port(&self) -> u16 {
        let address = self.v4.as_ref().or(self.v6.as_ref()).map(UdpSocket::local_addr);
        address.and_then(Result::ok).map_or(0, |address| address.port())
    }
}

fn bind_one(any: IpAddr, port: u16, place: Option<&Place>) -> io::Result<UdpSocket> {
    let ip = match place {
        None => any,
        Some(place) => place.address(any.is_ipv6()).ok_or(io::ErrorKind::AddrNotAvailable)?,
    };
    let address = SocketAddr::new(ip, port);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if let Some(place) = place {
        tie(&socket, place)?;
    }
    socket.set_nonblocking(true)?;
    // The system may grant less.
    let _ = socket.set_recv_buffer_size(RECEIVE_BYTES);
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_port_that_another_program_has_is_no_reason_to_have_none() {
        let first = UdpSockets::bind(0, &Binding::default()).unwrap();
        let second = UdpSockets::bind(first.port(), &Binding::default()).unwrap();
        assert_ne!(second.port(), first.port());
        assert_ne!(second.port(), 0);
    }
}
