//! Which episodes of a series are wanted: `2x3;5-7;10-;` is episodes 3, 5 to 7, and from 10 on, of season 2,
//! and all of later seasons because of the open end.

use regex::Regex;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// Parts of a filter.
const PARTS_MAX: usize = 100;

/// Season and episode in a title: `S02E05`, `s2 e5`, `2x05`, with a last episode as in `S02E05-E07`.
static NUMBERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let lettered = r"s(\d{1,4})[ ._-]?e(\d{1,4})(?:-?e?(\d{1,4}))?";
    let crossed = r"(\d{1,4})x(\d{1,4})(?:-(\d{1,4}))?";
    Regex::new(&format!("(?i)(?:^|[^a-z0-9])(?:{lettered}|{crossed})(?:[^0-9]|$)")).ok()
});

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Range {
    first: u32,
    last: Option<u32>,
}

/// Episodes of one season, and with an open end those of later ones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EpisodeFilter {
    season: u32,
    ranges: Vec<Range>,
}

/// Text that is no filter.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{0:?} is no episode filter: write the season, an x, and episodes divided by semicolons, \
     as in 2x3;5-7;10-"
)]
pub struct EpisodeFilterError(String);

impl FromStr for EpisodeFilter {
    type Err = EpisodeFilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || EpisodeFilterError(text.chars().take(200).collect());
        let (season, rest) = text.trim().split_once(['x', 'X']).ok_or_else(wrong)?;
        let season = season.trim().parse().map_err(|_| wrong())?;
        let parts = rest.split(';').map(str::trim).filter(|part| !part.is_empty());
        let mut ranges = Vec::new();
        for part in parts {
            let number = |text: &str| text.trim().parse::<u32>().map_err(|_| wrong());
            let range = match part.split_once('-') {
                None => number(part).map(|one| Range { first: one, last: Some(one) })?,
                Some((first, "")) => Range { first: number(first)?, last: None },
                Some((first, last)) => Range { first: number(first)?, last: Some(number(last)?) },
            };
            if range.last.is_some_and(|last| last < range.first) || ranges.len() == PARTS_MAX {
                return Err(wrong());
            }
            ranges.push(range);
        }
        if ranges.is_empty() {
            return Err(wrong());
        }
        Ok(Self { season, ranges })
    }
}

impl fmt::Display for EpisodeFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", self.season)?;
        for range in &self.ranges {
            match range.last {
                Some(last) if last == range.first => write!(f, "{last};")?,
                Some(last) => write!(f, "{}-{last};", range.first)?,
                None => write!(f, "{}-;", range.first)?,
            }
        }
        Ok(())
    }
}

impl EpisodeFilter {
    /// Whether a title names an episode that is wanted.
    pub fn wants(&self, title: &str) -> bool {
        let Some((season, first, last)) = numbers(title) else { return false };
        if season > self.season {
            return self.ranges.iter().any(|range| range.last.is_none());
        }
        let meets = |range: &Range| last >= range.first && range.last.is_none_or(|it| first <= it);
        season == self.season && self.ranges.iter().any(meets)
    }
}

/// Season, first and last episode that a title names.
fn numbers(title: &str) -> Option<(u32, u32, u32)> {
    let found = NUMBERS.as_ref()?.captures(title)?;
    let group = |at: usize, other: usize| found.get(at).or_else(|| found.get(other));
    let number = |at, other| group(at, other)?.as_str().parse::<u32>().ok();
    let (season, first) = (number(1, 4)?, number(2, 5)?);
    let last = number(3, 6).filter(|last| *last >= first).unwrap_or(first);
    Some((season, first, last))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn titles_name_season_and_episode_in_the_ways_people_write_them() {
        assert_eq!(numbers("Show.S02E05.1080p"), Some((2, 5, 5)));
        assert_eq!(numbers("show s2 e5 x"), Some((2, 5, 5)));
        assert_eq!(numbers("Show 2x05"), Some((2, 5, 5)));
        assert_eq!(numbers("Show S02E05-E07"), Some((2, 5, 7)));
        assert_eq!(numbers("Show 1920x1080"), Some((1920, 1080, 1080)));
        assert_eq!(numbers("Show 2026"), None);
    }

    #[test]
    fn a_filter_takes_single_episodes_ranges_and_an_open_end() {
        let filter: EpisodeFilter = "2x3;5-7;10-;".parse().unwrap();
        let wants = |title: &str| filter.wants(title);
        assert!(wants("a S02E03") && wants("a S02E06") && wants("a 2x10") && wants("a S02E99"));
        assert!(!wants("a S02E04") && !wants("a S02E08") && !wants("a S01E03") && !wants("a"));
        assert!(wants("a S03E01"), "an open end reaches into later seasons");
        let closed: EpisodeFilter = "2x3".parse().unwrap();
        assert!(!closed.wants("a S03E03") && closed.wants("a S02E02-E04"));
        assert_eq!(filter.to_string().parse::<EpisodeFilter>().unwrap(), filter);
    }

    #[test]
    fn nonsense_is_no_filter() {
        for text in
            ["", "2", "x", "2x", "ax1", "2x1-a", "2x7-5", "2x-", &format!("1x{}", "1;".repeat(101))]
        {
            assert!(text.parse::<EpisodeFilter>().is_err(), "{text}");
        }
    }
}
