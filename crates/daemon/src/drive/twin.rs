//! Twins: two torrents of the catalog that turn out to be one, such as the magnets of the two names of a
//! hybrid torrent.
//!
//! Invariant: one of them goes on, the one whose metainfo came first. The other stands still and says why,
//! with all that people said of it, until they remove it; its trackers and web seeds serve the first one too.

use super::Driver;
use super::members::names_of;
use crate::news::{Level, code};
use piecework_catalog::{Command, Moment, Outcome};
use piecework_types::{InfoHash, InfoHashes};
use std::collections::BTreeSet;

impl Driver {
    /// What is wrong with a torrent whose twin has its metainfo already.
    pub(super) fn twin_trouble(&self, id: InfoHash) -> Option<String> {
        let first = self.names.owner(id)?;
        let catalog = self.shared.read();
        let torrent = catalog.get(first).filter(|torrent| torrent.record().has_metainfo)?;
        let name = &torrent.record().name;
        Some(format!("it is the same torrent as {name} ({first}), which goes on: remove this one"))
    }

    /// The twin of a torrent with these names that has its metainfo already.
    pub(super) fn first_twin(&self, id: InfoHash, names: InfoHashes) -> Option<InfoHash> {
        let catalog = self.shared.read();
        let has_it =
            |twin: &InfoHash| catalog.get(*twin).is_some_and(|it| it.record().has_metainfo);
        let twins = names.iter().chain(self.names.owner(id)).filter(|twin| *twin != id);
        twins.into_iter().find(has_it)
    }

    /// Takes over what twins of a torrent know that has its metainfo, and has them stand still.
    pub(super) fn stop_twins(&mut self, first: InfoHash, names: InfoHashes, moment: Moment) {
        let twins: BTreeSet<_> = names.iter().filter(|name| *name != first).collect();
        for twin in twins {
            let catalog = self.shared.read();
            let Some(torrent) = catalog.get(twin) else { continue };
            let record = torrent.record();
            let trackers = record.trackers.clone().unwrap_or_default();
            let web_seeds = record.web_seeds.clone();
            drop(catalog);
            let more = Command::AddAgain { id: first, trackers, web_seeds };
            let taken = self.catalog().command(more, moment);
            drop(taken.inspect_err(|refusal| tracing::warn!(%refusal, "the trackers of a twin")));
            self.stop_twin(twin, moment);
        }
    }

    /// Has a torrent stand still whose twin goes on. One that is not loaded hears of it when it is to be.
    pub(super) fn stop_twin(&mut self, id: InfoHash, moment: Moment) {
        if self.members.contains_key(&id)
            && let Some(text) = self.twin_trouble(id)
        {
            self.tell_twin(id, &text);
            self.catalog().report(id, Outcome::Failed(text), moment);
        }
    }

    /// The engine takes no name twice: it has to let go of a twin first.
    pub(super) fn has_loaded_twin(&self, id: InfoHash) -> bool {
        let catalog = self.shared.read();
        let Some(torrent) = catalog.get(id) else { return false };
        let mut names = names_of(torrent.record()).filter(|name| *name != id);
        names.any(|name| self.members.contains_key(&name))
    }

    /// Loads those that waited for that.
    pub(super) fn load_after_twins(&mut self, moment: Moment) {
        let waiting = self.after_twins.iter().copied();
        let free: Vec<_> = waiting.filter(|id| !self.has_loaded_twin(*id)).collect();
        for id in free {
            self.after_twins.remove(&id);
            self.gone(id, moment);
        }
    }

    /// Says it once.
    pub(super) fn tell_twin(&self, id: InfoHash, text: &str) {
        let is_told = |error: &String| error == text;
        let catalog = self.shared.read();
        let record = catalog.get(id).map(piecework_catalog::Torrent::record);
        if !record.is_some_and(|record| record.error.as_ref().is_some_and(is_told)) {
            self.shared.news.tell(Level::Error, Some(id), code::TORRENT_FAILED, text.to_owned());
        }
    }
}
