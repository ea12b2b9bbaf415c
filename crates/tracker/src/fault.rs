//! What can go wrong with a tracker. Every value here is the tracker's fault or the fault of the way to
//! it: try the next one and come back later.

use crate::Retry;
use piecework_bencode::{DecodeError, Kind};
use thiserror::Error;

/// Longest text kept from a tracker, in bytes.
pub const TEXT_BYTES_MAX: usize = 512;

/// Why an exchange with a tracker gave no answer.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum TrackerFault {
    /// The tracker understood and said no.
    #[error("tracker refuses: {reason}")]
    Refused {
        /// Its words, cleaned.
        reason: String,
        /// When it may be asked again, if it says so.
        retry: Option<Retry>,
    },
    /// No answer came, however often it was asked.
    #[error("tracker did not answer {packets} packets")]
    Silent {
        /// Packets sent to it.
        packets: u32,
    },
    /// A body above the limit.
    #[error("tracker answer may have {most_bytes} bytes, got {got_bytes}")]
    TooLong {
        /// The limit.
        most_bytes: usize,
        /// What came.
        got_bytes: usize,
    },
    /// A body that is not bencoded, often the web page of a parked domain.
    #[error("tracker answer is not bencoded: {0}")]
    Bencode(#[from] DecodeError),
    /// A body that is bencoded but no dictionary.
    #[error("tracker answer must be a dictionary, got {got:?}")]
    NotDictionary {
        /// What it is.
        got: Kind,
    },
    /// A body that lacks what every answer has.
    #[error("tracker answer needs {expected} in key {key:?}")]
    Field {
        /// The key.
        key: &'static str,
        /// What should stand there.
        expected: &'static str,
    },
    /// An HTTP address from which no scrape address follows (BEP 48).
    #[error("tracker does not offer scrapes: its address does not end in /announce")]
    NoScrape,
    /// A packet too short for what its action says it is (BEP 15).
    #[error(
        "tracker packet with action {action} needs at least {least_bytes} bytes, got {got_bytes}"
    )]
    Short {
        /// Its action.
        action: u32,
        /// Least length of such a packet.
        least_bytes: usize,
        /// Its length.
        got_bytes: usize,
    },
    /// A packet that BEP 15 does not define.
    #[error("tracker packet must have an action of BEP 15, got {got}")]
    UnknownAction {
        /// The action it claims.
        got: u32,
    },
    /// A first packet without the number that BEP 15 begins with.
    #[error("connect packet must begin with 0x41727101980, got {got:#x}")]
    NotUdpTracker {
        /// What it begins with.
        got: u64,
    },
}

/// Text from a tracker, safe to show: at most [`TEXT_BYTES_MAX`], no control characters.
pub(crate) fn clean_text(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(TEXT_BYTES_MAX)];
    let mut text = String::new();
    for c in String::from_utf8_lossy(bytes).chars() {
        // A byte that is no UTF-8 becomes a character of three.
        if text.len() + c.len_utf8() > TEXT_BYTES_MAX {
            break;
        }
        text.push(if c.is_control() { ' ' } else { c });
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_a_tracker_cannot_steer_a_terminal_or_fill_it() {
        assert_eq!(clean_text(b" no\x1b[2J\nentry \xff "), "no [2J entry \u{fffd}");
        assert_eq!(clean_text(&[b'a'; 4000]).len(), TEXT_BYTES_MAX);
        assert_eq!(clean_text(&[0xff; 4000]).len(), TEXT_BYTES_MAX - 2);
    }
}
