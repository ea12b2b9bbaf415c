//! Torrents with known content: every byte follows from a seed, nothing is kept on disk that a test
//! did not ask for.
//!
//! A [`Fixture`] knows its own answers: which bytes a block has and which hashes prove a piece. Fake
//! peers serve from it, and tests compare files with it.

use piecework_hash::{sha1, sha256};
use piecework_metainfo::create::{Details, Plan, Shape, Source};
use piecework_metainfo::merkle;
use piecework_metainfo::{HostPort, Info, Layout, Magnet, Metainfo, Version};
use piecework_types::{BLOCK_BYTES, Block, InfoHash, PieceGrid, PieceIndex, Rng, Sha256Digest};
use piecework_wire::{HashSpan, Request};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `length` bytes that follow from `seed`.
pub fn payload(seed: u64, length: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let words = std::iter::repeat_with(|| rng.next_u64().to_le_bytes());
    let mut bytes: Vec<u8> = words.take(length.div_ceil(8)).flatten().collect();
    bytes.truncate(length);
    bytes
}

/// Inverts the byte at `offset` of a file and keeps its size. The time of change moves on, as it
/// does when anybody writes to a file.
///
/// # Errors
/// When the file cannot be read and written, or is too short.
pub fn corrupt(path: &Path, offset: usize) -> io::Result<()> {
    let mut bytes = fs::read(path)?;
    let byte = bytes.get_mut(offset).ok_or(io::ErrorKind::InvalidInput)?;
    *byte = !*byte;
    fs::write(path, bytes)
}

/// Describes a torrent.
#[derive(Clone, Debug)]
pub struct FixtureBuilder {
    name: String,
    /// Path and length; `None` for a torrent of a single file.
    files: Option<Vec<(String, usize)>>,
    length: usize,
    version: Version,
    piece_length: u32,
    pad_v1: bool,
    seed: u64,
    details: Details,
}

impl FixtureBuilder {
    /// A torrent of one file.
    pub fn file(name: &str, length: usize) -> Self {
        Self {
            name: name.to_owned(),
            files: None,
            length,
            version: Version::V1,
            piece_length: 2 * BLOCK_BYTES,
            pad_v1: false,
            seed: 1,
            details: Details::default(),
        }
    }

    /// A torrent of a folder; [`Self::with`] puts files into it.
    pub fn folder(name: &str) -> Self {
        Self { files: Some(Vec::new()), ..Self::file(name, 0) }
    }

    /// One more file, `/` between the components of its path.
    #[must_use]
    pub fn with(mut self, path: &str, length: usize) -> Self {
        self.files.get_or_insert_default().push((path.to_owned(), length));
        self
    }

    /// v1, v2 or hybrid; v1 if not said.
    #[must_use]
    pub const fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// Bytes of a piece; two blocks if not said.
    #[must_use]
    pub const fn piece_length(mut self, bytes: u32) -> Self {
        self.piece_length = bytes;
        self
    }

    /// Pad files in a v1 torrent too (BEP 47).
    #[must_use]
    pub const fn padded(mut self) -> Self {
        self.pad_v1 = true;
        self
    }

    /// What the content follows from.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// A tracker in a tier of its own.
    #[must_use]
    pub fn tracker(mut self, url: &str) -> Self {
        self.details.trackers.push(vec![url.to_owned()]);
        self
    }

    /// Peers may come from its trackers only (BEP 27).
    #[must_use]
    pub fn private(mut self) -> Self {
        self.details.is_private = true;
        self
    }

    /// A web seed that the torrent names.
    #[must_use]
    pub fn web_seed(mut self, url: &str) -> Self {
        self.details.web_seeds.push(url.to_owned());
        self
    }

    /// Makes content and torrent.
    ///
    /// # Panics
    /// When no such torrent can exist: the test that describes it is wrong.
    pub fn build(self) -> Fixture {
        let shape = Shape {
            version: self.version,
            piece_length: Some(self.piece_length),
            pad_v1: self.pad_v1,
        };
        let files = self.files.unwrap_or_else(|| vec![(self.name.clone(), self.length)]);
        let is_file = matches!(&files[..], [(path, _)] if *path == self.name);
        let plan = if is_file {
            Plan::file(&self.name, files[0].1 as u64, shape)
        } else {
            let source = |(path, length): &(String, usize)| Source {
                components: path.split('/').map(str::to_owned).collect(),
                length: *length as u64,
                is_executable: false,
            };
            Plan::folder(&self.name, files.iter().map(source).collect(), shape)
        };
        let plan = plan.expect("the test describes a torrent that can exist");
        let contents: Vec<Arc<[u8]>> = plan
            .files()
            .iter()
            .zip(plan.layout().extents())
            .map(|(file, extent)| match file.source {
                None => Arc::from(Vec::new()),
                Some(at) => {
                    let seed = self.seed.wrapping_add(at as u64).wrapping_mul(0x1_0000_0001);
                    Arc::from(payload(seed, extent.length as usize))
                }
            })
            .collect();
        let (torrent, metainfo) = make(plan, &contents, &self.details);
        Fixture { torrent: torrent.into(), metainfo: Arc::new(metainfo), contents: contents.into() }
    }
}

