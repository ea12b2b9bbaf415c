//! Processes of a cell: started, listened to line by line, and ended by process id alone.
//!
//! Invariant: no process outlives the value that started it, nor this program. Everything a process
//! prints is kept in files beside it, for the report of a cell that fails.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::failure::{Context as _, Failure, Outcome};

/// Between two looks at something that cannot tell us when it changes.
const POLL: Duration = Duration::from_millis(20);
/// Lines of output waiting to be read; a process that prints more waits for the harness.
const LINES_MAX: usize = 65_536;

/// The moment a cell gives up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// A deadline `from_now`.
    pub(crate) fn after(from_now: Duration) -> Self {
        Self(Instant::now() + from_now)
    }

    /// What is left, zero once it has passed.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The earlier of this and `from_now`.
    pub(crate) fn within(self, from_now: Duration) -> Self {
        Self(self.0.min(Instant::now() + from_now))
    }

    /// Asks `probe` again and again until it has an answer. For foreign programs only, which do not
    /// say by themselves when something has happened.
    pub(crate) fn poll<T>(
        self,
        what: &str,
        mut probe: impl FnMut() -> Outcome<Option<T>>,
    ) -> Outcome<T> {
        loop {
            if let Some(answer) = probe()? {
                return Ok(answer);
            }
            if self.left().is_zero() {
                return Err(Failure::new(format!("no sign before the deadline that {what}")));
            }
            thread::sleep(POLL);
        }
    }
}

/// What to start. The process gets no input, and a home directory of its own.
#[derive(Debug)]
pub(crate) struct Launch {
    program: OsString,
    arguments: Vec<OsString>,
    home: PathBuf,
    unprivileged: bool,
    /// The process whose network namespace it runs in.
    island: Option<u32>,
    hears_errors: bool,
}

impl Launch {
    /// `program`, with `home` as its home and working directory and the place of its logs.
    pub(crate) fn new(program: impl Into<OsString>, home: &Path) -> Self {
        let home = home.to_owned();
        let (program, arguments) = (program.into(), Vec::new());
        let (unprivileged, hears_errors, island) = (false, false, None);
        Self { program, arguments, home, unprivileged, island, hears_errors }
    }

    /// Adds one argument.
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Runs it without privileges, for programs that refuse to be root.
    pub(crate) const fn unprivileged(mut self) -> Self {
        self.unprivileged = true;
        self
    }

    /// Runs it in the network namespace of a process.
    pub(crate) const fn inside(mut self, island: u32) -> Self {
        self.island = Some(island);
        self
    }

    /// Lets what it prints on stderr be heard as lines as well, which are otherwise only kept.
    pub(crate) const fn hearing_errors(mut self) -> Self {
        self.hears_errors = true;
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        if self.unprivileged {
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
        }
        // The kernel ends the process when this program dies, however it dies.
        command.args(["--pdeathsig", "KILL", "--"]);
        if let Some(island) = self.island {
            command.args(["nsenter", "-t", &island.to_string(), "-n", "--"]);
        }
        command.arg(&self.program).args(&self.arguments);
        command.stdin(Stdio::null()).current_dir(&self.home).env("HOME", &self.home);
        for variable in ["XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs the program to its end and hands back what it printed, if it ended well.
    pub(crate) fn output(&self, deadline: Deadline) -> Outcome<String> {
        let (status, printed) = self.output_any(deadline)?;
        if status.success() {
            return Ok(printed);
        }
        let name = self.name();
        Err(Failure::new(format!("{name} ended with {status}: {}", last_lines(&self.home, 3))))
    }

    /// Runs the program to its end, and hands back how it ended and what it printed.
    pub(crate) fn output_any(&self, deadline: Deadline) -> Outcome<(ExitStatus, String)> {
        let mut process = self.start()?;
        let mut printed = String::new();
        while let Some(line) = process.next_line(deadline)? {
            printed.push_str(&line.text);
            printed.push('\n');
        }
        Ok((process.wait_exit(deadline)?, printed))
    }

    /// Starts the program.
    pub(crate) fn start(&self) -> Outcome<Process> {
        let name = self.name();
        fs::create_dir_all(&self.home).context(|| format!("cannot make a home for {name}"))?;
        let [stdout_log, stderr_log] = [Stream::Out, Stream::Err].map(|stream| {
            let path = self.home.join(format!("{name}.{}.log", stream.name()));
            File::options().append(true).create(true).open(path).context(|| "cannot make a log")
        });
        let (stdout_log, stderr_log) = (stdout_log?, stderr_log?);
        let (sender, lines) = mpsc::sync_channel(LINES_MAX);
        let mut command = self.command();
        command.stdout(Stdio::piped());
        let mut child = if self.hears_errors {
            command.stderr(Stdio::piped()).spawn()
        } else {
            command.stderr(stderr_log.try_clone().context(|| "cannot share a log")?).spawn()
        }
        .context(|| format!("cannot start {name}"))?;
        if let Some(stderr) = child.stderr.take() {
            listen(stderr, Stream::Err, stderr_log, sender.clone());
        }
        let Some(stdout) = child.stdout.take() else {
            return Err(Failure::new("a process that was started with a pipe has none"));
        };
        listen(stdout, Stream::Out, stdout_log, sender);
        Ok(Process { child, name, home: self.home.clone(), lines })
    }

    fn name(&self) -> String {
        let shown = Path::new(&self.program).file_name().unwrap_or(&self.program);
        shown.to_string_lossy().into_owned()
    }
}

/// Keeps what comes and hands it on, line by line.
fn listen(
    output: impl Read + Send + 'static,
    stream: Stream,
    mut log: File,
    sender: SyncSender<Line>,
) {
    thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut raw = Vec::new();
        while matches!(reader.read_until(b'\n', &mut raw), Ok(read) if read > 0) {
            let at = Instant::now();
            // A full disk under the logs must not stop the process that is being tested.
            let _ = log.write_all(&raw);
            let text = String::from_utf8_lossy(&raw).trim_end().to_owned();
            raw.clear();
            if sender.send(Line { at, stream, text }).is_err() {
                break;
            }
        }
    });
}

