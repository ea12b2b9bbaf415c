//! What there is to see of one torrent of a daemon: all about it, its files, peers and trackers.

use super::list::{duration, number, or_dash, percent, rate, ratio, text};
use crate::args::client::{ClientArgs, LogLevelArgs, OneArgs};
use crate::client::{Client, printable};
use crate::failure::Failure;
use crate::out::Out;
use crate::table::{Align, Table};
use crate::torrents;
use piecework_settings::human;
use reqwest::Method;
use serde_json::{Value, json};

/// `piecework info`
pub(crate) fn info(args: &OneArgs, out: Out) -> Result<(), Failure> {
    let client = Client::new(&args.client)?;
    let torrent = torrents::one(&client, &args.torrent)?;
    let it = client.get(&format!("/torrents/{}", torrent.id))?;
    if out.is_json() {
        out.event(&it);
        return Ok(());
    }
    let limit = |field| match it.get(field).and_then(Value::as_u64) {
        Some(limit) => rate(limit),
        None => "none".into(),
    };
    let or_none = |text: &str| if text.is_empty() { "none".into() } else { printable(text) };
    let tags = it.get("tags").and_then(Value::as_array).into_iter().flatten();
    let tags: Vec<&str> = tags.filter_map(Value::as_str).collect();
    let (size, left) = (number(&it, "size_bytes"), number(&it, "left_bytes"));
    let ratio = or_dash(&it, "ratio_milli", ratio);
    let stage = match it.get("moved_milli").and_then(Value::as_u64) {
        Some(moved) => format!("{}, {} of it copied", text(&it, "stage"), percent(moved)),
        None => text(&it, "stage").to_owned(),
    };
    let eta = or_dash(&it, "eta_seconds", duration);
    let lines = [
        ("name", printable(text(&it, "name"))),
        ("info-hash", text(&it, "id").to_owned()),
        ("stage", stage),
        ("error", printable(text(&it, "error"))),
        ("size", format!("{}, {} missing", human(size), human(left))),
        ("done", format!("{}, {eta} left", percent(number(&it, "progress_milli")))),
        ("files", number(&it, "file_count").to_string()),
        (
            "received",
            format!("{}, {}", human(number(&it, "down_bytes")), rate(number(&it, "down_rate"))),
        ),
        ("sent", format!("{}, {}", human(number(&it, "up_bytes")), rate(number(&it, "up_rate")))),
        ("ratio", ratio),
        ("limits", format!("down {}, up {}", limit("down_limit"), limit("up_limit"))),
        ("peers", format!("{}, {} of them seeds", number(&it, "peers"), number(&it, "seeds"))),
        ("category", or_none(text(&it, "category"))),
        ("tags", or_none(&tags.join(", "))),
        ("saves to", printable(text(&it, "save_path"))),
        ("lies in", printable(text(&it, "content_path"))),
    ];
    let shown = lines.iter().filter(|(_, value)| !value.is_empty());
    let shown: Vec<String> = shown.map(|(name, value)| format!("{name:<10}  {value}")).collect();
    out.text((shown.join("\n") + "\n").as_bytes());
    Ok(())
}

/// `piecework files`
pub(crate) fn files(args: &OneArgs, out: Out) -> Result<(), Failure> {
    let titles = [
        ("NUMBER", Align::Right),
        ("SIZE", Align::Right),
        ("DONE", Align::Right),
        ("PRIORITY", Align::Right),
        ("PATH", Align::Left),
    ];
    part(args, "files", &titles, out, |row| {
        vec![
            number(row, "index").to_string(),
            human(number(row, "size_bytes")),
            or_dash(row, "progress_milli", percent),
            number(row, "priority").to_string(),
            text(row, "path").to_owned(),
        ]
    })
}

