//! What libtorrent's resume data say of v2 and hybrid torrents, and their torrent files do not.
//!
//! Programs that keep both apart write torrent files without piece layers. The resume data have the known
//! nodes of each file's hash tree (key `trees`): of its pieces or, once the data were hashed, of its blocks.

use piecework_bencode::{Mode, Value, decode, encode_dict};
use piecework_metainfo::merkle::root_of;
use piecework_metainfo::{Info, PieceLayers, Version};
use piecework_types::Sha256Digest;

/// The torrent file with its piece layers; `None` if it needs none, or they cannot be made.
pub(crate) fn with_layers(torrent: &[u8], resume: Value<'_>) -> Option<Vec<u8>> {
    let document = decode(torrent, Mode::Lenient).ok()?;
    let root = document.root().as_dict()?;
    let info = v2_info(root.get("info")?)?;
    let mut layers = info.unknown_layers()?;
    if layers.is_complete() || root.get("piece layers").is_some() {
        return None;
    }
    for tree in resume.get("trees")?.as_list()? {
        // What does not fit is missing in the end.
        let _ = insert(&mut layers, tree);
    }
    layers.is_complete().then(|| {
        encode_dict(|dict| {
            root.iter().for_each(|(key, value)| dict.raw(key, value.raw()));
            dict.dict("piece layers", |all| {
                for tree in layers.trees().filter(|tree| tree.shape().has_piece_layer()) {
                    let layer: Vec<u8> = tree.pieces().iter().flat_map(|hash| hash.0).collect();
                    all.bytes(tree.root(), layer);
                }
            });
        })
    })
}

/// The number that libtorrent gives to each file of a v2 torrent, which counts padding that is not in the
/// info dictionary; `None` for others, whose padding is.
pub(crate) fn file_numbers(torrent: &[u8]) -> Option<Vec<usize>> {
    let document = decode(torrent, Mode::Lenient).ok()?;
    let info = v2_info(document.root().get("info")?)?;
    let piece_bytes = u64::from(info.piece_length());
    let mut next = 0;
    let number = |file: &piecework_metainfo::File| {
        let number = next;
        next += if file.length().is_multiple_of(piece_bytes) { 1 } else { 2 };
        number
    };
    (info.version() == Version::V2).then(|| info.files().iter().map(number).collect())
}

/// Nothing for v1, which most torrents are.
fn v2_info(raw: Value<'_>) -> Option<Info> {
    raw.get("meta version")?;
    Info::parse(raw.raw()).ok()
}

/// Known nodes of one file's tree, from its root downwards and each layer from its first node.
struct Nodes<'d> {
    hashes: &'d [[u8; Sha256Digest::BYTES]],
    /// For each node of the tree a `1` if its hash is among the `hashes`.
    mask: &'d [u8],
}

impl<'d> Nodes<'d> {
    fn read(tree: Value<'d>) -> Option<Self> {
        let (hashes, _) = tree.get("hashes")?.as_bytes()?.as_chunks();
        let mask = tree.get("mask")?.as_bytes()?;
        (mask.len() + 1).is_power_of_two().then_some(Self { hashes, mask })
    }

    /// The layer of the root; blocks are layer 0.
    fn height(&self) -> u32 {
        (self.mask.len() + 1).trailing_zeros().saturating_sub(1)
    }

    /// The nodes of a layer that are known, up to the first that is not.
    fn layer(&self, layer: u32) -> Vec<Sha256Digest> {
        let width = 1_usize << self.height().saturating_sub(layer);
        let (before, rest) = self.mask.split_at(width - 1);
        let skipped = before.iter().filter(|known| **known == b'1').count();
        let known = rest.iter().take(width).take_while(|known| **known == b'1').count();
        self.hashes.iter().skip(skipped).take(known).copied().map(Sha256Digest).collect()
    }
}

