//! `piecework get`: download one torrent.

mod paid;

use crate::args::{Common, GetArgs};
use crate::failure::Failure;
use crate::out::Out;
use crate::progress::Progress;
use crate::session::{self, SHUTDOWN_AFTER};
use crate::signals::Signals;
use crate::source::{self, Loaded};
use paid::Paid;
use piecework_metainfo::Info;
use piecework_node::{
    AddTorrent, Engine, Event, FilePriorities, Phase, Source, Status, TorrentKey, What,
};
use piecework_types::InfoHashes;
use serde_json::json;
use std::time::{Duration, Instant};

/// Patience with a magnet link that names neither tracker nor peer, without the DHT: nothing will ever
/// answer.
const HOPELESS_AFTER: Duration = Duration::from_secs(60);

/// Runs the command.
pub(crate) fn run(args: &GetArgs, common: &Common, out: Out) -> Result<(), Failure> {
    let signals = Signals::install()?;
    let mut peers = session::peers(&args.net)?;
    let priorities = session::priorities(&args.select, &args.priority)?;
    let web_seeds = session::web_seeds(&args.web_seed)?;
    let loaded = source::load(&args.source, &session::binding(&args.net))?;
    if let Loaded::Torrent(metainfo) = &loaded {
        refuse_nothing(priorities.as_ref(), metainfo.info())?;
    }
    peers.extend(session::magnet_peers(&loaded));
    let bought = names(&loaded);
    let is_hopeless = is_hopeless(&loaded) && peers.is_empty() && args.net.no_dht;
    let (name, source) = named(loaded);
    let engine = session::start(common, &args.net, &signals)?;
    let paid = Paid::open(&engine, &args.lane, bought, common, out)?;
    let mut spec = AddTorrent::new(source, args.dir.clone());
    spec.peers = peers;
    spec.web_seeds = web_seeds;
    spec.priorities = priorities.clone();
    spec.is_sequential = args.sequential;
    spec.may_overwrite = args.overwrite;
    let key = engine.add(spec).map_err(Failure::new)?;
    paid.iter().for_each(|paid| paid.begin(key));
    let give_up = match args.give_up {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => is_hopeless.then_some(HOPELESS_AFTER),
    };
    let mut get = Get {
        key,
        out,
        progress: None,
        name,
        priorities,
        is_done: false,
        stays: args.stay,
        patience: Patience { give_up, since: Instant::now(), last: Default::default() },
    };
    let ended = get.follow(&engine, &signals);
    if let (Some(progress), Some(status)) = (&mut get.progress, engine.status(key)) {
        progress.finish(&status);
    }
    engine.shutdown(SHUTDOWN_AFTER);
    paid.map_or(Ok(()), |paid| paid.tell(out)).and(ended)
}

/// What a torrent is called where money is counted, and how much it is, as far as that is known.
fn names(loaded: &Loaded) -> (InfoHashes, Option<u64>) {
    match loaded {
        Loaded::Torrent(metainfo) => {
            let info = metainfo.info();
            (info.hashes(), Some(info.content_bytes()))
        }
        Loaded::Magnet(magnet) => (magnet.info_hashes, None),
    }
}

/// A choice that leaves no file is a mistake, and no download that is complete at once.
fn refuse_nothing(choose: Option<&FilePriorities>, info: &Info) -> Result<(), Failure> {
    let Some(choose) = choose else { return Ok(()) };
    let wanted = choose(info);
    let mut stored = info.files().iter().zip(&wanted).filter(|(file, _)| !file.is_pad());
    if stored.any(|(_, &priority)| priority > 0) {
        return Ok(());
    }
    let name = info.name();
    let text =
        format!("--select and --priority leave no file of {name}: 'piecework show' lists them");
    Err(Failure::new(text))
}

/// The line that scripts wait for.
pub(super) fn ready(out: Out, label: &str, port: u16) {
    let object = json!({ "event": "ready", "info_hash": label, "port": port });
    out.say(&format!("READY {label} {port}"), &object);
}

/// A display name, and the source as the engine wants it.
pub(super) fn named(loaded: Loaded) -> (String, Source) {
    match loaded {
        Loaded::Torrent(metainfo) => {
            (metainfo.info().name().to_owned(), Source::Metainfo(metainfo))
        }
        Loaded::Magnet(magnet) => {
            let name = magnet.name.clone().unwrap_or_else(|| magnet.info_hashes.to_string());
            (name, Source::Magnet(magnet))
        }
    }
}

