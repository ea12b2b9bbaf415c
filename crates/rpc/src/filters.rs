//! Filters that clients poll: each is a place in the chain from where the next answer begins, so nothing is
//! kept for a client but that.
//!
//! Invariant: at most [`Settings::filters_max`], and none that nobody asked for during
//! [`Settings::filter_idle_max`](crate::Settings).

use crate::error::{failed, limit_exceeded};
use crate::id::Ids;
use crate::settings::Settings;
use alloy_primitives::U256;
use alloy_rpc_types_eth::Filter;
use jsonrpsee::types::ErrorObjectOwned;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a filter looks for.
#[derive(Clone, Debug)]
pub(crate) enum Looking {
    /// New blocks, by hash.
    Blocks,
    /// New transactions, by hash.
    Transactions,
    /// Logs.
    Logs(Arc<Filter>),
}

/// Where the next answer begins.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Place {
    /// In this block.
    pub(crate) block: u64,
    /// With this item of it.
    pub(crate) item: usize,
}

#[derive(Debug)]
struct Entry {
    looking: Looking,
    next: Place,
    asked: Instant,
}

/// The filters of all clients.
#[derive(Debug)]
pub(crate) struct Filters {
    ids: Ids,
    max: usize,
    idle_max: Duration,
    entries: Mutex<BTreeMap<U256, Entry>>,
}

impl Filters {
    /// None yet.
    pub(crate) fn new(settings: &Settings) -> Self {
        let (max, idle_max) = (settings.filters_max, settings.filter_idle_max);
        Self { ids: Ids::new(), max, idle_max, entries: Mutex::default() }
    }

    /// Keeps a new one, which begins at `block`; its name.
    pub(crate) fn add(
        &self,
        looking: Looking,
        block: u64,
        now: Instant,
    ) -> Result<U256, ErrorObjectOwned> {
        let mut entries = self.entries(now);
        if entries.len() >= self.max {
            let max = self.max;
            return Err(limit_exceeded(format!(
                "too many filters: this server keeps {max}; uninstall some, or ask eth_getLogs"
            )));
        }
        let id = U256::from(self.ids.next());
        let next = Place { block, item: 0 };
        entries.insert(id, Entry { looking, next, asked: now });
        Ok(id)
    }

    /// What a filter looks for, and where its next answer begins.
    pub(crate) fn find(
        &self,
        id: U256,
        now: Instant,
    ) -> Result<(Looking, Place), ErrorObjectOwned> {
        let mut entries = self.entries(now);
        let entry = entries.get_mut(&id).ok_or_else(|| failed("filter not found"))?;
        entry.asked = now;
        Ok((entry.looking.clone(), entry.next))
    }

    /// The answer got as far as `next`.
    pub(crate) fn advance(&self, id: U256, next: Place, now: Instant) {
        if let Some(entry) = self.entries(now).get_mut(&id) {
            entry.next = next;
        }
    }

    /// Forgets one; whether it was there.
    pub(crate) fn remove(&self, id: U256, now: Instant) -> bool {
        self.entries(now).remove(&id).is_some()
    }

    /// Those that are still asked for.
    fn entries(&self, now: Instant) -> MutexGuard<'_, BTreeMap<U256, Entry>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, entry| now.duration_since(entry.asked) < self.idle_max);
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(max: usize) -> Filters {
        Filters::new(&Settings { filters_max: max, ..Settings::default() })
    }

    #[test]
    fn a_filter_goes_on_where_the_last_answer_ended() {
        let (filters, now) = (filters(9), Instant::now());
        let id = filters.add(Looking::Blocks, 7, now).unwrap();
        let (_, next) = filters.find(id, now).unwrap();
        assert_eq!(next, Place { block: 7, item: 0 });
        filters.advance(id, Place { block: 9, item: 3 }, now);
        let (_, next) = filters.find(id, now).unwrap();
        assert_eq!(next, Place { block: 9, item: 3 });
        assert!(filters.remove(id, now));
        assert!(!filters.remove(id, now));
        assert_eq!(filters.find(id, now).unwrap_err().message(), "filter not found");
    }

    #[test]
    fn a_filter_that_nobody_asks_for_is_forgotten() {
        let (filters, start) = (filters(9), Instant::now());
        let [asked, idle] = [0, 1].map(|_| filters.add(Looking::Blocks, 0, start).unwrap());
        filters.find(asked, start + Duration::from_secs(200)).unwrap();
        let later = start + Duration::from_secs(301);
        assert!(filters.find(idle, later).is_err());
        assert!(filters.find(asked, later).is_ok());
    }

    #[test]
    fn there_are_no_more_filters_than_the_setting_allows() {
        let (filters, now) = (filters(2), Instant::now());
        let first = filters.add(Looking::Transactions, 0, now).unwrap();
        filters.add(Looking::Blocks, 0, now).unwrap();
        let error = filters.add(Looking::Blocks, 0, now).unwrap_err();
        assert_eq!(error.code(), -32005);
        filters.remove(first, now);
        assert!(filters.add(Looking::Blocks, 0, now).is_ok());
    }
}
