//! `piecework earnings` and `piecework spending`: what bytes have brought and cost.
//!
//! A daemon that runs is asked, for it knows the names of torrents; without one the ledger itself is read.

use crate::args::Common;
use crate::args::trades::{ByArg, ReportArgs};
use crate::client::{Client, Door};
use crate::commands::list::{duration, number, or_dash, text};
use crate::failure::{Context, Failure};
use crate::folders::Folders;
use crate::out::{Out, note};
use crate::purse::pinned;
use crate::session::state_dir;
use crate::table::{Align, Table};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use piecework_api::{ReportView, Trades, day_of};
use piecework_ledger::{Filter, LEDGER_FILE, Ledger};
use piecework_pay::Side;
use piecework_settings::human;
use piecework_types::Sha1Digest;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// What was earned.
pub(crate) fn earnings(args: &ReportArgs, common: &Common, out: Out) -> Result<(), Failure> {
    run(args, common, out, Side::Selling)
}

/// What was spent.
pub(crate) fn spending(args: &ReportArgs, common: &Common, out: Out) -> Result<(), Failure> {
    run(args, common, out, Side::Buying)
}

/// The ledger of a state folder and what names its tokens; none where nothing was ever traded.
pub(crate) fn open(state: &Path) -> Result<Option<Trades>, Failure> {
    let ledger = Ledger::open_to_read(&state.join(LEDGER_FILE)).map_err(Failure::new)?;
    let Some(ledger) = ledger else { return Ok(None) };
    Ok(Some(Trades { ledger, network: pinned(state)? }))
}

fn run(args: &ReportArgs, common: &Common, out: Out, side: Side) -> Result<(), Failure> {
    let filter = filter(args)?;
    if args.csv {
        let text = match asked(args, side)? {
            Some(bytes) => bytes,
            None => match open(&state_dir(common)?)? {
                Some(trades) => trades.csv(side, &filter, |_| None).map_err(Failure::new)?.into(),
                None => piecework_api::COLUMNS.into(),
            },
        };
        out.text(&text);
        return Ok(());
    }
    let doing = "the report makes no sense";
    let report: Value = match asked(args, side)? {
        Some(bytes) => serde_json::from_slice(&bytes).context(doing)?,
        None => {
            let read = |trades: Trades| trades.report(side, &filter, |_| None);
            let report = open(&state_dir(common)?)?.map(read).transpose().map_err(Failure::new)?;
            serde_json::to_value(report.unwrap_or_else(ReportView::default)).context(doing)?
        }
    };
    let lines = |field: &str| report.get(field).and_then(Value::as_array).cloned();
    let chosen = lines(match args.by {
        None => "totals",
        Some(ByArg::Torrent) => "torrents",
        Some(ByArg::Peer) => "peers",
        Some(ByArg::Day) => "days",
    });
    let chosen = chosen.unwrap_or_default();
    if out.is_json() {
        chosen.iter().for_each(|line| out.event(line));
        return Ok(());
    }
    if args.by.is_some() && !chosen.is_empty() {
        out.text((table(&chosen, args.by, side).text() + "\n").as_bytes());
    }
    tell(&lines("totals").unwrap_or_default(), side, out);
    Ok(())
}

/// The daemon's answer; none when none runs. One that was named has to.
fn asked(args: &ReportArgs, side: Side) -> Result<Option<Vec<u8>>, Failure> {
    let folders = Folders::of(&args.client.place)?;
    if args.client.url.is_none() && Door::read(&folders.door()).is_none() {
        return Ok(None);
    }
    let client = Client::new(&args.client)?;
    let answer = client.bytes(&path(args, side))?;
    match (&answer, &args.client.url) {
        (None, Some(url)) => Err(Failure::new(format!("no daemon answers at {url}"))),
        _ => Ok(answer),
    }
}

