//! What systemd is told: ready, stopping, still alive (sd_notify(3)).

use std::env;
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager, if one wants to hear.
#[derive(Debug)]
pub(crate) struct Notify {
    socket: Option<(UnixDatagram, SocketAddr)>,
    interval: Option<Duration>,
}

impl Notify {
    /// Whoever the environment names.
    pub(crate) fn from_environment() -> Self {
        let socket = env::var_os("NOTIFY_SOCKET")
            .and_then(|name| address(&name))
            .and_then(|address| Some((UnixDatagram::unbound().ok()?, address)));
        let text = |name| env::var(name).ok();
        let interval = watchdog(text("WATCHDOG_USEC"), text("WATCHDOG_PID"), std::process::id());
        Self { socket, interval }
    }

    /// The daemon serves; `status` is shown by `systemctl status`.
    pub(crate) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", status.replace('\n', " ")));
    }

    /// The daemon is ending.
    pub(crate) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// The daemon is alive.
    pub(crate) fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// How often to say so, if at all: twice in the time after which we would be restarted.
    pub(crate) const fn interval(&self) -> Option<Duration> {
        self.interval
    }

    fn send(&self, text: &str) {
        if let Some((socket, address)) = &self.socket {
            // Nothing can be done about a service manager that does not listen.
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}

/// A path, or a name of Linux's abstract sockets behind an `@`.
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        _ => None,
    }
}

fn watchdog(micros: Option<String>, process: Option<String>, ours: u32) -> Option<Duration> {
    let is_ours = process.is_none_or(|process| process.parse() == Ok(ours));
    let micros: u64 = micros?.parse().ok().filter(|micros| *micros > 0 && is_ours)?;
    Some(Duration::from_micros(micros / 2))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_service_manager_hears_at_a_path_and_at_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("piecework-test-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        for (listener, given) in [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (UnixDatagram::bind_addr(&abstract_name).unwrap(), format!("@{name}").into()),
        ] {
            let socket = Some((UnixDatagram::unbound().unwrap(), address(&given).unwrap()));
            Notify { socket, interval: None }.ready("up\nand well");
            let mut text = [0; 100];
            let count = listener.recv(&mut text).unwrap();
            assert_eq!(&text[..count], b"READY=1\nSTATUS=up and well");
        }
    }

    #[test]
    fn the_watchdog_is_fed_twice_in_its_time_if_it_means_us() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(watchdog(text("2000000"), None, 7), Some(Duration::from_secs(1)));
        assert_eq!(watchdog(text("2000000"), text("7"), 7), Some(Duration::from_secs(1)));
        assert_eq!(watchdog(text("2000000"), text("8"), 7), None);
        assert_eq!(watchdog(text("0"), None, 7), None);
        assert_eq!(watchdog(None, None, 7), None);
    }
}
