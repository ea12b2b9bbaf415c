//! Reading values out of resume data that may lack any of them.

use crate::ImportError;
use piecework_bencode::{Document, Mode, Value, decode};
use piecework_catalog::Limit;

/// Reads resume data: lenient, as other programs wrote it.
pub(crate) fn read(bytes: &[u8]) -> Result<Document<'_>, ImportError> {
    decode(bytes, Mode::Lenient).map_err(|error| ImportError::Resume(error.to_string()))
}

/// A value under its key, or under the key with `_` for each `-`, as some versions spell it.
pub(crate) fn get<'d>(root: Value<'d>, key: &str) -> Option<Value<'d>> {
    root.get(key).or_else(|| root.get(key.replace('-', "_")))
}

/// Text that is not empty.
pub(crate) fn text(root: Value<'_>, key: &str) -> Option<String> {
    let bytes = get(root, key)?.as_bytes()?;
    Some(String::from_utf8_lossy(bytes).into_owned()).filter(|text| !text.is_empty())
}

/// A number that is not negative.
pub(crate) fn count(root: Value<'_>, key: &str) -> Option<u64> {
    get(root, key)?.as_u64()
}

/// The same, where 0 stands for none.
pub(crate) fn positive(root: Value<'_>, key: &str) -> Option<u64> {
    count(root, key).filter(|count| *count > 0)
}

/// Whether a number is there that is not 0.
pub(crate) fn flag(root: Value<'_>, key: &str) -> bool {
    get(root, key).and_then(Value::as_i64).is_some_and(|number| number != 0)
}

/// A list of texts.
pub(crate) fn texts(root: Value<'_>, key: &str) -> Vec<String> {
    let list = get(root, key).and_then(Value::as_list).into_iter().flatten();
    list.filter_map(|item| Some(String::from_utf8_lossy(item.as_bytes()?).into_owned())).collect()
}

/// A list of numbers.
pub(crate) fn numbers(root: Value<'_>, key: &str) -> Vec<i64> {
    let list = get(root, key).and_then(Value::as_list).into_iter().flatten();
    list.map(|item| item.as_i64().unwrap_or_default()).collect()
}

/// A limit in which -2 stands for that of all torrents, and -1 for none.
pub(crate) fn limit(number: Option<i64>, global: i64) -> Limit<u32> {
    match number {
        Some(number) if number >= 0 => Limit::Of(u32::try_from(number).unwrap_or(u32::MAX)),
        Some(number) if number != global => Limit::Unlimited,
        _ => Limit::Global,
    }
}

/// A path without the slash at its end, if it is absolute.
pub(crate) fn folder(path: Option<String>) -> Option<String> {
    let path = path?.replace('\\', "/");
    let trimmed = path.trim_end_matches('/');
    let trimmed = if trimmed.is_empty() { "/" } else { trimmed };
    trimmed.starts_with('/').then(|| trimmed.to_owned())
}
