//! Kills of who sells and of who buys in the middle of a paid transfer: what each of them has in the end, by
//! its own ledger and by the chain.
//!
//! One daemon sells, another buys the same torrent of it again and again, on a chain of their own; a plain
//! `get` downloads it for nothing beside them. In each round one of the two that trade is killed and started
//! again. In the end whatever was earned has to be on the chain, and nobody may have lost more than the
//! protocol allows.

use std::fs;
use std::thread;
use std::time::Duration;

use piecework_types::Rng;

use super::Options;
use crate::failure::{Context as _, Failure, Outcome};
use crate::lab::{Lab, Maker, Room, Subject};
use crate::payload::{MIB, Payload};
use crate::peers::ours::Ours;
use crate::process::{Deadline, Process, last_lines};
use crate::torrent::{Format, Recipe, Torrent};

mod books;
mod trader;

use books::{Account, Books, Round, Side};
use trader::{Trader, micro, text};

/// What is bought, again and again.
const PAYLOAD_BYTES: u64 = 12 * MIB;
const PIECE_BYTES: u64 = 256 << 10;
/// The seller's uplink: a download lasts several kills.
const UPLINK: &str = "1Mi";
/// A process lives this long after its start, at most.
const LIFE_MS_MAX: u64 = 4_000;
/// For the start of a process, and for a whole download that nobody disturbs.
const PATIENCE: Duration = Duration::from_secs(300);
/// A channel whose buyer was killed for good is cashed ten minutes after the last cash-out of its account.
const SETTLED_MAX: Duration = Duration::from_secs(1_200);
/// The whole run must not hang either.
const RUN_PATIENCE: Duration = Duration::from_secs(7_200);
/// Whole tokens of the buyer in the vault: what it pays from, and what burns if a cheque bounces.
const DEPOSIT: &str = "100";
const BOND: &str = "500";
const TOKEN: &str = "TOK";

/// Runs the rounds and prints the report; whether all is well.
pub(super) fn run(options: &Options, ours: Ours, seed: u64) -> Outcome<bool> {
    let version = ours.version()?;
    let lab = Lab::new(Subject::Ours(ours), false)?;
    let room = lab.room(0, Deadline::after(RUN_PATIENCE))?;
    let mut rng = Rng::new(seed);
    let mut market = Market::open(&room, &mut rng)?;
    let outcome = market.all(options.rounds, &mut rng);
    if outcome.is_err() {
        eprintln!("{}", last_lines(room.folder(), 25));
    }
    let text = books::report(&version, seed, &market.rounds, &outcome);
    if let Some(file) = &options.report {
        fs::write(file, &text).context(|| format!("cannot write {}", file.display()))?;
    }
    print!("{text}");
    Ok(outcome.is_ok_and(|books| books.faults().is_empty()))
}

/// Everybody who takes part. What a field needs stands behind it: it ends later.
struct Market<'a> {
    room: &'a Room<'a>,
    payload: Payload,
    torrent: Torrent,
    /// The download that costs nothing.
    free: Option<Process>,
    buyer: Trader<'a>,
    seller: Trader<'a>,
    /// What the seller had before anything was sold.
    before: u128,
    rounds: Vec<Round>,
    /// Downloads that came to their end and are right.
    bought: u64,
    free_ones: u64,
    _servers: [Process; 2],
}

