//! What a web seed has to be asked for to get certain blocks: addresses, byte ranges, and padding that is
//! asked of nobody (BEP 17, 19, 47).
//!
//! Invariant: the parts of some blocks have, in order, exactly the bytes of these blocks. Knows no HTTP
//! beyond addresses and ranges.

use crate::info::Info;
use crate::names::Reason;
use crate::url;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use piecework_types::{Block, PieceIndex};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What RFC 3986 lets stand in any part of a URL; everything else of a name is escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How a web seed is asked.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum WebSeedKind {
    /// It has the files, and is asked for ranges of them (BEP 19).
    Files,
    /// A program that knows the torrent and is asked for parts of pieces (BEP 17).
    Script,
}

/// A web seed as a torrent or a person names it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WebSeed {
    url: String,
    kind: WebSeedKind,
}

impl WebSeed {
    /// `None` when it is no address of HTTP or HTTPS, or too long.
    pub fn new(url: &str, kind: WebSeedKind) -> Option<Self> {
        url::web_seed(url.as_bytes()).map(|url| Self { url, kind })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How it is asked.
    pub const fn kind(&self) -> WebSeedKind {
        self.kind
    }
}

/// A part of what is fetched.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WebPart {
    /// So many zeros: padding.
    Zeros(u64),
    /// Bytes that a server has.
    Range(WebRange),
}

impl WebPart {
    /// Its length.
    pub const fn bytes(&self) -> u64 {
        match self {
            Self::Zeros(bytes) => *bytes,
            Self::Range(range) => range.bytes,
        }
    }
}

/// Bytes of one answer of a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebRange {
    /// What to ask for.
    pub url: String,
    /// Bytes of the answer that are wanted, at least 1.
    pub bytes: u64,
    /// Where they lie in the server's file; `None` if the address says what is wanted, and the answer is no
    /// more than that (BEP 17).
    pub of: Option<FileRange>,
}

/// A place in a server's file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileRange {
    /// The first byte.
    pub first: u64,
    /// Bytes of the whole file.
    pub file_bytes: u64,
}

/// The names that a torrent's files have at web seeds: those of the torrent, not the cleaned ones.
#[derive(Clone, Debug)]
pub struct WebNames {
    info: Arc<Info>,
    name: String,
    /// Escaped paths below the torrent's folder of files whose path was changed.
    changed: BTreeMap<usize, String>,
}

impl WebNames {
    /// Of this torrent.
    pub fn new(info: Arc<Info>) -> Self {
        let was_changed = info.cleaned().iter().any(|cleaned| cleaned.file.is_none());
        let raw = (!info.cleaned().is_empty()).then(|| info.raw_names()).flatten();
        let raw_name = raw.as_ref().filter(|_| was_changed).map(|raw| escaped(&raw.name));
        let name = raw_name.unwrap_or_else(|| escaped(info.name().as_bytes()));
        let mut changed = BTreeMap::new();
        for cleaned in info.cleaned() {
            let (Some(file), Some(raw)) = (cleaned.file, &raw) else { continue };
            // A step upwards or none at all is no path that a server could be asked for.
            let has_no_path =
                cleaned.why.contains(Reason::Dots) || cleaned.why.contains(Reason::Empty);
            if let Some(path) = raw.paths.get(file).filter(|_| !has_no_path) {
                let path: Vec<String> = path.iter().map(|component| escaped(component)).collect();
                changed.insert(file, path.join("/"));
            }
        }
        Self { info, name, changed }
    }

    /// What to ask `seed` for to get these blocks, which ascend.
    pub fn parts(&self, seed: &WebSeed, blocks: &[Block]) -> Vec<WebPart> {
        let mut parts: Vec<WebPart> = Vec::new();
        let mut rest = blocks;
        while let Some(first) = rest.first() {
            // Blocks of one piece that follow each other are one span.
            let follows = |pair: &[Block]| {
                pair[0].piece == pair[1].piece && pair[0].begin + pair[0].length == pair[1].begin
            };
            let count = 1 + rest.windows(2).take_while(|pair| follows(pair)).count();
            let (span, others) = rest.split_at(count);
            let length = span.iter().map(|block| block.length).sum();
            self.span_parts(seed, Block { length, ..*first }, &mut parts);
            rest = others;
        }
        parts
    }

    fn span_parts(&self, seed: &WebSeed, span: Block, parts: &mut Vec<WebPart>) {
        let mut begin = span.begin;
        for segment in self.info.layout().segments(span) {
            let bytes = u64::from(segment.length);
            let place = Block { begin, length: segment.length, ..span };
            begin += segment.length;
            let last = parts.last_mut();
            match (last, segment.is_pad, seed.kind) {
                (Some(WebPart::Zeros(before)), true, _) => *before += bytes,
                (_, true, _) => parts.push(WebPart::Zeros(bytes)),
                (Some(WebPart::Range(range)), false, WebSeedKind::Files)
                    if self.is_next(seed, range, segment.file, segment.offset) =>
                {
                    range.bytes += bytes;
                }
                (_, false, WebSeedKind::Files) => {
                    let file_bytes = self.info.files()[segment.file].length();
                    let of = Some(FileRange { first: segment.offset, file_bytes });
                    let url = self.file_url(seed, segment.file);
                    parts.push(WebPart::Range(WebRange { url, bytes, of }));
                }
                (_, false, WebSeedKind::Script) => {
                    let url = self.piece_url(seed, place);
                    parts.push(WebPart::Range(WebRange { url, bytes, of: None }));
                }
            }
        }
    }

    /// Whether this place of a file follows the range.
    fn is_next(&self, seed: &WebSeed, range: &WebRange, file: usize, offset: u64) -> bool {
        let end = range.of.map(|of| of.first + range.bytes);
        offset > 0 && end == Some(offset) && range.url == self.file_url(seed, file)
    }

    /// Where a file is (BEP 19): a folder's files below the torrent's name; a single file where the address
    /// says, or below it if that is a folder.
    fn file_url(&self, seed: &WebSeed, file: usize) -> String {
        let base = &seed.url;
        let slash = if base.ends_with('/') { "" } else { "/" };
        if self.info.is_single_file() {
            return match slash {
                "" => format!("{base}{}", self.name),
                _ => base.clone(),
            };
        }
        let path = self.changed.get(&file).cloned().unwrap_or_else(|| {
            let components = self.info.files()[file].components().skip(1);
            components.map(|it| escaped(it.as_bytes())).collect::<Vec<_>>().join("/")
        });
        format!("{base}{slash}{}/{path}", self.name)
    }

    /// How a part of a piece is asked for (BEP 17).
    fn piece_url(&self, seed: &WebSeed, span: Block) -> String {
        let base = &seed.url;
        let mark = if base.contains('?') { '&' } else { '?' };
        let info_hash = self.info.hashes().primary();
        let hash = percent_encode(&info_hash.0, ESCAPED);
        let Block { piece, begin, length } = span;
        let mut url = format!("{base}{mark}info_hash={hash}&piece={piece}");
        if u64::from(length) < self.piece_bytes(piece) {
            url += &format!("&ranges={begin}-{}", u64::from(begin) + u64::from(length) - 1);
        }
        url
    }

    fn piece_bytes(&self, piece: PieceIndex) -> u64 {
        u64::from(self.info.grid().piece_bytes(piece))
    }
}

fn escaped(raw: &[u8]) -> String {
    percent_encode(raw, ESCAPED).to_string()
}

#[cfg(test)]
mod tests;
