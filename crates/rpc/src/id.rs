//! Names of filters and subscriptions: hexadecimal as geth's, and not to be guessed by other clients.

use jsonrpsee::server::IdProvider;
use jsonrpsee::types::SubscriptionId;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Makes names: a counter under two secret keys.
#[derive(Debug)]
pub(crate) struct Ids {
    keys: [RandomState; 2],
    count: AtomicU64,
}

impl Ids {
    /// With keys of its own.
    pub(crate) fn new() -> Self {
        Self { keys: [RandomState::new(), RandomState::new()], count: AtomicU64::new(0) }
    }

    /// A number that was not given before.
    pub(crate) fn next(&self) -> u128 {
        let count = self.count.fetch_add(1, Relaxed);
        let [high, low] = &self.keys;
        u128::from(high.hash_one(count)) << 64 | u128::from(low.hash_one(count))
    }
}

impl IdProvider for Ids {
    fn next_id(&self) -> SubscriptionId<'static> {
        SubscriptionId::Str(format!("{:#x}", self.next()).into())
    }
}
