//! No clock, socket, file, thread or operating system's randomness in a pure crate.
//!
//! One seed gives one trace only while nothing pure can ask the machine it runs on. Looks at code
//! outside tests; comments and literals may name anything. Knows nothing of which crates are pure.

use super::Found;
use super::source::{Source, closing, is_word, line_at};

/// Paths below which nothing may be used, and what stands in for them.
const PATHS: &[(&str, &str)] = &[
    ("std::env", "take the value as an argument"),
    ("std::fs", "files belong to `disk`"),
    ("std::os", "the operating system belongs to the effect crates"),
    ("std::process", "processes belong to the faces"),
    ("std::thread", "threads belong to the effect crates"),
    ("std::time::Instant", "take `piecework_types::Time` as an argument"),
    ("std::time::SystemTime", "take the date as an argument"),
    ("std::io::stdin", "terminals belong to the faces"),
    ("std::io::stdout", "terminals belong to the faces"),
    ("std::io::stderr", "terminals belong to the faces"),
];

/// Names that are refused wherever they come from.
const NAMES: &[(&str, &str)] = &[
    ("Instant", "take `piecework_types::Time` as an argument"),
    ("SystemTime", "take the date as an argument"),
    ("TcpListener", "sockets belong to `net`"),
    ("TcpStream", "sockets belong to `net`"),
    ("UdpSocket", "sockets belong to `net`"),
    ("UnixListener", "sockets belong to `net`"),
    ("UnixStream", "sockets belong to `net`"),
    ("ToSocketAddrs", "looking names up belongs to `net`"),
    ("RandomState", "use an ordered map or a hasher keyed from the seed"),
    ("OsRng", "take `piecework_types::Rng` as an argument"),
    ("thread_rng", "take `piecework_types::Rng` as an argument"),
    ("getrandom", "take `piecework_types::Rng` as an argument"),
    ("thread_local", "keep state in the machine"),
    ("println", "return a value; only faces print"),
    ("eprintln", "return a value; only faces print"),
    ("dbg", "return a value; only faces print"),
];

const MAP_ADVICE: &str = "use an ordered map, a Vec, or name a hasher keyed from the seed";

/// What in this source of a pure crate asks the machine it runs on.
pub(crate) fn check(source: &Source) -> Vec<Found> {
    let code: Vec<char> = source.code_without_tests().chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        if !is_word(code[at]) {
            at += 1;
            continue;
        }
        let path = Path::read(&code, at);
        let line = line_at(&code, at);
        if path.segments == ["use"] {
            let end = (at..code.len()).find(|&p| code[p] == ';').unwrap_or(code.len());
            for imported in use_paths(&code[at + 3..end]) {
                found.extend(
                    refused(&imported).map(|(name, advice)| Found::new(line, name, advice)),
                );
            }
            at = end;
            continue;
        }
        found.extend(refused(&path.segments).map(|(name, advice)| Found::new(line, name, advice)));
        found.extend(randomly_keyed(&code, &path).map(|name| Found::new(line, name, MAP_ADVICE)));
        at = path.end;
    }
    found
}

/// A path as written: its segments and where it ends.
struct Path {
    segments: Vec<String>,
    end: usize,
}

impl Path {
    fn read(code: &[char], start: usize) -> Self {
        let (mut segments, mut at) = (Vec::new(), start);
        loop {
            let word: String = code[at..].iter().take_while(|&&char| is_word(char)).collect();
            at += word.chars().count();
            segments.push(word);
            let next_starts_word = code.get(at + 2).is_some_and(|&char| is_word(char));
            if code[at..].starts_with(&[':', ':']) && next_starts_word {
                at += 2;
            } else {
                return Self { segments, end: at };
            }
        }
    }
}