impl<'a> Market<'a> {
    fn open(room: &'a Room<'a>, rng: &mut Rng) -> Outcome<Self> {
        let (mut seller, mut buyer) = (Trader::new(room, "seller")?, Trader::new(room, "buyer")?);
        let chain = chain(&seller, &buyer)?;
        let (tracker, announce) = tracker(&seller)?;
        let payload = Payload::single(&room.dir("origin")?, "payload", PAYLOAD_BYTES, rng)?;
        let piece_length = Some(PIECE_BYTES);
        let recipe = Recipe { piece_length, ..Recipe::new(&payload, Format::V1) };
        let recipe = Recipe { tracker: Some(&announce), ..recipe };
        let torrent = room.torrent(&recipe, Maker::Subject)?;
        let before = seller.balance(TOKEN)?;
        seller.up()?;
        buyer.up()?;
        fs::create_dir_all(&seller.save_path).context(|| "a folder for the payload")?;
        let copy = seller.save_path.join("payload");
        fs::copy(payload.path(), copy).context(|| "the seller's copy")?;
        seller.told(&["sell", "on", "--capacity", UPLINK, "--floor", "2"])?;
        seller.told(&["add", text(&torrent.path), "--trusted"])?;
        buyer.spend(&["buy", "on", "--max", "90"])?;
        let (rounds, bought, free_ones) = (Vec::new(), 0, 0);
        let _servers = [chain, tracker];
        let mut market = Self {
            room,
            payload,
            torrent,
            free: None,
            buyer,
            seller,
            before,
            rounds,
            bought,
            free_ones,
            _servers,
        };
        market.begin()?;
        market.begin_free()?;
        Ok(market)
    }

    fn all(&mut self, count: usize, rng: &mut Rng) -> Outcome<Books> {
        while self.rounds.len() < count {
            let round = self.round(rng)?;
            eprintln!("[{}/{count}] {}", self.rounds.len() + 1, round.line());
            self.rounds.push(round);
        }
        // The one that was killed so many times, and another one that is not: its end is that of the channel.
        for _ in 0..2 {
            self.wait_whole()?;
            self.finish()?;
            self.begin()?;
        }
        self.wait_whole()?;
        self.wait_free()?;
        self.settled()
    }

    /// One of the two is killed, and started again.
    fn round(&mut self, rng: &mut Rng) -> Outcome<Round> {
        if self.progress()? == 1000 {
            self.finish()?;
            self.begin()?;
        }
        let free = self.free.as_mut().map(Process::exited).transpose()?.flatten();
        if free.is_some() {
            self.wait_free()?;
            self.begin_free()?;
        }
        let side = if rng.chance(1, 2) { Side::Seller } else { Side::Buyer };
        let after = Duration::from_millis(rng.below(LIFE_MS_MAX));
        thread::sleep(after);
        let progress = self.progress()?;
        let killed = match side {
            Side::Seller => &mut self.seller,
            Side::Buyer => &mut self.buyer,
        };
        killed.kill()?;
        let (sold, bought) = (self.seller.sums("earnings")?, self.buyer.sums("spending")?);
        match side {
            Side::Seller => self.seller.up()?,
            Side::Buyer => self.buyer.up()?,
        }
        Ok(Round { side, after, progress, sold, bought })
    }

    /// Thousandths of the download that are there.
    fn progress(&self) -> Outcome<u64> {
        let told = self.buyer.ask(&["list"])?;
        let is_whole = told["stage"] == "seeding";
        let have = told["progress_milli"].as_u64().unwrap_or_default();
        Ok(if is_whole { 1000 } else { have.min(999) })
    }

    fn begin(&mut self) -> Outcome<()> {
        let lane = ["--lane", "fast", "--budget", "80", "--max-price", "10"];
        self.buyer.told(&[&["add", text(&self.torrent.path)][..], &lane].concat()).map(drop)
    }

    /// The download is there: it has to be right, and makes room for the next one.
    fn finish(&mut self) -> Outcome<()> {
        self.payload.compare(&self.buyer.save_path)?;
        let id = self.torrent.printed_hash();
        self.buyer.told(&["remove", id, "--with-files", "--yes"])?;
        self.bought += 1;
        Ok(())
    }

    fn wait_whole(&self) -> Outcome<()> {
        self.buyer.until(Deadline::after(PATIENCE), "came to its end", || {
            let progress = self.progress()?;
            Ok((progress == 1000, progress.to_string()))
        })
    }

