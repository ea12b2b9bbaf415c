//! Plays scenarios and prints what happened: `piecework-sim --seeds 100 --scenario swarm`.

use piecework_sim::{
    ALL, Build, DhtReport, MarketLine, MarketReport, Plant, Report, Scenario, Scene, Seen,
    adversaries, by_name, find,
};
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Prints a line; a reader that has gone is no reason to stop checking.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

const USAGE: &str = "usage: piecework-sim [--seeds N] [--seed X] [--scenario NAME] [--log NODE]
       [--planted] [--list] [--adversaries]

  --seeds N        play so many seeds of the swarm (default 10), and a twentieth of the others,
                   a hundredth of those of the DHT and the markets
  --seed X         first seed, decimal or 0x...; alone it plays just that one
  --scenario NAME  only this scenario
  --log NODE       print everything that crosses the border of this node's machine
  --planted        plant each known bug and print which checker finds it
  --list           print the scenarios
  --adversaries    print docs/ADVERSARIES.md";

/// Of the seeds of the first scenario (the swarm, unless one is named), the others play one in so many:
/// what they show depends less on chance.
const OTHERS_SHARE: u64 = 20;

/// Networks of DHT nodes take seconds each and show little that another seed would not.
const DHT_SHARE: u64 = 100;

/// So do markets.
const MARKET_SHARE: u64 = 100;

/// Seeds behind each figure of the table of adversaries.
const ADVERSARY_SEEDS: u64 = 2;

/// Seeds tried at most for each planted bug.
const PLANTED_SEEDS: u64 = 50;

#[derive(Debug, Default)]
struct Options {
    seeds: Option<u64>,
    seed: Option<u64>,
    scenario: Option<&'static Scenario>,
    log: Option<u64>,
    planted: bool,
    list: bool,
    adversaries: bool,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("{wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if options.list {
        for scenario in ALL {
            say!("{:18}{}", scenario.name, scenario.about);
        }
        return ExitCode::SUCCESS;
    }
    if options.adversaries {
        let _ = write!(std::io::stdout(), "{}", adversaries(ADVERSARY_SEEDS));
        return ExitCode::SUCCESS;
    }
    let good = if options.planted { planted(&options) } else { play(&options) };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--seeds" => options.seeds = Some(number(&value()?)?),
            "--seed" => options.seed = Some(number(&value()?)?),
            "--scenario" => {
                let name = value()?;
                let scenario = by_name(&name);
                options.scenario = Some(scenario.ok_or_else(|| format!("no scenario {name}"))?);
            }
            "--log" => options.log = Some(number(&value()?)?),
            "--planted" => options.planted = true,
            "--list" => options.list = true,
            "--adversaries" => options.adversaries = true,
            _ => return Err(format!("unknown argument {arg}")),
        }
    }
    Ok(options)
}

fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| format!("{text}: {error}"))
}

/// Plays the seeds; true if nothing was violated.
fn play(options: &Options) -> bool {
    let first = options.seed.unwrap_or(1);
    let count = options.seeds.unwrap_or_else(|| if options.seed.is_some() { 1 } else { 10 });
    let scenarios: Vec<_> = ALL
        .into_iter()
        .filter(|scenario| options.scenario.is_none_or(|only| only.name == scenario.name))
        .collect();
    let (mut runs, mut failed, began) = (0_u64, 0_u64, Instant::now());
    for (index, scenario) in scenarios.into_iter().enumerate() {
        let count = match scenario.plan {
            _ if index == 0 => count,
            Build::Swarm(_) => count.div_ceil(OTHERS_SHARE),
            Build::Dht(_) => count.div_ceil(DHT_SHARE),
            Build::Market(_) => count.div_ceil(MARKET_SHARE),
        };
        let (mut spent, mut slowest, mut last) = (Duration::ZERO, Duration::ZERO, None);
        for seed in first..first.saturating_add(count) {
            let start = cpu_time();
            let report = match options.log {
                Some(node) => {
                    scenario.run_watched(seed, Box::new(move |s, seen| log(node, s, seen)))
                }
                None => scenario.run(seed),
            };
            let took = cpu_time().saturating_sub(start);
            (spent, slowest) = (spent + took, slowest.max(took));
            runs += 1;
            if let Some(violation) = report.violations.first() {
                failed += 1;
                say!("SIM_SEED={seed:#x} scenario={} {violation}", scenario.name);
            }
            last = Some(report);
        }
        if let Some(report) = last {
            summary(scenario, count, spent, slowest, &report);
        }
    }
    let total = began.elapsed().as_secs_f64();
    say!("{runs} runs, {failed} failed, {total:.1} s");
    failed == 0
}

