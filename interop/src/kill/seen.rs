//! What a process told before it was killed: on stdout its progress, in its log each piece.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::failure::{Context as _, Failure, Outcome};
use crate::process::{Line, Stream};

/// Pieces by their number.
pub(super) type Pieces = BTreeSet<u64>;

/// What the log says of pieces.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Told {
    /// The pieces the process begins with.
    Ready(Pieces),
    /// One more.
    Verified(u64),
}

impl Told {
    /// Reads a line of the log; most are about something else.
    pub(super) fn parse(line: &Line) -> Outcome<Option<Self>> {
        if line.stream != Stream::Err {
            return Ok(None);
        }
        let text = &line.text;
        if let Some((_, piece)) = text.split_once(": a piece is verified piece=") {
            let piece = piece.parse().context(|| format!("a piece in {text:?}"))?;
            return Ok(Some(Self::Verified(piece)));
        }
        match text.split_once(": ready have=") {
            Some((_, have)) => Ok(Some(Self::Ready(pieces_of(have)?))),
            None => Ok(None),
        }
    }
}

/// A bitfield in hexadecimal, as peers send it: the highest bit first (BEP 3).
fn pieces_of(have: &str) -> Outcome<Pieces> {
    let digits = have.chars().map(|digit| digit.to_digit(16));
    let digits: Option<Vec<u32>> = digits.collect();
    let digits = digits.ok_or_else(|| Failure::new(format!("no bitfield: {have:?}")))?;
    let bits = digits.iter().flat_map(|digit| (0..4).rev().map(move |bit| digit >> bit & 1 == 1));
    Ok((0..).zip(bits).filter(|(_, is_there)| *is_there).map(|(piece, _)| piece).collect())
}

/// All a process told before it was killed.
#[derive(Debug)]
pub(super) struct Seen {
    killed: Instant,
    told: Vec<(Instant, Told)>,
    /// The phase it last told.
    pub(super) phase: String,
    /// Whether it said that it is done.
    pub(super) is_done: bool,
}

impl Seen {
    /// From the lines of a process that was alive at the moment `killed`.
    pub(super) fn new(killed: Instant, lines: &[Line]) -> Outcome<Self> {
        let mut seen = Self { killed, told: Vec::new(), phase: "start".into(), is_done: false };
        for line in lines {
            seen.told.extend(Told::parse(line)?.map(|told| (line.at, told)));
            // A kill in the middle of a write may leave half a line at the end.
            if line.stream == Stream::Out
                && let Ok(event) = serde_json::from_str::<Value>(&line.text)
            {
                seen.is_done |= event["event"] == "done";
                seen.phase = event["phase"].as_str().map_or(seen.phase, str::to_owned);
            }
        }
        Ok(seen)
    }

    /// Every piece it told.
    pub(super) fn told(&self) -> Pieces {
        self.told_before(Duration::ZERO)
    }

    /// The pieces it told at least `age` before its death.
    pub(super) fn told_before(&self, age: Duration) -> Pieces {
        let mut pieces = Pieces::new();
        for (_, told) in
            self.told.iter().filter(|(at, _)| age.is_zero() || *at + age <= self.killed)
        {
            match told {
                Told::Ready(have) => pieces.extend(have),
                Told::Verified(piece) => drop(pieces.insert(*piece)),
            }
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn line(at: Instant, stream: Stream, text: &str) -> Line {
        Line { at, stream, text: text.to_owned() }
    }

    fn log(at: Instant, text: &str) -> Line {
        line(at, Stream::Err, &format!("2026-01-01T00:00:00Z DEBUG some::module: {text}"))
    }

    #[test]
    fn what_was_told_within_the_last_second_may_be_lost() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let lines = [
            log(start, "ready have=8180"),
            log(start + second, "a piece is verified piece=12"),
            log(start + second, "dropped a peer peer=10.0.0.1:1"),
            log(start + 2 * second, "a piece is verified piece=13"),
            line(start + 2 * second, Stream::Out, r#"{"event":"progress","phase":"active"}"#),
            line(start + 2 * second, Stream::Out, r#"{"event":"pro"#),
        ];
        let seen = Seen::new(start + second * 5 / 2, &lines).unwrap();
        assert_eq!(seen.told_before(second), Pieces::from([0, 7, 8, 12]));
        assert_eq!(seen.told(), Pieces::from([0, 7, 8, 12, 13]));
        assert_eq!((seen.phase.as_str(), seen.is_done), ("active", false));
        assert_eq!(Seen::new(start, &lines).unwrap().told_before(second), Pieces::new());
    }

    #[test]
    fn a_done_event_ends_a_download() {
        let now = Instant::now();
        assert!(Seen::new(now, &[line(now, Stream::Out, r#"{"event":"done"}"#)]).unwrap().is_done);
    }

    #[test]
    fn a_line_about_pieces_without_a_number_is_an_error() {
        let now = Instant::now();
        assert!(Told::parse(&log(now, "a piece is verified piece=x")).is_err());
        assert!(Told::parse(&log(now, "ready have=0g")).is_err());
        assert_eq!(Told::parse(&line(now, Stream::Out, ": ready have=80")).unwrap(), None);
    }
}
