//! `piecework check`: hash existing data and say what is complete.

use crate::args::{CheckArgs, Common};
use crate::failure::{Context, Failure};
use crate::out::Out;
use crate::progress::Progress;
use crate::session;
use crate::source;
use piecework_disk::{
    CheckScope, Disk, DiskConfig, PieceStore, Storage, StorageSpec, StoreEvent, TorrentKey,
};
use piecework_metainfo::Info;
use piecework_node::{Phase, Status};
use piecework_types::Bitfield;
use serde_json::json;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

/// Runs the command. Complete is success, anything else is status 1.
pub(crate) fn run(args: &CheckArgs, common: &Common, out: Out) -> Result<(), Failure> {
    let metainfo = source::load_torrent(&args.torrent)?;
    let info = Arc::clone(metainfo.info());
    let disk = Disk::start(DiskConfig::default()).context("cannot start")?;
    let spec = StorageSpec {
        info: Arc::clone(&info),
        layers: metainfo.layers().cloned(),
        dir: args.dir.clone(),
        folder: None,
        paths: None,
        wanted: Vec::new(),
        state_dir: session::state_dir(common)?,
        may_overwrite: false,
        is_read_only: true,
    };
    let storage = Storage::open(&disk, spec).map_err(Failure::new)?;
    let mut progress = Progress::new(out, info.name(), &info.hashes().to_string());
    let have = check(&disk, storage, &info, &mut progress);
    disk.shutdown();
    report(&info, &have, out)
}

/// Hashes everything, on all workers.
fn check(disk: &Disk, storage: Storage, info: &Info, progress: &mut Progress) -> Bitfield {
    let pieces = info.grid().piece_count();
    let (wake, woken) = sync_channel(1);
    let wake = move || {
        // A wake-up that waits already serves as well.
        let _ = wake.try_send(());
    };
    let mailbox = disk.mailbox(Arc::new(wake));
    let mut store =
        PieceStore::new(storage, mailbox.sender(), TorrentKey(0), Bitfield::new(pieces));
    store.check(CheckScope::All);
    let mut status = Status { phase: Phase::Checking, pieces, ..Status::default() };
    let mut completions = Vec::new();
    loop {
        // The mailbox keeps the other end, so this cannot fail.
        let _ = woken.recv();
        mailbox.drain(&mut completions);
        for completion in completions.drain(..) {
            match completion.event {
                StoreEvent::CheckProgress { checked, total } => status.checked = (checked, total),
                StoreEvent::CheckFinished { have, .. } => return have,
                StoreEvent::FileMissing { path, .. } => {
                    progress.note(&format!("{} is missing or too short", path.display()));
                }
                StoreEvent::PieceVerified { .. }
                | StoreEvent::PieceFailed { .. }
                | StoreEvent::PieceLost { .. }
                | StoreEvent::Read { .. }
                | StoreEvent::StorageBlocked { .. }
                | StoreEvent::StorageRecovered
                | StoreEvent::PieceUnreadable { .. }
                | StoreEvent::FilesFound
                | StoreEvent::ResumeSaved { .. } => {}
            }
        }
        progress.update(&status);
    }
}

fn report(info: &Info, have: &Bitfield, out: Out) -> Result<(), Failure> {
    let (count, pieces) = (have.count(), have.len());
    let text = if have.is_full() {
        format!("complete: all {pieces} pieces of {}", info.name())
    } else {
        format!("incomplete: {count} of {pieces} pieces of {}", info.name())
    };
    let object = json!({
        "event": "checked",
        "info_hash": info.hashes().to_string(),
        "have": count,
        "pieces": pieces,
        "complete": have.is_full(),
    });
    out.say(&text, &object);
    if have.is_full() { Ok(()) } else { Err(Failure::silent(1)) }
}
