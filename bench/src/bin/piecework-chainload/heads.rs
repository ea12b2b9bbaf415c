//! When each block was announced: `newHeads` over a WebSocket, heard by a thread of its own.

use crate::rpc::{ask, number};
use crate::submit::Sent;
use alloy_primitives::{B256, keccak256};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;
use tungstenite::{Message, WebSocket};

/// A subscription under way.
pub(crate) struct Heads {
    node: SocketAddr,
    announced: mpsc::Receiver<(u64, Instant)>,
}

impl Heads {
    /// Subscribes.
    pub(crate) fn follow(node: SocketAddr) -> Result<Self, String> {
        let told = |error: tungstenite::Error| format!("newHeads at {node}: {error}");
        let stream = TcpStream::connect(node).map_err(|error| told(error.into()))?;
        stream.set_nodelay(true).map_err(|error| told(error.into()))?;
        let (mut socket, _) = tungstenite::client(format!("ws://{node}/"), stream)
            .map_err(|error| format!("newHeads at {node}: {error}"))?;
        let question =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"] });
        socket.send(Message::text(question.to_string())).map_err(told)?;
        let answer = socket.read().map_err(told)?.into_text().map_err(told)?;
        if !answer.contains("\"result\"") {
            return Err(format!("newHeads at {node}: {answer}"));
        }
        let (sender, announced) = mpsc::channel();
        // Ends with the process, or with the node.
        thread::spawn(move || hear(&mut socket, &sender));
        Ok(Self { node, announced })
    }

    /// From sending a transfer to the announcement of its block, in milliseconds: p50, p95, p99. `hashes` are
    /// the transfers' in the order of sending, `batch` of them a request.
    pub(crate) fn latencies(
        self,
        sent: &Sent,
        start: Instant,
        hashes: &[B256],
        batch: usize,
    ) -> Result<Value, String> {
        let places: HashMap<&B256, usize> = hashes.iter().zip(0..).collect();
        let mut waited = Vec::new();
        for (block, at) in self.announced.try_iter() {
            let answer =
                ask(self.node, "eth_getBlockByNumber", &json!([format!("{block:#x}"), false]))?;
            for hash in answer["transactions"].as_array().into_iter().flatten() {
                let hash = hash.as_str().and_then(|text| text.parse::<B256>().ok());
                let place = hash.and_then(|hash| places.get(&hash));
                let Some(&sent) = place.and_then(|place| sent.times.get(place / batch)) else {
                    continue;
                };
                waited.push(at.saturating_duration_since(start + sent).as_secs_f64() * 1000.0);
            }
        }
        waited.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| waited.get((waited.len() as f64 * share) as usize).copied();
        Ok(
            json!({ "transfers": waited.len(), "p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99) }),
        )
    }
}

fn hear(socket: &mut WebSocket<TcpStream>, announced: &mpsc::Sender<(u64, Instant)>) {
    while let Ok(message) = socket.read() {
        let now = Instant::now();
        let Ok(text) = message.into_text() else { continue };
        let Ok(told) = serde_json::from_str::<Value>(&text) else { continue };
        let Ok(block) = number(&told["params"]["result"]["number"]) else { continue };
        if announced.send((block, now)).is_err() {
            return;
        }
    }
}

/// The hashes by which transfers are known in blocks.
pub(crate) fn hashes(transfers: &[Vec<u8>]) -> Vec<B256> {
    transfers.iter().map(keccak256).collect()
}
