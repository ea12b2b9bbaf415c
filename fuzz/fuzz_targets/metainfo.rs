//! Torrent files and info dictionaries. What is read must hang together: every piece has its hash
//! and lies in files, every path is safe.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_metainfo::{Info, Metainfo};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(info) = Info::parse(bytes) {
        check(&info);
    }
    let Ok(metainfo) = Metainfo::parse(bytes) else { return };
    check(metainfo.info());
    if let Some(layers) = metainfo.layers() {
        let pieces = metainfo.info().grid().pieces().take(PIECES_CHECKED);
        assert!(layers.is_complete() && pieces.into_iter().all(|it| layers.v2_hash(it).is_some()));
    }
    let magnet = metainfo.magnet();
    assert_eq!(magnet.to_string().parse(), Ok(magnet));
});

/// A few bytes can claim millions of pieces; the first ones show what there is to see.
const PIECES_CHECKED: usize = 1000;

fn check(info: &Info) {
    for piece in info.grid().pieces().take(PIECES_CHECKED) {
        assert_eq!(info.v1_hash(piece).is_some(), info.version().has_v1());
        let parts = info.layout().piece_segments(piece);
        let bytes: u64 = parts.map(|part| u64::from(part.length)).sum();
        assert_eq!(bytes, info.grid().piece_bytes(piece).into());
    }
    for file in info.files() {
        for path in [Some(file.path()), file.symlink()].into_iter().flatten() {
            assert!(path.split('/').all(|name| !matches!(name, "" | "." | "..")));
            assert!(!path.chars().any(char::is_control));
        }
        assert!(file.length() == 0 || !file.attributes().symlink);
    }
}
