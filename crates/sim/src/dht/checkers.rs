//! What every run of a DHT must hold, judged from the packets alone.
//!
//! Owns books of what each honest node was sent and has sent. Reads packets with the bencode decoder, not
//! with the codec under test, and asks no machine.

use super::hostile::{is_forbidden, is_forged};
use crate::checkers::Violation;
use crate::seen::NodeId;
use piecework_bencode::{Mode, Value, decode_prefix};
use piecework_types::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Violations remembered of one run.
const VIOLATIONS_MAX: usize = 20;
/// What an answer may have of its query's bytes.
const FACTOR_MAX: usize = 3;
/// Longest packet (BEP 44's values with what stands around them).
const PACKET_BYTES_MAX: usize = 1400;
/// What one sender may have answered: so many at once, and so many a second.
const ANSWERS_BURST: u64 = 40;
const ANSWERS_PER_SECOND: u64 = 10;
/// Queries of one lookup.
const QUERIES_MAX: u32 = 60;
/// Queries that a node answers late are forgotten by the books.
const QUERY_LIFE: Duration = Duration::from_secs(30);

/// The parts of a packet that the checkers and the plants look at.
#[derive(Debug)]
pub(super) enum Packet {
    Query { method: Vec<u8>, target: Option<[u8; 20]>, transaction: Vec<u8> },
    Answer { transaction: Vec<u8>, nodes: Vec<SocketAddr>, values: Vec<SocketAddr> },
    Error { transaction: Vec<u8> },
}

impl Packet {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let limits = piecework_bencode::Limits::default();
        let (document, _) = decode_prefix(bytes, Mode::Lenient, limits).ok()?;
        let root = document.root();
        let transaction = root.get("t")?.as_bytes()?.to_vec();
        match root.get("y")?.as_bytes()? {
            b"q" => {
                let arguments = root.get("a")?;
                let target = arguments.get("info_hash").or_else(|| arguments.get("target"));
                Some(Self::Query {
                    method: root.get("q")?.as_bytes()?.to_vec(),
                    target: target.and_then(|target| target.as_bytes()?.try_into().ok()),
                    transaction,
                })
            }
            b"r" => {
                let values = root.get("r")?;
                let nodes = values.get("nodes").and_then(Value::as_bytes).unwrap_or_default();
                let nodes = nodes.as_chunks::<26>().0.iter().map(|node| address(&node[20..]));
                let peers = values.get("values").and_then(Value::as_list).into_iter().flatten();
                let peers = peers.filter_map(Value::as_bytes).filter(|peer| peer.len() == 6);
                let values = peers.map(address).collect();
                Some(Self::Answer { transaction, nodes: nodes.collect(), values })
            }
            b"e" => Some(Self::Error { transaction }),
            _ => None,
        }
    }
}

fn address(bytes: &[u8]) -> SocketAddr {
    let ip = Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]);
    (ip, u16::from_be_bytes([bytes[4], bytes[5]])).into()
}

/// An address of somebody's home.
pub(super) fn private() -> SocketAddr {
    ([192, 168, 1, 1], 6881).into()
}

fn is_public(address: SocketAddr) -> bool {
    let IpAddr::V4(ip) = address.ip() else { return true };
    let hidden = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast();
    !hidden && !ip.is_unspecified() && address.port() != 0
}

/// A query that an honest node was sent and has not answered.
#[derive(Debug)]
struct Owed {
    at: Time,
    bytes: usize,
    /// It gives back a token that its sender did not get for this.
    is_replay: bool,
}

/// What is known of one honest node.
#[derive(Debug, Default)]
struct Books {
    owed: BTreeMap<(SocketAddr, Vec<u8>), Vec<Owed>>,
    swept: Time,
    /// When the first query of each sender came, and how many were answered.
    answers: BTreeMap<IpAddr, (Time, u64)>,
    lookup: Option<Lookup>,
}

/// A lookup of an honest node that the plan ordered.
#[derive(Debug)]
struct Lookup {
    target: [u8; 20],
    asked: BTreeSet<SocketAddr>,
    queries: u32,
}

/// All checkers.
#[derive(Debug, Default)]
pub(super) struct Checkers {
    books: BTreeMap<u32, Books>,
    pub(super) violations: Vec<Violation>,
    /// Queries of hostile senders that were answered.
    pub(super) hostile_answered: u64,
}

impl Checkers {
    /// The plan orders a lookup.
    pub(super) fn looks_up(&mut self, node: u32, target: [u8; 20]) {
        let lookup = Lookup { target, asked: BTreeSet::new(), queries: 0 };
        self.books.entry(node).or_default().lookup = Some(lookup);
    }

