//! Lists as bytes to ranges, with an account of what was not understood.

use crate::line::{self, Line};
use crate::ranges::IpFilter;
use std::fmt;
use std::net::IpAddr;

/// Bytes of one list, unpacked. The largest lists in use have some 20 MiB.
pub const FILE_BYTES_MAX: usize = 64 << 20;

/// Ranges of all lists together: 64 MiB of memory if all were IPv6.
pub const RANGES_MAX: usize = 2_000_000;

/// Bytes of a line; a longer one is not understood.
pub const LINE_BYTES_MAX: usize = 1024;

/// Lines that are shown of those that were not understood.
pub const BAD_LINES_SHOWN: usize = 3;

/// What editors of some systems put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Characters shown of a line.
const SHOWN_MAX: usize = 60;

/// Why a list cannot be used at all.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FilterFault {
    /// It is too long.
    #[error("expected at most {FILE_BYTES_MAX} bytes, got {got}")]
    TooLong {
        /// Its bytes.
        got: usize,
    },
    /// All lists together have too many ranges.
    #[error("expected at most {RANGES_MAX} ranges in all lists together, got more")]
    TooManyRanges,
    /// Not one line of it is understood.
    #[error("no line of it is a range, a network or an address; {first}")]
    NoList {
        /// Its first line that is not understood.
        first: BadLine,
    },
}

/// A line that was not understood.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BadLine {
    /// Its number, from 1.
    pub number: usize,
    /// Its beginning, safe to show.
    pub text: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {:?} is not understood", self.number, self.text)
    }
}

/// What became of the lines of one list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reading {
    /// Lines that block a range.
    pub blocked: usize,
    /// Lines that list a range and let it in.
    pub allowed: usize,
    /// Lines that were not understood.
    pub bad: usize,
    /// The first of them, at most [`BAD_LINES_SHOWN`].
    pub bad_lines: Vec<BadLine>,
}

/// Collects lists into a filter.
#[derive(Clone, Debug, Default)]
pub struct FilterBuilder {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl FilterBuilder {
    /// Adds a list.
    ///
    /// # Errors
    /// When it is too long, or no line of it is understood.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Reading, FilterFault> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(FilterFault::TooLong { got: bytes.len() });
        }
        let mut reading = Reading::default();
        for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
            // Not only the first line may have one: lists are put together by appending one to another.
            let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
            // Descriptions are in any encoding; addresses are ASCII in all of them.
            let said = match line.len() <= LINE_BYTES_MAX {
                true => line::read(&String::from_utf8_lossy(line)),
                false => None,
            };
            match said {
                Some(Line::Nothing) => {}
                Some(Line::Allowed) => reading.allowed += 1,
                Some(Line::Blocked(from, to)) => {
                    reading.blocked += 1;
                    self.block(from, to)?;
                }
                None => {
                    reading.bad += 1;
                    if reading.bad_lines.len() < BAD_LINES_SHOWN {
                        reading.bad_lines.push(BadLine { number, text: shown(line) });
                    }
                }
            }
        }
        match reading.bad_lines.first() {
            Some(first) if reading.blocked + reading.allowed == 0 => {
                Err(FilterFault::NoList { first: first.clone() })
            }
            Some(_) | None => Ok(reading),
        }
    }

    /// The filter of all lists.
    pub fn build(self) -> IpFilter {
        IpFilter::new(self.v4, self.v6)
    }

    fn block(&mut self, from: IpAddr, to: IpAddr) -> Result<(), FilterFault> {
        if self.v4.len() + self.v6.len() >= RANGES_MAX {
            return Err(FilterFault::TooManyRanges);
        }
        match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => self.v4.push((from.into(), to.into())),
            (IpAddr::V6(from), IpAddr::V6(to)) => self.v6.push((from.into(), to.into())),
            // A line is of one family.
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
        }
        Ok(())
    }
}

fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(4 * SHOWN_MAX)]);
    let visible = text.trim().chars().filter(|c| !c.is_control());
    visible.take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_three_forms_mix_and_bad_lines_are_told() {
        let mut builder = FilterBuilder::default();
        let list = b"\xef\xbb\xbf# a list\r\n001.002.003.000 - 001.002.003.255 , 100 , Caf\xe9\r\n\
            good people:1.2.4.0-1.2.4.255\r\n1.2.5.0/24\r\nwhat\x1b[2J is this\r\n\
            9.9.9.0 - 9.9.9.9 , 200 , friends\r\n";
        let reading = builder.read(list).unwrap();
        let bad = BadLine { number: 5, text: "what[2J is this".into() };
        let expected = Reading { blocked: 3, allowed: 1, bad: 1, bad_lines: vec![bad.clone()] };
        assert_eq!(reading, expected);
        assert_eq!(bad.to_string(), "line 5: \"what[2J is this\" is not understood");
        let filter = builder.build();
        assert_eq!(filter.range_count(), 1, "the three ranges touch");
        for (ip, is_blocked) in [("1.2.3.0", true), ("1.2.5.255", true), ("9.9.9.1", false)] {
            assert_eq!(filter.blocks(ip.parse().unwrap()), is_blocked, "{ip}");
        }
    }

    #[test]
    fn lists_that_were_appended_to_each_other_are_read_as_each_alone() {
        let list = b"\xef\xbb\xbf1.1.1.1 - 1.1.1.2\r\n";
        let mut builder = FilterBuilder::default();
        let reading = builder.read(&list.repeat(2)).unwrap();
        assert_eq!((reading.blocked, reading.bad), (2, 0), "{reading:?}");
    }

    #[test]
    fn a_file_that_is_no_list_is_refused_and_an_empty_one_is_not() {
        let fault = FilterBuilder::default().read(b"<html>\n<body>\n").unwrap_err();
        let text = "no line of it is a range, a network or an address; line 1: \"<html>\" is not \
            understood";
        assert_eq!(fault.to_string(), text);
        assert_eq!(FilterBuilder::default().read(b"\n\n# nothing\n"), Ok(Reading::default()));
    }

    #[test]
    fn sizes_are_bounded() {
        let long = vec![b'\n'; FILE_BYTES_MAX + 1];
        let fault = FilterBuilder::default().read(&long);
        assert_eq!(fault, Err(FilterFault::TooLong { got: FILE_BYTES_MAX + 1 }));
        let many = b"1.1.1.1\n".repeat(RANGES_MAX + 1);
        assert_eq!(FilterBuilder::default().read(&many), Err(FilterFault::TooManyRanges));
        let mut line = b"1.1.1.1\n".to_vec();
        line.extend(vec![b' '; LINE_BYTES_MAX]);
        line.extend(b"2.2.2.2\n");
        let mut builder = FilterBuilder::default();
        assert_eq!(builder.read(&line).unwrap().bad, 1);
        assert!(!builder.build().blocks([2, 2, 2, 2].into()));
    }
}
