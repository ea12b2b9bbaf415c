//! Requests that may be sent twice: the second gets the answer of the first, and nothing happens again.
//!
//! Whoever asks names a request by `Idempotency-Key`. What was answered is remembered for a day, in memory:
//! after a restart a request is carried out once more. That is good enough for adding torrents: what is there
//! is not added twice; and for drawing a session key, which promises no more than is there. What moves money
//! is written down as an order before it is signed, and found by its key after a restart too.

use crate::problem::{Code, Problem};
use axum::body::Bytes;
use piecework_hash::sha256;
use piecework_types::Sha256Digest;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Answers that are remembered; the oldest goes first.
const REPLIES_MAX: usize = 1000;
/// Bytes of an answer that is remembered.
const REPLY_BYTES_MAX: usize = 64 << 10;
/// Characters of a key.
const KEY_CHARS_MAX: usize = 128;
/// Seconds that an answer is remembered.
const AGE_MAX: u64 = 86_400;

#[derive(Debug)]
struct Reply {
    request: Sha256Digest,
    at: u64,
    /// `None` while the first request is being answered.
    body: Option<Bytes>,
}

#[derive(Debug, Default)]
struct Store {
    replies: BTreeMap<Name, Reply>,
    order: VecDeque<(u64, Name)>,
}

/// Who asks, and the key they chose.
type Name = (String, String);

/// All that are remembered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replies(Arc<Mutex<Store>>);

/// What to do with a request that has a key.
#[derive(Debug)]
pub(crate) enum Turn {
    /// It is the first: carry it out and [`First::keep`] the answer.
    First(First),
    /// It was answered: with this.
    Again(Bytes),
}

/// A request that is being carried out. Dropped without an answer it is forgotten.
#[derive(Debug)]
pub(crate) struct First {
    replies: Replies,
    name: Name,
}

impl Replies {
    /// Looks a request up.
    ///
    /// # Errors
    /// When the key makes no sense, was used for another request, or its request is not answered yet.
    pub(crate) fn turn(
        &self,
        who: &str,
        key: &str,
        body: &[u8],
        now: u64,
    ) -> Result<Turn, Problem> {
        demand_key(key)?;
        let (request, name) = (sha256(body), (who.to_owned(), key.to_owned()));
        let mut store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        store.forget(now);
        if let Some(reply) = store.replies.get(&name) {
            if reply.request != request {
                let text = "this Idempotency-Key was used for another request";
                return Err(Problem::new(Code::Invalid, text));
            }
            let busy = || Problem::new(Code::Conflict, "the same request is being carried out");
            return reply.body.clone().map(Turn::Again).ok_or_else(busy);
        }
        store.replies.insert(name.clone(), Reply { request, at: now, body: None });
        store.order.push_back((now, name.clone()));
        Ok(Turn::First(First { replies: self.clone(), name }))
    }
}

/// That a key is one.
pub(crate) fn demand_key(key: &str) -> Result<(), Problem> {
    let is_key = (1..=KEY_CHARS_MAX).contains(&key.len());
    if is_key && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let text = format!("Idempotency-Key: 1 to {KEY_CHARS_MAX} visible ASCII characters");
    Err(Problem::new(Code::Invalid, text))
}

impl Store {
    fn forget(&mut self, now: u64) {
        while let Some((at, name)) = self.order.front() {
            if self.order.len() < REPLIES_MAX && now.saturating_sub(*at) < AGE_MAX {
                return;
            }
            // The name may have been forgotten and used anew.
            if self.replies.get(name).is_some_and(|reply| reply.at == *at) {
                self.replies.remove(name);
            }
            self.order.pop_front();
        }
    }
}

impl First {
    /// Remembers the answer. One that is too large is not: the request may be carried out twice then.
    pub(crate) fn keep(self, body: &Bytes) {
        let mut store = self.replies.0.lock().unwrap_or_else(PoisonError::into_inner);
        if body.len() <= REPLY_BYTES_MAX
            && let Some(reply) = store.replies.get_mut(&self.name)
        {
            reply.body = Some(body.clone());
        }
    }
}

impl Drop for First {
    fn drop(&mut self) {
        let mut store = self.replies.0.lock().unwrap_or_else(PoisonError::into_inner);
        if store.replies.get(&self.name).is_some_and(|reply| reply.body.is_none()) {
            store.replies.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(replies: &Replies, key: &str, now: u64) -> First {
        match replies.turn("me", key, b"body", now) {
            Ok(Turn::First(first)) => first,
            other => panic!("{key} gave {other:?}"),
        }
    }

    fn code(replies: &Replies, who: &str, key: &str, body: &[u8]) -> Option<Code> {
        replies.turn(who, key, body, 1).err().map(|problem| problem.code())
    }

    #[test]
    fn the_second_request_gets_the_answer_of_the_first() {
        let replies = Replies::default();
        let it = first(&replies, "a", 1);
        assert_eq!(code(&replies, "me", "a", b"body"), Some(Code::Conflict));
        it.keep(&Bytes::from_static(b"answer"));
        let again = replies.turn("me", "a", b"body", 2);
        assert!(matches!(again, Ok(Turn::Again(body)) if body == "answer"));
        assert_eq!(code(&replies, "me", "a", b"other"), Some(Code::Invalid));
        assert_eq!(code(&replies, "you", "a", b"other"), None);
        assert_eq!(code(&replies, "me", "", b""), Some(Code::Invalid));
        assert_eq!(code(&replies, "me", "ä", b""), Some(Code::Invalid));
    }

    #[test]
    fn what_was_not_answered_and_what_is_a_day_old_may_be_asked_again() {
        let replies = Replies::default();
        drop(first(&replies, "a", 1));
        first(&replies, "a", 1).keep(&Bytes::new());
        first(&replies, "a", 1 + AGE_MAX).keep(&Bytes::new());
    }

    #[test]
    fn a_thousand_are_remembered() {
        let replies = Replies::default();
        for number in 0..3 * REPLIES_MAX {
            first(&replies, &number.to_string(), 1).keep(&Bytes::new());
        }
        let store = replies.0.lock().unwrap();
        assert!(store.replies.len() <= REPLIES_MAX && store.order.len() <= REPLIES_MAX);
        assert!(store.replies.contains_key(&("me".into(), (3 * REPLIES_MAX - 1).to_string())));
    }
}
