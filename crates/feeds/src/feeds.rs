//! Feeds and rules: when a server is asked, and which of its links are new and wanted.

use crate::parse::Item;
use crate::rule::{Matcher, Rule, RuleError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Feeds.
pub const FEEDS_MAX: usize = 500;

/// Rules.
pub const RULES_MAX: usize = 1_000;

/// Items of a feed that are remembered as seen: more than a feed shows at once.
pub const SEEN_MAX: usize = 4_000;

/// Characters of a name.
const NAME_CHARS_MAX: usize = 255;

/// Seconds between two questions to a server at least, and after a failure at most.
const INTERVAL_MIN: u64 = 60;
const BACKOFF_MAX: u64 = 6 * 3600;

/// How often a link is tried that cannot be had.
const TRIES_MAX: u32 = 3;

const DAY: u64 = 24 * 3600;

/// A feed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Feed {
    /// Where it is. It may hold a secret.
    pub url: String,
    /// Minutes between two looks.
    pub interval_minutes: u32,
    /// Unix seconds of the last look that ended well.
    pub seen_at: Option<u64>,
    /// Why the last look failed.
    pub error: Option<String>,
    /// What the server called that version, to ask for newer ones only (`ETag`).
    pub etag: Option<String>,
    /// When that version was made, in the server's words (`Last-Modified`).
    pub modified: Option<String>,
    /// Looks that failed since the last one that did not.
    pub failures: u32,
    /// When it is looked at again, unix seconds.
    pub due_at: u64,
    /// The ids of items that have been seen, oldest first, as 64-bit fingerprints.
    pub seen: VecDeque<u64>,
    /// Fingerprints of items that could not be had, and how often that was.
    pub tries: BTreeMap<u64, u32>,
    /// What it offered last, newest first, for people to choose from.
    #[serde(skip)]
    pub items: Vec<Item>,
}

/// What a server said.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Nothing new since the version that was named.
    Unchanged,
    /// Items with what to name this version by.
    Items {
        /// In the feed's order.
        items: Vec<Item>,
        /// `ETag`.
        etag: Option<String>,
        /// `Last-Modified`.
        modified: Option<String>,
    },
    /// It could not be had: why.
    Failed(String),
}

/// A link that a rule wants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// What the feed knows it by.
    pub id: String,
    /// Where it leads.
    pub link: String,
    /// What people call it.
    pub title: String,
    /// Which rule wants it.
    pub rule: String,
    /// Which feed offered it.
    pub feed: String,
}

/// Why a change is not made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FeedError {
    /// There is a maximum.
    #[error("there are {0} already, which is the most; remove one first")]
    Full(usize),
    /// Names are what rules and people use.
    #[error("{0:?} is no name: 1 to {NAME_CHARS_MAX} characters, none of them a control character")]
    Name(String),
    /// Only these can be asked.
    #[error("a feed's address begins with http:// or https://")]
    Address,
    /// Nobody has that name.
    #[error("there is no {0} called {1:?}")]
    Unknown(&'static str, String),
    /// The rule makes no sense.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

/// All feeds and rules by name.
#[derive(Clone, Debug, Default)]
pub struct Feeds {
    feeds: BTreeMap<String, Feed>,
    rules: BTreeMap<String, (Rule, Matcher)>,
    /// When a rule last took something, unix seconds.
    taken_at: BTreeMap<String, u64>,
}

/// [`Feeds`] as they are written down.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Written {
    feeds: BTreeMap<String, Feed>,
    rules: BTreeMap<String, Rule>,
    taken_at: BTreeMap<String, u64>,
}

impl Serialize for Feeds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rules = self.rules.iter().map(|(name, (rule, _))| (name.clone(), rule.clone()));
        let rules = rules.collect();
        let (feeds, taken_at) = (self.feeds.clone(), self.taken_at.clone());
        Written { feeds, rules, taken_at }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Feeds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { feeds, rules, taken_at } = Written::deserialize(deserializer)?;
        let mut read = Self { feeds, taken_at, ..Self::default() };
        for (name, rule) in rules {
            read.set_rule(&name, rule).map_err(serde::de::Error::custom)?;
        }
        Ok(read)
    }
}

