//! opentracker as Debian builds it: HTTP and UDP on one port, only for torrents of a whitelist, and
//! never as root. A tracker of ours can take its place.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::failure::{Context as _, Failure, Outcome};
use crate::http;
use crate::netns::{Host, free_port};
use crate::peers::ours::Ours;
use crate::process::{Deadline, Launch, Process};
use crate::torrent::Torrent;

const PROGRAM: &str = "opentracker";
const STOP_GRACE: Duration = Duration::from_secs(5);

/// The version of the package: the program has none.
pub(crate) fn version() -> Outcome<String> {
    let home = tempfile::tempdir().context(|| "cannot make a temporary folder")?;
    let query = ["-W", "-f=${Version}", PROGRAM];
    let launch = Launch::new("dpkg-query", home.path()).args(query);
    Ok(launch.output(Deadline::after(STOP_GRACE))?.trim().to_owned())
}

/// How a client talks to the tracker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scheme {
    /// BEP 3, 23.
    Http,
    /// BEP 15.
    Udp,
}

impl Scheme {
    /// The scheme of the URL.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Udp => "udp",
        }
    }
}

/// A place for a tracker: its URL goes into torrents before it starts, since only then are the
/// info-hashes known that it is to allow.
#[derive(Debug)]
pub(crate) struct Site(SocketAddr);

impl Site {
    /// Picks a free port.
    pub(crate) fn choose() -> Outcome<Self> {
        let ip = Host::OPENTRACKER.v4();
        Ok(Self(SocketAddr::new(ip, free_port(ip)?)))
    }

    /// The announce URL.
    pub(crate) fn url(&self, scheme: Scheme) -> String {
        format!("{}://{}/announce", scheme.name(), self.0)
    }

    /// Starts the tracker for one torrent.
    pub(crate) fn start(
        self,
        torrent: &Torrent,
        home: &Path,
        deadline: Deadline,
    ) -> Outcome<Tracker> {
        let told = || "writing the tracker's whitelist";
        fs::create_dir_all(home).context(told)?;
        let hashes = torrent.tracker_hashes().join("\n");
        fs::write(home.join("whitelist"), hashes + "\n").context(told)?;
        let port = self.0.port().to_string();
        let mut process = Launch::new(PROGRAM, home)
            .args(["-i", &self.0.ip().to_string(), "-p", &port, "-P", &port])
            .arg("-d")
            .arg(home)
            .args(["-w", "whitelist"])
            .unprivileged()
            .start()?;
        deadline.poll("the tracker answers", || {
            process.must_live("it answers")?;
            Ok(http::get(self.0, "/scrape").ok().map(drop))
        })?;
        Ok(Tracker { process, address: self.0 })
    }

    /// Starts a tracker of ours in its place, for one torrent.
    pub(crate) fn start_ours(
        self,
        ours: &Ours,
        torrent: &Torrent,
        home: &Path,
        deadline: Deadline,
    ) -> Outcome<Tracker> {
        let list = home.join("list");
        fs::write(&list, torrent.tracker_hashes().join("\n"))
            .context(|| "writing the tracker's list")?;
        let mut process = ours.tracker(self.0, &list, home).start()?;
        process.wait_line("READY of our tracker", deadline, |line| {
            let is_ready = line.text == format!("READY tracker {}", self.0.port());
            Ok(is_ready.then_some(()))
        })?;
        Ok(Tracker { process, address: self.0 })
    }
}

/// A running tracker, whoever wrote it.
#[derive(Debug)]
pub(crate) struct Tracker {
    process: Process,
    address: SocketAddr,
}

impl Tracker {
    /// Waits until `seeds` complete peers have announced themselves.
    pub(crate) fn wait_seeds(
        &mut self,
        torrent: &Torrent,
        seeds: u64,
        deadline: Deadline,
    ) -> Outcome<()> {
        self.wait_count("complete", torrent, seeds, deadline)
    }

    /// Waits until `downloads` peers have told that they are complete.
    pub(crate) fn wait_downloads(
        &mut self,
        torrent: &Torrent,
        downloads: u64,
        deadline: Deadline,
    ) -> Outcome<()> {
        self.wait_count("downloaded", torrent, downloads, deadline)
    }

    fn wait_count(
        &mut self,
        key: &str,
        torrent: &Torrent,
        wanted: u64,
        deadline: Deadline,
    ) -> Outcome<()> {
        let hash = torrent.tracker_hashes().first().copied().unwrap_or_default().to_owned();
        let path = format!("/scrape?info_hash={}", percent(&hash));
        let what = format!("the tracker counts {wanted} as {key}");
        deadline.poll(&what, || {
            self.process.must_live("it counts them")?;
            let answer = http::get(self.address, &path)?;
            Ok(count(key, &answer.body).filter(|count| *count >= wanted).map(drop))
        })
    }

    /// Ends it.
    pub(crate) fn stop(&mut self) -> Outcome<()> {
        match self.process.exited()? {
            Some(status) => Err(Failure::new(format!("the tracker ended with {status}"))),
            None => self.process.terminate(STOP_GRACE).map(|_| ()),
        }
    }
}

fn percent(hex: &str) -> String {
    let digits: Vec<char> = hex.chars().collect();
    digits
        .chunks(2)
        .map(|pair| pair.iter().fold("%".to_owned(), |s, c| s + &c.to_string()))
        .collect()
}

/// A number of a scrape answer (BEP 48).
fn count(key: &str, body: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(body);
    let (_, after) = text.split_once(&format!("{}:{key}i", key.len()))?;
    after.split_once('e')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_answer_tells_the_seeds() {
        let body =
            b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei3e10:downloadedi0e10:incompletei1eeee";
        assert_eq!((count("complete", body), count("downloaded", body)), (Some(3), Some(0)));
        assert_eq!(count("complete", b"d5:filesdee"), None);
    }

    #[test]
    fn a_hash_is_escaped_byte_by_byte() {
        assert_eq!(percent("00aff1"), "%00%af%f1");
    }
}
