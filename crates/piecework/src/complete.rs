//! Names of a running daemon's torrents for the shell, while a command is typed.

use crate::args::client::ClientArgs;
use crate::args::daemon::PlaceArg;
use crate::client::{Client, printable};
use crate::torrents::{self, Named};
use clap_complete::CompletionCandidate;
use std::ffi::OsStr;
use std::path::PathBuf;

/// Candidates that are offered.
const CANDIDATES_MAX: usize = 200;

/// Digits of an info-hash that stand for a torrent whose name a shell would act upon.
const DIGITS: usize = 12;

/// Torrents whose name or info-hash begins like the word that is being typed; none where no daemon answers.
pub(crate) fn torrents(current: &OsStr) -> Vec<CompletionCandidate> {
    let path = |name| std::env::var_os(name).map(PathBuf::from);
    let text = |name| std::env::var(name).ok();
    let place = PlaceArg { data_dir: path("PIECEWORK_DATA_DIR"), config: path("PIECEWORK_CONFIG") };
    let args = ClientArgs { place, url: text("PIECEWORK_URL"), key: text("PIECEWORK_KEY") };
    let list = Client::new(&args).and_then(|client| torrents::names(&client));
    candidates(&current.to_string_lossy(), &list.unwrap_or_default())
        .into_iter()
        .map(|(value, name)| CompletionCandidate::new(value).help(Some(name.into())))
        .collect()
}

/// What to put into the command line, and the name to show beside it.
fn candidates(current: &str, list: &[Named]) -> Vec<(String, String)> {
    let current_lower = current.to_lowercase();
    let offered = |torrent: &Named| {
        let value = match is_plain(&torrent.name) {
            true => torrent.name.clone(),
            false => torrent.id.chars().take(DIGITS).collect(),
        };
        let is_by_name = torrent.name.to_lowercase().starts_with(&current_lower);
        if is_by_name && value.to_lowercase().starts_with(&current_lower) {
            return Some((value, printable(&torrent.name)));
        }
        let is_by_id = !current.is_empty() && torrent.id.starts_with(&current_lower);
        is_by_id.then(|| (torrent.id.clone(), printable(&torrent.name)))
    };
    list.iter().filter_map(offered).take(CANDIDATES_MAX).collect()
}

/// A word to every shell, whatever stands before it: a name is a stranger's, and must not become a command.
fn is_plain(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_alphanumeric() || "._-+".contains(letter);
    !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> Vec<Named> {
        let named = |id: &str, name: &str| Named { id: id.into(), name: name.into() };
        vec![
            named("00ff00ff00ff00ff", "debian-12.iso"),
            named("11ff00ff00ff00ff", "$(reboot)"),
            named("22ff00ff00ff00ff", "Two words"),
        ]
    }

    fn values(current: &str) -> Vec<String> {
        candidates(current, &list()).into_iter().map(|(value, _)| value).collect()
    }

    #[test]
    fn names_are_offered_and_what_a_shell_would_act_upon_is_not() {
        assert_eq!(values(""), ["debian-12.iso", "11ff00ff00ff", "22ff00ff00ff"]);
        assert_eq!(values("Deb"), ["debian-12.iso"]);
        assert_eq!(values("$("), [""; 0]);
        assert_eq!(values("22F"), ["22ff00ff00ff00ff"]);
    }
}
