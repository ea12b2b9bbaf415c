//! nginx as a web seed: it serves the folder of a payload, and nothing tells it that this is a torrent.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::failure::{Context as _, Failure, Outcome};
use crate::http;
use crate::netns::{free_port, public};
use crate::process::{Deadline, Launch, Process};

const PROGRAM: &str = "/usr/sbin/nginx";
/// As Debian calls it.
pub(crate) const PACKAGE: &str = "nginx-light";
const STOP_GRACE: Duration = Duration::from_secs(5);

/// The version of the package.
pub(crate) fn version() -> Outcome<String> {
    let home = tempfile::tempdir().context(|| "cannot make a temporary folder")?;
    let query = ["-W", "-f=${Version}", PACKAGE];
    let launch = Launch::new("dpkg-query", home.path()).args(query);
    Ok(launch.output(Deadline::after(STOP_GRACE))?.trim().to_owned())
}

/// A place for a server: its URL goes into torrents before it starts.
#[derive(Debug)]
pub(crate) struct Site(SocketAddr);

impl Site {
    /// Picks a free port of an address that counts as public: a torrent may not lead into private networks.
    pub(crate) fn choose() -> Outcome<Self> {
        Ok(Self(SocketAddr::new(public(), free_port(public())?)))
    }

    /// The URL of `path`, which is escaped already.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.0)
    }

    /// Starts the server for everything under `root`.
    pub(crate) fn start(self, root: &Path, home: &Path, deadline: Deadline) -> Outcome<Nginx> {
        let told = || "writing the server's settings";
        fs::create_dir_all(home).context(told)?;
        let settings = home.join("nginx.conf");
        fs::write(&settings, configuration(self.0, root, home)).context(told)?;
        let mut process = Launch::new(PROGRAM, home).arg("-c").arg(&settings).start()?;
        deadline.poll("nginx answers", || {
            process.must_live("it answers")?;
            Ok(http::get(self.0, "/no-such-file").ok().map(drop))
        })?;
        Ok(Nginx { process })
    }
}

/// Everything it writes goes to its own folder. Workers stay who started it: the namespace of somebody who is
/// not root knows nobody else.
fn configuration(listen: SocketAddr, root: &Path, home: &Path) -> String {
    let (root, home) = (root.display(), home.display());
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String =
        temporary.iter().map(|kind| format!("{kind}_temp_path {home}/{kind};\n")).collect();
    format!(
        "daemon off;\nuser root;\nworker_processes 1;\npid {home}/nginx.pid;\nerror_log stderr;\n\
         events {{}}\nhttp {{\naccess_log {home}/access.log;\n{temporary}\
         server {{ listen {listen}; root \"{root}\"; }}\n}}\n"
    )
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Nginx {
    process: Process,
}

impl Nginx {
    /// Ends it.
    pub(crate) fn stop(&mut self) -> Outcome<()> {
        match self.process.exited()? {
            Some(status) => Err(Failure::new(format!("nginx ended with {status}"))),
            None => self.process.terminate(STOP_GRACE).map(|_| ()),
        }
    }
}
