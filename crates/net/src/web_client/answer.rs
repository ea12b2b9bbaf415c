//! Whether the head of an answer promises what was asked for.
//!
//! Pure: what a server may say, and what is made of it, is all here.

use super::{FileRange, WebFault, WebRange};
use std::time::Duration;

/// A file so small that a server which knows no ranges may send it whole for a part.
const SMALL_FILE_BYTES_MAX: u64 = 1 << 20;

/// What counts of an answer's head.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) length: Option<u64>,
    pub(super) content_range: Option<String>,
    pub(super) encoding: Option<String>,
    pub(super) retry_after: Option<String>,
}

/// What to do with the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Body {
    /// Bytes before those that were asked for.
    pub(super) skip: u64,
    /// Nothing may follow what was asked for.
    pub(super) is_exact: bool,
}

/// Judges an answer that is no redirect.
pub(super) fn judge(head: &Head, range: &WebRange) -> Result<Body, WebFault> {
    if let Some(encoding) = head.encoding.as_ref().filter(|it| !it.eq_ignore_ascii_case("identity"))
    {
        let text = format!("it sends {encoding}, which was not asked for");
        return Err(WebFault::Unusable(text.chars().take(80).collect()));
    }
    match (head.status, range.of) {
        (206, Some(of)) => partial(head, of, range.bytes),
        (200, Some(of)) => whole(head, of, range.bytes),
        (200, None) => {
            fits(head.length, range.bytes)?;
            Ok(Body { skip: 0, is_exact: true })
        }
        (503 | 429, _) => Err(WebFault::Busy(head.retry_after.as_deref().and_then(seconds))),
        // 408 and 425 say themselves that another try may do.
        (status @ (408 | 425 | 500..=599), _) => {
            Err(WebFault::Failed(format!("it answers with HTTP status {status}")))
        }
        (416, _) => Err(WebFault::Unusable("its file is shorter than the torrent's".into())),
        (status, _) => Err(WebFault::Unusable(format!("it answers with HTTP status {status}"))),
    }
}

fn partial(head: &Head, of: FileRange, bytes: u64) -> Result<Body, WebFault> {
    let text = head.content_range.as_deref().unwrap_or("nothing");
    let Some((first, last, total)) = content_range(text) else {
        let text: String = text.chars().take(60).collect();
        return Err(WebFault::Unusable(format!("expected a Content-Range, got {text:?}")));
    };
    if total.is_some_and(|total| total != of.file_bytes) {
        return Err(wrong_length(of.file_bytes, total.unwrap_or(0)));
    }
    if (first, last) != (of.first, of.first + bytes - 1) {
        let (from, to) = (of.first, of.first + bytes - 1);
        let text = format!("expected bytes {from} to {to}, got {first} to {last}");
        return Err(WebFault::Unusable(text));
    }
    fits(head.length, bytes)?;
    Ok(Body { skip: 0, is_exact: true })
}

/// The whole file instead of a part.
fn whole(head: &Head, of: FileRange, bytes: u64) -> Result<Body, WebFault> {
    if let Some(length) = head.length.filter(|length| *length != of.file_bytes) {
        return Err(wrong_length(of.file_bytes, length));
    }
    if bytes == of.file_bytes || of.file_bytes <= SMALL_FILE_BYTES_MAX {
        return Ok(Body { skip: of.first, is_exact: false });
    }
    Err(WebFault::Unusable("it ignores byte ranges".into()))
}

fn wrong_length(expected: u64, got: u64) -> WebFault {
    WebFault::Unusable(format!("expected a file of {expected} bytes, got one of {got}"))
}