    fn begin_free(&mut self) -> Outcome<()> {
        let (home, dir) = (self.room.home("free")?, self.room.dir("free")?);
        fs::remove_dir_all(&dir).context(|| "what was downloaded before")?;
        let ours = self.room.ours()?;
        let launch = ours.launch("get", &self.torrent.path, &dir, &home);
        let alone = ["--no-dht", "--no-local-discovery", "--no-port-mapping", "--trust-peers"];
        self.free = Some(launch.args(alone).args(["--port", "0"]).start()?);
        Ok(())
    }

    /// Nothing that happens to payments may end it.
    fn wait_free(&mut self) -> Outcome<()> {
        let Some(mut free) = self.free.take() else { return Ok(()) };
        let status = free.wait_exit(Deadline::after(PATIENCE))?;
        if !status.success() {
            return Err(Failure::new(format!("the free download ended with {status}")));
        }
        self.payload.compare(&self.room.dir("free")?)?;
        self.free_ones += 1;
        Ok(())
    }

    /// Waits until the chain has paid all that was earned, and the buyer knows of it.
    fn settled(&mut self) -> Outcome<Books> {
        let (seller, buyer) = (&self.seller, &self.buyer);
        seller.until(Deadline::after(SETTLED_MAX), "had all of it cashed", || {
            let (sold, bought) = (seller.sums("earnings")?, buyer.sums("spending")?);
            let is_settled = sold.amount == sold.settled && bought.settled == sold.settled;
            Ok((is_settled, format!("{sold:?} {bought:?}")))
        })?;
        let told = buyer.ask(&["vault", "status"])?;
        let amount = |name: &str| micro(&told[name]);
        Ok(Books {
            sold: seller.sums("earnings")?,
            bought: buyer.sums("spending")?,
            rise: seller.balance(TOKEN)?.saturating_sub(self.before),
            account: Account {
                free: amount("free")?,
                bond: amount("bond")?,
                owed: amount("owed")?,
                paid: amount("total_paid")?,
                bounces: told["bounces"].as_u64().unwrap_or(u64::MAX),
            },
            kills: self.rounds.len() as u64,
            downloads: self.bought + 1,
            free_downloads: self.free_ones,
        })
    }
}

/// A chain of the seller's own; the buyer has something in its vault.
fn chain(seller: &Trader<'_>, buyer: &Trader<'_>) -> Outcome<Process> {
    seller.told(&["chain", "init", "--token", TOKEN])?;
    let mut chain = seller.launch(&["chain", "run", "--rpc", "127.0.0.1:0"])?.start()?;
    wait_ready(&mut chain)?;
    let file = buyer.path("network.json");
    seller.told(&["chain", "share", "-o", text(&file)])?;
    buyer.told(&["chain", "join", text(&file), "--yes"])?;
    let shown = buyer.ask(&["wallet", "show"])?;
    let address = shown["address"].as_str().unwrap_or_default();
    seller.spend(&["token", "send", "1000", TOKEN, address])?;
    buyer.spend(&["vault", "deposit", DEPOSIT])?;
    buyer.spend(&["vault", "bond", BOND])?;
    Ok(chain)
}

/// A tracker, by which whoever comes back is found at once, and its announce URL.
fn tracker(host: &Trader<'_>) -> Outcome<(Process, String)> {
    let arguments = ["tracker", "--open", "--bind", "127.0.0.1", "--port", "0"];
    let mut tracker = host.launch(&arguments)?.start()?;
    let ready = wait_ready(&mut tracker)?;
    Ok((tracker, format!("http://127.0.0.1:{}/announce", ready["port"])))
}

fn wait_ready(process: &mut Process) -> Outcome<serde_json::Value> {
    process.wait_line("it is ready", Deadline::after(PATIENCE), |line| {
        let event = serde_json::from_str::<serde_json::Value>(&line.text);
        let event = event.context(|| line.text.clone())?;
        Ok((event["event"] == "ready").then_some(event))
    })
}
