//! `piecework follow`: download what a publisher's item in the DHT points to, version after version.

use super::get::{Patience, give_up_text, ready};
use crate::args::{Common, FollowArgs};
use crate::failure::Failure;
use crate::out::Out;
use crate::progress::Progress;
use crate::session::{self, SHUTDOWN_AFTER};
use crate::signals::Signals;
use piecework_metainfo::Magnet;
use piecework_node::{
    AddTorrent, Engine, Event, Found, MutableItem, MutableName, PublicKey, Source, TorrentKey, What,
};
use piecework_types::{InfoHash, InfoHashes, Sha1Digest};
use serde_json::json;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// Items of one search that are not taken yet.
const FOUND_MAX: usize = 64;

/// Between two searches while nothing was found at all.
const SEARCH_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Runs the command.
pub(crate) fn run(args: &FollowArgs, common: &Common, out: Out) -> Result<(), Failure> {
    let name = publisher(&args.publisher)?;
    if args.net.no_dht {
        return Err(Failure::usage("a publisher is found through the DHT: leave --no-dht out"));
    }
    let signals = Signals::install()?;
    let peers = session::peers(&args.net)?;
    let engine = session::start(common, &args.net, &signals)?;
    let mut follow = Follow {
        args,
        out,
        name,
        peers,
        newest: None,
        search: None,
        search_at: Instant::now(),
        current: None,
    };
    let ended = follow.run(&engine, &signals);
    engine.shutdown(SHUTDOWN_AFTER);
    ended
}

/// Reads `magnet:?xs=urn:btpk:KEY&s=SALT`, both in hexadecimal (BEP 46), or a bare key.
fn publisher(text: &str) -> Result<MutableName, Failure> {
    let wrong = || {
        Failure::usage(format!(
            "cannot read the publisher {text:?}: expected 64 hex digits, or magnet:?xs=urn:btpk:KEY&s=SALT"
        ))
    };
    let (mut key, mut salt) = (None, Vec::new());
    match text.strip_prefix("magnet:?") {
        None => key = hex(text),
        Some(rest) => {
            for (name, value) in rest.split('&').filter_map(|pair| pair.split_once('=')) {
                match name {
                    "xs" => key = value.strip_prefix("urn:btpk:").and_then(hex),
                    "s" => salt = hex(value).ok_or_else(wrong)?,
                    _ => {}
                }
            }
        }
    }
    let key: [u8; 32] = key.and_then(|key| key.try_into().ok()).ok_or_else(wrong)?;
    MutableName::new(PublicKey(key), &salt).map_err(Failure::usage)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digits = (0..text.len()).step_by(2);
    digits.map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// The version that is being fetched or served.
struct Version {
    key: TorrentKey,
    info_hash: InfoHash,
    progress: Progress,
    patience: Patience,
    is_done: bool,
}

struct Follow<'a> {
    args: &'a FollowArgs,
    out: Out,
    name: MutableName,
    peers: Vec<std::net::SocketAddr>,
    /// The highest sequence that was found.
    newest: Option<i64>,
    search: Option<Search>,
    search_at: Instant,
    current: Option<Version>,
}

/// A search under way.
struct Search {
    found: Receiver<Found>,
    answered: usize,
}

