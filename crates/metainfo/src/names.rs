//! Cleaning of names: from any bytes to paths that every file system takes and that stay inside
//! their folder.
//!
//! Pure and deterministic: the same torrent gives the same paths on every machine, so resumed data
//! is found again. Separators and invisible characters go, controls and bad UTF-8 become `_`, as in
//! libtorrent, whose users' folders we read; reserved names, trailing dots and case clashes are
//! cleaned everywhere, since a folder may be shared with another system.
//!
//! Invariant: no component that leaves here is empty, `.`, `..`, longer than
//! [`COMPONENT_BYTES_MAX`], or has a separator or control character in it; no two paths are equal
//! in any case, and none is a folder on the way to another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Bytes of the longest component: what common file systems take.
pub const COMPONENT_BYTES_MAX: usize = 255;

/// Bytes of an extension, dot included, that survives the cutting of a long name.
const EXTENSION_BYTES_MAX: usize = 16;

/// Why a name was changed. The order is the one in which reasons are listed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// Bytes that are no UTF-8.
    Encoding,
    /// A control character, NUL included.
    Control,
    /// `/` or `\` inside a component.
    Separator,
    /// A character without width, or one that turns the writing direction.
    Invisible,
    /// Nothing left, or nothing there.
    Empty,
    /// `.` or `..`.
    Dots,
    /// Dots or spaces at the end, which Windows drops.
    Trailing,
    /// A device name of Windows.
    Reserved,
    /// More than [`COMPONENT_BYTES_MAX`] bytes.
    TooLong,
    /// Another file has the same path.
    Duplicate,
    /// Another file's path differs in upper and lower case only.
    Case,
    /// Another file's path has this file as a folder.
    Folder,
}

impl Reason {
    const ALL: [Self; 12] = [
        Self::Encoding,
        Self::Control,
        Self::Separator,
        Self::Invisible,
        Self::Empty,
        Self::Dots,
        Self::Trailing,
        Self::Reserved,
        Self::TooLong,
        Self::Duplicate,
        Self::Case,
        Self::Folder,
    ];

    const fn text(self) -> &'static str {
        match self {
            Self::Encoding => "no UTF-8",
            Self::Control => "control character",
            Self::Separator => "separator",
            Self::Invisible => "invisible character",
            Self::Empty => "empty",
            Self::Dots => "dots",
            Self::Trailing => "trailing dot or space",
            Self::Reserved => "reserved name",
            Self::TooLong => "too long",
            Self::Duplicate => "duplicate",
            Self::Case => "differs in case only",
            Self::Folder => "is a folder too",
        }
    }
}

/// All reasons why one name was changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Reasons(u16);

impl Reasons {
    /// Whether this is one of them.
    pub const fn contains(self, reason: Reason) -> bool {
        self.0 & 1 << reason as u16 != 0
    }

    /// True when the name was not changed.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The reasons in order.
    pub fn iter(self) -> impl Iterator<Item = Reason> {
        Reason::ALL.into_iter().filter(move |reason| self.contains(*reason))
    }

    const fn add(&mut self, reason: Reason) {
        self.0 |= 1 << reason as u16;
    }
}

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, reason) in self.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            f.write_str(reason.text())?;
        }
        Ok(())
    }
}

/// One change, for people to see.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cleaned {
    /// The file, by its place in the torrent; `None` for the torrent's own name.
    pub file: Option<usize>,
    /// The path as it stands in the torrent, with whatever a terminal could misread escaped.
    pub from: String,
    /// The path that is used.
    pub to: String,
    /// Why.
    pub why: Reasons,
}

