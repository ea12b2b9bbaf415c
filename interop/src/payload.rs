//! The data that is shared: made from a seed, remembered by digest, compared after every transfer.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use piecework_types::Rng;

use crate::digest::{self, Tree};
use crate::failure::{Context as _, Outcome};

/// One mebibyte.
pub(crate) const MIB: u64 = 1 << 20;

/// Sizes around every boundary a client might get wrong: nothing, one byte, a block, a piece.
const ODD_SIZES: [u64; 12] =
    [0, 1, 2, 16_383, 16_384, 16_385, 32_767, 32_768, 65_537, 131_072, 262_145, 524_289];

/// File and folder names in several scripts and shapes; all are legal and need no cleaning. None has
/// a character that Windows forbids: Transmission replaces those on every system.
const NAMES: [&str; 8] = [
    "plain",
    "Übergrößenträger",
    "e\u{301}-decomposed",
    "файл с пробелами",
    "名前のファイル",
    "שלום",
    "🎼 score",
    "quote'n percent%20&plus+",
];

/// A file or folder that is seeded, and what it must look like at the other end.
#[derive(Debug)]
pub(crate) struct Payload {
    parent: PathBuf,
    name: String,
    bytes: u64,
    digests: Tree,
}

impl Payload {
    /// One file of `bytes` random bytes under `parent`.
    pub(crate) fn single(parent: &Path, name: &str, bytes: u64, rng: &mut Rng) -> Outcome<Self> {
        let told = || format!("making the payload {name}");
        fs::create_dir_all(parent).context(told)?;
        let mut file = File::create(parent.join(name)).context(told)?;
        write_random(&mut file, bytes, rng).context(told)?;
        Self::finish(parent, name)
    }

    /// A folder of `count` files of odd sizes and names, filled up to `bytes_min` by its last file.
    pub(crate) fn many(
        parent: &Path,
        name: &str,
        count: usize,
        bytes_min: u64,
        rng: &mut Rng,
    ) -> Outcome<Self> {
        let told = || format!("making the payload {name}");
        let mut bytes = 0;
        for index in 0..count {
            let folder = parent.join(name).join(NAMES[index / 40 % NAMES.len()]);
            fs::create_dir_all(&folder).context(told)?;
            let file_name = format!("{index:03} {}.bin", NAMES[index % NAMES.len()]);
            let mut file = File::create(folder.join(file_name)).context(told)?;
            let odd = ODD_SIZES[index % ODD_SIZES.len()];
            let size = if index + 1 == count { bytes_min.saturating_sub(bytes) } else { odd };
            write_random(&mut file, size, rng).context(told)?;
            bytes += size;
        }
        Self::finish(parent, name)
    }

    /// A folder of `count` files of `bytes` each, called `keep-N` and `leave-N` in turn.
    pub(crate) fn halves(
        parent: &Path,
        name: &str,
        count: usize,
        bytes: u64,
        rng: &mut Rng,
    ) -> Outcome<Self> {
        let told = || format!("making the payload {name}");
        let folder = parent.join(name);
        fs::create_dir_all(&folder).context(told)?;
        for index in 0..count {
            let kind = if index % 2 == 0 { "keep" } else { "leave" };
            let file = folder.join(format!("{kind}-{index}.bin"));
            write_random(&mut File::create(file).context(told)?, bytes, rng).context(told)?;
        }
        Self::finish(parent, name)
    }

    /// One file of `bytes`, a hole but for random bytes in `filled`.
    pub(crate) fn sparse(
        parent: &Path,
        name: &str,
        bytes: u64,
        filled: &[Range<u64>],
        rng: &mut Rng,
    ) -> Outcome<Self> {
        let told = || format!("making the payload {name}");
        fs::create_dir_all(parent).context(told)?;
        let mut file = File::create(parent.join(name)).context(told)?;
        file.set_len(bytes).context(told)?;
        for range in filled {
            file.seek(SeekFrom::Start(range.start)).context(told)?;
            write_random(&mut file, range.end - range.start, rng).context(told)?;
        }
        Self::finish(parent, name)
    }

