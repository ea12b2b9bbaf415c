//! How a stranger's connection opens: with the plaintext handshake, or with an encrypted one around it.
//!
//! Owns what an encrypted stranger may cost. Knows no socket: bytes come in, an answer and a verdict go out.

use piecework_mse::{
    Budget, Ciphers, Encryption, Established, KeyPool, MseFault, Pace, Responder, Step, Torrents,
};
use piecework_types::{InfoHash, Time};
use piecework_wire::{Handshake, HandshakeStep};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Key agreements with strangers in all: 50 microseconds each, so 2.5 % of a core at most.
const AGREEMENTS: Pace = Pace { interval: Duration::from_millis(2), burst: 500 };

/// Key agreements with one source: a household whose clients all start at once, then one in half a second.
const AGREEMENTS_EACH: Pace = Pace { interval: Duration::from_millis(500), burst: 32 };

/// Seeds that the system is asked for at once. It gives no fewer bytes than asked for up to 256.
const SEEDS: usize = 32;

/// How the acceptor treats strangers.
#[derive(Clone, Debug)]
pub struct AcceptRules {
    /// Whether connections are encrypted.
    pub encryption: Encryption,
    /// What encrypted strangers may name.
    pub torrents: Arc<RwLock<Torrents>>,
    /// A number that strangers cannot guess.
    pub seed: u64,
}

/// What an encrypted handshake leaves to whoever owns the torrent.
#[derive(Debug)]
pub struct Answered {
    /// Its last part, to be sent before anything else and not to be encrypted again.
    pub answer: Vec<u8>,
    /// The ciphers of both directions, if the connection goes on encrypted.
    pub ciphers: Option<Ciphers>,
}

/// What is known of a stranger that named a torrent.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) info_hash: InfoHash,
    pub(super) received: Vec<u8>,
    pub(super) encrypted: Option<Box<Answered>>,
}

/// What to do with a stranger.
#[derive(Debug)]
pub(super) enum Verdict {
    Wait,
    /// It may have the arithmetic that is due: [`Opening::agree_all`].
    Agree,
    Named(Named),
    /// It speaks something else, names nothing of ours, or costs too much.
    Refuse,
}

/// A stranger's first bytes.
pub(super) enum Opening {
    /// So far they may be a plaintext handshake.
    Plaintext(Vec<u8>),
    Encrypted(Box<Responder>),
}

/// What all strangers share.
pub(super) struct Door {
    rules: AcceptRules,
    budget: Budget,
    keys: KeyPool,
    seeds: Vec<[u8; 8]>,
}

impl Door {
    pub(super) fn new(rules: AcceptRules) -> Self {
        let budget = Budget::new(AGREEMENTS, AGREEMENTS_EACH, rules.seed);
        Self { rules, budget, keys: KeyPool::default(), seeds: Vec::new() }
    }

    fn responder(&mut self, now: Time) -> Option<Responder> {
        let encryption = self.rules.encryption;
        if encryption == Encryption::Off {
            return None;
        }
        let pair = self.keys.pair(now, random)?;
        Some(Responder::new(pair, encryption, self.seed()?))
    }

    /// A number that nobody can guess, whatever pads they have seen. The system is asked for many at once.
    fn seed(&mut self) -> Option<u64> {
        if self.seeds.is_empty() {
            let bytes: [u8; 8 * SEEDS] = random()?;
            self.seeds.extend_from_slice(bytes.as_chunks().0);
        }
        self.seeds.pop().map(u64::from_ne_bytes)
    }
}

