//! The churn as a text for people: who came, what moved, what the processes held, and the verdict.

use super::kind::Kind;
use super::verdict::{Spread, tenths};
use super::{Churn, Options, Shown, Spent, Verdict, Watched};
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A kind that was drawn less often has not been tried.
const CONNECTIONS_MIN: u64 = 1;
/// One connection in so many may fail to be made: a full backlog, not a deaf process.
const REFUSED_SHARE: u64 = 20;

/// Puts it all together.
pub(super) fn shown(
    options: &Options,
    version: &str,
    churn: &Churn,
    watched: &[Watched; 2],
    Spent { took, total }: Spent,
) -> Shown {
    let verdicts =
        watched.each_ref().map(|process| Verdict::on(&process.samples, total.as_secs_f64()));
    let mut problems = missing(churn, took, total);
    for (process, verdict) in watched.iter().zip(&verdicts) {
        if process.has_died {
            problems.push(format!("{} ended by itself", process.name));
        }
        problems.extend(verdict.problems.iter().map(|it| format!("{}: {it}", process.name)));
    }
    let mut text = format!(
        "Churn of {} peers for {:.1} minutes, seed {}, against {version}.\n\n",
        options.peers,
        took.as_secs_f64() / 60.0,
        options.seed
    );
    text += &connections(churn);
    for (process, verdict) in watched.iter().zip(&verdicts) {
        text += &memory(process, total);
        text += &format!("\n{}: {verdict}\n", process.name);
    }
    let is_good = problems.is_empty();
    text += &match is_good {
        true => "\nVerdict: flat.\n".to_owned(),
        false => format!("\nVerdict: FAILED: {}.\n", problems.join("; ")),
    };
    Shown { text, is_good }
}

/// What keeps the churn from having shown anything.
fn missing(churn: &Churn, took: Duration, total: Duration) -> Vec<String> {
    let mut problems = Vec::new();
    if took < total {
        problems.push("it ended early".to_owned());
    }
    for ((kind, _), tally) in Kind::SHARES.iter().zip(&churn.tallies) {
        if tally.connections.load(Ordering::Relaxed) < CONNECTIONS_MIN {
            problems.push(format!("nobody was {kind:?}"));
        }
    }
    let (made, refused) = (churn.sum(|it| &it.connections), churn.refused.load(Ordering::Relaxed));
    if refused > made / REFUSED_SHARE {
        problems.push(format!("{refused} connections could not be made, {made} could"));
    }
    if churn.sum(|it| &it.sent_bytes) == 0 || churn.sum(|it| &it.received_bytes) == 0 {
        problems.push("no payload moved in one direction".to_owned());
    }
    problems
}

fn connections(churn: &Churn) -> String {
    let mut text =
        "| peers | connections | payload to us, KiB | payload from us, KiB |\n".to_owned();
    text += "|-------|------------:|-------------------:|---------------------:|\n";
    let mut row = |name: &str, [connections, sent, received]: [u64; 3]| {
        let (sent, received) = (sent >> 10, received >> 10);
        writeln!(text, "| {name} | {connections} | {sent} | {received} |")
            .expect("a string can be written");
    };
    for ((kind, _), tally) in Kind::SHARES.iter().zip(&churn.tallies) {
        let figures = [&tally.connections, &tally.sent_bytes, &tally.received_bytes];
        row(&format!("{kind:?}"), figures.map(|figure| figure.load(Ordering::Relaxed)));
    }
    let sums = [
        churn.sum(|it| &it.connections),
        churn.sum(|it| &it.sent_bytes),
        churn.sum(|it| &it.received_bytes),
    ];
    row("all", sums);
    row("refused", [churn.refused.load(Ordering::Relaxed), 0, 0]);
    text
}

fn memory(process: &Watched, total: Duration) -> String {
    let mut text = format!("\n{}, lowest / middle / highest of each tenth:\n\n", process.name);
    text += "| tenth | resident, KiB | anonymous, KiB | descriptors | threads |\n";
    text += "|------:|--------------:|---------------:|------------:|--------:|\n";
    let spread = |it: Spread| format!("{} / {} / {}", it.min, it.median, it.max);
    for (at, tenth) in tenths(&process.samples, total.as_secs_f64()).into_iter().enumerate() {
        let figures = tenth.map_or_else(
            || "| - | - | - |  -".to_owned(),
            |it| {
                [it.resident_kib, it.anonymous_kib, it.descriptors, it.threads]
                    .map(spread)
                    .join(" | ")
            },
        );
        text += &format!("| {} | {figures} |\n", at + 1);
    }
    text
}
