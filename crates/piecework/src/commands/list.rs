//! `piecework list`: the torrents of a daemon as a table, once or for as long as somebody looks.

use crate::args::client::{ListArgs, SortArg};
use crate::client::Client;
use crate::failure::Failure;
use crate::out::Out;
use crate::table::{Align, Table, terminal_size};
use crate::torrents;
use piecework_settings::human;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// What a row needs, and what rows are sorted by.
const FIELDS: &str = "id,name,stage,is_forced,error,size_bytes,progress_milli,down_rate,up_rate,eta_seconds,\
                      ratio_milli,peers,seeds,category,tags,queue,added_at";

/// Digits of an info-hash in a row: enough to name a torrent among a hundred thousand.
const DIGITS: usize = 8;

/// Runs the command.
pub(crate) fn run(args: &ListArgs, out: Out) -> Result<(), Failure> {
    let client = Client::new(&args.client)?;
    if args.watch {
        return watch(&client, args, out);
    }
    let rows = chosen(torrents::all(&client, FIELDS)?, args);
    if out.is_json() {
        rows.iter().for_each(|torrent| out.event(torrent));
    } else {
        out.text((table(&rows).text() + "\n" + &summary(&rows) + "\n").as_bytes());
    }
    Ok(())
}

/// Shows the list again whenever something in it changes. Under `--json` a line is a change: a torrent with
/// the fields that changed, or its id with `gone`.
fn watch(client: &Client, args: &ListArgs, out: Out) -> Result<(), Failure> {
    let mut rows: BTreeMap<String, Value> = BTreeMap::new();
    client.events(&format!("/events?fields={FIELDS}"), |name, data| {
        match name {
            "full" => rows.clear(),
            "delta" => {}
            _ => return true,
        }
        // What went and came back stands in both.
        let gone = data.get("gone").and_then(Value::as_array).into_iter().flatten();
        for id in gone.filter_map(Value::as_str) {
            if out.is_json() {
                out.event(&json!({ "id": id, "gone": true }));
            }
            rows.remove(id);
        }
        for (id, change) in data.get("torrents").and_then(Value::as_object).into_iter().flatten() {
            let change = merge(&mut rows, id, change);
            if out.is_json() {
                out.event(&change);
            }
        }
        if !out.is_json() {
            draw(&chosen(rows.values().cloned().collect(), args), out);
        }
        true
    })?;
    Err(Failure::new("the daemon has ended"))
}

/// Puts changed fields into what is known of a torrent; gives them with its id.
fn merge(rows: &mut BTreeMap<String, Value>, id: &str, change: &Value) -> Value {
    let row = rows.entry(id.to_owned()).or_insert_with(|| json!({ "id": id }));
    let mut told = json!({ "id": id });
    for (field, value) in change.as_object().into_iter().flatten() {
        row[field] = value.clone();
        told[field] = value.clone();
    }
    told
}

/// The whole screen anew on a terminal, so many rows as there is room for; another table elsewhere.
fn draw(rows: &[Value], out: Out) {
    let text = table(rows).text();
    match terminal_size() {
        Some((_, height)) => {
            let lines: Vec<&str> = text.lines().take(height.saturating_sub(2)).collect();
            // Over what is there, line by line: a screen that is cleared first flickers.
            let screen =
                format!("\x1b[H{}\x1b[K\n{}\x1b[K\x1b[J", lines.join("\x1b[K\n"), summary(rows));
            out.text(screen.as_bytes());
        }
        None => out.text((text + "\n" + &summary(rows) + "\n").as_bytes()),
    }
}

/// Those that were asked for, in order.
fn chosen(mut rows: Vec<Value>, args: &ListArgs) -> Vec<Value> {
    let is_text = |row: &Value, field: &str, wanted: &Option<String>| {
        let text = row.get(field).and_then(Value::as_str).unwrap_or_default();
        wanted.as_ref().is_none_or(|wanted| wanted == text)
    };
    rows.retain(|row| {
        let has_tag = args.tag.as_ref().is_none_or(|tag| {
            let tags = row.get("tags").and_then(Value::as_array).into_iter().flatten();
            tags.filter_map(Value::as_str).any(|it| it == tag)
        });
        is_text(row, "category", &args.category) && is_text(row, "stage", &args.stage) && has_tag
    });
    rows.sort_by(|a, b| compare(a, b, args.sort));
    if args.reverse {
        rows.reverse();
    }
    rows
}

