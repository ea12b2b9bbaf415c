//! The real binary in folders of its own: started, watched, signalled and never left behind.

use crate::fixture::Fixture;
use crate::patience::{PATIENCE, Watched};
use rustix::process::{Pid, kill_process};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use rustix::process::Signal;

/// Lines of a stream that are kept; more would mean a flood.
const LINES_MAX: usize = 100_000;

/// Folders for one test: downloads, state and torrents, and the binary to run in them.
#[derive(Debug)]
pub struct Sandbox {
    binary: PathBuf,
    folder: tempfile::TempDir,
}

impl Sandbox {
    /// Fresh folders for this binary.
    ///
    /// # Panics
    /// When the system gives no temporary folder.
    pub fn new(binary: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { binary: binary.into(), folder }
    }

    /// The whole of it; removed on drop.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Parent folder of downloads, `--dir`. Does not exist from the start.
    pub fn dir(&self) -> PathBuf {
        self.root().join("data")
    }

    /// Folder for resume data, `--state`.
    pub fn state(&self) -> PathBuf {
        self.root().join("state")
    }

    /// Writes the torrent file and gives its path.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn torrent(&self, fixture: &Fixture) -> PathBuf {
        let folder = self.root().join("torrents");
        fixture.write_torrent(&folder).expect("the temporary folder can be written")
    }

    /// The binary with these arguments, state and nothing of the user's.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .arg("--state")
            .arg(self.state())
            .current_dir(self.root())
            .env("HOME", self.root())
            .env_remove("XDG_STATE_HOME")
            // A test talks to nobody outside of this machine.
            .env("PIECEWORK_NO_DHT", "true")
            .env("PIECEWORK_NO_PORT_MAPPING", "true")
            .env_remove("RUST_LOG");
        command
    }

    /// The binary for the daemon of this data folder, as `up` or as its client.
    pub fn daemon<A: AsRef<OsStr>>(
        &self,
        data: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = self.command(arguments);
        command.env("PIECEWORK_DATA_DIR", data);
        for name in [
            "NOTIFY_SOCKET",
            "PIECEWORK_CONFIG",
            "PIECEWORK_KEY",
            "PIECEWORK_URL",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_DOWNLOAD_DIR",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// `up` on this data folder, heard by nobody but this machine, however full its drives are.
    pub fn up(&self, data: &Path) -> Command {
        let mut command = self.daemon(data, ["up", "--json", "--listen", "127.0.0.1:0"]);
        for setting in [
            "net.port=0",
            "net.local_discovery=false",
            "net.trust_peers=true",
            "disk.free_space_min=0",
        ] {
            command.args(["--set", setting]);
        }
        command
    }

    /// `get SOURCE` into [`Self::dir`] at a port that the system chooses.
    pub fn get(&self, source: impl AsRef<OsStr>, peers: &[SocketAddr]) -> Command {
        self.active("get", Some(source.as_ref()), peers)
    }

    /// `seed SOURCE` from [`Self::dir`] at a port that the system chooses.
    pub fn seed(&self, source: impl AsRef<OsStr>, peers: &[SocketAddr]) -> Command {
        self.active("seed", Some(source.as_ref()), peers)
    }

    /// `seed --torrents-dir FOLDER`.
    pub fn seed_folder(&self, folder: &Path) -> Command {
        let mut command = self.active("seed", None, &[]);
        command.arg("--torrents-dir").arg(folder);
        command
    }

    fn active(&self, name: &str, source: Option<&OsStr>, peers: &[SocketAddr]) -> Command {
        let mut command = self.command([name]);
        command.args(source).arg("--dir").arg(self.dir()).args(["--port", "0"]);
        // Tests are not to be heard in the network of whoever runs them.
        command.arg("--no-local-discovery");
        for peer in peers {
            command.arg("--peer").arg(peer.to_string());
        }
        command
    }
}

#[derive(Debug, Default)]
struct Printed {
    lines: Vec<String>,
    is_closed: bool,
}

/// A process of the binary. Killed on drop if it still runs.
#[derive(Debug)]
pub struct Run {
    child: Child,
    stdout: Watched<Printed>,
    stderr: Watched<Printed>,
    threads: Vec<JoinHandle<()>>,
}

impl Run {
    /// Starts the command and follows what it prints.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary can be started");
        let (stdout, stderr) = (Watched::new(Printed::default()), Watched::new(Printed::default()));
        let mut threads = Vec::new();
        if let Some(pipe) = child.stdout.take() {
            threads.push(follow(pipe, &stdout));
        }
        if let Some(pipe) = child.stderr.take() {
            threads.push(follow(pipe, &stderr));
        }
        Self { child, stdout, stderr, threads }
    }

    /// Starts the command with a stdout that nobody reads: the first write to it fails.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_unread(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary can be started");
        drop(child.stdout.take());
        let stderr = Watched::new(Printed::default());
        let threads = child.stderr.take().map(|pipe| follow(pipe, &stderr)).into_iter().collect();
        let stdout = Watched::new(Printed { lines: Vec::new(), is_closed: true });
        Self { child, stdout, stderr, threads }
    }

    /// The lines on stdout so far.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.look(|printed| printed.lines.clone())
    }

    /// The lines on stderr so far, as one text.
    pub fn stderr(&self) -> String {
        self.stderr.look(|printed| printed.lines.join("\n"))
    }

    /// Waits for a line on stdout that begins so, and gives it.
    ///
    /// # Panics
    /// After [`PATIENCE`], or when stdout ends without it; with all that was printed.
    pub fn wait_stdout(&self, start: &str) -> String {
        self.wait_for(&self.stdout, start, |line| line.starts_with(start))
    }

    /// Waits until so many lines on stdout begin so.
    ///
    /// # Panics
    /// After [`PATIENCE`], with all that was printed.
    pub fn wait_stdout_times(&self, start: &str, times: usize) {
        let found = self.stdout.wait(PATIENCE, |printed| {
            let lines = printed.lines.iter().filter(|line| line.starts_with(start));
            (lines.count() >= times).then_some(())
        });
        assert!(found.is_some(), "not {times} times {start:?}\n{}", self.report());
    }

    /// Waits for a line on stderr that contains this text, and gives it.
    ///
    /// # Panics
    /// After [`PATIENCE`], or when stderr ends without it; with all that was printed.
    pub fn wait_stderr(&self, text: &str) -> String {
        self.wait_for(&self.stderr, text, |line| line.contains(text))
    }

    /// Waits for a JSON object on stdout that `is_it` likes, as printed under `--json`, and gives it.
    ///
    /// # Panics
    /// As [`Self::wait_stdout`].
    pub fn wait_object(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let read = |line: &str| serde_json::from_str(line).ok().filter(&is_it);
        let line = self.wait_for(&self.stdout, what, |line| read(line).is_some());
        read(&line).expect("it was read before")
    }

    /// Waits, under `--json`, until so many pieces are stored.
    ///
    /// # Panics
    /// As [`Self::wait_stdout`].
    pub fn wait_pieces(&self, pieces: u64) {
        self.wait_object("stored pieces", |object| {
            object["have"].as_u64().is_some_and(|have| have >= pieces)
        });
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn wait_for(
        &self,
        printed: &Watched<Printed>,
        what: &str,
        is_it: impl Fn(&str) -> bool,
    ) -> String {
        let found = printed.wait(PATIENCE, |printed| {
            let line = printed.lines.iter().find(|line| is_it(line)).cloned();
            if line.is_none() && !printed.is_closed { None } else { Some(line) }
        });
        found.flatten().unwrap_or_else(|| panic!("waited in vain for {what:?}\n{}", self.report()))
    }

    /// Waits for `READY`, in either form, and gives the address to connect to.
    ///
    /// # Panics
    /// As [`Self::wait_stdout`].
    pub fn wait_ready(&self) -> SocketAddr {
        let line = self.wait_for(&self.stdout, "READY", |line| ready_port(line).is_some());
        (Ipv4Addr::LOCALHOST, ready_port(&line).expect("it was read before")).into()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the process has ended and been waited for.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the process is there until it is waited for");
    }

    /// Waits for the end and gives the exit status.
    ///
    /// # Panics
    /// After [`PATIENCE`], and when a signal ended the process.
    pub fn wait(&mut self) -> i32 {
        self.wait_within(PATIENCE)
    }

    /// Waits for the end, not longer than `patience`, and gives the exit status.
    ///
    /// # Panics
    /// After `patience`, and when a signal ended the process.
    pub fn wait_within(&mut self, patience: Duration) -> i32 {
        // Both pipes end when the process does: nothing of its own inherits them.
        let deadline = Instant::now() + patience;
        for printed in [&self.stdout, &self.stderr] {
            let rest = deadline.saturating_duration_since(Instant::now());
            if printed.wait(rest, |printed| printed.is_closed.then_some(())).is_none() {
                panic!("still running after {patience:?}\n{}", self.report());
            }
        }
        let status = self.child.wait().expect("a child can be waited for");
        for thread in self.threads.drain(..) {
            thread.join().expect("following a pipe does not panic");
        }
        status.code().unwrap_or_else(|| panic!("ended by {status}\n{}", self.report()))
    }

    /// Whether it runs no more.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal and gives the exit status, which has to be there within `patience`.
    ///
    /// # Panics
    /// As [`Self::signal`] and [`Self::wait_within`].
    pub fn end(&mut self, signal: Signal, patience: Duration) -> i32 {
        self.signal(signal);
        self.wait_within(patience)
    }

    /// Kills the process without warning and waits for its end.
    pub fn kill(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Most resident memory so far, in bytes, while the process runs.
    ///
    /// # Panics
    /// When the process has ended.
    pub fn peak_memory_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).expect("a running process has a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok()).expect("Linux counts in kB") * 1024
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn report(&self) -> String {
        format!("stdout: {:#?}\nstderr:\n{}", self.stdout(), self.stderr())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.kill();
        for thread in self.threads.drain(..) {
            // A panic there has been printed; a second one here would abort the test.
            drop(thread.join());
        }
    }
}

/// The port of a line that says READY.
fn ready_port(line: &str) -> Option<u16> {
    if let Some(rest) = line.strip_prefix("READY ") {
        return rest.split(' ').nth(1)?.parse().ok();
    }
    let object: Value = serde_json::from_str(line).ok()?;
    u16::try_from(object["port"].as_u64().filter(|_| object["event"] == "ready")?).ok()
}

fn follow(pipe: impl Read + Send + 'static, printed: &Watched<Printed>) -> JoinHandle<()> {
    let printed = printed.clone();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
            line.clear();
            printed.change(|printed| {
                if printed.lines.len() < LINES_MAX {
                    printed.lines.push(text);
                }
            });
        }
        printed.change(|printed| printed.is_closed = true);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Run {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Run::start(command)
    }

    #[test]
    fn output_status_and_signals_pass_through() {
        let mut run = shell("echo READY x 7; echo why >&2; exit 3");
        assert_eq!(run.wait_ready().port(), 7);
        assert_eq!((run.wait(), run.stderr().as_str()), (3, "why"));
        let mut run = shell("trap 'exit 9' TERM; echo ready; while :; do :; done");
        run.wait_stdout("ready");
        assert!(run.peak_memory_bytes() > 0);
        assert_eq!(run.end(Signal::TERM, PATIENCE), 9);
    }

    #[test]
    fn a_dropped_run_leaves_no_process() {
        let run = shell("echo ready; exec sleep 60");
        run.wait_stdout("ready");
        let path = PathBuf::from(format!("/proc/{}", run.child.id()));
        assert!(path.exists());
        drop(run);
        assert!(!path.exists());
    }
}
