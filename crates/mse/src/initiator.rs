//! The side that calls.

use crate::established::Established;
use crate::inbox::Inbox;
use crate::key::KeyPair;
use crate::secret::{self, Secret};
use crate::{Encryption, Method, MseFault, PAYLOAD_BYTES_MAX, Rc4, pad};
use piecework_types::{InfoHash, Rng};

/// What a call is about.
#[derive(Clone, Debug)]
pub struct Call {
    /// The torrent; v2 ones by their truncated hash, as in plaintext handshakes.
    pub info_hash: InfoHash,
    /// Our plaintext handshake.
    pub payload: Vec<u8>,
}

enum State {
    /// The other side's key is to come.
    Key { pair: KeyPair, payload: Vec<u8> },
    /// The pad behind the key, and what marks its end.
    Marker { ciphers: Pair, mark: [u8; 8] },
    /// What the other side chooses.
    Choice(Pair),
    /// The pad behind the choice.
    Pad { ciphers: Pair, method: Method, bytes: usize },
    /// Through, or failed.
    Over,
}

/// What comes, what is sent.
type Pair = (Box<Rc4>, Box<Rc4>);

/// An encrypted handshake with a peer that we called. Bytes go in and come out.
pub struct Initiator {
    info_hash: InfoHash,
    encryption: Encryption,
    rng: Rng,
    inbox: Inbox,
    state: State,
}

impl Initiator {
    /// Begins: appends to `out` what is to be sent first. `payload` is our plaintext handshake, which
    /// goes inside the encrypted one and saves a round trip. `pair` should serve this call only (see
    /// [`KeyPool`](crate::KeyPool)); `seed` fills the pads.
    ///
    /// # Panics
    /// If the payload is longer than [`PAYLOAD_BYTES_MAX`].
    pub fn start(
        call: Call,
        pair: KeyPair,
        encryption: Encryption,
        seed: u64,
        out: &mut Vec<u8>,
    ) -> Self {
        let Call { info_hash, payload } = call;
        assert!(payload.len() <= PAYLOAD_BYTES_MAX, "a handshake is short");
        let mut rng = Rng::new(seed);
        out.extend_from_slice(pair.public());
        pad::random(&mut rng, out);
        let state = State::Key { pair, payload };
        Self { info_hash, encryption, rng, inbox: Inbox::default(), state }
    }

    /// Takes bytes in the order they came and appends to `out` what is to be sent before anything else.
    /// `None` until the handshake is through. Costs tens of microseconds when the other side's key comes.
    ///
    /// # Errors
    /// When the peer breaks the protocol or chooses what was not offered.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Established>, MseFault> {
        self.inbox.extend(bytes);
        loop {
            self.state = match std::mem::replace(&mut self.state, State::Over) {
                State::Key { pair, payload } => match self.inbox.plain() {
                    Some(theirs) => self.offer(&Secret(pair.agree(&theirs)?), &payload, out),
                    None => return Ok(self.wait(State::Key { pair, payload })),
                },
                State::Marker { ciphers, mark } => {
                    if !self.inbox.pass(mark)? {
                        return Ok(self.wait(State::Marker { ciphers, mark }));
                    }
                    State::Choice(ciphers)
                }
                State::Choice(mut ciphers) => match self.inbox.field::<6>(&mut ciphers.0) {
                    Some([a, b, c, d, high, low]) => {
                        let got = u32::from_be_bytes([a, b, c, d]);
                        let method = self.encryption.chosen(got);
                        let method = method.ok_or(MseFault::WrongChoice { got })?;
                        State::Pad { ciphers, method, bytes: pad::checked([high, low])? }
                    }
                    None => return Ok(self.wait(State::Choice(ciphers))),
                },
                State::Pad { mut ciphers, method, bytes } => {
                    if self.inbox.span(bytes, &mut ciphers.0).is_none() {
                        return Ok(self.wait(State::Pad { ciphers, method, bytes }));
                    }
                    let rest = std::mem::take(&mut self.inbox).rest();
                    let info_hash = self.info_hash;
                    return Ok(Some(Established::new(
                        info_hash,
                        method,
                        ciphers,
                        Vec::new(),
                        rest,
                    )));
                }
                State::Over => return Ok(None),
            };
        }
    }

    fn wait(&mut self, state: State) -> Option<Established> {
        self.state = state;
        None
    }

    /// Says which torrent is meant and what we can do.
    fn offer(&mut self, secret: &Secret, payload: &[u8], out: &mut Vec<u8>) -> State {
        let [mut send, mut receive] = secret.ciphers(self.info_hash);
        out.extend_from_slice(&secret.marker());
        out.extend_from_slice(&secret.mask(secret::name(self.info_hash)));
        let from = out.len();
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&self.encryption.offer().to_be_bytes());
        pad::announced(&mut self.rng, out);
        out.extend_from_slice(&(payload.len() as u16).to_be_bytes());
        out.extend_from_slice(payload);
        send.apply(&mut out[from..]);
        // The other side's part begins with eight zeros, encrypted.
        let mut mark = [0; 8];
        receive.apply(&mut mark);
        State::Marker { ciphers: (receive, send), mark }
    }
}
