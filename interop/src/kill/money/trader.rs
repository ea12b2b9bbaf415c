//! A wallet, and a daemon that trades with it: killed, and started again where it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::failure::{Context as _, Failure, Outcome};
use crate::lab::Room;
use crate::netns::{Host, free_port};
use crate::peers::daemon::{ALONE, objects};
use crate::process::{Deadline, Launch, Process, last_lines};

/// For one command, and for one start.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at a state that takes its time.
const LOOK: Duration = Duration::from_millis(250);
const PASSWORD: &str = "password";
/// Everybody is at one address here, and no torrent waits for another one.
const TOGETHER: [&str; 2] = ["net.trust_peers=true", "queue.on=false"];

/// Digits behind the point of the chain's token.
const DECIMALS: usize = 6;

/// What a ledger says of one side.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Sums {
    pub(super) bytes: u64,
    pub(super) amount: u128,
    pub(super) settled: u128,
}

/// A person: home, wallet, and perhaps a daemon.
pub(super) struct Trader<'a> {
    pub(super) name: &'static str,
    room: &'a Room<'a>,
    home: PathBuf,
    /// The same at each start: nobody who knows it has to look for it.
    port: u16,
    daemon: Option<Process>,
    /// Where the daemon puts what it downloads.
    pub(super) save_path: PathBuf,
}

impl<'a> Trader<'a> {
    /// Somebody with a new wallet.
    pub(super) fn new(room: &'a Room<'a>, name: &'static str) -> Outcome<Self> {
        let home = room.home(name)?;
        fs::write(home.join(PASSWORD), "correct horse battery staple\n").context(|| PASSWORD)?;
        let (port, save_path) = (free_port(Host::SUBJECT.v4())?, PathBuf::new());
        let trader = Self { name, room, home, port, daemon: None, save_path };
        trader.told(&["wallet", "new", "--yes", "--password-file", PASSWORD])?;
        Ok(trader)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    pub(super) fn launch(&self, arguments: &[&str]) -> Outcome<Launch> {
        let binary = self.room.ours()?.binary();
        Ok(Launch::new(binary, &self.home).args(arguments).arg("--json"))
    }

    /// The objects that a command prints, which has to succeed.
    pub(super) fn told(&self, arguments: &[&str]) -> Outcome<Vec<Value>> {
        let printed = self.launch(arguments)?.output(Deadline::after(PATIENCE));
        objects(&printed.context(|| format!("{}: {}", self.name, arguments.join(" ")))?)
    }

    /// The first of them.
    pub(super) fn ask(&self, arguments: &[&str]) -> Outcome<Value> {
        Ok(self.told(arguments)?.into_iter().next().unwrap_or_default())
    }

    /// Runs a command that signs.
    pub(super) fn spend(&self, arguments: &[&str]) -> Outcome<()> {
        self.told(&[arguments, &["--yes", "--password-file", PASSWORD]].concat()).map(drop)
    }

    /// Starts the daemon, which goes on where it was, and comes back when it answers.
    pub(super) fn up(&mut self) -> Outcome<()> {
        let port = self.port.to_string();
        let mut launch = self.launch(&["up", "--listen", "127.0.0.1:0", "--port", &port])?;
        for setting in ALONE.iter().chain(&TOGETHER) {
            launch = launch.args(["--set", setting]);
        }
        let mut process = launch.start()?;
        let ready = process.wait_line("a daemon is ready", Deadline::after(PATIENCE), |line| {
            let event: Value = serde_json::from_str(&line.text).context(|| line.text.clone())?;
            Ok((event["event"] == "ready").then_some(event))
        })?;
        self.save_path = ready["save_path"].as_str().unwrap_or_default().into();
        self.daemon = Some(process);
        Ok(())
    }

    /// Kills the daemon, which has to be there until then.
    pub(super) fn kill(&mut self) -> Outcome<()> {
        let mut daemon = self.daemon.take().ok_or_else(|| Failure::new("there is no daemon"))?;
        daemon.must_live("it was killed")?;
        daemon.kill();
        Ok(())
    }

    /// The figures of `earnings` or `spending`; nothing at all is 0.
    pub(super) fn sums(&self, what: &str) -> Outcome<Sums> {
        let told = self.ask(&[what])?;
        if told.is_null() {
            return Ok(Sums::default());
        }
        let bytes = told["bytes"].as_u64().unwrap_or_default();
        Ok(Sums { bytes, amount: micro(&told["amount"])?, settled: micro(&told["settled"])? })
    }

    /// What the wallet has on the chain: in its own hands, and as the vault's credit.
    pub(super) fn balance(&self, token: &str) -> Outcome<u128> {
        let own = micro(&self.ask(&["token", "balance", "--token", token])?["amount"])?;
        let credit = micro(&self.ask(&["vault", "status"])?["credit"])?;
        Ok(own + credit)
    }

    /// Asks until an answer is as it should be.
    pub(super) fn until(
        &self,
        deadline: Deadline,
        what: &str,
        mut is_it: impl FnMut() -> Outcome<(bool, String)>,
    ) -> Outcome<()> {
        loop {
            let (done, told) = is_it()?;
            if done {
                return Ok(());
            }
            if deadline.left().is_zero() {
                let said = last_lines(&self.home, 5);
                return Err(Failure::new(format!("{}: never {what}: {told}: {said}", self.name)));
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// A path as an argument.
pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// Whole tokens in the smallest unit.
pub(super) fn micro(amount: &Value) -> Outcome<u128> {
    let shown = amount.as_str().ok_or_else(|| Failure::new(format!("no amount: {amount}")))?;
    let (whole, part) = shown.split_once('.').unwrap_or((shown, ""));
    format!("{whole}{part:0<DECIMALS$}").parse().context(|| format!("an amount in {amount}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_amount_is_read_to_the_smallest_unit() {
        for (shown, units) in [("0", 0), ("1.5", 1_500_000), ("0.000001", 1), ("20", 20_000_000)] {
            assert_eq!(micro(&shown.into()), Ok(units));
        }
        assert!(micro(&Value::Null).is_err());
    }
}
