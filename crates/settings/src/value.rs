//! Types of settings: how each is read from text and written again.

use crate::bytes::{ByteRate, ByteSize};
use piecework_catalog::ShareAction;
use std::fmt::{self, Display};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;

/// Items of a list.
pub(crate) const ITEMS_MAX: usize = 1_000;

/// How a setting is switched off that may be.
const NONE: &str = "none";

/// A value as a layer gives it, before anybody knows whether it makes sense.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Raw {
    One(String),
    Many(Vec<String>),
}

impl Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(text) => f.write_str(text),
            Self::Many(items) => f.write_str(&items.join(",")),
        }
    }
}

/// A type that a setting can have.
pub(crate) trait Value: Sized {
    /// What a value looks like, for people.
    fn form() -> String;

    /// Reads one; `None` when it is not of this type.
    fn read(raw: &Raw) -> Option<Self>;

    /// Whether it lies within the bounds, where a type has any.
    fn is_within(&self, _bounds: &RangeInclusive<u64>) -> bool {
        true
    }

    /// What [`Self::read`] reads the same again.
    fn write(&self) -> Raw;

    /// Whether a TOML file spells it as a number or a truth value, without quotes.
    fn is_bare(&self) -> bool {
        false
    }
}

/// Text that has no list in it.
fn one(raw: &Raw) -> Option<&str> {
    match raw {
        Raw::One(text) => Some(text.trim()),
        Raw::Many(_) => None,
    }
}

/// Types that read and write themselves, with their form for people.
macro_rules! texts {
    ($($type:ty: $form:literal;)+) => {
        $(impl Value for $type {
            fn form() -> String {
                $form.into()
            }
            fn read(raw: &Raw) -> Option<Self> {
                one(raw)?.parse().ok()
            }
            fn write(&self) -> Raw {
                Raw::One(self.to_string())
            }
        })+
    };
}

texts! {
    ByteRate: "bytes a second, such as 500k or 2Mi";
    ByteSize: "bytes, such as 500M or 1Gi";
    Clock: "a time of the day, such as 07:30";
    Decimal: "an amount in whole tokens, such as 0.25";
    Folder: "an absolute path";
    HostPort: "HOST:PORT";
    IpAddr: "an IP address";
    Port: "auto, or a port, where 0 takes any";
    Ratio: "a number such as 1.5";
    SocketAddr: "ADDRESS:PORT, such as 127.0.0.1:7411 or [::1]:7411";
}

impl Value for bool {
    fn form() -> String {
        "true or false".into()
    }

    fn read(raw: &Raw) -> Option<Self> {
        one(raw)?.parse().ok()
    }

    fn write(&self) -> Raw {
        Raw::One(self.to_string())
    }

    fn is_bare(&self) -> bool {
        true
    }
}

impl Value for u32 {
    fn form() -> String {
        "a whole number".into()
    }

    fn read(raw: &Raw) -> Option<Self> {
        one(raw)?.parse().ok()
    }

    fn is_within(&self, bounds: &RangeInclusive<u64>) -> bool {
        bounds.contains(&u64::from(*self))
    }

    fn write(&self) -> Raw {
        Raw::One(self.to_string())
    }

    fn is_bare(&self) -> bool {
        true
    }
}

impl Value for String {
    fn form() -> String {
        "text".into()
    }

    fn read(raw: &Raw) -> Option<Self> {
        let text = one(raw)?;
        (!text.chars().any(char::is_control)).then(|| text.to_owned())
    }

    fn write(&self) -> Raw {
        Raw::One(self.clone())
    }
}

impl<T: Value> Value for Option<T> {
    fn form() -> String {
        format!("{}, or {NONE}", T::form())
    }

    fn read(raw: &Raw) -> Option<Self> {
        match one(raw)? {
            "" | NONE => Some(None),
            _ => T::read(raw).map(Some),
        }
    }

    fn is_within(&self, bounds: &RangeInclusive<u64>) -> bool {
        self.as_ref().is_none_or(|value| value.is_within(bounds))
    }

