//! `piecework show`: what a torrent file or magnet link contains.

use crate::args::ShowArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::scrape::{self, Told};
use crate::source::{self, Loaded};
use piecework_metainfo::{File, Info, Magnet, Metainfo};
use piecework_net::Binding;
use piecework_settings::human;
use piecework_types::InfoHashes;
use serde_json::{Value, json};
use std::fmt::Write;

/// Runs the command.
pub(crate) fn run(args: &ShowArgs, out: Out) -> Result<(), Failure> {
    let (mut lines, mut object, told) = match source::load(&args.source, &Binding::default())? {
        Loaded::Torrent(metainfo) => {
            let trackers = metainfo.trackers().iter().flatten();
            let told = args.scrape.then(|| scrape::ask(trackers, &metainfo.info().hashes()));
            (torrent_lines(&metainfo), torrent_object(&metainfo), told)
        }
        Loaded::Magnet(magnet) => {
            let told = args.scrape.then(|| scrape::ask(&magnet.trackers, &magnet.info_hashes));
            (magnet_lines(&magnet), magnet_object(&magnet), told)
        }
    };
    if let Some(told) = told.transpose()? {
        lines.add_each("scrape", told.iter().map(Told::text));
        let counts: Vec<Value> = told.iter().map(Told::object).collect();
        merge(&mut object, json!({ "scrape": counts }));
    }
    out.say(&lines.0, &object);
    Ok(())
}

/// Lines of a label and a value; a value that is absent gives no line.
struct Lines(String);

impl Lines {
    fn add(&mut self, label: &str, value: impl std::fmt::Display) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{label:<12} {value}");
    }

    fn add_each<T: std::fmt::Display>(&mut self, label: &str, values: impl IntoIterator<Item = T>) {
        for (at, value) in values.into_iter().enumerate() {
            self.add(if at == 0 { label } else { "" }, value);
        }
    }
}

fn torrent_lines(metainfo: &Metainfo) -> Lines {
    let info = metainfo.info();
    let mut lines = Lines(String::new());
    lines.add("name", info.name());
    add_hashes(&mut lines, &info.hashes());
    lines.add("version", info.version());
    let (count, length) = (info.grid().piece_count(), human(info.piece_length().into()));
    let plural = if count == 1 { "piece" } else { "pieces" };
    lines.add("pieces", format_args!("{count} {plural} of {length} ({} B)", info.piece_length()));
    lines.add("size", size(info.content_bytes()));
    if info.is_private() {
        lines.add("private", "yes: peers come from the trackers only");
    }
    for (tier, urls) in metainfo.trackers().iter().enumerate() {
        for url in urls {
            lines.add("tracker", format_args!("{url} (tier {})", tier + 1));
        }
    }
    lines.add_each("web seed", metainfo.web_seeds().iter().chain(metainfo.http_seeds()));
    lines.add_each("comment", metainfo.comment().map(str::escape_debug));
    lines.add_each("created by", metainfo.created_by().map(str::escape_debug));
    lines.add_each("created", metainfo.creation_date().map(utc));
    for file in shown_files(info) {
        lines.add("file", format_args!("{}  {}{}", file.path(), size(file.length()), marks(file)));
    }
    for change in info.cleaned() {
        lines.add("renamed", format_args!("{} -> {} ({})", change.from, change.to, change.why));
    }
    lines.add("magnet", metainfo.magnet());
    lines
}

fn shown_files(info: &Info) -> impl Iterator<Item = &File> {
    info.files().iter().filter(|file| !file.is_pad())
}

fn add_hashes(lines: &mut Lines, hashes: &InfoHashes) {
    lines.add_each("info-hash v1", hashes.v1);
    lines.add_each("info-hash v2", hashes.v2);
}

fn size(bytes: u64) -> String {
    if bytes < 1000 { human(bytes) } else { format!("{} ({bytes} B)", human(bytes)) }
}

fn marks(file: &File) -> String {
    let attributes = file.attributes();
    let mut text = String::new();
    if attributes.executable {
        text.push_str("  executable");
    }
    if attributes.hidden {
        text.push_str("  hidden");
    }
    if let Some(target) = file.symlink() {
        text.push_str("  link to ");
        text.push_str(target);
    }
    text
}

/// Seconds since 1970 as a date people read, in UTC (days to civil date after Howard Hinnant).
pub(crate) fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (rest / 3600, rest / 60 % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

fn hashes_object(hashes: &InfoHashes) -> Value {
    json!({
        "info_hash": hashes.to_string(),
        "v1": hashes.v1.map(|digest| digest.to_string()),
        "v2": hashes.v2.map(|digest| digest.to_string()),
    })
}

fn torrent_object(metainfo: &Metainfo) -> Value {
    let info = metainfo.info();
    let mut object = hashes_object(&info.hashes());
    let files: Vec<Value> = shown_files(info)
        .map(|file| {
            json!({
                "path": file.path(),
                "length": file.length(),
                "executable": file.attributes().executable,
                "hidden": file.attributes().hidden,
                "symlink": file.symlink(),
                "pieces_root": file.pieces_root().map(|root| root.to_string()),
            })
        })
        .collect();
    let cleaned: Vec<Value> = info
        .cleaned()
        .iter()
        .map(
            |change| json!({ "from": change.from, "to": change.to, "why": change.why.to_string() }),
        )
        .collect();
    let rest = json!({
        "event": "torrent",
        "name": info.name(),
        "version": info.version().to_string(),
        "piece_length": info.piece_length(),
        "pieces": info.grid().piece_count(),
        "length": info.content_bytes(),
        "private": info.is_private(),
        "trackers": metainfo.trackers(),
        "web_seeds": metainfo.web_seeds(),
        "http_seeds": metainfo.http_seeds(),
        "comment": metainfo.comment(),
        "created_by": metainfo.created_by(),
        "creation_date": metainfo.creation_date(),
        "files": files,
        "cleaned": cleaned,
        "magnet": metainfo.magnet().to_string(),
    });
    merge(&mut object, rest);
    object
}

fn magnet_lines(magnet: &Magnet) -> Lines {
    let mut lines = Lines(String::new());
    lines.add_each("name", magnet.name.as_deref().map(str::escape_debug));
    add_hashes(&mut lines, &magnet.info_hashes);
    lines.add_each("tracker", &magnet.trackers);
    lines.add_each("web seed", &magnet.web_seeds);
    lines.add_each("peer", &magnet.peers);
    lines.add("files", "unknown until the metadata is fetched: piecework metadata MAGNET");
    lines
}

fn magnet_object(magnet: &Magnet) -> Value {
    let mut object = hashes_object(&magnet.info_hashes);
    let peers: Vec<String> = magnet.peers.iter().map(ToString::to_string).collect();
    let rest = json!({
        "event": "magnet",
        "name": magnet.name,
        "trackers": magnet.trackers,
        "web_seeds": magnet.web_seeds,
        "peers": peers,
        "magnet": magnet.to_string(),
    });
    merge(&mut object, rest);
    object
}

fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_shown_in_utc() {
        assert_eq!(utc(0), "1970-01-01 00:00 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(utc(1_795_219_199), "2026-11-20 23:59 UTC");
    }
}