/// Adds the piece layer of a file. `None` if too little of its tree is known, or no file has that tree.
fn insert(layers: &mut PieceLayers, tree: Value<'_>) -> Option<()> {
    let nodes = Nodes::read(tree)?;
    let height = nodes.height();
    let mut known = (0..=height).rev().map(|layer| (layer, nodes.layer(layer)));
    let (layer, top) = known.find(|(_, hashes)| !hashes.is_empty())?;
    let root = root_of(&top, layer, height);
    let shape = layers.shape(&root).filter(|shape| shape.height() == height)?;
    let count = usize::try_from(shape.piece_count()).ok()?;
    let mut pieces = nodes.layer(shape.piece_layer());
    if pieces.len() < count {
        let mut blocks = nodes.layer(0);
        blocks.truncate(usize::try_from(shape.block_count()).ok()?);
        let of_piece = blocks.chunks(1 << shape.piece_layer());
        pieces = of_piece.map(|blocks| shape.piece_hash(blocks)).collect();
    }
    pieces.truncate(count);
    layers.insert(&root, pieces).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use piecework_bencode::DictWriter;
    use piecework_metainfo::Metainfo;

    /// Of a file of five blocks, and pieces of two.
    fn blocks() -> Vec<Sha256Digest> {
        (1..=5).map(|byte| Sha256Digest([byte; 32])).collect()
    }

    fn pieces() -> Vec<Sha256Digest> {
        blocks().chunks(2).map(|blocks| root_of(blocks, 0, 1)).collect()
    }

    /// Files `a` of five blocks and a bit less, and `b` of one byte.
    fn torrent() -> Vec<u8> {
        let file = |dict: &mut DictWriter<'_>, name: &str, bytes: i64, root: Sha256Digest| {
            dict.dict(name, |file| {
                file.dict("", |file| {
                    file.int("length", bytes);
                    file.bytes("pieces root", root);
                });
            });
        };
        encode_dict(|dict| {
            dict.bytes("announce", "http://example.org/announce");
            dict.dict("info", |fields| {
                fields.dict("file tree", |tree| {
                    file(tree, "a", 5 * 16_384 - 7, root_of(&blocks(), 0, 3));
                    file(tree, "b", 1, Sha256Digest([9; 32]));
                });
                fields.int("meta version", 2);
                fields.bytes("name", "two");
                fields.int("piece length", 32_768);
            });
        })
    }

    fn repaired(hashes: &[Sha256Digest], mask: &str) -> Option<Vec<u8>> {
        let resume = encode_dict(|dict| {
            dict.list("trees", |trees| {
                trees.dict(|tree| {
                    tree.bytes("hashes", hashes.iter().flat_map(|hash| hash.0).collect::<Vec<_>>());
                    tree.bytes("mask", mask);
                });
                trees.dict(|padding| padding.bytes("hashes", ""));
            });
        });
        with_layers(&torrent(), decode(&resume, Mode::Lenient).unwrap().root())
    }

    #[test]
    fn piece_layers_are_made_of_the_nodes_of_pieces_or_of_blocks() {
        assert!(Metainfo::parse(&torrent()).is_err(), "it has none by itself");
        let (root, blank) = (root_of(&blocks(), 0, 3), "0".repeat(8));
        for (hashes, mask) in [
            (pieces(), format!("0001110{blank}")),
            (blocks(), "000000011111000".to_owned()),
            ([vec![root], pieces()].concat(), format!("1001110{blank}")),
        ] {
            let metainfo = Metainfo::parse(&repaired(&hashes, &mask).unwrap()).unwrap();
            assert_eq!(metainfo.layers().unwrap().tree(&root).unwrap().pieces(), pieces());
            assert_eq!(metainfo.trackers(), [["http://example.org/announce"]]);
        }
    }

    #[test]
    fn a_tree_that_is_not_known_well_enough_or_of_no_file_repairs_nothing() {
        for (hashes, mask) in [
            (pieces()[..2].to_vec(), "000110000000000"),
            (vec![root_of(&blocks(), 0, 3)], "100000000000000"),
            (pieces(), "00011"),
            (vec![], "000111000000000"),
            (pieces(), ""),
        ] {
            assert_eq!(repaired(&hashes, mask), None, "{mask}");
        }
        let whole = repaired(&blocks(), "000000011111000").unwrap();
        let nothing = decode(b"de", Mode::Lenient).unwrap();
        assert_eq!(with_layers(&whole, nothing.root()), None);
        assert_eq!(with_layers(b"junk", nothing.root()), None);
    }

    #[test]
    fn padding_that_only_libtorrent_counts_is_skipped() {
        assert_eq!(file_numbers(&torrent()), Some(vec![0, 2]));
        assert_eq!(file_numbers(b"junk"), None);
    }
}
