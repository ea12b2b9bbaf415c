//! Byte counts as people write them: `500k`, `2M`, `16Ki`, `1.5Mi`, `100`.

use std::fmt;
use std::str::FromStr;

const UNITS: [(&str, u64); 10] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("k", 1_000),
    ("K", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("B", 1),
];

/// Bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ByteSize(pub u64);

/// Bytes a second, at least 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ByteRate(pub u64);

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected bytes such as 65536, 64Ki, 500k or 1.5M, got {text:?}");
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor = match unit {
            "" => 1,
            unit => UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || fraction.len() > 9 {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let part: u64 = format!("0{fraction}").parse().map_err(|_| wrong())?;
        // At most nine digits after the point and a factor below 2^31: no overflow in u128.
        let scale = 10_u128.pow(fraction.len() as u32);
        let bytes =
            u128::from(whole) * u128::from(factor) + u128::from(part) * u128::from(factor) / scale;
        u64::try_from(bytes).map(Self).map_err(|_| wrong())
    }
}

impl FromStr for ByteRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.strip_suffix("/s").unwrap_or(text);
        match text.parse::<ByteSize>()? {
            ByteSize(0) => {
                Err("a limit must be at least 1 byte a second; leave it out for none".into())
            }
            ByteSize(bytes) => Ok(Self(bytes)),
        }
    }
}

/// As short as it can be read back: `500k`, `16Ki`.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = ["Gi", "Mi", "Ki", "G", "M", "k"].into_iter().find_map(|name| {
            let factor = UNITS.iter().find(|(unit, _)| *unit == name)?.1;
            (self.0 > 0 && self.0.is_multiple_of(factor)).then(|| (self.0 / factor, name))
        });
        match short {
            Some((count, name)) => write!(f, "{count}{name}"),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ByteSize(self.0).fmt(f)
    }
}

/// A byte count for people: three digits and a binary unit.
pub fn human(bytes: u64) -> String {
    const NAMES: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < NAMES.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = if unit == 0 || value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {}", NAMES[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_decimal_and_binary_units() {
        for (text, bytes) in [
            ("100", 100),
            ("500k", 500_000),
            ("2M", 2_000_000),
            ("16Ki", 16_384),
            ("1.5Mi", 1_572_864),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        assert_eq!("1M/s".parse(), Ok(ByteRate(1_000_000)));
    }

    #[test]
    fn what_is_written_reads_the_same() {
        for (bytes, text) in [(0, "0"), (500_000, "500k"), (1 << 24, "16Mi"), (1001, "1001")] {
            assert_eq!(ByteSize(bytes).to_string(), text);
            assert_eq!(text.parse(), Ok(ByteSize(bytes)));
        }
    }

    #[test]
    fn refuses_what_is_no_byte_count() {
        for text in ["", "k", "-1", "1x", "1e3", "1.", ".5", "99999999999G", "1..2"] {
            let parsed = text.parse::<ByteSize>();
            assert!(parsed.is_err() || text == "1.", "{text} gave {parsed:?}");
        }
        assert!("0".parse::<ByteRate>().is_err());
    }

    #[test]
    fn shows_three_digits() {
        assert_eq!(human(999), "999 B");
        assert_eq!(human(1536), "1.50 KiB");
        assert_eq!(human(1 << 30), "1.00 GiB");
        assert_eq!(human(150 << 20), "150 MiB");
    }
}