    fn write(&self) -> Raw {
        self.as_ref().map_or_else(|| Raw::One(NONE.into()), Value::write)
    }

    fn is_bare(&self) -> bool {
        self.as_ref().is_some_and(Value::is_bare)
    }
}

impl<T: Value> Value for Vec<T> {
    fn form() -> String {
        format!("a list, each {}", T::form())
    }

    fn read(raw: &Raw) -> Option<Self> {
        let read = |item: &str| T::read(&Raw::One(item.trim().into()));
        match raw {
            Raw::One(text) if text.trim().is_empty() => Some(Self::new()),
            Raw::One(text) => text.split(',').take(ITEMS_MAX + 1).map(read).collect(),
            Raw::Many(items) => items.iter().take(ITEMS_MAX + 1).map(|item| read(item)).collect(),
        }
        .filter(|items: &Self| items.len() <= ITEMS_MAX)
    }

    fn write(&self) -> Raw {
        Raw::Many(self.iter().map(|item| item.write().to_string()).collect())
    }
}

/// Types of which there are few values, each a word.
macro_rules! choices {
    ($($(#[$meta:meta])* $type:ident { $($(#[$word_meta:meta])* $name:ident = $word:literal,)+ })+) => {
        $($(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum $type {
            $($(#[$word_meta])* $name,)+
        }

        words!($type { $($name = $word,)+ });)+
    };
}

macro_rules! words {
    ($type:ident { $($name:ident = $word:literal,)+ }) => {
        impl Value for $type {
            fn form() -> String {
                [$($word),+].join(", ")
            }
            fn read(raw: &Raw) -> Option<Self> {
                match one(raw)? {
                    $($word => Some(Self::$name),)+
                    _ => None,
                }
            }
            fn write(&self) -> Raw {
                Raw::One(match self { $(Self::$name => $word,)+ }.into())
            }
        }
    };
}

choices! {
    /// Whether connections to peers are encrypted.
    Encryption {
        /// Encrypted handshakes first, plaintext for peers that know no other.
        Prefer = "prefer",
        /// Handshakes and payload encrypted; peers that cannot are refused.
        Require = "require",
        /// Plaintext only.
        Off = "off",
    }
    /// How serious a line of the log is at least.
    LogLevel {
        /// What went wrong.
        Error = "error",
        /// And what may.
        Warn = "warn",
        /// And what happened.
        Info = "info",
        /// And how.
        Debug = "debug",
        /// And what each peer says.
        Trace = "trace",
    }
    /// How lines of the log look.
    LogFormat {
        /// For people.
        Human = "human",
        /// One JSON object a line.
        Json = "json",
    }
    /// A day of the week.
    Weekday {
        /// Monday.
        Monday = "mon",
        /// Tuesday.
        Tuesday = "tue",
        /// Wednesday.
        Wednesday = "wed",
        /// Thursday.
        Thursday = "thu",
        /// Friday.
        Friday = "fri",
        /// Saturday.
        Saturday = "sat",
        /// Sunday.
        Sunday = "sun",
    }
}

words!(ShareAction {
    Stop = "stop",
    Remove = "remove",
    RemoveWithFiles = "remove_with_files",
    SuperSeed = "super_seed",
});

impl LogLevel {
    /// The level of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::read(&Raw::One(word.into()))
    }

    /// Its word: `error`, `warn`, `info`, `debug`, `trace`.
    pub fn word(self) -> String {
        self.write().to_string()
    }
}

/// An absolute path, of a folder or a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Folder(pub String);

impl FromStr for Folder {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_good = Path::new(text).is_absolute() && !text.contains('\0');
        if is_good { Ok(Self(text.into())) } else { Err(()) }
    }
}

impl Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An amount in whole tokens as people write it; how many digits a token has is not known here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decimal(pub String);

/// Digits of an amount: more than any token's.
const DIGITS_MAX: usize = 78;

impl FromStr for Decimal {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        let is_good = is_digits(whole) && is_digits(part) && text.len() <= DIGITS_MAX;
        if is_good { Ok(Self(text.into())) } else { Err(()) }
    }
}

impl Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host, by name or address, and a port of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostPort(pub String);

impl FromStr for HostPort {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (host, port) = text.rsplit_once(':').ok_or(())?;
        let is_good = !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
        if is_good && !text.contains(char::is_whitespace) { Ok(Self(text.into())) } else { Err(()) }
    }
}

impl Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where peers reach us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Port {
    /// 6881 to 6889, then any.
    Auto,
    /// This one; 0 for any that is free.
    Number(u16),
}

impl FromStr for Port {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        text.parse().map(Self::Number).map_err(|_| ())
    }
}

