//! What is wrong with a value of a setting, and where a value came from.

use std::fmt;

/// Where a value came from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Origin {
    /// Nobody said anything.
    #[default]
    Default,
    /// A line of the settings file, or of the one for changes at run time.
    File {
        /// Which file.
        path: String,
        /// Counted from 1.
        line: usize,
    },
    /// It was changed while the daemon runs, and is written down.
    RunTime,
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::RunTime => f.write_str("changed at run time"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// A value that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{origin}: {text}")]
pub struct Problem {
    /// Where it stands.
    pub origin: Origin,
    /// Which setting, where that is known.
    pub key: Option<String>,
    /// Cause and remedy.
    pub text: String,
}

/// The known word that is closest to one that is not known, if any is close.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Keys are short. What is long is nobody's slip.
    if word.len() > 100 {
        return None;
    }
    let scored = known.map(|known| (distance(word, known), known));
    let (distance, known) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= word.len().max(known.len()) / 3).then_some(known)
}

/// How many letters have to be put in, left out or changed (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut before = row[0];
        row[0] = line + 1;
        for (column, other) in to.iter().enumerate() {
            let changed = before + usize::from(letter != *other);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_left_out_put_in_and_changed_are_counted() {
        for (from, to, count) in
            [("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("same", "same", 0)]
        {
            assert_eq!(distance(from, to), count, "{from} {to}");
        }
    }

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let known = || ["queue.downloads_max", "queue.on"].into_iter();
        assert_eq!(nearest("queue.download_max", known()), Some("queue.downloads_max"));
        assert_eq!(nearest("something.else", known()), None);
        assert_eq!(nearest(&"q".repeat(1 << 20), known()), None);
    }
}