fn path(args: &ReportArgs, side: Side) -> String {
    let mut path = match side {
        Side::Buying => "/spending?".to_owned(),
        Side::Selling => "/earnings?".to_owned(),
    };
    let mut put = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            path += &format!("{key}={}&", utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
    };
    put("since", args.since.as_deref());
    put("until", args.until.as_deref());
    put("torrent", args.torrent.as_deref());
    put("format", args.csv.then_some("csv"));
    path.pop();
    path
}

fn filter(args: &ReportArgs) -> Result<Filter, Failure> {
    let day = |text: &Option<String>| text.as_deref().map(day_of).transpose();
    let torrent = args.torrent.as_deref().map(|text| {
        let digest = text.parse::<Sha1Digest>();
        digest.map(|digest| digest.0).map_err(|_| {
            Failure::usage(format!(
                "{text:?} is no info-hash of 40 digits: `piecework list` has it"
            ))
        })
    });
    Ok(Filter {
        since: day(&args.since).map_err(Failure::usage)?,
        until: day(&args.until).map_err(Failure::usage)?,
        torrent: torrent.transpose()?,
    })
}

fn table(lines: &[Value], by: Option<ByArg>, side: Side) -> Table {
    let (what, name) = match by {
        Some(ByArg::Peer) => ("ACCOUNT", "peer"),
        Some(ByArg::Day) => ("DAY", "day"),
        _ => ("TORRENT", "torrent"),
    };
    let amount = if side == Side::Buying { "SPENT" } else { "EARNED" };
    let mut table = Table::new(&[
        (what, Align::Left),
        ("NAME", Align::Cut),
        ("BYTES", Align::Right),
        (amount, Align::Right),
        ("PENDING", Align::Right),
        ("SETTLED", Align::Right),
        ("FEES", Align::Right),
        ("TOKEN", Align::Left),
        ("PER GIB", Align::Right),
        ("SAVED", Align::Right),
    ]);
    for line in lines {
        let cell = |field| text(line, field).to_owned();
        let name_of = line.get("name").and_then(Value::as_str).unwrap_or("-");
        table.row([
            cell(name),
            name_of.to_owned(),
            human(number(line, "bytes")),
            cell("amount"),
            cell("pending"),
            cell("settled"),
            cell("fees"),
            symbol(line),
            line.get("price_mean_per_gib").and_then(Value::as_str).unwrap_or("-").to_owned(),
            or_dash(line, "saved_seconds", duration),
        ]);
    }
    table
}

/// The token, marked when it is worth nothing.
fn symbol(line: &Value) -> String {
    let symbol = line.get("symbol").and_then(Value::as_str);
    let symbol = symbol.unwrap_or_else(|| text(line, "token"));
    let is_test = line.get("is_test_money") != Some(&Value::Bool(false));
    if is_test { format!("{symbol} (test)") } else { symbol.to_owned() }
}

/// A line for each token, and a word on those that are worth nothing.
fn tell(totals: &[Value], side: Side, out: Out) {
    let done = if side == Side::Buying { "spent" } else { "earned" };
    if totals.is_empty() {
        out.text(format!("nothing {done}\n").as_bytes());
    }
    let mut test_tokens = BTreeSet::new();
    for line in totals {
        let symbol = symbol(line);
        let saved = match side {
            Side::Buying => format!(", time saved {}", or_dash(line, "saved_seconds", duration)),
            Side::Selling => String::new(),
        };
        let told = format!(
            "{} {symbol} {done} for {}: {} settled, {} pending, fees {}{saved}\n",
            text(line, "amount"),
            human(number(line, "bytes")),
            text(line, "settled"),
            text(line, "pending"),
            text(line, "fees"),
        );
        out.text(crate::client::printable(told.trim_end()).as_bytes());
        out.text(b"\n");
        if let Some(name) = symbol.strip_suffix(" (test)") {
            test_tokens.insert(name.to_owned());
        }
    }
    for name in test_tokens {
        note(&crate::client::printable(&format!("{name} is test money: it is worth nothing")));
    }
}
