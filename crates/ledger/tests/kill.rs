//! A process that writes to a ledger is killed (SIGKILL) again and again, while another one reads: nothing
//! that it acknowledged is lost, and what it wrote in one transaction is there whole or not at all.
//!
//! Not a `#[test]`, as it is its own victim: started with a file, this program is the process to be killed.
//! `PIECEWORK_KILLS` says how often.

#![allow(clippy::unwrap_used, reason = "this is a test, though not a #[test]")]

use piecework_ledger::{By, Filter, Ledger};
use piecework_pay::{Address, Entry, Network, Price, Record, Side, Standing};
use piecework_types::Rng;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const KILLS: u64 = 100;

/// What runners of tests call it, and how they ask (libtest's `--list`).
const NAME: &str = "a_kill_loses_nothing_that_was_acknowledged";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    if has("--list") {
        if !has("--ignored") {
            println!("{NAME}: test");
        }
        return;
    }
    match arguments.iter().position(|argument| argument == "--victim") {
        Some(at) => victim(Path::new(&arguments[at + 1])),
        None => hunt(),
    }
}

/// One transaction: both records and both entries tell its number.
fn records(number: u32) -> [Record; 4] {
    let token = Address::repeat_byte(2);
    let network = Network { chain_id: 1, vault: Address::repeat_byte(1), token, genesis: [3; 8] };
    let standing = |account| {
        let account = Address::repeat_byte(account);
        Record::Standing(Standing { network, account, defaults: number, banned_until: 0 })
    };
    let entry = |side| {
        Record::Entry(Entry {
            side,
            torrent: [number as u8; 20],
            network,
            counterparty: Address::repeat_byte(number as u8),
            channel: u64::from(number % 7),
            bytes: 1,
            amount: 1,
            price: Price::UNIT,
        })
    };
    [standing(1), entry(Side::Buying), entry(Side::Selling), standing(2)]
}

/// The number of the last transaction that is there; it has to be there whole.
fn last(ledger: &Ledger) -> u32 {
    let mut numbers = Vec::new();
    for record in ledger.load().unwrap() {
        let Record::Standing(standing) = record else { panic!("nobody wrote {record:?}") };
        numbers.push(standing.defaults);
    }
    // Two looks at a file that somebody writes to: the second may see more.
    let all = Filter::default();
    let sums = [ledger.spent(By::Nothing, &all), ledger.earned(By::Nothing, &all)];
    let sums = sums.map(|lines| lines.unwrap().first().map_or(0, |line| line.sums.amount));
    let number = numbers.first().copied().unwrap_or(0);
    assert!(numbers.iter().all(|other| *other == number), "{numbers:?}");
    assert!(sums[0] >= u128::from(number) && sums[1] >= sums[0], "{number} {sums:?}");
    number
}

/// Writes until it is killed, and says what is acknowledged, a line each.
fn victim(path: &Path) {
    let ledger = Ledger::open(path).unwrap();
    let mut out = std::io::stdout().lock();
    for number in last(&ledger) + 1.. {
        ledger.write(&records(number)).unwrap();
        writeln!(out, "{number}").unwrap();
        out.flush().unwrap();
    }
}

fn hunt() {
    let kills = std::env::var("PIECEWORK_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut rng = Rng::new(20);
    let (mut told, mut unsaid) = (0, 0);
    for kill in 0..kills {
        let acknowledged = run_and_kill(&path, &mut rng).unwrap_or(told);
        let ledger = Ledger::open(&path).unwrap();
        let found = last(&ledger);
        assert!(found >= acknowledged, "kill {kill} lost {acknowledged}: {found}");
        assert!(found <= acknowledged + 1, "kill {kill}: {found} after {acknowledged}");
        let sums = ledger.earned(By::Nothing, &Filter::default()).unwrap();
        assert_eq!(sums.first().map_or(0, |line| line.sums.amount), u128::from(found));
        unsaid += found - acknowledged;
        told = found;
    }
    assert!(told > 0, "nothing was ever acknowledged: this tests nothing");
    println!("{kills} kills, {told} transactions, none lost, {unsaid} written and not told");
}

/// The last that a run said it had acknowledged before it was killed.
fn run_and_kill(path: &Path, rng: &mut Rng) -> Option<u32> {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .arg("--victim")
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut next = || lines.next()?.ok()?.parse().ok();
    let mut acknowledged = None;
    for _ in 0..rng.below(6) {
        acknowledged = next().or(acknowledged);
    }
    if let Some(acknowledged) = acknowledged {
        let reader = Ledger::open_to_read(path).unwrap().unwrap();
        assert!(last(&reader) >= acknowledged);
    }
    // Any instant will do: real time is what is tested here.
    std::thread::sleep(Duration::from_micros(rng.below(20_000)));
    victim.kill().unwrap();
    victim.wait().unwrap();
    while let Some(number) = next() {
        acknowledged = Some(number);
    }
    acknowledged
}
