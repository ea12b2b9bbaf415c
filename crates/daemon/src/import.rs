//! Taking over the torrents of another client, with all that it knew of them.
//!
//! What is there already stays as it is, and what cannot be taken over is told, each by its name: an import
//! can be repeated.

use crate::handle::{Added, Handle, NewSource};
use crate::payload;
use crate::profile::{self, Entry, Profile};
use crate::request::{NewTorrent, Request};
use crate::shared::Shared;
use crate::source::{self, Contents};
use piecework_catalog::{Category, Command, Refusal, RefusalKind};
use piecework_profiles::Imported;
use piecework_types::InfoHashes;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Torrents that are read before they are added: their torrent files are in memory together.
const BATCH: usize = 32;

/// Whose profile it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ImportFrom {
    /// qBittorrent 4 and 5.
    Qbittorrent,
    /// Transmission 3 and 4.
    Transmission,
}

/// What is to be taken over.
#[derive(Clone, Debug)]
pub struct Import {
    /// Whose it is.
    pub from: ImportFrom,
    /// The profile's folder, on the daemon's machine.
    pub path: PathBuf,
    /// Read it all and say what would happen, and do nothing.
    pub is_dry: bool,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct ImportReport {
    /// One for each torrent of the profile.
    pub torrents: Vec<ImportedTorrent>,
    /// Categories that could not be made as they were, and why.
    pub notes: Vec<String>,
}

/// What became of one torrent of a profile.
#[derive(Clone, Debug)]
pub struct ImportedTorrent {
    /// Its name, or what the other client calls its files.
    pub name: String,
    /// How it ended.
    pub result: Result<Added, Refusal>,
}

impl Handle {
    /// Takes over a profile; what was added is written down when this returns.
    ///
    /// # Errors
    /// When there is no profile at this path. What is wrong with single torrents is in the report.
    pub async fn import(&self, import: Import) -> Result<ImportReport, Refusal> {
        let Import { from, path, is_dry } = import;
        let invalid = |text| Refusal::new(RefusalKind::Invalid, text);
        if !path.is_absolute() {
            return Err(invalid(format!("{} does not begin at the root", path.display())));
        }
        let shared = self.shared();
        let profile = shared.aside(move || profile::open(from, &path)).await?.map_err(invalid)?;
        let mut report = ImportReport::default();
        let Profile { entries, categories } = profile;
        for (name, category) in categories {
            report.notes.extend(self.import_category(&name, category, is_dry).await);
        }
        for batch in entries.chunks(BATCH) {
            let (batch, at) = (batch.to_vec(), Arc::clone(shared));
            let read = move || batch.iter().map(|entry| read(&at, from, entry)).collect::<Vec<_>>();
            for (name, new) in shared.aside(read).await? {
                let result = match new {
                    Err(refusal) => Err(refusal),
                    Ok(Found { new, .. }) if is_dry || self.has(&new) => Ok(self.foresee(&new)),
                    Ok(found) => {
                        let at = Arc::clone(shared);
                        let new = shared.aside(move || found.unmarked(&at)).await?;
                        if let Some(category) = &new.record.category {
                            let made = self.import_category(category, Category::default(), false);
                            report.notes.extend(made.await);
                        }
                        shared.ask(|reply| Request::Add { new, reply }).await
                    }
                };
                report.torrents.push(ImportedTorrent { name, result });
            }
        }
        Ok(report)
    }

    /// What adding it would answer.
    fn foresee(&self, new: &NewTorrent) -> Added {
        Added { id: new.found.info_hashes.primary(), was_there: self.has(new) }
    }

    fn has(&self, new: &NewTorrent) -> bool {
        let catalog = self.shared().read();
        let hashes = new.found.info_hashes;
        let truncated = hashes.v2.map(|v2| InfoHashes { v1: None, v2: Some(v2) });
        let names = [Some(hashes.primary()), truncated.map(|v2| v2.primary())];
        names.into_iter().flatten().any(|id| catalog.get(id).is_some())
    }

    /// Makes a category if it is not there; one whose folder may not be used gets the usual one, which is
    /// told.
    async fn import_category(
        &self,
        name: &str,
        category: Category,
        is_dry: bool,
    ) -> Option<String> {
        if self.shared().read().categories().contains_key(name) {
            return None;
        }
        let create = |category| Command::CreateCategory(name.to_owned(), category);
        let mut command = create(category);
        let refusal = if is_dry {
            let base = self.shared().read().rules().save_path.clone();
            self.shared().roots().confine_command(&mut command, &base).err()?
        } else {
            let refusal = self.command(command).await.err()?;
            if let Err(refusal) = self.command(create(Category::default())).await {
                return Some(format!("category {name} cannot be made: {}", refusal.text));
            }
            refusal
        };
        Some(format!("category {name} has the usual folder: {}", refusal.text))
    }
}

/// A torrent as it is to be added, with the name to tell of it.
fn read(shared: &Arc<Shared>, from: ImportFrom, entry: &Entry) -> (String, Result<Found, Refusal>) {
    let imported = match profile::read(from, entry) {
        Ok(imported) => imported,
        Err(text) => {
            return (entry.name.clone(), Err(Refusal::new(RefusalKind::Invalid, text)));
        }
    };
    match prepare(shared, imported) {
        Ok(found) => (found.new.record.name.clone(), Ok(found)),
        Err(refusal) => (entry.name.clone(), Err(refusal)),
    }
}

/// A torrent of a profile.
struct Found {
    new: Box<NewTorrent>,
    marked: BTreeMap<u32, String>,
    ending: Option<&'static str>,
}

impl Found {
    /// As it is to be added: its unfinished files have the names that they have with us.
    fn unmarked(self, shared: &Shared) -> Box<NewTorrent> {
        let Self { new, marked, ending } = self;
        if let Contents::Metainfo(_, metainfo) = &new.found.contents {
            payload::unmark(shared, &new.record, metainfo.info(), |file, path| {
                let ending = || ending.map(|ending| format!("{path}{ending}"));
                marked.get(&file).cloned().or_else(ending)
            });
        }
        new
    }
}

fn prepare(shared: &Arc<Shared>, imported: Imported) -> Result<Found, Refusal> {
    let Imported { mut record, metainfo, marked, ending } = imported;
    shared.roots().confine_record(&mut record)?;
    let source = match (metainfo, &record.magnet) {
        (Some(bytes), _) => NewSource::Metainfo(bytes),
        (None, Some(link)) => NewSource::Link(link.clone()),
        (None, None) => {
            let text = "there is neither a torrent file nor an info-hash for it";
            return Err(Refusal::new(RefusalKind::Invalid, text));
        }
    };
    let found = source::find(source, &shared.binding)?;
    // A name that nobody gave is the one that its metainfo has, or will have.
    let (name, is_renamed) = (std::mem::take(&mut record.name), record.is_renamed);
    if is_renamed {
        record.name.clone_from(&name);
    }
    found.describe(&mut record);
    if !is_renamed && !record.has_metainfo && !name.is_empty() {
        record.name = name;
    }
    record.is_renamed &= record.root.as_ref() != Some(&record.name);
    // It had all that it wanted once, and does not now.
    record.completed_at = record.completed_at.filter(|_| record.is_complete);
    let new = Box::new(NewTorrent { found, record, at_top: false, peers: Vec::new() });
    Ok(Found { new, marked, ending })
}