/// A line of the log.
fn log(node: u64, scene: &Scene, seen: &Seen<'_>) {
    if u64::from(scene.node.0) == node {
        say!("{:11.6} {seen:?}", scene.now.as_micros() as f64 / 1e6);
    }
}

fn summary(scenario: &Scenario, count: u64, spent: Duration, slowest: Duration, last: &Report) {
    let mean = spent.as_secs_f64() * 1e3 / count.max(1) as f64;
    say!(
        "{:18}{count:6} seeds  {mean:7.1} ms CPU a seed, {:7.1} ms at most; the last one: {:.1} s \
         virtual, {} frames, {} rate computations, trace {:016x}",
        scenario.name,
        slowest.as_secs_f64() * 1e3,
        last.ended_at.as_micros() as f64 / 1e6,
        last.frames,
        last.rate_computations,
        last.trace,
    );
    if let Some(dht) = &last.dht {
        lookups(dht);
    }
    if let Some(market) = &last.market {
        losses(market);
    }
}

/// What a market has cost who was cheated, at 1 a byte.
fn losses(market: &MarketReport) {
    say!(
        "{:18}{} connections; lost by one seller at most {} of {}, by all {} while {} of bonds burned: \
         the buyers' gain is {}",
        "",
        market.lines.len(),
        market.loss_most(),
        market.exposure,
        market.lines.iter().map(MarketLine::loss).sum::<u128>(),
        market.burned,
        market.gain(),
    );
}

/// What the lookups of a network of DHT nodes took.
fn lookups(dht: &DhtReport) {
    let rounds = |percent| dht.percentile(percent, |record| record.rounds);
    let queries = |percent| dht.percentile(percent, |record| Some(record.queries));
    let millis =
        |percent| dht.percentile(percent, |record| Some(record.first_peer?.as_millis() as u32));
    say!(
        "{:18}{} lookups, {:.1} % found; to the first peer {} round trips at the median, {} at p99 \
         ({} ms, {} ms); queries a lookup {} at the median, {} at most; hostile: {} of {} contacts, \
         {} of {} queries answered",
        "",
        dht.lookups.len(),
        dht.found_percent(),
        rounds(50),
        rounds(99),
        millis(50),
        millis(99),
        queries(50),
        queries(100),
        dht.hostile_contacts,
        dht.contacts,
        dht.hostile_answered,
        dht.hostile_queries,
    );
}

/// Processor time of this process; where the system does not tell, the time since it began.
fn cpu_time() -> Duration {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let nanos = std::fs::read_to_string("/proc/self/schedstat").ok();
    let nanos = nanos.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| BEGAN.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

/// Prints the table of planted bugs; true if each was found.
fn planted(options: &Options) -> bool {
    say!("{:28}{:40}{:18}{:>6}{:>11}", "bug", "found by", "scenario", "seed", "virtual s");
    let mut all = true;
    for plant in Plant::ALL {
        let first = options.seed.unwrap_or(1);
        match find(plant, first, options.seeds.unwrap_or(PLANTED_SEEDS)) {
            Some(found) => {
                let at = found.violation.at.as_micros() as f64 / 1e6;
                let checker = found.violation.checker;
                say!("{plant:28}{checker:40}{:18}{:>#6x}{at:>11.3}", found.scenario, found.seed);
            }
            None => {
                all = false;
                say!("{plant:28}not found");
            }
        }
    }
    all
}
