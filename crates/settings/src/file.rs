//! TOML as a layer: keys with their values and lines.

use crate::problem::{Origin, Problem};
use crate::value::Raw;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key of a file with what it is set to.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) number: usize,
    /// `None` for what no setting can be, such as a date.
    pub(crate) raw: Option<Raw>,
}

/// All lines of a file that set something, and what is wrong with the file as a whole.
pub(crate) fn lines(path: &str, text: &str) -> (Vec<Line>, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let number = |at: usize| {
        text.as_bytes()[..at.min(text.len())].iter().filter(|it| **it == b'\n').count() + 1
    };
    let problem = |error: toml::de::Error| Problem {
        origin: Origin::File {
            path: path.into(),
            line: number(error.span().map_or(0, |span| span.start)),
        },
        key: None,
        text: format!("this is no TOML: {}", error.message().replace('\n', ", ")),
    };
    let problems = errors.into_iter().map(problem).collect();
    let mut lines = Vec::new();
    collect("", table.get_ref(), &number, &mut lines);
    (lines, problems)
}

fn collect(
    above: &str,
    table: &DeTable<'_>,
    number: &impl Fn(usize) -> usize,
    lines: &mut Vec<Line>,
) {
    for (name, value) in table {
        let key = if above.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{above}.{}", name.get_ref())
        };
        // Settings have one point; what lies deeper is told as unknown under this key.
        match value.get_ref() {
            DeValue::Table(table) if above.is_empty() => collect(&key, table, number, lines),
            _ => lines.push(Line { key, number: number(name.span().start), raw: raw(value) }),
        }
    }
}

/// The value as text, which every layer has.
fn raw(value: &Spanned<DeValue<'_>>) -> Option<Raw> {
    match value.get_ref() {
        DeValue::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(scalar).collect();
            items.map(Raw::Many)
        }
        _ => scalar(value).map(Raw::One),
    }
}

fn scalar(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(|number| number.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(is) => Some(is.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// A list as one text: TOML's own form, for items that have commas.
pub(crate) fn list(text: &str) -> Option<Raw> {
    if !text.trim_start().starts_with('[') {
        return None;
    }
    raw(&DeValue::parse(text).ok()?)
}

/// A value as a TOML file spells it.
pub(crate) fn spell(raw: &Raw, is_bare: bool) -> String {
    match raw {
        Raw::One(text) if is_bare => text.clone(),
        Raw::One(text) => quote(text),
        Raw::Many(items) => {
            let items: Vec<String> = items.iter().map(|item| quote(item)).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

/// A basic string (TOML 1.0).
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => quoted += &format!("\\u{:04X}", u32::from(letter)),
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}
