//! Fifty SIGKILLs: what our client loses, and whether it ever claims a piece that is not there.
//!
//! After every kill three parties are asked which pieces there are: the process before its death (by
//! a line of its log for each verified piece), the files (each piece hashed by Python), and a new
//! process with no peer to fetch from (by the line of its log that says what it begins with). The new
//! one has to claim every piece that the old one had told a second before it died, and none that is
//! not in the files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use piecework_types::Rng;

use crate::failure::{Context as _, Failure, Outcome};
use crate::lab::{Lab, Maker, Room, Subject};
use crate::payload::{MIB, Payload};
use crate::peers::libtorrent::{self, Libtorrent, LibtorrentPeer};
use crate::peers::ours::Ours;
use crate::peers::{Job, Peer as _};
use crate::process::{Deadline, last_lines};
use crate::torrent::{Format, Recipe, Torrent};

mod money;
mod report;
mod seen;

use report::{Act, Round};
use seen::{Pieces, Seen, Told};

/// Small enough that a second holds many pieces, so that a lost one shows.
const PIECE_BYTES: u64 = 256 << 10;
/// The seeder's pace: a whole download lasts several kills.
const SEED_BYTES_PER_S: u64 = 40 * MIB;
/// A download is killed this long after its start, at most.
const DOWNLOAD_MS_MAX: u64 = 3_000;
/// A check of everything takes less than this.
const CHECK_MS_MAX: u64 = 600;
/// What a kill may cost.
const LOSS_MAX: Duration = Duration::from_secs(1);
/// For the start of a process, and for a whole download at the seeder's pace.
const PATIENCE: Duration = Duration::from_secs(60);
/// The whole run must not hang either.
const RUN_PATIENCE: Duration = Duration::from_secs(3_600);

/// `piecework-interop kill`
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// In the middle of what.
    #[arg(long, value_enum, default_value_t = Kind::Download)]
    kind: Kind,
    /// How many kills.
    #[arg(long, value_name = "N", default_value_t = 50)]
    rounds: usize,
    /// Decides the moments [default: the clock; it is printed].
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// The binary under test.
    #[arg(long)]
    pub(crate) binary: Option<PathBuf>,
    /// Write the report to this file as well.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// What is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum Kind {
    /// A download, and a check of one.
    Download,
    /// Who sells and who buys, in a paid transfer.
    Money,
}

/// Runs the rounds and prints the report; whether all is well.
pub(crate) fn run(options: &Options, ours: Ours) -> Outcome<bool> {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = options.seed.unwrap_or(clock.as_secs());
    eprintln!("seed {seed}");
    if options.kind == Kind::Money {
        return money::run(options, ours, seed);
    }
    let version = ours.version()?;
    let lab = Lab::new(Subject::Ours(ours), true)?;
    let room = lab.room(0, Deadline::after(RUN_PATIENCE))?;
    let payload =
        Payload::halves(&room.dir("origin")?, "kill", 16, 16 * MIB + 77, &mut Rng::new(seed))?;
    let recipe = Recipe { piece_length: Some(PIECE_BYTES), ..Recipe::new(&payload, Format::V1) };
    let torrent = room.torrent(&recipe, Maker::Libtorrent)?;
    let home = room.home("libtorrent")?;
    let mut job = Job::new(&torrent, payload.parent(), &home);
    job.limit_up = SEED_BYTES_PER_S;
    let seeder = Libtorrent::PEER.start("seed", &job, Deadline::after(PATIENCE))?;
    let mut trial = Trial::new(&room, &payload, &torrent, seeder)?;
    let mut rng = Rng::new(seed);
    let mut rounds = Vec::new();
    let outcome = trial.all(options.rounds, &mut rng, &mut rounds);
    if outcome.is_err() {
        eprintln!("{}", last_lines(room.folder(), 25));
    }
    let text = report::text(&version, seed, &rounds, trial.finished, outcome.err());
    if let Some(file) = &options.report {
        fs::write(file, &text).context(|| format!("cannot write {}", file.display()))?;
    }
    print!("{text}");
    Ok(report::good(&rounds) && rounds.len() == options.rounds && trial.finished > 0)
}

/// One download that is killed and restarted until it is complete, and then another.
struct Trial<'a> {
    room: &'a Room<'a>,
    payload: &'a Payload,
    torrent: &'a Torrent,
    seeder: LibtorrentPeer,
    home: PathBuf,
    dir: PathBuf,
    /// Pieces that the latest process without peers claimed.
    claimed: Pieces,
    /// Downloads that were completed and found to be right.
    finished: usize,
}