/// Hashes the content and writes the torrent.
fn make(plan: Plan, contents: &[Arc<[u8]>], details: &Details) -> (Vec<u8>, Metainfo) {
    let mut builder = plan.builder();
    let pieces: Vec<PieceIndex> = builder.plan().grid().pieces().collect();
    for piece in pieces {
        let plan = builder.plan();
        let whole = Block { piece, begin: 0, length: plan.grid().piece_bytes(piece) };
        let bytes = read(plan.layout(), contents, whole);
        let sha1 = plan.version().has_v1().then(|| sha1(&bytes));
        let hashed = &bytes[..plan.v2_piece_bytes(piece) as usize];
        let blocks: Vec<_> = hashed.chunks(BLOCK_BYTES as usize).map(sha256).collect();
        builder.add(piece, sha1, &blocks).expect("the digests are those that the plan asks for");
    }
    let created = builder.finish(details).expect("every piece has its digests");
    (created.torrent, created.metainfo)
}

/// The bytes of a span, padding included.
fn read(layout: &Layout, contents: &[Arc<[u8]>], span: Block) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(span.length as usize);
    for segment in layout.segments(span) {
        let (start, length) = (segment.offset as usize, segment.length as usize);
        if segment.is_pad {
            bytes.resize(bytes.len() + length, 0);
        } else {
            bytes.extend_from_slice(&contents[segment.file][start..start + length]);
        }
    }
    bytes
}

/// A torrent and its content. Cloning shares both.
#[derive(Clone, Debug)]
pub struct Fixture {
    torrent: Arc<[u8]>,
    metainfo: Arc<Metainfo>,
    /// In the order of the torrent's files; of pad files nothing is kept.
    contents: Arc<[Arc<[u8]>]>,
}

impl Fixture {
    /// A torrent that no builder would make, and what each of its files contains.
    ///
    /// # Panics
    /// When the torrent is refused or has another number of files.
    pub fn parse(torrent: &[u8], contents: Vec<Vec<u8>>) -> Self {
        let metainfo = Metainfo::parse(torrent).expect("the test gives a valid torrent");
        let lengths = metainfo.info().files().iter().map(|file| file.length() as usize);
        assert!(lengths.eq(contents.iter().map(Vec::len)), "one content for each file");
        Self {
            torrent: torrent.into(),
            metainfo: Arc::new(metainfo),
            contents: contents.into_iter().map(Arc::from).collect(),
        }
    }

    /// The torrent file.
    pub fn torrent(&self) -> &[u8] {
        &self.torrent
    }

    /// The torrent file, read.
    pub fn metainfo(&self) -> &Metainfo {
        &self.metainfo
    }

    /// The info dictionary.
    pub fn info(&self) -> &Info {
        self.metainfo.info()
    }

    /// Pieces and blocks.
    pub fn grid(&self) -> &PieceGrid {
        self.info().grid()
    }

    /// The name for handshakes.
    pub fn info_hash(&self) -> InfoHash {
        self.info().hashes().primary()
    }

    /// The name as people see it.
    pub fn label(&self) -> String {
        self.info().hashes().to_string()
    }

    /// The bytes of a span, if it lies in a piece.
    pub fn block(&self, request: Request) -> Option<Vec<u8>> {
        let Request { piece, begin, length } = request;
        let span = self.grid().span(piece, begin, length)?;
        Some(read(self.info().layout(), &self.contents, span))
    }

    /// The answer to a hash request (BEP 52), if there is one.
    pub fn hashes(&self, span: &HashSpan) -> Option<Vec<Sha256Digest>> {
        let tree = self.metainfo.layers()?.tree(&span.pieces_root)?;
        let wanted = merkle::HashSpan {
            base_layer: span.base_layer,
            index: span.index,
            length: span.length,
            proof_layers: span.proof_layers,
        };
        tree.answer(wanted).or_else(|| {
            let mut files = self.info().files().iter();
            let file = files.position(|file| file.pieces_root() == Some(span.pieces_root))?;
            let pieces = tree.shape().pieces_below(wanted);
            let piece_length = self.info().piece_length() as usize;
            let content = &self.contents[file];
            let end = content.len().min(pieces.end as usize * piece_length);
            let below = content.get(pieces.start as usize * piece_length..end)?;
            let blocks: Vec<_> = below.chunks(BLOCK_BYTES as usize).map(sha256).collect();
            tree.answer_with(wanted, &blocks)
        })
    }

