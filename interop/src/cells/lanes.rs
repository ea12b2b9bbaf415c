//! Paid lanes beside clients that know nothing of them: one node sells, one buys, and those who do not pay
//! are served all the while.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Cell;
use crate::failure::{Context as _, Failure, Outcome};
use crate::lab::{Maker, Room, Subject};
use crate::matrix::Measure;
use crate::netns::Host;
use crate::payload::MIB;
use crate::peers::daemon::{Daemon, objects};
use crate::peers::libtorrent::Libtorrent;
use crate::peers::transmission::Transmission;
use crate::peers::{Client as _, Foreign, Job, Peer as _};
use crate::process::Process;
use crate::torrent::{Format, Recipe, Torrent};

const NAME: &str = "a paid lane beside two free ones";
/// The seller's uplink until all are there and then, and what of it is kept for those who do not pay, in
/// hundredths.
const SLOW_BYTES_PER_S: u64 = MIB / 2;
const UPLINK_BYTES_PER_S: u64 = 4 * MIB;
const FREE_PERCENT: u64 = 25;
/// What of their share those who do not pay have to get: they may want less in between.
const TAKEN_PERCENT: u64 = 80;
/// What each of them has before somebody pays.
const BEGUN_BYTES: u64 = MIB / 4;
/// A chain, two wallets and four programs come before the transfer.
const PATIENCE: Duration = Duration::from_secs(240);
const SIGNED: [&str; 3] = ["--yes", "--password-file", "password"];

/// The cell about paid lanes.
pub(super) fn cells(subject: &Subject) -> Vec<Cell> {
    let Subject::Ours(_) = subject else { return Vec::new() };
    let needs = [Foreign::Libtorrent, Foreign::Transmission];
    let direction = "ours -> ours (paid), libtorrent, transmission";
    vec![Cell::new(NAME, direction, &needs, run).patient(PATIENCE)]
}

/// A folder with a wallet.
struct Purse<'a> {
    room: &'a Room<'a>,
    home: PathBuf,
}

impl<'a> Purse<'a> {
    fn new(room: &'a Room<'a>, name: &str) -> Outcome<Self> {
        let home = room.home(name)?;
        fs::write(home.join("password"), "correct horse battery staple\n")
            .context(|| "writing a password")?;
        let purse = Self { room, home };
        purse.spend(&["wallet", "new"])?;
        Ok(purse)
    }

    /// The objects that a command prints.
    fn told(&self, words: &[&str]) -> Outcome<Vec<Value>> {
        objects(&self.room.ours()?.plain(words, &self.home).output(self.room.deadline)?)
    }

    /// The same of one that signs.
    fn spend(&self, words: &[&str]) -> Outcome<Vec<Value>> {
        self.told(&[words, &SIGNED].concat())
    }

    /// The same of a client of the daemon in this folder.
    fn asked(&self, words: &[&str]) -> Outcome<Vec<Value>> {
        let data = self.home.join("data").display().to_string();
        self.told(&[words, &["--data-dir", &data]].concat())
    }

    fn path(&self, name: &str) -> String {
        self.home.join(name).display().to_string()
    }
}

/// A chain of the seller's own, and an account of the buyer in its vault.
fn found(seller: &Purse<'_>, buyer: &Purse<'_>) -> Outcome<Process> {
    let deadline = seller.room.deadline;
    seller.told(&["chain", "init", "--token", "TOK"])?;
    let run = ["chain", "run", "--rpc", "127.0.0.1:0"];
    let mut chain = seller.room.ours()?.plain(&run, &seller.home).start()?;
    chain.wait_line("the chain is ready", deadline, |line| {
        Ok(line.text.contains("\"ready\"").then_some(()))
    })?;
    seller.told(&["chain", "share", "-o", &buyer.path("network.json")])?;
    buyer.told(&["chain", "join", "network.json", "--yes"])?;
    let shown = buyer.told(&["wallet", "show"])?;
    let address = text(&shown, "address")?;
    seller.spend(&["token", "send", "1000", "TOK", &address])?;
    buyer.spend(&["vault", "deposit", "100"])?;
    buyer.spend(&["vault", "bond", "500"])?;
    buyer.spend(&["vault", "delegate", "50", "--bond-at-risk", "500"])?;
    Ok(chain)
}

/// A text of the only object.
fn text(told: &[Value], key: &str) -> Outcome<String> {
    let found = told.first().and_then(|object| object[key].as_str());
    found.map(str::to_owned).ok_or_else(|| Failure::new(format!("no {key:?} in {told:?}")))
}

