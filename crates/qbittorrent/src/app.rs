//! The program itself: its version, preferences and folders.

use crate::call::Call;
use crate::json::{write_list, write_text};
use crate::preferences;
use crate::reply::{Answer, Fault, Reply};
use crate::serve::Server;
use serde_json::{Value, json};
use std::path::{Component, Path, PathBuf};

/// Entries of a folder's listing.
const ENTRIES_MAX: usize = 10_000;

/// `app/version`.
pub(crate) async fn version(_: &Server, _: &Call) -> Answer {
    Ok(Reply::text(crate::APP_VERSION))
}

/// `app/webapiVersion`.
pub(crate) async fn api_version(_: &Server, _: &Call) -> Answer {
    Ok(Reply::text(crate::API_VERSION))
}

/// `app/buildInfo`: we are made of none of these, and say so where programs expect a text.
pub(crate) async fn build(_: &Server, _: &Call) -> Answer {
    let ours = concat!("Piecework ", env!("CARGO_PKG_VERSION"));
    Ok(Reply::json(&json!({
        "bitness": usize::BITS,
        "boost": "",
        "libtorrent": ours,
        "openssl": "",
        "platform": std::env::consts::OS,
        "qt": "",
        "zlib": "",
    })))
}

/// `app/defaultSavePath`.
pub(crate) async fn save_path(server: &Server, _: &Call) -> Answer {
    Ok(Reply::text(server.daemon.catalog().rules().save_path.clone()))
}

/// `app/cookies`: links are fetched without any.
pub(crate) async fn cookies(_: &Server, _: &Call) -> Answer {
    Ok(Reply::json(&json!([])))
}

/// `app/preferences`.
pub(crate) async fn preferences(server: &Server, _: &Call) -> Answer {
    let (node, bans) = (server.daemon.node(), server.daemon.bans());
    Ok(Reply::json(&preferences::all(server.daemon.catalog().rules(), &node, &bans)))
}

/// `app/setPreferences`: those that have a setting of ours behind them; others stay as they are.
pub(crate) async fn set_preferences(server: &Server, call: &Call) -> Answer {
    let wanted: Value = serde_json::from_str(call.required("json")?)
        .map_err(|error| Fault::bad(format!("json cannot be read: {error}")))?;
    let Value::Object(wanted) = wanted else { return Err(Fault::bad("json is no object")) };
    let changes = preferences::changes(&wanted, server.daemon.catalog().rules());
    if !changes.is_empty() {
        server.daemon.set(changes).await?;
    }
    if let Some(wanted) = preferences::bans(&wanted) {
        server.daemon.change_bans(|bans| *bans = wanted).await?;
    }
    Ok(Reply::Empty)
}

/// `app/getDirectoryContent`: what is in a folder, inside of the roots.
pub(crate) async fn folder(server: &Server, call: &Call) -> Answer {
    let path = PathBuf::from(call.required("dirPath")?);
    let is_plain = path.components().all(|part| !matches!(part, Component::ParentDir));
    if !path.is_absolute() || !is_plain {
        return Err(Fault::bad("Invalid directory path"));
    }
    let (files, folders) = match call.filled("mode").unwrap_or("all") {
        "all" => (true, true),
        "dirs" => (false, true),
        "files" => (true, false),
        _ => return Err(Fault::bad("mode is all, dirs or files")),
    };
    let roots = server.daemon.roots();
    let listing = tokio::task::spawn_blocking(move || listing(&path, &roots, files, folders));
    let mut listing = listing.await.ok().flatten().ok_or_else(Fault::not_found)?;
    listing.sort();
    let mut out = Vec::new();
    write_list(&mut out, listing.iter(), |out, entry| write_text(out, entry));
    Ok(Reply::Json(out))
}

/// Links are followed before the roots are asked, so that none leads out of them.
fn listing(path: &Path, roots: &[PathBuf], files: bool, folders: bool) -> Option<Vec<String>> {
    let path = path.canonicalize().ok()?;
    let is_inside = |root: &PathBuf| root.canonicalize().is_ok_and(|root| path.starts_with(root));
    if !roots.iter().any(is_inside) {
        return None;
    }
    let entries = path.read_dir().ok()?.flatten().take(ENTRIES_MAX);
    let wanted = entries.filter(|entry| {
        entry.file_type().is_ok_and(|kind| if kind.is_dir() { folders } else { files })
    });
    Some(wanted.map(|entry| entry.path().to_string_lossy().into_owned()).collect())
}
