//! New blocks for all subscriptions: taken from the chain once, on a thread of their own, and put into JSON
//! once.

use crate::answers;
use piecework_chain::block::Block;
use piecework_chain::chain::{BlockId, Chain, Next};
use serde_json::value::{RawValue, to_raw_value};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::broadcast;

/// Blocks that a subscription may be behind: some six seconds at full speed.
const BEHIND_MAX: usize = 128;
/// How soon the thread notices that the server stops.
const STOP_DELAY: Duration = Duration::from_millis(250);

/// A new block.
#[derive(Debug)]
pub(crate) struct Sealed {
    block: Arc<Block>,
    head: OnceLock<Option<Box<RawValue>>>,
}

impl Sealed {
    /// The block.
    pub(crate) fn block(&self) -> &Block {
        &self.block
    }

    /// Its head, as it is sent.
    pub(crate) fn head(&self) -> Option<&RawValue> {
        let make = || to_raw_value(&answers::header(&self.block)).ok();
        self.head.get_or_init(make).as_deref()
    }
}

/// Where subscriptions hear of blocks. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Feed {
    news: broadcast::Sender<Arc<Sealed>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    /// Starts the thread that reads the chain's blocks.
    pub(crate) fn start(chain: Arc<Chain>) -> io::Result<Self> {
        let news = broadcast::Sender::new(BEHIND_MAX);
        let is_over = Arc::new(AtomicBool::new(false));
        let (to, over) = (news.clone(), Arc::clone(&is_over));
        let run = move || read(&chain, &to, &over);
        let thread = thread::Builder::new().name("rpc-blocks".into()).spawn(run)?;
        Ok(Self { news, is_over, thread: Some(thread) })
    }

    /// The blocks from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<Sealed>> {
        self.news.subscribe()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that reads new blocks panicked");
        }
    }
}

fn read(chain: &Chain, news: &broadcast::Sender<Arc<Sealed>>, is_over: &AtomicBool) {
    let mut last = chain.head().number();
    // Nobody may be listening, and that is fine.
    let tell = |block| drop(news.send(Arc::new(Sealed { block, head: OnceLock::new() })));
    while !is_over.load(Relaxed) {
        let blocks = chain.subscribe(BEHIND_MAX);
        loop {
            match blocks.next(STOP_DELAY) {
                Next::Block(block) if block.number() > last => {
                    // This thread may have been too slow once, and let go.
                    let missed = (last + 1..block.number())
                        .map(|number| chain.block(BlockId::Number(number)));
                    missed.flat_map(Result::ok).flatten().for_each(tell);
                    last = block.number();
                    tell(block);
                }
                Next::Block(_) | Next::Nothing if is_over.load(Relaxed) => return,
                Next::Block(_) | Next::Nothing => {}
                Next::Ended => break,
            }
        }
        thread::sleep(STOP_DELAY);
    }
}