impl Feeds {
    /// Feeds by name.
    pub const fn feeds(&self) -> &BTreeMap<String, Feed> {
        &self.feeds
    }

    /// Rules by name.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &Rule)> {
        self.rules.iter().map(|(name, (rule, _))| (name.as_str(), rule))
    }

    /// Adds a feed or changes its address and interval. It is looked at next. What it offers at the first
    /// look is offered to the rules.
    ///
    /// # Errors
    /// When there are too many, or name or address make no sense.
    pub fn set_feed(
        &mut self,
        name: &str,
        url: &str,
        interval_minutes: u32,
    ) -> Result<(), FeedError> {
        check_name(name)?;
        if !["http://", "https://"].iter().any(|start| url.starts_with(start)) {
            return Err(FeedError::Address);
        }
        if self.feeds.len() >= FEEDS_MAX && !self.feeds.contains_key(name) {
            return Err(FeedError::Full(FEEDS_MAX));
        }
        let feed = self.feeds.entry(name.to_owned()).or_default();
        if feed.url != url {
            *feed = Feed {
                url: url.to_owned(),
                seen: std::mem::take(&mut feed.seen),
                ..Feed::default()
            };
        }
        feed.interval_minutes = interval_minutes;
        feed.due_at = 0;
        Ok(())
    }

    /// Forgets a feed.
    ///
    /// # Errors
    /// When there is none of the name.
    pub fn remove_feed(&mut self, name: &str) -> Result<(), FeedError> {
        let known = self.feeds.remove(name).map(drop);
        known.ok_or_else(|| FeedError::Unknown("feed", name.to_owned()))
    }

    /// Adds a rule or puts another in its place.
    ///
    /// # Errors
    /// When there are too many, or its patterns cannot be read.
    pub fn set_rule(&mut self, name: &str, rule: Rule) -> Result<(), FeedError> {
        check_name(name)?;
        if self.rules.len() >= RULES_MAX && !self.rules.contains_key(name) {
            return Err(FeedError::Full(RULES_MAX));
        }
        let matcher = Matcher::new(&rule)?;
        self.rules.insert(name.to_owned(), (rule, matcher));
        Ok(())
    }

    /// Forgets a rule.
    ///
    /// # Errors
    /// When there is none of the name.
    pub fn remove_rule(&mut self, name: &str) -> Result<(), FeedError> {
        self.taken_at.remove(name);
        let known = self.rules.remove(name).map(drop);
        known.ok_or_else(|| FeedError::Unknown("rule", name.to_owned()))
    }

    /// The feeds to ask now; each is due again only after [`Self::answered`].
    pub fn due(&self, unix: u64) -> impl Iterator<Item = (&str, &Feed)> {
        let is_due = move |(_, feed): &(&String, &Feed)| feed.due_at <= unix;
        self.feeds.iter().filter(is_due).map(|(name, feed)| (name.as_str(), feed))
    }

    /// When the next feed is due, unix seconds.
    pub fn next_due(&self) -> Option<u64> {
        self.feeds.values().map(|feed| feed.due_at).min()
    }

    /// Looks at a feed as soon as possible.
    ///
    /// # Errors
    /// When there is none of the name.
    pub fn refresh(&mut self, name: &str) -> Result<(), FeedError> {
        let feed = self.feeds.get_mut(name);
        let feed = feed.ok_or_else(|| FeedError::Unknown("feed", name.to_owned()))?;
        feed.due_at = 0;
        Ok(())
    }

    /// Takes what a server said; gives the links that are new and wanted, each once however many rules want
    /// it.
    pub fn answered(&mut self, name: &str, answer: Answer, unix: u64) -> Vec<Wanted> {
        let Some(feed) = self.feeds.get_mut(name) else { return Vec::new() };
        let interval = (u64::from(feed.interval_minutes) * 60).max(INTERVAL_MIN);
        let items = match answer {
            Answer::Failed(error) => {
                feed.failures = feed.failures.saturating_add(1);
                let factor = 1_u64 << feed.failures.min(16);
                let pause = INTERVAL_MIN.saturating_mul(factor).min(BACKOFF_MAX.max(interval));
                (feed.error, feed.due_at) = (Some(error), unix.saturating_add(pause));
                return Vec::new();
            }
            Answer::Unchanged => Vec::new(),
            Answer::Items { items, etag, modified } => {
                (feed.etag, feed.modified) = (etag, modified);
                feed.items.clone_from(&items);
                items
            }
        };
        (feed.error, feed.failures) = (None, 0);
        (feed.seen_at, feed.due_at) = (Some(unix), unix.saturating_add(interval));
        let known: BTreeSet<u64> = feed.seen.iter().copied().collect();
        let mut fresh = Vec::new();
        for item in items {
            let print = fingerprint(&item.id);
            if !known.contains(&print) {
                feed.seen.push_back(print);
                fresh.push(item);
            }
        }
        let surplus = feed.seen.len().saturating_sub(SEEN_MAX);
        feed.seen.drain(..surplus);
        let still: BTreeSet<u64> = feed.seen.iter().copied().collect();
        feed.tries.retain(|print, _| still.contains(print));
        fresh.into_iter().filter_map(|item| self.choose(name, item, unix)).collect()
    }

    /// A wanted link could not be had: it is given again with the feed's next answer, a few times.
    pub fn failed(&mut self, wanted: &Wanted) {
        let Some(feed) = self.feeds.get_mut(&wanted.feed) else { return };
        let print = fingerprint(&wanted.id);
        let tries = feed.tries.entry(print).or_default();
        *tries += 1;
        if *tries < TRIES_MAX {
            feed.seen.retain(|seen| *seen != print);
            // An answer that has not changed would not name it again.
            (feed.etag, feed.modified) = (None, None);
            self.taken_at.remove(&wanted.rule);
        }
    }

    /// What the rules, as they are now, would take of what a feed offered last. Nothing is marked as seen.
    pub fn preview(&self, rule: &Rule) -> Result<Vec<(&str, &Item)>, FeedError> {
        let matcher = Matcher::new(rule)?;
        let offered = self.feeds.iter().filter(|(name, _)| looks_at(rule, name));
        let items = offered
            .flat_map(|(name, feed)| feed.items.iter().map(move |item| (name.as_str(), item)));
        Ok(items.filter(|(_, item)| matcher.matches(&item.title)).collect())
    }

    /// The first rule that wants an item.
    fn choose(&mut self, feed: &str, item: Item, unix: u64) -> Option<Wanted> {
        let taken_at = &self.taken_at;
        let is_paused = |name: &str, rule: &Rule| {
            let pause = u64::from(rule.pause_days).saturating_mul(DAY);
            taken_at.get(name).is_some_and(|at| unix < at.saturating_add(pause))
        };
        let (rule, _) = self.rules.iter().find(|(name, (rule, matcher))| {
            !rule.is_off
                && looks_at(rule, feed)
                && !is_paused(name, rule)
                && matcher.matches(&item.title)
        })?;
        let rule = rule.clone();
        self.taken_at.insert(rule.clone(), unix);
        Some(Wanted {
            id: item.id,
            link: item.link,
            title: item.title,
            rule,
            feed: feed.to_owned(),
        })
    }
}

fn looks_at(rule: &Rule, feed: &str) -> bool {
    rule.feeds.is_empty() || rule.feeds.contains(feed)
}

fn check_name(name: &str) -> Result<(), FeedError> {
    let length = name.chars().count();
    let is_good = (1..=NAME_CHARS_MAX).contains(&length) && !name.chars().any(char::is_control);
    if is_good { Ok(()) } else { Err(FeedError::Name(name.chars().take(NAME_CHARS_MAX).collect())) }
}

/// 64 bits that stand for an id (FNV-1a): of a feed's thousands no two share them in any likely case, and
/// those that do cost one item.
fn fingerprint(id: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    id.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests;
