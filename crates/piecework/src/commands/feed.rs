//! `piecework feed`: feeds of a running daemon, and the rules that choose from them.

use crate::args::client::ClientArgs;
use crate::args::feed::{FeedCommand, RuleArgs, RuleCommand};
use crate::client::{Client, printable};
use crate::failure::{Context, Failure};
use crate::out::Out;
use crate::table::{Align, Table};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Value, json};

/// Runs the command.
pub(crate) fn run(command: &FeedCommand, out: Out) -> Result<(), Failure> {
    match command {
        FeedCommand::List(client) => list(client, out),
        FeedCommand::Add { name, address, every, client } => {
            let body = json!({ "url": address, "interval_minutes": every });
            change(
                client,
                Method::PUT,
                &path("feeds", name),
                Some(&body),
                "added; it is read now",
                name,
                out,
            )
        }
        FeedCommand::Remove { name, client } => {
            change(client, Method::DELETE, &path("feeds", name), None, "removed", name, out)
        }
        FeedCommand::Refresh { name, client } => {
            let path = format!("{}/refresh", path("feeds", name));
            change(client, Method::POST, &path, None, "is read now", name, out)
        }
        FeedCommand::Items { name, client } => items(client, name, out),
        FeedCommand::Rule(RuleCommand::List(client)) => rules(client, out),
        FeedCommand::Rule(RuleCommand::Set { name, rule, client }) => {
            let body = body(rule)?;
            let path = path("feed-rules", name);
            change(
                client,
                Method::PUT,
                &path,
                Some(&body),
                "holds from the next item on",
                name,
                out,
            )
        }
        FeedCommand::Rule(RuleCommand::Try { rule, client }) => preview(client, rule, out),
        FeedCommand::Rule(RuleCommand::Remove { name, client }) => {
            change(client, Method::DELETE, &path("feed-rules", name), None, "removed", name, out)
        }
    }
}

fn path(kind: &str, name: &str) -> String {
    format!("/{kind}/{}", utf8_percent_encode(name, NON_ALPHANUMERIC))
}

fn change(
    client: &ClientArgs,
    method: Method,
    path: &str,
    body: Option<&Value>,
    done: &str,
    name: &str,
    out: Out,
) -> Result<(), Failure> {
    Client::new(client)?.ask(method, path, body)?;
    out.say(
        &format!("{}: {done}", printable(name)),
        &json!({ "event": "feed", "name": name, "text": done }),
    );
    Ok(())
}

/// What stands under each name.
fn named(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, it)| (name.as_str(), it))
}

fn list(client: &ClientArgs, out: Out) -> Result<(), Failure> {
    let feeds = Client::new(client)?.get("/feeds")?;
    if out.is_json() {
        named(&feeds).for_each(|(name, feed)| out.event(&json!({ "name": name, "feed": feed })));
        return Ok(());
    }
    let columns = [
        ("NAME", Align::Left),
        ("ITEMS", Align::Right),
        ("ADDRESS", Align::Cut),
        ("STATE", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for (name, feed) in named(&feeds) {
        let offered = feed["titles"].as_array().map_or(0, Vec::len);
        let state = match (feed["error"].as_str(), feed["seen_at"].as_u64()) {
            (Some(error), _) => error,
            (None, Some(_)) => "read",
            (None, None) => "not read yet",
        };
        let url = feed["url"].as_str().unwrap_or_default();
        table.row([name.to_owned(), offered.to_string(), url.to_owned(), state.to_owned()]);
    }
    out.text((table.text() + "\n").as_bytes());
    Ok(())
}

fn items(client: &ClientArgs, name: &str, out: Out) -> Result<(), Failure> {
    let feeds = Client::new(client)?.get("/feeds")?;
    let feed = feeds.get(name).ok_or_else(|| {
        Failure::new(format!("there is no feed called {name:?}; `piecework feed list` shows all"))
    })?;
    for title in feed["titles"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        out.say(&printable(title), &json!({ "feed": name, "title": title }));
    }
    Ok(())
}

fn rules(client: &ClientArgs, out: Out) -> Result<(), Failure> {
    let rules = Client::new(client)?.get("/feed-rules")?;
    if out.is_json() {
        named(&rules).for_each(|(name, rule)| out.event(&json!({ "name": name, "rule": rule })));
        return Ok(());
    }
    let columns = [
        ("NAME", Align::Left),
        ("WANTS", Align::Cut),
        ("REFUSES", Align::Left),
        ("EPISODES", Align::Left),
        ("CATEGORY", Align::Left),
        ("", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for (name, rule) in named(&rules) {
        let text = |key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        let state = if rule["is_off"] == Value::Bool(true) { "off" } else { "" };
        table.row([
            name.to_owned(),
            text("wants"),
            text("refuses"),
            text("episodes"),
            text("category"),
            state.to_owned(),
        ]);
    }
    out.text((table.text() + "\n").as_bytes());
    Ok(())
}

fn preview(client: &ClientArgs, rule: &RuleArgs, out: Out) -> Result<(), Failure> {
    let found = Client::new(client)?.ask(Method::POST, "/feed-rules:try", Some(&body(rule)?))?;
    for found in found.as_array().into_iter().flatten() {
        let text = |key: &str| printable(found[key].as_str().unwrap_or_default());
        out.say(&format!("{}: {}", text("feed"), text("title")), found);
    }
    Ok(())
}

/// A rule as the API takes it.
fn body(rule: &RuleArgs) -> Result<Value, Failure> {
    let save_path = rule.save_path.as_deref().map(std::path::absolute).transpose();
    Ok(json!({
        "is_off": rule.off,
        "feeds": rule.feed,
        "wants": rule.wants,
        "refuses": rule.refuses,
        "is_regex": rule.regex,
        "episodes": rule.episodes,
        "pause_days": rule.pause,
        "category": rule.category,
        "tags": rule.tag,
        "save_path": save_path.context("cannot name the folder")?,
        "adds_stopped": rule.stopped,
    }))
}