impl<'a> Trial<'a> {
    fn new(
        room: &'a Room<'a>,
        payload: &'a Payload,
        torrent: &'a Torrent,
        seeder: LibtorrentPeer,
    ) -> Outcome<Self> {
        let (home, dir) = (room.home("ours")?, room.dir("ours")?);
        let claimed = Pieces::new();
        Ok(Self { room, payload, torrent, seeder, home, dir, claimed, finished: 0 })
    }

    fn all(&mut self, count: usize, rng: &mut Rng, rounds: &mut Vec<Round>) -> Outcome<()> {
        while rounds.len() < count {
            // Two of five in the check; a check of nothing at all is over before it can be killed.
            let act = if !self.claimed.is_empty() && rng.chance(2, 5) {
                Act::Check
            } else {
                Act::Download
            };
            let longest = match act {
                Act::Check => CHECK_MS_MAX,
                Act::Download => DOWNLOAD_MS_MAX,
            };
            let delay = Duration::from_millis(rng.below(longest));
            let Some(round) = self.round(act, delay)? else { continue };
            eprintln!("[{}/{count}] {}", rounds.len() + 1, round.line());
            rounds.push(round);
        }
        // The last download, killed so many times, has to come to a good end.
        self.watch(Act::Download, PATIENCE)?;
        self.finish()
    }

    /// Starts a process, kills it after `delay`, and asks all parties. `None` if it was complete
    /// before that: then it was looked at, and a new download has begun.
    fn round(&mut self, act: Act, delay: Duration) -> Outcome<Option<Round>> {
        let before = std::mem::take(&mut self.claimed);
        if act == Act::Check {
            // With no resume data, everything on the disk has to be hashed.
            clear(&self.home.join("state"))?;
        }
        let seen = self.watch(act, delay)?;
        if seen.is_done {
            self.finish()?;
            self.start_over()?;
            return Ok(None);
        }
        let verifier = self.room.home("pieces")?;
        let on_disk = libtorrent::good_pieces(self.torrent, &self.dir, &verifier)?;
        let on_disk = on_disk.into_iter().collect();
        self.claimed = self.claim()?;
        let floor = before.union(&seen.told_before(LOSS_MAX)).copied().collect();
        let (told, claimed) = (seen.told(), self.claimed.clone());
        Ok(Some(Round { act, delay, phase: seen.phase, told, floor, on_disk, claimed }))
    }

    /// Runs `get` until it is done or `delay` has passed, then kills it.
    fn watch(&self, act: Act, delay: Duration) -> Outcome<Seen> {
        let mut job = Job::new(self.torrent, &self.dir, &self.home);
        if act == Act::Download {
            job.dial.push(self.seeder.address());
        }
        let mut peer = self.room.ours()?.get_logged(&job, &["--json"])?;
        let mut lines = peer.process.collect(Deadline::after(delay));
        let status = peer.process.exited()?;
        // Before, so that what counts as told a second earlier really was.
        let killed = Instant::now();
        peer.process.kill();
        lines.extend(peer.process.collect(Deadline::after(PATIENCE)));
        let seen = Seen::new(killed, &lines)?;
        match status {
            Some(status) if !(status.success() && seen.is_done) => {
                let said = last_lines(&self.home, 3);
                Err(Failure::new(format!("get ended by itself with {status}: {said}")))
            }
            Some(_) | None => Ok(seen),
        }
    }

    /// The pieces that a process with no peer to fetch from says it has, once it is ready.
    fn claim(&self) -> Outcome<Pieces> {
        let job = Job::new(self.torrent, &self.dir, &self.home);
        let mut peer = self.room.ours()?.get_logged(&job, &["--json"])?;
        peer.process.wait_line("a claim after the restart", Deadline::after(PATIENCE), |line| {
            Ok(match Told::parse(line)? {
                Some(Told::Ready(have)) => Some(have),
                Some(Told::Verified(_)) | None => None,
            })
        })
    }

    fn finish(&mut self) -> Outcome<()> {
        self.payload.compare(&self.dir)?;
        let home = self.room.home("check")?;
        if !self.room.ours()?.check(&self.torrent.path, &self.dir, &home)? {
            return Err(Failure::new("check does not find the finished files complete"));
        }
        libtorrent::recheck(self.torrent, &self.dir, &home)?;
        self.finished += 1;
        Ok(())
    }

    fn start_over(&mut self) -> Outcome<()> {
        clear(&self.home.join("state"))?;
        clear(&self.dir)?;
        fs::create_dir_all(&self.dir).context(|| "starting over")?;
        self.claimed = Pieces::new();
        Ok(())
    }
}

/// Removes a folder that may not be there: a process may have been killed before it made it.
fn clear(folder: &Path) -> Outcome<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::new(format!("cannot remove {}: {error}", folder.display())))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
