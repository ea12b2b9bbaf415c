//! Reading a file while it is being fetched.
//!
//! Owns the positions of all readers. Invariant: only bytes of pieces that are verified and stored are
//! given; of the readers of a torrent the one that moved last decides what the engine fetches first, and
//! none once all are gone.

use crate::payload;
use crate::shared::Shared;
use piecework_catalog::{Refusal, RefusalKind, Stage};
use piecework_metainfo::Info;
use piecework_node::{Engine, PieceState, Playback, TorrentKey};
use piecework_types::InfoHash;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Readers at once.
const READERS_MAX: usize = 1_000;
/// Bytes of one read.
const READ_BYTES_MAX: usize = 1 << 20;
/// Between two looks for a piece that a reader waits for.
const LOOK_AFTER: Duration = Duration::from_millis(20);
/// Time read before its speed is known.
const RATE_AFTER: Duration = Duration::from_secs(2);

/// The positions of all readers.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By a number that grows with each move: the last one of a torrent is the one that moved last.
    moves: BTreeMap<u64, (InfoHash, Playback)>,
    last: u64,
}

impl Positions {
    /// A reader has moved; its number from now on.
    fn put(&self, old: Option<u64>, id: InfoHash, playback: Playback) -> Result<u64, Refusal> {
        let mut state = self.lock();
        if let Some(old) = old {
            state.moves.remove(&old);
        } else if state.moves.len() >= READERS_MAX {
            let text = format!("{READERS_MAX} files are being read already; end some of them");
            return Err(Refusal::new(RefusalKind::Full, text));
        }
        state.last += 1;
        let number = state.last;
        state.moves.insert(number, (id, playback));
        Ok(number)
    }

    /// A reader is gone; what another one of its torrent reads.
    fn take(&self, number: u64, id: InfoHash) -> Option<Playback> {
        self.lock().moves.remove(&number);
        self.latest(id)
    }

