//! What each torrent is doing in the engine.

use crate::source::info_hashes;
use piecework_catalog::{Catalog, Record};
use piecework_node::TorrentKey;
use piecework_types::{InfoHash, InfoHashes, Sha1Digest};
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

/// All names of a torrent that its record knows.
pub(super) fn names_of(record: &Record) -> impl Iterator<Item = InfoHash> + use<> {
    let other = record.other_name.as_deref().and_then(|name| name.parse::<Sha1Digest>().ok());
    let known = info_hashes(record);
    known.into_iter().flat_map(|it| it.iter()).chain(other.map(|name| InfoHash(name.0)))
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
        let others = names_of(record).filter(|name| *name != id);
        self.ids.extend(others.map(|name| (name, id)));
    }

    pub(super) fn insert_all(&mut self, id: InfoHash, info_hashes: InfoHashes) {
        let others = info_hashes.iter().filter(|name| *name != id);
        self.ids.extend(others.map(|name| (name, id)));
    }

    /// Forgets the names of torrents that have gone.
    pub(super) fn retain(&mut self, catalog: &Catalog) {
        self.ids.retain(|_, id| catalog.get(*id).is_some());
    }

    /// The torrent that has this name besides its id.
    pub(super) fn owner(&self, name: InfoHash) -> Option<InfoHash> {
        self.ids.get(&name).copied().filter(|id| *id != name)
    }

    /// The torrent that has one of these names, if there is one. Of two it is the one whose metainfo is
    /// known.
    pub(super) fn find(&self, catalog: &Catalog, info_hashes: InfoHashes) -> Option<InfoHash> {
        let named = |name| match catalog.get(name) {
            Some(_) => Some(name),
            None => self.ids.get(&name).copied(),
        };
        let knows = |id: &InfoHash| catalog.get(*id).is_some_and(|it| it.record().has_metainfo);
        let found = || info_hashes.iter().filter_map(named);
        found().find(knows).or_else(|| found().next())
    }
}
