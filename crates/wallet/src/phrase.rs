//! Recovery phrases (BIP-39, English): random bytes as words that a person can write down.
//!
//! A text is brought into one form before anything is derived from it, so that capitals, another Unicode form
//! or extra blanks give the same wallet; and its words and checksum are checked before too, so that a slip of
//! the pen gives an error and never another, empty wallet.

use crate::{RandomFault, random};
use bip39::{Error, Language, Mnemonic};
use std::borrow::Cow;
use std::fmt;
use thiserror::Error;
use zeroize::Zeroizing;

/// How many words a phrase has here.
pub const WORD_COUNTS: [usize; 2] = [12, 24];

/// Characters of a phrase at most; 24 words have at most 215.
const CHARS_MAX: usize = 4096;
/// Slips that a suggestion may mend.
const SLIPS_MAX: usize = 2;
/// Words suggested at most.
const MEANT_MAX: usize = 3;
/// Letters of a wrong word that are looked at; the longest of the list has eight.
const LETTERS_MAX: usize = 16;

/// A phrase whose words and checksum are right. It is wiped from memory, and not shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Phrase(Mnemonic);

impl Phrase {
    /// The phrase of 16 random bytes (12 words) or 32 (24 words).
    ///
    /// # Errors
    /// For any other number of bytes.
    pub fn new(entropy: &[u8]) -> Result<Self, PhraseFault> {
        let words = entropy.len() * 3 / 4;
        let has_length = entropy.len().is_multiple_of(4) && WORD_COUNTS.contains(&words);
        let phrase = Mnemonic::from_entropy_in(Language::English, entropy).ok();
        phrase.filter(|_| has_length).map(Self).ok_or(PhraseFault::WordCount { got: words })
    }

    /// Draws 12 new words, or 24.
    ///
    /// # Errors
    /// For any other number of words, and when the system gives no randomness.
    pub fn draw(words: usize) -> Result<Self, PhraseFault> {
        match words {
            12 => Self::new(&*random::<16>()?),
            24 => Self::new(&*random::<32>()?),
            got => Err(PhraseFault::WordCount { got }),
        }
    }

    /// Reads a phrase in any case, any Unicode form, with any blanks.
    ///
    /// # Errors
    /// When the number of words is wrong, one of them is not in the list, or their checksum is wrong.
    pub fn parse(text: &str) -> Result<Self, PhraseFault> {
        if text.chars().nth(CHARS_MAX).is_some() {
            return Err(PhraseFault::Long);
        }
        let text = normal_form(text);
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        if !WORD_COUNTS.contains(&words.len()) {
            return Err(PhraseFault::WordCount { got: words.len() });
        }
        let unknown = words.iter().position(|word| Language::English.find_word(word).is_none());
        if let Some(at) = unknown {
            return Err(PhraseFault::UnknownWord { place: at + 1, meant: alike(words[at]) });
        }
        match Mnemonic::parse_in_normalized(Language::English, &text) {
            Ok(phrase) => Ok(Self(phrase)),
            Err(Error::InvalidChecksum) => Err(PhraseFault::Checksum),
            Err(_) => Err(PhraseFault::WordCount { got: words.len() }),
        }
    }

    /// The words, in order: to be shown once, to the person who owns them.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.0.words()
    }

    /// The 64 bytes that all keys are derived from. An empty passphrase is none.
    #[must_use]
    pub fn seed(&self, passphrase: &str) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.0.to_seed(passphrase))
    }
}

impl fmt::Debug for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phrase(..)")
    }
}

/// Why a text is no phrase. It repeats none of its words.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PhraseFault {
    /// Another number of words.
    #[error("a phrase has 12 or 24 words, got {got}")]
    WordCount {
        /// How many came.
        got: usize,
    },
    /// A text that no phrase is as long as.
    #[error("a phrase has 12 or 24 words, this text is over {CHARS_MAX} characters long")]
    Long,
    /// A word that is not in the list.
    #[error("word {place} is not in the list of words{}", question(meant))]
    UnknownWord {
        /// From 1.
        place: usize,
        /// Words of the list that look like it.
        meant: [Option<&'static str>; MEANT_MAX],
    },
    /// Words of the list that do not belong together.
    #[error(
        "each word is in the list, but together they are no phrase (wrong checksum): \
         two are swapped, or one is another word of the list"
    )]
    Checksum,
    /// Nothing to draw words from.
    #[error(transparent)]
    Random(#[from] RandomFault),
}

fn question(meant: &[Option<&str>]) -> String {
    let words: Vec<&str> = meant.iter().copied().flatten().collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => format!("; did you mean {last}?"),
        Some((last, others)) => format!("; did you mean {} or {last}?", others.join(", ")),
    }
}

/// NFKD, lower case, one blank between two words.
fn normal_form(text: &str) -> Zeroizing<String> {
    let mut text = Cow::Borrowed(text);
    Mnemonic::normalize_utf8_cow(&mut text);
    let lower = Zeroizing::new(text.to_lowercase());
    Zeroizing::new(lower.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The words of the list that are the fewest slips away; else the one that begins with the same four letters,
/// which no two words of the list share.
fn alike(word: &str) -> [Option<&'static str>; MEANT_MAX] {
    let letters: Vec<char> = word.chars().take(LETTERS_MAX).collect();
    let list = Language::English.word_list();
    let fewest = list.iter().map(|listed| slips(&letters, listed)).min().unwrap_or_default();
    let start: String = letters.iter().take(4).collect();
    let is_alike = |listed: &&&str| match fewest <= SLIPS_MAX {
        true => slips(&letters, listed) == fewest,
        false => letters.len() >= 4 && listed.starts_with(&start),
    };
    let mut alike = list.iter().filter(is_alike).copied();
    std::array::from_fn(|_| alike.next())
}

/// Letters to change, insert or leave out to make one word of the other (Levenshtein).
fn slips(letters: &[char], listed: &str) -> usize {
    let mut row: Vec<usize> = (0..=letters.len()).collect();
    for (at, letter) in listed.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in letters.iter().enumerate() {
            let changed = diagonal + usize::from(*other != letter);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[letters.len()]
}
