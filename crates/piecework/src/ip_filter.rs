//! `--ip-filter`: lists from files, plain or packed with gzip, and what was made of their lines.

use crate::failure::{Context, Failure};
use crate::out::{Out, note};
use flate2::read::MultiGzDecoder;
use piecework_filter::{FILE_BYTES_MAX, FilterBuilder, IpFilter, Reading};
use serde_json::json;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a gzip file begins with (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The filter of all lists.
pub(crate) fn load(files: &[PathBuf], out: Out) -> Result<Arc<IpFilter>, Failure> {
    let mut builder = FilterBuilder::default();
    for path in files {
        let doing = format!("cannot use the IP filter {}", path.display());
        let bytes = read(path).context(&doing)?;
        let reading = builder.read(&bytes).context(&doing)?;
        tell(path, &reading, out);
    }
    Ok(Arc::new(builder.build()))
}

/// The list, unpacked, and one byte more than a list may have if it is too long.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = bounded(File::open(path)?)?;
    if bytes.starts_with(&GZIP) {
        bounded(MultiGzDecoder::new(bytes.as_slice()))
    } else {
        Ok(bytes)
    }
}

fn bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn tell(path: &Path, reading: &Reading, out: Out) {
    let bad: Vec<String> = reading.bad_lines.iter().map(ToString::to_string).collect();
    out.event(&json!({
        "event": "ip_filter",
        "file": path.display().to_string(),
        "blocked": reading.blocked,
        "allowed": reading.allowed,
        "bad": reading.bad,
        "bad_lines": bad,
    }));
    if let Some(first) = bad.first() {
        let Reading { blocked, bad, .. } = reading;
        let path = path.display();
        note(&format!("{path}: {blocked} ranges are blocked; {bad} lines do nothing, {first}"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    #[test]
    fn a_list_may_be_packed_and_lists_add_up() {
        let dir = tempfile::tempdir().unwrap();
        let plain = dir.path().join("plain");
        std::fs::write(&plain, "1.0.0.0/8\n").unwrap();
        let packed = dir.path().join("packed.gz");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"somebody:2.0.0.0-2.0.0.9\n").unwrap();
        std::fs::write(&packed, encoder.finish().unwrap()).unwrap();
        let filter = load(&[plain, packed], Out::new(false)).unwrap();
        for (ip, is_blocked) in [([1, 2, 3, 4], true), ([2, 0, 0, 9], true), ([2, 0, 0, 10], false)]
        {
            assert_eq!(filter.blocks(ip.into()), is_blocked, "{ip:?}");
        }
    }

    #[test]
    fn a_file_that_is_no_list_is_named_with_its_first_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.html");
        std::fs::write(&path, "<html>\n").unwrap();
        let failure = load(std::slice::from_ref(&path), Out::new(false)).unwrap_err();
        assert!(
            failure.text.contains("page.html") && failure.text.contains("line 1"),
            "{failure:?}"
        );
    }
}