    /// Writes the torrent file into a folder and gives its path.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write_torrent(&self, folder: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.torrent", self.label()));
        fs::write(&path, &self.torrent)?;
        Ok(path)
    }

    /// Writes the content below a folder, as `--dir` expects it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write_payload(&self, folder: &Path) -> io::Result<()> {
        for (path, content) in self.stored(folder) {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, content)?;
        }
        Ok(())
    }

    /// Where each stored file lies below a folder, and what it has to contain.
    pub fn stored<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = (PathBuf, &'a [u8])> {
        let files = self.info().files().iter().zip(self.contents.iter());
        let files = files.filter(|(file, _)| !file.is_pad());
        files.map(|(file, content)| (folder.join(file.path()), &content[..]))
    }

    /// The files below a folder that are not what they have to be, with what is wrong. Empty when
    /// the download is right.
    pub fn faults(&self, folder: &Path) -> Vec<String> {
        let fault = |(path, content): (PathBuf, &[u8])| match fs::read(&path) {
            Err(error) => Some(format!("{}: {error}", path.display())),
            Ok(got) if got.len() != content.len() => {
                Some(format!("{}: {} bytes of {}", path.display(), got.len(), content.len()))
            }
            Ok(got) => {
                let at = got.iter().zip(content).position(|(got, expected)| got != expected)?;
                Some(format!("{}: wrong from byte {at} on", path.display()))
            }
        };
        self.stored(folder).filter_map(fault).collect()
    }

    /// A magnet link with these peers (`x.pe`).
    pub fn magnet(&self, peers: &[SocketAddr]) -> Magnet {
        let peers =
            peers.iter().filter_map(|peer| HostPort::new(&peer.ip().to_string(), peer.port()));
        Magnet { peers: peers.collect(), ..self.metainfo.magnet() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(version: Version) -> Fixture {
        let folder = FixtureBuilder::folder("tree").version(version);
        folder.with("a", 100_000).with("b/c", 1).with("b/empty", 0).with("d", 32_768).build()
    }

    #[test]
    fn one_seed_gives_one_torrent() {
        let (once, again) = (tree(Version::Hybrid), tree(Version::Hybrid));
        assert_eq!(once.torrent(), again.torrent());
        let other = FixtureBuilder::file("x", 10).seed(2).build();
        assert_ne!(FixtureBuilder::file("x", 10).build().label(), other.label());
    }

    #[test]
    fn written_content_is_right_until_a_byte_is_inverted() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let fixture = tree(Version::V1);
        assert_eq!(fixture.faults(folder.path()).len(), 4);
        fixture.write_payload(folder.path()).expect("the folder can be written");
        assert!(fixture.faults(folder.path()).is_empty());
        corrupt(&folder.path().join("tree/a"), 99_999).expect("a file of 100,000 bytes");
        let [fault] = &fixture.faults(folder.path())[..] else { panic!("one file is wrong") };
        assert!(fault.ends_with("wrong from byte 99999 on"), "{fault}");
    }

    #[test]
    fn blocks_have_the_hashes_that_the_torrent_names() {
        for version in [Version::V1, Version::Hybrid] {
            let fixture = tree(version);
            for piece in fixture.grid().pieces() {
                let length = fixture.grid().piece_bytes(piece);
                let bytes = fixture.block(Request { piece: piece.get(), begin: 0, length });
                let digest = bytes.map(|bytes| sha1(&bytes));
                assert_eq!(digest, fixture.info().v1_hash(piece), "{version} piece {piece}");
            }
            assert_eq!(fixture.block(Request { piece: 99, begin: 0, length: 1 }), None);
        }
    }

    #[test]
    fn hash_requests_are_answered_at_every_layer() {
        let fixture = tree(Version::V2);
        let layers = fixture.metainfo().layers().expect("a v2 torrent");
        let root = fixture.info().files()[0].pieces_root().expect("a file with content");
        let shape = layers.shape(&root).expect("a known root");
        for base_layer in 0..=1 {
            let proof_layers = shape.height() - base_layer - 1;
            let span =
                HashSpan { pieces_root: root, base_layer, index: 2, length: 2, proof_layers };
            let hashes = fixture.hashes(&span).expect("an answer");
            let span = merkle::HashSpan { base_layer, index: 2, length: 2, proof_layers };
            assert!(shape.verify(&root, span, &hashes).is_ok(), "layer {base_layer}");
        }
    }
}
