//! The processes of a demo: started by this program, ended with it.

use crate::failure::{Context, Failure};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A start that takes longer has failed.
const READY_MAX: Duration = Duration::from_secs(30);

/// Time for a polite end.
const END_MAX: Duration = Duration::from_secs(6);

/// One of them. It ends when it is dropped, politely where [`Self::end`] came before.
pub(super) struct Process {
    child: Child,
    name: String,
    errors: PathBuf,
    events: Receiver<Value>,
    progress: Arc<Mutex<Value>>,
}

impl Process {
    /// Starts this program with other arguments, below `folder`, where its errors are kept.
    pub(super) fn start(name: &str, folder: &Path, arguments: &[String]) -> Result<Self, Failure> {
        let doing = format!("cannot start {name}");
        let program = std::env::current_exe().context(&doing)?;
        let log = folder.join(format!("{name}.err"));
        let errors = File::create(&log).context(&doing)?;
        let mut child = Command::new(program)
            .args(arguments)
            .arg("--json")
            .current_dir(folder)
            .env("HOME", folder)
            .env_remove("XDG_STATE_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .context(&doing)?;
        let (sender, events) = channel();
        let progress = Arc::new(Mutex::new(Value::Null));
        let latest = Arc::clone(&progress);
        let stdout = child.stdout.take();
        std::thread::Builder::new()
            .name(format!("read-{name}"))
            .spawn(move || {
                let lines = stdout.map(|stdout| BufReader::new(stdout).lines());
                for line in lines.into_iter().flatten().map_while(Result::ok) {
                    let event = serde_json::from_str(&line).unwrap_or(Value::Null);
                    match name_of(&event) {
                        // What is waited for, once each.
                        "ready" | "chain" => drop(sender.send(event)),
                        "progress" => *locked(&latest) = event,
                        _ => {}
                    }
                }
            })
            .context(&doing)?;
        Ok(Self { child, name: name.to_owned(), errors: log, events, progress })
    }

    /// Waits for an event by its name.
    pub(super) fn wait_for(&mut self, event: &str) -> Result<Value, Failure> {
        let until = Instant::now() + READY_MAX;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(told) if name_of(&told) == event => return Ok(told),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Failure::new(format!("{} does not start", self.name)));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::new(format!(
                        "{} has ended: {}",
                        self.name,
                        self.errors()
                    )));
                }
            }
        }
    }

    /// Runs a command of this program to its end, which has to be a good one.
    pub(super) fn run(name: &str, folder: &Path, arguments: &[String]) -> Result<(), Failure> {
        let mut process = Self::start(name, folder, arguments)?;
        let status = process.child.wait().context(format_args!("cannot wait for {name}"))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("{name} has failed: {}", process.errors())))
    }

    /// Its last figures.
    pub(super) fn progress(&self) -> Value {
        locked(&self.progress).clone()
    }

    /// Whether it runs no more.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it as a crash would.
    pub(super) fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Asks it to end.
    pub(super) fn ask_to_end(&self) {
        if let Some(process) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        }
    }

    /// Waits for its end, and makes it end.
    pub(super) fn end(&mut self) {
        let until = Instant::now() + END_MAX;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill();
    }

    /// The last line of its errors.
    fn errors(&self) -> String {
        let text = std::fs::read_to_string(&self.errors).unwrap_or_default();
        text.lines().last().unwrap_or("it said nothing").to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn locked(value: &Mutex<Value>) -> MutexGuard<'_, Value> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn name_of(event: &Value) -> &str {
    event.get("event").and_then(Value::as_str).unwrap_or_default()
}