impl Opening {
    /// Takes what came from this source; `out` is to be sent to it at once.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        (source, now): (IpAddr, Time),
        door: &mut Door,
        out: &mut Vec<u8>,
    ) -> Verdict {
        let Self::Plaintext(received) = self else {
            return self.take_encrypted(bytes, (source, now), door, out);
        };
        // Most send all of it at once: nothing has to be kept then.
        if !received.is_empty() {
            received.extend_from_slice(bytes);
        }
        let whole = if received.is_empty() { bytes } else { &*received };
        let info_hash = match Handshake::decode(whole) {
            Ok(HandshakeStep::Incomplete { .. }) => {
                if received.is_empty() {
                    received.extend_from_slice(bytes);
                }
                return Verdict::Wait;
            }
            Ok(HandshakeStep::InfoHash { info_hash, .. }) => info_hash,
            Ok(HandshakeStep::Complete(handshake)) => handshake.info_hash,
            Err(_) => {
                let Some(responder) = door.responder(now) else { return Verdict::Refuse };
                let mut encrypted = Self::Encrypted(Box::new(responder));
                let verdict = encrypted.take_encrypted(whole, (source, now), door, out);
                *self = encrypted;
                return verdict;
            }
        };
        Verdict::Named(Named { info_hash, received: whole.to_vec(), encrypted: None })
    }

    fn take_encrypted(
        &mut self,
        bytes: &[u8],
        (source, now): (IpAddr, Time),
        door: &mut Door,
        out: &mut Vec<u8>,
    ) -> Verdict {
        let Self::Encrypted(responder) = self else { return Verdict::Wait };
        let torrents = door.rules.torrents.read().unwrap_or_else(PoisonError::into_inner);
        let step = responder.receive(bytes, &torrents, out);
        if matches!(step, Ok(Step::Costly)) && !door.budget.take(source, now) {
            tracing::debug!(%source, "too many encrypted handshakes: refused one");
            return Verdict::Refuse;
        }
        verdict(step, source, out)
    }

    /// Whether it waits for its turn in [`Self::agree_all`].
    pub(super) const fn is_agreeing(&self) -> bool {
        matches!(self, Self::Encrypted(responder) if responder.is_waiting())
    }

    /// Does the arithmetic for those of these who wait for it; each has to go on then.
    pub(super) fn agree_all<'a>(openings: impl Iterator<Item = &'a mut Self>) {
        Responder::agree_all(openings.filter_map(|opening| match opening {
            Self::Plaintext(_) => None,
            Self::Encrypted(responder) => Some(&mut **responder),
        }));
    }

    /// Goes on with what has come, after [`Self::agree_all`]; as [`Self::take`].
    pub(super) fn go_on(&mut self, source: IpAddr, door: &Door, out: &mut Vec<u8>) -> Verdict {
        let Self::Encrypted(responder) = self else { return Verdict::Wait };
        let torrents = door.rules.torrents.read().unwrap_or_else(PoisonError::into_inner);
        verdict(responder.go_on(&torrents, out), source, out)
    }
}

fn verdict(step: Result<Step, MseFault>, source: IpAddr, out: &mut Vec<u8>) -> Verdict {
    match step {
        Ok(Step::Incomplete) => Verdict::Wait,
        Ok(Step::Costly) => Verdict::Agree,
        Ok(Step::Done(established)) => {
            let Established { info_hash, ciphers, payload, .. } = *established;
            // The answer is not sent from here.
            let answered = Answered { answer: out.clone(), ciphers };
            out.clear();
            let encrypted = Some(Box::new(answered));
            Verdict::Named(Named { info_hash, received: payload, encrypted })
        }
        Err(fault) => {
            tracing::debug!(%source, %fault, "refused a stranger");
            Verdict::Refuse
        }
    }
}