fn is_hopeless(loaded: &Loaded) -> bool {
    match loaded {
        Loaded::Torrent(_) => false,
        Loaded::Magnet(magnet) => magnet.trackers.is_empty() && magnet.peers.is_empty(),
    }
}

/// Gives up when nothing has moved for too long.
pub(super) struct Patience {
    pub(super) give_up: Option<Duration>,
    pub(super) since: Instant,
    pub(super) last: (Phase, u64, u32),
}

impl Patience {
    /// Seconds without progress, once they are too many.
    pub(super) fn exhausted(&mut self, status: &Status) -> Option<u64> {
        let now = (status.phase, status.down_bytes, status.checked.0);
        if now != self.last || status.is_complete {
            self.last = now;
            self.since = Instant::now();
        }
        let give_up = self.give_up?;
        (self.since.elapsed() >= give_up).then_some(give_up.as_secs())
    }
}

struct Get {
    key: TorrentKey,
    out: Out,
    progress: Option<Progress>,
    name: String,
    priorities: Option<FilePriorities>,
    is_done: bool,
    stays: bool,
    patience: Patience,
}

impl Get {
    /// Until the download is complete, a signal comes or there is no hope.
    fn follow(&mut self, engine: &Engine, signals: &Signals) -> Result<(), Failure> {
        loop {
            let due_in = self.progress.as_ref().map_or(Duration::MAX, Progress::due_in);
            if let Some(event) = session::next_event(engine, due_in)? {
                self.take(&event)?;
            }
            session::tell_notices(engine, self.out, |text| match &self.progress {
                Some(progress) => progress.note(text),
                None => self.out.problem(text),
            });
            if self.is_done && !self.stays {
                return Ok(());
            }
            if let Some(status) = signals.status() {
                return if self.is_done { Ok(()) } else { Err(Failure::silent(status)) };
            }
            let Some(status) = engine.status(self.key) else { continue };
            if let Some(seconds) = self.patience.exhausted(&status).filter(|_| !self.is_done) {
                return Err(Failure::new(give_up_text(&self.name, seconds, &status)));
            }
            if let Some(progress) = &mut self.progress {
                progress.update(&status);
            }
        }
    }

    fn take(&mut self, event: &Event) -> Result<(), Failure> {
        let label = event.info_hashes.to_string();
        let progress =
            self.progress.get_or_insert_with(|| Progress::new(self.out, &self.name, &label));
        match &event.what {
            What::Metadata { info, .. } => {
                refuse_nothing(self.priorities.as_ref(), info)?;
                progress.rename(info.name());
            }
            What::Ready { port } => progress.aside(|| ready(self.out, &label, *port)),
            What::Done => {
                self.is_done = true;
                self.out
                    .say(&format!("DONE {label}"), &json!({ "event": "done", "info_hash": label }));
            }
            What::Problem(problem) if problem.is_fatal => return Err(Failure::new(&problem.text)),
            What::Problem(problem) => progress.note(&problem.text),
            What::Recovered => progress.note("the storage can be written again"),
            What::Peer(verdict) => session::tell_verdict(self.out, &label, verdict),
            What::WebSeed(verdict) => {
                session::tell_web_seed(self.out, progress, &label, verdict);
            }
            What::Layers { .. } | What::Stopped | What::Checked => {}
        }
        Ok(())
    }
}

/// Why nothing moved, as far as the figures tell.
pub(super) fn give_up_text(name: &str, seconds: u64, status: &Status) -> String {
    let failing = status.trackers.iter().find(|tracker| tracker.is_working == Some(false));
    let web_seed = status.web_seeds.iter().find(|seed| !seed.message.is_empty());
    if let Some(seed) = web_seed.filter(|_| status.peers == 0) {
        let cause = format!("no peer; web seed {}: {}", seed.url, seed.message);
        return format!("gave up on {name} after {seconds} s without progress: {cause}");
    }
    let cause = match (status.peers, failing) {
        (0, Some(tracker)) => format!("no peer; tracker {}: {}", tracker.host, tracker.message),
        (0, None) if status.known == 0 && !status.refused.is_empty() => {
            let refused = status.refused.iter().map(|(why, count)| format!("{count} ({why})"));
            let refused = refused.collect::<Vec<_>>().join(", ");
            format!("no peer is known but addresses that are refused: {refused}")
        }
        (0, None) if status.known == 0 => {
            "no peer is known; add --peer HOST:PORT or a tracker".into()
        }
        (0, None) => format!("none of {} known peers could be reached", status.known),
        (peers, _) => format!("{peers} connected peers, but none sends what is missing"),
    };
    format!("gave up on {name} after {seconds} s without progress: {cause}")
}
