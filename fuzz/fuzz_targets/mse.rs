//! An encrypted handshake with a hostile other side, in both roles. The first byte says how much of it is
//! honest, so that the fields behind the key agreement are reached; however the bytes are split, the same
//! comes of them, and what is held of them stays below the limit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_hash::sha1;
use piecework_mse::{
    Call, Encryption, HELD_BYTES_MAX, Initiator, KEY_BYTES, KeyPair, Method, Rc4, Responder, Step,
    Torrents,
};
use piecework_types::{InfoHash, Rng};
use std::sync::{Arc, LazyLock};

const TORRENT: InfoHash = InfoHash([0xaa; 20]);

struct Keys {
    ours: Arc<KeyPair>,
    theirs: KeyPair,
    secret: [u8; KEY_BYTES],
    torrents: Torrents,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let (ours, theirs) = (KeyPair::new(&[1; 20]), KeyPair::new(&[2; 20]));
    let secret = ours.agree(theirs.public()).expect("both keys are honest");
    let mut torrents = Torrents::default();
    torrents.insert(TORRENT);
    Keys { ours: Arc::new(ours), theirs, secret, torrents }
});

/// What came of a handshake: the way to go on, what is decrypted, and what was sent.
type Outcome = Option<(Method, Vec<u8>, Vec<u8>)>;

fuzz_target!(|input: &[u8]| {
    let [mode, seed, rest @ ..] = input else { return };
    let encryption = if mode & 4 == 0 { Encryption::Prefer } else { Encryption::Require };
    let is_caller = mode & 2 != 0;
    let bytes = if mode & 1 == 0 { rest.to_vec() } else { honest(is_caller, rest) };
    let run = if is_caller { call } else { answer };
    let whole = run(encryption, &bytes, &mut |rest| rest);
    let mut cuts = Rng::new(u64::from(*seed));
    let split = run(encryption, &bytes, &mut |rest| 1 + cuts.below(rest as u64) as usize);
    assert_eq!(whole, split);
});

/// An honest beginning with hostile fields behind it.
fn honest(is_caller: bool, fields: &[u8]) -> Vec<u8> {
    let hash = |parts: [&[u8]; 3]| sha1(&parts.concat()).0;
    let Keys { theirs, secret, .. } = &*KEYS;
    let (mut fields, mut bytes) = (fields.to_vec(), theirs.public().to_vec());
    let label: &[u8] = if is_caller { b"keyB" } else { b"keyA" };
    if is_caller {
        fields.splice(0..0, [0; 8]);
    } else {
        bytes.extend(hash([b"req1", secret, b""]));
        let (name, mask) = (hash([b"req2", &TORRENT.0, b""]), hash([b"req3", secret, b""]));
        bytes.extend(name.iter().zip(mask).map(|(name, mask)| name ^ mask));
    }
    Rc4::new(&hash([label, secret, &TORRENT.0])).apply(&mut fields);
    bytes.extend(fields);
    bytes
}

fn answer(
    encryption: Encryption,
    mut bytes: &[u8],
    cut: &mut dyn FnMut(usize) -> usize,
) -> Outcome {
    let mut responder = Responder::new(Arc::clone(&KEYS.ours), encryption, 1);
    let mut sent = Vec::new();
    while !bytes.is_empty() {
        let (now, later) = bytes.split_at(cut(bytes.len()));
        bytes = later;
        let mut step = responder.receive(now, &KEYS.torrents, &mut sent).ok()?;
        if matches!(step, Step::Costly) {
            step = responder.agree(&KEYS.torrents, &mut sent).ok()?;
        }
        if let Step::Done(established) = step {
            let mut payload = established.payload;
            let receive = established.ciphers.map(|ciphers| ciphers.receive);
            payload.extend(decrypted(receive, later));
            return Some((established.method, payload, sent));
        }
        assert!(responder.held_bytes() <= HELD_BYTES_MAX);
    }
    None
}

fn call(encryption: Encryption, mut bytes: &[u8], cut: &mut dyn FnMut(usize) -> usize) -> Outcome {
    let call = Call { info_hash: TORRENT, payload: b"hello".to_vec() };
    let mut sent = Vec::new();
    let mut initiator = Initiator::start(call, KeyPair::new(&[1; 20]), encryption, 1, &mut sent);
    while !bytes.is_empty() {
        let (now, later) = bytes.split_at(cut(bytes.len()));
        bytes = later;
        if let Some(established) = initiator.receive(now, &mut sent).ok()? {
            let mut payload = established.payload;
            let receive = established.ciphers.map(|ciphers| ciphers.receive);
            payload.extend(decrypted(receive, later));
            return Some((established.method, payload, sent));
        }
    }
    None
}

/// What came behind the handshake.
fn decrypted(cipher: Option<Box<Rc4>>, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(mut cipher) = cipher {
        cipher.apply(&mut bytes);
    }
    bytes
}