impl Follow<'_> {
    fn run(&mut self, engine: &Engine, signals: &Signals) -> Result<(), Failure> {
        let started = Instant::now();
        loop {
            self.look(engine)?;
            let due_in = self.current.as_ref().map_or(Duration::MAX, |it| it.progress.due_in());
            if let Some(event) =
                session::next_event(engine, due_in.min(Duration::from_millis(200)))?
            {
                self.take(&event)?;
            }
            session::tell_notices(engine, self.out, |text| match &self.current {
                Some(version) => version.progress.note(text),
                None => self.out.problem(text),
            });
            if let Some(status) = signals.status() {
                return if self.args.once { Err(Failure::silent(status)) } else { Ok(()) };
            }
            if self.args.once && self.is_over(engine, started)? {
                return Ok(());
            }
            if let Some(version) = &mut self.current
                && let Some(status) = engine.status(version.key)
            {
                version.progress.update(&status);
            }
        }
    }

    /// With `--once`: whether the newest version is complete.
    fn is_over(&mut self, engine: &Engine, started: Instant) -> Result<bool, Failure> {
        let give_up = Duration::from_secs(self.args.give_up);
        let Some(version) = &mut self.current else {
            if started.elapsed() < give_up {
                return Ok(false);
            }
            let nodes = engine.dht_status().map_or(0, |dht| dht.nodes_v4 + dht.nodes_v6);
            return Err(Failure::new(format!(
                "found nothing of this publisher within {} s; {nodes} DHT nodes are known: check the key, \
                 and 'piecework follow --verbose' for the network",
                self.args.give_up
            )));
        };
        if let Some(status) = engine.status(version.key).filter(|_| !version.is_done)
            && let Some(seconds) = version.patience.exhausted(&status)
        {
            let label = version.info_hash.to_string();
            return Err(Failure::new(give_up_text(&label, seconds, &status)));
        }
        // A newer version may still be on its way while the search goes on.
        Ok(version.is_done && self.search.is_none())
    }

    /// Searches when it is time to, and takes what the search has found.
    fn look(&mut self, engine: &Engine) -> Result<(), Failure> {
        if self.search.is_none() && self.search_at <= Instant::now() {
            let (sender, found) = sync_channel(FOUND_MAX);
            if engine.find_item(self.name.clone(), sender) {
                self.search = Some(Search { found, answered: 0 });
            }
        }
        while let Some(search) = &mut self.search {
            match search.found.try_recv() {
                Ok(Found::Item(item)) => self.found(&item, engine)?,
                Ok(Found::Over { answered }) => search.answered += answered,
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                // All families have ended.
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    let has_found = self.newest.is_some();
                    let every = Duration::from_secs(self.args.every);
                    let after = if has_found { every } else { SEARCH_AGAIN_AFTER };
                    self.search_at = Instant::now() + after;
                    self.search = None;
                }
            }
        }
        Ok(())
    }

    /// A version was found: it takes the place of an older one.
    fn found(&mut self, item: &MutableItem, engine: &Engine) -> Result<(), Failure> {
        if self.newest.is_some_and(|newest| item.sequence() <= newest) {
            return Ok(());
        }
        self.newest = Some(item.sequence());
        let Some(info_hash) = item.torrent() else {
            self.out.problem(&format!("version {} points to no torrent", item.sequence()));
            return Ok(());
        };
        if self.current.as_ref().is_some_and(|version| version.info_hash == info_hash) {
            return Ok(());
        }
        let label = info_hash.to_string();
        let sequence = item.sequence();
        self.out.say(
            &format!("VERSION {sequence} {label}"),
            &json!({ "event": "version", "sequence": sequence, "info_hash": label }),
        );
        if let Some(old) = self.current.take() {
            // Its files stay.
            engine.remove(old.key);
        }
        let hashes = InfoHashes { v1: Some(Sha1Digest(info_hash.0)), v2: None };
        let source = Source::Magnet(Box::new(Magnet::new(hashes)));
        let mut spec = AddTorrent::new(source, self.args.dir.clone());
        spec.peers.clone_from(&self.peers);
        let key = engine.add(spec).map_err(Failure::new)?;
        self.current = Some(Version {
            key,
            info_hash,
            progress: Progress::new(self.out, &label, &label),
            patience: Patience {
                give_up: Some(Duration::from_secs(self.args.give_up)),
                since: Instant::now(),
                last: Default::default(),
            },
            is_done: false,
        });
        Ok(())
    }

    fn take(&mut self, event: &Event) -> Result<(), Failure> {
        let Some(version) = self.current.as_mut().filter(|version| version.key == event.key) else {
            return Ok(());
        };
        let label = event.info_hashes.to_string();
        match &event.what {
            What::Metadata { info, .. } => version.progress.rename(info.name()),
            What::Ready { port } => version.progress.aside(|| ready(self.out, &label, *port)),
            What::Done => {
                version.is_done = true;
                let object = json!({ "event": "done", "info_hash": label });
                self.out.say(&format!("DONE {label}"), &object);
            }
            What::Problem(problem) if problem.is_fatal && self.args.once => {
                return Err(Failure::new(&problem.text));
            }
            What::Problem(problem) => version.progress.note(&problem.text),
            What::Recovered => version.progress.note("the storage can be written again"),
            What::Peer(verdict) => session::tell_verdict(self.out, &label, verdict),
            What::WebSeed(verdict) => {
                session::tell_web_seed(self.out, &version.progress, &label, verdict);
            }
            What::Layers { .. } | What::Stopped | What::Checked => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// BEP 46, first test vector: this key and this salt.
    const KEY: &str = "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e";

    #[test]
    fn a_publisher_is_a_key_or_a_link_of_bep_46() {
        let bare = publisher(KEY).ok().unwrap();
        let link = publisher(&format!("magnet:?xs=urn:btpk:{KEY}")).ok().unwrap();
        assert_eq!(bare, link);
        let salted = publisher(&format!("magnet:?xs=urn:btpk:{KEY}&s=6e")).ok().unwrap();
        assert_ne!(salted, bare);
        for wrong in ["", "magnet:?xt=urn:btih:00", &KEY[1..], "magnet:?xs=urn:btpk:zz&s=1"] {
            assert!(publisher(wrong).is_err(), "{wrong}");
        }
    }
}
