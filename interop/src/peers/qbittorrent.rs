//! qbittorrent-nox 4.5, told what to do over its web API on loopback.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::failure::{Context as _, Failure, Outcome};
use crate::http;
use crate::netns::free_port;
use crate::process::{Deadline, Launch, Process};

const PROGRAM: &str = "qbittorrent-nox";
const STOP_GRACE: Duration = Duration::from_secs(20);
/// Who may log in as long as nobody says otherwise; versions from 4.6 make a password of their own.
pub(crate) const USER: &str = "admin";
/// With which password.
pub(crate) const PASSWORD: &str = "adminadmin";
/// Between the fields of a form; no field or torrent here has it.
const BOUNDARY: &str = "piecework-interop-form";

/// The version of the program.
pub(crate) fn version() -> Outcome<String> {
    let home = tempfile::tempdir().context(|| "cannot make a temporary folder")?;
    let launch = Launch::new(PROGRAM, home.path()).arg("--version");
    let printed = launch.output(Deadline::after(Duration::from_secs(5)))?;
    Ok(printed.split_whitespace().last().unwrap_or("unknown").trim_start_matches('v').to_owned())
}

/// A running qbittorrent-nox that somebody has logged in to.
#[derive(Debug)]
pub(crate) struct Qbittorrent {
    process: Process,
    /// Where its web API is.
    pub(crate) web: SocketAddr,
    cookie: String,
}

impl Qbittorrent {
    /// Starts one that has never run, with its profile in `home`.
    pub(crate) fn start(home: &Path, deadline: Deadline) -> Outcome<Self> {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (web, peers) = (free_port(loopback)?, free_port(loopback)?);
        let web = SocketAddr::new(loopback, web);
        let config: PathBuf = home.join("qBittorrent/config");
        let told = || "writing qBittorrent's settings";
        fs::create_dir_all(&config).context(told)?;
        fs::write(config.join("qBittorrent.conf"), settings(web, peers)).context(told)?;
        let profile = format!("--profile={}", home.display());
        let process = Launch::new(PROGRAM, home).arg(profile).start()?;
        let mut started = Self { process, web, cookie: String::new() };
        let login = [("username", USER), ("password", PASSWORD)];
        let answer = deadline.poll("qBittorrent answers", || {
            started.process.must_live("its web API answers")?;
            Ok(started.post("auth/login", &login, None).ok())
        })?;
        let cookie = answer.header("Set-Cookie").and_then(|cookie| cookie.split(';').next());
        let cookie = cookie.ok_or_else(|| Failure::new("qBittorrent lets nobody in"))?;
        started.cookie = format!("Cookie: {cookie}\r\n");
        Ok(started)
    }

    /// Has it do something, with the torrent file that it is about, if there is one.
    pub(crate) fn call(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        torrent: Option<&Path>,
    ) -> Outcome<Vec<u8>> {
        let torrent =
            torrent.map(|path| fs::read(path).context(|| "reading a torrent")).transpose()?;
        let answer = self.post(path, fields, torrent.as_deref())?;
        if answer.status == 200 && answer.body != b"Fails." {
            return Ok(answer.body);
        }
        let said = String::from_utf8_lossy(&answer.body);
        Err(Failure::new(format!("qBittorrent refuses {path}: {} {said}", answer.status)))
    }

    /// What it says of its torrents.
    pub(crate) fn torrents(&self) -> Outcome<Vec<Value>> {
        // A form of no fields is none to it.
        let said = self.call("torrents/info", &[("filter", "all")], None)?;
        serde_json::from_slice(&said).context(|| "qBittorrent's list")
    }

    /// What it says of the files of one.
    pub(crate) fn files(&self, hash: &str) -> Outcome<Vec<Value>> {
        let said = self.call("torrents/files", &[("hash", hash)], None)?;
        serde_json::from_slice(&said).context(|| "qBittorrent's list of files")
    }

    fn post(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        torrent: Option<&[u8]>,
    ) -> Outcome<http::Answer> {
        let kind = format!("Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n");
        let headers = format!("{kind}{}", self.cookie);
        http::post_bytes(self.web, &format!("/api/v2/{path}"), &headers, &form(fields, torrent))
    }

    /// Ends it, by which it writes down what it holds.
    pub(crate) fn stop(&mut self) -> Outcome<()> {
        let status = self.process.terminate(STOP_GRACE)?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("qBittorrent ended with {status}")))
    }
}

fn settings(web: SocketAddr, peers: u16) -> String {
    format!(
        "[LegalNotice]\nAccepted=true\n\n[Network]\nPortForwardingEnabled=false\n\n\
         [Preferences]\nWebUI\\Address={}\nWebUI\\Port={}\n\n\
         [BitTorrent]\nSession\\Port={peers}\nSession\\DHTEnabled=false\nSession\\LSDEnabled=false\n\
         Session\\Interface=lo\n",
        web.ip(),
        web.port()
    )
}

/// A form of all fields and, as the last, a torrent.
fn form(fields: &[(&str, &str)], torrent: Option<&[u8]>) -> Vec<u8> {
    let mut body = Vec::new();
    let mut part = |head: &str, content: &[u8]| {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name={head}\r\n\r\n");
        body.extend([head.as_bytes(), content, b"\r\n"].concat());
    };
    for (name, value) in fields {
        part(&format!("\"{name}\""), value.as_bytes());
    }
    if let Some(torrent) = torrent {
        let kind = "Content-Type: application/x-bittorrent";
        part(&format!("\"torrents\"; filename=\"one.torrent\"\r\n{kind}"), torrent);
    }
    body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_its_fields_and_the_torrent_as_a_file() {
        let body = form(&[("paused", "true")], Some(b"d\r\ne"));
        let expected = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"paused\"\r\n\r\ntrue\r\n\
             --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"torrents\"; \
             filename=\"one.torrent\"\r\nContent-Type: application/x-bittorrent\r\n\r\nd\r\ne\r\n\
             --{BOUNDARY}--\r\n"
        );
        assert_eq!(body, expected.into_bytes());
    }
}
