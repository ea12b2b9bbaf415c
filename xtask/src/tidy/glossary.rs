//! One word per thing: reads the refused synonyms from GLOSSARY.md and finds them elsewhere.
//!
//! Names are compared as words, not as text: `PeerId`, `peer_id`, `peer-ids` and "peer id" are the same
//! two words. So a synonym is refused in every dress, and no part of a longer word ever is.

use super::Found;

/// The refused synonyms and what to say instead.
#[derive(Debug, Default)]
pub(crate) struct Glossary {
    refused: Vec<Refused>,
}

#[derive(Debug)]
struct Refused {
    words: Vec<String>,
    instead: String,
}

impl Glossary {
    /// Reads every table of `text` that has the columns `word | meaning | not`.
    ///
    /// # Errors
    /// When no such table refuses anything, for then the check would pass by checking nothing.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut refused = Vec::new();
        let mut in_table = false;
        for line in text.lines() {
            let cells: Vec<&str> =
                line.trim().trim_matches('|').split('|').map(str::trim).collect();
            match cells[..] {
                ["word", "meaning", "not"] => in_table = true,
                [word, _, not] if in_table => refused.extend(refusals(word, not)),
                _ => in_table = false,
            }
        }
        if refused.is_empty() {
            return Err(
                "GLOSSARY.md has no table `word | meaning | not` that refuses a word".into()
            );
        }
        Ok(Self { refused })
    }

    /// Every refused synonym in `text`.
    pub(crate) fn check(&self, text: &str) -> Vec<Found> {
        let mut found = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            let words = split_words(line);
            let hits = self.refused.iter().filter(|refused| contains(&words, &refused.words));
            found.extend(hits.map(|refused| {
                let advice = format!("say {}", refused.instead);
                Found::new(number, format!("\"{}\"", refused.words.join(" ")), advice)
            }));
        }
        found
    }
}

/// The prose of a markdown text: code blocks and code spans are blanked, lines stay.
pub(crate) fn prose(markdown: &str) -> String {
    let mut fenced = false;
    let mut prose = String::with_capacity(markdown.len());
    for line in markdown.lines() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if !fenced && !fence && !line.starts_with("    ") {
            prose.extend(line.split('`').step_by(2).flat_map(|part| [part, " "]));
        }
        prose.push('\n');
    }
    prose
}

fn refusals(word: &str, not: &str) -> Vec<Refused> {
    let instead = word.replace('*', "");
    let synonyms = not.split(',').map(|synonym| split_words(synonym.trim_matches(['`', ' '])));
    let named = synonyms.filter(|words| !words.is_empty());
    named.map(|words| Refused { words, instead: instead.clone() }).collect()
}

/// `maxInFlight_peers` is `max in flight peers`.
fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    for char in text.chars() {
        if !char.is_alphanumeric() || (char.is_uppercase() && before.is_lowercase()) {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        }
        if char.is_alphanumeric() {
            word.extend(char.to_lowercase());
        }
        before = char;
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// Whether `wanted` stands in `words`; the last one also in the plural.
fn contains(words: &[String], wanted: &[String]) -> bool {
    let Some((last, first)) = wanted.split_last() else { return false };
    words.windows(wanted.len()).any(|window| {
        let (end, start) = (&window[first.len()], &window[..first.len()]);
        let plural = end.strip_suffix('s').is_some_and(|singular| singular == last);
        start == first && (end == last || plural)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# G\n| word | meaning | not |\n|---|---|---|\n\
        | block | 16 KiB | `sub-lump`, sublump |\n| peer | remote |  |\n\ntext | a | b\n";

    fn found(text: &str) -> Vec<String> {
        let glossary = Glossary::parse(TABLE).expect("the table refuses two words");
        glossary.check(text).into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn a_synonym_is_refused_in_every_dress() {
        for dress in ["SubLump", "sub_lump_count", "Sub-lumps of", "a sub lump"] {
            assert_eq!(found(dress), ["\"sub lump\""], "{dress}");
        }
        assert_eq!(found("let sublumps = 1;"), ["\"sublump\""]);
    }

    #[test]
    fn other_words_pass() {
        assert!(found("block, lump, sub, sublumpful, lump sub, --- , meaning").is_empty());
    }

    #[test]
    fn a_glossary_that_refuses_nothing_is_an_error() {
        assert!(
            Glossary::parse("# G\n\n| word | meaning | not |\n|---|---|---|\n| a | b | |").is_err()
        );
        assert!(Glossary::parse("").is_err());
    }

    #[test]
    fn prose_has_no_code_and_keeps_its_lines() {
        let text = "say `sublump`\n```\nsublump\n```\n    sublump\nsub lump";
        assert_eq!(prose(text).lines().count(), 6);
        assert_eq!(found(&prose(text)), ["\"sub lump\""]);
    }
}