impl Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Number(port) => write!(f, "{port}"),
        }
    }
}

/// Sent over received, in thousandths.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ratio {
    /// Thousandths.
    pub milli: u32,
}

impl FromStr for Ratio {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        if !is_digits(whole) || !is_digits(part) || part.len() > 3 {
            return Err(());
        }
        let whole: u32 = whole.parse().map_err(|_| ())?;
        let part: u32 = format!("{part:0<3}").parse().map_err(|_| ())?;
        let milli = whole.checked_mul(1000).and_then(|milli| milli.checked_add(part)).ok_or(())?;
        Ok(Self { milli })
    }
}

impl Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = format!("{:03}", self.milli % 1000);
        match part.trim_end_matches('0') {
            "" => write!(f, "{}", self.milli / 1000),
            part => write!(f, "{}.{part}", self.milli / 1000),
        }
    }
}

/// A minute of the day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Clock {
    /// Minutes since midnight, 0 to 1439.
    pub minute: u16,
}

impl FromStr for Clock {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (hour, minute) = text.split_once(':').ok_or(())?;
        let number = |text: &str, below: u16| {
            let is_digits = text.len() <= 2 && text.bytes().all(|it| it.is_ascii_digit());
            text.parse::<u16>().ok().filter(|number| is_digits && *number < below)
        };
        let hour = number(hour, 24).ok_or(())?;
        Ok(Self { minute: hour * 60 + number(minute, 60).ok_or(())? })
    }
}

impl Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minute / 60, self.minute % 60)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn reads<T: Value>(text: &str) -> Option<String> {
        Some(T::read(&Raw::One(text.into()))?.write().to_string())
    }

    #[test]
    fn what_makes_sense_is_read_and_written_the_same() {
        assert_eq!(reads::<Ratio>("1.50"), Some("1.5".into()));
        assert_eq!(reads::<Ratio>("4294967.295"), Some("4294967.295".into()));
        assert_eq!(reads::<Clock>("7:05"), Some("07:05".into()));
        assert_eq!(reads::<Option<u32>>("none"), Some("none".into()));
        assert_eq!(reads::<Option<ByteRate>>("500k/s"), Some("500k".into()));
        assert_eq!(reads::<Vec<Weekday>>("mon, fri"), Some("mon,fri".into()));
        assert_eq!(reads::<Vec<Weekday>>(""), Some(String::new()));
        assert_eq!(reads::<HostPort>("[::1]:6881"), Some("[::1]:6881".into()));
        assert_eq!(reads::<Port>("auto"), Some("auto".into()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(reads::<Ratio>("-1"), None);
        assert_eq!(reads::<Ratio>("4294967.296"), None);
        assert_eq!(reads::<Ratio>("1.2345"), None);
        assert_eq!(reads::<Clock>("24:00"), None);
        assert_eq!(reads::<Clock>("+1:00"), None);
        assert_eq!(reads::<Folder>("downloads"), None);
        assert_eq!(reads::<HostPort>("router"), None);
        assert_eq!(reads::<HostPort>("router:0"), None);
        assert_eq!(reads::<Port>("70000"), None);
        assert_eq!(reads::<String>("a\u{1b}[31m"), None);
        assert_eq!(reads::<Vec<Weekday>>("mon,noday"), None);
        assert!(Vec::<u32>::read(&Raw::Many(vec!["1".into(); ITEMS_MAX])).is_some());
        assert!(Vec::<u32>::read(&Raw::Many(vec!["1".into(); ITEMS_MAX + 1])).is_none());
    }
}
