//! An hour in the life of a busy node: two hundred peers that come, behave in all manners, and go,
//! while two processes of the real binary, one that seeds and one that downloads, are watched.
//!
//! Owns the peers' threads and both processes; all of them have ended when [`run`] returns. What the
//! samples mean is the business of `verdict`. This is the one part of the kit that follows the wall
//! clock: what is measured is a real process, and it cannot be hurried.

mod kind;
mod report;
mod session;
mod verdict;

use crate::fixture::{Fixture, FixtureBuilder};
use crate::patience::PATIENCE;
use crate::process::{Run, Sandbox};
use kind::{Ending, Kind};
use piecework_metainfo::Version;
use piecework_types::Rng;
use rustix::net::{AddressFamily, SocketType, sockopt};
use session::{Moved, Plan, Session, loopback};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use verdict::{Sample, Verdict};

/// Peers at once; each of them is a thread here.
pub const PEERS_MAX: usize = 500;
/// Longest churn: what is downloaded has to fit on the disk and into memory.
pub const MINUTES_MAX: u64 = 240;

/// What the download is held to, so that it lasts as long as the churn.
const DOWN_BYTES_PER_S: u64 = 60_000;
/// Listening addresses that the downloading process is told about, and dials again and again.
const LISTENERS: usize = 8;
/// Time between two samples of a long churn.
const SAMPLE_EVERY: Duration = Duration::from_secs(10);
/// Samples that a short churn takes all the same.
const SAMPLES_MIN: u32 = 60;
/// Time between two lines of progress.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// Lines that are shown of what a process said before it ended.
const LAST_LINES: usize = 30;
/// Longest life of a connection, in milliseconds; the shortest is a second.
const LIFE_MS_MAX: u64 = 60_000;
/// Before the time counts: until the first peers of long lives have gone, their number only grows.
const SETTLING: Duration = Duration::from_millis(LIFE_MS_MAX * 3 / 2);
/// Between the end of a connection and the next one in its place.
const PAUSE: Duration = Duration::from_millis(200);

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long: 1 to [`MINUTES_MAX`], and a minute and a half before that, until the peers are mixed.
    pub minutes: u64,
    /// How many connections at a time: 1 to [`PEERS_MAX`].
    pub peers: usize,
    /// What all draws follow from.
    pub seed: u64,
    /// The binary under test.
    pub binary: PathBuf,
}

/// What a churn has shown.
#[derive(Debug)]
pub struct Shown {
    /// Everything, as markdown.
    pub text: String,
    /// Whether both processes lived, took part, and kept their size.
    pub is_good: bool,
}

/// Churns and tells its progress on standard error.
///
/// # Panics
/// When the system gives no folder, port or process.
pub fn run(options: &Options) -> Shown {
    let total = Duration::from_secs(options.minutes * 60);
    let churn = Churn::new(options, total);
    let mut watched = [Watched::seed(options, &churn), Watched::get(options, &churn)];
    let began = Instant::now() + SETTLING;
    eprintln!("churn: {} peers, {} min, seed {}", options.peers, options.minutes, options.seed);
    std::thread::scope(|scope| {
        for slot in 0..options.peers {
            let churn = &churn;
            let listener = churn.listeners.get(slot);
            let targets = [watched[0].address, watched[1].address];
            let rng = Rng::new(options.seed.wrapping_add(slot as u64 * 0x9e37));
            scope.spawn(move || match listener {
                Some(listener) => churn.answer(listener, rng),
                None => churn.dial(targets, rng),
            });
        }
        churn.watch(&mut watched, began, total);
        churn.is_over.store(true, Ordering::Relaxed);
    });
    let (version, took) = (version(&options.binary), began.elapsed());
    report::shown(options, &version, &churn, &watched, Spent { took, total })
}

/// How long it was, and was to be.
#[derive(Clone, Copy, Debug)]
struct Spent {
    took: Duration,
    total: Duration,
}

