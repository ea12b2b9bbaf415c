//! A rule: which items of which feeds are wanted, and what becomes of them.

use crate::episode::{EpisodeFilter, EpisodeFilterError};
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Characters of a pattern.
pub const PATTERN_CHARS_MAX: usize = 1_000;

/// Bytes that a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A rule as people write it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// It is not followed.
    pub is_off: bool,
    /// Names of the feeds it looks at; all if empty.
    pub feeds: BTreeSet<String>,
    /// What titles must have: all words, `*` and `?` as in file names, `|` between alternatives. Everything
    /// if empty.
    pub wants: String,
    /// What titles must not have, in the same form. Nothing if empty.
    pub refuses: String,
    /// The two above are regular expressions.
    pub is_regex: bool,
    /// Which episodes; all if empty. See [`EpisodeFilter`].
    pub episodes: String,
    /// Days after a match in which nothing more is taken; 0 for none.
    pub pause_days: u32,
    /// Category of what is taken.
    pub category: Option<String>,
    /// Tags of what is taken.
    pub tags: BTreeSet<String>,
    /// Folder of what is taken, instead of the usual one.
    pub save_path: Option<String>,
    /// What is taken waits for a person to start it.
    pub adds_stopped: bool,
}

/// Why a rule makes no sense.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// A pattern is longer than [`PATTERN_CHARS_MAX`].
    #[error("a pattern has more than {PATTERN_CHARS_MAX} characters")]
    Long,
    /// A regular expression cannot be read.
    #[error("cannot read the regular expression: {0}")]
    Pattern(String),
    /// The episodes cannot be read.
    #[error(transparent)]
    Episodes(#[from] EpisodeFilterError),
}

/// A rule that is ready to match.
#[derive(Clone, Debug)]
pub(crate) struct Matcher {
    wants: Option<Pattern>,
    refuses: Option<Pattern>,
    episodes: Option<EpisodeFilter>,
}

impl Matcher {
    pub(crate) fn new(rule: &Rule) -> Result<Self, RuleError> {
        let episodes = match rule.episodes.trim() {
            "" => None,
            text => Some(text.parse()?),
        };
        Ok(Self {
            wants: Pattern::new(&rule.wants, rule.is_regex)?,
            refuses: Pattern::new(&rule.refuses, rule.is_regex)?,
            episodes,
        })
    }

    pub(crate) fn matches(&self, title: &str) -> bool {
        self.wants.as_ref().is_none_or(|pattern| pattern.matches(title))
            && !self.refuses.as_ref().is_some_and(|pattern| pattern.matches(title))
            && self.episodes.as_ref().is_none_or(|episodes| episodes.wants(title))
    }
}

/// Alternatives, each of expressions that must all be found.
#[derive(Clone, Debug)]
struct Pattern(Vec<Vec<Regex>>);

impl Pattern {
    fn new(text: &str, is_regex: bool) -> Result<Option<Self>, RuleError> {
        if text.chars().count() > PATTERN_CHARS_MAX {
            return Err(RuleError::Long);
        }
        if text.trim().is_empty() {
            return Ok(None);
        }
        if is_regex {
            return Ok(Some(Self(vec![vec![compile(text)?]])));
        }
        let alternative =
            |words: &str| words.split_whitespace().map(|it| compile(&glob(it))).collect();
        let alternatives: Result<Vec<Vec<_>>, _> = text.split('|').map(alternative).collect();
        let mut alternatives = alternatives?;
        alternatives.retain(|words| !words.is_empty());
        Ok(Some(Self(alternatives)))
    }

    fn matches(&self, title: &str) -> bool {
        self.0.iter().any(|words| words.iter().all(|word| word.is_match(title)))
    }
}

/// A word with `*` and `?` as an expression.
fn glob(word: &str) -> String {
    word.chars().fold(String::new(), |mut pattern, letter| {
        match letter {
            '*' => pattern.push_str(".*"),
            '?' => pattern.push('.'),
            _ => pattern.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4]))),
        }
        pattern
    })
}

fn compile(pattern: &str) -> Result<Regex, RuleError> {
    let mut builder = RegexBuilder::new(pattern);
    builder.case_insensitive(true).size_limit(PATTERN_BYTES_MAX).nest_limit(50);
    builder.build().map_err(|error| RuleError::Pattern(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rule(wants: &str, refuses: &str) -> Matcher {
        let (wants, refuses) = (wants.into(), refuses.into());
        Matcher::new(&Rule { wants, refuses, ..Rule::default() }).unwrap()
    }

    #[test]
    fn all_words_of_one_alternative_must_be_there_in_any_order_and_case() {
        let matcher = rule("linux 2026*iso | BSD", "beta");
        assert!(matcher.matches("A Linux of 2026 as ISO") && matcher.matches("2026.iso of LINUX"));
        assert!(matcher.matches("freebsd 15"));
        assert!(!matcher.matches("linux of 2025.iso") && !matcher.matches("bsd beta"));
        assert!(rule("", "").matches("anything"));
        assert!(rule("a.b", "").matches("xa.bx") && !rule("a.b", "").matches("axb"));
    }

    #[test]
    fn a_regular_expression_is_one_and_one_that_cannot_be_read_is_told() {
        let with = |wants: &str| Rule { wants: wants.into(), is_regex: true, ..Rule::default() };
        let matcher = Matcher::new(&with(r"^show\.s0[12]e\d+")).unwrap();
        assert!(matcher.matches("Show.S02E05.mkv") && !matcher.matches("a show.s02e05"));
        assert!(matches!(Matcher::new(&with("(")), Err(RuleError::Pattern(_))));
        assert!(matches!(Matcher::new(&with("(a{1000}){1000}")), Err(RuleError::Pattern(_))));
        assert_eq!(Matcher::new(&with(&"a".repeat(1001))).unwrap_err(), RuleError::Long);
    }
}
