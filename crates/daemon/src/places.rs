//! Where payload may lie: below one of the roots, whatever a path says.
//!
//! Owns the roots. Invariant: a path that [`Roots::confine`] gives is absolute, has no `..`, and what of
//! it exists has no symlink that leads out. It looks at folders and makes none.

use piecework_catalog::{Category, Command, Record, Refusal, RefusalKind};
use std::io;
use std::path::{Component, Path, PathBuf};

/// The folders that payload may be saved in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roots {
    roots: Vec<PathBuf>,
}

impl Roots {
    /// Roots that need not be there yet.
    ///
    /// # Errors
    /// When one is not absolute or cannot be looked at.
    pub(crate) fn new(roots: &[PathBuf]) -> Result<Self, Refusal> {
        let roots = roots.iter().map(|root| settle(root)).collect::<Result<_, _>>()?;
        Ok(Self { roots })
    }

    pub(crate) fn list(&self) -> &[PathBuf] {
        &self.roots
    }

    /// The path as it really is.
    ///
    /// # Errors
    /// [`RefusalKind::Forbidden`] when it lies outside; what [`settle`] says.
    pub(crate) fn confine(&self, path: &str) -> Result<String, Refusal> {
        let settled = settle(Path::new(path))?;
        if !self.roots.iter().any(|root| settled.starts_with(root)) {
            let roots: Vec<_> = self.roots.iter().map(|root| root.display().to_string()).collect();
            let text = format!(
                "{path} lies outside of the folders that may be used: {}; choose a folder below \
                 one of them, or add it to torrents.roots in the settings",
                roots.join(", ")
            );
            return Err(Refusal::new(RefusalKind::Forbidden, text));
        }
        settled.into_os_string().into_string().map_err(|path| {
            let text = format!("{} is no text in UTF-8; choose another folder", path.display());
            Refusal::new(RefusalKind::Invalid, text)
        })
    }

    /// The same for all paths of a command, in place. `base` is the folder that categories lie below.
    ///
    /// # Errors
    /// As [`Self::confine`].
    pub(crate) fn confine_command(&self, command: &mut Command, base: &str) -> Result<(), Refusal> {
        match command {
            Command::Add { record, .. } => self.confine_record(record),
            Command::SetSavePath(_, path) | Command::SetIncompletePath(_, Some(path)) => {
                self.confine_in_place(path)
            }
            Command::All(changes) => {
                changes.iter_mut().try_for_each(|change| self.confine_command(change, base))
            }
            Command::CreateCategory(name, category) | Command::EditCategory(name, category) => {
                self.confine_category(name, category, base)
            }
            Command::SetRules(rules) => {
                self.confine_in_place(&mut rules.save_path)?;
                rules.incomplete_path.as_mut().map_or(Ok(()), |path| self.confine_in_place(path))
            }
            _ => Ok(()),
        }
    }

    /// The same for the folders of a record, as far as it has any.
    pub(crate) fn confine_record(&self, record: &mut Record) -> Result<(), Refusal> {
        if !record.save_path.is_empty() {
            self.confine_in_place(&mut record.save_path)?;
        }
        record.incomplete_path.as_mut().map_or(Ok(()), |path| self.confine_in_place(path))
    }

    /// Paths of categories stay as they were written, as they follow the folder of all.
    fn confine_category(&self, name: &str, of: &Category, base: &str) -> Result<(), Refusal> {
        let below = |path: &str| self.confine(&Path::new(base).join(path).to_string_lossy());
        below(if of.save_path.is_empty() { name } else { &of.save_path })?;
        of.incomplete_path.as_deref().map_or(Ok(()), |path| below(path).map(drop))
    }

    fn confine_in_place(&self, path: &mut String) -> Result<(), Refusal> {
        *path = self.confine(path)?;
        Ok(())
    }
}

