//! `piecework add`: torrent files, magnets and addresses for a daemon.

use super::act::absolute;
use crate::args::client::AddArgs;
use crate::client::{Client, printable};
use crate::failure::{Context, Failure};
use crate::out::Out;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read};
use std::net::ToSocketAddrs;

/// Bytes of a torrent file.
const FILE_BYTES_MAX: u64 = 30 << 20;
/// Torrents, and bytes of them, of one request.
const SOURCES_MAX: usize = 500;
const REQUEST_BYTES_MAX: usize = 30 << 20;

/// What is added.
enum Source {
    File { name: String, bytes: Vec<u8> },
    Link(String),
}

/// Runs the command.
pub(crate) fn run(args: &AddArgs, out: Out) -> Result<(), Failure> {
    let options = options(args)?;
    let client = match args.lane.lane {
        Some(_) => Client::new_spending(&args.client)?,
        None => Client::new(&args.client)?,
    };
    let (mut batch, mut bytes, mut is_bad) = (Vec::new(), 0, false);
    for source in &args.sources {
        let source = match read(source) {
            Ok(source) => source,
            Err(failure) => {
                out.problem(&failure.text);
                is_bad = true;
                continue;
            }
        };
        let size = source.bytes();
        if batch.len() == SOURCES_MAX || bytes + size > REQUEST_BYTES_MAX {
            is_bad |= send(&client, &std::mem::take(&mut batch), &options, out)?;
            bytes = 0;
        }
        bytes += size;
        batch.push(source);
    }
    is_bad |= send(&client, &batch, &options, out)?;
    if is_bad { Err(Failure::silent(1)) } else { Ok(()) }
}

impl Source {
    fn bytes(&self) -> usize {
        match self {
            Self::File { bytes, .. } => bytes.len(),
            Self::Link(link) => link.len(),
        }
    }
}

/// A link as it is, or the contents of a file.
fn read(source: &str) -> Result<Source, Failure> {
    let is_link = ["magnet:", "http://", "https://"].iter().any(|start| source.starts_with(start));
    let is_hash =
        matches!(source.len(), 40 | 64) && source.bytes().all(|it| it.is_ascii_hexdigit());
    let shown = printable(source);
    let file = match File::open(source) {
        _ if is_link => return Ok(Source::Link(source.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_hash => {
            return Ok(Source::Link(source.to_owned()));
        }
        file => file.context(format_args!("cannot read {shown}"))?,
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .context(format_args!("cannot read {shown}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Failure::new(format!("{shown} is too large for a torrent file")));
    }
    Ok(Source::File { name: source.to_owned(), bytes })
}

fn options(args: &AddArgs) -> Result<Value, Failure> {
    let save_path = args.save_path.as_deref().map(absolute).transpose()?;
    let mut peers = Vec::new();
    for peer in &args.peer {
        let found = peer
            .to_socket_addrs()
            .context(format_args!("--peer {peer} is no HOST:PORT that can be reached"))?;
        peers.extend(found.map(|address| address.to_string()));
    }
    Ok(json!({
        "category": args.category,
        "tags": args.tag,
        "save_path": save_path,
        // Without the flag it is as the daemon's settings say.
        "is_stopped": args.stopped.then_some(true),
        "at_top": args.top,
        "is_sequential": args.sequential,
        "is_trusted": args.trusted,
        "down_limit": args.limit_down.map(|rate| rate.0),
        "up_limit": args.limit_up.map(|rate| rate.0),
        "peers": peers,
        "lane": args.lane.lane.map(|lane| json!({
            "lane": lane.word(), "budget": args.lane.budget, "max_price": args.lane.max_price,
        })),
    }))
}

/// Sends them in one request; gives whether any was refused.
fn send(client: &Client, batch: &[Source], options: &Value, out: Out) -> Result<bool, Failure> {
    if batch.is_empty() {
        return Ok(false);
    }
    let (kind, body) = form(batch, options);
    let request = client.request(Method::POST, "/torrents", None);
    let answer = client.send(request.header("content-type", kind).body(body))?;
    let mut is_bad = false;
    let results = answer.get("results").and_then(Value::as_array).into_iter().flatten();
    for (source, result) in batch.iter().zip(results) {
        let shown = match source {
            Source::File { name, .. } => printable(name),
            // What stands behind may be a passkey.
            Source::Link(link) => printable(link.split(['&', '?']).next().unwrap_or(link)),
        };
        let Some(id) = result.get("id").and_then(Value::as_str) else {
            let detail = result.pointer("/problem/detail").and_then(Value::as_str);
            out.problem(&format!("{shown}: {}", printable(detail.unwrap_or("refused"))));
            is_bad = true;
            continue;
        };
        if let Some(detail) = result.pointer("/problem/detail").and_then(Value::as_str) {
            out.problem(&format!("{shown}: added without its lane: {}", printable(detail)));
            is_bad = true;
        }
        let was_there = result.get("was_there") == Some(&Value::Bool(true));
        let name = client.get(&format!("/torrents/{id}"))?;
        let name = name.get("name").and_then(Value::as_str).unwrap_or_default();
        let done = if was_there { "was there" } else { "added" };
        let object = json!({ "event": "added", "id": id, "name": name, "was_there": was_there });
        out.say(&format!("{done}: {} ({})", printable(name), id.get(..8).unwrap_or(id)), &object);
    }
    Ok(is_bad)
}

/// A form with files, links and options (RFC 7578), and its type.
fn form(batch: &[Source], options: &Value) -> (String, Vec<u8>) {
    let parts = batch.iter().map(|source| match source {
        Source::File { bytes, .. } => ("torrents\"; filename=\"torrent", bytes.as_slice()),
        Source::Link(link) => ("links", link.as_bytes()),
    });
    let options = options.to_string();
    let parts: Vec<_> = parts.chain([("options", options.as_bytes())]).collect();
    let boundary = boundary(&parts);
    let mut body = Vec::new();
    for (name, bytes) in &parts {
        let head =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// A line that no part contains.
fn boundary(parts: &[(&str, &[u8])]) -> String {
    let is_in = |boundary: &String| {
        let wanted = boundary.as_bytes();
        parts.iter().any(|(_, bytes)| bytes.windows(wanted.len()).any(|it| it == wanted))
    };
    let candidates = (0_u64..).map(|number| format!("piecework-{number:016x}"));
    // There are more candidates than any request has bytes.
    candidates.into_iter().find(|boundary| !is_in(boundary)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_part_of_a_form_has_its_boundary() {
        let bytes = b"d8:announce--piecework-0000000000000000".to_vec();
        let batch = [Source::File { name: "a".into(), bytes }, Source::Link("magnet:?".into())];
        let (kind, body) = form(&batch, &json!({}));
        assert_eq!(kind, "multipart/form-data; boundary=piecework-0000000000000001");
        let text = String::from_utf8(body).unwrap();
        assert_eq!(text.matches("--piecework-0000000000000001").count(), 4);
        assert!(text.ends_with("name=\"options\"\r\n\r\n{}\r\n--piecework-0000000000000001--\r\n"));
    }

    #[test]
    fn what_is_no_file_may_be_a_link() {
        assert!(matches!(read("magnet:?xt=1").unwrap(), Source::Link(_)));
        assert!(matches!(read(&"ab".repeat(20)).unwrap(), Source::Link(_)));
        let failure = read("nowhere/\u{1b}.torrent").map(|_| ()).unwrap_err();
        assert!(failure.text.contains("cannot read") && !failure.text.contains('\u{1b}'));
    }
}
