//! The house rules as a program: what a reviewer would otherwise have to remember.
//!
//! Each rule lives in a module of its own with tests that show it refusing something. This module
//! decides which file is held to which rule, and prints what was found.

mod arrows;
mod glossary;
mod purity;
mod shape;
mod source;
mod text;

use crate::process;
use glossary::Glossary;
use source::Source;
use std::fmt;
use std::fs;
use std::path::Path;

/// Bytes of the largest file that may be checked in; test data has to be small too.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What speaks as other programs do, or reads their files: its literals are names that we have not chosen.
const DIALECTS: [&str; 7] = [
    "crates/qbittorrent/",
    "crates/transmission/",
    "crates/profiles/",
    "crates/daemon/src/profile.rs",
    "crates/daemon/tests/daemon/import.rs",
    "crates/piecework/tests/safe.rs",
    "interop/src/cells/import.rs",
];

/// Something a rule refuses, before it is known in which file it stands.
#[derive(Debug)]
struct Found {
    line: usize,
    what: String,
    advice: String,
}

impl Found {
    fn new(line: usize, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { line, what: what.into(), advice: advice.into() }
    }
}

/// One broken rule.
#[derive(Debug)]
struct Violation {
    place: String,
    what: String,
}

impl Violation {
    fn of_crate(name: &str, what: String) -> Self {
        Self { place: format!("crate {name}"), what }
    }

