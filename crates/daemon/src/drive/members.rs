//! What each torrent is doing in the engine.

use crate::source::info_hashes;
use piecework_catalog::{Catalog, Record};
use piecework_node::TorrentKey;
use piecework_types::{InfoHash, InfoHashes};
use std::collections::BTreeMap;

/// A torrent that is in the engine, or that something is done with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Member {
    /// A thread loads it.
    Loading {
        /// It is to be taken out again, once that is done.
        is_unwanted: bool,
        /// See [`Self::Running`].
        is_seed_only: bool,
    },
    /// The engine takes part in it.
    Running {
        /// What the engine calls it.
        key: TorrentKey,
        /// Nothing that is missing is fetched.
        is_seed_only: bool,
    },
    /// The engine is letting go of it.
    Ending(Next),
    /// Its files are being deleted.
    Forgetting {
        /// It was added once more, and is to be loaded.
        is_wanted: bool,
    },
}

/// What follows the end of a torrent in the engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// Nobody waits for it.
    Nothing,
    /// The catalog does.
    Unloaded,
    /// It is loaded again.
    Load,
}

/// Other names of torrents than their id: hybrid ones have two.
#[derive(Debug, Default)]
pub(super) struct Names {
    ids: BTreeMap<InfoHash, InfoHash>,
}

impl Names {
    pub(super) fn of(catalog: &Catalog) -> Self {
        let mut names = Self::default();
        catalog.torrents().for_each(|torrent| names.insert(torrent.id(), torrent.record()));
        names
    }

    fn insert(&mut self, id: InfoHash, record: &Record) {
        if let Some(info_hashes) = info_hashes(record) {
            self.insert_all(id, info_hashes);
        }
    }

    pub(super) fn insert_all(&mut self, id: InfoHash, info_hashes: InfoHashes) {
        let others = info_hashes.iter().filter(|name| *name != id);
        self.ids.extend(others.map(|name| (name, id)));
    }

    /// Forgets the names of torrents that have gone.
    pub(super) fn retain(&mut self, catalog: &Catalog) {
        self.ids.retain(|_, id| catalog.get(*id).is_some());
    }

    /// The torrent that has one of these names, if there is one.
    pub(super) fn find(&self, catalog: &Catalog, info_hashes: InfoHashes) -> Option<InfoHash> {
        let named = |name| {
            if catalog.get(name).is_some() { Some(name) } else { self.ids.get(&name).copied() }
        };
        info_hashes.iter().find_map(named)
    }
}
