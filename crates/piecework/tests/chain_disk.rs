//! A chain whose drive fills up while it runs, and has room again: it stops with a remedy, loses nothing that
//! was acknowledged, and goes on when it is started with room.
//!
//! The drive is a small tmpfs in a mount namespace, which needs `unshare` to be allowed. Where it is not, the
//! test says so on stderr and ends.

#![allow(clippy::unwrap_used)]

use piecework_testkit::{Mounts, PATIENCE, Run, Sandbox};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");
/// Somebody who never spends.
const RECEIVER: &str = "0x00000000000000000000000000000000000000aa";
/// Bytes that are left in each round: none; a part of a block in the log; some blocks.
const ROOM: [u64; 3] = [0, 4 << 10, 16 << 10];
/// Transfers of a round at most; less room than they take is left in each.
const TRANSFERS_MAX: usize = 100;

/// A wallet, and a chain on a drive of its own: who sends writes down what it has seen of the chain, and
/// without room for that nothing would come to the chain.
struct Machine {
    sandbox: Sandbox,
    mounts: Mounts,
    /// Its namespace outlives each process.
    keeper: Run,
}

impl Machine {
    fn new(mounts: Mounts) -> Self {
        let sandbox = Sandbox::new(BINARY);
        let drive = drive(&sandbox);
        fs::create_dir_all(&drive).unwrap();
        let script = format!("mount -t tmpfs -o size=16m none '{}'", drive.display());
        let mut keep = Command::new("sh");
        keep.args(["-c", "echo mounted; exec sleep 3600"]);
        let keeper = Run::start(mounts.within(&script, &keep));
        keeper.wait_stdout("mounted");
        fs::write(sandbox.root().join("password"), "correct horse battery staple\n").unwrap();
        let machine = Self { sandbox, mounts, keeper };
        let password = machine.password();
        machine.told(&["wallet", "new", "--yes", "--password-file", &password]);
        machine.told(&["chain", "init"]);
        machine
    }

    fn start(&self, arguments: &[&str]) -> Run {
        let mut command = self.sandbox.command(arguments);
        command.arg("--json");
        Run::start(self.mounts.beside(self.keeper.id(), &command))
    }

    fn told(&self, arguments: &[&str]) -> Vec<Value> {
        let mut run = self.start(arguments);
        assert_eq!(run.wait(), 0, "{arguments:?}: {:?} {}", run.stdout(), run.stderr());
        run.stdout().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn password(&self) -> String {
        self.sandbox.root().join("password").display().to_string()
    }

    fn run_chain(&self) -> Run {
        let run = self.start(&["chain", "run", "--rpc", "127.0.0.1:0"]);
        run.wait_object("ready", |object| object["event"] == "ready");
        run
    }

    /// Whether a transfer of one whole token was acknowledged.
    fn send(&self, chain: &mut Run) -> bool {
        let to = ["token", "send", "1", "TOK", RECEIVER, "--yes", "--password-file"];
        let password = self.password();
        let mut run = self.start(&[&to[..], &[password.as_str()]].concat());
        let until = Instant::now() + 6 * PATIENCE;
        // A chain that ends may have taken it and not put it into a block: the sender waits for that, in case
        // the chain comes back, for longer than a test should.
        while !run.has_ended() && !chain.has_ended() {
            assert!(Instant::now() < until, "neither of them ends: {}", run.stderr());
            std::thread::sleep(Duration::from_millis(10));
        }
        if !run.has_ended() {
            run.kill();
            return false;
        }
        let is_sent = run.wait() == 0;
        assert!(is_sent || !run.stderr().contains("panicked"), "{}", run.stderr());
        is_sent
    }

    fn received(&self) -> usize {
        let told = self.told(&["token", "balance", RECEIVER, "--token", "TOK"]);
        told[0]["amount"].as_str().unwrap().parse().unwrap()
    }

    /// The file that takes the drive's space, as seen from out here.
    fn filler(&self) -> PathBuf {
        Mounts::seen_by(self.keeper.id(), &drive(&self.sandbox)).join("filler")
    }

    /// Leaves so much of the drive.
    fn fill(&self, room: u64) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.filler()).unwrap();
        let mut part = vec![1; 64 << 10];
        while !part.is_empty() {
            match file.write_all(&part) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => {
                    part.truncate(part.len() / 2);
                }
                Err(error) => panic!("{error}"),
            }
        }
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(room)).unwrap();
    }
}

/// Where the chain is kept.
fn drive(sandbox: &Sandbox) -> PathBuf {
    sandbox.state().join("chain")
}

#[test]
fn a_drive_that_fills_up_stops_the_chain_with_a_remedy_and_loses_no_acknowledged_transfer() {
    let Some(mounts) = Mounts::allowed() else { return };
    let machine = Machine::new(mounts);
    let mut acknowledged = 0;
    for room in ROOM {
        let mut chain = machine.run_chain();
        let is_sent = machine.send(&mut chain);
        assert!(is_sent, "with room the first transfer already is carried out");
        acknowledged += 1;
        machine.fill(room);
        let sent = (0..TRANSFERS_MAX).take_while(|_| machine.send(&mut chain)).count();
        assert!(sent < TRANSFERS_MAX, "the drive was never full");
        acknowledged += sent;
        assert_eq!(chain.wait(), 1, "{:?}", chain.stderr());
        let words = chain.stderr();
        assert!(words.contains("space") && !words.contains("panicked"), "{words}");

        fs::remove_file(machine.filler()).unwrap();
        let mut again = machine.run_chain();
        // One that was refused may be in a block: it was never said that it is not.
        let received = machine.received();
        assert!(
            (acknowledged..=acknowledged + 1).contains(&received),
            "{received}, {acknowledged}"
        );
        acknowledged = received;
        again.kill();
    }
}
