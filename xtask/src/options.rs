//! The command line of `cargo xtask`, parsed by hand: it has few words and fewer switches.

use crate::budget::Mode;
use crate::soak::PARTS;
use std::collections::BTreeSet;

/// What to say about correct use.
pub(crate) const USAGE: &str = "\
usage: cargo xtask COMMAND

  tidy                               check the house rules (STYLE.md)
  run [--demo]                       run a daemon on loopback until Ctrl-C; --demo seeds and downloads
                                     64 MiB instead and prints the figures
  test [--quick] [--without PROGRAM]...
                                     run every test; --quick takes under 5 minutes
  dist                               build a .deb and a tar.gz in target/dist
  budget [--write]                   count the instructions of the hot paths, compare them with
                                     bench/BUDGET.json or write it
  soak [--only PART]... [--fuzz-seconds N] [--sim-seeds N] [--kill-rounds N] [--churn-minutes N]
                                     run the long proofs and write docs/SOAK.md; what is shorter
                                     than by default is said to be so

PROGRAM is one of libtorrent, transmission, aria2, opentracker, miniupnpd, nginx,
bittorrent-dht, qbittorrent, qbittorrent-api, transmission-rpc, schemathesis, npm, valgrind,
chromium.
PART is one of build, fuzz, simulator, kill, money, chain, daemon, churn.";

/// Programs of other projects that the interop tests install and talk to.
pub(crate) const PEERS: [&str; 11] = [
    "libtorrent",
    "transmission",
    "aria2",
    "opentracker",
    "miniupnpd",
    "nginx",
    "bittorrent-dht",
    "qbittorrent",
    "qbittorrent-api",
    "transmission-rpc",
    "schemathesis",
];

/// What the contracts are compiled and tried with.
pub(crate) const NPM: &str = "npm";

/// What the web app is tried in.
pub(crate) const CHROMIUM: &str = "chromium";

/// What counts instructions.
pub(crate) const VALGRIND: &str = "valgrind";

/// What the user asked for.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Command {
    Help,
    Tidy,
    Run(Job),
    Dist,
    Test(TestOptions),
    Budget(Mode),
    Soak(SoakOptions),
}

/// What to run the product for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Job {
    /// A daemon, until somebody ends it.
    Daemon,
    /// One transfer, with figures.
    Demo,
}

/// How much of the tests to run.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct TestOptions {
    /// Leave out everything that needs installing or takes minutes.
    pub(crate) quick: bool,
    /// Peers whose absence is accepted.
    pub(crate) without: BTreeSet<String>,
    /// So is that of npm and Node.js.
    pub(crate) without_npm: bool,
    /// So is that of valgrind.
    pub(crate) without_valgrind: bool,
    /// So is that of Debian's browser.
    pub(crate) without_chromium: bool,
}

/// Which of the long proofs to run, and how long.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SoakOptions {
    /// All if empty.
    pub(crate) only: BTreeSet<String>,
    /// Fuzzing of one target.
    pub(crate) fuzz_seconds: u64,
    /// Simulated swarms.
    pub(crate) sim_seeds: u64,
    /// Kills of a process that downloads or checks.
    pub(crate) kill_rounds: u64,
    /// Peers that come and go.
    pub(crate) churn_minutes: u64,
}

impl Default for SoakOptions {
    fn default() -> Self {
        let only = BTreeSet::new();
        Self { only, fuzz_seconds: 60, sim_seeds: 10_000, kill_rounds: 200, churn_minutes: 60 }
    }
}

impl SoakOptions {
    /// Whether to run this part.
    pub(crate) fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.contains(part)
    }

    /// How a part is shorter than it ought to be, if it is.
    pub(crate) fn shortened(&self, part: &str) -> Option<String> {
        let full = Self::default();
        let (asked, full, unit) = match part {
            "fuzz" => (self.fuzz_seconds, full.fuzz_seconds, "seconds a target"),
            "simulator" => (self.sim_seeds, full.sim_seeds, "seeds"),
            "kill" | "money" | "chain" | "daemon" => (self.kill_rounds, full.kill_rounds, "rounds"),
            "churn" => (self.churn_minutes, full.churn_minutes, "minutes"),
            _ => return None,
        };
        (asked < full).then(|| format!("shortened to {asked} of {full} {unit}"))
    }
}

/// Reads the arguments behind `cargo xtask`.
///
/// # Errors
/// When a word is unknown, missing or in a place where it means nothing; the text names it.
pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
    let command = match args.next().as_deref() {
        None => return Err("which command?".into()),
        Some("help" | "--help" | "-h") => Command::Help,
        Some("tidy") => Command::Tidy,
        Some("run") => return parse_run(args),
        Some("dist") => Command::Dist,
        Some("test") => return parse_test(args),
        Some("budget") => return parse_budget(args),
        Some("soak") => return parse_soak(args),
        Some(other) => return Err(format!("unknown command `{other}`")),
    };
    args.next().map_or(Ok(command), |extra| Err(format!("unexpected `{extra}`")))
}

