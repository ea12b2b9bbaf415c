//! Addresses that are refused, from run to run: what people banned. Peers that broke rules are banned by the
//! engine alone, until it ends.

use crate::shared::Shared;
use crate::store::StoreError;
use piecework_catalog::{Refusal, RefusalKind};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Addresses that people banned; the engine remembers no more.
pub const BANS_MAX: usize = 10_000;

/// The name of their entry in the catalog file.
const ENTRY: &str = "bans";

/// The addresses as all handles share them.
#[derive(Default)]
pub(crate) struct BanRoom(Mutex<BTreeSet<IpAddr>>);

impl BanRoom {
    /// Takes over what an earlier run left.
    pub(crate) fn load(&self, shared: &Shared) -> Result<(), StoreError> {
        let bans: BTreeSet<IpAddr> = shared.store.entry(ENTRY)?.unwrap_or_default();
        if let Some(engine) = shared.engine() {
            bans.iter().for_each(|address| engine.ban(*address));
        }
        *self.lock() = bans;
        Ok(())
    }

    /// All of them.
    pub(crate) fn all(&self) -> BTreeSet<IpAddr> {
        self.lock().clone()
    }

    /// Changes them and writes them down, or leaves them as they were.
    pub(crate) fn change(
        &self,
        shared: &Shared,
        change: impl FnOnce(&mut BTreeSet<IpAddr>),
    ) -> Result<(), Refusal> {
        let mut bans = self.lock();
        let mut next = bans.clone();
        change(&mut next);
        let next: BTreeSet<IpAddr> = next.iter().map(IpAddr::to_canonical).collect();
        if next.len() > BANS_MAX {
            let text = format!("no more than {BANS_MAX} addresses can be banned: lift some first");
            return Err(Refusal::new(RefusalKind::Full, text));
        }
        shared.store.keep(ENTRY, &next).map_err(|error| {
            let text =
                format!("the bans cannot be written down, so they stay as they were: {error}");
            Refusal::new(RefusalKind::Failed, text)
        })?;
        if let Some(engine) = shared.engine() {
            bans.difference(&next).for_each(|address| engine.lift_ban(*address));
            next.difference(&bans).for_each(|address| engine.ban(*address));
        }
        *bans = next;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<IpAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
