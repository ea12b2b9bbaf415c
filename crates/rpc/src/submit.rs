//! Transactions on their way into the pool: gathered while the last ones are checked, and handed over
//! together, so that their signatures are recovered side by side.

use crate::error::{failed, limit_exceeded};
use alloy_primitives::{B256, Bytes};
use jsonrpsee::types::ErrorObjectOwned;
use piecework_chain::chain::Chain;
use std::io;
use std::sync::Arc;
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// Transactions that are handed over at once.
const TOGETHER_MAX: usize = 1024;

/// Transactions that wait for that; at 128 KiB each, no more than two gigabytes could.
const WAITING_MAX: usize = 8192;

struct Submission {
    raw: Bytes,
    answer: oneshot::Sender<Result<B256, ErrorObjectOwned>>,
}

/// The way into the pool.
#[derive(Clone, Debug)]
pub(crate) struct Submitter {
    queue: mpsc::Sender<Submission>,
}

impl Submitter {
    /// Starts the thread that hands over; it ends with the last clone of this.
    pub(crate) fn start(chain: Arc<Chain>) -> io::Result<Self> {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let run = move || hand_over(&chain, waiting);
        thread::Builder::new().name("rpc-submit".into()).spawn(run)?;
        Ok(Self { queue })
    }

    /// Submits a signed transaction; its hash.
    pub(crate) async fn submit(&self, raw: Bytes) -> Result<B256, ErrorObjectOwned> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Submission { raw, answer }).map_err(|_| {
            limit_exceeded("too many transactions are being checked: try again in a second")
        })?;
        answered.await.unwrap_or_else(|_| Err(failed("the chain is stopping")))
    }
}

fn hand_over(chain: &Chain, mut waiting: mpsc::Receiver<Submission>) {
    let mut some = Vec::with_capacity(TOGETHER_MAX);
    while waiting.blocking_recv_many(&mut some, TOGETHER_MAX) > 0 {
        let (raw, answers): (Vec<_>, Vec<_>) = some.drain(..).map(|of| (of.raw, of.answer)).unzip();
        let results = chain.submit_many(&raw);
        for (answer, result) in answers.into_iter().zip(results) {
            // A client that left does not want to know.
            let _ = answer.send(result.map_err(failed));
        }
    }
}