    /// It has ended; gives its queries.
    pub(super) fn looked_up(&mut self, node: u32) -> u32 {
        let lookup = self.books.entry(node).or_default().lookup.take();
        lookup.map_or(0, |lookup| lookup.queries)
    }

    /// Compares the queries that were counted with those that the machine says it sent.
    pub(super) fn agrees(&mut self, node: u32, counted: u32, said: u32, now: Time) {
        if counted != said && self.violations.len() < VIOLATIONS_MAX {
            let what = format!("{counted} queries were sent, {said} are said");
            let (checker, node, at) = ("queries are counted", NodeId(node), now);
            self.violations.push(Violation { checker, node, at, what });
        }
    }

    /// A packet reaches an honest node.
    pub(super) fn arrives(
        &mut self,
        node: u32,
        from: SocketAddr,
        bytes: &[u8],
        is_replay: bool,
        now: Time,
    ) {
        let books = self.books.entry(node).or_default();
        if now.since(books.swept) > QUERY_LIFE {
            books.swept = now;
            books.owed.values_mut().for_each(|all| all.retain(|o| now.since(o.at) < QUERY_LIFE));
            books.owed.retain(|_, owed| !owed.is_empty());
        }
        // Even what is no query earns an answer of its own length.
        let transaction = match Packet::read(bytes) {
            Some(Packet::Query { transaction, .. }) => transaction,
            Some(Packet::Answer { .. } | Packet::Error { .. }) => return,
            None => match broken_transaction(bytes) {
                Some(transaction) => transaction,
                None => return,
            },
        };
        let owed = Owed { at: now, bytes: bytes.len(), is_replay };
        books.owed.entry((from, transaction)).or_default().push(owed);
        books.answers.entry(from.ip()).or_insert((now, 0));
    }

    /// An honest node sends a packet.
    pub(super) fn leaves(
        &mut self,
        node: u32,
        to: SocketAddr,
        bytes: &[u8],
        is_hostile: bool,
        now: Time,
    ) {
        if let Err((checker, what)) = self.judge(node, to, bytes, is_hostile, now)
            && self.violations.len() < VIOLATIONS_MAX
        {
            self.violations.push(Violation { checker, node: NodeId(node), at: now, what });
        }
    }

    fn judge(
        &mut self,
        node: u32,
        to: SocketAddr,
        bytes: &[u8],
        is_hostile: bool,
        now: Time,
    ) -> Result<(), (&'static str, String)> {
        if bytes.len() > PACKET_BYTES_MAX {
            return Err(("packets fit a path", format!("{} bytes to {to}", bytes.len())));
        }
        if !is_public(to) {
            return Err(("nobody knocks at home", format!("a packet to {to}")));
        }
        if is_forged(to) {
            return Err(("only the asked are believed", format!("a packet to {to}")));
        }
        let packet =
            Packet::read(bytes).ok_or_else(|| ("packets can be read", format!("to {to}")))?;
        let books = self.books.entry(node).or_default();
        match packet {
            Packet::Query { method, target, .. } => books.asks(&method, target, to),
            Packet::Answer { transaction, values, .. } => {
                if let Some(peer) = values.iter().find(|peer| is_forbidden(**peer)) {
                    return Err(("a token counts for its owner", format!("names {peer}")));
                }
                self.hostile_answered += u64::from(is_hostile);
                let owed = books.answers(to, transaction, bytes.len(), now)?;
                if owed.is_replay {
                    return Err(("a token counts for its owner", format!("yes to {to}")));
                }
                Ok(())
            }
            Packet::Error { transaction } => {
                books.answers(to, transaction, bytes.len(), now).map(|_| ())
            }
        }
    }
}

impl Books {
    fn answers(
        &mut self,
        to: SocketAddr,
        transaction: Vec<u8>,
        bytes: usize,
        now: Time,
    ) -> Result<Owed, (&'static str, String)> {
        let owed = self.owed.get_mut(&(to, transaction));
        let Some(owed) = owed.filter(|owed| !owed.is_empty()).map(|owed| owed.remove(0)) else {
            return Err(("a query gets one answer", format!("another one to {to}")));
        };
        if bytes > owed.bytes * FACTOR_MAX {
            let what = format!("{bytes} bytes for {} to {to}", owed.bytes);
            return Err(("answers are no amplifier", what));
        }
        let (since, count) = self.answers.entry(to.ip()).or_insert((now, 0));
        *count += 1;
        let seconds = now.since(*since).as_millis() as u64 / 1000 + 1;
        if *count > ANSWERS_BURST + ANSWERS_PER_SECOND * seconds {
            let what = format!("{count} in {seconds} s to {to}");
            return Err(("a flood is answered in part", what));
        }
        Ok(owed)
    }

