//! Torrents as JSON, straight into one buffer: a list of ten thousand makes no tree of values.

use piecework_catalog::{Category, Delta, Field, FieldSet, Revision, Torrent, Value};
use piecework_types::InfoHash;
use std::collections::BTreeMap;

/// What a list tells unless it is asked for more.
pub(crate) const LIST_FIELDS: &[Field] = &[
    Field::Id,
    Field::Name,
    Field::Stage,
    Field::Error,
    Field::SizeBytes,
    Field::ProgressMilli,
    Field::DownRate,
    Field::UpRate,
    Field::EtaSeconds,
    Field::Category,
    Field::Tags,
    Field::AddedAt,
];

/// A torrent as an object of these fields.
pub(crate) fn torrent(out: &mut Vec<u8>, torrent: &Torrent, fields: FieldSet) {
    out.push(b'{');
    members(out, torrent, fields);
    out.push(b'}');
}

/// The members of that object.
pub(crate) fn members(out: &mut Vec<u8>, torrent: &Torrent, fields: FieldSet) {
    for (count, field) in fields.iter().enumerate() {
        if count > 0 {
            out.push(b',');
        }
        key(out, field.word());
        match field {
            // The one value that is made for each torrent each time.
            Field::Id => id(out, torrent.id()),
            field => value(out, &torrent.value(field)),
        }
    }
}

/// An info-hash as a text.
pub(crate) fn id(out: &mut Vec<u8>, id: InfoHash) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in id.0 {
        out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    out.push(b'"');
}

/// A number.
pub(crate) fn number(out: &mut Vec<u8>, number: u64) {
    // Writing to a Vec never fails, nor does a number.
    let _ = serde_json::to_writer(out, &number);
}

/// A text, escaped.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    let _ = serde_json::to_writer(out, text);
}

/// A name of ours, which needs no escape, with its colon.
pub(crate) fn key(out: &mut Vec<u8>, word: &str) {
    out.push(b'"');
    out.extend_from_slice(word.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Items between brackets, with commas between them.
pub(crate) fn list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (count, item) in items.into_iter().enumerate() {
        if count > 0 {
            out.push(b',');
        }
        each(out, item);
    }
    out.push(b']');
}

fn value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Absent => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(it) => number(out, *it),
        Value::Text(it) => text(out, it),
        Value::Words(words) => list(out, words.iter(), |out, word| text(out, word)),
    }
}

/// A change as the data of an event; nothing where none of the fields is among what changed.
pub(crate) fn delta(delta: &Delta<'_>, fields: FieldSet) -> Option<Vec<u8>> {
    let mut inner = Vec::with_capacity(256 + 128 * delta.torrents.len());
    let mut told = 0;
    for (it, changed) in &delta.torrents {
        let changed = changed.and(fields);
        if changed.is_empty() {
            continue;
        }
        if told > 0 {
            inner.push(b',');
        }
        id(&mut inner, it.id());
        inner.push(b':');
        torrent(&mut inner, it, changed);
        told += 1;
    }
    let is_silent = told == 0
        && delta.gone.is_empty()
        && delta.categories.is_empty()
        && delta.gone_categories.is_empty()
        && delta.tags.is_empty()
        && delta.gone_tags.is_empty();
    if is_silent && !delta.is_full {
        return None;
    }
    let mut out = Vec::with_capacity(inner.len() + 256);
    revision(&mut out, delta.revision);
    out.extend_from_slice(b",\"torrents\":{");
    out.append(&mut inner);
    out.extend_from_slice(b"},\"gone\":");
    list(&mut out, delta.gone.iter(), |out, gone| id(out, *gone));
    let categories: BTreeMap<&str, &Category> = delta.categories.iter().copied().collect();
    let rest = serde_json::json!({
        "categories": categories,
        "gone_categories": delta.gone_categories,
        "tags": delta.tags,
        "gone_tags": delta.gone_tags,
    });
    let rest = rest.to_string();
    out.push(b',');
    out.extend_from_slice(rest.trim_start_matches('{').as_bytes());
    Some(out)
}

/// The beginning of an object that tells as of when it is.
pub(crate) fn revision(out: &mut Vec<u8>, revision: Revision) {
    out.extend_from_slice(b"{\"revision\":");
    number(out, revision);
}
