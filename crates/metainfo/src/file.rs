//! One file of a torrent.

use piecework_types::Sha256Digest;

/// What is said about a file besides its name and length (BEP 47).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Attributes {
    /// Padding: zero bytes that are never written.
    pub pad: bool,
    /// To be hidden by systems that have such a flag.
    pub hidden: bool,
    /// To be marked executable.
    pub executable: bool,
    /// A symlink without content; its target is in [`File::symlink`].
    pub symlink: bool,
}

impl Attributes {
    /// Reads the letters of `attr`; unknown ones mean nothing.
    pub(crate) fn parse(letters: &[u8]) -> Self {
        Self {
            pad: letters.contains(&b'p'),
            hidden: letters.contains(&b'h'),
            executable: letters.contains(&b'x'),
            symlink: letters.contains(&b'l'),
        }
    }

    /// The letters as `attr` has them; empty when there is nothing to say.
    pub(crate) fn letters(self) -> String {
        let letters =
            [(self.hidden, 'h'), (self.symlink, 'l'), (self.pad, 'p'), (self.executable, 'x')];
        letters.into_iter().filter_map(|(is_set, letter)| is_set.then_some(letter)).collect()
    }
}

/// A file as it is to be stored: its path is clean.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    pub(crate) path: Box<str>,
    pub(crate) symlink: Option<Box<str>>,
    pub(crate) length: u64,
    pub(crate) offset: u64,
    pub(crate) attributes: Attributes,
    pub(crate) pieces_root: Option<Sha256Digest>,
}

impl File {
    /// Its path below the folder that the user chose, `/` between components. It starts with the
    /// torrent's name; of a single-file torrent it is that name alone.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The components of [`Self::path`]. None is empty, `.` or `..`, or has a separator in it.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.path.split('/')
    }

    /// Bytes of content; zero for symlinks.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Where it starts in piece space; see [`Layout`](crate::Layout).
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// What else is said about it.
    pub const fn attributes(&self) -> Attributes {
        self.attributes
    }

    /// True for padding, which is never written.
    pub const fn is_pad(&self) -> bool {
        self.attributes.pad
    }

    /// Of a symlink the path it points to, in the form of [`Self::path`]: from the same folder, not
    /// from the link. It does not leave the torrent's folder, but need not exist.
    pub fn symlink(&self) -> Option<&str> {
        self.symlink.as_deref()
    }

    /// The root of its hash tree (BEP 52); `None` in v1 torrents and for files without content.
    pub const fn pieces_root(&self) -> Option<Sha256Digest> {
        self.pieces_root
    }
}
