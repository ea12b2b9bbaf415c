//! A person with a wallet: commands of `piecework` in a folder of its own, and what runs on in it.

use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a command, or a start, may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whose folder it is.
pub(crate) struct Trader {
    piecework: PathBuf,
    pub(crate) folder: PathBuf,
}

impl Trader {
    /// One with a new wallet.
    pub(crate) fn new(piecework: &Path, folder: PathBuf) -> Result<Self, String> {
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let password = fs::write(folder.join("password"), "correct horse battery staple\n");
        password.map_err(|error| format!("{}: {error}", folder.display()))?;
        let trader = Self { piecework: piecework.to_owned(), folder };
        trader.told(&["wallet", "new", "--yes", "--password-file", "password"])?;
        Ok(trader)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.piecework);
        command.args(arguments).arg("--json").current_dir(&self.folder).stdin(Stdio::null());
        command.env("HOME", &self.folder).env("PIECEWORK_DATA_DIR", self.folder.join("daemon"));
        for name in ["PIECEWORK_URL", "PIECEWORK_KEY", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
            command.env_remove(name);
        }
        command
    }

    /// The first object that a command prints, which has to succeed.
    pub(crate) fn told(&self, arguments: &[&str]) -> Result<Value, String> {
        let output = self.command(arguments).output();
        let output = output.map_err(|error| format!("{}: {error}", self.piecework.display()))?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {}", arguments.join(" "), error.trim()));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(serde_json::from_str(text.lines().next().unwrap_or_default()).unwrap_or(Value::Null))
    }

    /// The same with what a command that signs needs.
    pub(crate) fn spend(&self, arguments: &[&str]) -> Result<Value, String> {
        self.told(&[arguments, &["--yes", "--password-file", "password"]].concat())
    }

    /// Starts what runs until it is ended, and gives its word that it is ready.
    pub(crate) fn start(&self, name: &str, arguments: &[&str]) -> Result<(Running, Value), String> {
        let failed = |error: &dyn std::fmt::Display| format!("cannot start {name}: {error}");
        let log = self.folder.join(format!("{name}.log"));
        let errors = File::create(&log).map_err(|error| failed(&error))?;
        let mut command = self.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(errors).spawn();
        let mut running = Running(child.map_err(|error| failed(&error))?);
        let stdout = running.0.stdout.take().ok_or_else(|| failed(&"it has no output"))?;
        let (sender, events) = channel();
        thread::spawn(move || {
            // It must never wait for a reader.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                drop(sender.send(line));
            }
        });
        match ready(&events) {
            Some(ready) => Ok((running, ready)),
            None => Err(failed(&fs::read_to_string(&log).unwrap_or_default().trim())),
        }
    }

    /// A daemon with nothing that reaches beyond this machine; and where peers reach it.
    pub(crate) fn up(&self) -> Result<(Running, u64), String> {
        let mut arguments = vec!["up", "--listen", "127.0.0.1:0", "--port", "0"];
        for setting in [
            "net.local_discovery=false",
            "net.port_mapping=false",
            "net.trust_peers=true",
            "dht.on=false",
        ] {
            arguments.extend(["--set", setting]);
        }
        let (running, ready) = self.start("daemon", &arguments)?;
        Ok((running, ready["peer_port"].as_u64().unwrap_or_default()))
    }

    /// Asks until an answer is as it should be.
    pub(crate) fn until(
        &self,
        arguments: &[&str],
        patience: Duration,
        is_it: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        let start = Instant::now();
        loop {
            let told = self.told(arguments)?;
            if is_it(&told) {
                return Ok(told);
            }
            if start.elapsed() > patience {
                return Err(format!("{} is still {told}", arguments.join(" ")));
            }
            thread::sleep(Duration::from_millis(500));
        }
    }
}

fn ready(events: &Receiver<String>) -> Option<Value> {
    loop {
        let line = events.recv_timeout(PATIENCE).ok()?;
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        if event["event"] == "ready" {
            return Some(event);
        }
    }
}

/// It ends with this.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