/// Bytes that nobody can guess; `None` if the system has none to give.
pub(crate) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    (got == Ok(N)).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use piecework_mse::{Call, Initiator, KeyPair, Method};

    const TORRENT: InfoHash = InfoHash([0xaa; 20]);

    fn door(encryption: Encryption) -> Door {
        let mut torrents = Torrents::default();
        torrents.insert(TORRENT);
        Door::new(AcceptRules { encryption, torrents: Arc::new(RwLock::new(torrents)), seed: 1 })
    }

    fn stranger() -> Opening {
        Opening::Plaintext(Vec::new())
    }

    fn source(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    /// What is sent back to a stranger that sends its key and so many bytes more; `None` if it is refused.
    fn sent_back(door: &mut Door, from: (IpAddr, Time), more: usize) -> Option<usize> {
        let (mut opening, mut out) = (stranger(), Vec::new());
        let verdict = opening.take(&vec![9; 96 + more], from, door, &mut out);
        matches!(verdict, Verdict::Wait | Verdict::Agree).then_some(out.len())
    }

    #[test]
    fn a_stranger_may_open_either_way_unless_that_is_off() {
        let hello = Handshake {
            reserved: piecework_wire::Reserved::ours(),
            info_hash: TORRENT,
            peer_id: piecework_types::PeerId([7; 20]),
        };
        let from = (source(1), Time::ZERO);
        for encryption in [Encryption::Prefer, Encryption::Require, Encryption::Off] {
            let (mut door, mut out) = (door(encryption), Vec::new());
            let verdict = stranger().take(&hello.encode(), from, &mut door, &mut out);
            let Verdict::Named(named) = verdict else { panic!("{encryption:?}: {verdict:?}") };
            assert_eq!((named.info_hash, named.encrypted.is_some()), (TORRENT, false));
            assert_eq!(named.received, hello.encode());

            let (mut opening, mut there, mut back) = (stranger(), Vec::new(), Vec::new());
            let call = Call { info_hash: TORRENT, payload: hello.encode().to_vec() };
            let pair = KeyPair::new(&[3; 20]);
            let mut caller = Initiator::start(call, pair, Encryption::Require, 1, &mut there);
            let verdict = opening.take(&there, from, &mut door, &mut back);
            if encryption == Encryption::Off {
                assert!(matches!(verdict, Verdict::Refuse) && back.is_empty());
                continue;
            }
            there.clear();
            drop(caller.receive(&back, &mut there));
            // The caller's first pad is more than its key: the agreement was due at once.
            assert!(opening.is_agreeing());
            Opening::agree_all([&mut opening].into_iter());
            assert!(matches!(opening.go_on(from.0, &door, &mut out), Verdict::Wait));
            let verdict = opening.take(&there, from, &mut door, &mut out);
            let Verdict::Named(named) = verdict else { panic!("{encryption:?}: {verdict:?}") };
            assert_eq!((named.info_hash, named.received), (TORRENT, hello.encode().to_vec()));
            let answered = named.encrypted.expect("it came encrypted");
            assert!(answered.ciphers.is_some() && out.is_empty());
            let established = caller.receive(&answered.answer, &mut there);
            assert_eq!(established.map(|it| it.map(|it| it.method)), Ok(Some(Method::Rc4)));
        }
    }

    #[test]
    fn a_flood_of_half_handshakes_costs_no_more_agreements_than_the_budget() {
        let mut door = door(Encryption::Prefer);
        let at = |micros| Time::from_micros(micros);
        // The key alone is answered, from a pool, and costs nothing.
        assert!(
            (0..10_000).all(|number| sent_back(&mut door, (source(number), at(0)), 0).is_some())
        );
        // With more behind it comes an agreement: so many in all, and so many of one source.
        let agreed = |door: &mut Door, sources: &mut dyn Iterator<Item = u32>, now| {
            sources
                .filter(|&number| sent_back(door, (source(number), at(now)), 1).is_some())
                .count()
        };
        assert_eq!(agreed(&mut door, &mut (0..10_000), 0), 500);
        assert_eq!(agreed(&mut door, &mut (0..10_000), 100_000), 50);
        let mut door = self::door(Encryption::Prefer);
        assert_eq!(agreed(&mut door, &mut std::iter::repeat_n(7, 10_000), 0), 32);
        assert_eq!(agreed(&mut door, &mut std::iter::repeat_n(7, 10_000), 1_000_000), 2);
    }
}
