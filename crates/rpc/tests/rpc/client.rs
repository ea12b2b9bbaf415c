//! A small JSON-RPC client over real sockets: HTTP/1.1 and WebSocket, with nothing in common with the
//! server's own.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for bytes that must come.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub(crate) fn request(id: u64, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// A connection that is kept alive.
pub(crate) struct Http {
    stream: BufReader<TcpStream>,
    id: u64,
}

/// An answer of HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }
}

impl Http {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { stream: BufReader::new(connect(address)), id: 0 }
    }

    /// The result of a call.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        let mut answer = self.answer(method, params);
        assert!(answer.get("error").is_none(), "{method}{params}: {answer}");
        answer["result"].take()
    }

    /// The code and text of the error that a call ends with.
    pub(crate) fn fail(&mut self, method: &str, params: &Value) -> (i64, String) {
        let answer = self.answer(method, params);
        error_of(&answer)
    }

    pub(crate) fn answer(&mut self, method: &str, params: &Value) -> Value {
        self.id += 1;
        let answer = self.post(&request(self.id, method, params).to_string()).json();
        assert_eq!(answer["id"], self.id, "{answer}");
        answer
    }

    pub(crate) fn batch(&mut self, calls: &[(&str, Value)]) -> Value {
        let calls: Vec<_> =
            (0..).zip(calls).map(|(id, (method, params))| request(id, method, params)).collect();
        self.post(&Value::from(calls).to_string()).json()
    }

    pub(crate) fn post(&mut self, body: &str) -> Answer {
        self.send(&["Host: localhost", "Content-Type: application/json"], body)
    }

    pub(crate) fn send(&mut self, headers: &[&str], body: &str) -> Answer {
        let headers = headers.join("\r\n");
        let length = body.len();
        let request =
            format!("POST / HTTP/1.1\r\n{headers}\r\nContent-Length: {length}\r\n\r\n{body}");
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        self.receive()
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    pub(crate) fn receive(&mut self) -> Answer {
        let head = read_head(&mut self.stream);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.trim().parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        Answer { status, head, body: String::from_utf8(body).unwrap() }
    }
}

pub(crate) fn error_of(answer: &Value) -> (i64, String) {
    let error = &answer["error"];
    let code = error["code"].as_i64().unwrap_or_else(|| panic!("no error: {answer}"));
    (code, error["message"].as_str().unwrap_or_default().to_owned())
}

fn read_head(stream: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).unwrap() > 0, "closed after {head:?}");
    }
    head
}

/// A WebSocket (RFC 6455) that sends and gets text.
pub(crate) struct Socket {
    stream: BufReader<TcpStream>,
    id: u64,
}

impl Socket {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let (head, socket) = Self::upgrade(address, &["Host: localhost"]);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        socket
    }

    pub(crate) fn upgrade(address: SocketAddr, headers: &[&str]) -> (String, Self) {
        let mut stream = BufReader::new(connect(address));
        let headers = headers.join("\r\n");
        let request = format!(
            "GET / HTTP/1.1\r\n{headers}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let head = read_head(&mut stream);
        (head, Self { stream, id: 0 })
    }

    /// Sends a call and does not wait for its answer.
    pub(crate) fn send(&mut self, method: &str, params: &Value) -> u64 {
        self.id += 1;
        self.send_text(&request(self.id, method, params).to_string());
        self.id
    }

    pub(crate) fn send_text(&mut self, text: &str) {
        self.stream.get_mut().write_all(&frame(text)).unwrap();
    }

    /// The underlying socket.
    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        self.stream.get_mut()
    }

    /// The next message, whatever it is.
    pub(crate) fn next(&mut self) -> Value {
        loop {
            let mut start = [0; 2];
            self.stream.read_exact(&mut start).unwrap();
            let length = match start[1] {
                126 => u64::from(u16::from_be_bytes(self.bytes())),
                127 => u64::from_be_bytes(self.bytes()),
                short => short.into(),
            };
            let mut body = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut body).unwrap();
            // Pings are for clients that stay longer.
            if start[0] == 0x81 {
                return serde_json::from_slice(&body).unwrap();
            }
        }
    }

    /// The result of a call; what comes before its answer is dropped.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        let mut answer = self.answer(method, params);
        assert!(answer.get("error").is_none(), "{method}{params}: {answer}");
        answer["result"].take()
    }

    pub(crate) fn answer(&mut self, method: &str, params: &Value) -> Value {
        let id = self.send(method, params);
        loop {
            let message = self.next();
            if message["id"] == id {
                return message;
            }
        }
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }
}

/// A masked text frame, the mask being zero.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        middle @ 126..65536 => {
            frame.push(0x80 | 126);
            frame.extend((middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}