fn run(room: &Room<'_>) -> Outcome<Measure> {
    let payload = room.lab.single()?;
    // So that nobody hears of another peer: all that comes is the seller's.
    let recipe = Recipe { private: true, ..Recipe::new(payload, Format::V1) };
    let torrent = room.torrent(&recipe, Maker::Subject)?;
    let (seller, buyer) = (Purse::new(room, "seller")?, Purse::new(room, "buyer")?);
    let mut chain = found(&seller, &buyer)?;
    let mut shop = Daemon::start(room.ours()?, &[payload.parent()], &seller.home, room.deadline)?;
    sell(&seller, SLOW_BYTES_PER_S)?;
    let homes = (room.home("transmission")?, room.home("libtorrent")?);
    let dirs = (room.dir("transmission")?, room.dir("libtorrent")?, room.dir("buyer")?);
    // It cannot be told of a peer, so it is called.
    let job = Job::new(&torrent, &dirs.0, &homes.0);
    let mut transmission = Transmission.leech(&job, room.deadline)?;
    let called = transmission.address().to_string();
    let (file, origin) =
        (torrent.path.display().to_string(), payload.parent().display().to_string());
    let add = ["add", &file, "--trusted", "--save-path", &origin, "--peer", &called];
    seller.asked(&add)?;
    let place = SocketAddr::new(Host::SUBJECT.v4(), shop.peer_port);
    let mut job = Job::new(&torrent, &dirs.1, &homes.1);
    job.dial.push(place);
    let mut libtorrent = Libtorrent::PEER.start("leech", &job, room.deadline)?;
    wait_begun(&seller, &torrent)?;
    sell(&seller, UPLINK_BYTES_PER_S)?;
    let began = Instant::now();
    let before = sent(&seller, &torrent)?;
    let paid = buy(&buyer, &torrent, place, &dirs.2)?;
    let free = sent(&seller, &torrent)?.saturating_sub(before + payload.bytes());
    for peer in [&mut *transmission, &mut libtorrent] {
        peer.wait_done(room.deadline)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    for dir in [&dirs.0, &dirs.1, &dirs.2] {
        room.verify(payload, &torrent, dir, dir == &dirs.2)?;
    }
    let earned = text(&seller.asked(&["earnings"])?, "amount")?;
    transmission.stop()?;
    libtorrent.stop()?;
    shop.stop()?;
    chain.terminate(Duration::from_secs(10))?;
    if earned != paid {
        return Err(Failure::new(format!("the buyer says {paid}, the seller {earned}")));
    }
    let least = (payload.bytes() + free) * FREE_PERCENT / 100 * TAKEN_PERCENT / 100;
    if free < least {
        let told = format!("{free} bytes went to who does not pay, {least} are the least");
        return Err(Failure::new(told));
    }
    Ok(Measure::new(3 * payload.bytes(), seconds))
}

/// Sells so much of the uplink.
fn sell(seller: &Purse<'_>, bytes_per_s: u64) -> Outcome<()> {
    let (uplink, share) = (bytes_per_s.to_string(), FREE_PERCENT.to_string());
    let on = ["sell", "on", "--floor", "4", "--capacity", &uplink, "--free-share", &share];
    seller.asked(&on).map(drop)
}

/// Downloads for money; what it has cost.
fn buy(buyer: &Purse<'_>, torrent: &Torrent, place: SocketAddr, dir: &Path) -> Outcome<String> {
    let (file, place) = (torrent.path.display().to_string(), place.to_string());
    let dir = dir.display().to_string();
    let get = ["get", &file, "--dir", &dir, "--port", "0", "--peer", &place, "--no-dht"];
    let lane = ["--no-local-discovery", "--lane", "fast", "--budget", "1"];
    let told = buyer.told(&[&get[..], &lane].concat())?;
    let paid = told.iter().find(|object| object["event"] == "paid");
    let amount = paid.and_then(|object| object["amount"].as_str()).map(str::to_owned);
    amount.filter(|amount| amount != "0").ok_or_else(|| Failure::new("nothing was paid"))
}

/// Bytes that the seller has sent of a torrent.
fn sent(seller: &Purse<'_>, torrent: &Torrent) -> Outcome<u64> {
    let told = seller.asked(&["info", torrent.printed_hash()])?;
    let bytes = told.first().and_then(|object| object["up_bytes"].as_u64());
    bytes.ok_or_else(|| Failure::new(format!("no bytes in {told:?}")))
}

/// Waits until both who do not pay are being served.
fn wait_begun(seller: &Purse<'_>, torrent: &Torrent) -> Outcome<()> {
    seller.room.deadline.poll("two clients are served", || {
        let peers = seller.asked(&["peers", torrent.printed_hash()])?;
        let begun = |peer: &&Value| peer["up_bytes"].as_u64().is_some_and(|it| it >= BEGUN_BYTES);
        Ok((peers.iter().filter(begun).count() == 2).then_some(()))
    })
}
