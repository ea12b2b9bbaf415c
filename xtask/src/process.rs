//! Other programs: started in a group of their own, watched, bounded in time, and never left behind.
//!
//! Invariant: a [`Running`] ends with its owner, whatever way the owner goes. Only groups that were
//! started here are ever signalled. The group keeps a terminal's Ctrl-C from reaching a child before we
//! decide how it ends.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io::{BufRead, BufReader, Read, pipe};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// How often a waiting parent looks whether its child has ended.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How long a child that was told to end may take.
const GRACE: Duration = Duration::from_secs(5);
/// Lines of a child's output that wait to be read before the child does.
const LINES_WAITING_MAX: usize = 1024;
/// Lines kept of a child's output; a report needs no more.
const LINES_KEPT_MAX: usize = 400;

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From here on SIGINT and SIGTERM end what runs and no longer this process.
///
/// # Errors
/// When the operating system refuses the handlers.
pub(crate) fn watch_for_interrupts() -> Result<(), String> {
    let flag = INTERRUPTED.get_or_init(Arc::default);
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(flag))
            .map_err(|e| format!("signals: {e}"))?;
    }
    Ok(())
}

/// Whether somebody asked us to stop.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// How a child ended and what it cost.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Processor seconds, user and system, of all its threads; zero where /proc does not tell.
    pub(crate) cpu_seconds: f64,
}

/// A child that runs. Dropping it ends its whole group.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    name: String,
    lines: Option<Receiver<String>>,
    ended: bool,
}

impl Running {
    /// Starts `command`, which prints where we print.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(mut command: Command) -> Result<Self, String> {
        let name = Path::new(command.get_program()).file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        let child = child.map_err(|error| format!("cannot start {name}: {error}"))?;
        Ok(Self { child, name, lines: None, ended: false })
    }

    /// Starts `command` and keeps its standard output for [`Running::line`].
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start_listening(mut command: Command) -> Result<Self, String> {
        command.stdout(Stdio::piped());
        let mut running = Self::start(command)?;
        let stdout = running.child.stdout.take().expect("the output was asked for as a pipe");
        running.lines = Some(listen(stdout));
        Ok(running)
    }

    /// The next line of its output; none when it has closed it.
    ///
    /// # Errors
    /// After `limit`, or when somebody asked us to stop.
    pub(crate) fn line(&mut self, limit: Duration) -> Result<Option<String>, String> {
        let deadline = Instant::now() + limit;
        let Some(lines) = &self.lines else { return Ok(None) };
        loop {
            match lines.recv_timeout(LOOK_EVERY) {
                Ok(line) => return Ok(Some(line)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => self.still_wanted(deadline)?,
            }
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// After `limit`, or when somebody asked us to stop; then it is ended first.
    pub(crate) fn wait(mut self, limit: Duration) -> Result<Ended, String> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(ended) = self.poll()? {
                return Ok(ended);
            }
            self.still_wanted(deadline)?;
            thread::sleep(LOOK_EVERY);
        }
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system does not tell.
    pub(crate) fn ended(&mut self) -> Result<Option<Ended>, String> {
        self.poll()
    }

    /// Asks it to end, as a user would, and waits until it has.
    ///
    /// # Errors
    /// When it does not end within a few seconds; then it is killed.
    pub(crate) fn stop(mut self) -> Result<Ended, String> {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + GRACE;
        loop {
            if let Some(ended) = self.poll()? {
                return Ok(ended);
            }
            if Instant::now() > deadline {
                return Err(format!("{} did not end within {GRACE:?} of SIGTERM", self.name));
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    fn still_wanted(&self, deadline: Instant) -> Result<(), String> {
        if interrupted() {
            return Err("interrupted".into());
        }
        let late = Instant::now() > deadline;
        if late { Err(format!("{} took too long and was ended", self.name)) } else { Ok(()) }
    }

    /// Looks whether it has ended. What it cost is read while it is a zombie: afterwards nobody knows.
    fn poll(&mut self) -> Result<Option<Ended>, String> {
        let id = WaitId::Pid(Pid::from_child(&self.child));
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let fail = |error: &dyn std::fmt::Display| format!("waiting for a child: {error}");
        if waitid(id, options).map_err(|error| fail(&error))?.is_none() {
            return Ok(None);
        }
        let cpu_seconds = cpu_seconds(self.child.id());
        let status = self.child.wait().map_err(|error| fail(&error))?;
        self.ended = true;
        Ok(Some(Ended { status, cpu_seconds }))
    }

    fn signal(&self, signal: Signal) {
        // An error means that the group is gone, which is what the signal is for.
        let _ = kill_process_group(Pid::from_child(&self.child), signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.signal(Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            thread::sleep(LOOK_EVERY);
        }
        self.signal(Signal::KILL);
        // Nothing is left to do with a failure here.
        let _ = self.child.wait();
    }
}

/// Runs `command` to its end, printing where we print.
///
/// # Errors
/// When it cannot start, fails, or runs longer than `limit`.
pub(crate) fn run(command: Command, limit: Duration) -> Result<(), String> {
    let running = Running::start(command)?;
    let name = running.name.clone();
    succeeded(&name, running.wait(limit)?.status)
}

/// Runs `command` as [`run`] does and also keeps the last lines of its standard output in `kept`.
///
/// # Errors
/// As [`run`]; what it printed has been printed and kept all the same.
pub(crate) fn run_keeping_lines(
    command: Command,
    limit: Duration,
    kept: &mut Vec<String>,
) -> Result<(), String> {
    follow(Running::start_listening(command)?, limit, |line| {
        println!("{line}");
        if kept.len() == LINES_KEPT_MAX {
            kept.remove(0);
        }
        kept.push(line);
    })
}

/// Runs `command` as [`run`] does and gives each line of both of its streams to `take`.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_reading(
    mut command: Command,
    limit: Duration,
    take: impl FnMut(String),
) -> Result<(), String> {
    let streams = pipe().and_then(|(reader, writer)| Ok((reader, writer.try_clone()?, writer)));
    let (reader, out, err) = streams.map_err(|error| format!("a pipe: {error}"))?;
    let mut running = Running::start({
        command.stdout(out).stderr(err);
        command
    })?;
    running.lines = Some(listen(reader));
    follow(running, limit, take)
}

fn follow(
    mut running: Running,
    limit: Duration,
    mut take: impl FnMut(String),
) -> Result<(), String> {
    let deadline = Instant::now() + limit;
    let name = running.name.clone();
    while let Some(line) = running.line(deadline.saturating_duration_since(Instant::now()))? {
        take(line);
    }
    let ended = running.wait(deadline.saturating_duration_since(Instant::now()))?;
    succeeded(&name, ended.status)
}

/// The lines of a stream, read by a thread that ends with it.
fn listen(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(LINES_WAITING_MAX);
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        // Not every program prints text only: a fuzzer shows the bytes that it has tried.
        while reader.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
            line.clear();
            if sender.send(text).is_err() {
                return;
            }
        }
    });
    receiver
}

/// What a short command prints; its complaints go where ours go.
///
/// # Errors
/// When it cannot start, fails, or prints something that is not text.
pub(crate) fn output(folder: &Path, program: &str, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| format!("cannot start {program}: {error}"))?;
    succeeded(program, output.status)?;
    String::from_utf8(output.stdout).map_err(|error| format!("{program} printed no text: {error}"))
}

