//! `piecework seed`: serve torrents whose data is here.

use super::get::{named, ready};
use crate::args::{Common, SeedArgs};
use crate::failure::{Context, Failure};
use crate::out::{Out, note};
use crate::progress::Progress;
use crate::session::{self, SHUTDOWN_AFTER};
use crate::signals::Signals;
use crate::source::{self, Loaded};
use piecework_node::{
    AddError, AddTorrent, Engine, Event, Phase, Refusal, Status, TorrentKey, What,
};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

const NOTHING_TO_SERVE: &str = "none of the torrents can be served";

/// Runs the command.
pub(crate) fn run(args: &SeedArgs, common: &Common, out: Out) -> Result<(), Failure> {
    let signals = Signals::install()?;
    let peers = session::peers(&args.net)?;
    let mut sources = args.torrents.clone();
    if let Some(folder) = &args.torrents_dir {
        sources.extend(torrent_files(folder)?);
    }
    let is_only = sources.len() == 1;
    // One is read before anything starts: who gives nothing but bad torrents gets no state folder for
    // it. The others are read one at a time, as an engine keeps little of a torrent nobody asks for.
    let binding = session::binding(&args.net);
    let mut loaded = sources.iter().map(|source| source::load(source, &binding));
    let first = first_good(&mut loaded, is_only, out)?;
    let engine = session::start(common, &args.net, &signals)?;
    let mut progress = Progress::new(out, &title(sources.len()), "all");
    let added = first.into_iter().map(Ok).chain(loaded).map(|loaded| {
        let key = add(&engine, loaded?, args, &peers);
        // With many torrents the first are served long before the last is added.
        while let Some(event) = engine.next_event(Duration::ZERO) {
            take(&event, out, &progress);
        }
        key
    });
    let keys: Vec<TorrentKey> = accept(added, is_only, out)?;
    progress.rename(&title(keys.len()));
    while signals.status().is_none() {
        if let Some(event) = session::next_event(&engine, progress.due_in())? {
            take(&event, out, &progress);
        }
        session::tell_notices(&engine, out, |text| progress.note(text));
        // Adding up a thousand torrents is worth it only when somebody looks.
        if progress.is_due() {
            progress.update(&sum(&engine, &keys));
        }
    }
    progress.finish(&sum(&engine, &keys));
    engine.shutdown(SHUTDOWN_AFTER);
    Ok(())
}

/// Keeps what worked and tells what did not; it is an error only if nothing worked.
fn accept<T>(
    results: impl Iterator<Item = Result<T, Failure>>,
    is_only: bool,
    out: Out,
) -> Result<Vec<T>, Failure> {
    let (mut accepted, mut failures) = (Vec::new(), 0);
    for result in results {
        match result {
            Ok(it) => accepted.push(it),
            Err(failure) if is_only => return Err(failure),
            Err(failure) => {
                failures += 1;
                out.problem(&failure.text);
            }
        }
    }
    if accepted.is_empty() && failures > 0 {
        return Err(Failure::new(NOTHING_TO_SERVE));
    }
    Ok(accepted)
}

/// The first that works, unless there is none to begin with; tells why those before it do not.
fn first_good<T>(
    results: &mut impl Iterator<Item = Result<T, Failure>>,
    is_only: bool,
    out: Out,
) -> Result<Option<T>, Failure> {
    let mut is_empty = true;
    for result in results {
        is_empty = false;
        match result {
            Ok(it) => return Ok(Some(it)),
            Err(failure) if is_only => return Err(failure),
            Err(failure) => out.problem(&failure.text),
        }
    }
    if is_empty { Ok(None) } else { Err(Failure::new(NOTHING_TO_SERVE)) }
}

fn title(count: usize) -> String {
    if count == 1 { "seeding".into() } else { format!("seeding {count} torrents") }
}

/// The .torrent files of a folder, by name. None is no error: the folder may be filled later.
pub(super) fn torrent_files(folder: &Path) -> Result<Vec<String>, Failure> {
    let doing = format!("cannot read the folder {}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).context(&doing)? {
        let path: PathBuf = entry.context(&doing)?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("torrent")) {
            match path.to_str() {
                Some(text) => files.push(text.to_owned()),
                None => note(&format!("skipped {}: its name is no UTF-8", path.display())),
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn add(
    engine: &Engine,
    loaded: Loaded,
    args: &SeedArgs,
    peers: &[SocketAddr],
) -> Result<TorrentKey, Failure> {
    let from_magnet = session::magnet_peers(&loaded);
    let (_, source) = named(loaded);
    let mut spec = AddTorrent::new(source, args.dir.clone());
    spec.peers = peers.to_vec();
    spec.peers.extend(from_magnet);
    spec.is_trusted = args.trust;
    spec.is_seed_only = true;
    spec.is_super_seed = args.super_seed;
    engine.add(spec).map_err(|error: AddError| Failure::new(error))
}

fn take(event: &Event, out: Out, progress: &Progress) {
    let label = event.info_hashes.to_string();
    match &event.what {
        What::Ready { port } => progress.aside(|| ready(out, &label, *port)),
        What::Problem(problem) => progress.note(&problem.text),
        What::Recovered => progress.note("the storage can be read again"),
        What::Peer(verdict) => session::tell_verdict(out, &label, verdict),
        // Seeds fetch nothing, and nobody asks them for a check.
        What::WebSeed(_)
        | What::Metadata { .. }
        | What::Layers { .. }
        | What::Checked
        | What::Done
        | What::Stopped => {}
    }
}

/// The figures of all torrents together.
fn sum(engine: &Engine, keys: &[TorrentKey]) -> Status {
    let mut all = Status { phase: Phase::Active, is_complete: true, ..Status::default() };
    for status in keys.iter().filter_map(|&key| engine.status(key)) {
        if keys.len() == 1 {
            // A seed wants nothing, so it is complete as far as the display is concerned.
            return Status { is_complete: status.phase == Phase::Active, ..status };
        }
        if status.phase == Phase::Checking {
            all.phase = Phase::Checking;
            all.checked.0 += status.checked.0;
            all.checked.1 += status.checked.1;
        }
        all.pieces += status.pieces;
        all.have += status.have;
        all.up_bytes += status.up_bytes;
        all.up_rate += status.up_rate;
        all.down_rate += status.down_rate;
        all.peers += status.peers;
        all.seeds += status.seeds;
        all.encrypted += status.encrypted;
        add_up(&mut all.refused, status.refused);
        // Those that the IP filter lists are the same ones for each torrent.
        let is_own = |(reason, _): &(Refusal, u64)| *reason != Refusal::Filtered;
        let (own, filtered) = status.turned_away.into_iter().partition(is_own);
        all.turned_away.retain(is_own);
        add_up(&mut all.turned_away, own);
        all.turned_away.extend::<Vec<_>>(filtered);
    }
    all
}

fn add_up(sums: &mut Vec<(Refusal, u64)>, counts: Vec<(Refusal, u64)>) {
    for (reason, count) in counts {
        match sums.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, sum)) => *sum += count,
            None => sums.push((reason, count)),
        }
    }
}
