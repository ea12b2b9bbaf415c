//! Several changes at once, all of them or none: each is looked at before the first is carried out.
//!
//! Invariant: what [`Catalog::check_change`] lets pass cannot fail afterwards, whatever of the others came
//! before it. That holds because each kind comes once, and no kind decides about another.

use crate::catalog::Catalog;
use crate::command::{Command, Refusal, RefusalKind};
use crate::edits::checked_name;
use crate::moment::Moment;
use crate::paths::clean_folder;
use std::mem::{Discriminant, discriminant};

impl Catalog {
    pub(crate) fn change_all(
        &mut self,
        changes: Vec<Command>,
        moment: Moment,
    ) -> Result<(), Refusal> {
        let mut kinds: Vec<Discriminant<Command>> = Vec::new();
        for change in &changes {
            let kind = discriminant(change);
            if kinds.contains(&kind) {
                let text = "one change is asked for twice at once: send them one after the other";
                return Err(Refusal::new(RefusalKind::Invalid, text));
            }
            kinds.push(kind);
            self.check_change(change)?;
        }
        changes.into_iter().try_for_each(|change| self.obey(change, moment))
    }

    /// Why a change cannot be carried out, if so.
    fn check_change(&self, change: &Command) -> Result<(), Refusal> {
        match change {
            Command::Rename(id, name) => {
                self.known(&[*id])?;
                checked_name(name).map(drop)
            }
            Command::SetCategory(ids, category) => {
                self.known(ids)?;
                category.as_ref().map_or(Ok(()), |name| self.known_category(name))
            }
            Command::SetTags(ids, tags) => {
                self.known(ids)?;
                self.check_tags(tags).map(drop)
            }
            Command::SetSavePath(ids, folder) => {
                self.known(ids)?;
                clean_folder(folder).map(drop)
            }
            Command::SetIncompletePath(ids, folder) => {
                self.known(ids)?;
                folder.as_ref().map_or(Ok(()), |folder| clean_folder(folder).map(drop))
            }
            Command::RenameFiles(id, files) => self.check_renames(*id, files),
            Command::SetPriorities(id, files) => self.check_new_priorities(*id, files),
            Command::SetAutomatic(ids, _)
            | Command::SetShareLimits { ids, .. }
            | Command::SetDownLimit(ids, _)
            | Command::SetUpLimit(ids, _)
            | Command::SetSequential(ids, _)
            | Command::SetEdgesFirst(ids, _)
            | Command::SetSuperSeed(ids, _) => self.known(ids).map(drop),
            _ => {
                let text = "only changes of torrents can be asked for together";
                Err(Refusal::new(RefusalKind::Invalid, text))
            }
        }
    }
}
