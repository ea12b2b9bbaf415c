//! The files in the program.

use crate::answer::{self, ASK_AGAIN, FOR_GOOD};
use crate::kind::media_type;
use axum::http::HeaderMap;
use axum::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, HeaderName, VARY,
};
use axum::response::{IntoResponse, Response};
use piecework_hash::sha256;
use std::collections::BTreeMap;

/// A file as the build left it.
#[derive(Debug)]
struct AppFile {
    path: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
    brotli: Option<&'static [u8]>,
}

static FILES: &[AppFile] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The page of all screens.
const INDEX: &str = "index.html";
/// Files below have a hash of their contents in their names.
const HASHED: &str = "assets/";
/// Shown by a program that was built without the app.
const UNBUILT: &str = include_str!("unbuilt.html");

/// Scripts, styles and data are ours, and nothing is written into a page as markup but by the one policy of
/// the library that makes its templates. What plays comes from the API.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html";

/// Whether the app is in this program.
pub fn is_built() -> bool {
    FILES.iter().any(|file| file.path == INDEX)
}

/// The files by their paths, each with the tag of its contents.
#[derive(Debug)]
pub(crate) struct AppFiles(BTreeMap<&'static str, (String, &'static AppFile)>);

impl AppFiles {
    pub(crate) fn new() -> Self {
        let tag = |file: &AppFile| {
            let digest = sha256(file.plain);
            digest.0[..12].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        Self(FILES.iter().map(|file| (file.path, (tag(file), file))).collect())
    }

    /// Answers a path without a slash in front. Screens are told apart behind the `#`, so any other path is
    /// an old or wrong link: it leads to the app.
    pub(crate) fn answer(&self, path: &str, headers: &HeaderMap) -> Response {
        let wanted = if path.is_empty() { INDEX } else { path };
        match self.0.get(wanted) {
            Some((tag, file)) => answer(tag, file, headers),
            None if path.is_empty() => axum::response::Html(UNBUILT).into_response(),
            None if answer::wants_page(headers) => answer::to_root(path),
            None => answer::absent(path),
        }
    }
}

fn answer(tag: &str, file: &AppFile, headers: &HeaderMap) -> Response {
    let takes = |name: &str| {
        let accepted = headers.get(ACCEPT_ENCODING).and_then(|it| it.to_str().ok()).unwrap_or("");
        accepted.split(',').any(|it| takes(it, name))
    };
    let (bytes, encoding) = match file {
        AppFile { brotli: Some(bytes), .. } if takes("br") => (*bytes, Some("br")),
        AppFile { gzip: Some(bytes), .. } if takes("gzip") => (*bytes, Some("gzip")),
        file => (file.plain, None),
    };
    let cache = if file.path.starts_with(HASHED) { FOR_GOOD } else { ASK_AGAIN };
    let tag = format!("\"{tag}-{}\"", encoding.unwrap_or("plain"));
    let mut response = answer::file(bytes, media_type(file.path), &tag, cache, headers);
    if let Some(encoding) = encoding.filter(|_| response.status().is_success()) {
        answer::set(&mut response, CONTENT_ENCODING, encoding);
    }
    answer::set(&mut response, VARY, "accept-encoding");
    answer::set(&mut response, CONTENT_SECURITY_POLICY, POLICY);
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    answer::set(&mut response, opener, "same-origin");
    response
}

/// Whether one item of `Accept-Encoding` is this encoding, and not refused by a weight of zero.
fn takes(item: &str, name: &str) -> bool {
    let (encoding, weight) = item.split_once(';').unwrap_or((item, ""));
    let weight = weight.trim().trim_start_matches("q=").trim();
    encoding.trim().eq_ignore_ascii_case(name) && weight.parse::<f32>().map_or(true, |q| q > 0.0)
}
