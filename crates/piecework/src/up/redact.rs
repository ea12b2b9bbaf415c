//! Keeps secrets out of the log: each line passes here on its way to stderr.
//!
//! Private trackers put a passkey into the path or query of their addresses, so of an address scheme and host
//! are shown. Magnet links carry trackers. Keys of the API begin with `pw_`.

use std::borrow::Cow;
use std::io::{self, Write};

const SCHEMES: [&str; 6] = ["http://", "https://", "udp://", "ws://", "wss://", "magnet:?"];
const KEY: &str = "pw_";
const HIDDEN: &str = "***";

/// stderr, without secrets. The log hands over whole lines.
#[derive(Debug)]
pub(crate) struct Redacted;

impl Write for Redacted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        io::stderr().lock().write_all(redact(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The text without passkeys and API keys.
pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    let Some(mut at) = next(text) else { return Cow::Borrowed(text) };
    let (mut rest, mut redacted) = (text, String::with_capacity(text.len()));
    loop {
        redacted += &rest[..at];
        rest = &rest[at..];
        let (shown, length) = secret(rest);
        redacted += &rest[..shown];
        if length > shown {
            redacted += HIDDEN;
        }
        rest = &rest[length..];
        match next(rest) {
            Some(found) => at = found,
            None => return Cow::Owned(redacted + rest),
        }
    }
}

/// Where something begins that may have a secret.
fn next(text: &str) -> Option<usize> {
    SCHEMES.iter().chain([&KEY]).filter_map(|start| text.find(start)).min()
}

/// Of what begins here: bytes that may be shown, and bytes in all.
fn secret(text: &str) -> (usize, usize) {
    let is_end = |letter: char| letter.is_whitespace() || "\"'<>\\`,;)]}".contains(letter);
    let length = text.find(is_end).unwrap_or(text.len());
    let word = &text[..length];
    if word.starts_with(KEY) {
        return (KEY.len(), length);
    }
    let Some(scheme) = SCHEMES.iter().find(|scheme| word.starts_with(*scheme)) else {
        return (length, length);
    };
    // A name and password before the host, and all behind it.
    let host = &word[scheme.len()..];
    let shown = match host.find(['/', '?', '#', '@']) {
        _ if *scheme == "magnet:?" => 0,
        Some(end) if host[end..].contains('@') => 0,
        Some(end) if host[end..].len() > 1 => (end + 1).min(host.len()),
        _ => host.len(),
    };
    let shown = shown.min(host.find(KEY).unwrap_or(shown));
    (scheme.len() + shown, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_addresses_host_and_nothing_behind_it_is_shown() {
        for (text, expected) in [
            ("nothing to hide", "nothing to hide"),
            ("https://t.example/abc123/announce failed", "https://t.example/*** failed"),
            ("(udp://t.example:80/?k=1), (http://b/)", "(udp://t.example:80/***), (http://b/)"),
            ("http://me:word@t.example/a", "http://***"),
            ("https://t.example?passkey=abc", "https://t.example?***"),
            ("magnet:?xt=urn:btih:ab&tr=http%3A%2F%2Fx%2Fkey", "magnet:?***"),
            (r#"{"key":"pw_abcdef","n":1}"#, r#"{"key":"pw_***","n":1}"#),
            ("Bearer pw_abc pw_def", "Bearer pw_*** pw_***"),
            ("wss://a/b ws://c/d", "wss://a/*** ws://c/***"),
        ] {
            assert_eq!(redact(text), expected, "{text}");
        }
    }

    #[test]
    fn no_part_of_a_secret_is_left_wherever_it_stands() {
        let secret = "s3cretpasskey";
        for before in ["", "x", "http://", "\u{e9} "] {
            for frame in
                ["http://h/{}/a", "udp://h:1/a?x={}", "pw_{}", "magnet:?tr={}", "https://{}@h/"]
            {
                let text = format!("{before}{} and on", frame.replace("{}", secret));
                assert!(!redact(&text).contains(secret), "{text}");
            }
        }
    }
}
