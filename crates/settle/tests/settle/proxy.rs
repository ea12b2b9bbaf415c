//! A JSON-RPC server that misbehaves on command: it stands before a real one, or before a closure.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest body that is passed on, bytes.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What goes wrong with one exchange.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It says nothing and keeps the connection.
    Hang,
    /// It closes the connection.
    Close,
    /// It answers with this HTTP status, these further headers and this body.
    Http(u16, &'static str, String),
    /// The answer ends after so many bytes; the connection closes.
    Cut(usize),
    /// The answer carries this instead of the question's number.
    Id(Value),
    /// The result is this instead.
    Lie(Value),
    /// The whole body is this instead.
    Body(String),
    /// The question reaches the server, and then the connection closes.
    LoseAnswer,
}

/// Answers a method with its parameters: a result, or an error object.
pub(crate) type Stub = dyn Fn(&str, &Value) -> Result<Value, Value> + Send + Sync;

enum Upstream {
    Stub(Box<Stub>),
    #[cfg(feature = "chains")]
    Server(SocketAddr),
}

struct Shared {
    upstream: Upstream,
    /// What goes wrong with the next exchanges whose method is this one, or any if it is empty.
    faults: Mutex<VecDeque<(&'static str, Fault)>>,
    asked: Mutex<Vec<(String, Value)>>,
    is_over: AtomicBool,
}

/// The server. It ends when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A server that a closure answers for.
    pub(crate) fn stub(
        answer: impl Fn(&str, &Value) -> Result<Value, Value> + Send + Sync + 'static,
    ) -> Self {
        Self::start(Upstream::Stub(Box::new(answer)))
    }

    #[cfg(feature = "chains")]
    /// A server in front of another one at `http://IP:PORT`.
    pub(crate) fn before(url: &str) -> Self {
        let address = url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
        Self::start(Upstream::Server(address))
    }

    fn start(upstream: Upstream) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (faults, asked, is_over) = Default::default();
        let shared = Arc::new(Shared { upstream, faults, asked, is_over });
        let its = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if its.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let its = Arc::clone(&its);
                std::thread::spawn(move || its.serve(&stream));
            }
        });
        Self { address, shared, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next exchange goes wrong; several calls are taken in their order.
    pub(crate) fn fail(&self, fault: Fault) {
        self.fail_at("", fault);
    }

    /// The next exchange with this method goes wrong.
    pub(crate) fn fail_at(&self, method: &'static str, fault: Fault) {
        self.shared.faults.lock().unwrap().push_back((method, fault));
    }

    /// How often a method was asked for.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.shared.asked.lock().unwrap().iter().filter(|(asked, _)| asked == method).count()
    }

    /// With what a method was asked for, each time.
    #[cfg(feature = "chains")]
    pub(crate) fn asked(&self, method: &str) -> Vec<Value> {
        let asked = self.shared.asked.lock().unwrap();
        let its = asked.iter().filter(|(asked, _)| asked == method);
        its.map(|(_, params)| params.clone()).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().unwrap().join());
    }
}

impl Shared {
    fn serve(&self, mut stream: &TcpStream) {
        let Some(body) = receive(stream) else { return };
        let question: Value = serde_json::from_slice(&body).unwrap();
        let method = question["method"].as_str().unwrap();
        self.asked.lock().unwrap().push((method.into(), question["params"].clone()));
        let fault = {
            let mut faults = self.faults.lock().unwrap();
            let at = faults.iter().position(|(its, _)| its.is_empty() || *its == method);
            at.and_then(|at| faults.remove(at)).map(|(_, fault)| fault)
        };
        let head = |status: u16, more: &str, length: usize| {
            let json = "content-type: application/json\r\n";
            let more = if more.is_empty() { json } else { more };
            format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{more}\r\n"
            )
        };
        let answered = |text: String| head(200, "", text.len()) + &text;
        let reply = match fault {
            Some(Fault::Hang) => {
                while !self.is_over.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                return;
            }
            Some(Fault::Close) => return,
            Some(Fault::LoseAnswer) => return drop(self.answer(&question)),
            Some(Fault::Http(status, more, text)) => head(status, more, text.len()) + &text,
            Some(Fault::Body(text)) => answered(text),
            Some(Fault::Cut(length)) => {
                let text = self.answer(&question).to_string();
                head(200, "", text.len()) + &text[..length.min(text.len())]
            }
            Some(Fault::Id(id)) => {
                let mut answer = self.answer(&question);
                answer["id"] = id;
                answered(answer.to_string())
            }
            Some(Fault::Lie(result)) => {
                let id = question["id"].clone();
                answered(json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string())
            }
            None => answered(self.answer(&question).to_string()),
        };
        drop(stream.write_all(reply.as_bytes()));
    }

    fn answer(&self, question: &Value) -> Value {
        let id = &question["id"];
        match &self.upstream {
            Upstream::Stub(answer) => {
                match answer(question["method"].as_str().unwrap(), &question["params"]) {
                    Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
                    Err(error) => json!({ "jsonrpc": "2.0", "id": id, "error": error }),
                }
            }
            #[cfg(feature = "chains")]
            Upstream::Server(address) => pass_on(*address, &question.to_string()),
        }
    }
}

#[cfg(feature = "chains")]
fn pass_on(address: SocketAddr, body: &str) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: \
         {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    serde_json::from_slice(&receive(&stream).unwrap()).unwrap()
}

/// The body of a message of HTTP/1.1 that tells its length.
fn receive(stream: &TcpStream) -> Option<Vec<u8>> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok().filter(|&length| length <= BODY_BYTES_MAX)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}
