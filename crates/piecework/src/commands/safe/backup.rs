//! Putting a daemon's things away.

use super::{DATA, SETTINGS, STATE, is_left_out};
use crate::args::Common;
use crate::args::safe::SafeArgs;
use crate::commands::wallet::new_password;
use crate::failure::{Context, Failure};
use crate::folders::Folders;
use crate::out::Out;
use crate::session::state_dir;
use crate::up::Lock;
use piecework_ledger::{LEDGER_FILE, Ledger};
use piecework_wallet::{ArchiveWriter, Cost, place_new};
use serde_json::json;
use std::fs::{self, File, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Folders inside of folders.
const DEPTH_MAX: usize = 16;

/// Runs the command.
pub(crate) fn run(args: &SafeArgs, common: &Common, out: Out) -> Result<(), Failure> {
    let folders = Folders::of(&args.place)?;
    let state = state_dir(common)?;
    let mut entries = entries(&folders, &state)?;
    if entries.is_empty() && !state.join(LEDGER_FILE).exists() {
        return Err(Failure::new(format!(
            "nothing to back up in {}: give the daemon's folder with --data-dir",
            folders.data.display()
        )));
    }
    // A catalog that is being written to would be a mix of two.
    let _lock = folders.data.is_dir().then(|| Lock::take(&folders)).transpose()?;
    let file = &args.file;
    if file.symlink_metadata().is_ok() {
        return Err(Failure::new(format!(
            "{} is already there: move it away first",
            file.display()
        )));
    }
    let ledger = LedgerCopy::make(&state)?;
    if let Some(LedgerCopy(path)) = &ledger {
        entries.push(Entry { name: format!("state/{LEDGER_FILE}"), path: path.clone() });
    }
    let password = new_password(&args.password, "Password for the backup: ")?;
    let name = file.file_name().ok_or_else(|| Failure::usage("the backup needs a name"))?;
    let beside = file.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let doing = format!("cannot write {}", file.display());
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
    let result = written.context(&doing).and_then(|target| {
        let mut writer = ArchiveWriter::new(BufWriter::new(target), &password, Cost::STANDARD)
            .context(&doing)?;
        let bytes = entries
            .iter()
            .try_fold(0, |sum, entry| Ok::<u64, Failure>(sum + put(&mut writer, entry)?))?;
        let target = writer.finish().context(&doing)?.into_inner().context(&doing)?;
        target.sync_all().and_then(|()| place_new(&beside, file)).context(&doing)?;
        Ok(bytes)
    });
    if result.is_err() {
        drop(fs::remove_file(&beside));
    }
    let bytes = result?;
    let count = entries.len();
    out.say(
        &format!(
            "{}: {count} files, {bytes} bytes. Payload and a chain's blocks are not in it: \
             `piecework chain backup` \
             copies those.",
            file.display()
        ),
        &json!({ "event": "backed_up", "file": file, "files": count, "bytes": bytes }),
    );
    Ok(())
}

/// The ledger as it is now, in a file that does not outlive the command. Put back, it says so, and nothing is
/// bought until what was promised in between is settled.
struct LedgerCopy(PathBuf);

impl LedgerCopy {
    fn make(state: &Path) -> Result<Option<Self>, Failure> {
        let ledger = Ledger::open_to_read(&state.join(LEDGER_FILE)).map_err(Failure::new)?;
        let Some(ledger) = ledger else { return Ok(None) };
        let path = state.join(format!("{LEDGER_FILE}.{}.backup", std::process::id()));
        drop(fs::remove_file(&path));
        ledger.copy_to(&path).map_err(Failure::new)?;
        Ok(Some(Self(path)))
    }
}

impl Drop for LedgerCopy {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// A file to put away, under its name in the backup.
struct Entry {
    name: String,
    path: PathBuf,
}

fn entries(folders: &Folders, state: &Path) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for name in DATA {
        walk(&folders.data, Path::new(name), "data", DEPTH_MAX, &mut entries)?;
    }
    if folders.settings.is_file() {
        entries.push(Entry { name: SETTINGS.into(), path: folders.settings.clone() });
    }
    for name in STATE {
        walk(state, Path::new(name), "state", DEPTH_MAX, &mut entries)?;
    }
    // One folder may serve as both.
    let is_same = state
        .canonicalize()
        .ok()
        .is_some_and(|state| folders.data.canonicalize().is_ok_and(|data| data == state));
    if let Ok(found) = fs::read_dir(state)
        && !is_same
    {
        for found in found {
            let found = found.context(format_args!("cannot read {}", state.display()))?;
            let name = PathBuf::from(found.file_name());
            if found.file_type().is_ok_and(|kind| kind.is_file()) {
                walk(state, &name, "state", DEPTH_MAX, &mut entries)?;
            }
        }
    } else if state.join("network.json").is_file() {
        walk(state, Path::new("network.json"), "state", DEPTH_MAX, &mut entries)?;
    }
    Ok(entries)
}

/// All files at `below`, no symlinks.
fn walk(
    base: &Path,
    below: &Path,
    prefix: &str,
    depth: usize,
    entries: &mut Vec<Entry>,
) -> Result<(), Failure> {
    let path = base.join(below);
    let Ok(found) = path.symlink_metadata() else { return Ok(()) };
    if is_left_out(below) {
        return Ok(());
    }
    let doing = format!("cannot read {}", path.display());
    if found.is_dir() && depth > 0 {
        let list: Result<Vec<_>, _> = fs::read_dir(&path).context(&doing)?.collect();
        let mut names: Vec<_> = list.context(&doing)?.iter().map(fs::DirEntry::file_name).collect();
        names.sort();
        for name in names {
            walk(base, &below.join(name), prefix, depth - 1, entries)?;
        }
    } else if found.is_file() {
        let below = below.to_str().ok_or("its name is no UTF-8").context(&doing)?;
        entries.push(Entry { name: format!("{prefix}/{below}"), path });
    }
    Ok(())
}

fn put(writer: &mut ArchiveWriter<BufWriter<File>>, entry: &Entry) -> Result<u64, Failure> {
    let doing = format!("cannot back up {}", entry.path.display());
    let mut source = File::open(&entry.path).context(&doing)?;
    let bytes = source.metadata().context(&doing)?.len();
    writer.entry(&entry.name, bytes, &mut source).context(&doing)?;
    Ok(bytes)
}
