//! `piecework metadata`: turn a magnet link into a torrent file.

use super::get::{Patience, give_up_text, named};
use crate::args::{Common, MetadataArgs};
use crate::failure::{Context, Failure};
use crate::out::Out;
use crate::progress::Progress;
use crate::session::{self, SHUTDOWN_AFTER};
use crate::signals::Signals;
use crate::source::{self, Loaded};
use piecework_metainfo::create::{Details, torrent_file};
use piecework_metainfo::{Info, PieceLayers};
use piecework_node::{AddTorrent, Engine, TorrentKey, What};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Runs the command.
pub(crate) fn run(args: &MetadataArgs, common: &Common, out: Out) -> Result<(), Failure> {
    let start = Instant::now();
    let signals = Signals::install()?;
    let mut peers = session::peers(&args.net)?;
    let magnet = match source::load(&args.magnet, &session::binding(&args.net))? {
        Loaded::Magnet(magnet) => magnet,
        Loaded::Torrent(_) => {
            return Err(Failure::usage("expected a magnet link; a torrent file has its metadata"));
        }
    };
    let loaded = Loaded::Magnet(magnet.clone());
    peers.extend(session::magnet_peers(&loaded));
    let (name, source) = named(loaded);
    let engine = session::start(common, &args.net, &signals)?;
    let mut spec = AddTorrent::new(source, PathBuf::from("."));
    spec.peers = peers;
    spec.is_metadata_only = true;
    let key = engine.add(spec).map_err(Failure::new)?;
    let fetched = fetch(&engine, key, &signals, &name, args, out);
    let seconds = start.elapsed().as_secs_f64();
    engine.shutdown(SHUTDOWN_AFTER);
    let (info, layers) = fetched?;
    let details = Details {
        trackers: magnet.trackers.iter().map(|url| vec![url.clone()]).collect(),
        web_seeds: magnet.web_seeds.clone(),
        ..Details::default()
    };
    let bytes = torrent_file(&info, layers.as_ref(), &details).ok_or_else(|| {
        Failure::new("no peer has all piece hashes of this v2 torrent; try later")
    })?;
    let file = args.output.clone().unwrap_or_else(|| format!("{}.torrent", info.name()).into());
    std::fs::write(&file, bytes).context(format_args!("cannot write {}", file.display()))?;
    let label = info.hashes().to_string();
    out.say(
        &format!("{label} {}", file.display()),
        &json!({ "event": "metadata", "info_hash": label, "name": info.name(), "file": file,
            "seconds": seconds }),
    );
    Ok(())
}

fn fetch(
    engine: &Engine,
    key: TorrentKey,
    signals: &Signals,
    name: &str,
    args: &MetadataArgs,
    out: Out,
) -> Result<(Arc<Info>, Option<PieceLayers>), Failure> {
    let mut progress = Progress::new(out, name, name);
    let give_up = Some(Duration::from_secs(args.give_up));
    let mut patience = Patience { give_up, since: Instant::now(), last: Default::default() };
    loop {
        session::tell_notices(engine, out, |text| progress.note(text));
        match session::next_event(engine, progress.due_in())?.map(|event| event.what) {
            Some(What::Metadata { info, layers }) => return Ok((info, layers)),
            Some(What::Problem(problem)) if problem.is_fatal => {
                return Err(Failure::new(problem.text));
            }
            Some(What::Problem(problem)) => progress.note(&problem.text),
            Some(What::Peer(verdict)) => session::tell_verdict(out, name, &verdict),
            Some(
                What::Layers { .. }
                | What::Ready { .. }
                | What::Checked
                | What::Done
                | What::Recovered
                | What::Stopped
                | What::WebSeed(_),
            )
            | None => {}
        }
        if let Some(status) = signals.status() {
            return Err(Failure::silent(status));
        }
        let Some(status) = engine.status(key) else { continue };
        if let Some(seconds) = patience.exhausted(&status) {
            return Err(Failure::new(give_up_text(name, seconds, &status)));
        }
        progress.update(&status);
    }
}
