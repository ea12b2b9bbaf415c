//! What changed since when: a revision for each field of each torrent, found by the revision.

use crate::field::{Field, Value};
use crate::field_set::FieldSet;
use crate::record::Category;
use crate::torrent::Torrent;
use piecework_types::InfoHash;
use std::collections::{BTreeMap, VecDeque};

/// A number that grows with every change. It goes on growing from run to run, so that one of an earlier run
/// is older than all of this one.
pub type Revision = u64;

/// Things that went and are remembered, of each kind. Who asks for what was before gets everything.
const GONE_MAX: usize = 10_000;

/// For each field of a torrent what it held, as a fingerprint, and when that changed.
#[derive(Clone, Debug)]
pub(crate) struct Marks {
    prints: Box<[u64; Field::ALL.len()]>,
    since: Box<[Revision; Field::ALL.len()]>,
    last: Revision,
}

impl Marks {
    pub(crate) fn new() -> Self {
        Self {
            prints: Box::new([0; Field::ALL.len()]),
            since: Box::new([0; Field::ALL.len()]),
            last: 0,
        }
    }

    /// The fields that changed after a revision.
    fn changed(&self, after: Revision) -> FieldSet {
        Field::ALL.iter().copied().filter(|field| self.since[*field as usize] > after).collect()
    }
}

/// All that is remembered of changes.
#[derive(Debug)]
pub(crate) struct Journal {
    revision: Revision,
    /// Before this nothing is known.
    oldest: Revision,
    torrents: BTreeMap<Revision, InfoHash>,
    gone: VecDeque<(Revision, InfoHash)>,
    categories: BTreeMap<String, Revision>,
    gone_categories: VecDeque<(Revision, String)>,
    tags: BTreeMap<String, Revision>,
    gone_tags: VecDeque<(Revision, String)>,
}

impl Journal {
    /// An empty one whose revisions come after `start`.
    pub(crate) fn new(start: Revision) -> Self {
        Self {
            revision: start,
            oldest: start,
            torrents: BTreeMap::new(),
            gone: VecDeque::new(),
            categories: BTreeMap::new(),
            gone_categories: VecDeque::new(),
            tags: BTreeMap::new(),
            gone_tags: VecDeque::new(),
        }
    }

    pub(crate) const fn revision(&self) -> Revision {
        self.revision
    }

    /// Something changed that is no torrent's: whoever waits for a newer revision looks again.
    pub(crate) const fn raise(&mut self) {
        self.revision += 1;
    }

    /// Compares some fields of a torrent with what was known of them, of a new one all.
    pub(crate) fn observe(&mut self, torrent: &Torrent, marks: &mut Marks, fields: FieldSet) {
        let next = self.revision + 1;
        let mut has_changed = false;
        let fields = if marks.last == 0 { FieldSet::ALL } else { fields };
        for field in fields.iter() {
            let print = fingerprint(&torrent.value(field));
            let slot = field as usize;
            if marks.since[slot] == 0 || (marks.prints[slot] != print && !field.is_timed()) {
                (marks.prints[slot], marks.since[slot]) = (print, next);
                has_changed = true;
            }
        }
        if has_changed {
            if marks.since[Field::Stage as usize] == next {
                for field in [Field::ActiveSeconds, Field::SeedingSeconds] {
                    marks.since[field as usize] = next;
                }
            }
            self.torrents.remove(&marks.last);
            self.torrents.insert(next, torrent.id());
            (marks.last, self.revision) = (next, next);
        }
    }

    pub(crate) fn forget(&mut self, id: InfoHash, marks: &Marks) {
        self.revision += 1;
        self.torrents.remove(&marks.last);
        remember(&mut self.gone, (self.revision, id), &mut self.oldest);
    }

    pub(crate) fn category(&mut self, name: &str) {
        self.revision += 1;
        self.categories.insert(name.to_owned(), self.revision);
    }

    pub(crate) fn forget_category(&mut self, name: &str) {
        self.revision += 1;
        self.categories.remove(name);
        remember(&mut self.gone_categories, (self.revision, name.to_owned()), &mut self.oldest);
    }

