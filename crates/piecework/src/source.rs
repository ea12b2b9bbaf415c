//! Where a torrent comes from: a file, a magnet link, or an http(s) address.

use crate::failure::{Context, Failure};
use piecework_metainfo::{Magnet, Metainfo};
use piecework_net::Binding;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

/// Longest torrent file read, bytes: metadata of 64 MiB and its piece layers.
const TORRENT_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// A loaded SOURCE.
#[derive(Debug)]
pub(crate) enum Loaded {
    Torrent(Arc<Metainfo>),
    Magnet(Box<Magnet>),
}

/// Loads a SOURCE argument, one from the web by way of `binding`.
pub(crate) fn load(source: &str, binding: &Binding) -> Result<Loaded, Failure> {
    if source.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("magnet:")) {
        let magnet = source.parse::<Magnet>().context("cannot read the magnet link")?;
        return Ok(Loaded::Magnet(Box::new(magnet)));
    }
    let bytes = if source.starts_with("http://") || source.starts_with("https://") {
        piecework_net::fetch(source, TORRENT_BYTES_MAX, binding)
            .context(format_args!("cannot fetch {source}"))?
    } else {
        read(source).context(format_args!("cannot read torrent file {source}"))?
    };
    parse(source, &bytes).map(Loaded::Torrent)
}

/// Loads a SOURCE that must be a torrent file.
pub(crate) fn load_torrent(source: &str) -> Result<Arc<Metainfo>, Failure> {
    match load(source, &Binding::default())? {
        Loaded::Torrent(metainfo) => Ok(metainfo),
        Loaded::Magnet(_) => Err(Failure::usage(
            "a magnet link has no piece hashes: fetch its torrent file with 'piecework metadata' first",
        )),
    }
}

fn read(path: &str) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    file.take(TORRENT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > TORRENT_BYTES_MAX {
        return Err(std::io::Error::other(format!("it has more than {TORRENT_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

fn parse(source: &str, bytes: &[u8]) -> Result<Arc<Metainfo>, Failure> {
    Metainfo::parse(bytes).map(Arc::new).context(format_args!("{source} is refused"))
}
