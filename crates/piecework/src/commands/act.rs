//! What is done to torrents of a daemon: paused, resumed, removed, limited, moved, renamed, sorted.

use crate::args::client::{
    CategoryCommand, ClientArgs, LimitArgs, MoveArgs, QueueCommand, RemoveArgs, RenameArgs,
    ResumeArgs, SomeArgs, TagCommand,
};
use crate::client::{Client, printable};
use crate::failure::{Context, Failure};
use crate::out::Out;
use crate::table::{Align, Table};
use crate::terminal::{Echo, Terminal};
use crate::torrents::{self, Named};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use piecework_settings::ByteRate;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Torrents that are named before something is done to all of them.
const TOLD_MAX: usize = 10;

/// `piecework pause`
pub(crate) fn pause(args: &SomeArgs, out: Out) -> Result<(), Failure> {
    all(args, "/torrents:stop", json!({}), "paused", out)
}

/// `piecework resume`
pub(crate) fn resume(args: &ResumeArgs, out: Out) -> Result<(), Failure> {
    let body = json!({ "is_forced": args.force });
    all(&args.which, "/torrents:start", body, "resumed", out)
}

/// `piecework verify`
pub(crate) fn verify(args: &SomeArgs, out: Out) -> Result<(), Failure> {
    all(args, "/torrents:check", json!({}), "checking", out)
}

/// `piecework reannounce`
pub(crate) fn reannounce(args: &SomeArgs, out: Out) -> Result<(), Failure> {
    all(args, "/torrents:reannounce", json!({}), "asked the trackers of", out)
}

/// `piecework queue`
pub(crate) fn queue(command: &QueueCommand, out: Out) -> Result<(), Failure> {
    let (which, to) = match command {
        QueueCommand::Top(which) => (which, "top"),
        QueueCommand::Up(which) => (which, "up"),
        QueueCommand::Down(which) => (which, "down"),
        QueueCommand::Bottom(which) => (which, "bottom"),
    };
    all(which, "/queue", json!({ "to": to }), "moved in the queue", out)
}

/// `piecework remove`
pub(crate) fn remove(args: &RemoveArgs, out: Out) -> Result<(), Failure> {
    let client = Client::new(&args.which.client)?;
    let chosen = chosen(&client, &args.which)?;
    if args.with_files && !args.yes && !chosen.is_empty() && !agrees(&chosen)? {
        return Err(Failure::new("nothing was removed"));
    }
    let body = json!({ "deletes_files": args.with_files });
    let done = if args.with_files { "removed with its files" } else { "removed" };
    carry_out(&client, &chosen, "/torrents:remove", body, done, out)
}

/// `piecework limit`
pub(crate) fn limit(args: &LimitArgs, out: Out) -> Result<(), Failure> {
    let client = Client::new(&args.client)?;
    let limits = [("down", args.down), ("up", args.up)];
    let given = limits.into_iter().filter_map(|(way, limit)| Some((way, limit?.0)));
    if args.torrents.is_empty() {
        let text = |limit: Option<ByteRate>| match limit {
            Some(rate) => rate.to_string(),
            None => "none".into(),
        };
        let settings = given.map(|(way, limit)| (format!("speed.{way}"), text(limit)));
        return super::config::change(&client, &settings.collect(), out);
    }
    let fields = given.map(|(way, limit)| {
        (format!("{way}_limit"), limit.map_or(Value::Null, |rate| json!(rate.0)))
    });
    let body = Value::Object(fields.collect());
    for torrent in torrents::some(&client, &args.torrents)? {
        change(&client, &torrent, &body, "limited", out)?;
    }
    Ok(())
}

/// `piecework move`
pub(crate) fn relocate(args: &MoveArgs, out: Out) -> Result<(), Failure> {
    let client = Client::new(&args.client)?;
    let torrent = torrents::one(&client, &args.torrent)?;
    let body = json!({ "save_path": absolute(&args.dir)? });
    change(&client, &torrent, &body, "moving", out)
}

/// `piecework rename`
pub(crate) fn rename(args: &RenameArgs, out: Out) -> Result<(), Failure> {
    let client = Client::new(&args.client)?;
    let torrent = torrents::one(&client, &args.torrent)?;
    change(&client, &torrent, &json!({ "name": args.name }), "renamed", out)
}

/// `piecework category`
pub(crate) fn category(command: &CategoryCommand, out: Out) -> Result<(), Failure> {
    match command {
        CategoryCommand::List(args) => categories(args, out),
        CategoryCommand::Create { name, save_path, client } => {
            let save_path = save_path.as_deref().map(absolute).transpose()?.unwrap_or_default();
            let body = json!({ "save_path": save_path });
            named(client, Method::PUT, "categories", name, Some(&body), "category made", out)
        }
        CategoryCommand::Remove { name, client } => {
            named(client, Method::DELETE, "categories", name, None, "category removed", out)
        }
        CategoryCommand::Set { name, which } => {
            let client = Client::new(&which.client)?;
            let name = Some(name).filter(|name| !name.is_empty());
            for torrent in chosen(&client, which)? {
                change(&client, &torrent, &json!({ "category": name }), "sorted", out)?;
            }
            Ok(())
        }
    }
}

