//! The datagram: a request of HTTP's form with an info-hash in each of some lines.
//!
//! Read leniently, as clients differ in case, order and line ends; bounded in size and count.

use piecework_types::InfoHash;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// Bytes of a datagram, sent or read: BEP 14 wants it to fit into one packet of any network.
pub const DATAGRAM_BYTES_MAX: usize = 1400;

/// Info-hashes in one datagram of ours: what fits with the longest head.
pub const NAMES_MAX: usize = 20;

/// The key of an info-hash, which the protocol spells in one word.
const NAME: &str = concat!("Info", "hash");

/// The first line.
const SEARCH: &str = "BT-SEARCH * HTTP/1.1";

/// Why a datagram says nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LocalFault {
    /// It is too long.
    #[error("expected at most {DATAGRAM_BYTES_MAX} bytes")]
    TooLong,
    /// It is another protocol's.
    #[error("expected {SEARCH}")]
    NotSearch,
    /// It names no port that anybody can listen on.
    #[error("expected a port")]
    NoPort,
    /// It names no torrent.
    #[error("expected an info-hash of 40 hex digits")]
    NoInfoHash,
}

/// Who shares what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalMessage {
    /// The TCP port that the sender listens on.
    pub port: u16,
    /// Its torrents.
    pub info_hashes: Vec<InfoHash>,
    /// What the sender knows its own messages by.
    pub cookie: Option<String>,
}

impl LocalMessage {
    /// Reads a datagram.
    ///
    /// # Errors
    /// When it is too long, none of this protocol, or lacks the port or every info-hash.
    pub fn decode(datagram: &[u8]) -> Result<Self, LocalFault> {
        if datagram.len() > DATAGRAM_BYTES_MAX {
            return Err(LocalFault::TooLong);
        }
        let text = std::str::from_utf8(datagram).map_err(|_| LocalFault::NotSearch)?;
        let mut lines = text.lines();
        if lines.next().is_none_or(|first| !first.trim_end().eq_ignore_ascii_case(SEARCH)) {
            return Err(LocalFault::NotSearch);
        }
        let mut port = 0;
        let mut message = Self { port, info_hashes: Vec::new(), cookie: None };
        for (key, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            let is = |name: &str| key.trim().eq_ignore_ascii_case(name);
            if is(NAME) {
                message.info_hashes.extend(info_hash(value));
            } else if is("port") {
                port = value.parse().unwrap_or(0);
            } else if is("cookie") {
                message.cookie = Some(value.to_owned());
            }
        }
        message.port = port;
        if message.port == 0 {
            return Err(LocalFault::NoPort);
        }
        if message.info_hashes.is_empty() {
            return Err(LocalFault::NoInfoHash);
        }
        Ok(message)
    }

    /// The datagram for one of [`super::GROUPS`]. Info-hashes beyond [`NAMES_MAX`] are left out.
    pub fn encode(&self, group: SocketAddr) -> Vec<u8> {
        let mut text = format!("{SEARCH}\r\nHost: {group}\r\nPort: {}\r\n", self.port);
        for info_hash in self.info_hashes.iter().take(NAMES_MAX) {
            write!(text, "{NAME}: {info_hash}\r\n").expect("a string takes everything");
        }
        if let Some(cookie) = &self.cookie {
            write!(text, "cookie: {cookie}\r\n").expect("a string takes everything");
        }
        text.push_str("\r\n\r\n");
        text.into_bytes()
    }
}

fn info_hash(hex: &str) -> Option<InfoHash> {
    let digits = hex.as_bytes().as_chunks::<2>().0;
    let mut bytes = [0; 20];
    if hex.len() != 2 * bytes.len() || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits) {
        let text = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(text, 16).ok()?;
    }
    Some(InfoHash(bytes))
}

#[cfg(test)]
mod tests {
    use super::super::GROUPS;
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "0123456789abcdef0123456789ABCDEF01234567";

    fn read(text: &str) -> Result<LocalMessage, LocalFault> {
        LocalMessage::decode(text.as_bytes())
    }

