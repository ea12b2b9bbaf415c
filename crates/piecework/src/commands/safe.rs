//! `piecework backup` and `piecework restore`: all of a daemon but the payload, in one encrypted file.
//!
//! The entries of the file have the names of files below `data/` and `state/`, and `settings`. Keys by which
//! clients of this machine find a daemon are not among them: they are made anew.

mod backup;
mod restore;

pub(crate) use backup::run as backup;
pub(crate) use restore::run as restore;

use piecework_ledger::LEDGER_FILE;
use std::path::{Component, Path};

/// Names below the data folder that are put away. Downloads may lie beside them.
const DATA: &[&str] = &["catalog.redb", "access.json", piecework_settings::OVERLAY_FILE, "resume"];
/// Folders of the state folder that are put away, beside the files that lie in it.
const STATE: &[&str] = &["wallet", "chain"];
/// The entry of the settings file.
const SETTINGS: &str = "settings";

/// Files of a chain that `piecework chain backup` copies while it runs, or that it makes anew; locks; and the
/// ledger, of which a copy is put away that says that it is one.
fn is_left_out(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_of_chain = path.starts_with("chain")
        && (name.starts_with("blocks.log") || name.starts_with("state.redb"));
    // The state folder has several files of locks: `locks`, `locks-1` and so on.
    let is_locks = name.strip_prefix("locks").is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix('-').is_some_and(|number| number.parse::<u8>().is_ok())
    });
    let is_of_ledger = name.starts_with(LEDGER_FILE);
    is_of_chain || is_of_ledger || is_locks || name == "lock" || name.ends_with(".lock")
}

/// Whether an entry may become a file: below its folder, whatever the backup says.
fn is_plain(name: &str) -> bool {
    let path = Path::new(name);
    name == SETTINGS
        || ((path.starts_with("data") || path.starts_with("state"))
            && path.components().count() > 1
            && path.components().all(|part| matches!(part, Component::Normal(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_lies_below_its_folder_or_is_refused() {
        for name in ["settings", "data/catalog.redb", "state/wallet/keystore.json"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", "/etc/passwd", "data", "data/../x", "data/./../x", "other/x", "../data/x"]
        {
            assert!(!is_plain(name), "{name}");
        }
    }

    #[test]
    fn blocks_and_locks_stay_and_what_a_chain_keeps_secret_comes_along() {
        for name in ["chain/blocks.log", "chain/blocks.log.new", "chain/state.redb", "chain/lock"] {
            assert!(is_left_out(Path::new(name)), "{name}");
        }
        for name in ["ledger.db", "ledger.db-wal", "ledger.db.7.backup"] {
            assert!(is_left_out(Path::new(name)), "{name}");
        }
        for name in ["resume/locks", "locks-1", "locks-63"] {
            assert!(is_left_out(Path::new(name)), "{name}");
        }
        for name in [
            "locks-of-mine",
            "locksmith",
            "chain/network.json",
            "chain/sealer.json",
            "wallet/keystore.json",
        ] {
            assert!(!is_left_out(Path::new(name)), "{name}");
        }
    }
}
