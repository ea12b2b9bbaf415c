//! The bytes of a torrent file.
//!
//! Keys are written as they come to mind: the encoder sorts them. Every number was checked by the
//! plan.

use super::{Builder, Details, Plan};
use crate::merkle::{Tree, TreeShape};
use piecework_bencode::{DictWriter, encode_dict};
use piecework_types::Sha256Digest;
use std::collections::BTreeMap;

/// Writes the info dictionary, and the piece layers that go with it: root and hashes.
pub(super) fn content(builder: &Builder, is_private: bool) -> (Vec<u8>, Vec<Tree>) {
    let trees = trees(builder);
    let info = encode_dict(|dict| fields(dict, builder, &trees, is_private));
    (info, trees.into_values().collect())
}

/// Writes a torrent file around an info dictionary. `trees` is `None` for v1.
pub(super) fn torrent<'t>(
    info: &[u8],
    trees: Option<impl Iterator<Item = &'t Tree>>,
    details: &Details,
) -> Vec<u8> {
    encode_dict(|dict| {
        dict.raw("info", info);
        addresses(dict, details);
        if let Some(comment) = &details.comment {
            dict.bytes("comment", comment);
        }
        if let Some(created_by) = &details.created_by {
            dict.bytes("created by", created_by);
        }
        if let Some(date) = details.creation_date {
            dict.int("creation date", date);
        }
        if let Some(trees) = trees {
            // Files with the same content have one layer: the dictionary keeps the first.
            dict.dict("piece layers", |layers| {
                for tree in trees.filter(|tree| tree.shape().has_piece_layer()) {
                    let layer: Vec<u8> = tree.pieces().iter().flat_map(|hash| hash.0).collect();
                    layers.bytes(tree.root(), layer);
                }
            });
        }
    })
}

fn addresses(dict: &mut DictWriter<'_>, details: &Details) {
    let tiers: Vec<_> = details.trackers.iter().filter(|tier| !tier.is_empty()).collect();
    if let Some(first) = tiers.first().and_then(|tier| tier.first()) {
        dict.bytes("announce", first);
    }
    if tiers.iter().map(|tier| tier.len()).sum::<usize>() > 1 {
        dict.list("announce-list", |list| {
            for tier in tiers {
                list.list(|urls| tier.iter().for_each(|url| urls.bytes(url)));
            }
        });
    }
    if !details.web_seeds.is_empty() {
        dict.list("url-list", |list| details.web_seeds.iter().for_each(|url| list.bytes(url)));
    }
}

/// The entries of the info dictionary.
fn fields(
    dict: &mut DictWriter<'_>,
    builder: &Builder,
    trees: &BTreeMap<usize, Tree>,
    is_private: bool,
) {
    let plan = &builder.plan;
    dict.bytes("name", &plan.name);
    dict.int("piece length", plan.grid.piece_length());
    if is_private {
        dict.int("private", 1);
    }
    if plan.version.has_v1() {
        dict.bytes("pieces", &builder.v1);
        v1_files(dict, plan);
    }
    if plan.version.has_v2() {
        dict.int("meta version", 2);
        let files = plan.files.iter().enumerate().filter(|(_, file)| file.source.is_some());
        let files: Vec<usize> = files.map(|(at, _)| at).collect();
        dict.dict("file tree", |tree| v2_folder(tree, plan, trees, &files, 0));
    }
}

fn v1_files(dict: &mut DictWriter<'_>, plan: &Plan) {
    if plan.is_single_file {
        dict.int("length", plan.layout.extents()[0].length);
        return;
    }
    dict.list("files", |list| {
        for (file, extent) in plan.files.iter().zip(plan.layout.extents()) {
            list.dict(|entry| {
                entry.int("length", extent.length);
                entry.list("path", |path| {
                    file.components.iter().for_each(|component| path.bytes(component));
                });
                let letters = file.attributes.letters();
                if !letters.is_empty() {
                    entry.bytes("attr", letters);
                }
            });
        }
    });
}

/// Writes the files that share their first `depth` components; they stand in order. As deep as the
/// plan lets paths be.
fn v2_folder(
    folder: &mut DictWriter<'_>,
    plan: &Plan,
    trees: &BTreeMap<usize, Tree>,
    files: &[usize],
    depth: usize,
) {
    let component = |file: usize| &plan.files[file].components[depth];
    for group in files.chunk_by(|a, b| component(*a) == component(*b)) {
        folder.dict(component(group[0]), |node| {
            let first = &plan.files[group[0]];
            if first.components.len() > depth + 1 {
                return v2_folder(node, plan, trees, group, depth + 1);
            }
            node.dict("", |file| {
                file.int("length", plan.layout.extents()[group[0]].length);
                if let Some(tree) = trees.get(&group[0]) {
                    file.bytes("pieces root", tree.root());
                }
                let letters = first.attributes.letters();
                if !letters.is_empty() {
                    file.bytes("attr", letters);
                }
            });
        });
    }
}

/// The hash tree of each file with content.
fn trees(builder: &Builder) -> BTreeMap<usize, Tree> {
    let plan = &builder.plan;
    let mut trees = BTreeMap::new();
    if !plan.version.has_v2() {
        return trees;
    }
    for (at, extent) in plan.layout.extents().iter().enumerate().filter(|(_, it)| !it.is_pad) {
        let Some(shape) = TreeShape::new(extent.length, plan.grid.piece_length()) else { continue };
        let pieces = plan.layout.pieces_of(at);
        let hashes: Vec<Sha256Digest> =
            builder.v2[pieces.start as usize..pieces.end as usize].to_vec();
        let tree = Tree::new(shape, hashes).expect("the grid was made from the files' lengths");
        trees.insert(at, tree);
    }
    trees
}
