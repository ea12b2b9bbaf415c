//! Rust source split into code, comments and literals, so that a rule looks only where it means to.
//!
//! Invariant: each of the three texts has as many characters as the source and a line break in the same
//! places; what belongs to another text is a space. So a position or a line number of one is one of all.
//! Knows no rule, and no more of Rust's grammar than it takes to find where a literal ends.

/// One source file in three layers.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Everything but comments and the inside of literals.
    pub(crate) code: String,
    /// Comments, their markers included.
    pub(crate) comments: String,
    /// The inside of string and character literals, with the closing quote.
    pub(crate) literals: String,
}

#[derive(Clone, Copy)]
enum Layer {
    Code,
    Comment,
    Literal,
}

impl Source {
    /// Splits `text`. Source that rustc would refuse gives some split, never a panic.
    pub(crate) fn split(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut source = Self::default();
        let mut at = 0;
        while at < chars.len() {
            let rest = &chars[at..];
            let after_word = at > 0 && is_word(chars[at - 1]);
            let (layer, length) = if let Some(length) = comment_length(rest) {
                (Layer::Comment, length)
            } else if let Some((open, inside)) = literal_span(rest, after_word) {
                source.push(&rest[..open], Layer::Code);
                source.push(&rest[open..open + inside], Layer::Literal);
                at += open + inside;
                continue;
            } else {
                (Layer::Code, 1)
            };
            source.push(&rest[..length], layer);
            at += length;
        }
        source
    }

    /// The code without items that exist only in tests.
    pub(crate) fn code_without_tests(&self) -> String {
        let mut chars: Vec<char> = self.code.chars().collect();
        for (start, end) in test_items(&chars) {
            for char in &mut chars[start..end] {
                if *char != '\n' {
                    *char = ' ';
                }
            }
        }
        chars.into_iter().collect()
    }

    fn push(&mut self, chars: &[char], layer: Layer) {
        for &char in chars {
            let blank = if char == '\n' { '\n' } else { ' ' };
            let keep = |wanted: bool| if wanted { char } else { blank };
            self.code.push(keep(matches!(layer, Layer::Code)));
            self.comments.push(keep(matches!(layer, Layer::Comment)));
            self.literals.push(keep(matches!(layer, Layer::Literal)));
        }
    }
}

/// True for a character that can be part of an identifier.
pub(crate) fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// The identifiers, keywords and numbers of `text` with their line, counted from 1.
pub(crate) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().zip(1..).flat_map(|(line, number)| {
        line.split(|char| !is_word(char)).filter(|word| !word.is_empty()).map(move |w| (number, w))
    })
}

/// The line, counted from 1, of the character at `position`.
pub(crate) fn line_at(chars: &[char], position: usize) -> usize {
    1 + chars[..position].iter().filter(|&&char| char == '\n').count()
}

/// Position just behind the bracket that closes the one at `open`; the end if none does.
pub(crate) fn closing(chars: &[char], open: usize) -> usize {
    let mut depth = 0_usize;
    for (position, char) in chars.iter().enumerate().skip(open) {
        match char {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return position + 1;
                }
            }
            _ => {}
        }
    }
    chars.len()
}

/// Spans of items behind an attribute that names `test` as a configuration, attribute included.
fn test_items(code: &[char]) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut at = 0;
    while at < code.len() {
        if code[at] != '#' || code.get(at + 1) != Some(&'[') {
            at += 1;
            continue;
        }
        let end = closing(code, at + 1);
        let attribute: String = code[at + 2..end].iter().filter(|c| !c.is_whitespace()).collect();
        if attribute.starts_with("cfg(test)") || attribute.starts_with("cfg(all(test") {
            let item_end = item_end(code, end);
            spans.push((at, item_end));
            at = item_end;
        } else {
            at = end;
        }
    }
    spans
}

/// Where the item that starts at `from` ends: behind its `;` or its braces.
fn item_end(code: &[char], from: usize) -> usize {
    let mut at = from;
    while at < code.len() {
        match code[at] {
            ';' => return at + 1,
            '{' => return closing(code, at),
            '(' | '[' => at = closing(code, at),
            _ => at += 1,
        }
    }
    code.len()
}

