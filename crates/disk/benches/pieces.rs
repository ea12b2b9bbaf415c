//! What a gibibyte costs on its way to disk, and how fast it is checked.
//!
//! `cargo bench -p piecework-disk`. Files lie in the system's temporary folder; blocks are handed over
//! by one thread, as a shard does, from several pieces side by side.
#![allow(missing_docs, clippy::unwrap_used)]

use divan::counter::BytesCount;
use piecework_disk::{
    CheckScope, Chunk, Completion, Disk, DiskConfig, PieceStore, Storage, StorageSpec, StoreEvent,
    TorrentKey, hash_files,
};
use piecework_metainfo::create::{Details, Plan, Shape};
use piecework_metainfo::{Metainfo, Version};
use piecework_types::{Bitfield, Block, Rng};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::{fs, sync};

const BYTES: u64 = 512 << 20;

fn main() {
    divan::main();
}

struct Torrent {
    metainfo: Metainfo,
    payload: Vec<u8>,
    temp: tempfile::TempDir,
}

impl Torrent {
    fn new(version: Version, piece_length: u32) -> Self {
        let mut rng = Rng::new(1);
        let payload: Vec<u8> = (0..BYTES / 8).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("payload");
        fs::write(&path, &payload).unwrap();
        let shape = Shape { version, piece_length: Some(piece_length), pad_v1: false };
        let plan = Plan::file("payload", BYTES, shape).unwrap();
        let builder = hash_files(plan, &[path], 0, &|_| true).unwrap();
        let metainfo = builder.finish(&Details::default()).unwrap().metainfo;
        Self { metainfo, payload, temp }
    }

    fn storage(&self, disk: &Disk, dir: &Path) -> Storage {
        let spec = StorageSpec {
            info: Arc::clone(self.metainfo.info()),
            layers: self.metainfo.layers().cloned(),
            dir: dir.to_owned(),
            folder: None,
            paths: None,
            wanted: Vec::new(),
            state_dir: self.temp.path().to_owned(),
            may_overwrite: false,
            is_read_only: false,
        };
        Storage::open(disk, spec).unwrap()
    }
}

struct Shard {
    disk: Disk,
    mailbox: piecework_disk::Mailbox,
    woken: Receiver<()>,
    completions: Vec<Completion>,
}

impl Shard {
    fn new() -> Self {
        let disk = Disk::start(DiskConfig::default()).unwrap();
        let (wake, woken) = channel();
        let wake = sync::Mutex::new(wake);
        let mailbox = disk.mailbox(Arc::new(move || {
            let _ = wake.lock().unwrap().send(());
        }));
        Self { disk, mailbox, woken, completions: Vec::new() }
    }

    fn wait(&mut self) {
        self.woken.recv().unwrap();
        self.mailbox.drain(&mut self.completions);
    }

    fn download(&mut self, torrent: &Torrent, dir: &Path, side_by_side: usize) {
        let storage = torrent.storage(&self.disk, dir);
        let grid = torrent.metainfo.info().grid().clone();
        let have = Bitfield::new(grid.piece_count());
        let mut store = PieceStore::new(storage, self.mailbox.sender(), TorrentKey(1), have);
        let pieces: Vec<_> = grid.pieces().collect();
        let mut spare: Vec<Chunk> = Vec::new();
        for group in pieces.chunks(side_by_side) {
            let mut columns: Vec<_> = group.iter().map(|&piece| grid.blocks(piece)).collect();
            while let Some(row) =
                columns.iter_mut().map(Iterator::next).collect::<Option<Vec<Block>>>()
            {
                for block in row {
                    while self.disk.pool().pressure() {
                        self.wait();
                    }
                    if spare.is_empty() {
                        self.disk.pool().take(32, &mut spare);
                    }
                    let mut chunk = spare.pop().unwrap();
                    // What a socket does.
                    let at = (grid.piece_offset(block.piece) + u64::from(block.begin)) as usize;
                    chunk.copy_from_slice(&torrent.payload[at..at + block.length as usize]);
                    store.accept(block, chunk, false);
                }
            }
        }
        let mut verified = 0;
        while verified < grid.piece_count() {
            self.wait();
            verified += self.completions.drain(..).filter(is_verified).count() as u32;
        }
    }
}

fn is_verified(completion: &Completion) -> bool {
    matches!(completion.event, StoreEvent::PieceVerified { .. })
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.disk.shutdown();
    }
}

const VERSIONS: [Version; 3] = [Version::V1, Version::V2, Version::Hybrid];

#[divan::bench(args = [(0, 1), (0, 8), (0, 32), (1, 8), (2, 8)], sample_count = 3, sample_size = 1)]
fn download(bencher: divan::Bencher<'_, '_>, (version, side_by_side): (usize, usize)) {
    let torrent = Torrent::new(VERSIONS[version], 1 << 20);
    let mut shard = Shard::new();
    bencher.counter(BytesCount::new(BYTES)).bench_local(|| {
        let dir = tempfile::tempdir().unwrap();
        shard.download(&torrent, dir.path(), side_by_side);
    });
}

#[divan::bench(args = [0, 1, 2], sample_count = 3, sample_size = 1)]
fn check(bencher: divan::Bencher<'_, '_>, version: usize) {
    let torrent = Torrent::new(VERSIONS[version], 1 << 20);
    let mut shard = Shard::new();
    let storage = torrent.storage(&shard.disk, torrent.temp.path());
    let have = Bitfield::new(storage.info().grid().piece_count());
    let mut store = PieceStore::new(storage, shard.mailbox.sender(), TorrentKey(1), have);
    bencher.counter(BytesCount::new(BYTES)).bench_local(|| {
        store.check(CheckScope::All);
        loop {
            shard.wait();
            for completion in shard.completions.drain(..) {
                if let StoreEvent::CheckFinished { have, .. } = completion.event {
                    assert!(have.is_full());
                    return;
                }
            }
        }
    });
}
