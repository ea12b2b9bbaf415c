//! The nodes: how each begins with the same accounts, starts, answers, and ends.

use serde_json::Value;
use std::env;
use std::fmt;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a node may take to answer, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// How anvil does most: by itself it makes a block for each transaction, which was slower by far; more blocks
/// a second were no faster; one of ours a second would not hold what it can do; and it need not sort by fees.
const ANVIL: [&str; 6] = ["--block-time", "1", "--gas-limit", "1200000000", "--order", "fifo"];

/// The chain that the genesis file is for; ours draws its own number.
const CHAIN_ID: &str = "4294967299";

/// Whose node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Ours,
    Anvil,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Ours, Self::Anvil];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "piecework",
            Self::Anvil => "anvil",
        })
    }
}

/// Where the programs are, and where they work.
pub(crate) struct Places {
    pub(crate) piecework: PathBuf,
    pub(crate) load: PathBuf,
    pub(crate) anvil: PathBuf,
    pub(crate) genesis: PathBuf,
    pub(crate) work: PathBuf,
}

/// Where the contracts' npm packages are.
pub(crate) fn installed_anvil() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache");
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    cache.join("piecework/contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")
}

impl Places {
    /// Writes the genesis file in which the senders own tokens, unless it is there.
    pub(crate) fn write_genesis(&self, contracts: &Path, senders: u32) -> Result<(), String> {
        if self.genesis.exists() {
            return Ok(());
        }
        let mut command = Command::new(&self.load);
        command.args(["genesis", "--chain-id", CHAIN_ID, "--senders", &senders.to_string()]);
        let printed =
            output(command.arg("--artifact").arg(contracts.join("artifacts/Token.json")))?;
        fs::write(&self.genesis, printed)
            .map_err(|error| format!("cannot write {}: {error}", self.genesis.display()))
    }

    /// What `piecework-chainload` prints.
    pub(crate) fn load(&self, arguments: &[&str]) -> Result<Value, String> {
        let printed = output(Command::new(&self.load).args(arguments))?;
        serde_json::from_slice(&printed).map_err(|error| format!("chainload: {error}"))
    }
}

/// A running node.
pub(crate) struct Node {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Node {
    /// Makes a chain of `kind` in `folder` that begins with the genesis file, and starts it.
    pub(crate) fn begin(kind: Kind, places: &Places, folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        if kind == Kind::Ours {
            let mut init = Command::new(&places.piecework);
            init.args(["chain", "init", "--bare", "--alloc"]).arg(&places.genesis);
            output(init.arg("--state").arg(folder))?;
        }
        Self::start(kind, places, folder)
    }

    /// Starts the chain in `folder`; comes back when it answers.
    pub(crate) fn start(kind: Kind, places: &Places, folder: &Path) -> Result<Self, String> {
        let address = free_address()?;
        let mut command = match kind {
            Kind::Ours => {
                let mut command = Command::new(&places.piecework);
                command.args(["chain", "run", "--rpc", &address.to_string()]);
                command.arg("--state").arg(folder);
                command
            }
            Kind::Anvil => {
                let mut command = Command::new(&places.anvil);
                command.args(["--host", "127.0.0.1", "--port", &address.port().to_string()]);
                command.args(["--silent", "--accounts", "1"]).args(ANVIL);
                command.args(["--block-base-fee-per-gas", "0", "--gas-price", "0"]);
                command.args(["--chain-id", CHAIN_ID, "--prune-history"]);
                command.arg("--init").arg(&places.genesis);
                command
            }
        };
        let log = File::create(folder.join("node.log")).map_err(|error| error.to_string())?;
        let child = command.stdout(Stdio::null()).stderr(log).spawn();
        let child = child.map_err(|error| format!("cannot start {kind}: {error}"))?;
        let mut node = Self { child, address };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Ok(Some(status)) = node.child.try_wait() {
                let log = fs::read_to_string(folder.join("node.log")).unwrap_or_default();
                return Err(format!("{kind} ended with {status}: {log}"));
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{kind} does not answer at {address}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(node)
    }

    /// CPU time it has used, seconds.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks = fields.split(' ').skip(12).take(2).filter_map(|it| it.parse::<f64>().ok());
        ticks.sum::<f64>() / rustix::param::clock_ticks_per_second() as f64
    }

    /// Ends it as a person would.
    pub(crate) fn end(mut self) -> Result<(), String> {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM)
            .map_err(|error| format!("cannot end the node: {error}"))?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if self.child.try_wait().map_err(|error| error.to_string())?.is_some() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err("the node does not end".into())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_address() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map_err(|error| format!("no free port on loopback: {error}"))
}

fn output(command: &mut Command) -> Result<Vec<u8>, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot start {name}: {error}"))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
