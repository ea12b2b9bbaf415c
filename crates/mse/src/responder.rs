//! The side that was called.
//!
//! Shows its key as soon as the caller's is there, which costs nothing because it comes from a pool, and
//! agrees on the secret only when more has come and the driver says that the budget allows it: half a
//! handshake costs no arithmetic.

use crate::established::Established;
use crate::inbox::Inbox;
use crate::key::{KEY_BYTES, KeyPair, Theirs, agree_all};
use crate::secret::Secret;
use crate::{Encryption, Method, MseFault, PAD_BYTES_MAX, PAYLOAD_BYTES_MAX, Rc4, Torrents, pad};
use piecework_types::{InfoHash, Rng};
use std::sync::Arc;

/// Bytes that a responder holds of a handshake at most, beside those of the last [`Responder::receive`].
pub const HELD_BYTES_MAX: usize =
    KEY_BYTES + 2 * PAD_BYTES_MAX + 20 + 20 + 14 + 2 + PAYLOAD_BYTES_MAX;

/// How far a handshake has come.
#[derive(Debug)]
pub enum Step {
    /// More bytes must come.
    Incomplete,
    /// The next step is a key agreement, if the budget allows it: [`Responder::agree`], or
    /// [`Responder::agree_all`] with others that have come as far.
    Costly,
    /// It is through.
    Done(Box<Established>),
}

enum State {
    /// The caller's key is to come.
    Key,
    /// Something behind the key is to come, then the driver's leave.
    Leave(Theirs),
    /// The pad behind the key, and what marks its end.
    Marker { secret: Secret },
    /// The masked name of the torrent.
    Torrent { secret: Secret },
    /// What the caller offers.
    Offer(Known),
    /// A pad and the length of the payload.
    Pad { known: Known, method: Method, bytes: usize },
    /// The payload.
    Payload { known: Known, method: Method, bytes: usize },
    /// Through, or failed.
    Over,
}

/// What is known once the torrent is.
struct Known {
    info_hash: InfoHash,
    receive: Box<Rc4>,
    send: Box<Rc4>,
}

/// An encrypted handshake with a stranger who called. Bytes go in and come out; see [`Step`].
pub struct Responder {
    pair: Arc<KeyPair>,
    encryption: Encryption,
    rng: Rng,
    inbox: Inbox,
    state: State,
}

impl Responder {
    /// A handshake that has not begun. `seed` fills the pads.
    pub fn new(pair: Arc<KeyPair>, encryption: Encryption, seed: u64) -> Self {
        let rng = Rng::new(seed);
        Self { pair, encryption, rng, inbox: Inbox::default(), state: State::Key }
    }

