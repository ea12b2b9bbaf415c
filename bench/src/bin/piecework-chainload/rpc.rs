//! One question to a node over HTTP, and the answer. For what is asked now and then, not for the load.

use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// The bytes of a request that carries `body`.
pub(crate) fn request(node: SocketAddr, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST / HTTP/1.1\r\nHost: {node}\r\nContent-Type: application/json\r\n");
    format!("{head}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// The body of the answer that `bytes` begin with, once it is whole, and where it ends.
pub(crate) fn body(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, String> {
    let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|text| text.trim().parse::<usize>().ok());
    let length = length.ok_or_else(|| format!("an answer without length: {head:?}"))?;
    let whole = end + 4 + length;
    Ok(bytes.get(end + 4..whole).map(|body| (body, whole)))
}

/// Asks and waits.
pub(crate) fn ask(node: SocketAddr, method: &str, params: &Value) -> Result<Value, String> {
    let told = |error: std::io::Error| format!("{method} at {node}: {error}");
    let question = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let mut stream = TcpStream::connect(node).map_err(told)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(told)?;
    stream.write_all(&request(node, &question.to_string())).map_err(told)?;
    let (mut answer, mut part) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        match stream.read(&mut part).map_err(told)? {
            0 => return Err(format!("{method} at {node}: it hung up")),
            bytes => answer.extend_from_slice(&part[..bytes]),
        }
        let Some((body, _)) = body(&answer)? else { continue };
        let mut value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        return match value.get("error") {
            Some(error) => Err(format!("{method} at {node}: {error}")),
            None => Ok(value["result"].take()),
        };
    }
}

/// A number as the protocol writes it.
pub(crate) fn number(value: &Value) -> Result<u64, String> {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.ok_or_else(|| format!("expected a number, got {value}"))
}
