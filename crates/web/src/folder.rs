//! The files of a folder that a person names, in place of ours.
//!
//! Invariant: no path, and no link in the folder, leads out of it.

use crate::answer::{self, ASK_AGAIN};
use crate::kind::media_type;
use axum::http::HeaderMap;
use axum::response::Response;
use percent_encoding::percent_decode_str;
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use tokio::task::spawn_blocking;

/// Bytes of one file: larger ones are no part of an app.
const FILE_BYTES_MAX: u64 = 32 << 20;
const INDEX: &str = "index.html";

/// A file with the tag of its state.
struct Found {
    path: PathBuf,
    tag: String,
    bytes: Vec<u8>,
}

/// Answers a path without a slash in front. Pages that are not there are for the app's own page to show.
pub(crate) async fn answer(root: Arc<PathBuf>, path: String, headers: &HeaderMap) -> Response {
    let is_page = answer::wants_page(headers);
    let shown = path.clone();
    let found = spawn_blocking(move || {
        let wanted = within(&root, &path).and_then(|file| read(&file));
        wanted.or_else(|| read(&within(&root, INDEX)?).filter(|_| is_page))
    });
    match found.await.ok().flatten() {
        Some(Found { path, tag, bytes }) => {
            let kind = media_type(&path.to_string_lossy());
            answer::file(bytes, kind, &tag, ASK_AGAIN, headers)
        }
        None => answer::absent(&shown),
    }
}

/// The file of a path, if it is in the folder, whatever links there are.
fn within(root: &Path, path: &str) -> Option<PathBuf> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let path = Path::new(path.as_ref());
    if path.components().any(|part| !matches!(part, Component::Normal(_))) {
        return None;
    }
    let root = fs::canonicalize(root).ok()?;
    let is_in = |file: &PathBuf| file.starts_with(&root);
    let file = fs::canonicalize(root.join(path)).ok().filter(is_in)?;
    match file.is_dir() {
        true => fs::canonicalize(file.join(INDEX)).ok().filter(is_in),
        false => Some(file),
    }
}

fn read(path: &Path) -> Option<Found> {
    // Opening what is no file, such as a pipe, could wait for ever.
    let about = fs::metadata(path).ok()?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return None;
    }
    let changed = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
    let tag = format!("W/\"{changed:x}-{:x}\"", about.len());
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(Found { path: path.to_owned(), tag, bytes })
}
