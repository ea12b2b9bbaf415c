//! `piecework create`: make a torrent file from a file or folder.

use crate::args::{CreateArgs, FormatArg};
use crate::failure::{Context, Failure};
use crate::out::Out;
use crate::progress::Progress;
use piecework_disk::hash_files;
use piecework_metainfo::Version;
use piecework_metainfo::create::{Details, Plan, Shape, Source};
use piecework_types::BLOCK_BYTES;
use serde_json::json;
use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

/// Folders below each other that are followed.
const DEPTH_MAX: usize = 64;

/// Runs the command.
pub(crate) fn run(args: &CreateArgs, out: Out) -> Result<(), Failure> {
    let shape = Shape {
        version: match args.format {
            FormatArg::V1 => Version::V1,
            FormatArg::V2 => Version::V2,
            FormatArg::Hybrid => Version::Hybrid,
        },
        piece_length: args.piece_length.map(|size| piece_length(size.0)).transpose()?,
        pad_v1: false,
    };
    let found = find(&args.path)?;
    let plan = match &found.single {
        Some(length) => Plan::file(&found.name, *length, shape),
        None => Plan::folder(&found.name, found.sources, shape),
    };
    let plan = plan.context("no torrent can be made")?;
    let progress = Mutex::new(Progress::new(out, &format!("hashing {}", found.name), &found.name));
    let total = plan.grid().payload_bytes();
    let show = |done| {
        // Whoever finds it taken may as well go on hashing.
        if let Ok(mut progress) = progress.try_lock() {
            progress.hashed(done, total);
        }
        true
    };
    let builder = hash_files(plan, &found.paths, 0, &show).map_err(Failure::new)?;
    let created = builder.finish(&details(args)).context("no torrent can be made")?;
    if let Ok(mut progress) = progress.lock() {
        progress.clear();
    }
    let file = args.output.clone().unwrap_or_else(|| format!("{}.torrent", found.name).into());
    let doing = format!("cannot write {}", file.display());
    std::fs::write(&file, &created.torrent).context(doing)?;
    let info = created.metainfo.info();
    let label = info.hashes().to_string();
    out.say(
        &format!("{label} {}", file.display()),
        &json!({
            "event": "created",
            "info_hash": label,
            "file": file,
            "pieces": info.grid().piece_count(),
            "piece_length": info.piece_length(),
        }),
    );
    Ok(())
}

fn piece_length(bytes: u64) -> Result<u32, Failure> {
    u32::try_from(bytes)
        .ok()
        .filter(|length| length.is_power_of_two() && *length >= BLOCK_BYTES)
        .ok_or_else(|| {
            Failure::usage(format!(
                "piece length must be a power of two of at least 16Ki, got {bytes}"
            ))
        })
}

fn details(args: &CreateArgs) -> Details {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Details {
        trackers: args.tracker.iter().map(|url| vec![url.clone()]).collect(),
        web_seeds: args.web_seed.clone(),
        is_private: args.private,
        comment: args.comment.clone(),
        created_by: Some(concat!("Piecework ", env!("CARGO_PKG_VERSION")).to_owned()),
        creation_date: now.ok().map(|since| since.as_secs()),
    }
}

/// What lies at the given path.
struct Found {
    name: String,
    /// Length of a single file.
    single: Option<u64>,
    sources: Vec<Source>,
    paths: Vec<PathBuf>,
}

fn find(path: &Path) -> Result<Found, Failure> {
    let doing = format!("cannot read {}", path.display());
    let full = std::fs::canonicalize(path).context(&doing)?;
    let name = full
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| Failure::new(format!("{doing}: its name must be UTF-8 and not empty")))?
        .to_owned();
    let metadata = std::fs::metadata(&full).context(&doing)?;
    let mut found = Found { name, single: None, sources: Vec::new(), paths: Vec::new() };
    if metadata.is_dir() {
        walk(&full, &mut Vec::new(), &mut found)?;
    } else {
        found.single = Some(metadata.len());
        found.paths.push(full);
    }
    Ok(found)
}

/// Every plain file below `folder`. Links are left out: what they point to may lie anywhere.
fn walk(folder: &Path, components: &mut Vec<String>, found: &mut Found) -> Result<(), Failure> {
    let doing = format!("cannot read {}", folder.display());
    if components.len() >= DEPTH_MAX {
        return Err(Failure::new(format!(
            "{doing}: more than {DEPTH_MAX} folders below each other"
        )));
    }
    for entry in std::fs::read_dir(folder).context(&doing)? {
        let entry = entry.context(&doing)?;
        let path = entry.path();
        let name = entry.file_name().into_string().map_err(|name| {
            Failure::new(format!("{doing}: the name {} is no UTF-8", name.display()))
        })?;
        let metadata = entry.metadata().context(format_args!("cannot read {}", path.display()))?;
        components.push(name);
        if metadata.is_dir() {
            walk(&path, components, found)?;
        } else if metadata.is_file() {
            found.sources.push(source(components, &metadata));
            found.paths.push(path);
        }
        components.pop();
    }
    Ok(())
}

fn source(components: &[String], metadata: &Metadata) -> Source {
    Source {
        components: components.to_vec(),
        length: metadata.len(),
        is_executable: metadata.permissions().mode() & 0o100 != 0,
    }
}
