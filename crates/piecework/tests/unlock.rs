//! A wallet that is unlocked signs for every command of its user, until it is locked, its time is over, or
//! what holds its key is killed.

#![allow(clippy::unwrap_used)]

use piecework_testkit::{Run, Sandbox, Signal};
use rustix::process::{Pid, kill_process};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");
const PATIENCE: Duration = Duration::from_secs(60);
const PASSWORD: [&str; 2] = ["--password-file", "password"];

/// A state folder with a wallet, which is locked at the end whatever happened.
struct Machine {
    sandbox: Sandbox,
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.start(&["wallet", "lock"]).wait();
    }
}

impl Machine {
    fn new() -> Self {
        let machine = Self { sandbox: Sandbox::new(BINARY) };
        fs::write(machine.sandbox.root().join("password"), "correct horse battery staple\n")
            .unwrap();
        machine.told(&["wallet", "new", "--yes", PASSWORD[0], PASSWORD[1]]);
        machine
    }

    /// Starts a command that has no terminal to ask at, whoever runs the tests.
    fn start(&self, arguments: &[&str]) -> Run {
        let of_sandbox = self.sandbox.command(arguments);
        let mut command = Command::new("setsid");
        command.arg("--wait").arg(of_sandbox.get_program()).args(of_sandbox.get_args());
        command.arg("--json").current_dir(self.sandbox.root());
        Run::start(command)
    }

    fn told(&self, arguments: &[&str]) -> Vec<Value> {
        let mut run = self.start(arguments);
        assert_eq!(run.wait(), 0, "{arguments:?}: {:?} {}", run.stdout(), run.stderr());
        run.stdout().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let mut run = self.start(arguments);
        assert_ne!(run.wait(), 0, "{arguments:?}: {:?}", run.stdout());
        run.stderr()
    }

    fn unlock(&self, duration: &str) -> Value {
        self.told(&["wallet", "unlock", "--for", duration, PASSWORD[0], PASSWORD[1]]).remove(0)
    }

    fn show(&self) -> Value {
        self.told(&["wallet", "show"]).pop().unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.sandbox.state().join("wallet").join(name)
    }

    /// The process that holds the key, as it wrote it down.
    fn agent(&self) -> Pid {
        let text = fs::read_to_string(self.file("agent.lock")).unwrap();
        Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    }

    /// All processes that hold this wallet's key, or are about to.
    fn agents(&self) -> usize {
        let state = self.sandbox.state().display().to_string();
        let commands = fs::read_dir("/proc").unwrap().filter_map(|process| {
            let command = fs::read(process.ok()?.path().join("cmdline")).ok()?;
            String::from_utf8(command).ok()
        });
        commands.filter(|it| it.contains("\0hold\0") && it.contains(&state)).count()
    }
}