    pub(crate) fn tag(&mut self, name: &str) {
        self.revision += 1;
        self.tags.insert(name.to_owned(), self.revision);
    }

    pub(crate) fn forget_tag(&mut self, name: &str) {
        self.revision += 1;
        self.tags.remove(name);
        remember(&mut self.gone_tags, (self.revision, name.to_owned()), &mut self.oldest);
    }

    /// Whether all changes after a revision are known.
    pub(crate) const fn covers(&self, after: Revision) -> bool {
        after >= self.oldest && after <= self.revision
    }

    /// The torrents that changed after a revision, oldest change first.
    pub(crate) fn torrents(&self, after: Revision) -> impl Iterator<Item = InfoHash> {
        self.torrents.range(after + 1..).map(|(_, id)| *id)
    }

    pub(crate) fn gone(&self, after: Revision) -> Vec<InfoHash> {
        since(&self.gone, after)
    }

    pub(crate) fn categories(&self, after: Revision) -> impl Iterator<Item = &str> {
        let changed = move |(_, revision): &(&String, &Revision)| **revision > after;
        self.categories.iter().filter(changed).map(|(name, _)| name.as_str())
    }

    pub(crate) fn gone_categories(&self, after: Revision) -> Vec<String> {
        since(&self.gone_categories, after)
    }

    pub(crate) fn tags(&self, after: Revision) -> impl Iterator<Item = &str> {
        let changed = move |(_, revision): &(&String, &Revision)| **revision > after;
        self.tags.iter().filter(changed).map(|(name, _)| name.as_str())
    }

    pub(crate) fn gone_tags(&self, after: Revision) -> Vec<String> {
        since(&self.gone_tags, after)
    }

    /// Which fields of a torrent changed after a revision.
    pub(crate) fn fields(marks: &Marks, after: Revision) -> FieldSet {
        marks.changed(after)
    }
}

/// What changed, for one face. What went and came back stands in both lists: first forget, then take.
#[derive(Debug)]
pub struct Delta<'a> {
    /// As of which revision.
    pub revision: Revision,
    /// Everything is here: forget what was known before.
    pub is_full: bool,
    /// Torrents with the fields that changed, all for a new one.
    pub torrents: Vec<(&'a Torrent, FieldSet)>,
    /// Torrents that went.
    pub gone: Vec<InfoHash>,
    /// Categories that came or changed.
    pub categories: Vec<(&'a str, &'a Category)>,
    /// Categories that went.
    pub gone_categories: Vec<String>,
    /// Tags that came.
    pub tags: Vec<&'a str>,
    /// Tags that went.
    pub gone_tags: Vec<String>,
}

fn remember<T>(list: &mut VecDeque<(Revision, T)>, entry: (Revision, T), oldest: &mut Revision) {
    list.push_back(entry);
    if list.len() > GONE_MAX
        && let Some((revision, _)) = list.pop_front()
    {
        *oldest = revision.max(*oldest);
    }
}

fn since<T: Clone>(list: &VecDeque<(Revision, T)>, after: Revision) -> Vec<T> {
    let from = list.partition_point(|(revision, _)| *revision <= after);
    list.range(from..).map(|(_, what)| what.clone()).collect()
}

/// 64 bits that stand for a value (FNV-1a, eight bytes at a time where there are so many): two values of one
/// field share them once in 2^64 changes.
fn fingerprint(value: &Value<'_>) -> u64 {
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    match value {
        Value::Absent => 1,
        Value::Bool(yes) => 2 + u64::from(*yes),
        Value::Number(number) => number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 4,
        Value::Text(text) => hash(START, text.as_bytes()),
        Value::Words(words) => {
            words.iter().fold(START, |state, word| hash(hash(state, word.as_bytes()), &[0xff]))
        }
    }
}

fn hash(start: u64, bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let (words, rest) = bytes.as_chunks::<8>();
    // Of eight bytes the upper ones would reach nothing below them.
    let whole = words.iter().fold(start, |hash, word| {
        let mixed = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME);
        mixed ^ mixed >> 32
    });
    rest.iter().fold(whole, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}
