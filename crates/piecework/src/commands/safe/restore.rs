//! Bringing a daemon's things back, to folders that have none.
//!
//! Everything is unpacked beside the data folder first: what is damaged changes nothing.

use super::{SETTINGS, is_plain};
use crate::args::Common;
use crate::args::safe::SafeArgs;
use crate::commands::wallet::with_password;
use crate::failure::{Context, Failure};
use crate::folders::Folders;
use crate::out::Out;
use crate::session::state_dir;
use piecework_ledger::LEDGER_FILE;
use piecework_wallet::{ArchiveFault, ArchiveReader};
use serde_json::json;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Runs the command.
pub(crate) fn run(args: &SafeArgs, common: &Common, out: Out) -> Result<(), Failure> {
    let folders = Folders::of(&args.place)?;
    let state = state_dir(common)?;
    let occupied = fs::read_dir(&folders.data).is_ok_and(|mut found| found.next().is_some());
    if occupied {
        return Err(Failure::new(format!(
            "{} is not empty: move it away first, or give another folder with --data-dir",
            folders.data.display()
        )));
    }
    let file = &args.file;
    let doing = format!("cannot read {}", file.display());
    drop(File::open(file).context(&doing)?);
    let (reader, _) = with_password(
        args.password.password_file.as_deref(),
        "Password of the backup: ",
        |password| ArchiveReader::open(BufReader::new(File::open(file)?), password),
        |fault| matches!(fault, ArchiveFault::WrongPassword),
    )?;
    let parent = folders.data.parent().unwrap_or_else(|| Path::new("/"));
    make(parent)?;
    let staging = parent.join(format!(".piecework-restore-{}", std::process::id()));
    let unpacked = unpack(reader, &staging).and_then(|count| {
        let moves = moves(&staging, &folders, &state)?;
        moves.iter().try_for_each(|(from, to)| put(from, to))?;
        Ok(count)
    });
    drop(fs::remove_dir_all(&staging));
    let count = unpacked?;
    out.say(
        &format!(
            "{count} files are back in {} and {}. Paths in the settings are as they were: look at them with \
             `piecework config show --origin` before `piecework up`.",
            folders.data.display(),
            state.display()
        ),
        &json!({ "event": "restored", "files": count, "data_dir": folders.data, "state": state }),
    );
    Ok(())
}

/// Writes all entries below a new folder.
fn unpack(mut reader: ArchiveReader<BufReader<File>>, staging: &Path) -> Result<usize, Failure> {
    make(staging)?;
    let mut count = 0;
    while let Some((name, bytes)) = reader.next_entry().map_err(Failure::new)? {
        if !is_plain(&name) {
            return Err(Failure::new(format!(
                "the backup has an entry {name:?}, which is refused"
            )));
        }
        let path = staging.join(&name);
        make(path.parent().unwrap_or(staging))?;
        let doing = format!("cannot write {}", path.display());
        let mut file = create(&path).context(&doing)?;
        let copied = io::copy(&mut reader, &mut file).context(&doing)?;
        if copied != bytes {
            return Err(Failure::new(ArchiveFault::Damaged));
        }
        file.sync_all().context(&doing)?;
        count += 1;
    }
    Ok(count)
}

/// What goes where. Nothing that is there is replaced.
fn moves(
    staging: &Path,
    folders: &Folders,
    state: &Path,
) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
    let mut moves = Vec::new();
    for (part, target) in [("data", folders.data.as_path()), ("state", state)] {
        let from = staging.join(part);
        let Ok(found) = fs::read_dir(&from) else { continue };
        for found in found {
            let name = found.context(format_args!("cannot read {}", from.display()))?.file_name();
            moves.push((from.join(&name), target.join(&name)));
        }
    }
    if staging.join(SETTINGS).is_file() {
        moves.push((staging.join(SETTINGS), folders.settings.clone()));
    }
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    let log = state.join(format!("{LEDGER_FILE}-wal"));
    let brings_ledger = moves.iter().any(|(_, to)| to.ends_with(LEDGER_FILE));
    if brings_ledger && is_there(&log) {
        return Err(Failure::new(format!(
            "{} is left of another ledger: move it away first, nothing was restored",
            log.display()
        )));
    }
    if let Some((_, there)) = moves.iter().find(|(_, to)| is_there(to)) {
        return Err(Failure::new(format!(
            "{} is already there and is not replaced: move it away first, nothing was restored",
            there.display()
        )));
    }
    Ok(moves)
}

/// Moves a file or folder, to another drive too.
fn put(from: &Path, to: &Path) -> Result<(), Failure> {
    make(to.parent().unwrap_or_else(|| Path::new("/")))?;
    let doing = format!("cannot write {}", to.display());
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {}
        moved => return moved.context(doing),
    }
    if !from.is_dir() {
        let copied = File::open(from).and_then(|mut source| {
            let mut target = create(to)?;
            io::copy(&mut source, &mut target)?;
            target.sync_all()
        });
        return copied.context(doing);
    }
    make(to)?;
    for found in fs::read_dir(from).context(&doing)? {
        let name = found.context(&doing)?.file_name();
        put(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

/// Files and folders that nobody else reads.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn make(folder: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.context(format_args!("cannot make the folder {}", folder.display()))
}
