//! `piecework demo`: the whole story of paid lanes on this machine, with real processes.
//!
//! A chain of its own, a tracker, two nodes that sell a part of their uplink, three that download in the
//! slow, the medium and the fast lane, and a plain client that knows nothing of payments. Everything runs on
//! loopback in a folder that goes with it unless it is to be kept, and ends by itself. Figures come from the
//! nodes' APIs, balances from the chain.

mod cast;
mod draw;
mod money;
mod node;
mod play;
mod process;
mod report;

use crate::args::DemoArgs;
use crate::failure::{Context, Failure};
use crate::out::{Out, note};
use crate::signals::Signals;
use cast::Cast;
use draw::Screen;
use money::{Bank, Money};
use play::Play;
use serde_json::Value;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Time for the downloads: with what comes before and after them it stays under 90 s.
const ALL_MAX: Duration = Duration::from_secs(65);

/// Time for earnings to reach the chain at the end.
const SETTLE_MAX: Duration = Duration::from_secs(12);

/// Where everything lies.
enum Folder {
    Passing(TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn of(args: &DemoArgs) -> Result<Self, Failure> {
        let Some(kept) = &args.keep else {
            let made = tempfile::Builder::new().prefix("piecework-demo-").tempdir();
            return made.map(Self::Passing).map_err(|error| {
                let remedy = "set TMPDIR to one that has space";
                Failure::new(format!("cannot make a folder: {error}; {remedy}"))
            });
        };
        let doing = "cannot make the folder of --keep";
        // Processes are started in it.
        let kept = std::path::absolute(kept).context(doing)?;
        std::fs::create_dir_all(&kept).context(doing)?;
        match std::fs::read_dir(&kept).context(doing)?.next() {
            None => Ok(Self::Kept(kept)),
            Some(_) => Err(Failure::usage(format!(
                "--keep wants an empty folder, and {} has something in it: name another one",
                kept.display()
            ))),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Passing(made) => made.path(),
            Self::Kept(path) => path,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &DemoArgs, out: Out) -> Result<(), Failure> {
    let signals = Signals::install()?;
    let folder = Folder::of(args)?;
    let tell = |text: &str| {
        if !out.is_json() {
            note(text);
        }
    };
    tell("a chain of its own, a tracker, and accounts ...");
    let bank = Bank::open(folder.path())?;
    let money = Money::of(args, &bank)?;
    tell("two sellers, three buyers, one plain client ...");
    let cast = Cast::start(folder.path(), &bank, &money)?;
    let before = bank.holdings(&cast.accounts())?;
    let live = !out.is_json() && std::io::stdout().is_terminal();
    let mut screen = Screen::new(live, out);
    let mut play = Play::begin(cast, ALL_MAX)?;
    while !play.is_over() && signals.status().is_none() {
        play.step(args)?;
        screen.draw(&play);
    }
    if let Some(status) = signals.status() {
        return Err(Failure::silent(status));
    }
    if !live {
        tell("the sellers cash ...");
    }
    play.settle(SETTLE_MAX, &signals)?;
    screen.draw(&play);
    screen.end();
    let after = bank.holdings(&play.cast().accounts())?;
    let report: Value = report::of(&play, &bank, &before, &after);
    report::tell(&report, out);
    play.end();
    bank.end();
    match report.get("adds_up") {
        Some(Value::Bool(true)) => Ok(()),
        _ => Err(Failure::new("the balances do not add up, which is a fault of this program")),
    }
}
