//! One file of a torrent, complete or not, from any place in it.

use crate::caller::header;
use crate::extract::{Path, Query, torrent_id};
use crate::problem::{Code, Problem};
use crate::routes::files::{disposition, info};
use crate::state::Api;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use piecework_daemon::Reader;
use serde::Deserialize;
use std::ops::Range;

/// Bytes that are read at once.
const READ_BYTES: usize = 256 << 10;

/// A file of the path.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct FilePath {
    /// The torrent's primary info-hash in hex.
    #[param(pattern = "^[0-9a-fA-F]{40}$", example = "dd8255ecdc7ca55fb0bbf81323d87062db1f6d1c")]
    id: String,
    /// The file's number in the torrent.
    #[param(example = 0)]
    index: u32,
}

/// How it is opened.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Opened {
    /// What playlists put here, in place of a login.
    #[serde(rename = "token")]
    _token: Option<String>,
}

/// Stream a file
///
/// What is about to be read is fetched before anything else. One range at a time; with several the whole
/// file is sent, as RFC 9110 allows.
#[utoipa::path(get, path = "/torrents/{id}/files/{index}/stream", tag = "files",
    params(FilePath, Opened,
        ("Range" = Option<String>, Header, description = "Which bytes.", example = "bytes=0-1023")),
    responses((status = 200, description = "The file.", body = Vec<u8>, content_type = "*/*"),
        (status = 206, description = "A part of it.", body = Vec<u8>, content_type = "*/*"),
        (status = 304, description = "It is the same.")))]
pub(crate) async fn stream(
    State(api): State<Api>,
    Path(path): Path<FilePath>,
    Query(_): Query<Opened>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (id, index) = (torrent_id(&path.id)?, path.index as usize);
    let info = info(&api, id).await?;
    let file = info.files().get(index).filter(|file| !file.is_pad());
    let absent = || Problem::new(Code::NotFound, format!("there is no file {index}"));
    let file = file.ok_or_else(absent)?;
    let (length, name) = (file.length(), file.components().next_back().unwrap_or("file"));
    // The info-hash stands for every byte of it.
    let tag = format!("\"{id}-{index}\"");
    let mut head = head(&tag, name);
    if header(&headers, "if-none-match")
        .is_some_and(|known| known.split(',').any(|it| it.trim() == tag))
    {
        return Ok((StatusCode::NOT_MODIFIED, head).into_response());
    }
    let wanted = match header(&headers, "if-range") {
        Some(known) if known != tag => Wanted::All,
        _ => wanted(header(&headers, "range"), length),
    };
    let (status, range) = match wanted {
        Wanted::All => (StatusCode::OK, 0..length),
        Wanted::Part(range) => {
            let text = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            head.insert(CONTENT_RANGE, value(&text));
            (StatusCode::PARTIAL_CONTENT, range)
        }
        Wanted::Nothing => {
            let mut response =
                Problem::new(Code::Range, format!("it has {length} bytes")).into_response();
            response.headers_mut().insert(CONTENT_RANGE, value(&format!("bytes */{length}")));
            return Ok(response);
        }
    };
    head.insert(CONTENT_LENGTH, (range.end - range.start).into());
    if method == Method::HEAD {
        return Ok((status, head).into_response());
    }
    let reader = api.daemon.open(id, index).await?;
    Ok((status, head, body(reader, range)).into_response())
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

fn head(tag: &str, name: &str) -> HeaderMap {
    let (kind, is_shown) = media_type(name);
    let mut head = HeaderMap::new();
    head.insert(ETAG, value(tag));
    head.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    head.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    head.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    // Files are strangers' work: nothing in them may act in our name.
    let policy = HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'");
    head.insert(CONTENT_SECURITY_POLICY, policy);
    let how = if is_shown { "inline" } else { "attachment" };
    if let Some(disposition) = disposition(how, name) {
        head.insert(CONTENT_DISPOSITION, disposition);
    }
    head
}

fn body(reader: Reader, range: Range<u64>) -> Body {
    let stream = futures_util::stream::unfold((reader, range), |(mut reader, range)| async move {
        let left = range.end - range.start;
        if left == 0 {
            return None;
        }
        let max = READ_BYTES.min(usize::try_from(left).unwrap_or(READ_BYTES));
        match reader.read(range.start, max).await {
            Ok(bytes) if bytes.is_empty() => None,
            Ok(bytes) => {
                let next = range.start + bytes.len() as u64..range.end;
                Some((Ok(Bytes::from(bytes)), (reader, next)))
            }
            Err(cause) => Some((Err(cause), (reader, range.end..range.end))),
        }
    });
    Body::from_stream(stream)
}

/// What a request wants of a file.
#[derive(Debug, Eq, PartialEq)]
enum Wanted {
    All,
    Part(Range<u64>),
    /// A range behind the end.
    Nothing,
}

/// Reads the header `Range` (RFC 9110, 14.2). What is malformed, or names several ranges, means all.
fn wanted(range: Option<&str>, length: u64) -> Wanted {
    let Some(set) = range.and_then(|range| range.strip_prefix("bytes=")) else {
        return Wanted::All;
    };
    let Some((first, last)) = set.trim().split_once('-') else { return Wanted::All };
    let (first, last) = (number(first), number(last));
    match (first, last) {
        (Some(Some(first)), Some(last)) => {
            if last.is_some_and(|last| last < first) {
                return Wanted::All;
            }
            if first >= length {
                return Wanted::Nothing;
            }
            Wanted::Part(first..last.map_or(length, |last| length.min(last.saturating_add(1))))
        }
        (Some(None), Some(Some(count))) => {
            if count == 0 || length == 0 {
                return Wanted::Nothing;
            }
            Wanted::Part(length.saturating_sub(count)..length)
        }
        _ => Wanted::All,
    }
}

/// Digits, nothing, or something else.
fn number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // What is larger than any file is larger than this one.
    Some(Some(text.parse().unwrap_or(u64::MAX)))
}

