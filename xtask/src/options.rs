//! The command line of `cargo xtask`, parsed by hand: it has four words and two switches.

use std::collections::BTreeSet;

/// What to say about correct use.
pub(crate) const USAGE: &str = "\
usage: cargo xtask COMMAND

  tidy                               check the house rules (STYLE.md)
  run                                seed and download 64 MiB on loopback, print the figures
  test [--quick] [--without PEER]... run every test; --quick takes under 5 minutes
  soak                               run the long proofs and write docs/SOAK.md

PEER is one of libtorrent, transmission, aria2, opentracker.";

/// Programs of other projects that the interop tests install and talk to.
pub(crate) const PEERS: [&str; 4] = ["libtorrent", "transmission", "aria2", "opentracker"];

/// What the user asked for.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Command {
    Help,
    Tidy,
    Run,
    Test(TestOptions),
    Soak,
}

/// How much of the tests to run.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct TestOptions {
    /// Leave out everything that needs installing or takes minutes.
    pub(crate) quick: bool,
    /// Peers whose absence is accepted.
    pub(crate) without: BTreeSet<String>,
}

/// Reads the arguments behind `cargo xtask`.
///
/// # Errors
/// When a word is unknown, missing or in a place where it means nothing; the text names it.
pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
    let command = match args.next().as_deref() {
        None => return Err("which command?".into()),
        Some("help" | "--help" | "-h") => Command::Help,
        Some("tidy") => Command::Tidy,
        Some("run") => Command::Run,
        Some("test") => return parse_test(args),
        Some("soak") => Command::Soak,
        Some(other) => return Err(format!("unknown command `{other}`")),
    };
    args.next().map_or(Ok(command), |extra| Err(format!("unexpected `{extra}`")))
}

fn parse_test(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut options = TestOptions::default();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => options.quick = true,
            "--without" => {
                let peer = args.next().ok_or("--without needs the name of a peer")?;
                if !PEERS.contains(&peer.as_str()) {
                    return Err(format!("unknown peer `{peer}`"));
                }
                options.without.insert(peer);
            }
            other => return Err(format!("unexpected `{other}`")),
        }
    }
    Ok(Command::Test(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_commands_and_switches() {
        assert_eq!(parse_words("tidy"), Ok(Command::Tidy));
        let without = BTreeSet::from(["aria2".to_owned(), "libtorrent".to_owned()]);
        let options = TestOptions { quick: true, without };
        let line = "test --without libtorrent --quick --without aria2";
        assert_eq!(parse_words(line), Ok(Command::Test(options)));
    }

    #[test]
    fn names_the_word_that_is_wrong() {
        for (line, word) in [
            ("tests", "tests"),
            ("run now", "now"),
            ("test --fast", "--fast"),
            ("test --without ktorrent", "ktorrent"),
        ] {
            assert!(parse_words(line).is_err_and(|error| error.contains(word)), "{line}");
        }
        assert!(parse_words("").is_err() && parse_words("test --without").is_err());
    }
}