/// Cleans one component; never gives an empty one.
pub fn clean_component(raw: &[u8]) -> (String, Reasons) {
    let mut why = Reasons::default();
    let mut name = String::with_capacity(raw.len());
    let rest = match std::str::from_utf8(raw) {
        // Most names are of this kind; a torrent may have 400,000.
        Ok(plain) if raw.iter().all(|&byte| is_plain(byte)) => {
            name.push_str(plain);
            &[]
        }
        _ => raw,
    };
    for chunk in rest.utf8_chunks() {
        for character in chunk.valid().chars() {
            match fault_of(character) {
                None => name.push(character),
                Some(reason) => {
                    why.add(reason);
                    if reason == Reason::Control {
                        name.push('_');
                    }
                }
            }
        }
        if !chunk.invalid().is_empty() {
            why.add(Reason::Encoding);
            name.push('_');
        }
    }
    if name == "." || name == ".." {
        why.add(Reason::Dots);
        name.clear();
    } else if name.is_empty() {
        why.add(Reason::Empty);
    }
    let kept = name.trim_end_matches(['.', ' ']).len();
    if kept < name.len() {
        why.add(Reason::Trailing);
        name.truncate(kept);
    }
    if name.is_empty() {
        name.push('_');
    }
    if is_reserved(&name) {
        why.add(Reason::Reserved);
        name.insert(0, '_');
    }
    if name.len() > COMPONENT_BYTES_MAX {
        why.add(Reason::TooLong);
        name = cut(&name, "");
    }
    (name, why)
}

/// Whether [`fault_of`] would find nothing wrong with this ASCII character.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'/' && byte != b'\\'
}

/// What is wrong with a character, if anything. All but controls are dropped without a trace, so
/// that a name with invisible characters looks the same afterwards.
const fn fault_of(character: char) -> Option<Reason> {
    match character {
        '\0'..='\x1f' | '\x7f'..='\u{9f}' => Some(Reason::Control),
        '/' | '\\' => Some(Reason::Separator),
        // Marks and joiners, embeddings and overrides, isolates, invisible operators, byte order
        // mark: with them `exe.avi` can be shown for `iva.exe`.
        '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => Some(Reason::Invisible),
        _ => None,
    }
}

/// Device names of Windows, with or without an extension.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let device = ["con", "prn", "aux", "nul", "clock$"];
    device.iter().any(|device| stem.eq_ignore_ascii_case(device))
        || matches!(stem.as_bytes(), [port @ .., b'0'..=b'9']
            if port.eq_ignore_ascii_case(b"com") || port.eq_ignore_ascii_case(b"lpt"))
}

/// The name with `tag` before its extension, cut so that it fits.
fn cut(name: &str, tag: &str) -> String {
    let dot = name.rfind('.').filter(|&dot| dot > 0 && name.len() - dot <= EXTENSION_BYTES_MAX);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let room = COMPONENT_BYTES_MAX.saturating_sub(tag.len() + extension.len());
    let mut end = stem.len().min(room);
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    // Cutting may lay a dot or space bare at the end.
    let kept = stem[..end].trim_end_matches(['.', ' ']);
    let kept = if kept.is_empty() { "_" } else { kept };
    [kept, tag, extension].concat()
}

/// A path to clean.
#[derive(Clone, Copy, Debug)]
pub struct RawPath<'a> {
    /// Components as they stand in the torrent.
    pub components: &'a [&'a [u8]],
    /// Pad files are never written, so they clash with nothing.
    pub is_pad: bool,
}

