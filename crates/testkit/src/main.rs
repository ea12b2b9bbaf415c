//! `piecework-churn`: two hundred peers that come and go, and what that does to the real binary.

use piecework_testkit::churn::{self, MINUTES_MAX, Options, PEERS_MAX};
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

const USAGE: &str = "\
usage: piecework-churn [--minutes N] [--peers N] [--seed S] [--binary FILE] [--report FILE]

  --minutes N    how long (default 60)
  --peers N      connections at a time (default 200)
  --seed S       what all draws follow from (default 1)
  --binary FILE  the binary under test (default: the piecework beside this program)
  --report FILE  write the report to this file as well

Ends with 1 if a process under test has grown or ended.";

fn main() -> ExitCode {
    let (options, report) = match parse(env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(wrong) => {
            eprintln!("{wrong}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let shown = churn::run(&options);
    print!("{}", shown.text);
    if let Some(path) = report
        && let Err(error) = fs::write(&path, &shown.text)
    {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    if shown.is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<(Options, Option<PathBuf>), String> {
    let beside = env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
    let binary = beside.with_file_name("piecework");
    let mut options = Options { minutes: 60, peers: 200, seed: 1, binary };
    let mut report = None;
    while let Some(arg) = args.next() {
        let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
        match arg.as_str() {
            "--minutes" => options.minutes = number(&value, MINUTES_MAX)?,
            "--peers" => options.peers = number(&value, PEERS_MAX as u64)? as usize,
            "--seed" => options.seed = number(&value, u64::MAX)?,
            "--binary" => options.binary = value.into(),
            "--report" => report = Some(value.into()),
            _ => return Err(format!("unknown argument {arg}")),
        }
    }
    let binary = options.binary.canonicalize();
    let at = options.binary.display();
    options.binary = binary.map_err(|error| format!("no binary at {at}: {error}"))?;
    Ok((options, report))
}

/// A number of at least one.
fn number(text: &str, max: u64) -> Result<u64, String> {
    let parsed = text.parse().ok().filter(|number| (1..=max).contains(number));
    parsed.ok_or_else(|| format!("expected a number from 1 to {max}, got {text:?}"))
}