fn succeeded(name: &str, status: ExitStatus) -> Result<(), String> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(format!("{name} exited with {code}")),
        (None, Some(signal)) => Err(format!("{name} was ended by signal {signal}")),
        (None, None) => Err(format!("{name} ended without a status")),
    }
}

/// User and system time from /proc/PID/stat (proc(5)): fields 14 and 15, in clock ticks.
fn cpu_seconds(pid: u32) -> f64 {
    let mut stat = String::new();
    let read =
        fs::File::open(format!("/proc/{pid}/stat")).and_then(|mut f| f.read_to_string(&mut stat));
    read.map_or(0.0, |_| ticks(&stat) as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// The name in field 2 may contain spaces and brackets, so counting starts behind its last bracket.
fn ticks(stat: &str) -> u64 {
    let behind_name = stat.rsplit(')').next().unwrap_or("");
    behind_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn failure_and_signals_are_told_apart_from_success() {
        assert_eq!(run(shell("exit 0"), LIMIT), Ok(()));
        assert_eq!(run(shell("exit 3"), LIMIT), Err("sh exited with 3".into()));
        assert_eq!(run(shell("kill -9 $$"), LIMIT), Err("sh was ended by signal 9".into()));
        assert!(run(Command::new("piecework-no-such-program"), LIMIT).is_err());
    }

    #[test]
    fn a_child_that_takes_too_long_is_ended_with_its_group() {
        let late = run(shell("sleep 600 & wait"), Duration::from_millis(50));
        assert_eq!(late, Err("sh took too long and was ended".into()));
    }

    #[test]
    fn a_child_is_asked_to_end_before_it_is_killed() {
        let script = "trap 'exit 7' TERM; echo READY; while :; do sleep 0.01; done";
        let mut running = Running::start_listening(shell(script)).expect("a shell starts");
        assert_eq!(running.line(LIMIT), Ok(Some("READY".into())));
        assert_eq!(running.stop().map(|ended| ended.status.code()), Ok(Some(7)));
    }

    #[test]
    fn output_is_kept_up_to_its_limit() {
        let script = format!("seq 1 {}", LINES_KEPT_MAX + 5);
        let mut lines = Vec::new();
        run_keeping_lines(shell(&script), LIMIT, &mut lines).expect("seq prints and ends");
        assert_eq!((lines.len(), lines[0].as_str()), (LINES_KEPT_MAX, "6"));
    }

    #[test]
    fn what_a_failing_child_printed_on_either_stream_is_read() {
        let (mut lines, script) = (Vec::new(), "echo out; echo err >&2; printf '\\377'; exit 3");
        let failed = run_reading(shell(script), LIMIT, |line| lines.push(line));
        assert_eq!(failed, Err("sh exited with 3".into()));
        assert_eq!(lines, ["out", "err", "\u{fffd}"]);
    }

    #[test]
    fn processor_time_is_read_behind_a_name_with_brackets() {
        assert_eq!(ticks("7 (a) b) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0"), 42);
        assert_eq!(ticks("nonsense"), 0);
        let busy = Running::start(shell("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"));
        let ended = busy.and_then(|busy| busy.wait(LIMIT)).expect("the loop ends");
        assert!(ended.cpu_seconds > 0.0);
    }
}