fn compare(a: &Value, b: &Value, by: SortArg) -> Ordering {
    let number = |field: &str| number(a, field).cmp(&number(b, field));
    let words = |field: &str| text(a, field).to_lowercase().cmp(&text(b, field).to_lowercase());
    let order = match by {
        SortArg::Added => number("added_at"),
        SortArg::Name => words("name"),
        SortArg::Size => number("size_bytes"),
        SortArg::Progress => number("progress_milli"),
        SortArg::Down => number("down_rate"),
        SortArg::Up => number("up_rate"),
        SortArg::Ratio => number("ratio_milli"),
        // Those that wait for nothing come last.
        SortArg::Queue => {
            let place = |row: &Value| row.get("queue").and_then(Value::as_u64).unwrap_or(u64::MAX);
            place(a).cmp(&place(b))
        }
        SortArg::Stage => words("stage"),
    };
    order.then_with(|| words("name"))
}

pub(super) fn number(row: &Value, field: &str) -> u64 {
    row.get(field).and_then(Value::as_u64).unwrap_or(0)
}

pub(super) fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A number as text, and a dash for one that is not known.
pub(super) fn or_dash(row: &Value, field: &str, text: impl Fn(u64) -> String) -> String {
    match row.get(field).and_then(Value::as_u64) {
        Some(number) => text(number),
        None => "-".into(),
    }
}

fn table(rows: &[Value]) -> Table {
    let mut table = Table::new(&[
        ("HASH", Align::Left),
        ("NAME", Align::Cut),
        ("SIZE", Align::Right),
        ("DONE", Align::Right),
        ("STAGE", Align::Left),
        ("DOWN", Align::Right),
        ("UP", Align::Right),
        ("LEFT", Align::Right),
        ("RATIO", Align::Right),
        ("PEERS", Align::Right),
    ]);
    for row in rows {
        let forced = if row.get("is_forced") == Some(&Value::Bool(true)) { " !" } else { "" };
        let size = number(row, "size_bytes");
        table.row([
            text(row, "id").chars().take(DIGITS).collect(),
            text(row, "name").to_owned(),
            if size == 0 { "-".into() } else { human(size) },
            percent(number(row, "progress_milli")),
            format!("{}{forced}", text(row, "stage")),
            rate(number(row, "down_rate")),
            rate(number(row, "up_rate")),
            or_dash(row, "eta_seconds", duration),
            or_dash(row, "ratio_milli", ratio),
            number(row, "peers").to_string(),
        ]);
    }
    table
}

fn summary(rows: &[Value]) -> String {
    let sum = |field| rows.iter().map(|row| number(row, field)).fold(0, u64::saturating_add);
    let count = match rows.len() {
        1 => "1 torrent".into(),
        count => format!("{count} torrents"),
    };
    let (down, up) = (rate(sum("down_rate")), rate(sum("up_rate")));
    format!("{count}, {}, down {down}, up {up}", human(sum("size_bytes")))
}

/// Never 100 % before all is there.
pub(super) fn percent(milli: u64) -> String {
    format!("{}.{} %", milli / 10, milli % 10)
}

pub(crate) fn rate(bytes: u64) -> String {
    if bytes == 0 { "-".into() } else { format!("{}/s", human(bytes)) }
}

pub(super) fn ratio(milli: u64) -> String {
    format!("{}.{:02}", milli / 1000, milli % 1000 / 10)
}

/// The two greatest units of a time.
pub(super) fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_ratios_and_parts_are_short_and_never_too_good() {
        assert_eq!(duration(59), "59s");
        assert_eq!(duration(3599), "59m59s");
        assert_eq!(duration(86_399), "23h59m");
        assert_eq!(duration(90_000), "1d01h");
        assert_eq!(ratio(1999), "1.99");
        assert_eq!(percent(999), "99.9 %");
        assert_eq!(rate(0), "-");
    }

    #[test]
    fn what_changes_is_put_into_what_is_known() {
        let mut rows = BTreeMap::new();
        merge(&mut rows, "a", &json!({ "name": "x", "peers": 1 }));
        let told = merge(&mut rows, "a", &json!({ "peers": 2 }));
        assert_eq!(told, json!({ "id": "a", "peers": 2 }));
        assert_eq!(rows["a"], json!({ "id": "a", "name": "x", "peers": 2 }));
    }

    #[test]
    fn those_that_wait_for_nothing_come_last_in_the_order_of_the_queue() {
        let (waits, seeds) = (json!({ "queue": 7 }), json!({ "queue": null }));
        assert_eq!(compare(&waits, &seeds, SortArg::Queue), Ordering::Less);
        let (a, b) =
            (json!({ "name": "B", "size_bytes": 1 }), json!({ "name": "a", "size_bytes": 2 }));
        assert_eq!(compare(&a, &b, SortArg::Size), Ordering::Less);
        assert_eq!(compare(&a, &b, SortArg::Name), Ordering::Greater);
    }
}
