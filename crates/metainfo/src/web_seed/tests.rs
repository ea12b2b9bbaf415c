#![allow(clippy::unwrap_used)]

use super::*;
use piecework_bencode::{ListWriter, encode_dict};
use piecework_types::BLOCK_BYTES;
use proptest::prelude::*;

const PIECE: u32 = 2 * BLOCK_BYTES;
const KIB_16: u64 = BLOCK_BYTES as u64;

fn file(list: &mut ListWriter<'_>, path: &[&[u8]], length: u64, attr: &str) {
    list.dict(|file| {
        if !attr.is_empty() {
            file.bytes("attr", attr);
        }
        file.int("length", length);
        file.list("path", |names| path.iter().for_each(|name| names.bytes(name)));
    });
}

type Listed<'a> = (&'a [&'a [u8]], u64, &'a str);

fn folder(name: &[u8], files: &[Listed<'_>]) -> WebNames {
    let total: u64 = files.iter().map(|(_, length, _)| length).sum();
    let raw = encode_dict(|dict| {
        dict.list("files", |list| {
            files.iter().for_each(|(path, length, attr)| file(list, path, *length, attr));
        });
        dict.bytes("name", name);
        dict.int("piece length", u64::from(PIECE));
        dict.bytes("pieces", vec![7; total.div_ceil(PIECE.into()) as usize * 20]);
    });
    WebNames::new(Arc::new(Info::parse(raw).unwrap()))
}

fn single(name: &str, length: u64) -> WebNames {
    let raw = encode_dict(|dict| {
        dict.int("length", length);
        dict.bytes("name", name);
        dict.int("piece length", u64::from(PIECE));
        dict.bytes("pieces", vec![7; length.div_ceil(PIECE.into()) as usize * 20]);
    });
    WebNames::new(Arc::new(Info::parse(raw).unwrap()))
}

/// A v2 torrent of two files directly below the folder.
fn v2(lengths: [u64; 2]) -> WebNames {
    let raw = encode_dict(|dict| {
        dict.dict("file tree", |tree| {
            for (at, length) in lengths.into_iter().enumerate() {
                tree.dict(["a", "b"][at], |node| {
                    node.dict("", |file| {
                        file.int("length", length);
                        file.bytes("pieces root", [at as u8 + 1; 32]);
                    });
                });
            }
        });
        dict.int("meta version", 2);
        dict.bytes("name", "n");
        dict.int("piece length", u64::from(PIECE));
    });
    WebNames::new(Arc::new(Info::parse(raw).unwrap()))
}

fn blocks(names: &WebNames) -> Vec<Block> {
    let grid = names.info.grid();
    grid.pieces().flat_map(|piece| grid.blocks(piece)).collect()
}

fn files_at(url: &str) -> WebSeed {
    WebSeed::new(url, WebSeedKind::Files).unwrap()
}

fn range(url: &str, first: u64, bytes: u64, file_bytes: u64) -> WebPart {
    let of = Some(FileRange { first, file_bytes });
    WebPart::Range(WebRange { url: url.to_owned(), bytes, of })
}

fn answer(url: &str, bytes: u64) -> WebPart {
    WebPart::Range(WebRange { url: url.to_owned(), bytes, of: None })
}

#[test]
fn a_single_file_lies_at_the_address_or_below_it_if_that_is_a_folder() {
    let names = single("a b.bin", 40_000);
    let all = blocks(&names);
    assert_eq!(
        names.parts(&files_at("http://h/x"), &all),
        [range("http://h/x", 0, 40_000, 40_000)]
    );
    let below = range("http://h/x/a%20b.bin", 32_768, 7_232, 40_000);
    assert_eq!(names.parts(&files_at("http://h/x/"), &all[2..]), [below]);
}

#[test]
fn a_run_of_pieces_is_one_range_of_each_file_that_it_touches() {
    let names =
        folder(b"n", &[(&[b"a"], 20_000, ""), (&[b"empty"], 0, ""), (&[b"sub", b"b"], 60_000, "")]);
    let expected =
        [range("http://h/n/a", 0, 20_000, 20_000), range("http://h/n/sub/b", 0, 60_000, 60_000)];
    for base in ["http://h", "http://h/"] {
        assert_eq!(names.parts(&files_at(base), &blocks(&names)), expected);
    }
}

#[test]
fn padding_is_asked_of_nobody() {
    let names = folder(
        b"n",
        &[(&[b"a"], 20_000, ""), (&[b".pad", b"12768"], 12_768, "p"), (&[b"b"], 10, "")],
    );
    let expected = [
        range("http://h/n/a", 0, 20_000, 20_000),
        WebPart::Zeros(12_768),
        range("http://h/n/b", 0, 10, 10),
    ];
    assert_eq!(names.parts(&files_at("http://h"), &blocks(&names)), expected);
    let script = WebSeed::new("http://h/s", WebSeedKind::Script).unwrap();
    let parts = names.parts(&script, &blocks(&names));
    let WebPart::Range(first) = &parts[0] else { panic!("{parts:?}") };
    assert!(first.url.ends_with("&piece=0&ranges=0-19999"), "{}", first.url);
    assert_eq!(parts[1], WebPart::Zeros(12_768));
}

#[test]
fn the_files_of_a_v2_torrent_are_asked_for_without_what_lies_between_them() {
    let names = v2([20_000, PIECE.into()]);
    let expected = [
        range("http://h/n/a", 0, 20_000, 20_000),
        range("http://h/n/b", 0, PIECE.into(), PIECE.into()),
    ];
    assert_eq!(names.parts(&files_at("http://h/"), &blocks(&names)), expected);
}

#[test]
fn names_are_escaped_and_are_those_of_the_torrent_not_the_cleaned_ones() {
    let names = folder(
        "n?#é".as_bytes(),
        &[
            (&[b"100%", b"a+b&c=d;e"], 10, ""),
            (&[b"con:1|\x01\xff"], 10, ""),
            (&[b"..", b"up"], 10, ""),
        ],
    );
    assert!(!names.info.cleaned().is_empty());
    let parts = names.parts(&files_at("http://h"), &blocks(&names));
    let urls = parts.iter().map(|part| match part {
        WebPart::Range(range) => range.url.as_str(),
        WebPart::Zeros(_) => "",
    });
    let urls: Vec<&str> = urls.collect();
    assert_eq!(urls[0], "http://h/n%3F%23%C3%A9/100%25/a%2Bb%26c%3Dd%3Be");
    assert_eq!(urls[1], "http://h/n%3F%23%C3%A9/con%3A1%7C%01%FF");
    assert!(urls[2].ends_with("/up") && !urls[2].contains(".."), "{}", urls[2]);
}

#[test]
fn a_script_is_asked_for_pieces_and_for_parts_of_them() {
    let names = single("n", 40_000);
    let hash = percent_encode(&names.info.hashes().v1.unwrap().0, ESCAPED).to_string();
    let script = |url: &str| WebSeed::new(url, WebSeedKind::Script).unwrap();
    let all = blocks(&names);
    let expected = [
        answer(&format!("http://h/s?info_hash={hash}&piece=0"), PIECE.into()),
        answer(&format!("http://h/s?info_hash={hash}&piece=1"), 40_000 - u64::from(PIECE)),
    ];
    assert_eq!(names.parts(&script("http://h/s"), &all), expected);
    let url = format!("http://h/s?k=1&info_hash={hash}&piece=0&ranges=16384-32767");
    assert_eq!(names.parts(&script("http://h/s?k=1"), &all[1..2]), [answer(&url, KIB_16)]);
}

#[test]
fn only_http_is_an_address_of_a_web_seed() {
    for url in ["ftp://h/", "file:///etc/passwd", "h/x", "http://"] {
        assert_eq!(WebSeed::new(url, WebSeedKind::Files), None, "{url}");
    }
}

proptest! {
    #[test]
    fn the_parts_have_the_bytes_of_the_blocks_and_no_range_leaves_its_file(
        files in prop::collection::vec((0_u64..90_000, any::<bool>()), 1..12),
        skip in 0_usize..8,
        take in 1_usize..30,
        is_script in any::<bool>(),
    ) {
        let paths: Vec<[Vec<u8>; 1]> = (0..files.len()).map(|at| [vec![b'a' + at as u8]]).collect();
        let paths: Vec<Vec<&[u8]>> =
            paths.iter().map(|path| path.iter().map(Vec::as_slice).collect()).collect();
        let listed: Vec<Listed<'_>> = files
            .iter()
            .zip(&paths)
            .map(|((length, is_pad), path)| (&path[..], *length, if *is_pad { "p" } else { "" }))
            .collect();
        prop_assume!(files.iter().any(|(length, is_pad)| *length > 0 && !is_pad));
        let names = folder(b"n", &listed);
        let all = blocks(&names);
        let some: Vec<Block> = all.into_iter().skip(skip).take(take).collect();
        let kind = if is_script { WebSeedKind::Script } else { WebSeedKind::Files };
        let parts = names.parts(&WebSeed::new("http://h/", kind).unwrap(), &some);
        let wanted: u64 = some.iter().map(|block| u64::from(block.length)).sum();
        prop_assert_eq!(parts.iter().map(WebPart::bytes).sum::<u64>(), wanted);
        for part in &parts {
            prop_assert!(part.bytes() > 0);
            if let WebPart::Range(WebRange { of: Some(of), bytes, .. }) = part {
                prop_assert!(of.first + bytes <= of.file_bytes);
            }
        }
    }
}