/// A process loses its command line before its socket, and stays for whoever started it.
fn has_ended(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    stat.map_or(true, |stat| stat.rsplit(") ").next().unwrap().starts_with('Z'))
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never so: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_unlocked_wallet_spends_without_its_password_until_it_is_locked() {
    let machine = Machine::new();
    machine.told(&["chain", "init"]);
    let chain = machine.start(&["chain", "run", "--rpc", "127.0.0.1:0"]);
    chain.wait_object("ready", |object| object["event"] == "ready");
    let payee = "0x00000000000000000000000000000000000000AA";
    let send = ["wallet", "send", "1", "coin", payee, "--yes"];
    let asks = |arguments: &[&str]| {
        let text = machine.refused(arguments);
        assert!(text.contains("no terminal to ask at: give --password-file"), "{text}");
    };
    let shown = machine.show();
    assert_eq!((&shown["unlocked"], &shown["unlocked_until"]), (&false.into(), &Value::Null));
    asks(&send);

    let unlocked = machine.unlock("1h");
    let shown = machine.show();
    assert_eq!((&shown["unlocked"], &shown["address"]), (&true.into(), &unlocked["address"]));
    let until = |object: &Value| object["unlocked_until"].as_u64().unwrap();
    assert!(until(&unlocked).abs_diff(until(&shown)) <= 60, "{unlocked} {shown}");
    machine.told(&send);
    machine.told(&["vault", "deposit", "10", "--yes"]);
    let cheque = machine.told(&["vault", "cheque", payee, "1", "--yes"]).remove(0);
    fs::write(machine.sandbox.root().join("cheque"), cheque.to_string()).unwrap();
    machine.told(&["vault", "cash", "cheque", "--yes"]);
    machine.told(&["vault", "delegate", "1", "--yes"]);
    // What gives the key away asks nevertheless, and so does what a password is given for.
    asks(&["wallet", "export", "--private-key"]);
    asks(&["wallet", "backup", "backup"]);
    fs::write(machine.sandbox.root().join("wrong"), "incorrect horse\n").unwrap();
    let text = machine.refused(&[&send[..], &["--password-file", "wrong"]].concat());
    assert!(text.contains("wrong password"), "{text}");

    assert_eq!(machine.told(&["wallet", "lock"])[0]["was_unlocked"], true);
    asks(&send);
    assert_eq!(machine.show()["unlocked"], false);
    assert_eq!(machine.told(&["wallet", "lock"])[0]["was_unlocked"], false);
    wait_until("the agent ends", || machine.agents() == 0);
}

#[test]
fn an_agent_whose_folder_is_gone_ends_when_it_is_told_to() {
    let machine = Machine::new();
    machine.unlock("1h");
    let agent = machine.agent();
    fs::remove_dir_all(machine.sandbox.state()).unwrap();
    kill_process(agent, Signal::TERM).unwrap();
    wait_until("it ends", || has_ended(agent));
}

#[test]
fn a_killed_agent_is_told_of_and_the_wallet_is_locked_and_can_be_unlocked_again() {
    let machine = Machine::new();
    machine.unlock("1h");
    let agent = machine.agent();
    let limits = fs::read_to_string(format!("/proc/{}/limits", agent.as_raw_nonzero())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    kill_process(agent, Signal::KILL).unwrap();
    wait_until("it is dead", || has_ended(agent));
    assert!(machine.file("agent.socket").exists());
    let told = machine.told(&["wallet", "show"]);
    assert_eq!((&told[0]["event"], &told[1]["unlocked"]), (&"problem".into(), &false.into()));
    let text = told[0]["text"].as_str().unwrap();
    assert!(text.contains("was killed") && text.contains("`piecework wallet unlock`"), "{text}");

    machine.unlock("1h");
    assert_eq!(machine.show()["unlocked"], true);
    // A polite end leaves nothing behind.
    kill_process(machine.agent(), Signal::TERM).unwrap();
    wait_until("it is gone", || !machine.file("agent.socket").exists());
    assert_eq!(machine.told(&["wallet", "show"]).len(), 1);
}

#[test]
fn a_wallet_locks_itself_when_its_time_is_over() {
    let machine = Machine::new();
    machine.unlock("1s");
    wait_until("it is locked", || machine.show()["unlocked"] == false);
    wait_until("the agent ends", || machine.agents() == 0);
    assert!(!machine.file("agent.socket").exists());
}

#[test]
fn of_several_unlocks_at_once_all_succeed_and_one_agent_is_left() {
    let machine = Machine::new();
    let unlock = ["wallet", "unlock", "--for", "1h", PASSWORD[0], PASSWORD[1]];
    let mut runs: Vec<_> = (0..3).map(|_| machine.start(&unlock)).collect();
    for run in &mut runs {
        assert_eq!(run.wait(), 0, "{}", run.stderr());
    }
    wait_until("one is left", || machine.agents() == 1);
    assert_eq!(machine.show()["unlocked"], true);
    assert_eq!(machine.told(&["wallet", "lock"])[0]["was_unlocked"], true);
    wait_until("none is left", || machine.agents() == 0);
}

#[test]
fn what_cannot_be_unlocked_says_why() {
    let machine = Machine::new();
    let refused = machine.refused(&["wallet", "unlock"]);
    assert!(refused.contains("give --password-file FILE"), "{refused}");
    fs::write(machine.sandbox.root().join("wrong"), "incorrect horse\n").unwrap();
    let refused = machine.refused(&["wallet", "unlock", "--password-file", "wrong"]);
    assert!(refused.contains("wrong password"), "{refused}");
    let refused = machine.refused(&["wallet", "unlock", "--for", "1y"]);
    assert!(refused.contains("such as 15m"), "{refused}");
    fs::write(machine.file("agent.socket"), "mine").unwrap();
    let refused = machine.refused(&["wallet", "unlock", PASSWORD[0], PASSWORD[1]]);
    assert!(refused.contains("agent.socket: it is no socket: move it away"), "{refused}");
    assert_eq!(fs::read_to_string(machine.file("agent.socket")).unwrap(), "mine");
    fs::remove_file(machine.file("agent.socket")).unwrap();

    // The key of a wallet that was moved away signs nothing for the one that came into its place.
    machine.unlock("1h");
    fs::rename(machine.file("keystore.json"), machine.sandbox.root().join("old.json")).unwrap();
    machine.told(&["wallet", "new", "--yes", PASSWORD[0], PASSWORD[1]]);
    let told = machine.told(&["wallet", "show"]);
    assert!(told[0]["text"].as_str().unwrap().contains("`piecework wallet lock` ends it"));
    assert_eq!(told[1]["unlocked"], false);

    fs::remove_file(machine.file("keystore.json")).unwrap();
    machine.told(&["wallet", "lock"]);
    let refused = machine.refused(&["wallet", "lock"]);
    assert!(refused.contains("no wallet in"), "{refused}");
}
