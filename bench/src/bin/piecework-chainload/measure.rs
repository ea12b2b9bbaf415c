//! One run: sign, send for a window of time, count what is in blocks when it ends; and the count by itself,
//! for after a restart.

use crate::Load;
use crate::heads::{Heads, hashes};
use crate::rpc::{ask, number};
use crate::senders::{TOKEN, transfers};
use crate::submit::{Pace, Sent, requests, send};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

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
    let closing = thread::spawn(move || close(node, start + pace.lasts));
    let sent = send(&requests, pace).map_err(|error| format!("sending to {node}: {error}"))?;
    let cpu = own_cpu().saturating_sub(cpu);
    let (last, closed) = closing.join().expect("asking does not panic")?;
    if sent.is_used_up(requests.len(), pace) {
        return Err(format!("the {} transfers did not last: sign more beforehand", load.prepared));
    }
    let latency =
        heads.map(|heads| heads.latencies(&sent, start, &hashes, pace.batch)).transpose()?;
    let counted = count_between(node, first, last, transfers_of)?;
    Ok(report(&sent, last, &counted, closed - start, cpu, latency.as_ref()))
}

/// The newest block at the end of the window, and when the node has said so: a node that is slow to answer
/// may have sealed more by then, and has more time to its account.
fn close(node: SocketAddr, end: Instant) -> Result<(u64, Instant), String> {
    thread::sleep(end.saturating_duration_since(Instant::now()));
    let last = head(node)?;
    Ok((last, Instant::now()))
}

fn report(
    sent: &Sent,
    last: u64,
    counted: &Counted,
    window: Duration,
    cpu: Duration,
    latency: Option<&Value>,
) -> Value {
    json!({
        "submitted": sent.submitted,
        "accepted": sent.accepted,
        "refusal": sent.refusal,
        "last_block": last,
        "included": counted.good,
        "blocks": counted.blocks,
        "seconds": window.as_secs_f64(),
        "transfers_per_second": counted.good as f64 / window.as_secs_f64(),
        "generator_cpu_seconds": cpu.as_secs_f64(),
        "latency": latency,
    })
}

/// What blocks hold.
#[derive(Default)]
struct Counted {
    /// Transfers with status 1.
    good: u64,
    /// Blocks with any.
    blocks: u64,
}

/// Counts the receipts of a chain up to a block, or of all of it.
pub(crate) fn count(node: SocketAddr, last: Option<u64>) -> Result<Value, String> {
    let last = last.map_or_else(|| head(node), Ok)?;
    let Counted { good, blocks } = count_between(node, 0, last, successes_of)?;
    Ok(json!({ "blocks": blocks, "included": good }))
}

/// Counts the blocks after `first`, up to `last`.
fn count_between(
    node: SocketAddr,
    first: u64,
    last: u64,
    good_of: impl Fn(SocketAddr, u64) -> Result<u64, String>,
) -> Result<Counted, String> {
    let mut counted = Counted::default();
    for block in first + 1..=last {
        let good = good_of(node, block)?;
        counted.good += good;
        counted.blocks += u64::from(good > 0);
    }
    Ok(counted)
}

fn head(node: SocketAddr) -> Result<u64, String> {
    number(&ask(node, "eth_blockNumber", &json!([]))?)
}

/// Transfers of a block that the token tells of: one log for each with status 1, none for others. Where a
/// block holds thousands, anvil takes a quarter of a minute to find their receipts.
fn transfers_of(node: SocketAddr, block: u64) -> Result<u64, String> {
    let block = format!("{block:#x}");
    let filter = json!({ "fromBlock": block, "toBlock": block, "address": TOKEN });
    let logs = ask(node, "eth_getLogs", &json!([filter]))?;
    let logs = logs.as_array().ok_or_else(|| format!("block {block} has no logs"))?;
    Ok(logs.len() as u64)
}

/// Receipts of a block with status 1.
fn successes_of(node: SocketAddr, block: u64) -> Result<u64, String> {
    let receipts = ask(node, "eth_getBlockReceipts", &json!([format!("{block:#x}")]))?;
    let receipts = receipts.as_array().ok_or_else(|| format!("block {block} has no receipts"))?;
    let good = receipts.iter().filter(|receipt| receipt["status"] == "0x1").count();
    Ok(good as u64)
}

/// CPU time of this process.
fn own_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