    #[test]
    fn the_message_of_bep_14_is_written() {
        let message = LocalMessage {
            port: 6881,
            info_hashes: vec![InfoHash([0xab; 20])],
            cookie: Some("name".into()),
        };
        let expected = format!(
            "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\n\
             {NAME}: abababababababababababababababababababab\r\ncookie: name\r\n\r\n\r\n"
        );
        assert_eq!(String::from_utf8_lossy(&message.encode(GROUPS[0])), expected);
        let v6 = message.encode(GROUPS[1]);
        assert!(String::from_utf8_lossy(&v6).contains("Host: [ff15::efc0:988f]:6771\r\n"));
        assert_eq!(LocalMessage::decode(&v6), Ok(message));
    }

    #[test]
    fn other_clients_ways_to_write_it_are_read() {
        for text in [
            format!("BT-SEARCH * HTTP/1.1\r\nHost: x\r\nPort: 51413\r\n{NAME}: {HEX}\r\n\r\n\r\n"),
            format!("bt-search * http/1.1\nPORT:51413\n{}:{HEX}\n", NAME.to_uppercase()),
            format!("BT-SEARCH * HTTP/1.1\r\n{NAME}: {HEX}\r\nX: y\r\nPort: 51413\r\n"),
            format!("BT-SEARCH * HTTP/1.1\r\nPort: 51413\r\n{NAME}: short\r\n{NAME}: {HEX}\r\n"),
        ] {
            let message = read(&text).expect(&text);
            assert_eq!((message.port, message.info_hashes.len()), (51_413, 1), "{text}");
            assert_eq!(message.info_hashes[0].to_string(), HEX.to_ascii_lowercase());
        }
    }

    #[test]
    fn what_says_nothing_is_refused_with_the_reason() {
        let head = "BT-SEARCH * HTTP/1.1\r\n";
        for (text, fault) in [
            (String::new(), LocalFault::NotSearch),
            ("M-SEARCH * HTTP/1.1\r\n".into(), LocalFault::NotSearch),
            (format!("{head}{NAME}: {HEX}\r\n"), LocalFault::NoPort),
            (format!("{head}Port: 0\r\n{NAME}: {HEX}\r\n"), LocalFault::NoPort),
            (format!("{head}Port: 65536\r\n{NAME}: {HEX}\r\n"), LocalFault::NoPort),
            (format!("{head}Port: 1\r\n{NAME}: +{}\r\n", &HEX[1..]), LocalFault::NoInfoHash),
            (format!("{head}Port: 1\r\n"), LocalFault::NoInfoHash),
            (format!("{head}{}", "x".repeat(DATAGRAM_BYTES_MAX)), LocalFault::TooLong),
        ] {
            assert_eq!(read(&text), Err(fault), "{text}");
        }
        assert_eq!(LocalMessage::decode(b"\xff\xfe"), Err(LocalFault::NotSearch));
    }

    proptest! {
        #[test]
        fn what_is_written_fits_a_packet_and_is_read_again(
            port in 1_u16..,
            names in prop::collection::vec(any::<[u8; 20]>(), 1..30),
            cookie in prop::option::of("[0-9a-f]{1,16}"),
        ) {
            let info_hashes: Vec<_> = names.into_iter().map(InfoHash).collect();
            let message = LocalMessage { port, info_hashes, cookie };
            for group in GROUPS {
                let datagram = message.encode(group);
                prop_assert!(datagram.len() <= DATAGRAM_BYTES_MAX);
                let read = LocalMessage::decode(&datagram).expect("our own words");
                let sent = message.info_hashes.iter().take(NAMES_MAX);
                prop_assert!(read.info_hashes.iter().eq(sent));
                prop_assert_eq!((read.port, &read.cookie), (port, &message.cookie));
            }
        }

        #[test]
        fn nothing_that_comes_is_a_panic(datagram in prop::collection::vec(any::<u8>(), 0..2000)) {
            drop(LocalMessage::decode(&datagram));
        }
    }
}
