//! Sockets that the API listens on: those that systemd hands over, or those of the settings.

use crate::failure::{Context, Failure};
use listenfd::ListenFd;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// Sockets that are handed over at most.
const HANDED_MAX: usize = 64;

/// All sockets to serve on.
pub(crate) fn listen(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Failure> {
    let mut handed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..handed.len().min(HANDED_MAX) {
        let socket = handed.take_tcp_listener(index).context("the service manager's sockets")?;
        sockets.extend(socket);
    }
    if sockets.is_empty() {
        for address in addresses {
            let socket = TcpListener::bind(address).map_err(|error| {
                Failure::new(format!(
                    "cannot listen on {address}: {error}; choose another address with --listen, or by \
                     api.listen in the settings"
                ))
            })?;
            sockets.push(socket);
        }
    }
    for socket in &sockets {
        socket.set_nonblocking(true).context("cannot listen")?;
    }
    Ok(sockets)
}

/// Where a client on this machine reaches a socket.
pub(crate) fn url(socket: SocketAddr) -> String {
    let ip = match socket.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, socket.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_here_reaches_what_listens_everywhere() {
        for (socket, expected) in [
            ("0.0.0.0:1", "http://127.0.0.1:1"),
            ("[::]:1", "http://[::1]:1"),
            ("192.0.2.1:1", "http://192.0.2.1:1"),
        ] {
            assert_eq!(socket.parse().map(url), Ok(expected.into()));
        }
    }

    #[test]
    fn a_port_that_is_taken_is_told_with_what_to_do() {
        let taken = listen(&[([127, 0, 0, 1], 0).into()]).expect("a free port");
        let address = taken[0].local_addr().expect("its address");
        let failure = listen(&[address]).expect_err("one of two");
        assert!(failure.text.contains("--listen"), "{}", failure.text);
    }
}
