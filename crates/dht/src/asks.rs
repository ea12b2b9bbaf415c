//! Queries of ours that are under way.
//!
//! Owns their transaction ids and deadlines. Invariants: an answer counts only from the address that was
//! asked, to the endpoint that asked, and with all four bytes of its transaction, two of which a stranger
//! cannot foresee; at most [`ASKS_MAX`] are under way. Must not know what the answers mean.

use crate::token::Keys;
use crate::{EndpointIndex, LookupId};
use piecework_types::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// Queries under way. [`crate::LOOKUPS_MAX`] lookups need less.
pub(crate) const ASKS_MAX: usize = 1024;

/// How long before any answer is known to take its time.
const FIRST_PATIENCE: Duration = Duration::from_millis(500);
const PATIENCE_MIN: Duration = Duration::from_millis(150);
const PATIENCE_MAX: Duration = Duration::from_millis(1500);
/// When a node counts as silent, in patiences, and at least and at most.
const SILENCE_FACTOR: u32 = 4;
const SILENCE_MIN: Duration = Duration::from_secs(2);

/// What an answer is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum For {
    /// To see whether the node is there. `was_prompted`: it had sent us something first.
    Ping { was_prompted: bool },
    /// To come closer.
    Lookup(LookupId),
    /// To know that it stored something.
    Store(LookupId),
}

/// A query under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) endpoint: EndpointIndex,
    pub(crate) to: SocketAddr,
    pub(crate) sent: Time,
    pub(crate) purpose: For,
    mark: [u8; 2],
    silent_at: Time,
    deadline: Time,
}

/// What passing time did to a query.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Overdue {
    /// It takes longer than most.
    Late(Ask),
    /// No answer will come. The query is forgotten.
    Silent(Ask),
}

/// How long answers take on an endpoint (RFC 6298's estimator).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    smoothed_micros: u64,
    deviation_micros: u64,
}

impl Pace {
    /// An answer took so long.
    pub(crate) fn measured(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min(60_000_000);
        if self.smoothed_micros == 0 {
            (self.smoothed_micros, self.deviation_micros) = (micros.max(1), micros / 2);
            return;
        }
        let error = self.smoothed_micros.abs_diff(micros);
        self.deviation_micros = (3 * self.deviation_micros + error) / 4;
        self.smoothed_micros = ((7 * self.smoothed_micros + micros) / 8).max(1);
    }

    /// How long to wait for an answer before another node is asked as well.
    pub(crate) fn patience(self) -> Duration {
        if self.smoothed_micros == 0 {
            return FIRST_PATIENCE;
        }
        let micros = self.smoothed_micros + 4 * self.deviation_micros;
        Duration::from_micros(micros).clamp(PATIENCE_MIN, PATIENCE_MAX)
    }
}

/// All queries under way.
#[derive(Clone)]
pub(crate) struct Asks {
    keys: Keys,
    asks: BTreeMap<u16, Ask>,
    deadlines: BTreeSet<(Time, u16)>,
    made: u64,
}