/// What a name's extension says it is, and whether a browser may show it. What could hold a script may not
/// be shown.
pub(crate) fn media_type(name: &str) -> (&'static str, bool) {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let kind = match extension.to_ascii_lowercase().as_str() {
        "mp4" | "m4v" => "video/mp4",
        "mkv" => "video/x-matroska",
        "webm" => "video/webm",
        "avi" => "video/x-msvideo",
        "mov" => "video/quicktime",
        "mpg" | "mpeg" => "video/mpeg",
        "ts" | "m2ts" => "video/mp2t",
        "ogv" => "video/ogg",
        "wmv" => "video/x-ms-wmv",
        "flv" => "video/x-flv",
        "mp3" => "audio/mpeg",
        "flac" => "audio/flac",
        "m4a" | "m4b" => "audio/mp4",
        "aac" => "audio/aac",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "wav" => "audio/wav",
        "wma" => "audio/x-ms-wma",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "vtt" => "text/vtt; charset=utf-8",
        "txt" | "nfo" | "srt" => "text/plain; charset=utf-8",
        _ => return ("application/octet-stream", false),
    };
    (kind, true)
}

/// Whether players play it.
pub(crate) fn is_playable(name: &str) -> bool {
    let kind = media_type(name).0;
    kind.starts_with("video/") || kind.starts_with("audio/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (range, part) in [
            ("bytes=0-499", 0..500),
            ("bytes=500-999", 500..1000),
            ("bytes=-500", 500..1000),
            ("bytes=9-", 9..1000),
            ("bytes=0-0", 0..1),
            ("bytes=999-5000", 999..1000),
            ("bytes=-5000", 0..1000),
            ("bytes=0-99999999999999999999999", 0..1000),
        ] {
            assert_eq!(wanted(Some(range), 1000), Wanted::Part(part), "{range}");
        }
        for range in ["bytes=1000-", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(wanted(Some(range), 1000), Wanted::Nothing, "{range}");
        }
        for range in
            ["", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b"]
        {
            assert_eq!(wanted(Some(range), 1000), Wanted::All, "{range}");
        }
        assert_eq!(wanted(None, 1000), Wanted::All);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Nothing);
    }

    proptest! {
        #[test]
        fn a_part_is_never_empty_and_never_ends_behind_the_file(
            range in "bytes=[0-9]{0,21}-[0-9]{0,21}", length in 0_u64..,
        ) {
            if let Wanted::Part(part) = wanted(Some(&range), length) {
                prop_assert!(part.start < part.end && part.end <= length);
            }
        }
    }

    #[test]
    fn what_could_hold_a_script_is_not_shown() {
        for name in ["a.html", "a.svg", "a.xml", "a.js", "a.pdf", "a", "mp4", "a.mp4.html"] {
            assert_eq!(media_type(name), ("application/octet-stream", false), "{name}");
        }
        assert!(is_playable("A.MKV") && is_playable("b.opus") && !is_playable("c.srt"));
    }
}
