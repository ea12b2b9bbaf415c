#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn clean(raw: &[u8]) -> String {
    clean_component(raw).0
}

fn paths(raw: &[&str]) -> Vec<String> {
    clean_split(raw).0
}

/// Cleans paths whose components are written with `/` between them.
fn clean_split(raw: &[&str]) -> (Vec<String>, Vec<Cleaned>) {
    let split: Vec<Vec<&[u8]>> =
        raw.iter().map(|path| path.split('/').map(str::as_bytes).collect()).collect();
    let raw: Vec<_> =
        split.iter().map(|components| RawPath { components, is_pad: false }).collect();
    clean_paths(&raw)
}

#[test]
fn components_come_out_as_in_libtorrent() {
    // The cases of `sanitize_path_force` and its siblings in libtorrent's test_torrent_info.cpp.
    let cases: &[(&[u8], &str)] = &[
        (b"", "_"),
        (b"\0\0\xed\0\x80", "_____"),
        (b"/a/", "a"),
        (b"a...b", "a...b"),
        (b".", "_"),
        (b"..", "_"),
        (b"/..", "_"),
        (b"\\c", "c"),
        (b"dev:", "dev:"),
        (b"\x08", "_"),
        (b"\x08?filename=4", "_?filename=4"),
        (b"//\\", "_"),
        ("filename\u{a1}".as_bytes(), "filename\u{a1}"),
        (b"filename\xc2", "filename_"),
        (b"filename\xe2\x9f", "filename_"),
        (b"filename\xf0\x9f\x92", "filename_"),
        ("filename\u{1f488}".as_bytes(), "filename\u{1f488}"),
        ("foo\u{200e}bar".as_bytes(), "foobar"),
        ("foo\u{202b}bar".as_bytes(), "foobar"),
        ("foo\u{200b}bar".as_bytes(), "foobar"),
        ("foo\u{61c}bar".as_bytes(), "foobar"),
        ("foo\u{feff}bar".as_bytes(), "foobar"),
        ("foo\u{2066}bar".as_bytes(), "foobar"),
        ("foo\u{80}bar".as_bytes(), "foo_bar"),
        ("foo\u{9f}bar".as_bytes(), "foo_bar"),
        (b"foo\x7fbar", "foo_bar"),
    ];
    for (raw, expected) in cases {
        assert_eq!(clean(raw), *expected, "{}", raw.escape_ascii());
    }
}

#[test]
fn names_that_windows_cannot_have_are_changed() {
    assert_eq!(clean(b"foo. ."), "foo");
    assert_eq!(clean(b"..."), "_");
    assert_eq!(clean(b"   "), "_");
    assert_eq!(clean(b"CON"), "_CON");
    assert_eq!(clean(b"aux.tar.gz"), "_aux.tar.gz");
    assert_eq!(clean(b"Lpt9 .txt"), "_Lpt9 .txt");
    assert_eq!(clean(b"com"), "com");
    assert_eq!(clean(b"com10"), "com10");
    assert_eq!(clean(b"console"), "console");
    assert_eq!(clean(b".hidden"), ".hidden");
}

#[test]
fn long_names_keep_their_extension_and_whole_characters() {
    let long = [&"a".repeat(300), ".torrent"].concat();
    let (name, why) = clean_component(long.as_bytes());
    assert_eq!(name, ["a".repeat(247).as_str(), ".torrent"].concat());
    assert!(why.contains(Reason::TooLong));
    let wide = "\u{20ac}".repeat(100);
    assert_eq!(clean(wide.as_bytes()), "\u{20ac}".repeat(85));
    // Too long to be an extension.
    let dotted = ["a".repeat(200), "b".repeat(100)].join(".");
    assert_eq!(clean(dotted.as_bytes()), dotted[..255]);
    assert_eq!(clean("a".repeat(255).as_bytes()).len(), 255);
}

#[test]
fn every_reason_is_named() {
    let (name, why) = clean_component("a/\u{200b}\0. ".as_bytes());
    assert_eq!(name, "a_");
    assert_eq!(
        why.to_string(),
        "control character, separator, invisible character, trailing dot or space"
    );
    assert_eq!(clean_component(b"fine"), ("fine".to_owned(), Reasons::default()));
}

