//! How a Rust file is built: what opens it, how long it and its functions are, where `unsafe` stands.
//!
//! Tests do not count towards a length: a table of cases may be long, a design may not.

use super::Found;
use super::source::{Source, closing, is_word, line_at, words};

/// Lines of code and comments, tests aside, at which a file fails.
pub(crate) const FILE_LINES_MAX: usize = 900;
/// Lines at which a file is named in the report, for somebody to think about.
pub(crate) const FILE_LINES_AIM: usize = 400;
/// Lines from `fn` to the closing brace at which a function fails.
pub(crate) const FUNCTION_LINES_MAX: usize = 70;
/// Columns a line may have. Code is broken at 100 by rustfmt; this is for comments and literals.
pub(crate) const LINE_COLUMNS_MAX: usize = 110;

/// Refuses a file that does not say first what it is for.
pub(crate) fn opening(text: &str) -> Option<Found> {
    let first = text.lines().zip(1..).find(|(line, _)| !line.trim().is_empty());
    let (line, number) = first.unwrap_or(("", 1));
    (!line.starts_with("//!"))
        .then(|| Found::new(number, "no `//!`", "open with what the module owns and must not know"))
}

/// Lines that are not part of a test.
pub(crate) fn lines_without_tests(text: &str, source: &Source) -> usize {
    let code = source.code_without_tests();
    let blanked =
        |(with, without): (&str, &str)| !with.trim().is_empty() && without.trim().is_empty();
    text.lines().count() - source.code.lines().zip(code.lines()).filter(|&p| blanked(p)).count()
}

/// Refuses a file of [`FILE_LINES_MAX`] lines or more.
pub(crate) fn file_length(text: &str, source: &Source) -> Option<Found> {
    let lines = lines_without_tests(text, source);
    (lines >= FILE_LINES_MAX).then(|| {
        let what = format!("{lines} lines without tests");
        Found::new(1, what, "split the file by what it owns")
    })
}

/// Refuses functions longer than [`FUNCTION_LINES_MAX`].
pub(crate) fn function_lengths(source: &Source) -> Vec<Found> {
    let code: Vec<char> = source.code_without_tests().chars().collect();
    let mut found = Vec::new();
    for start in word_positions(&code, "fn") {
        let Some(open) = body_of(&code, start) else { continue };
        let first = line_at(&code, start);
        let lines = line_at(&code, closing(&code, open) - 1) + 1 - first;
        if lines > FUNCTION_LINES_MAX {
            let what = format!("a function of {lines} lines");
            found.push(Found::new(first, what, "name its steps as functions"));
        }
    }
    found
}

/// Refuses lines wider than [`LINE_COLUMNS_MAX`]; a web address may be as long as it is.
pub(crate) fn line_widths(text: &str) -> Vec<Found> {
    let wide = |line: &&str| line.chars().count() > LINE_COLUMNS_MAX && !line.contains("://");
    let numbered = text.lines().zip(1..).filter(|(line, _)| wide(line));
    numbered
        .map(|(_, number)| {
            Found::new(number, format!("a line over {LINE_COLUMNS_MAX} columns"), "break it")
        })
        .collect()
}

/// What may contain `unsafe`: kernels for the vector unit, and calls that give memory back.
pub(crate) const UNSAFE_PLACES: [&str; 3] =
    ["crates/hash/", "crates/mse/src/power/", "crates/piecework/src/up/pages.rs"];

/// Refuses `unsafe`, and permission for it. It is for the caller to spare [`UNSAFE_PLACES`].
pub(crate) fn unsafety(source: &Source) -> Vec<Found> {
    let named = words(&source.code).filter(|(_, word)| matches!(*word, "unsafe" | "unsafe_code"));
    let found =
        named.map(|(line, word)| Found::new(line, word, "only the places of `UNSAFE_PLACES` may"));
    found.collect()
}