/// `piecework peers`
pub(crate) fn peers(args: &OneArgs, out: Out) -> Result<(), Failure> {
    let titles = [
        ("ADDRESS", Align::Left),
        ("CLIENT", Align::Cut),
        ("HAS", Align::Right),
        ("DOWN", Align::Right),
        ("UP", Align::Right),
        ("FROM", Align::Left),
        ("FLAGS", Align::Left),
    ];
    part(args, "peers", &titles, out, |row| {
        let is = |field: &str| row.get(field) == Some(&Value::Bool(true));
        let flags = [
            ("is_encrypted", "encrypted"),
            ("is_choking", "chokes"),
            ("is_snubbed", "snubbed"),
            ("is_free_rider", "served last: took far more than it says it has"),
        ];
        let flags: Vec<&str> = flags.iter().filter(|(field, _)| is(field)).map(|it| it.1).collect();
        vec![
            text(row, "address").to_owned(),
            text(row, "client").to_owned(),
            percent(number(row, "progress_milli")),
            rate(number(row, "down_rate")),
            rate(number(row, "up_rate")),
            text(row, "source").to_owned(),
            flags.join(", "),
        ]
    })
}

/// `piecework trackers`
pub(crate) fn trackers(args: &OneArgs, out: Out) -> Result<(), Failure> {
    let titles = [
        ("TIER", Align::Right),
        ("HOST", Align::Left),
        ("STATE", Align::Left),
        ("SEEDS", Align::Right),
        ("PEERS", Align::Right),
        ("NEXT", Align::Right),
        ("MESSAGE", Align::Cut),
    ];
    part(args, "trackers", &titles, out, |row| {
        let count = |field| or_dash(row, field, |count| count.to_string());
        vec![
            number(row, "tier").to_string(),
            // Of the address only the host: the rest may be a passkey, and screens are shared.
            text(row, "host").to_owned(),
            text(row, "state").to_owned(),
            count("seeds"),
            count("peers"),
            or_dash(row, "next_seconds", duration),
            text(row, "message").to_owned(),
        ]
    })
}

/// `piecework events`
pub(crate) fn events(args: &ClientArgs, out: Out) -> Result<(), Failure> {
    let client = Client::new(args)?;
    client.events("/events?fields=id,name,stage,error", |name, data| {
        let object = json!({ "event": name, "data": data });
        match name {
            "news" => out.say(&news(data), &object),
            _ => out.event(&object),
        }
        true
    })?;
    Err(Failure::new("the daemon has ended"))
}

/// What happened, on one line.
fn news(data: &Value) -> String {
    let level = match text(data, "level") {
        "info" => "",
        level => &format!("{level}: "),
    };
    printable(&format!("{level}{} ({})", text(data, "text"), text(data, "code")))
}

/// `piecework log-level`
pub(crate) fn log_level(args: &LogLevelArgs, out: Out) -> Result<(), Failure> {
    let client = Client::new(&args.client)?;
    if let Some(level) = &args.level {
        client.ask(Method::PUT, "/log-level", Some(&json!({ "level": level })))?;
    }
    let answer = client.get("/log-level")?;
    out.say(&printable(text(&answer, "level")), &answer);
    Ok(())
}

/// A list that belongs to a torrent, as a table.
fn part(
    args: &OneArgs,
    what: &str,
    titles: &[(&str, Align)],
    out: Out,
    row: impl Fn(&Value) -> Vec<String>,
) -> Result<(), Failure> {
    let client = Client::new(&args.client)?;
    let torrent = torrents::one(&client, &args.torrent)?;
    let answer = client.get(&format!("/torrents/{}/{what}", torrent.id))?;
    // Some lists come with what they belong to.
    let list = answer.as_array().or_else(|| answer.get(what)?.as_array());
    let mut table = Table::new(titles);
    for item in list.into_iter().flatten() {
        out.event(item);
        table.row(row(item));
    }
    if !out.is_json() {
        out.text((table.text() + "\n").as_bytes());
    }
    Ok(())
}
