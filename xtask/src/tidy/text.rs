//! Rules for any text file, and for markdown: no leftovers, no local paths, no broken links.
//!
//! The refused words are put together here from halves, so that this file passes its own rules.

use super::Found;
use std::path::Path;

/// Marks of unfinished work.
const LEFTOVERS: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[ign", "ore"),
];

/// Folders that exist on one machine only.
const LOCAL: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// Rules that hold in every text file.
pub(crate) fn check(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    for (line, number) in text.split('\n').zip(1..) {
        found.extend(leftover(line).map(|w| Found::new(number, w, "finish it or open an issue")));
        found.extend(local_path(line).map(|w| Found::new(number, w, "no path of one machine")));
        if line.ends_with([' ', '\t', '\r']) {
            found.push(Found::new(number, "trailing whitespace", "remove it"));
        }
    }
    if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        let last = text.lines().count();
        found.push(Found::new(last, "the end of the file", "end with exactly one line break"));
    }
    found
}

/// One first-level heading, on the first line; none in a fenced block counts.
pub(crate) fn headings(markdown: &str) -> Option<Found> {
    let lines: Vec<_> = unfenced(markdown).filter(|(_, line)| line.starts_with("# ")).collect();
    match lines[..] {
        [(1, _)] => None,
        [] => Some(Found::new(1, "no first-level heading", "begin with `# Title`")),
        [(line, _)] => Some(Found::new(line, "a late heading", "begin with `# Title`")),
        [_, (line, _), ..] => Some(Found::new(line, "a second first-level heading", "use `##`")),
    }
}

/// Links to files that do not exist, seen from the folder the markdown stands in.
pub(crate) fn links(markdown: &str, folder: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    for (number, line) in unfenced(markdown) {
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.map(|target| target.split('#').next().unwrap_or("")) {
            let elsewhere = target.is_empty() || target.contains(':');
            if !elsewhere && !folder.join(target).exists() {
                found.push(Found::new(number, format!("a link to {target}"), "nothing is there"));
            }
        }
    }
    found
}

fn unfenced(markdown: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(markdown.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

fn leftover(line: &str) -> Option<&'static str> {
    let alone = |word: &&&str| {
        let next = |at: usize| line[at + word.len()..].chars().next();
        line.match_indices(**word).any(|(at, _)| {
            let before = line[..at].chars().next_back().is_some_and(char::is_alphanumeric);
            !before
                && !next(at).is_some_and(|char| {
                    word.ends_with(char::is_alphabetic) && char.is_alphanumeric()
                })
        })
    };
    LEFTOVERS.iter().find(alone).copied()
}

/// A local path begins where a path can begin: `/interop` + such a folder is a path of the repository.
fn local_path(line: &str) -> Option<&'static str> {
    let begins = |at: usize| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|char| char.is_alphanumeric() || "-_.~}/*".contains(char))
    };
    LOCAL.iter().find(|path| line.match_indices(**path).any(|(at, _)| begins(at))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        check(text).into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn leftovers_are_refused() {
        for leftover in LEFTOVERS {
            assert_eq!(names(&format!("a {leftover}\n")), [leftover]);
        }
        assert!(names(concat!("mas", "TO", "DOn ", "TO", "DOs\n")).is_empty());
    }

    #[test]
    fn paths_of_one_machine_are_refused_and_paths_of_the_repository_are_not() {
        for path in LOCAL {
            assert_eq!(names(&format!("see \"{path}x\"\n")), [path]);
            assert!(names(&format!("interop{path}x\n")).is_empty());
        }
    }

    #[test]
    fn loose_ends_of_lines_and_files_are_refused() {
        assert_eq!(names("a \nb\t\nc\r\n"), ["trailing whitespace"; 3]);
        assert_eq!(names("a"), ["the end of the file"]);
        assert_eq!(names("a\n\n"), ["the end of the file"]);
        assert!(names("").is_empty() && names("a\n").is_empty());
    }

    #[test]
    fn markdown_has_one_title_and_it_comes_first() {
        assert!(headings("# A\n```\n# not a title\n```\n## B\n").is_none());
        for bad in ["A\n", "## A\n", "a\n# A\n", "# A\n# B\n"] {
            assert!(headings(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn links_lead_somewhere() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let good = "[a](Cargo.toml) [b](src/main.rs#x) [c](https://example.org) [d](#here)";
        assert!(links(good, folder).is_empty());
        assert_eq!(links("x\n[a](gone.md)", folder)[0].line, 2);
    }
}
