//! Torrents with known content for this crate's tests, and a shard's end of a mailbox.
#![allow(clippy::unwrap_used)]

use piecework_hash::{sha1, sha256};
use piecework_metainfo::create::{Details, Plan, Shape, Source};
use piecework_metainfo::{Info, Metainfo, Segment, Version};
use piecework_types::{Bitfield, Block, PieceIndex, Rng};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

use crate::*;

/// Far longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A torrent and the bytes of its pieces.
pub(crate) struct Fixture {
    pub(crate) metainfo: Metainfo,
    /// Piece space, padding included.
    payload: Vec<Vec<u8>>,
}

impl Fixture {
    pub(crate) fn new(version: Version, piece_length: u32, files: &[(&str, u64)]) -> Self {
        let shape = Shape { version, piece_length: Some(piece_length), pad_v1: false };
        let source = |&(path, length): &(&str, u64)| Source {
            components: path.split('/').map(str::to_owned).collect(),
            length,
            is_executable: path.ends_with(".sh"),
        };
        let plan = Plan::folder("t", files.iter().map(source).collect(), shape).unwrap();
        let mut builder = plan.clone().builder();
        let mut payload = Vec::new();
        for piece in plan.grid().pieces() {
            let mut bytes = vec![0; plan.grid().piece_bytes(piece) as usize];
            let mut at = 0;
            for segment in plan.layout().piece_segments(piece) {
                let place = &mut bytes[at..at + segment.length as usize];
                if !segment.is_pad {
                    fill(place, segment.file, segment.offset);
                }
                at += segment.length as usize;
            }
            let leaves: Vec<_> = bytes[..plan.v2_piece_bytes(piece) as usize]
                .chunks(CHUNK_BYTES)
                .map(sha256)
                .collect();
            let v1 = version.has_v1().then(|| sha1(&bytes));
            builder.add(piece, v1, &leaves).unwrap();
            payload.push(bytes);
        }
        let metainfo = builder.finish(&Details::default()).unwrap().metainfo;
        Self { metainfo, payload }
    }

    pub(crate) fn info(&self) -> &Arc<Info> {
        self.metainfo.info()
    }

    pub(crate) fn pieces(&self) -> u32 {
        self.info().grid().piece_count()
    }

    pub(crate) fn bytes(&self, block: Block) -> &[u8] {
        &self.payload[block.piece.as_usize()][block.begin as usize..block.end() as usize]
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        let grid = self.info().grid();
        grid.pieces().flat_map(|piece| grid.blocks(piece).collect::<Vec<_>>()).collect()
    }