fn fits(length: Option<u64>, bytes: u64) -> Result<(), WebFault> {
    match length {
        Some(length) if length != bytes => {
            Err(WebFault::Unusable(format!("expected {bytes} bytes, got {length}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// First and last byte and, if told, the length of `bytes 0-9/100` (RFC 9110).
fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?, total))
}

/// A wait as seconds (RFC 9110, BEP 17); a date counts as none.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u64, bytes: u64, file_bytes: u64) -> WebRange {
        let of = Some(FileRange { first, file_bytes });
        WebRange { url: "http://h/".into(), bytes, of }
    }

    fn head(status: u16, length: u64) -> Head {
        Head { status, length: Some(length), ..Head::default() }
    }

    fn partial(content_range: &str, length: u64) -> Head {
        Head { content_range: Some(content_range.into()), ..head(206, length) }
    }

    fn unusable(head: &Head, range: &WebRange) -> String {
        match judge(head, range) {
            Err(WebFault::Unusable(text)) => text,
            other => format!("{other:?}"),
        }
    }

    const EXACT: Result<Body, WebFault> = Ok(Body { skip: 0, is_exact: true });
    const MIB_9: u64 = 9 << 20;

    #[test]
    fn a_partial_answer_must_be_of_just_the_bytes_that_were_asked_for() {
        let asked = range(100, 50, MIB_9);
        assert_eq!(judge(&partial("bytes 100-149/9437184", 50), &asked), EXACT);
        assert_eq!(judge(&partial("bytes 100-149/*", 50), &asked), EXACT);
        let without_length = Head { length: None, ..partial("bytes 100-149/*", 0) };
        assert_eq!(judge(&without_length, &asked), EXACT);
        for (said, length, why) in [
            ("bytes 0-49/9437184", 50, "expected bytes 100 to 149, got 0 to 49"),
            ("bytes 100-148/9437184", 49, "expected bytes 100 to 149, got 100 to 148"),
            ("bytes 100-149/9437185", 50, "expected a file of 9437184 bytes, got one of 9437185"),
            ("bytes 100-149/9437184", 51, "expected 50 bytes, got 51"),
            ("chunks 1", 50, "expected a Content-Range, got \"chunks 1\""),
            ("bytes 100-99999999999999999999/*", 50, "expected a Content-Range, got "),
        ] {
            let got = unusable(&partial(said, length), &asked);
            assert!(got.starts_with(why), "{said}: {got}");
        }
        assert!(unusable(&head(206, 50), &asked).starts_with("expected a Content-Range"));
    }

    #[test]
    fn a_whole_file_is_taken_for_a_part_of_it_only_if_it_is_small_or_that_part_is_all() {
        let taken = |skip| Ok(Body { skip, is_exact: false });
        assert_eq!(judge(&head(200, 1 << 20), &range(100, 50, 1 << 20)), taken(100));
        assert_eq!(judge(&head(200, MIB_9), &range(0, MIB_9, MIB_9)), taken(0));
        assert_eq!(unusable(&head(200, MIB_9), &range(0, 50, MIB_9)), "it ignores byte ranges");
        let why = "expected a file of 1000 bytes, got one of 999";
        assert_eq!(unusable(&head(200, 999), &range(0, 50, 1000)), why);
    }

    #[test]
    fn a_script_answers_with_no_byte_more_or_less() {
        let asked = WebRange { url: "http://h/".into(), bytes: 50, of: None };
        assert_eq!(judge(&head(200, 50), &asked), EXACT);
        assert_eq!(unusable(&head(200, 51), &asked), "expected 50 bytes, got 51");
        assert_eq!(unusable(&head(206, 50), &asked), "it answers with HTTP status 206");
    }

    #[test]
    fn the_status_says_whether_to_come_back() {
        let asked = range(0, 50, 100);
        let status = |status| judge(&head(status, 0), &asked);
        for gone in [401, 403, 404, 410, 204, 304] {
            assert!(matches!(status(gone), Err(WebFault::Unusable(_))), "{gone}");
        }
        for later in [500, 502, 504, 408] {
            assert!(matches!(status(later), Err(WebFault::Failed(_))), "{later}");
        }
        let busy = |retry_after: Option<&str>| {
            let retry_after = retry_after.map(str::to_owned);
            judge(&Head { retry_after, ..head(503, 0) }, &asked)
        };
        assert_eq!(busy(Some("120")), Err(WebFault::Busy(Some(Duration::from_secs(120)))));
        assert_eq!(busy(Some("Wed, 21 Oct 2026 07:28:00 GMT")), Err(WebFault::Busy(None)));
        assert_eq!(busy(None), Err(WebFault::Busy(None)));
    }

    #[test]
    fn compressed_bytes_are_refused() {
        let gzip = Head { encoding: Some("gzip".into()), ..partial("bytes 0-49/100", 50) };
        assert_eq!(unusable(&gzip, &range(0, 50, 100)), "it sends gzip, which was not asked for");
        let identity = Head { encoding: Some("Identity".into()), ..partial("bytes 0-49/100", 50) };
        assert_eq!(judge(&identity, &range(0, 50, 100)), EXACT);
    }
}