    fn finish(parent: &Path, name: &str) -> Outcome<Self> {
        let digests = digest::tree(&parent.join(name))?;
        let mut bytes = 0;
        for path in digests.keys() {
            let path = join(&parent.join(name), path);
            bytes += fs::metadata(&path).context(|| path.display().to_string())?.len();
        }
        Ok(Self { parent: parent.to_owned(), name: name.to_owned(), bytes, digests })
    }

    /// The folder the payload lies in, `--dir` of whoever seeds it.
    pub(crate) fn parent(&self) -> &Path {
        &self.parent
    }

    /// The payload itself.
    pub(crate) fn path(&self) -> PathBuf {
        self.parent.join(&self.name)
    }

    /// The name of the file or folder.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Size of all files.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the copy in `dir` has every file, no other file, and every byte.
    pub(crate) fn compare(&self, dir: &Path) -> Outcome<()> {
        digest::compare(&self.digests, &digest::tree(&dir.join(&self.name))?)
    }

    /// Like [`Self::compare`], for a copy by a client that leaves out empty files.
    pub(crate) fn compare_but_empty(&self, dir: &Path) -> Outcome<()> {
        let mut wanted = self.digests.clone();
        wanted.retain(|_, digest| digest != digest::OF_NOTHING);
        let mut got = digest::tree(&dir.join(&self.name))?;
        got.retain(|_, digest| digest != digest::OF_NOTHING);
        digest::compare(&wanted, &got)
    }

    /// Like [`Self::compare`], for a copy that has only the files whose name begins with `prefix`.
    pub(crate) fn compare_selected(&self, dir: &Path, prefix: &str) -> Outcome<()> {
        let mut wanted = self.digests.clone();
        wanted.retain(|path, _| path.to_string_lossy().starts_with(prefix));
        digest::compare(&wanted, &digest::tree(&dir.join(&self.name))?)
    }
}

/// `base` itself for the empty path, without the slash at the end that would make it a folder.
fn join(base: &Path, relative: &Path) -> PathBuf {
    if relative.as_os_str().is_empty() { base.to_owned() } else { base.join(relative) }
}

fn write_random(file: &mut File, bytes: u64, rng: &mut Rng) -> std::io::Result<()> {
    let mut left = bytes;
    let mut buffer = Vec::new();
    while left > 0 {
        let count = left.min(MIB);
        buffer.clear();
        while (buffer.len() as u64) < count {
            buffer.extend_from_slice(&rng.next_u64().to_le_bytes());
        }
        file.write_all(&buffer[..count as usize])?;
        left -= count;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn one_seed_makes_one_payload_of_the_size_asked() {
        let folder = tempfile::tempdir().unwrap();
        let make = |sub: &str| {
            let parent = folder.path().join(sub);
            Payload::many(&parent, "set", 26, 4 * MIB, &mut Rng::new(5)).unwrap()
        };
        let (first, second) = (make("a"), make("b"));
        assert_eq!(first.bytes(), 4 * MIB);
        assert_eq!(first.digests, second.digests);
        first.compare(second.parent()).unwrap();
        let empty = second.path().join("plain/000 plain.bin");
        assert_eq!(fs::metadata(&empty).unwrap().len(), 0);
        fs::remove_file(empty).unwrap();
        assert!(first.compare(second.parent()).is_err());
        first.compare_but_empty(second.parent()).unwrap();
    }

    #[test]
    fn a_selection_is_compared_with_the_selected_files_alone() {
        let folder = tempfile::tempdir().unwrap();
        let origin = folder.path().join("origin");
        let payload = Payload::halves(&origin, "set", 4, 100, &mut Rng::new(5)).unwrap();
        let copy = folder.path().join("copy/set");
        fs::create_dir_all(&copy).unwrap();
        for name in ["keep-0.bin", "keep-2.bin"] {
            fs::copy(payload.path().join(name), copy.join(name)).unwrap();
        }
        let copy = folder.path().join("copy");
        assert_eq!(payload.compare_selected(&copy, "keep-"), Ok(()));
        assert!(payload.compare(&copy).is_err());
        fs::write(copy.join("set/leave-1.bin"), b"").unwrap();
        assert!(payload.compare_selected(&copy, "keep-").is_err());
    }
}
