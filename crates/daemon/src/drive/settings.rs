//! Settings that change while the daemon runs.

use super::Driver;
use crate::daemon::roots;
use crate::request::Reply;
use piecework_catalog::{Command, Moment, Refusal, RefusalKind};
use piecework_settings::Change;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

impl Driver {
    pub(super) fn set(
        &mut self,
        changes: &[(String, String)],
        reply: Reply<Vec<String>>,
        moment: Moment,
    ) {
        match self.try_set(changes, moment) {
            Ok(needs_restart) => self.answer(reply, needs_restart),
            Err(refusal) => drop(reply.send(Err(refusal))),
        }
    }

    fn try_set(
        &self,
        changes: &[(String, String)],
        moment: Moment,
    ) -> Result<Vec<String>, Refusal> {
        let present = Arc::clone(&self.shared.settings.borrow());
        let Change { settings, needs_restart, .. } = present.set(changes).map_err(|problems| {
            let texts: Vec<_> = problems.into_iter().map(|problem| problem.text).collect();
            Refusal::new(RefusalKind::Invalid, texts.join("; "))
        })?;
        let roots = roots(&settings)?;
        self.shared.market.check(&settings)?;
        replace(&self.shared.overlay, settings.overlay().as_bytes()).map_err(|error| {
            let path = self.shared.overlay.display();
            let text = format!("cannot write {path}: {error}; is its drive full or read-only?");
            Refusal::new(RefusalKind::Failed, text)
        })?;
        self.catalog().command(Command::SetRules(Box::new(settings.rules())), moment)?;
        self.shared.set_roots(roots);
        self.shared.market.follow(&settings);
        self.shared.settings.send_replace(Arc::new(settings));
        Ok(needs_restart.into_iter().map(str::to_owned).collect())
    }
}

/// Puts a file in place of another, so that one of the two is there whatever happens.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    File::open(folder)?.sync_all()
}
