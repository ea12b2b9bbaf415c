//! What an encrypted handshake results in.

use crate::{Method, Rc4};
use piecework_types::InfoHash;

/// A connection behind its encrypted handshake.
#[derive(Debug)]
pub struct Established {
    /// The torrent it is about.
    pub info_hash: InfoHash,
    /// How it goes on.
    pub method: Method,
    /// The ciphers of both directions, if it goes on encrypted.
    pub ciphers: Option<Ciphers>,
    /// What the other side has sent of its plaintext handshake and behind it, decrypted.
    pub payload: Vec<u8>,
}

/// The ciphers of a connection, each where its next byte needs it.
#[derive(Debug)]
pub struct Ciphers {
    /// Of what comes.
    pub receive: Box<Rc4>,
    /// Of what is sent.
    pub send: Box<Rc4>,
}

impl Established {
    /// `payload` came inside the handshake, `rest` behind it as it came.
    pub(crate) fn new(
        info_hash: InfoHash,
        method: Method,
        (mut receive, send): (Box<Rc4>, Box<Rc4>),
        mut payload: Vec<u8>,
        mut rest: Vec<u8>,
    ) -> Self {
        let ciphers = match method {
            Method::Plaintext => None,
            Method::Rc4 => {
                receive.apply(&mut rest);
                Some(Ciphers { receive, send })
            }
        };
        payload.append(&mut rest);
        Self { info_hash, method, ciphers, payload }
    }
}