fn refused(path: &[String]) -> Option<(String, &'static str)> {
    let text = path.join("::").replacen("core::", "std::", 1);
    let below = |prefix: &str| {
        text.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let by_path = PATHS.iter().find(|(prefix, _)| below(prefix)).copied();
    let by_name =
        || NAMES.iter().find(|(name, _)| path.iter().any(|segment| segment == name)).copied();
    by_path.or_else(by_name).map(|(name, advice)| (name.to_owned(), advice))
}

/// The name of a `HashMap` or `HashSet` whose hasher is the standard one, keyed anew in each process.
fn randomly_keyed(code: &[char], path: &Path) -> Option<String> {
    let position = path.segments.iter().position(|s| s == "HashMap" || s == "HashSet")?;
    let name = path.segments[position].as_str();
    let keyed = match path.segments.get(position + 1) {
        Some(function) => !matches!(function.as_str(), "new" | "with_capacity" | "from"),
        None => {
            let arguments = generic_arguments(&code[path.end..]);
            arguments.is_none_or(|count| count > if name == "HashMap" { 2 } else { 1 })
        }
    };
    (!keyed).then(|| name.to_owned())
}

/// How many generic arguments follow here, if any do.
fn generic_arguments(after: &[char]) -> Option<usize> {
    let after = after.strip_prefix(&[':', ':']).unwrap_or(after);
    if after.first() != Some(&'<') {
        return None;
    }
    let (mut depth, mut at, mut count) = (0_usize, 0, 1);
    while at < after.len() {
        match after[at] {
            '(' | '[' | '{' => {
                at = closing(after, at);
                continue;
            }
            '<' => depth += 1,
            '>' if at > 0 && after[at - 1] == '-' => {}
            '>' if depth == 1 => return Some(count),
            '>' => depth -= 1,
            ',' if depth == 1 => count += 1,
            _ => {}
        }
        at += 1;
    }
    Some(count)
}

/// The paths that a `use` tree brings in: `std::{fs, io::Read}` is `std::fs` and `std::io::Read`.
fn use_paths(tree: &[char]) -> Vec<Vec<String>> {
    let text: String = tree.iter().collect();
    let mut paths = Vec::new();
    expand(text.trim(), &mut Vec::new(), &mut paths);
    paths
}

fn expand(tree: &str, prefix: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    let depth = prefix.len();
    let Some((head, group)) = tree.split_once('{') else {
        prefix.extend(segments(tree));
        paths.push(prefix.clone());
        prefix.truncate(depth);
        return;
    };
    prefix.extend(segments(head));
    let inside = group.rsplit_once('}').map_or(group, |(inside, _)| inside);
    let (mut level, mut start) = (0_usize, 0);
    for (at, char) in inside.char_indices().chain([(inside.len(), ',')]) {
        match char {
            '{' => level += 1,
            '}' => level = level.saturating_sub(1),
            ',' if level == 0 && !inside[start..at].trim().is_empty() => {
                expand(inside[start..at].trim(), prefix, paths);
                start = at + 1;
            }
            _ => {}
        }
    }
    prefix.truncate(depth);
}

/// `std::fs as f` names `std` and `fs`; `self` names nothing new.
fn segments(path: &str) -> impl Iterator<Item = String> {
    let named = path.split(" as ").next().unwrap_or(path).trim();
    named.split("::").map(str::trim).filter(|s| !s.is_empty() && *s != "self").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        check(&Source::split(text)).into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn a_clock_is_refused_however_it_is_named() {
        assert_eq!(names("fn f() { let t = std::time::Instant::now(); }"), ["std::time::Instant"]);
        assert_eq!(names("use std::time::{Duration, Instant};"), ["std::time::Instant"]);
        assert_eq!(names("fn f() { Instant::now() }"), ["Instant"]);
        assert_eq!(names("use std::{fmt, time::{SystemTime as S}};"), ["std::time::SystemTime"]);
    }

    #[test]
    fn sockets_files_and_threads_are_refused_and_addresses_are_not() {
        assert_eq!(names("use std::net::{IpAddr, SocketAddr, TcpStream};"), ["TcpStream"]);
        assert_eq!(names("fn f() { std::fs::read(p); }"), ["std::fs"]);
        assert_eq!(names("use std::{fs, thread};"), ["std::fs", "std::thread"]);
        assert_eq!(names("fn f() { println!() }"), ["println"]);
        assert!(
            names("use std::io::Read; use std::net::Ipv4Addr; use crate::fs::File;").is_empty()
        );
    }

    #[test]
    fn maps_with_the_standard_hasher_are_refused() {
        assert_eq!(names("struct S { m: HashMap<u32, Vec<(u8, u8)>> }"), ["HashMap"]);
        assert_eq!(
            names("fn f() { HashSet::new(); HashMap::with_capacity(1); }"),
            ["HashSet", "HashMap"]
        );
        assert_eq!(names("fn f() { x.collect::<HashSet<_>>() }"), ["HashSet"]);
        assert_eq!(names("use std::collections::hash_map::RandomState;"), ["RandomState"]);
    }

    #[test]
    fn maps_with_a_hasher_of_their_own_are_allowed() {
        let text = "use std::collections::HashMap; struct S { m: HashMap<u32, [u8; 2], Seeded> }
            fn f(s: Seeded) { HashMap::with_hasher(s); } fn g(s: HashSet<u32, Seeded>) {}";
        assert!(names(text).is_empty());
    }

    #[test]
    fn tests_comments_and_literals_may_name_anything() {
        let text = "// Instant::now()\nconst T: &str = \"std::fs\";
            #[cfg(test)]\nmod tests { use std::fs; fn f() { Instant::now() } }";
        assert!(names(text).is_empty());
    }

    #[test]
    fn a_finding_names_its_line() {
        assert_eq!(check(&Source::split("fn a() {}\nuse std::fs;"))[0].line, 2);
    }
}
