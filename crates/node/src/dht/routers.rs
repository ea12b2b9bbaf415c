//! Turning the names of routers into addresses, on a thread that may wait for it.

use super::{Command, DhtHandle};
use std::collections::VecDeque;
use std::net::ToSocketAddrs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Names that wait; more are dropped.
const NAMES_MAX: usize = 64;

/// Names to be looked up, one after the other.
#[derive(Clone, Default)]
pub(super) struct Names {
    waiting: Arc<Mutex<VecDeque<String>>>,
    is_running: Arc<AtomicBool>,
}

impl Names {
    /// Looks these up too; what is found comes as [`Command::Router`].
    pub(super) fn look_up(&self, names: Vec<String>, handle: &DhtHandle) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = NAMES_MAX.saturating_sub(waiting.len());
        waiting.extend(names.into_iter().take(room));
        drop(waiting);
        if self.is_running.swap(true, Ordering::AcqRel) {
            return;
        }
        let (names, handle) = (self.clone(), handle.clone());
        let work = move || {
            while let Some(name) = names.next() {
                match name.to_socket_addrs() {
                    Ok(found) => found.for_each(|address| handle.send(Command::Router(address))),
                    Err(error) => tracing::debug!(name, %error, "a DHT router has no address"),
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("names".into()).spawn(work) {
            tracing::warn!(%error, "no thread to look up the DHT's routers");
            self.is_running.store(false, Ordering::Release);
        }
    }

    /// The next one; with the last the thread ends.
    fn next(&self) -> Option<String> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let name = waiting.pop_front();
        if name.is_none() {
            // Under the lock, so that whoever adds one now starts another thread.
            self.is_running.store(false, Ordering::Release);
        }
        name
    }
}