/// Cleans all paths of a torrent. Gives them in the same order, joined by `/`, and each change.
///
/// Of paths that clash the first keeps its name; a later one gets a number before its extension.
pub fn clean_paths(raw: &[RawPath<'_>]) -> (Vec<String>, Vec<Cleaned>) {
    let (mut paths, mut reasons) = (Vec::with_capacity(raw.len()), Vec::with_capacity(raw.len()));
    for path in raw {
        let (joined, why) = join(path.components);
        paths.push(joined);
        reasons.push(why);
    }
    resolve_clashes(raw, &mut paths, &mut reasons);
    let changed = reasons.iter().enumerate().filter(|(_, why)| !why.is_empty());
    let cleaned = changed.map(|(file, &why)| Cleaned {
        file: Some(file),
        from: printable(raw[file].components),
        to: paths[file].clone(),
        why,
    });
    let cleaned = cleaned.collect();
    (paths, cleaned)
}

/// Cleans and joins components; without any, the path is `_`.
pub(crate) fn join(components: &[&[u8]]) -> (String, Reasons) {
    let (mut joined, mut all) = (String::new(), Reasons::default());
    let components = if components.is_empty() { &[&b""[..]] } else { components };
    for (at, component) in components.iter().enumerate() {
        let (name, why) = clean_component(component);
        if at > 0 {
            joined.push('/');
        }
        joined.push_str(&name);
        all.0 |= why.0;
    }
    (joined, all)
}

/// A raw path for people: bad UTF-8 as U+FFFD, controls and invisible characters escaped.
pub(crate) fn printable(components: &[&[u8]]) -> String {
    let mut shown = String::new();
    for (at, component) in components.iter().enumerate() {
        if at > 0 {
            shown.push('/');
        }
        for character in String::from_utf8_lossy(component).chars() {
            match fault_of(character) {
                Some(Reason::Control | Reason::Invisible) => {
                    shown.extend(character.escape_unicode());
                }
                Some(_) | None => shown.push(character),
            }
        }
    }
    shown
}

/// What paths are compared by. The separator sorts before everything, so that what lies in a folder
/// stands right behind it.
fn fold(path: &str) -> String {
    let folded = match path.is_ascii() {
        true => path.to_ascii_lowercase(),
        false => path.to_lowercase(),
    };
    if folded.contains('/') { folded.replace('/', "\0") } else { folded }
}

/// All paths in folded form, sorted; pads left out.
struct Taken {
    sorted: Vec<(String, usize)>,
    numbered: BTreeSet<String>,
}

impl Taken {
    fn is_folder(&self, folded: &str) -> bool {
        let inside = [folded, "\0"].concat();
        let at = self.sorted.partition_point(|(path, _)| *path < inside);
        self.sorted.get(at).is_some_and(|(path, _)| path.starts_with(&inside))
    }

    fn is_file(&self, folded: &str) -> bool {
        let known = self.sorted.binary_search_by(|(path, _)| path.as_str().cmp(folded)).is_ok();
        known || self.numbered.contains(folded)
    }
}

fn resolve_clashes(raw: &[RawPath<'_>], paths: &mut [String], reasons: &mut [Reasons]) {
    let files = (0..paths.len()).filter(|&file| !raw[file].is_pad);
    let mut sorted: Vec<_> = files.map(|file| (fold(&paths[file]), file)).collect();
    sorted.sort_unstable();
    let mut taken = Taken { sorted, numbered: BTreeSet::new() };
    let mut clashes = Vec::new();
    let mut groups = taken.sorted.chunk_by(|a, b| a.0 == b.0).peekable();
    while let Some(group) = groups.next() {
        let (folded, first) = &group[0];
        let next = groups.peek().map(|group| group[0].0.as_str());
        if next
            .and_then(|next| next.strip_prefix(folded))
            .is_some_and(|in_it| in_it.starts_with('\0'))
        {
            clashes.push((*first, Reason::Folder));
        }
        for (_, file) in &group[1..] {
            let same = paths[*first] == paths[*file];
            clashes.push((*file, if same { Reason::Duplicate } else { Reason::Case }));
        }
    }
    clashes.sort_unstable();
    // Where the search for a free number goes on, so that many equal names stay cheap.
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    for (file, reason) in clashes {
        let number = numbers.entry(fold(&paths[file])).or_insert(0);
        let (folder, name) = match paths[file].rsplit_once('/') {
            Some((folder, name)) => (Some(folder), name),
            None => (None, paths[file].as_str()),
        };
        let renamed = loop {
            *number += 1;
            let name = cut(name, &format!(".{number}"));
            let path = folder.map_or_else(|| name.clone(), |folder| [folder, "/", &name].concat());
            let folded = fold(&path);
            if !taken.is_file(&folded) && !taken.is_folder(&folded) {
                taken.numbered.insert(folded);
                break path;
            }
        };
        paths[file] = renamed;
        reasons[file].add(reason);
    }
}

#[cfg(test)]
mod tests;
