//! Writing down what changed, all of it in one transaction.

use super::Driver;
use crate::news::{Level, code};
use crate::store::Lists;
use piecework_catalog::{Refusal, RefusalKind};
use std::time::{Duration, Instant};

/// Between two tries while the store cannot be written.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What nobody waits for is written down, and acted upon, together with what follows it within this time: a
/// thousand torrents that have been loaded are no reason for a thousand flushes.
const GATHER_FOR: Duration = Duration::from_millis(100);

impl Driver {
    /// Writes down what changed and answers those who wait for it. False while that fails, and while more
    /// is gathered.
    pub(super) fn write_down(&mut self) -> bool {
        self.gather();
        let is_soon = self.retry_at.is_some_and(|at| at > Instant::now());
        if is_soon && self.answers.is_empty() && !self.is_stopping {
            return false;
        }
        if self.changes.is_empty() && self.retry_at.is_none() && !self.is_stopping {
            self.answer_all(None);
            return true;
        }
        self.write_at.get_or_insert_with(|| Instant::now() + GATHER_FOR);
        if self.gathers() {
            return false;
        }
        self.commit()
    }

    /// Whether what changed waits for what follows it, and nothing is done about it before.
    pub(super) fn gathers(&self) -> bool {
        // The store itself is read for metainfo.
        let may_wait = self.answers.is_empty()
            && self.changes.are_records_alone()
            && self.retry_at.is_none()
            && !self.is_stopping;
        may_wait && self.write_at.is_some_and(|at| at > Instant::now())
    }

    /// Why nothing can be changed now, if so. A store that failed is tried once more before that is said.
    pub(super) fn refuses_changes(&mut self) -> Option<Refusal> {
        if self.retry_at.is_none() || self.commit() {
            return None;
        }
        let text = "nothing can be changed while the catalog cannot be written down: make room on its drive; \
                    the latest news have the cause";
        Some(Refusal::new(RefusalKind::Failed, text))
    }

    fn commit(&mut self) -> bool {
        self.write_at = None;
        self.changes.bytes = self.shared.all_bytes(self.engine.totals());
        match self.shared.store.commit(&self.changes) {
            Ok(()) => {
                self.changes = Default::default();
                if self.retry_at.take().is_some() {
                    let text = "the catalog is written down again".to_owned();
                    self.shared.news.tell(Level::Info, None, code::STORE_RECOVERED, text);
                }
                self.answer_all(None);
                true
            }
            Err(error) => {
                let text = format!(
                    "cannot write the catalog down: {error}; make room on its drive, what changed is kept \
                     in memory and tried again"
                );
                if self.retry_at.is_none() {
                    self.shared.news.tell(Level::Error, None, code::STORE_FAILED, text.clone());
                }
                self.retry_at = Some(Instant::now() + RETRY_AFTER);
                self.answer_all(Some(&Refusal::new(RefusalKind::Failed, text)));
                false
            }
        }
    }

    fn answer_all(&mut self, refusal: Option<&Refusal>) {
        for answer in std::mem::take(&mut self.answers) {
            answer(refusal);
        }
    }

    /// Collects what the catalog wants written down.
    fn gather(&mut self) {
        let mut catalog = self.shared.write();
        let dirty = catalog.dirty();
        let mut has_gone = false;
        for &id in &dirty {
            match catalog.get(id) {
                Some(torrent) => {
                    self.changes.removed.remove(&id);
                    self.changes.records.insert(id, torrent.record().clone());
                }
                None => {
                    self.changes.records.remove(&id);
                    self.changes.removed.insert(id, self.deletes.remove(&id));
                    has_gone = true;
                    self.first_peers.remove(&id);
                    let text = "a torrent was removed".to_owned();
                    self.shared.news.tell(Level::Info, Some(id), code::TORRENT_REMOVED, text);
                }
            }
        }
        if has_gone {
            self.names.retain(&catalog);
        }
        let lists = &self.lists;
        let is_same = lists.is_alternative == catalog.is_alternative()
            && lists.categories == *catalog.categories()
            && lists.tags == *catalog.tags();
        if !is_same {
            self.lists = Lists {
                categories: catalog.categories().clone(),
                tags: catalog.tags().clone(),
                is_alternative: catalog.is_alternative(),
            };
            self.changes.lists = Some(self.lists.clone());
        }
    }
}
