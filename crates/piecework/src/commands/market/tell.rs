//! What the market looks like on a terminal. Every figure is the daemon's.

use crate::client::printable;
use crate::commands::list::rate;
use crate::out::Out;
use crate::table::{Align, Table};
use serde_json::Value;

/// Both sides are told with their money: test money is never taken for real.
fn money(market: &Value) -> String {
    let symbol = text(market, "/token/symbol");
    match market.pointer("/network/is_test_money") {
        Some(Value::Bool(false)) => symbol,
        _ => format!("{symbol} (test money)"),
    }
}

/// `sell status`, and what `sell on` and `off` led to.
pub(super) fn selling(market: &Value, out: Out) {
    if out.is_json() {
        return out.event(market);
    }
    let money = money(market);
    let mut lines = Vec::new();
    let mut line = |name: &str, what: String| lines.push(format!("{name:<12}{what}"));
    line("selling", on_off(market, "/selling/is_on"));
    line("account", format!("{} on {}", text(market, "/account"), text(market, "/network/name")));
    line("chain", text(market, "/chain/text"));
    line(
        "price",
        format!(
            "{} {money} a GiB; the ask is {}, at least {}",
            text(market, "/selling/price"),
            text(market, "/selling/ask"),
            text(market, "/selling/price_floor"),
        ),
    );
    line("capacity", capacity(market));
    line("not cashed", format!("{} {money}", text(market, "/selling/uncashed")));
    line(
        "fees",
        format!(
            "{} {} left at {}; more: piecework sell on --gas AMOUNT",
            text(market, "/selling/fee_coin"),
            text(market, "/network/coin"),
            text(market, "/selling/fee_account"),
        ),
    );
    if market.pointer("/selling/waiting").is_some_and(Value::is_string) {
        line("waits", text(market, "/selling/waiting"));
    }
    line("at risk", text(market, "/selling/risk"));
    out.text((lines.join("\n") + "\n").as_bytes());
    peers(
        market,
        "/selling/buyers",
        ["BUYER", "SERVED", "OWED"],
        ["account", "served_bytes", "owed"],
        out,
    );
}

/// `buy status`, and what `buy on` and `off` led to.
pub(super) fn buying(market: &Value, out: Out) {
    if out.is_json() {
        return out.event(market);
    }
    let money = money(market);
    let mut lines = Vec::new();
    let mut line = |name: &str, what: String| lines.push(format!("{name:<12}{what}"));
    line("buying", on_off(market, "/buying/is_on"));
    line("account", format!("{} on {}", text(market, "/account"), text(market, "/network/name")));
    line("chain", text(market, "/chain/text"));
    line("entrusted", text(market, "/buying/trust"));
    let most = match market.pointer("/buying/day_max").and_then(Value::as_str) {
        Some(most) => format!(" of at most {most}"),
        None => String::new(),
    };
    line("today", format!("{}{most} {money}", text(market, "/buying/spent_today")));
    out.text((lines.join("\n") + "\n").as_bytes());
    let mut table = Table::new(&[
        ("TORRENT", Align::Cut),
        ("LANE", Align::Left),
        ("SPENT", Align::Right),
        ("BUDGET", Align::Right),
        ("PRICE", Align::Right),
        ("MOST", Align::Right),
        ("SELLERS", Align::Right),
        ("", Align::Left),
    ]);
    let torrents = market.pointer("/buying/torrents").and_then(Value::as_array);
    for torrent in torrents.into_iter().flatten() {
        let sellers = format!("{}/{}", text(torrent, "/paid_sellers"), text(torrent, "/sellers"));
        let cell = |key: &str| text(torrent, key);
        table.row([
            cell("/name"),
            cell("/lane"),
            cell("/spent"),
            cell("/budget"),
            cell("/price"),
            cell("/max_price"),
            sellers,
            cell("/hold"),
        ]);
    }
    if torrents.is_some_and(|all| !all.is_empty()) {
        out.text((table.text() + "\n").as_bytes());
    }
    peers(market, "/buying/sellers", ["SELLER", "PAID", "OWED"], ["account", "paid", "owed"], out);
}

/// The lane of a torrent.
pub(super) fn lane(name: &str, lane: &Value, out: Out) {
    let name = printable(name);
    let shown = match text(lane, "/lane").as_str() {
        "slow" => format!("{name}: slow, which is free"),
        word => format!(
            "{name}: {word}, {} of {} {} spent, at most {} a GiB{}",
            text(lane, "/spent"),
            text(lane, "/budget"),
            money(lane),
            text(lane, "/max_price"),
            match lane.pointer("/hold").and_then(Value::as_str) {
                Some(hold) => format!("; nothing is bought: {}", printable(hold)),
                None => String::new(),
            },
        ),
    };
    out.say(&shown, lane);
}

fn peers(market: &Value, place: &str, titles: [&str; 3], keys: [&str; 3], out: Out) {
    let all = market.pointer(place).and_then(Value::as_array);
    let Some(all) = all.filter(|all| !all.is_empty()) else { return };
    let mut table = Table::new(&[
        ("ADDRESS", Align::Left),
        (titles[0], Align::Cut),
        ("LANE", Align::Left),
        ("PRICE", Align::Right),
        ("RATE", Align::Right),
        (titles[1], Align::Right),
        (titles[2], Align::Right),
    ]);
    for peer in all {
        let is_paid = peer.get("is_paid") == Some(&Value::Bool(true));
        let bytes = peer.get("rate").and_then(Value::as_u64).unwrap_or_default();
        table.row([
            text(peer, "/address"),
            text(peer, &format!("/{}", keys[0])),
            if is_paid { "paid" } else { "free" }.into(),
            text(peer, "/price"),
            rate(bytes),
            text(peer, &format!("/{}", keys[1])),
            text(peer, &format!("/{}", keys[2])),
        ]);
    }
    out.text((table.text() + "\n").as_bytes());
}

fn capacity(market: &Value) -> String {
    let free = text(market, "/selling/free_percent");
    match market.pointer("/selling/capacity").and_then(Value::as_u64) {
        Some(bytes) => format!("{}, of which {free} % are for those who do not pay", rate(bytes)),
        None => "none is set: piecework sell on --capacity RATE".into(),
    }
}

fn on_off(market: &Value, place: &str) -> String {
    if market.pointer(place) == Some(&Value::Bool(true)) { "on" } else { "off" }.into()
}

/// A value for people; nothing for none.
fn text(value: &Value, place: &str) -> String {
    match value.pointer(place) {
        Some(Value::String(text)) => printable(text),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}
