//! One run: sign, send, wait until all is in blocks, count; and the count by itself, for after a restart.

use crate::Load;
use crate::heads::{Heads, hashes};
use crate::rpc::{ask, number};
use crate::senders::transfers;
use crate::submit::{Pace, Sent, requests, send};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// How long after the last answer a transfer may still reach a block.
const INCLUSION: Duration = Duration::from_secs(60);

/// How often the node is asked whether all are in blocks.
const LOOK: Duration = Duration::from_millis(20);

pub(crate) fn run(load: &Load) -> Result<Value, String> {
    let node = load.rpc;
    let chain_id = number(&ask(node, "eth_chainId", &json!([]))?)?;
    let signed = transfers(chain_id, load.senders, load.prepared);
    let requests = requests(node, &signed, load.batch as usize);
    let hashes = if load.latency { hashes(&signed) } else { Vec::new() };
    drop(signed);
    let first = head(node)?;
    let heads = load.latency.then(|| Heads::follow(node)).transpose()?;
    let pace = Pace {
        node,
        batch: load.batch as usize,
        connections: load.connections as usize,
        rate: load.rate,
        lasts: Duration::from_secs(load.seconds.into()),
    };
    let (start, cpu) = (Instant::now(), own_cpu());
    let sent = send(&requests, pace).map_err(|error| format!("sending to {node}: {error}"))?;
    let answered = start.elapsed();
    let included = wait_included(node, first, sent.accepted)?;
    let cpu = own_cpu().saturating_sub(cpu);
    let latency =
        heads.map(|heads| heads.latencies(&sent, start, &hashes, pace.batch)).transpose()?;
    let seconds = included.last.saturating_duration_since(start);
    Ok(report(&sent, &included, seconds, answered, cpu, latency.as_ref()))
}

fn report(
    sent: &Sent,
    included: &Included,
    seconds: Duration,
    answered: Duration,
    cpu: Duration,
    latency: Option<&Value>,
) -> Value {
    json!({
        "submitted": sent.submitted,
        "accepted": sent.accepted,
        "refusal": sent.refusal,
        "included": included.good,
        "blocks": included.blocks,
        "seconds": seconds.as_secs_f64(),
        "answered_seconds": answered.as_secs_f64(),
        "transfers_per_second": included.good as f64 / seconds.as_secs_f64(),
        "generator_cpu_seconds": cpu.as_secs_f64(),
        "latency": latency,
    })
}

/// What of the load reached blocks.
struct Included {
    /// Transfers with status 1.
    good: u64,
    /// Blocks that hold any.
    blocks: u64,
    /// When the last of them was seen.
    last: Instant,
}

/// Waits until `wanted` transactions are in blocks after `first`, or for [`INCLUSION`].
fn wait_included(node: SocketAddr, first: u64, wanted: u64) -> Result<Included, String> {
    let start = Instant::now();
    let (mut looked, mut all, mut seen) = (first, 0, Vec::new());
    let mut included = Included { good: 0, blocks: 0, last: start };
    loop {
        let now = head(node)?;
        let is_quiet = seen.last().is_some_and(|&(block, _)| block == now);
        if !is_quiet {
            seen.push((now, Instant::now()));
        }
        // Counting receipts costs the node as much as a part of the load, so it waits for a pause.
        while is_quiet && looked < now {
            looked += 1;
            let (transactions, successes) = receipts(node, looked)?;
            (all, included.good) = (all + transactions, included.good + successes);
            if transactions > 0 {
                let at = seen.iter().find(|&&(block, _)| block >= looked);
                included.last = at.map_or(included.last, |&(_, at)| at);
                included.blocks += 1;
            }
        }
        if all >= wanted || start.elapsed() >= INCLUSION {
            return Ok(included);
        }
        thread::sleep(LOOK);
    }
}

/// Counts all of a chain.
pub(crate) fn count(node: SocketAddr) -> Result<Value, String> {
    let blocks = head(node)?;
    let (mut all, mut good) = (0, 0);
    for block in 1..=blocks {
        let (transactions, successes) = receipts(node, block)?;
        (all, good) = (all + transactions, good + successes);
    }
    Ok(json!({ "blocks": blocks, "transactions": all, "included": good }))
}

fn head(node: SocketAddr) -> Result<u64, String> {
    number(&ask(node, "eth_blockNumber", &json!([]))?)
}

/// Transactions of a block, and those of them with status 1.
fn receipts(node: SocketAddr, block: u64) -> Result<(u64, u64), String> {
    let receipts = ask(node, "eth_getBlockReceipts", &json!([format!("{block:#x}")]))?;
    let receipts = receipts.as_array().ok_or_else(|| format!("block {block} has no receipts"))?;
    let good = receipts.iter().filter(|receipt| receipt["status"] == "0x1").count();
    Ok((receipts.len() as u64, good as u64))
}

/// CPU time of this process.
fn own_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
