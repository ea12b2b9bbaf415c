//! SHA-256 of whole files and folders, straight from aws-lc-rs: the harness must not judge our
//! hashing with our own hash crate.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use crate::failure::{Context as _, Failure, Outcome};

/// Files below a root, by their path from it, with the digest of each in hex.
pub(crate) type Tree = BTreeMap<PathBuf, String>;

/// The digest of an empty file (FIPS 180-4 with no message).
pub(crate) const OF_NOTHING: &str =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const READ_BYTES: usize = 1 << 20;

/// The digests of everything under `root`; the path of a root that is itself a file is empty.
pub(crate) fn tree(root: &Path) -> Outcome<Tree> {
    let mut found = Tree::new();
    let mut pending = vec![root.to_owned()];
    while let Some(path) = pending.pop() {
        let told = || format!("reading {}", path.display());
        let metadata = fs::symlink_metadata(&path).context(told)?;
        if metadata.is_dir() {
            for entry in fs::read_dir(&path).context(told)? {
                pending.push(entry.context(told)?.path());
            }
        } else {
            let relative = path.strip_prefix(root).context(told)?.to_owned();
            found.insert(relative, file(&path).context(told)?);
        }
    }
    Ok(found)
}

fn file(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        context.update(&buffer[..read]);
    }
    Ok(context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Says the first differences between what was wanted and what is there.
pub(crate) fn compare(wanted: &Tree, got: &Tree) -> Outcome<()> {
    const TOLD_MAX: usize = 3;
    let missing = wanted.keys().filter(|path| !got.contains_key(*path));
    let extra = got.keys().filter(|path| !wanted.contains_key(*path));
    let wrong = wanted.iter().filter(|(path, digest)| got.get(*path).is_some_and(|d| d != *digest));
    let told: Vec<String> = missing
        .map(|path| format!("{} is missing", path.display()))
        .chain(extra.map(|path| format!("{} is in no torrent", path.display())))
        .chain(wrong.map(|(path, _)| format!("{} differs from the origin", path.display())))
        .take(TOLD_MAX)
        .collect();
    if told.is_empty() { Ok(()) } else { Err(Failure::new(told.join("; "))) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_tree_is_compared_file_by_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        fs::write(folder.path().join("sub/a"), b"abc").unwrap();
        fs::write(folder.path().join("empty"), b"").unwrap();
        let wanted = tree(folder.path()).unwrap();
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(wanted[Path::new("sub/a")], abc);
        assert_eq!(wanted[Path::new("empty")], OF_NOTHING);
        assert_eq!(compare(&wanted, &wanted), Ok(()));

        fs::write(folder.path().join("sub/a"), b"abd").unwrap();
        fs::remove_file(folder.path().join("empty")).unwrap();
        fs::write(folder.path().join("pad"), b"x").unwrap();
        let said = compare(&wanted, &tree(folder.path()).unwrap()).unwrap_err().to_string();
        let parts: Vec<&str> = said.split("; ").collect();
        assert_eq!(
            parts,
            ["empty is missing", "pad is in no torrent", "sub/a differs from the origin"]
        );
    }
}