    /// Takes bytes in the order they came and appends to `out` what is to be sent, now, and before
    /// anything else. Takes no more once it is through or has failed.
    ///
    /// # Errors
    /// When the stranger breaks the protocol, or names no torrent of ours.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        torrents: &Torrents,
        out: &mut Vec<u8>,
    ) -> Result<Step, MseFault> {
        self.inbox.extend(bytes);
        self.advance(torrents, out)
    }

    /// Agrees on the secret, which costs tens of microseconds, and goes on with what has come.
    ///
    /// # Errors
    /// The same.
    pub fn agree(&mut self, torrents: &Torrents, out: &mut Vec<u8>) -> Result<Step, MseFault> {
        Self::agree_all([&mut *self]);
        self.go_on(torrents, out)
    }

    /// Agrees on the secrets of those that are at [`Step::Costly`]: where the CPU has vectors for it, that
    /// of eight costs no more than that of one. Each has to [go on](Self::go_on) then.
    pub fn agree_all<'a>(responders: impl IntoIterator<Item = &'a mut Self>) {
        let mut waiting: Vec<_> = responders.into_iter().filter(|it| it.is_waiting()).collect();
        let keys: Vec<_> = waiting.iter().filter_map(|it| it.keys()).collect();
        let secrets = agree_all(&keys);
        for (responder, secret) in waiting.iter_mut().zip(secrets) {
            responder.state = State::Marker { secret: Secret(secret) };
        }
    }

    /// Goes on with what has come, after [`Self::agree_all`].
    ///
    /// # Errors
    /// The same.
    pub fn go_on(&mut self, torrents: &Torrents, out: &mut Vec<u8>) -> Result<Step, MseFault> {
        self.advance(torrents, out)
    }

    /// Bytes held of the handshake: at most [`HELD_BYTES_MAX`] if [`Step::Costly`] is answered at once, by
    /// [`Self::agree`] or by dropping the stranger.
    pub const fn held_bytes(&self) -> usize {
        self.inbox.held()
    }

    fn advance(&mut self, torrents: &Torrents, out: &mut Vec<u8>) -> Result<Step, MseFault> {
        loop {
            self.state = match std::mem::replace(&mut self.state, State::Over) {
                State::Key => match self.inbox.plain() {
                    Some(theirs) => {
                        let theirs = Theirs::new(theirs)?;
                        out.extend_from_slice(self.pair.public());
                        pad::random(&mut self.rng, out);
                        State::Leave(theirs)
                    }
                    None => return Ok(self.wait(State::Key)),
                },
                State::Leave(theirs) => {
                    let wait = self.wait(State::Leave(theirs));
                    return Ok(if self.is_waiting() { Step::Costly } else { wait });
                }
                State::Marker { secret } => {
                    if !self.inbox.pass(secret.marker())? {
                        return Ok(self.wait(State::Marker { secret }));
                    }
                    State::Torrent { secret }
                }
                State::Torrent { secret } => match self.inbox.plain() {
                    Some(masked) => State::Offer(known(&secret, masked, torrents)?),
                    None => return Ok(self.wait(State::Torrent { secret })),
                },
                State::Offer(mut known) => match self.inbox.field::<14>(&mut known.receive) {
                    Some(offer) => self.choose(known, offer)?,
                    None => return Ok(self.wait(State::Offer(known))),
                },
                State::Pad { mut known, method, bytes } => {
                    let Some(pad) = self.inbox.span(bytes + 2, &mut known.receive) else {
                        return Ok(self.wait(State::Pad { known, method, bytes }));
                    };
                    State::Payload { known, method, bytes: payload_bytes(&pad[bytes..])? }
                }
                State::Payload { mut known, method, bytes } => {
                    let Some(payload) = self.inbox.span(bytes, &mut known.receive) else {
                        return Ok(self.wait(State::Payload { known, method, bytes }));
                    };
                    let payload = payload.to_vec();
                    return Ok(self.finish(known, method, payload, out));
                }
                State::Over => return Ok(Step::Incomplete),
            };
        }
    }

    /// Whether it is at [`Step::Costly`].
    pub const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Leave(_)) && self.inbox.unread() > 0
    }

    fn keys(&self) -> Option<(&KeyPair, &Theirs)> {
        let State::Leave(theirs) = &self.state else { return None };
        Some((&self.pair, theirs))
    }

    fn wait(&mut self, state: State) -> Step {
        self.state = state;
        Step::Incomplete
    }

    fn choose(&self, known: Known, field: [u8; 14]) -> Result<State, MseFault> {
        let [constant @ .., a, b, c, d, high, low] = field;
        if constant != [0; 8] {
            return Err(MseFault::WrongConstant { got: constant });
        }
        let offer = u32::from_be_bytes([a, b, c, d]);
        let method = self.encryption.choose(offer).ok_or(MseFault::NoCommonMethod { offer })?;
        Ok(State::Pad { known, method, bytes: pad::checked([high, low])? })
    }

    fn finish(
        &mut self,
        known: Known,
        method: Method,
        payload: Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Step {
        let Known { info_hash, receive, mut send } = known;
        let from = out.len();
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&(method as u32).to_be_bytes());
        pad::announced(&mut self.rng, out);
        send.apply(&mut out[from..]);
        let rest = std::mem::take(&mut self.inbox).rest();
        Step::Done(Box::new(Established::new(info_hash, method, (receive, send), payload, rest)))
    }
}

fn known(secret: &Secret, masked: [u8; 20], torrents: &Torrents) -> Result<Known, MseFault> {
    let info_hash = torrents.find(masked, secret).ok_or(MseFault::UnknownTorrent)?;
    let [receive, send] = secret.ciphers(info_hash);
    Ok(Known { info_hash, receive, send })
}

fn payload_bytes(field: &[u8]) -> Result<usize, MseFault> {
    let got_bytes = field.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
    if got_bytes > PAYLOAD_BYTES_MAX {
        return Err(MseFault::LongPayload { got_bytes });
    }
    Ok(got_bytes)
}