    fn asks(
        &mut self,
        method: &[u8],
        target: Option<[u8; 20]>,
        to: SocketAddr,
    ) -> Result<(), (&'static str, String)> {
        let Some(lookup) = self.lookup.as_mut().filter(|lookup| Some(lookup.target) == target)
        else {
            return Ok(());
        };
        lookup.queries += 1;
        if method == b"get_peers" && !lookup.asked.insert(to) {
            return Err(("a lookup asks nobody twice", format!("{to} again")));
        }
        if lookup.queries > QUERIES_MAX {
            return Err(("a lookup has a limit", format!("query {}", lookup.queries)));
        }
        Ok(())
    }
}

/// The transaction of a query that lacks something.
fn broken_transaction(bytes: &[u8]) -> Option<Vec<u8>> {
    let limits = piecework_bencode::Limits::default();
    let (document, _) = decode_prefix(bytes, Mode::Lenient, limits).ok()?;
    document.root().get("t")?.as_bytes().map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(
        checkers: &mut Checkers,
        to: SocketAddr,
        bytes: &[u8],
        at: Time,
    ) -> Option<&'static str> {
        checkers.leaves(1, to, bytes, false, at);
        checkers.violations.pop().map(|violation| violation.checker)
    }

    const PING: &[u8] = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
    const PONG: &[u8] = b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re";

    fn somebody() -> SocketAddr {
        ([20, 1, 1, 1], 6881).into()
    }

    #[test]
    fn an_answer_needs_its_query_and_no_more_than_thrice_its_bytes() {
        let mut checkers = Checkers::default();
        let mut say = |bytes: &[u8]| {
            checkers.arrives(1, somebody(), PING, false, Time::ZERO);
            sent(&mut checkers, somebody(), bytes, Time::ZERO)
        };
        assert_eq!(say(PONG), None);
        let long = [PONG, &[b'x'; 200]].concat();
        assert_eq!(say(&long), Some("answers are no amplifier"));
        let mut checkers = Checkers::default();
        assert_eq!(
            sent(&mut checkers, somebody(), PONG, Time::ZERO),
            Some("a query gets one answer")
        );
    }

    #[test]
    fn hidden_and_forged_addresses_are_noticed() {
        let mut checkers = Checkers::default();
        assert_eq!(sent(&mut checkers, somebody(), PING, Time::ZERO), None);
        assert_eq!(sent(&mut checkers, private(), PING, Time::ZERO), Some("nobody knocks at home"));
        let forged = ([105, 1, 2, 3], 6881).into();
        let found = sent(&mut checkers, forged, PING, Time::ZERO);
        assert_eq!(found, Some("only the asked are believed"));
    }

    #[test]
    fn a_replay_that_is_granted_is_noticed() {
        let mut checkers = Checkers::default();
        checkers.arrives(1, somebody(), PING, true, Time::ZERO);
        let found = sent(&mut checkers, somebody(), PONG, Time::ZERO);
        assert_eq!(found, Some("a token counts for its owner"));
    }

    #[test]
    fn a_flood_that_is_answered_in_full_is_noticed() {
        let mut checkers = Checkers::default();
        let found = (0..100).find_map(|number| {
            let at = Time::from_micros(number);
            checkers.arrives(1, somebody(), PING, false, at);
            sent(&mut checkers, somebody(), PONG, at)
        });
        assert_eq!(found, Some("a flood is answered in part"));
    }

    #[test]
    fn a_lookup_that_asks_twice_or_too_often_is_noticed() {
        let query = b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e\
            1:q9:get_peers1:t2:aa1:y1:qe";
        let mut checkers = Checkers::default();
        checkers.looks_up(1, *b"mnopqrstuvwxyz123456");
        assert_eq!(sent(&mut checkers, somebody(), query, Time::ZERO), None);
        let found = sent(&mut checkers, somebody(), query, Time::ZERO);
        assert_eq!(found, Some("a lookup asks nobody twice"));
        let found = (2..200).find_map(|number| {
            sent(&mut checkers, ([20, 1, 2, number], 1).into(), query, Time::ZERO)
        });
        assert_eq!((found, checkers.looked_up(1)), (Some("a lookup has a limit"), 61));
    }
}