/// Refuses logic in a `lib.rs`, which is a table of contents.
pub(crate) fn logic_in_lib(source: &Source) -> Option<Found> {
    let code = source.code_without_tests();
    let logic = words(&code).find(|(_, word)| matches!(*word, "fn" | "impl"))?;
    Some(Found::new(logic.0, format!("`{}` in lib.rs", logic.1), "move it to a module"))
}

fn word_positions(code: &[char], word: &str) -> Vec<usize> {
    let word: Vec<char> = word.chars().collect();
    let alone = |at: usize| {
        let before = at.checked_sub(1).is_some_and(|before| is_word(code[before]));
        let after = code.get(at + word.len()).is_some_and(|&char| is_word(char));
        !before && !after
    };
    (0..code.len()).filter(|&at| code[at..].starts_with(&word) && alone(at)).collect()
}

/// The opening brace of the function at `start`; none for a declaration or a `fn` type.
fn body_of(code: &[char], start: usize) -> Option<usize> {
    let mut at = start + 2;
    while at < code.len() {
        match code[at] {
            '{' => return Some(at),
            ';' | '}' | ')' | ',' | '=' => return None,
            '(' | '[' => at = closing(code, at),
            '<' => at = generics_end(code, at),
            _ => at += 1,
        }
    }
    None
}

fn generics_end(code: &[char], open: usize) -> usize {
    let mut depth = 0_usize;
    for at in open..code.len() {
        match code[at] {
            '<' => depth += 1,
            '>' if code[at - 1] != '-' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: &str) -> Vec<String> {
        function_lengths(&Source::split(text)).into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn a_module_without_docs_at_its_top_is_refused() {
        assert!(opening("//! Owns x.\n").is_none());
        assert_eq!(opening("\nuse a::b;\n//! Late.").map(|found| found.line), Some(2));
        assert!(opening("").is_some());
    }

    #[test]
    fn a_long_file_is_refused_and_its_tests_do_not_count() {
        let long = "fn f() {}\n".repeat(FILE_LINES_MAX);
        assert!(file_length(&long, &Source::split(&long)).is_some());
        let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert!(file_length(&tested, &Source::split(&tested)).is_none());
    }

    #[test]
    fn a_long_function_is_refused_wherever_it_stands() {
        let body = "    x();\n".repeat(FUNCTION_LINES_MAX);
        let long = format!("impl A {{\nfn f<T: Fn() -> u8>(a: [u8; 2]) -> Vec<T> {{\n{body}}}\n}}");
        assert_eq!(lengths(&long), ["a function of 72 lines"]);
        assert!(lengths("fn f() {}\ntrait T { fn g(); }\ntype F = fn(u8) -> u8;").is_empty());
    }

    #[test]
    fn types_of_functions_do_not_swallow_what_follows() {
        let body = "    x();\n".repeat(FUNCTION_LINES_MAX);
        assert!(
            lengths(&format!("struct S {{ f: fn(), g: fn(u8) }}\nmod m {{\n{body}}}")).is_empty()
        );
    }

    #[test]
    fn wide_lines_are_refused_and_addresses_are_not() {
        let wide = "x".repeat(LINE_COLUMNS_MAX + 1);
        assert_eq!(line_widths(&format!("a\n{wide}")).len(), 1);
        assert!(line_widths(&format!("// https://{wide}")).is_empty());
    }

    #[test]
    fn unsafe_is_refused_in_code_and_may_be_spoken_of() {
        assert_eq!(unsafety(&Source::split("fn f() { unsafe { g() } }")).len(), 1);
        assert_eq!(unsafety(&Source::split("#![allow(unsafe_code)]")).len(), 1);
        assert!(unsafety(&Source::split("// unsafe\nfn f() {}")).is_empty());
    }

    #[test]
    fn lib_holds_no_logic() {
        assert!(logic_in_lib(&Source::split("mod a;\npub use a::B;")).is_none());
        assert!(logic_in_lib(&Source::split("pub fn f() {}")).is_some());
    }
}