    /// What is read of a torrent, if anything is.
    pub(crate) fn latest(&self, id: InfoHash) -> Option<Playback> {
        let state = self.lock();
        let latest = state.moves.values().rev().find(|(of, _)| *of == id);
        latest.map(|(_, playback)| *playback)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads one file while it is being fetched.
pub struct Reader {
    shared: Arc<Shared>,
    id: InfoHash,
    info: Arc<Info>,
    number: usize,
    /// The file, as it was found under a path.
    file: Option<(PathBuf, Arc<File>)>,
    /// Pieces that are known to be there.
    have: BTreeSet<u32>,
    /// Its position in [`Positions`], the piece, and whom the engine was told it of.
    position: Option<Position>,
    pace: Pace,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Position {
    number: u64,
    piece: u32,
    key: Option<TorrentKey>,
}

/// How fast it is read.
#[derive(Clone, Copy, Debug)]
struct Pace {
    since: Instant,
    waited: Duration,
    bytes: u64,
    /// Where the next read is if nobody seeks.
    next: u64,
}

impl Pace {
    fn new(next: u64) -> Self {
        Self { since: Instant::now(), waited: Duration::ZERO, bytes: 0, next }
    }

    /// Bytes a second; 0 while unknown.
    fn rate(&self) -> u64 {
        let read = self.since.elapsed().saturating_sub(self.waited);
        if read < RATE_AFTER {
            return 0;
        }
        let rate = u128::from(self.bytes) * 1000 / read.as_millis().max(1);
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

impl Reader {
    /// A reader of a file.
    ///
    /// # Errors
    /// When there is no such torrent or file, its contents are unknown, or it could never be read to its
    /// end.
    pub(crate) async fn open(
        shared: Arc<Shared>,
        id: InfoHash,
        number: usize,
    ) -> Result<Self, Refusal> {
        let unknown = |text: &str| Refusal::new(RefusalKind::Unknown, text);
        let lookup = Arc::clone(&shared);
        let info = shared.aside(move || payload::info(&lookup.store, id)).await?;
        let info = info.map_err(|text| Refusal::new(RefusalKind::Failed, text))?;
        if shared.read().get(id).is_none() {
            return Err(unknown("there is no such torrent"));
        }
        let info = info.ok_or_else(|| unknown("the files of this torrent are not known yet"))?;
        if info.files().get(number).is_none_or(piecework_metainfo::File::is_pad) {
            return Err(unknown("the torrent has no such file"));
        }
        let (position, pace) = (None, Pace::new(0));
        let (file, have) = (None, BTreeSet::new());
        let mut reader = Self { shared, id, info, number, file, have, position, pace };
        reader.go_to(0)?;
        Ok(reader)
    }

    /// Bytes of the file.
    pub fn len_bytes(&self) -> u64 {
        self.info.files().get(self.number).map_or(0, piecework_metainfo::File::length)
    }

    /// Reads what is at an offset, waiting until at least one byte is there: at most `max` bytes; fewer than
    /// asked is no end. Empty at the end of the file.
    ///
    /// # Errors
    /// When the torrent goes or is stopped, or the drive fails.
    pub async fn read(&mut self, offset: u64, max: usize) -> Result<Vec<u8>, Refusal> {
        let left = self.len_bytes().saturating_sub(offset);
        let wanted = left.min(max.min(READ_BYTES_MAX) as u64);
        if wanted == 0 {
            return Ok(Vec::new());
        }
        if offset != self.pace.next {
            self.pace = Pace::new(offset);
        }
        self.go_to(offset)?;
        let began = Instant::now();
        let there = self.wait_for(offset, wanted).await?;
        self.pace.waited += began.elapsed();
        let bytes = self.read_file(offset, there).await?;
        self.pace.bytes += there;
        self.pace.next = offset + there;
        Ok(bytes)
    }

    /// Tells the engine what is read next, if that is another piece.
    fn go_to(&mut self, offset: u64) -> Result<(), Refusal> {
        let loaded = self.loaded()?;
        let key = loaded.as_ref().map(|(_, key)| *key);
        let piece = self.piece_at(offset);
        if self.position.is_some_and(|at| at.piece == piece && at.key == key) {
            return Ok(());
        }
        let playback = Playback { file: self.number, offset, rate_bytes: self.pace.rate() };
        let old = self.position.map(|position| position.number);
        let number = self.shared.positions.put(old, self.id, playback)?;
        self.position = Some(Position { number, piece, key });
        if let Some((engine, key)) = loaded {
            engine.stream(key, Some(playback));
        }
        Ok(())
    }

    /// Waits until something is there; gives how many bytes of those that are wanted.
    async fn wait_for(&mut self, offset: u64, wanted: u64) -> Result<u64, Refusal> {
        loop {
            while self.is_moving() {
                tokio::time::sleep(LOOK_AFTER).await;
            }
            let there = self.there(offset, wanted);
            if there > 0 {
                return Ok(there);
            }
            // It may have been loaded anew, and know of no reader.
            self.go_to(offset)?;
            match self.loaded()? {
                Some((engine, key)) => self.learn(&engine, key).await,
                None if self.is_whole() => return Ok(wanted),
                None => {}
            }
            if self.there(offset, wanted) == 0 {
                tokio::time::sleep(LOOK_AFTER).await;
            }
        }
    }

    /// How many bytes from an offset on are known to be there.
    fn there(&self, offset: u64, wanted: u64) -> u64 {
        let base = self.base();
        let piece_bytes = u64::from(self.info.piece_length());
        let mut end = offset;
        while end < offset + wanted && self.have.contains(&self.piece_at(end)) {
            end = ((base + end) / piece_bytes + 1) * piece_bytes - base;
        }
        end.min(offset + wanted) - offset
    }

    /// Asks the engine which pieces of the file are there.
    async fn learn(&mut self, engine: &Engine, key: TorrentKey) {
        let (reply, answer) = oneshot::channel();
        engine.piece_states(key, |states| drop(reply.send(states)));
        // Dropped where the torrent has gone meanwhile: the next look shows that.
        let Ok(states) = answer.await else { return };
        let pieces = self.info.layout().pieces_of(self.number);
        let is_there = |piece: &u32| states.get(*piece as usize) == Some(&PieceState::Have);
        self.have = pieces.filter(is_there).collect();
    }

    async fn read_file(&mut self, offset: u64, count: u64) -> Result<Vec<u8>, Refusal> {
        let file = self.open_file().await?;
        let read = move || {
            let mut bytes = vec![0; count as usize];
            file.read_exact_at(&mut bytes, offset).map(|()| bytes)
        };
        self.shared.aside(read).await?.map_err(|error| {
            self.file = None;
            Refusal::new(RefusalKind::Failed, format!("cannot read the file: {error}"))
        })
    }

    /// The file where it is now: it may have been moved.
    async fn open_file(&mut self) -> Result<Arc<File>, Refusal> {
        let (folder, path, is_wanted) = self.place()?;
        let whole_path = Path::new(&folder).join(&path);
        if let Some((at, file)) = &self.file
            && *at == whole_path
        {
            return Ok(Arc::clone(file));
        }
        let roots = self.shared.roots();
        let open = move || payload::open(&roots, &folder, Path::new(&path));
        let file = self.shared.aside(open).await?.map_err(|error| {
            // What little is there of it lies among the parts of others.
            let text = if is_wanted {
                format!("cannot open the file: {error}; is its drive there?")
            } else {
                "the file is not selected: give it a priority first".to_owned()
            };
            Refusal::new(if is_wanted { RefusalKind::Failed } else { RefusalKind::Conflict }, text)
        })?;
        let file = Arc::new(file);
        self.file = Some((whole_path, Arc::clone(&file)));
        Ok(file)
    }

    /// The folder that the torrent lies in, the file's path below it, and whether it is wanted.
    fn place(&self) -> Result<(String, String, bool), Refusal> {
        let catalog = self.shared.read();
        let torrent = catalog.get(self.id).ok_or_else(gone)?;
        // A file has a number below 400,000.
        let (number, record) = (self.number as u32, torrent.record());
        let given = self.info.files().get(self.number).map_or("", piecework_metainfo::File::path);
        let path = payload::path_of(record, number, given).to_owned();
        Ok((torrent.folder().to_owned(), path, record.priorities.get(&number) != Some(&0)))
    }

    /// The engine and its key; `None` of a torrent that is out of it, for a moment or complete.
    fn loaded(&self) -> Result<Option<(Arc<Engine>, TorrentKey)>, Refusal> {
        let catalog = self.shared.read();
        let record = catalog.get(self.id).ok_or_else(gone)?.record();
        let takes_part = !record.is_stopped && record.error.is_none();
        let may_go_on = takes_part || record.is_complete;
        drop(catalog);
        if may_go_on { Ok(self.shared.loaded(self.id)) } else { Err(stopped()) }
    }

    /// Whether the file is known to be whole, with or without the engine.
    fn is_whole(&self) -> bool {
        let catalog = self.shared.read();
        catalog.get(self.id).is_some_and(|torrent| {
            let record = torrent.record();
            // A file has a number below 400,000.
            record.is_complete && record.priorities.get(&(self.number as u32)) != Some(&0)
        })
    }

    /// Where the file begins in the torrent.
    fn base(&self) -> u64 {
        self.info.files().get(self.number).map_or(0, piecework_metainfo::File::offset)
    }

    fn piece_at(&self, offset: u64) -> u32 {
        let piece = (self.base() + offset) / u64::from(self.info.piece_length());
        u32::try_from(piece).unwrap_or(u32::MAX)
    }

    /// Whether its files are on their way to another place.
    fn is_moving(&self) -> bool {
        let catalog = self.shared.read();
        catalog.get(self.id).is_some_and(|torrent| torrent.stage() == Stage::Moving)
    }
}

fn gone() -> Refusal {
    Refusal::new(RefusalKind::Unknown, "the torrent has been removed")
}

fn stopped() -> Refusal {
    let text = "the file is not whole and its torrent takes no part; start the torrent first";
    Refusal::new(RefusalKind::Conflict, text)
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(position) = self.position else { return };
        let other = self.shared.positions.take(position.number, self.id);
        if let Some((engine, key)) = self.shared.loaded(self.id) {
            engine.stream(key, other);
        }
    }
}