fn comment_length(rest: &[char]) -> Option<usize> {
    match rest {
        ['/', '/', ..] => Some(rest.iter().position(|&char| char == '\n').unwrap_or(rest.len())),
        ['/', '*', ..] => Some(block_comment_length(rest)),
        _ => None,
    }
}

/// Block comments nest.
fn block_comment_length(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] if depth == 1 => return at + 2,
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

/// If a literal starts here: characters up to and with its opening quote, and characters inside it.
fn literal_span(rest: &[char], after_word: bool) -> Option<(usize, usize)> {
    match rest {
        ['"', ..] => Some((1, quoted_length(&rest[1..], '"'))),
        ['\'', ..] => char_literal(rest),
        ['b' | 'c', '"', ..] if !after_word => Some((2, quoted_length(&rest[2..], '"'))),
        ['b', '\'', ..] if !after_word => Some((2, quoted_length(&rest[2..], '\''))),
        ['r', ..] if !after_word => raw_string(rest, 1),
        ['b' | 'c', 'r', ..] if !after_word => raw_string(rest, 2),
        _ => None,
    }
}

/// `'a'` and `'\n'` are literals, `'a` is a lifetime.
fn char_literal(rest: &[char]) -> Option<(usize, usize)> {
    match rest {
        [_, '\\', ..] | [_, _, '\'', ..] => Some((1, quoted_length(&rest[1..], '\''))),
        _ => None,
    }
}

/// Characters up to and with the closing quote: left to the code, it would open the next literal.
fn quoted_length(inside: &[char], quote: char) -> usize {
    let mut at = 0;
    while at < inside.len() && inside[at] != quote {
        at += if inside[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(inside.len())
}

fn raw_string(rest: &[char], prefix: usize) -> Option<(usize, usize)> {
    let hashes = rest[prefix..].iter().take_while(|&&char| char == '#').count();
    let open = prefix + hashes + 1;
    if rest.get(open - 1) != Some(&'"') {
        return None;
    }
    let closes = |at: &usize| {
        rest[*at] == '"'
            && rest[at + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes
    };
    let inside = (open..rest.len()).find(closes).map_or(rest.len(), |at| at + 1 + hashes) - open;
    Some((open, inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_not_code() {
        let text = "let a = \"x // y\"; // z\n/* b /* c */ d */ let e = 'f'; let g = '\\'';";
        let source = Source::split(text);
        let words: Vec<_> = words(&source.code).map(|(_, word)| word).collect();
        assert_eq!(words, ["let", "a", "let", "e", "let", "g"]);
        assert!(source.comments.contains("// z") && source.comments.contains("c */ d */"));
        assert!(source.literals.contains("x // y") && source.literals.contains('f'));
    }

    #[test]
    fn raw_strings_end_at_their_own_mark_and_lifetimes_are_code() {
        let source =
            Source::split("fn f<'a>(x: &'a str) { r#\"Instant \" now\"#; br\"b\\\"; kept }");
        let code: Vec<_> = words(&source.code).map(|(_, word)| word).collect();
        assert_eq!(code, ["fn", "f", "a", "x", "a", "str", "r", "br", "kept"]);
    }

    #[test]
    fn layers_keep_lines_and_length() {
        let text = "a \"b\nc\" /* d\ne */ f 'é' // ü\n";
        let source = Source::split(text);
        for layer in [&source.code, &source.comments, &source.literals] {
            assert_eq!(layer.chars().count(), text.chars().count());
            assert_eq!(layer.lines().count(), text.lines().count());
        }
    }

    #[test]
    fn unfinished_literals_and_comments_do_not_panic() {
        for text in ["\"abc\\", "r##\"abc\"#", "/* /* */", "'\\", "b'", "'"] {
            assert_eq!(Source::split(text).code.chars().count(), text.chars().count());
        }
    }

    #[test]
    fn test_items_vanish_and_the_rest_stays() {
        let text = "#[cfg(test)]\nuse a::{b};\nfn keep() {}
            #[cfg(test)]\nmod tests { fn gone() {} }\nfn last() {}";
        let code = Source::split(text).code_without_tests();
        assert!(!code.contains("gone") && !code.contains("a::"));
        let last: Vec<_> = words(&code).filter(|(_, word)| *word == "last").collect();
        assert_eq!(last, [(6, "last")]);
    }
}
