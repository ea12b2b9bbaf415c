//! An HTTP server that has a torrent's files, or answers for its pieces, and misbehaves as it is told.
//!
//! Owns one thread and a loopback socket; a connection carries one request. Invariant: it remembers every
//! request.

use crate::fixture::Fixture;
use crate::patience::{PATIENCE, Watched};
use percent_encoding::percent_decode_str;
use piecework_wire::Request;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a request may take to arrive.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// Bytes of a request that are read, and requests remembered.
const REQUEST_BYTES_MAX: u64 = 64 << 10;
const REQUESTS_MAX: usize = 10_000;

/// What a server does with a request for bytes it has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WebBehaviour {
    /// It sends them.
    Honest,
    /// It sends the whole file, with status 200.
    IgnoresRange,
    /// It says that it sends other bytes than were asked for.
    WrongRange,
    /// It has a file of another length.
    WrongLength,
    /// It sends half of them and closes the connection.
    Short,
    /// It says that it sends some more, and does.
    Long,
    /// It sends more than it said.
    Endless,
    /// One byte is another.
    Lies,
    /// It says that they are compressed.
    Compressed,
    /// It answers with this status and no more.
    Status(u16),
    /// It is busy, and says so with a header or as a text.
    Busy {
        /// How long.
        seconds: u64,
    },
    /// It names this address instead.
    Redirects(String),
    /// It names its own address, with one more question mark.
    RedirectsToItself,
    /// It sends what is no HTTP.
    Noise,
}

/// A request as it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebRequest {
    /// Path and query, still escaped.
    pub target: String,
    /// The bytes that its `Range` header names.
    pub range: Option<Range<u64>>,
    /// What it takes besides the bytes themselves.
    pub encodings: String,
}

#[derive(Debug)]
struct State {
    behaviour: WebBehaviour,
    requests: Vec<WebRequest>,
    is_over: bool,
}

/// A server under the test's control. Ends its thread on drop.
#[derive(Debug)]
pub struct FakeWebServer {
    address: SocketAddr,
    state: Watched<State>,
    thread: Option<JoinHandle<()>>,
}

impl FakeWebServer {
    /// A server with the files of `fixture` below [`Self::url`], and a script at [`Self::script`].
    ///
    /// # Errors
    /// When the system gives no port.
    pub fn start(fixture: &Fixture, behaviour: WebBehaviour) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let state = Watched::new(State { behaviour, requests: Vec::new(), is_over: false });
        let (watched, fixture) = (state.clone(), fixture.clone());
        let thread = std::thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                if watched.look(|state| state.is_over) {
                    return;
                }
                // A client that goes away is no concern of a server.
                drop(serve(socket, &fixture, &watched));
            }
        });
        Ok(Self { address, state, thread: Some(thread) })
    }

    /// Where the torrent's folder or file lies.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The address of its script (BEP 17).
    pub fn script(&self) -> String {
        format!("http://{}/script", self.address)
    }

    /// From now on it does this.
    pub fn behave(&self, behaviour: WebBehaviour) {
        self.state.change(|state| state.behaviour = behaviour);
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<WebRequest> {
        self.state.look(|state| state.requests.clone())
    }

    /// Waits until so many requests have come; whether they did in time.
    pub fn saw(&self, count: usize) -> bool {
        self.state.wait(PATIENCE, |state| (state.requests.len() >= count).then_some(())).is_some()
    }
}

impl Drop for FakeWebServer {
    fn drop(&mut self) {
        self.state.change(|state| state.is_over = true);
        // Wakes the thread.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn serve(mut socket: TcpStream, fixture: &Fixture, state: &Watched<State>) -> io::Result<()> {
    socket.set_read_timeout(Some(REQUEST_WITHIN))?;
    let Some(request) = read(&mut socket)? else { return Ok(()) };
    let behaviour = state.change(|state| {
        if state.requests.len() < REQUESTS_MAX {
            state.requests.push(request.clone());
        }
        state.behaviour.clone()
    });
    let answer = if request.target.starts_with("/script?") {
        script(fixture, &request.target).map(|bytes| (bytes, None))
    } else {
        file(fixture, &request.target).map(|file| (file, request.range.clone()))
    };
    match answer {
        Some((bytes, range)) => {
            answer_with(&mut socket, &bytes, range, &behaviour, &request.target)?;
        }
        None => head(&mut socket, "404 Not Found", &[("Content-Length", "0")])?,
    }
    socket.shutdown(Shutdown::Write)
}

fn read(socket: &mut TcpStream) -> io::Result<Option<WebRequest>> {
    let mut lines = BufReader::new(Read::take(socket, REQUEST_BYTES_MAX)).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let Some(target) = first.split(' ').nth(1) else { return Ok(None) };
    let mut request =
        WebRequest { target: target.to_owned(), range: None, encodings: String::new() };
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            let ends = range.split_once('-').map(|(from, to)| (from.parse(), to.parse::<u64>()));
            if let Some((Ok(from), Ok(to))) = ends {
                request.range = Some(from..to + 1);
            }
        }
        if let Some(encodings) = line.strip_prefix("accept-encoding: ") {
            encodings.clone_into(&mut request.encodings);
        }
        if line.is_empty() {
            break;
        }
    }
    Ok(Some(request))
}

