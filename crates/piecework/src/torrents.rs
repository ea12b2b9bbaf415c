//! Torrents of a running daemon as people name them: by the beginning of an info-hash, or a part of a name.

use crate::client::{Client, printable};
use crate::failure::Failure;
use serde_json::Value;

/// Names that are told when one does not suffice.
const TOLD_MAX: usize = 5;

/// A torrent to choose.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Named {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// All torrents of the daemon.
pub(crate) fn names(client: &Client) -> Result<Vec<Named>, Failure> {
    let list = all(client, "id,name")?;
    let text = |torrent: &Value, key| torrent.get(key)?.as_str().map(str::to_owned);
    Ok(list
        .iter()
        .filter_map(|torrent| {
            Some(Named { id: text(torrent, "id")?, name: text(torrent, "name")? })
        })
        .collect())
}

/// All torrents with these fields.
pub(crate) fn all(client: &Client, fields: &str) -> Result<Vec<Value>, Failure> {
    let list = client.get(&format!("/torrents?fields={fields}"))?;
    Ok(list.get("torrents").and_then(Value::as_array).cloned().unwrap_or_default())
}

/// The one that is meant.
pub(crate) fn one(client: &Client, word: &str) -> Result<Named, Failure> {
    choose(word, &names(client)?).cloned()
}

/// Those that are meant; all of them for no word at all.
pub(crate) fn some(client: &Client, words: &[String]) -> Result<Vec<Named>, Failure> {
    let list = names(client)?;
    if words.is_empty() {
        return Ok(list);
    }
    let mut chosen: Vec<Named> = Vec::new();
    for word in words {
        let torrent = choose(word, &list)?;
        if !chosen.contains(torrent) {
            chosen.push(torrent.clone());
        }
    }
    Ok(chosen)
}

fn choose<'a>(word: &str, list: &'a [Named]) -> Result<&'a Named, Failure> {
    let lower = word.to_lowercase();
    let is_hash = word.len() >= 4 && word.bytes().all(|it| it.is_ascii_hexdigit());
    let by = |is: &dyn Fn(&Named) -> bool| list.iter().filter(|it| is(it)).collect::<Vec<_>>();
    // What is exact wins over what is a part.
    let tries: [&dyn Fn(&Named) -> bool; 4] = [
        &|torrent| torrent.id == lower,
        &|torrent| torrent.name == word,
        &|torrent| is_hash && torrent.id.starts_with(&lower),
        &|torrent| !lower.is_empty() && torrent.name.to_lowercase().contains(&lower),
    ];
    for is in tries {
        match by(is)[..] {
            [] => {}
            [torrent] => return Ok(torrent),
            ref several => return Err(ambiguous(word, several)),
        }
    }
    let word = printable(word);
    Err(Failure::new(format!("no torrent is called {word}; `piecework list` shows all")))
}

fn ambiguous(word: &str, several: &[&Named]) -> Failure {
    let told = several.iter().take(TOLD_MAX);
    let told: Vec<String> = told
        .map(|it| format!("{} ({})", printable(&it.name), it.id.get(..12).unwrap_or(&it.id)))
        .collect();
    let more = if several.len() > TOLD_MAX { ", ..." } else { "" };
    Failure::new(format!(
        "{} torrents are called {}: {}{more}; say more of the name, or the info-hash",
        several.len(),
        printable(word),
        told.join(", "),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn list() -> Vec<Named> {
        let named = |id: &str, name: &str| Named { id: id.into(), name: name.into() };
        vec![
            named("abcd00000000000000", "Debian 12"),
            named("abcd11111111111111", "Debian 12 source"),
            named("ef0011111111111111", "cafe"),
            named("cafe11111111111111", "\u{1b}[31mred"),
        ]
    }

    fn id(word: &str) -> Result<String, String> {
        choose(word, &list()).map(|it| it.id.clone()).map_err(|failure| failure.text)
    }

    #[test]
    fn a_torrent_is_named_by_what_only_it_has() {
        assert_eq!(id("ABCD0").unwrap(), "abcd00000000000000");
        assert_eq!(id("SOURCE").unwrap(), "abcd11111111111111");
        assert_eq!(id("Debian 12").unwrap(), "abcd00000000000000");
        assert_eq!(id("cafe").unwrap(), "ef0011111111111111");
        assert_eq!(id("cafe1").unwrap(), "cafe11111111111111");
    }

    #[test]
    fn what_is_not_clear_is_told_without_control_characters() {
        let told = id("debian").unwrap_err();
        assert!(told.contains("2 torrents") && told.contains("abcd11111111"), "{told}");
        assert!(id("abcd").unwrap_err().contains("2 torrents"));
        assert!(id("nothing").unwrap_err().contains("piecework list"));
        assert!(id("").unwrap_err().contains("no torrent"));
        let told = id("e").unwrap_err();
        assert!(!told.contains('\u{1b}'), "{told}");
    }
}
