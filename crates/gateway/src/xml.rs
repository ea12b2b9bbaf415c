//! As much XML as UPnP needs: names, nesting and text, within bounds.
//!
//! Attributes are skipped, prefixes of names cut off. Document types are refused, so no entity can grow.

use crate::ask::Refusal;

/// Bytes of a document.
pub(crate) const BYTES_MAX: usize = 64 << 10;

/// Elements within one another.
const DEPTH_MAX: usize = 32;

/// Bytes of an element's text that are kept.
const TEXT_BYTES_MAX: usize = 2048;

/// What [`read`] tells of an element when it ends.
pub(crate) struct Element<'a> {
    /// Its name without prefix, and before it those of the elements around it, outermost first.
    pub(crate) path: &'a [String],
    /// Its text before, between and behind what is in it, with the five entities resolved.
    pub(crate) text: &'a str,
}

/// Tells each element of the document when it ends.
///
/// # Errors
/// When it breaks a bound, or its elements do not match.
pub(crate) fn read(bytes: &[u8], mut tell: impl FnMut(Element<'_>)) -> Result<(), Refusal> {
    if bytes.len() > BYTES_MAX {
        return Err(Refusal::Malformed("the document is too long"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Refusal::Malformed("not UTF-8"))?;
    let (mut path, mut texts): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        if let Some(inner) = texts.last_mut() {
            let room = TEXT_BYTES_MAX.saturating_sub(inner.len());
            inner.push_str(&resolve(cut(&rest[..open], room)));
        }
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix("!--") {
            rest = behind(after, "-->")?.1;
            continue;
        }
        let (tag, after) = behind(rest, ">")?;
        rest = after;
        if tag.starts_with('?') {
            continue;
        }
        if tag.starts_with('!') {
            return Err(Refusal::Malformed("a document type or section is not read"));
        }
        if let Some(name) = tag.strip_prefix('/') {
            let text = texts.pop().ok_or(MISMATCH)?;
            if path.last().is_none_or(|open| open != local_name(name)) {
                return Err(MISMATCH);
            }
            tell(Element { path: &path, text: text.trim() });
            path.pop();
            continue;
        }
        if path.len() >= DEPTH_MAX {
            return Err(Refusal::Malformed("elements are nested too deeply"));
        }
        path.push(local_name(tag).to_owned());
        if tag.ends_with('/') {
            tell(Element { path: &path, text: "" });
            path.pop();
        } else {
            texts.push(String::new());
        }
    }
    if path.is_empty() { Ok(()) } else { Err(MISMATCH) }
}

const MISMATCH: Refusal = Refusal::Malformed("elements do not match");

fn behind<'a>(text: &'a str, end: &str) -> Result<(&'a str, &'a str), Refusal> {
    text.split_once(end).ok_or(Refusal::Malformed("the document ends too early"))
}

/// The name of a tag without what follows it and without a prefix.
fn local_name(tag: &str) -> &str {
    let end = tag.find(|char: char| char.is_whitespace() || char == '/').unwrap_or(tag.len());
    let name = &tag[..end];
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `&amp;` is last, so that nothing is resolved twice.
fn resolve(text: &str) -> String {
    let mut text = text.to_owned();
    for (entity, char) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
    {
        if text.contains(entity) {
            text = text.replace(entity, char);
        }
    }
    text
}

/// Text as it may stand in a document.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn leaves(document: &str) -> Result<Vec<(String, String)>, Refusal> {
        let mut told = Vec::new();
        read(document.as_bytes(), |element| {
            told.push((element.path.join("/"), element.text.to_owned()));
        })?;
        Ok(told)
    }

    #[test]
    fn elements_are_told_with_their_path_and_text() {
        let told = leaves("<?xml?><a x='1'><!-- > --><s:b>1 &lt; 2</s:b><c/></a>").unwrap();
        let told: Vec<_> = told.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        assert_eq!(told, [("a/b", "1 < 2"), ("a/c", ""), ("a", "")]);
        assert_eq!(resolve("&amp;lt;"), "&lt;");
    }

    #[test]
    fn what_breaks_a_bound_is_refused() {
        for bad in ["<a>", "</a>", "<a></b>", "<a", "<!DOCTYPE a [<!ENTITY b 'b'>]><a>&b;</a>"] {
            assert!(leaves(bad).is_err(), "{bad}");
        }
        assert!(leaves(&"<a>".repeat(DEPTH_MAX + 1)).is_err());
        assert!(read(&vec![b' '; BYTES_MAX + 1], |_| {}).is_err());
        let long = format!("<a>{}</a>", "x".repeat(TEXT_BYTES_MAX * 2));
        assert_eq!(leaves(&long).unwrap()[0].1.len(), TEXT_BYTES_MAX);
    }
}
