//! `piecework config`: what the settings are, where they come from, and what is wrong with them.

use crate::args::daemon::{ConfigArgs, ConfigCommand};
use crate::client::{Client, printable};
use crate::failure::Failure;
use crate::folders::Folders;
use crate::layers;
use crate::out::{Out, note};
use piecework_settings::{Entry, Settings};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Runs the command.
pub(crate) fn run(command: &ConfigCommand, out: Out) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check(args) => check(args, out),
        ConfigCommand::Set { changes, client } => {
            let client = Client::new(client)?;
            let pairs = changes.iter().map(|it| (it.key.clone(), it.value.clone())).collect();
            change(&client, &pairs, out)
        }
        ConfigCommand::Show { config, origin } => show(config, *origin, out),
    }
}

/// Changes settings of a running daemon.
pub(super) fn change(
    client: &Client,
    changes: &BTreeMap<String, String>,
    out: Out,
) -> Result<(), Failure> {
    let answer = client.ask(Method::PATCH, "/settings", Some(&json!(changes)))?;
    let restart = answer.get("needs_restart").and_then(Value::as_array).into_iter().flatten();
    let restart: Vec<&str> = restart.filter_map(Value::as_str).collect();
    for (key, value) in changes {
        let later = restart.contains(&key.as_str());
        let when = if later { ", from the next start of the daemon on" } else { "" };
        let object =
            json!({ "event": "setting", "key": key, "value": value, "needs_restart": later });
        out.say(&format!("{key} = {}{when}", printable(value)), &object);
    }
    Ok(())
}

fn check(args: &ConfigArgs, out: Out) -> Result<(), Failure> {
    let folders = Folders::of(&args.place)?;
    let sources = layers::sources(&folders, &args.set, Vec::new())?;
    let problems = match Settings::read(&sources) {
        Ok(_) => {
            let file = folders.settings.display();
            let there = if sources.file.is_some() { "" } else { ", which does not exist" };
            out.say(
                &format!("nothing is wrong with the settings ({file}{there})"),
                &json!({
                    "event": "config",
                    "is_good": true,
                    "file": folders.settings.display().to_string(),
                }),
            );
            return Ok(());
        }
        Err(problems) => problems,
    };
    for problem in &problems {
        out.event(&json!({
            "event": "problem",
            "origin": problem.origin.to_string(),
            "key": problem.key,
            "text": problem.text,
        }));
        note(&problem.to_string());
    }
    Err(Failure::silent(1))
}

fn show(args: &ConfigArgs, origin: bool, out: Out) -> Result<(), Failure> {
    let folders = Folders::of(&args.place)?;
    let settings = layers::read(&layers::sources(&folders, &args.set, Vec::new())?)?;
    let width = settings.entries().map(|entry| entry.value.len()).max().unwrap_or(0).min(40);
    for Entry { setting, value, origin: from } in settings.entries() {
        let from_text = from.to_string();
        let text = if origin {
            format!("{:<28} {value:<width$}  {from_text}", setting.key)
        } else {
            format!("{:<28} {value}", setting.key)
        };
        let object = json!({ "key": setting.key, "value": value, "origin": from_text });
        out.say(text.trim_end(), &object);
    }
    Ok(())
}
