//! Categories and tags.
//!
//! Invariant: a category or tag that a torrent names is there.

use crate::catalog::Catalog;
use crate::command::{Refusal, RefusalKind};
use crate::commands::put;
use crate::paths::{automatic, check_category, check_folders, clean_tags, quoted, set_folders};
use crate::record::{Category, TAGS_MAX};
use piecework_types::InfoHash;
use std::collections::BTreeSet;

impl Catalog {
    pub(crate) fn create_category(
        &mut self,
        name: String,
        category: Category,
    ) -> Result<(), Refusal> {
        check_category(&name)?;
        check_folders(&category)?;
        if self.categories.contains_key(&name) {
            let text = format!("there is a category {} already", quoted(&name));
            return Err(Refusal::new(RefusalKind::Conflict, text));
        }
        if self.categories.len() >= TAGS_MAX {
            let text = format!("there are {TAGS_MAX} categories already: remove one first");
            return Err(Refusal::new(RefusalKind::Full, text));
        }
        self.journal.category(&name);
        self.categories.insert(name, category);
        Ok(())
    }

    pub(crate) fn edit_category(&mut self, name: &str, category: Category) -> Result<(), Refusal> {
        check_folders(&category)?;
        self.known_category(name)?;
        if self.categories.get(name) == Some(&category) {
            return Ok(());
        }
        self.journal.category(name);
        self.categories.insert(name.to_owned(), category);
        let ids = self.those(|record| record.category.as_deref() == Some(name));
        self.follow_categories(&ids);
        Ok(())
    }

    pub(crate) fn remove_categories(&mut self, names: &[String]) -> Result<(), Refusal> {
        let known: BTreeSet<_> =
            names.iter().filter(|name| self.categories.contains_key(*name)).collect();
        if known.is_empty() {
            let Some(name) = names.first() else {
                return Err(Refusal::new(RefusalKind::Invalid, "no category is named"));
            };
            self.known_category(name)?;
        }
        for name in &known {
            self.categories.remove(*name);
            self.journal.forget_category(name);
        }
        let ids =
            self.those(|record| record.category.as_ref().is_some_and(|it| known.contains(it)));
        self.edit(&ids, None, |record| put(&mut record.category, None));
        self.follow_categories(&ids);
        Ok(())
    }

    pub(crate) fn known_category(&self, name: &str) -> Result<(), Refusal> {
        if self.categories.contains_key(name) {
            return Ok(());
        }
        let text = format!("there is no category {}", quoted(name));
        Err(Refusal::new(RefusalKind::Unknown, text))
    }

    pub(crate) fn set_category(
        &mut self,
        ids: &[InfoHash],
        category: Option<&str>,
    ) -> Result<(), Refusal> {
        if let Some(name) = category {
            self.known_category(name)?;
        }
        let ids = self.known(ids)?;
        self.edit(&ids, None, |it| put(&mut it.category, category.map(str::to_owned)));
        self.follow_categories(&ids);
        Ok(())
    }

    /// Gives torrents with automatic paths those of their category.
    pub(crate) fn follow_categories(&mut self, ids: &[InfoHash]) {
        for id in ids {
            let Some(entry) = self.torrents.get_mut(id) else { continue };
            let record = &mut entry.torrent.record;
            if !record.is_automatic {
                continue;
            }
            let name = record.category.as_ref();
            let category = name.and_then(|name| self.categories.get_key_value(name));
            let (save_path, incomplete_path) = automatic(&self.rules, category);
            if set_folders(record, save_path, incomplete_path) {
                entry.unstick();
                self.mark(*id);
                self.settle(*id);
            }
        }
    }

    /// Tags as they would be made, unless they cannot be.
    pub(crate) fn check_tags(&self, tags: &BTreeSet<String>) -> Result<BTreeSet<String>, Refusal> {
        let tags = clean_tags(tags)?;
        let new = tags.difference(&self.tags).count();
        if self.tags.len() + new > TAGS_MAX {
            let text = format!("there would be more than {TAGS_MAX} tags: delete some first");
            return Err(Refusal::new(RefusalKind::Full, text));
        }
        Ok(tags)
    }

    /// Tags to choose from; new ones are made.
    pub(crate) fn make_tags(
        &mut self,
        tags: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, Refusal> {
        let tags = self.check_tags(tags)?;
        for tag in &tags {
            if self.tags.insert(tag.clone()) {
                self.journal.tag(tag);
            }
        }
        Ok(tags)
    }

    pub(crate) fn add_tags(
        &mut self,
        ids: &[InfoHash],
        tags: &BTreeSet<String>,
    ) -> Result<(), Refusal> {
        let ids = self.known(ids)?;
        let tags = self.make_tags(tags)?;
        self.edit(&ids, None, |record| {
            let before = record.tags.len();
            record.tags.extend(tags.iter().cloned());
            record.tags.len() != before
        });
        Ok(())
    }

    pub(crate) fn set_tags(
        &mut self,
        ids: &[InfoHash],
        tags: &BTreeSet<String>,
    ) -> Result<(), Refusal> {
        let ids = self.known(ids)?;
        let tags = self.make_tags(tags)?;
        self.edit(&ids, None, |record| put(&mut record.tags, tags.clone()));
        Ok(())
    }

    pub(crate) fn remove_tags(
        &mut self,
        ids: &[InfoHash],
        tags: &BTreeSet<String>,
    ) -> Result<(), Refusal> {
        let tags: BTreeSet<&str> = tags.iter().map(|tag| tag.trim()).collect();
        self.edit_known(ids, None, |record| {
            let before = record.tags.len();
            record.tags.retain(|tag| !tags.is_empty() && !tags.contains(tag.as_str()));
            record.tags.len() != before
        })
    }

    pub(crate) fn delete_tags(&mut self, tags: &BTreeSet<String>) -> Result<(), Refusal> {
        let gone: BTreeSet<&str> = tags.iter().map(|tag| tag.trim()).collect();
        for tag in &gone {
            if self.tags.remove(*tag) {
                self.journal.forget_tag(tag);
            }
        }
        let has_any = |tags: &BTreeSet<String>| tags.iter().any(|tag| gone.contains(tag.as_str()));
        let ids = self.those(|record| has_any(&record.tags));
        self.edit(&ids, None, |record| {
            record.tags.retain(|tag| !gone.contains(tag.as_str()));
            true
        });
        Ok(())
    }
}
