//! HTTP/1.1 with one server over one kept connection: as little between the clock and the server as can be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// From the first byte of the request to the last of the answer.
    pub(crate) took: Duration,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body of an answer that is as it should be.
    pub(crate) fn good(self, what: &str) -> Result<Self, String> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(&self.body);
        Err(format!(
            "{what}: status {}: {}",
            self.status,
            body.chars().take(300).collect::<String>()
        ))
    }
}

/// A part of a form.
pub(crate) enum Part<'a> {
    Field(&'a str, &'a str),
    File(&'a str, &'a [u8]),
}

/// A request as it goes over the wire.
pub(crate) struct Request {
    /// For who reads what went wrong.
    title: String,
    bytes: Vec<u8>,
}

/// A connection to a server.
pub(crate) struct Client {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
    /// Headers that go with each request.
    pub(crate) headers: Vec<String>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        Ok(Self { address, stream: BufReader::with_capacity(1 << 18, stream), headers: Vec::new() })
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<Answer, String> {
        self.send(&self.request("GET", path, "", &[]))
    }

    pub(crate) fn post_form(&mut self, path: &str, form: &str) -> Result<Answer, String> {
        let kind = "application/x-www-form-urlencoded";
        self.send(&self.request("POST", path, kind, form.as_bytes()))
    }

    pub(crate) fn post_bytes(
        &mut self,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> Result<Answer, String> {
        self.send(&self.request("POST", path, kind, body))
    }

    pub(crate) fn post_parts(&mut self, path: &str, parts: &[Part<'_>]) -> Result<Answer, String> {
        self.send(&self.parts(path, parts))
    }

    /// A request that posts a form of parts, to send.
    pub(crate) fn parts(&self, path: &str, parts: &[Part<'_>]) -> Request {
        const BORDER: &str = "piecework-bench-border";
        let mut body = Vec::new();
        for part in parts {
            let (head, data) = match part {
                Part::Field(name, value) => (format!("name=\"{name}\""), value.as_bytes()),
                Part::File(name, data) => {
                    let head = format!(
                        "name=\"torrents\"; filename=\"{name}\"\r\nContent-Type: application/x-bittorrent"
                    );
                    (head, *data)
                }
            };
            let head = format!("--{BORDER}\r\nContent-Disposition: form-data; {head}\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(data);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BORDER}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={BORDER}");
        self.request("POST", path, &kind, &body)
    }

    fn request(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Request {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for header in &self.headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        if method != "GET" {
            head.push_str(&format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        Request { title: format!("{method} {path}"), bytes }
    }

    pub(crate) fn send(&mut self, request: &Request) -> Result<Answer, String> {
        let start = Instant::now();
        let answer = self.exchange(&request.bytes, start);
        answer.map_err(|error| format!("{}: {error}", request.title))?.good(&request.title)
    }

    fn exchange(&mut self, request: &[u8], start: Instant) -> Result<Answer, String> {
        let told = |error: std::io::Error| error.to_string();
        self.stream.get_mut().write_all(request).map_err(told)?;
        let (status, headers) = self.head()?;
        let mut answer = Answer { status, headers, body: Vec::new(), took: Duration::ZERO };
        if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = usize::from_str_radix(self.line()?.trim(), 16);
                let size = size.map_err(|error| format!("chunk size: {error}"))?;
                self.stream
                    .by_ref()
                    .take(size as u64)
                    .read_to_end(&mut answer.body)
                    .map_err(told)?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else {
            let length = answer.header("content-length").and_then(|length| length.parse().ok());
            let length: u64 = length.unwrap_or_default();
            self.stream.by_ref().take(length).read_to_end(&mut answer.body).map_err(told)?;
        }
        answer.took = start.elapsed();
        Ok(answer)
    }

    fn head(&mut self) -> Result<(u16, Vec<(String, String)>), String> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| format!("no HTTP: {first:?}"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let line = line.trim_end();
            if line.is_empty() {
                return Ok((status, headers));
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => Err("the server hung up".into()),
            Ok(_) => Ok(line),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The time until the first byte of a range of a file is here, on a connection of its own.
pub(crate) fn first_byte(
    address: SocketAddr,
    path: &str,
    from: u64,
    headers: &[String],
) -> Result<(Duration, u8), String> {
    let mut client = Client::connect(address)?;
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nRange: bytes={from}-\r\n{headers}\r\n");
    let start = Instant::now();
    client.stream.get_mut().write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let (status, headers) = client.head()?;
    if status != 206 {
        return Err(format!("GET {path}: status {status} where 206 was expected"));
    }
    if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
        client.line()?;
    }
    let mut byte = [0];
    client.stream.read_exact(&mut byte).map_err(|error| error.to_string())?;
    Ok((start.elapsed(), byte[0]))
}
