//! Bodies of `multipart/form-data` (RFC 7578), whole in memory.

use crate::reply::Fault;

/// Parts of a body.
const PARTS_MAX: usize = 1_000;

/// Bytes of a boundary (RFC 2046, 5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;

/// A part of a body.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Part<'a> {
    /// The field's name.
    pub(crate) name: &'a str,
    /// It is a file: it has a file name.
    pub(crate) is_file: bool,
    /// What is in it.
    pub(crate) content: &'a [u8],
}

/// The boundary that a content type names.
pub(crate) fn boundary(kind: &str) -> Option<&str> {
    let value = kind.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    (1..=BOUNDARY_BYTES_MAX).contains(&value.len()).then_some(value)
}

/// The parts of a body, in order.
///
/// # Errors
/// When the body does not keep to its boundary, a part has no name, or there are too many.
pub(crate) fn parts<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<Part<'a>>, Fault> {
    let opening = format!("--{boundary}");
    let delimiter = format!("\r\n--{boundary}");
    let mut parts = Vec::new();
    let mut rest = match find(body, opening.as_bytes()) {
        Some(at) => &body[at + opening.len()..],
        None => return Err(broken("has no boundary in it")),
    };
    while !rest.starts_with(b"--") {
        if parts.len() >= PARTS_MAX {
            return Err(broken("has too many parts"));
        }
        // Spaces may stand behind a boundary.
        let head = find(rest, b"\r\n").ok_or_else(|| broken("ends in a boundary"))? + 2;
        rest = &rest[head..];
        let end = find(rest, delimiter.as_bytes()).ok_or_else(|| broken("ends in a part"))?;
        parts.push(part(&rest[..end])?);
        rest = &rest[end + delimiter.len()..];
    }
    Ok(parts)
}

fn part(bytes: &[u8]) -> Result<Part<'_>, Fault> {
    let (head, content) = match find(bytes, b"\r\n\r\n") {
        Some(at) => (&bytes[..at], &bytes[at + 4..]),
        None => return Err(broken("has a part without a head")),
    };
    let head = std::str::from_utf8(head).map_err(|_| broken("has a head that is no text"))?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let disposition = disposition.ok_or_else(|| broken("has a part without a disposition"))?;
    let name = parameter(disposition, "name").ok_or_else(|| broken("has a part without a name"))?;
    let is_file = parameter(disposition, "filename").is_some()
        || parameter(disposition, "filename*").is_some();
    Ok(Part { name, is_file, content })
}

/// A parameter of a header such as `form-data; name="urls"; filename="a;b"`.
fn parameter<'a>(header: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (name, value) = rest.split_once('=')?;
        let (value, after) = match value.trim_start().strip_prefix('"') {
            Some(quoted) => {
                let end = closing_quote(quoted)?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => {
                let end = value.find(';').unwrap_or(value.len());
                (value[..end].trim(), &value[end..])
            }
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after.split_once(';')?.1;
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        closes
    })
}

fn broken(what: &str) -> Fault {
    Fault::bad(format!("the multipart body {what}"))
}

/// Where `wanted` begins in `bytes`.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"preamble\r\n--xx\r\nContent-Disposition: form-data; name=\"savepath\"\r\n\r\n\
        /data\r\n--xx\r\ncontent-disposition: form-data; name=\"torrents\"; filename=\"a;\\\"b.torrent\"\r\n\
        Content-Type: application/x-bittorrent\r\n\r\nd4:\x00\xff--x\r\n-e\r\n--xx--\r\n";

    #[test]
    fn fields_and_files_come_out_with_every_byte() {
        let parts = parts(BODY, "xx").expect("a body");
        let expected = [
            Part { name: "savepath", is_file: false, content: b"/data" },
            Part { name: "torrents", is_file: true, content: b"d4:\x00\xff--x\r\n-e" },
        ];
        assert_eq!(parts, expected);
    }

    #[test]
    fn boundaries_are_read_with_and_without_quotes() {
        assert_eq!(boundary("multipart/form-data; boundary=abc"), Some("abc"));
        assert_eq!(boundary("multipart/form-data; charset=x; Boundary=\"a b\""), Some("a b"));
        assert_eq!(boundary("multipart/form-data"), None);
        assert_eq!(boundary("multipart/form-data; boundary="), None);
    }

    #[test]
    fn a_body_that_is_cut_anywhere_is_refused_or_shorter_and_never_a_panic() {
        for end in 0..BODY.len() {
            if let Ok(parts) = parts(&BODY[..end], "xx") {
                assert_eq!(parts.len(), 2, "cut at {end}");
            }
        }
    }
}
