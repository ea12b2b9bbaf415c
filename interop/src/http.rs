//! One HTTP/1.1 exchange at a time, for the control ports of foreign programs on this machine.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::failure::{Context as _, Failure, Outcome};

/// No control port here answers with more.
const ANSWER_BYTES_MAX: u64 = 4 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// What a server answered.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    /// The status, 200 for success.
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    /// The body as it came.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header, whatever its case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Whether as much has come as was announced, if that was.
    fn is_whole(&self) -> bool {
        let length = self.header("Content-Length").and_then(|length| length.parse().ok());
        length.is_some_and(|length: usize| self.body.len() >= length)
    }

    fn parse(raw: &[u8]) -> Option<Self> {
        let end = raw.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&raw[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
            .collect();
        Some(Self { status, headers, body: raw[end + 4..].to_vec() })
    }
}

/// Fetches `path` from `server`.
pub(crate) fn get(server: SocketAddr, path: &str) -> Outcome<Answer> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    exchange(server, head.as_bytes())
}

/// Sends a JSON body to `path` of `server`, with more `headers` (each ending in CRLF).
pub(crate) fn post(server: SocketAddr, path: &str, headers: &str, body: &str) -> Outcome<Answer> {
    let headers = format!("Content-Type: application/json\r\n{headers}");
    post_bytes(server, path, &headers, body.as_bytes())
}

/// The same for any body, whose type is among the `headers`.
pub(crate) fn post_bytes(
    server: SocketAddr,
    path: &str,
    headers: &str,
    body: &[u8],
) -> Outcome<Answer> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\
         Content-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    exchange(server, &[head.as_bytes(), body].concat())
}

fn exchange(server: SocketAddr, request: &[u8]) -> Outcome<Answer> {
    let told = || format!("asking {server}");
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE).context(told)?;
    stream.set_read_timeout(Some(PATIENCE)).context(told)?;
    stream.write_all(request).context(told)?;
    let mut raw = Vec::new();
    let mut stream = stream.take(ANSWER_BYTES_MAX);
    let mut part = [0; 16 << 10];
    loop {
        // Some keep the connection though they are asked to close it.
        let answer = Answer::parse(&raw).filter(Answer::is_whole);
        let read = if answer.is_some() { 0 } else { stream.read(&mut part).context(told)? };
        raw.extend_from_slice(&part[..read]);
        if read == 0 {
            break;
        }
    }
    Answer::parse(&raw).ok_or_else(|| Failure::new(format!("{server} answers with no HTTP")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_answer_is_split_into_status_headers_and_body() {
        let raw = b"HTTP/1.1 409 Conflict\r\nServer: T\r\nX-Session-Id:  ab\r\n\r\nbody\r\n\r\n";
        let answer = Answer::parse(raw).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (409, b"body\r\n\r\n".as_slice()));
        assert_eq!(answer.header("x-session-id"), Some("ab"));
        assert_eq!(answer.header("Missing"), None);
        assert!(!answer.is_whole(), "how long it is was not told");
        let told = |body| format!("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{body}");
        let is_whole = |body| Answer::parse(told(body).as_bytes()).unwrap().is_whole();
        assert!(!is_whole("ab") && is_whole("abc"));
    }

    #[test]
    fn half_an_answer_is_none() {
        assert_eq!(Answer::parse(b"HTTP/1.1 200 OK\r\nContent-"), None);
        assert_eq!(Answer::parse(b"nonsense\r\n\r\n"), None);
    }
}