fn parse_run(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
    let job = match args.next().as_deref() {
        None => Job::Daemon,
        Some("--demo") => Job::Demo,
        Some(other) => return Err(format!("unexpected `{other}`")),
    };
    args.next().map_or(Ok(Command::Run(job)), |extra| Err(format!("unexpected `{extra}`")))
}

fn parse_test(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut options = TestOptions::default();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => options.quick = true,
            "--without" => {
                let program = args.next().ok_or("--without needs the name of a program")?;
                if program == VALGRIND {
                    options.without_valgrind = true;
                } else if program == CHROMIUM {
                    options.without_chromium = true;
                } else if program == NPM {
                    options.without_npm = true;
                } else if PEERS.contains(&program.as_str()) {
                    options.without.insert(program);
                } else {
                    return Err(format!("unknown program `{program}`"));
                }
            }
            other => return Err(format!("unexpected `{other}`")),
        }
    }
    Ok(Command::Test(options))
}

fn parse_budget(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mode = match args.next().as_deref() {
        None => Mode::Compare,
        Some("--write") => Mode::Write,
        Some(other) => return Err(format!("unexpected `{other}`")),
    };
    args.next().map_or(Ok(Command::Budget(mode)), |extra| Err(format!("unexpected `{extra}`")))
}

fn parse_soak(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut options = SoakOptions::default();
    while let Some(arg) = args.next() {
        let number = match arg.as_str() {
            "--only" => {
                let part = args.next().ok_or("--only needs the name of a part")?;
                if !PARTS.contains(&part.as_str()) {
                    return Err(format!("unknown part `{part}`"));
                }
                options.only.insert(part);
                continue;
            }
            "--fuzz-seconds" => &mut options.fuzz_seconds,
            "--sim-seeds" => &mut options.sim_seeds,
            "--kill-rounds" => &mut options.kill_rounds,
            "--churn-minutes" => &mut options.churn_minutes,
            other => return Err(format!("unexpected `{other}`")),
        };
        let text = args.next().unwrap_or_default();
        let parsed = text.parse().ok().filter(|parsed| *parsed > 0);
        *number = parsed.ok_or_else(|| format!("{arg} needs a number above 0, not `{text}`"))?;
    }
    Ok(Command::Soak(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_commands_and_switches() {
        assert_eq!(parse_words("tidy"), Ok(Command::Tidy));
        let without = BTreeSet::from(["aria2".to_owned(), "libtorrent".to_owned()]);
        let options =
            TestOptions { quick: true, without, without_npm: true, ..TestOptions::default() };
        let line = "test --without libtorrent --quick --without aria2 --without npm";
        assert_eq!(parse_words(line), Ok(Command::Test(options)));
        let tools = TestOptions {
            without_valgrind: true,
            without_chromium: true,
            ..TestOptions::default()
        };
        let line = "test --without valgrind --without chromium";
        assert_eq!(parse_words(line), Ok(Command::Test(tools)));
        assert_eq!(parse_words("run"), Ok(Command::Run(Job::Daemon)));
        assert_eq!(parse_words("run --demo"), Ok(Command::Run(Job::Demo)));
        assert_eq!(parse_words("budget"), Ok(Command::Budget(Mode::Compare)));
        assert_eq!(parse_words("budget --write"), Ok(Command::Budget(Mode::Write)));
    }

    #[test]
    fn a_part_of_the_soak_that_is_cut_short_is_known() {
        let line = "soak --only churn --only kill --churn-minutes 2";
        let Ok(Command::Soak(options)) = parse_words(line) else { panic!("{line}") };
        assert!(options.wants("kill") && !options.wants("fuzz"));
        assert_eq!(options.shortened("churn"), Some("shortened to 2 of 60 minutes".into()));
        assert_eq!(options.shortened("kill"), None);
        assert!(SoakOptions::default().wants("fuzz"));
    }

    #[test]
    fn names_the_word_that_is_wrong() {
        for (line, word) in [
            ("tests", "tests"),
            ("run now", "now"),
            ("test --fast", "--fast"),
            ("test --without ktorrent", "ktorrent"),
            ("budget --read", "--read"),
            ("soak --only bench", "bench"),
            ("soak --sim-seeds 0", "--sim-seeds"),
        ] {
            assert!(parse_words(line).is_err_and(|error| error.contains(word)), "{line}");
        }
        assert!(parse_words("").is_err() && parse_words("test --without").is_err());
    }
}