#[test]
fn equal_paths_are_numbered_in_order() {
    assert_eq!(
        paths(&["x/a.txt", "x/a.txt", "x/A.TXT", "x/a.1.txt"]),
        ["x/a.txt", "x/a.2.txt", "x/A.3.TXT", "x/a.1.txt"]
    );
    let (_, cleaned) = clean_split(&["b", "B", "b"]);
    let listed: Vec<_> =
        cleaned.iter().map(|it| (it.file, it.to.as_str(), it.why.to_string())).collect();
    assert_eq!(listed[0], (Some(1), "B.1", "differs in case only".to_owned()));
    assert_eq!(listed[1], (Some(2), "b.2", "duplicate".to_owned()));
}

#[test]
fn a_file_never_stands_where_a_folder_must() {
    assert_eq!(paths(&["a/b", "a", "A.1/c"]), ["a/b", "a.2", "A.1/c"]);
    assert_eq!(paths(&["a", "a", "a/b"]), ["a.1", "a.2", "a/b"]);
    // The separator sorts before everything, so nothing hides the folder.
    assert_eq!(paths(&["a", "a!", "a/b"]), ["a.1", "a!", "a/b"]);
}

#[test]
fn folders_that_differ_in_case_are_left_alone() {
    assert_eq!(paths(&["A/x", "a/y"]), ["A/x", "a/y"]);
    assert_eq!(paths(&["A/x", "a/X"]), ["A/x", "a/X.1"]);
}

#[test]
fn numbering_thousands_of_equal_names_is_quick_and_unique() {
    let raw = vec!["same/name.bin"; 20_000];
    let unique: BTreeSet<_> = paths(&raw).into_iter().collect();
    assert_eq!(unique.len(), raw.len());
}

#[test]
fn padding_clashes_with_nothing() {
    let pad = RawPath { components: &[b".pad", b"16"], is_pad: true };
    let file = RawPath { is_pad: false, ..pad };
    let (paths, cleaned) = clean_paths(&[pad, pad, file, pad]);
    assert_eq!(paths, [".pad/16"; 4]);
    assert_eq!(cleaned, []);
}

#[test]
fn what_a_terminal_could_misread_is_escaped_in_the_report() {
    let component: &[u8] = "a\x1b[31m\u{202e}b\u{fffd}\u{e9}".as_bytes();
    let (_, cleaned) = clean_paths(&[RawPath { components: &[component], is_pad: false }]);
    assert_eq!(cleaned[0].from, "a\\u{1b}[31m\\u{202e}b\u{fffd}\u{e9}");
}

/// Bytes that hit the rules more often than chance would.
fn components() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        prop::sample::select(vec![
            ".", "..", "/", "\\", " ", "con", "COM1", "a", "A", "b.txt", "\0", "\u{202e}",
            "\u{1e9e}", "\u{130}", "1", ".1",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
        (1_usize..90).prop_map(|count| "\u{20ac}".repeat(count).into_bytes()),
    ];
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn whatever_comes_the_paths_are_safe(
        raw in prop::collection::vec(prop::collection::vec(components(), 0..4), 0..12),
    ) {
        let borrowed: Vec<Vec<&[u8]>> =
            raw.iter().map(|path| path.iter().map(Vec::as_slice).collect()).collect();
        let raw: Vec<_> =
            borrowed.iter().map(|components| RawPath { components, is_pad: false }).collect();
        let (paths, cleaned) = clean_paths(&raw);
        let folded: BTreeSet<String> = paths.iter().map(|path| path.to_lowercase()).collect();
        prop_assert_eq!(folded.len(), raw.len(), "two paths are equal: {:?}", paths);
        for path in &paths {
            for name in path.split('/') {
                prop_assert!(!name.is_empty() && name.len() <= COMPONENT_BYTES_MAX);
                prop_assert!(!matches!(name, "." | "..") && !name.ends_with(['.', ' ']));
                prop_assert!(name.chars().all(|it| fault_of(it).is_none()));
            }
            let inside = [&path.to_lowercase(), "/"].concat();
            prop_assert!(!folded.iter().any(|other| other.starts_with(&inside)), "{:?}", paths);
        }
        for change in cleaned {
            prop_assert_eq!(&paths[change.file.unwrap()], &change.to);
            prop_assert!(!change.why.is_empty());
        }
    }

    #[test]
    fn cleaning_a_clean_name_changes_nothing(raw in components()) {
        let (name, _) = clean_component(&raw);
        prop_assert_eq!(clean_component(name.as_bytes()), (name, Reasons::default()));
    }
}