/// Whether [`Roots::confine_command`] has something to look at.
pub(crate) fn has_path(command: &Command) -> bool {
    if let Command::All(changes) = command {
        return changes.iter().any(has_path);
    }
    matches!(
        command,
        Command::Add { .. }
            | Command::SetSavePath(..)
            | Command::SetIncompletePath(..)
            | Command::CreateCategory(..)
            | Command::EditCategory(..)
            | Command::SetRules(_)
    )
}

/// Resolves what exists of a path and keeps the rest.
///
/// # Errors
/// When it is not absolute, goes up, or cannot be looked at.
fn settle(path: &Path) -> Result<PathBuf, Refusal> {
    let invalid = |why: &str| {
        Refusal::new(RefusalKind::Invalid, format!("{} {why}; give another path", path.display()))
    };
    if !path.is_absolute() {
        return Err(invalid("does not begin at the root of the file system"));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(invalid("goes up by .."));
    }
    for ancestor in path.ancestors() {
        match ancestor.canonicalize() {
            Ok(real) => {
                let rest = path.strip_prefix(ancestor).unwrap_or_else(|_| Path::new(""));
                // Joining nothing would leave a slash at the end.
                let is_all = rest.as_os_str().is_empty();
                return Ok(if is_all { real } else { real.join(rest) });
            }
            // A symlink to nothing would be followed once somebody makes what it points to.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && ancestor.symlink_metadata().is_err() => {}
            Err(error) => return Err(invalid(&format!("cannot be looked at: {error}"))),
        }
    }
    Err(invalid("has no beginning"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_path_outside_of_the_roots_is_forbidden_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let root = real.join("root");
        std::fs::create_dir_all(root.join("there")).unwrap();
        symlink(&real, root.join("out")).unwrap();
        symlink(real.join("nowhere"), root.join("dangling")).unwrap();
        symlink(root.join("there"), real.join("in")).unwrap();
        let roots = Roots::new(std::slice::from_ref(&root)).unwrap();
        let confined = |path: &Path| {
            let confined = roots.confine(path.to_str().unwrap());
            confined.map(PathBuf::from).map_err(|refusal| refusal.kind)
        };
        assert_eq!(confined(&root), Ok(root.clone()));
        assert_eq!(confined(&root.join("there/new/deep")), Ok(root.join("there/new/deep")));
        assert_eq!(confined(&real.join("in/new")), Ok(root.join("there/new")));
        assert_eq!(confined(&real), Err(RefusalKind::Forbidden));
        assert_eq!(confined(&real.join("roots")), Err(RefusalKind::Forbidden));
        assert_eq!(confined(&root.join("out/x")), Err(RefusalKind::Forbidden));
        assert_eq!(confined(&root.join("dangling/x")), Err(RefusalKind::Invalid));
        assert_eq!(confined(&root.join("there/../../x")), Err(RefusalKind::Invalid));
        assert_eq!(confined(Path::new("there")), Err(RefusalKind::Invalid));
        let nowhere = Roots::default();
        assert_eq!(nowhere.confine("/tmp").unwrap_err().kind, RefusalKind::Forbidden);
    }

    #[test]
    fn categories_may_not_lead_out_either() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let base = root.to_str().unwrap();
        let roots = Roots::new(std::slice::from_ref(&root)).unwrap();
        let create = |name: &str, save_path: &str| {
            let category = Category { save_path: save_path.to_owned(), incomplete_path: None };
            let mut command = Command::CreateCategory(name.to_owned(), category);
            roots.confine_command(&mut command, base).map_err(|refusal| refusal.kind)
        };
        assert_eq!(create("tv", ""), Ok(()));
        assert_eq!(create("tv", "series"), Ok(()));
        assert_eq!(create("tv", "/"), Err(RefusalKind::Forbidden));
        assert_eq!(create("../tv", ""), Err(RefusalKind::Invalid));
        assert_eq!(create("tv", "../x"), Err(RefusalKind::Invalid));
    }
}