/// Where a process printed something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error, of a [`Launch::hearing_errors`].
    Err,
}

impl Stream {
    const fn name(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }
}

/// A line of output and when it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// When the harness read it.
    pub(crate) at: Instant,
    /// Where it was printed.
    pub(crate) stream: Stream,
    /// The line, without its end.
    pub(crate) text: String,
}

/// A running process; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: String,
    home: PathBuf,
    lines: Receiver<Line>,
}

impl Process {
    /// The next line of output, or `None` when the process has closed it.
    pub(crate) fn next_line(&mut self, deadline: Deadline) -> Outcome<Option<Line>> {
        match self.lines.recv_timeout(deadline.left()) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                Err(Failure::new(format!("{} said nothing more before the deadline", self.name)))
            }
        }
    }

    /// Every line of output up to a moment, or up to the end of the process if that comes first.
    pub(crate) fn collect(&mut self, until: Deadline) -> Vec<Line> {
        std::iter::from_fn(|| self.lines.recv_timeout(until.left()).ok()).collect()
    }

    /// Reads lines until `pick` takes one.
    pub(crate) fn wait_line<T>(
        &mut self,
        what: &str,
        deadline: Deadline,
        mut pick: impl FnMut(&Line) -> Outcome<Option<T>>,
    ) -> Outcome<T> {
        loop {
            let line = self
                .next_line(deadline)
                .context(|| format!("waiting for {what}"))?
                .ok_or_else(|| self.death(what))?;
            if let Some(picked) = pick(&line)? {
                return Ok(picked);
            }
        }
    }

    fn death(&mut self, what: &str) -> Failure {
        let grace = Deadline::after(Duration::from_secs(2));
        let end = match self.wait_exit(grace) {
            Ok(status) => status.to_string(),
            Err(failure) => failure.to_string(),
        };
        let said = last_lines(&self.home, 3);
        Failure::new(format!("{} ended before {what}: {end}: {said}", self.name))
    }

    /// Its number, while it has not been waited for.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How the process ended, if it has.
    pub(crate) fn exited(&mut self) -> Outcome<Option<ExitStatus>> {
        self.child.try_wait().context(|| format!("cannot wait for {}", self.name))
    }

    /// Fails if the process has ended.
    pub(crate) fn must_live(&mut self, what: &str) -> Outcome<()> {
        if self.exited()?.is_some() { Err(self.death(what)) } else { Ok(()) }
    }

    /// Waits until the process ends by itself.
    pub(crate) fn wait_exit(&mut self, deadline: Deadline) -> Outcome<ExitStatus> {
        let name = self.name.clone();
        deadline.poll(&format!("{name} ends"), || self.exited())
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Outcome<()> {
        // The child is not waited for yet, so its id cannot belong to another process.
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Failure::new("a process id out of range"))?;
        kill_process(pid, signal).context(|| format!("cannot signal {}", self.name))
    }

    /// Asks the process to end, and says how it did.
    pub(crate) fn terminate(&mut self, grace: Duration) -> Outcome<ExitStatus> {
        if let Some(status) = self.exited()? {
            return Ok(status);
        }
        self.signal(Signal::TERM)?;
        self.wait_exit(Deadline::after(grace))
            .map_err(|_| Failure::new(format!("{} did not end {grace:?} after SIGTERM", self.name)))
    }

    /// Ends the process at once.
    pub(crate) fn kill(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // Both fail only for a process that is gone already, which is what is wanted.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last `count` lines of every log in `home` and below, for a report.
pub(crate) fn last_lines(home: &Path, count: usize) -> String {
    let mut told = Vec::new();
    for log in logs(home) {
        let bytes = fs::read(&log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        if lines.is_empty() {
            continue;
        }
        let shown = log.strip_prefix(home).unwrap_or(&log).display().to_string();
        let cut = lines.len().saturating_sub(count);
        // A panic says where it happened before its backtrace, which is long.
        let panics = lines[..cut].windows(2).filter(|pair| pair[0].contains("panicked at"));
        let panics = panics.map(|pair| pair.join("\n"));
        let tail = lines[cut..].join("\n");
        let excerpt: Vec<String> = panics.chain([tail]).collect();
        told.push(format!("[{shown}] {}", excerpt.join("\n...\n")));
    }
    if told.is_empty() { "it printed nothing".to_owned() } else { told.join("\n") }
}

fn logs(home: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension() == Some(OsStr::new("log")) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