    /// Writes all files below `dir`, as a finished download has them.
    pub(crate) fn write_files(&self, dir: &Path) {
        for (at, file) in self.info().files().iter().enumerate().filter(|(_, it)| !it.is_pad()) {
            let mut bytes = vec![0; file.length() as usize];
            fill(&mut bytes, at, 0);
            let path = dir.join(file.path());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    /// Panics unless every file below `dir` is right.
    pub(crate) fn assert_files(&self, dir: &Path) {
        for (at, file) in self.info().files().iter().enumerate() {
            let path = dir.join(file.path());
            if file.is_pad() {
                assert!(!path.exists(), "{} is padding", path.display());
                continue;
            }
            let mut bytes = vec![0; file.length() as usize];
            fill(&mut bytes, at, 0);
            assert!(std::fs::read(&path).unwrap() == bytes, "{} differs", path.display());
        }
    }
}

/// The content of a file: no two blocks are alike.
fn fill(place: &mut [u8], file: usize, offset: u64) {
    for (at, byte) in (offset..).zip(place) {
        *byte =
            Rng::new(file as u64 * 1_000_003 + at / 8).next_u64().to_le_bytes()[at as usize % 8];
    }
}

/// Places of files, by number, where reads below a folder fail.
type ReadFaults = BTreeMap<PathBuf, Vec<(usize, Range<u64>)>>;

static READ_FAULTS: Mutex<ReadFaults> = Mutex::new(BTreeMap::new());

/// Fails if a read of this segment does, as on a drive that fails: see [`Bench::set_read_faults`].
pub(crate) fn strike(dir: &Path, at: Segment) -> io::Result<()> {
    let end = at.offset + u64::from(at.length);
    let is_struck = |(file, bad): &(usize, Range<u64>)| {
        *file == at.file && at.offset < bad.end && bad.start < end
    };
    let faults = READ_FAULTS.lock().unwrap();
    match faults.get(dir).is_some_and(|faults| faults.iter().any(is_struck)) {
        true => Err(Errno::IO.into()),
        false => Ok(()),
    }
}

pub(crate) fn piece(index: u32) -> PieceIndex {
    PieceIndex::trusted(index)
}

pub(crate) fn set(len: u32, pieces: impl IntoIterator<Item = u32>) -> Bitfield {
    let mut set = Bitfield::new(len);
    pieces.into_iter().for_each(|index| assert!(set.insert(piece(index))));
    set
}

/// A disk with folders of its own, and a mailbox.
pub(crate) struct Bench {
    pub(crate) disk: Disk,
    temp: Option<TempDir>,
    folder: PathBuf,
    pub(crate) mailbox: Mailbox,
    woken: Mutex<Receiver<()>>,
    events: Mutex<Vec<StoreEvent>>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(DiskConfig {
            workers: 2,
            retry_interval: Duration::from_millis(20),
            save_interval: Duration::from_millis(1),
            sync_interval: Duration::from_millis(20),
            ..DiskConfig::default()
        })
    }

    pub(crate) fn with(config: DiskConfig) -> Self {
        let disk = Disk::start(config).unwrap();
        let (wake, woken) = channel();
        let wake = Mutex::new(wake);
        let mailbox = disk.mailbox(Arc::new(move || {
            let _ = wake.lock().unwrap().send(());
        }));
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().to_owned();
        let (woken, events) = (Mutex::new(woken), Mutex::default());
        Self { disk, temp: Some(temp), folder, mailbox, woken, events }
    }

    /// In a folder that stays.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let mut bench = Self::new();
        bench.temp = None;
        folder.clone_into(&mut bench.folder);
        bench
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        let dir = self.folder.join("state");
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    pub(crate) fn spec(&self, fixture: &Fixture) -> StorageSpec {
        StorageSpec {
            info: Arc::clone(fixture.info()),
            layers: fixture.metainfo.layers().cloned(),
            dir: self.dir(),
            folder: None,
            paths: None,
            wanted: Vec::new(),
            state_dir: self.state_dir(),
            may_overwrite: false,
            is_read_only: false,
        }
    }

    /// From now on reads of these places fail with EIO, and no others.
    pub(crate) fn set_read_faults(&self, faults: &[(usize, Range<u64>)]) {
        let dir = self.folder.canonicalize().unwrap().join("data");
        READ_FAULTS.lock().unwrap().insert(dir, faults.to_vec());
    }

    pub(crate) fn storage(&self, fixture: &Fixture) -> Storage {
        Storage::open(&self.disk, self.spec(fixture)).unwrap()
    }

    pub(crate) fn store(&self, storage: Storage) -> PieceStore {
        let have = Bitfield::new(storage.info().grid().piece_count());
        self.store_with(storage, have)
    }

    pub(crate) fn store_with(&self, storage: Storage, have: Bitfield) -> PieceStore {
        PieceStore::new(storage, self.mailbox.sender(), TorrentKey(1), have)
    }

    pub(crate) fn chunk(&self, bytes: &[u8]) -> Chunk {
        let mut chunks = Vec::new();
        self.disk.pool().take(1, &mut chunks);
        let mut chunk = chunks.pop().expect("the pool is not exhausted");
        chunk[..bytes.len()].copy_from_slice(bytes);
        chunk
    }

    pub(crate) fn accept(&self, store: &mut PieceStore, fixture: &Fixture, block: Block) {
        store.accept(block, self.chunk(fixture.bytes(block)), false);
    }

    /// The first event for which `pick` gives something; the others are kept.
    pub(crate) fn wait<T>(&self, mut pick: impl FnMut(&StoreEvent) -> Option<T>) -> T {
        loop {
            let mut events = self.events.lock().unwrap();
            if let Some(at) = events.iter().position(|event| pick(event).is_some()) {
                return pick(&events.remove(at)).expect("it gave something before");
            }
            let mut completions = Vec::new();
            self.mailbox.drain(&mut completions);
            if !completions.is_empty() {
                events.extend(completions.into_iter().map(|completion| completion.event));
                continue;
            }
            drop(events);
            self.woken.lock().unwrap().recv_timeout(PATIENCE).expect("an event comes in time");
        }
    }

    pub(crate) fn wait_verified(&self, count: u32) -> Vec<u32> {
        let mut pieces: Vec<_> = (0..count)
            .map(|_| {
                self.wait(|event| match event {
                    StoreEvent::PieceVerified { piece } => Some(piece.get()),
                    StoreEvent::PieceFailed { piece, .. } => panic!("piece {piece} failed"),
                    StoreEvent::PieceLost { piece, fault } => panic!("piece {piece}: {fault}"),
                    _ => None,
                })
            })
            .collect();
        pieces.sort_unstable();
        pieces
    }

    pub(crate) fn wait_checked(&self) -> Bitfield {
        self.wait(|event| match event {
            StoreEvent::CheckFinished { have, .. } => Some(have.clone()),
            _ => None,
        })
    }

    pub(crate) fn save(&self, store: &mut PieceStore, is_final: bool) {
        store.save_resume(is_final);
        self.wait(|event| match event {
            StoreEvent::ResumeSaved { result } => Some(result.clone()),
            _ => None,
        })
        .unwrap();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.disk.shutdown();
    }
}
