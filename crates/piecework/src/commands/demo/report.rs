//! What a demo comes to: lanes, the free share, balances before and after.

use super::money::{Bank, Holding};
use super::play::Play;
use crate::out::Out;
use crate::table::{Align, Table};
use serde_json::{Value, json};

/// All of it as one object.
pub(super) fn of(play: &Play, bank: &Bank, before: &[Holding], after: &[Holding]) -> Value {
    let lanes = play.downloads.iter().map(|it| {
        json!({
            "name": it.name, "lane": it.lane, "bytes": it.bytes, "seconds": it.seconds,
            "spent": (!it.spent.is_empty()).then_some(&it.spent),
        })
    });
    let sellers = play.sales.iter().map(|it| {
        json!({
            "name": it.name, "is_killed": it.is_dead, "earned": it.earned, "uncashed": it.uncashed,
        })
    });
    let accounts = play.cast().accounts();
    let balances = accounts.iter().zip(before.iter().zip(after));
    let balances = balances.map(|((name, account), (old, new))| {
        json!({
            "name": name, "account": account, "before": bank.whole(old.all()),
            "after": bank.whole(new.all()),
        })
    });
    let sum = |all: &[Holding]| all.iter().fold(0, |sum: u128, it| sum.saturating_add(it.all()));
    // Tokens only move: fees are paid in coin.
    let adds_up = sum(before) == sum(after);
    json!({
        "event": "demo", "lanes": lanes.collect::<Vec<_>>(),
        "free_percent": super::cast::FREE_PERCENT, "sellers": sellers.collect::<Vec<_>>(),
        "balances": balances.collect::<Vec<_>>(), "token": bank.token().symbol,
        "is_test_money": true, "killed": play.killed, "adds_up": adds_up,
    })
}

/// For people, or as the one line of scripts.
pub(super) fn tell(report: &Value, out: Out) {
    if out.is_json() {
        return out.event(report);
    }
    let mut table =
        Table::new(&[("ACCOUNT", Align::Left), ("BEFORE", Align::Right), ("AFTER", Align::Right)]);
    let word = |value: &Value, key: &str| {
        value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    for line in report.get("balances").and_then(Value::as_array).into_iter().flatten() {
        table.row([word(line, "name"), word(line, "before"), word(line, "after")]);
    }
    out.text(format!("\n{}\n", table.text()).as_bytes());
    let end = match report.get("adds_up") {
        Some(Value::Bool(true)) => "The balances add up: what buyers spent is what sellers got.\n",
        _ => "The balances DO NOT add up.\n",
    };
    out.text(end.as_bytes());
}