/// `piecework tag`
pub(crate) fn tag(command: &TagCommand, out: Out) -> Result<(), Failure> {
    let (name, which, is_added) = match command {
        TagCommand::List(args) => {
            let tags = Client::new(args)?.get("/tags")?;
            for tag in tags.as_array().into_iter().flatten().filter_map(Value::as_str) {
                out.say(&printable(tag), &json!({ "tag": tag }));
            }
            return Ok(());
        }
        TagCommand::Add { name, which } => (name, which, true),
        TagCommand::Remove { name, which } => (name, which, false),
    };
    let client = Client::new(&which.client)?;
    let chosen = chosen(&client, which)?;
    for row in torrents::all(&client, "id,tags")? {
        let id = row.get("id").and_then(Value::as_str).unwrap_or_default();
        let Some(torrent) = chosen.iter().find(|torrent| torrent.id == id) else { continue };
        let there = row.get("tags").and_then(Value::as_array).into_iter().flatten();
        let mut tags: BTreeSet<&str> = there.filter_map(Value::as_str).collect();
        if is_added {
            tags.insert(name)
        } else {
            tags.remove(name.as_str())
        };
        change(&client, torrent, &json!({ "tags": tags }), "tagged", out)?;
    }
    Ok(())
}

fn categories(args: &ClientArgs, out: Out) -> Result<(), Failure> {
    let all = Client::new(args)?.get("/categories")?;
    let mut table = Table::new(&[("NAME", Align::Left), ("SAVE PATH", Align::Left)]);
    for (name, category) in all.as_object().into_iter().flatten() {
        let path = category.get("save_path").and_then(Value::as_str).unwrap_or_default();
        out.event(&json!({ "category": name, "save_path": path }));
        table.row([name.clone(), path.to_owned()]);
    }
    if !out.is_json() {
        out.text((table.text() + "\n").as_bytes());
    }
    Ok(())
}

fn named(
    args: &ClientArgs,
    method: Method,
    kind: &str,
    name: &str,
    body: Option<&Value>,
    done: &str,
    out: Out,
) -> Result<(), Failure> {
    let path = format!("/{kind}/{}", utf8_percent_encode(name, NON_ALPHANUMERIC));
    Client::new(args)?.ask(method, &path, body)?;
    out.say(&format!("{done}: {}", printable(name)), &json!({ "event": done, "name": name }));
    Ok(())
}

/// One request for all torrents that are meant.
fn all(args: &SomeArgs, path: &str, body: Value, done: &str, out: Out) -> Result<(), Failure> {
    let client = Client::new(&args.client)?;
    let chosen = chosen(&client, args)?;
    carry_out(&client, &chosen, path, body, done, out)
}

fn carry_out(
    client: &Client,
    chosen: &[Named],
    path: &str,
    mut body: Value,
    done: &str,
    out: Out,
) -> Result<(), Failure> {
    if chosen.is_empty() {
        return Ok(());
    }
    body["ids"] = chosen.iter().map(|torrent| torrent.id.as_str()).collect();
    client.ask(Method::POST, path, Some(&body))?;
    chosen.iter().for_each(|torrent| tell(torrent, done, out));
    Ok(())
}

fn change(
    client: &Client,
    torrent: &Named,
    body: &Value,
    done: &str,
    out: Out,
) -> Result<(), Failure> {
    client.ask(Method::PATCH, &format!("/torrents/{}", torrent.id), Some(body))?;
    tell(torrent, done, out);
    Ok(())
}

fn tell(torrent: &Named, done: &str, out: Out) {
    let object = json!({ "event": done, "id": torrent.id, "name": torrent.name });
    out.say(&format!("{done}: {}", printable(&torrent.name)), &object);
}

fn chosen(client: &Client, args: &SomeArgs) -> Result<Vec<Named>, Failure> {
    let words: &[String] = if args.all { &[] } else { &args.torrents };
    torrents::some(client, words)
}

/// Shows what will be deleted and asks.
fn agrees(chosen: &[Named]) -> Result<bool, Failure> {
    let mut terminal = Terminal::open("say --yes to delete files without being asked")?;
    let mut text = String::from("These torrents are removed and their files are deleted:\n");
    for torrent in chosen.iter().take(TOLD_MAX) {
        text += &format!("  {}\n", printable(&torrent.name));
    }
    if chosen.len() > TOLD_MAX {
        text += &format!("  and {} more\n", chosen.len() - TOLD_MAX);
    }
    terminal.say(&text)?;
    let answer = terminal.ask("Delete them? Type yes: ", Echo::Shown)?;
    Ok(answer.trim() == "yes")
}

/// A folder as the daemon has to be told of it, which has another current folder than we.
pub(super) fn absolute(path: &Path) -> Result<String, Failure> {
    let path = std::path::absolute(path).context("cannot read the path")?;
    let path = path.into_os_string().into_string();
    path.map_err(|path| {
        Failure::new(format!("{} is no UTF-8: choose another folder", path.display()))
    })
}
