//! How an engine starts to pay and to be paid, and how that ends.

use super::Engine;
use crate::pay::{Driver, Inbox, PayConfig, PayError, PayHandle, PayHost, Start};
use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long an engine that shuts down waits for last payments.
const PATIENCE: Duration = Duration::from_secs(3);

/// The thread of payments.
pub(super) struct PayThread {
    handle: PayHandle,
    thread: JoinHandle<()>,
}

impl Engine {
    /// Starts the thread of payments, with what was written by earlier runs. Nothing is sold or bought, and
    /// peers hear nothing of it, until [`PayHandle::sell`] or [`PayHandle::buy`]. `host` is made of the
    /// handle that it answers to. One may be started after the last has ended.
    ///
    /// # Errors
    /// When payments run already, or the system gives no thread or no randomness.
    pub fn start_pay(
        &self,
        config: PayConfig,
        host: impl FnOnce(PayHandle) -> Box<dyn PayHost>,
    ) -> Result<PayHandle, PayError> {
        let mut pay = self.pay.lock().unwrap_or_else(PoisonError::into_inner);
        if pay.as_ref().is_some_and(|pay| !pay.thread.is_finished()) {
            return Err(PayError::Running);
        }
        let inbox = Arc::new(Inbox::default());
        let handle = PayHandle::new(Arc::clone(&inbox), Arc::clone(&self.shared));
        let entropy = [entropy()?, entropy()?];
        let start = Start {
            inbox,
            view: Arc::clone(&handle.view),
            shared: Arc::clone(&self.shared),
            torrents: Arc::clone(&self.torrents),
            shards: self.shards.iter().map(|(shard, _)| shard.clone()).collect(),
            clock: self.clock,
            host: host(handle.clone()),
        };
        let driver = Driver::new(start, config, entropy);
        let thread = std::thread::Builder::new().name("pay".into()).spawn(|| driver.run())?;
        *pay = Some(PayThread { handle: handle.clone(), thread });
        Ok(handle)
    }

    /// Pays what is owed before the torrents go.
    pub(super) fn stop_pay(&self, deadline: Instant) {
        let pay = self.pay.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(PayThread { handle, thread }) = pay else { return };
        handle.stop();
        let deadline = deadline.min(Instant::now() + PATIENCE);
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() {
            drop(thread.join());
        }
    }

    /// Ends payments without a word to anybody; what waits to be written is.
    pub(super) fn quit_pay(&self) {
        let pay = self.pay.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(PayThread { handle, thread }) = pay else { return };
        handle.quit();
        // One that panicked has said so.
        drop(thread.join());
    }
}

fn entropy() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    for part in bytes.chunks_mut(8) {
        part.copy_from_slice(&super::system_random()?.to_ne_bytes());
    }
    Ok(bytes)
}