/// The file that a path names.
fn file(fixture: &Fixture, target: &str) -> Option<Vec<u8>> {
    let path = target.trim_start_matches('/').trim_end_matches('?');
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let mut stored = fixture.stored(Path::new("."));
    let path = Path::new(".").join(path.as_ref());
    stored.find_map(|(stored, bytes)| (stored == path).then(|| bytes.to_vec()))
}

/// What a script answers to `?info_hash=..&piece=..&ranges=..` (BEP 17).
fn script(fixture: &Fixture, target: &str) -> Option<Vec<u8>> {
    let (_, query) = target.split_once('?')?;
    let value = |key: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| *name == key).map(|(_, value)| value)
    };
    let info_hash: Vec<u8> = percent_decode_str(value("info_hash")?).collect();
    if info_hash != fixture.info_hash().0 {
        return None;
    }
    let index: u32 = value("piece")?.parse().ok()?;
    let piece = fixture.grid().piece(index)?;
    let length = fixture.grid().piece_bytes(piece);
    let (begin, end) = match value("ranges").map(|ranges| ranges.split_once('-')) {
        Some(ends) => {
            let (begin, last) = ends?;
            (begin.parse().ok()?, last.parse::<u32>().ok()? + 1)
        }
        None => (0, length),
    };
    fixture.block(Request { piece: index, begin, length: end.checked_sub(begin)? })
}

fn answer_with(
    socket: &mut TcpStream,
    file: &[u8],
    range: Option<Range<u64>>,
    behaviour: &WebBehaviour,
    target: &str,
) -> io::Result<()> {
    let is_script = range.is_none();
    let total = file.len() as u64;
    let Range { start, end } = range.unwrap_or(0..total);
    let Some(bytes) = file.get(start as usize..end as usize) else {
        return head(socket, "416 Range Not Satisfiable", &[("Content-Length", "0")]);
    };
    if let Some(refused) = refuse(socket, behaviour, target, is_script) {
        return refused;
    }
    let mut bytes = bytes.to_vec();
    // What the head says, before the body is spoiled: first byte, length of the file, length of the body.
    let (mut first, mut whole, mut length) = (start, total, Some(end - start));
    let mut more = Vec::new();
    match behaviour {
        WebBehaviour::IgnoresRange => {
            head(socket, "200 OK", &[("Content-Length", &total.to_string())])?;
            return socket.write_all(file);
        }
        WebBehaviour::Lies => bytes[0] = !bytes[0],
        WebBehaviour::WrongRange => first += 1,
        WebBehaviour::WrongLength => whole += 5,
        WebBehaviour::Short => bytes.truncate(bytes.len() / 2),
        WebBehaviour::Long => {
            length = Some(end - start + 5);
            bytes.extend([0; 5]);
        }
        WebBehaviour::Endless => {
            length = None;
            bytes.extend([0; 5]);
        }
        WebBehaviour::Compressed => more.push(("Content-Encoding", "gzip".to_owned())),
        WebBehaviour::Honest
        | WebBehaviour::Status(_)
        | WebBehaviour::Busy { .. }
        | WebBehaviour::Redirects(_)
        | WebBehaviour::RedirectsToItself
        | WebBehaviour::Noise => {}
    }
    more.extend(length.map(|length| ("Content-Length", length.to_string())));
    if !is_script {
        let last = first + (end - start) - 1;
        more.push(("Content-Range", format!("bytes {first}-{last}/{whole}")));
    }
    let headers: Vec<(&str, &str)> = more.iter().map(|(name, value)| (*name, &**value)).collect();
    head(socket, if is_script { "200 OK" } else { "206 Partial Content" }, &headers)?;
    socket.write_all(&bytes)
}

/// The answer of a server that does not give the bytes at all, if it is one.
fn refuse(
    socket: &mut TcpStream,
    behaviour: &WebBehaviour,
    target: &str,
    is_script: bool,
) -> Option<io::Result<()>> {
    let empty = ("Content-Length", "0");
    Some(match behaviour {
        WebBehaviour::Status(status) => head(socket, &format!("{status} As Told"), &[empty]),
        WebBehaviour::Busy { seconds } => {
            let text = seconds.to_string();
            let length = text.len().to_string();
            let mut headers = vec![("Content-Length", length.as_str())];
            if !is_script {
                headers.push(("Retry-After", text.as_str()));
            }
            head(socket, "503 Busy", &headers).and_then(|()| socket.write_all(text.as_bytes()))
        }
        WebBehaviour::Redirects(url) => head(socket, "302 Found", &[("Location", url), empty]),
        WebBehaviour::RedirectsToItself => {
            head(socket, "302 Found", &[("Location", &format!("{target}?")), empty])
        }
        WebBehaviour::Noise => socket.write_all(&[0xa5; 4096]),
        _ => return None,
    })
}

fn head(socket: &mut TcpStream, status: &str, headers: &[(&str, &str)]) -> io::Result<()> {
    write!(socket, "HTTP/1.1 {status}\r\nConnection: close\r\n")?;
    for (name, value) in headers {
        write!(socket, "{name}: {value}\r\n")?;
    }
    socket.write_all(b"\r\n")
}
