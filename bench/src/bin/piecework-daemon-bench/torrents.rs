//! Many small torrents, each one file, and their files.

use piecework_hash::sha1;
use std::fs;
use std::path::Path;

/// Bytes of each file, which is one piece.
const FILE_BYTES: usize = 16 * 1024;

/// A torrent file with its info-hash.
pub(crate) struct Torrent {
    pub(crate) name: String,
    pub(crate) metainfo: Vec<u8>,
    pub(crate) info_hash: String,
}

/// A torrent of so many files in folders, none of which is there.
pub(crate) fn of_files(count: usize) -> Torrent {
    const FILE_BYTES: usize = 1024;
    const PIECE_BYTES: usize = 256 * 1024;
    let mut info = b"d5:filesl".to_vec();
    for number in 0..count {
        let (folder, name) =
            (format!("folder {:03}", number / 100), format!("file {number:05}.bin"));
        let path = format!("{}:{folder}{}:{name}", folder.len(), name.len());
        info.extend_from_slice(format!("d6:lengthi{FILE_BYTES}e4:pathl{path}ee").as_bytes());
    }
    let pieces = (count * FILE_BYTES).div_ceil(PIECE_BYTES);
    let rest =
        format!("e4:name10:many files12:piece lengthi{PIECE_BYTES}e6:pieces{}:", 20 * pieces);
    info.extend_from_slice(rest.as_bytes());
    info.resize(info.len() + 20 * pieces, 0x5a);
    info.push(b'e');
    let info_hash = sha1(&info).to_string();
    let metainfo = [b"d4:info".as_slice(), &info, b"e"].concat();
    Torrent { name: "many.torrent".into(), metainfo, info_hash }
}

/// `count` of them, with their files below `folder`.
pub(crate) fn make(count: usize, folder: &Path) -> Result<Vec<Torrent>, String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let payload = vec![0x5a; FILE_BYTES];
    let piece = sha1(&payload);
    let make = |number: usize| {
        let name = format!("A torrent with a name of common length {number:05}.bin");
        let path = folder.join(&name);
        fs::write(&path, &payload).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut info = format!(
            "d6:lengthi{FILE_BYTES}e4:name{}:{name}12:piece lengthi{FILE_BYTES}e6:pieces20:",
            name.len()
        )
        .into_bytes();
        info.extend_from_slice(&piece.0);
        info.push(b'e');
        let info_hash = sha1(&info).to_string();
        let mut metainfo = b"d4:info".to_vec();
        metainfo.extend_from_slice(&info);
        metainfo.push(b'e');
        Ok(Torrent { name: format!("{number:05}.torrent"), metainfo, info_hash })
    };
    (0..count).map(make).collect()
}