/// What the binary calls itself.
fn version(binary: &Path) -> String {
    let output = Command::new(binary).arg("--version").output();
    output.map_or_else(
        |error| format!("{}: {error}", binary.display()),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// What a kind has done so far.
#[derive(Debug, Default)]
struct Tally {
    connections: AtomicU64,
    sent_bytes: AtomicU64,
    received_bytes: AtomicU64,
}

/// What the peers share.
struct Churn {
    /// What the seeding process has.
    seeded: Vec<Fixture>,
    /// What the other one downloads.
    wanted: Fixture,
    listeners: Vec<TcpListener>,
    is_over: AtomicBool,
    tallies: [Tally; Kind::SHARES.len()],
    /// Connections that could not be made.
    refused: AtomicU64,
}

impl Churn {
    fn new(options: &Options, total: Duration) -> Self {
        let file = |name: &str, bytes: usize| {
            FixtureBuilder::file(name, bytes).seed(options.seed).piece_length(256 << 10)
        };
        let folder = FixtureBuilder::folder("folder").seed(options.seed).piece_length(64 << 10);
        let folder = (0..40).fold(folder, |folder, at| folder.with(&format!("{at}/file"), 200_000));
        // A tenth more than the limit lets through, so that it is never complete.
        let wanted_bytes = DOWN_BYTES_PER_S * (total + 2 * SETTLING).as_secs() * 11 / 10;
        let listener = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        Self {
            seeded: vec![
                file("single", 16 << 20).build(),
                folder.version(Version::Hybrid).build(),
                file("second", 4 << 20).version(Version::V2).build(),
            ],
            wanted: file("wanted", wanted_bytes as usize).seed(options.seed ^ 1).build(),
            listeners: (0..LISTENERS.min(options.peers / 2)).map(listener).collect(),
            is_over: AtomicBool::new(false),
            tallies: std::array::from_fn(|_| Tally::default()),
            refused: AtomicU64::new(0),
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// One connection after the other, to whichever process suits its kind.
    fn dial(&self, [seeding, downloading]: [SocketAddr; 2], mut rng: Rng) {
        while !self.is_over() {
            let kind = Kind::draw(&mut rng);
            let which = if kind.serves() { None } else { rng.index(self.seeded.len() + 1) };
            let (fixture, target) = match which.and_then(|at| self.seeded.get(at)) {
                Some(fixture) => (fixture, seeding),
                None => (&self.wanted, downloading),
            };
            match connect(loopback(&mut rng), target) {
                Ok(socket) => self.take_part(kind, fixture, socket, true, &mut rng),
                Err(_) => drop(self.refused.fetch_add(1, Ordering::Relaxed)),
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// One connection after the other that the downloading process makes.
    fn answer(&self, listener: &TcpListener, mut rng: Rng) {
        // So that the end of the churn is noticed; the kernel applies it to accept(2) as well.
        let set = sockopt::set_socket_timeout(listener, sockopt::Timeout::Recv, Some(PAUSE));
        set.expect("a timeout can be set on any socket");
        while !self.is_over() {
            let Ok((socket, _)) = listener.accept() else { continue };
            let kind = Kind::draw(&mut rng);
            self.take_part(kind, &self.wanted, socket, false, &mut rng);
        }
    }

    fn take_part(
        &self,
        kind: Kind,
        fixture: &Fixture,
        socket: TcpStream,
        is_outgoing: bool,
        rng: &mut Rng,
    ) {
        let life = Duration::from_millis(1000 + rng.below(LIFE_MS_MAX - 1000));
        let (ending, deadline) = (Ending::draw(rng), Instant::now() + life);
        let plan = Plan { kind, ending, fixture, deadline, is_outgoing };
        let session = Session::new(plan, socket, Rng::new(rng.next_u64()));
        let moved =
            session.map_or_else(|_| Moved::default(), |session| session.run(|| self.is_over()));
        let at = Kind::SHARES.iter().position(|(known, _)| *known == kind);
        if let Some(tally) = at.and_then(|at| self.tallies.get(at)) {
            tally.connections.fetch_add(1, Ordering::Relaxed);
            tally.sent_bytes.fetch_add(moved.sent_bytes, Ordering::Relaxed);
            tally.received_bytes.fetch_add(moved.received_bytes, Ordering::Relaxed);
        }
    }

    /// Takes samples until the time is over or a process has ended.
    fn watch(&self, watched: &mut [Watched; 2], began: Instant, total: Duration) {
        let every = SAMPLE_EVERY.min(total / SAMPLES_MIN);
        let mut told = began;
        for at in 1.. {
            let due = began + every * at;
            if due > began + total {
                return;
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            for process in &mut *watched {
                match process.sample(began.elapsed()) {
                    Some(sample) => process.samples.push(sample),
                    None => {
                        process.has_died = true;
                        let said = process.run.stderr();
                        let last = said.lines().count().saturating_sub(LAST_LINES);
                        let said: Vec<&str> = said.lines().skip(last).collect();
                        eprintln!("{} has ended:\n{}", process.name, said.join("\n"));
                        return;
                    }
                }
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                eprintln!("{}", self.progress(watched, began.elapsed()));
            }
        }
    }

    fn progress(&self, watched: &[Watched; 2], elapsed: Duration) -> String {
        let mut line = format!(
            "{:6.1} min {:7} connections",
            elapsed.as_secs_f64() / 60.0,
            self.sum(|t| &t.connections)
        );
        for process in watched {
            let Some(last) = process.samples.last() else { continue };
            line += &format!(
                " | {} {} KiB resident, {} anonymous, {} descriptors, {} threads",
                process.name, last.resident_kib, last.anonymous_kib, last.descriptors, last.threads
            );
        }
        line
    }

    fn sum(&self, of: impl Fn(&Tally) -> &AtomicU64) -> u64 {
        self.tallies.iter().map(|tally| of(tally).load(Ordering::Relaxed)).sum()
    }
}

/// Connects from an address of one's own: bans are by address, and must not end the churn.
fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(PATIENCE))?;
    rustix::net::bind(&socket, &SocketAddr::from((from, 0)))?;
    rustix::net::connect(&socket, &to)?;
    Ok(socket.into())
}

/// A process under test.
struct Watched {
    name: &'static str,
    run: Run,
    address: SocketAddr,
    samples: Vec<Sample>,
    has_died: bool,
    /// Its folders; removed when it is gone.
    _sandbox: Sandbox,
}

impl Watched {
    fn seed(options: &Options, churn: &Churn) -> Self {
        let sandbox = Sandbox::new(&options.binary.to_string_lossy());
        for fixture in &churn.seeded {
            fixture.write_payload(&sandbox.dir()).expect("the temporary folder can be written");
            sandbox.torrent(fixture);
        }
        let command = sandbox.seed_folder(&sandbox.root().join("torrents"));
        Self::start("seed", command, sandbox, churn.seeded.len())
    }

    fn get(options: &Options, churn: &Churn) -> Self {
        let sandbox = Sandbox::new(&options.binary.to_string_lossy());
        let addresses = churn.listeners.iter().filter_map(|it| it.local_addr().ok());
        let mut command =
            sandbox.get(sandbox.torrent(&churn.wanted), &addresses.collect::<Vec<_>>());
        command.args(["--stay", "--limit-down", &DOWN_BYTES_PER_S.to_string()]);
        Self::start("get", command, sandbox, 1)
    }

    fn start(name: &'static str, command: Command, sandbox: Sandbox, torrents: usize) -> Self {
        let run = Run::start(command);
        let address = run.wait_ready();
        eprintln!("{name} with {torrents} torrents is process {} at {address}", run.id());
        Self { name, run, address, samples: Vec::new(), has_died: false, _sandbox: sandbox }
    }

    /// What it holds now; `None` if it has ended.
    fn sample(&self, elapsed: Duration) -> Option<Sample> {
        let folder = PathBuf::from(format!("/proc/{}", self.run.id()));
        let status = fs::read_to_string(folder.join("status")).ok()?;
        // A process that has ended and was not waited for has a status without memory.
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()
        };
        Some(Sample {
            at_s: elapsed.as_secs_f64(),
            resident_kib: field("VmRSS")?,
            anonymous_kib: field("RssAnon")?,
            descriptors: fs::read_dir(folder.join("fd")).ok()?.count() as u64,
            threads: field("Threads")?,
        })
    }
}