    fn in_file(path: &str, found: &Found) -> Self {
        let Found { line, what, advice } = found;
        Self { place: format!("{path}:{line}"), what: format!("{what}: {advice}") }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Checks the repository at `root`; prints each violation to stderr and each note to stdout.
///
/// # Errors
/// When a rule is broken or a rule's own input cannot be read.
pub(crate) fn check(root: &Path) -> Result<String, String> {
    let glossary = Glossary::parse(&read(root, "GLOSSARY.md")?)?;
    let files = process::output(root, "git", &["ls-files", "-coz", "--exclude-standard"])?;
    let metadata =
        process::output(root, "cargo", &["metadata", "--format-version", "1", "--locked"])?;
    let metadata = serde_json::from_str(&metadata).map_err(|e| format!("cargo metadata: {e}"))?;
    let mut violations = arrows(root, &metadata)?.check();
    let mut checked = 0_usize;
    for path in
        files.split_terminator('\0').filter(|path| root.join(path).is_file() && !is_data(path))
    {
        violations.extend(check_file(root, path, &glossary)?);
        checked += 1;
    }
    for violation in &violations {
        eprintln!("{violation}");
    }
    match violations.len() {
        0 => Ok(format!("{checked} files")),
        1 => Err("1 violation".into()),
        count => Err(format!("{count} violations")),
    }
}

fn arrows(root: &Path, metadata: &serde_json::Value) -> Result<arrows::Graph, String> {
    let mut graph = arrows::Graph::parse(metadata)?;
    for member in graph.pure_members() {
        let package = format!("piecework-{member}");
        let format = ["--prefix", "depth", "--format", "{p}", "--package", &package];
        let linked = ["tree", "--locked", "--target", "all", "--edges", "normal,no-proc-macro"];
        graph.link(&member, &process::output(root, "cargo", &[&linked[..], &format].concat())?);
    }
    Ok(graph)
}

fn check_file(root: &Path, path: &str, glossary: &Glossary) -> Result<Vec<Violation>, String> {
    let metadata = fs::metadata(root.join(path)).map_err(|e| format!("{path}: {e}"))?;
    let mut found = Vec::new();
    if metadata.len() > FILE_BYTES_MAX {
        found.push(Found::new(1, "a file over 1 MiB", "make it when it is needed"));
    }
    let Ok(contents) =
        String::from_utf8(fs::read(root.join(path)).map_err(|e| format!("{path}: {e}"))?)
    else {
        return Ok(found.iter().map(|found| Violation::in_file(path, found)).collect());
    };
    if path != "Cargo.lock" {
        found.extend(text::check(&contents));
    }
    if path.ends_with(".rs") {
        found.extend(check_rust(path, &contents, glossary));
    } else if path.ends_with(".md") {
        found.extend(check_markdown(root, path, &contents, glossary));
    }
    Ok(found.iter().map(|found| Violation::in_file(path, found)).collect())
}

fn check_rust(path: &str, contents: &str, glossary: &Glossary) -> Vec<Found> {
    let source = Source::split(contents);
    let mut found = shape::line_widths(contents);
    found.extend(glossary.check(&source.code));
    found.extend(glossary.check(&source.comments));
    if !DIALECTS.iter().any(|place| path.starts_with(place)) {
        found.extend(glossary.check(&source.literals));
    }
    if path.ends_with("/mod.rs") {
        found.push(Found::new(1, "mod.rs", "name the file after its module"));
    }
    if !shape::UNSAFE_PLACES.iter().any(|place| path.starts_with(place)) {
        found.extend(shape::unsafety(&source));
    }
    if is_test(path) {
        return found;
    }
    found.extend(shape::opening(contents));
    found.extend(shape::file_length(contents, &source));
    found.extend(shape::function_lengths(&source));
    if path.ends_with("/lib.rs") {
        found.extend(shape::logic_in_lib(&source));
    }
    let pure = path.strip_prefix("crates/").and_then(|rest| rest.split_once("/src/"));
    if pure.is_some_and(|(name, _)| arrows::is_pure(name)) {
        found.extend(purity::check(&source));
    }
    let lines = shape::lines_without_tests(contents, &source);
    if lines > shape::FILE_LINES_AIM {
        println!(
            "note: {path}: {lines} lines without tests; files aim at {}",
            shape::FILE_LINES_AIM
        );
    }
    found
}

fn check_markdown(root: &Path, path: &str, contents: &str, glossary: &Glossary) -> Vec<Found> {
    let folder = root.join(path).parent().map_or_else(|| root.to_owned(), Path::to_owned);
    let mut found: Vec<Found> = text::headings(contents).into_iter().collect();
    found.extend(text::links(contents, &folder));
    if path != "GLOSSARY.md" {
        found.extend(glossary.check(&glossary::prose(contents)));
    }
    found
}

/// Files made by others or by a program: bytes to test with, not text to read.
fn is_data(path: &str) -> bool {
    path.split('/')
        .any(|part| matches!(part, "testdata" | "corpus" | "generated" | "proptest-regressions"))
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|part| matches!(part, "tests" | "benches"))
}

fn read(root: &Path, path: &str) -> Result<String, String> {
    fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &str, contents: &str) -> Vec<String> {
        let table = "| word | meaning | not |\n| block | 16 KiB | sublump |\n";
        let glossary = Glossary::parse(table).expect("the table refuses a word");
        check_rust(path, contents, &glossary).into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn a_clock_is_refused_in_a_pure_crate_only() {
        let clock = "//! Time.\nfn f() { Instant::now(); }\n";
        assert_eq!(refused("crates/swarm/src/time.rs", clock), ["Instant"]);
        assert!(refused("crates/node/src/time.rs", clock).is_empty());
        assert!(refused("crates/swarm/src/time/tests.rs", clock).is_empty());
    }

    #[test]
    fn unsafe_is_allowed_in_lanes_and_where_memory_is_given_back_only() {
        let lanes = "//! Lanes.\n#![allow(unsafe_code)]\n";
        assert!(refused("crates/hash/src/avx2.rs", lanes).is_empty());
        assert!(refused("crates/mse/src/power/lanes.rs", lanes).is_empty());
        assert_eq!(refused("crates/mse/src/power.rs", lanes), ["unsafe_code"]);
        assert!(refused("crates/piecework/src/up/pages.rs", lanes).is_empty());
        assert_eq!(refused("crates/disk/src/pool.rs", lanes), ["unsafe_code"]);
    }

    #[test]
    fn mod_rs_and_refused_words_are_found() {
        assert_eq!(refused("crates/net/src/a/mod.rs", "//! A.\n"), ["mod.rs"]);
        assert_eq!(refused("xtask/src/a.rs", "//! A sublump.\n"), ["\"sublump\""]);
    }

    #[test]
    fn literals_of_dialects_are_the_words_of_others() {
        let literal = "//! Names.\nconst NAME: &str = \"sublump\";\n";
        assert!(refused("crates/qbittorrent/src/keys.rs", literal).is_empty());
        assert_eq!(refused("crates/daemon/src/keys.rs", literal), ["\"sublump\""]);
        let comment = "//! A sublump.\n";
        assert_eq!(refused("crates/qbittorrent/src/keys.rs", comment), ["\"sublump\""]);
    }

    #[test]
    fn data_is_recognised_by_its_folder() {
        assert!(is_data("crates/metainfo/testdata/a.torrent") && is_data("fuzz/corpus/wire/1"));
        assert!(!is_data("crates/metainfo/src/data.rs"));
    }
}