impl Asks {
    pub(crate) const fn new(keys: Keys) -> Self {
        Self { keys, asks: BTreeMap::new(), deadlines: BTreeSet::new(), made: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.asks.len()
    }

    /// Notes a query; gives its transaction id, or nothing when too many are under way.
    pub(crate) fn begin(
        &mut self,
        endpoint: EndpointIndex,
        to: SocketAddr,
        purpose: For,
        patience: Duration,
        now: Time,
    ) -> Option<[u8; 4]> {
        if self.asks.len() >= ASKS_MAX {
            return None;
        }
        // At most ASKS_MAX of 65,536 numbers are taken, so this ends soon.
        while self.asks.contains_key(&(self.made as u16)) {
            self.made += 1;
        }
        let number = self.made as u16;
        let mark = self.keys.mark(self.made);
        self.made += 1;
        let silent_at = now + (patience * SILENCE_FACTOR).max(SILENCE_MIN);
        let deadline = now + patience;
        self.deadlines.insert((deadline, number));
        let sent = now;
        self.asks.insert(number, Ask { endpoint, to, sent, purpose, mark, silent_at, deadline });
        let [high, low] = number.to_be_bytes();
        Some([high, low, mark[0], mark[1]])
    }

    /// The query that this answers, if the asked node answers it. It is over then.
    pub(crate) fn end(
        &mut self,
        transaction: &[u8],
        endpoint: EndpointIndex,
        from: SocketAddr,
    ) -> Option<Ask> {
        let [high, low, mark @ ..] = <[u8; 4]>::try_from(transaction).ok()?;
        let number = u16::from_be_bytes([high, low]);
        let ask = *self.asks.get(&number)?;
        if ask.mark != mark || ask.to != from || ask.endpoint != endpoint {
            return None;
        }
        self.asks.remove(&number);
        self.deadlines.remove(&(ask.deadline, number));
        Some(ask)
    }

    /// A query that is overdue now.
    pub(crate) fn next_overdue(&mut self, now: Time) -> Option<Overdue> {
        let (at, number) = self.deadlines.first().copied().filter(|(at, _)| *at <= now)?;
        self.deadlines.remove(&(at, number));
        let ask = self.asks.get_mut(&number)?;
        if at >= ask.silent_at {
            return self.asks.remove(&number).map(Overdue::Silent);
        }
        ask.deadline = ask.silent_at;
        self.deadlines.insert((ask.silent_at, number));
        Some(Overdue::Late(*ask))
    }

    /// When the next query is overdue.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: EndpointIndex = EndpointIndex(0);

    fn asks() -> Asks {
        Asks::new(Keys::new([1; 32]))
    }

    fn to() -> SocketAddr {
        ([1, 2, 3, 4], 5).into()
    }

    const PING: For = For::Ping { was_prompted: false };

    fn millis(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn an_answer_counts_once_and_only_from_whom_was_asked() {
        let mut asks = asks();
        let id = asks.begin(HERE, to(), PING, FIRST_PATIENCE, Time::ZERO).expect("there is room");
        let mut forged = id;
        forged[3] ^= 1;
        assert!(asks.end(&forged, HERE, to()).is_none());
        assert!(asks.end(&id[..3], HERE, to()).is_none());
        assert!(asks.end(&id, EndpointIndex(1), to()).is_none());
        assert!(asks.end(&id, HERE, ([1, 2, 3, 4], 6).into()).is_none());
        assert_eq!(asks.end(&id, HERE, to()).map(|ask| ask.purpose), Some(PING));
        assert!(asks.end(&id, HERE, to()).is_none());
        assert_eq!(asks.next_deadline(), None);
    }

    #[test]
    fn a_query_is_late_first_and_silent_then() {
        let mut asks = asks();
        asks.begin(HERE, to(), PING, FIRST_PATIENCE, Time::ZERO).expect("there is room");
        assert!(asks.next_overdue(millis(499)).is_none());
        assert!(matches!(asks.next_overdue(millis(500)), Some(Overdue::Late(_))));
        assert!(asks.next_overdue(millis(1999)).is_none());
        assert_eq!(asks.next_deadline(), Some(millis(2000)));
        assert!(matches!(asks.next_overdue(millis(2000)), Some(Overdue::Silent(_))));
        assert_eq!((asks.len(), asks.next_deadline()), (0, None));
    }

    #[test]
    fn there_is_a_limit_and_numbers_in_use_are_skipped() {
        let mut asks = asks();
        let begin = |asks: &mut Asks| asks.begin(HERE, to(), PING, FIRST_PATIENCE, Time::ZERO);
        let first = begin(&mut asks).expect("there is room");
        let ids: BTreeSet<_> = std::iter::from_fn(|| begin(&mut asks)).collect();
        assert_eq!(ids.len(), ASKS_MAX - 1);
        for id in ids {
            assert!(asks.end(&id, HERE, to()).is_some());
        }
        for _ in 0..70_000 {
            let id = begin(&mut asks).expect("there is room");
            assert_ne!(id[..2], first[..2]);
            assert!(asks.end(&id, HERE, to()).is_some());
        }
    }

    #[test]
    fn patience_follows_the_answers_within_bounds() {
        let mut pace = Pace::default();
        assert_eq!(pace.patience(), FIRST_PATIENCE);
        (0..50).for_each(|_| pace.measured(Duration::from_millis(100)));
        assert_eq!(pace.patience(), PATIENCE_MIN);
        (0..50).for_each(|_| pace.measured(Duration::from_millis(300)));
        assert!((300..400).contains(&pace.patience().as_millis()), "{:?}", pace.patience());
        (0..50).for_each(|_| pace.measured(Duration::MAX));
        assert_eq!(pace.patience(), PATIENCE_MAX);
    }
}
