//! What payments cost on one core, beside the bare operation of the same libraries: what is above it is ours.
//!
//! Rates are by the CPU time of the thread, so that what else the machine does matters little.

use alloy_primitives::keccak256;
use piecework_pay::{
    Address, Authority, B256, Cheque, Delegate, Domain, Held, Key, Links, Signature, Typed,
};
use rustix::time::{ClockId, clock_gettime};
use secp256k1::ecdsa::RecoverableSignature;
use secp256k1::{Message, SecretKey};
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use std::time::Duration;

/// CPU time of a sample, and how many of them there are; the middle one counts.
const SAMPLE: Duration = Duration::from_secs(1);
const SAMPLES: usize = 5;

/// Cheques that are checked or signed between two looks at the clock.
const CHEQUES: u32 = 100;

/// Links of a cheque.
const LINKS: u32 = 1024;

/// What one core does in a second.
#[derive(Deserialize, Serialize)]
pub(crate) struct Rate {
    pub(crate) title: String,
    /// The middle sample.
    pub(crate) a_second: f64,
    /// The slowest.
    pub(crate) lowest: f64,
    /// At least so many are wanted.
    pub(crate) gate: Option<f64>,
}

/// Measures all of them, each followed by what it is held against.
pub(crate) fn rates() -> Vec<Rate> {
    let paid = Paid::new();
    let secret = SecretKey::from_secret_bytes([2; 32]).expect("below the order of the curve");
    let digest = Message::from_digest([7; 32]);
    let signature = RecoverableSignature::sign_ecdsa_recoverable(digest, &secret);
    let chain = Links::new(B256::ZERO, LINKS).expect("as many as a cheque may have");
    let links: Vec<B256> = (1..=LINKS).filter_map(|number| chain.link(number)).collect();
    vec![
        rate("cheques of a session key checked", Some(15_000.0), CHEQUES, || paid.check()),
        rate("signers recovered, bare", None, CHEQUES, || {
            for _ in 0..CHEQUES {
                black_box(black_box(&signature).recover_ecdsa(digest).expect("it was signed"));
            }
        }),
        rate("cheques signed", None, CHEQUES, || paid.sign()),
        rate("digests signed, bare", None, CHEQUES, || {
            for _ in 0..CHEQUES {
                black_box(RecoverableSignature::sign_ecdsa_recoverable(black_box(digest), &secret));
            }
        }),
        rate("links of a cheque taken one by one", Some(1_000_000.0), LINKS, || {
            let mut held = Held::new(chain.root(), LINKS).expect("as many as a cheque may have");
            for (link, number) in links.iter().zip(1..) {
                held.take(black_box(number), *black_box(link)).expect("the links are in order");
            }
            black_box(held);
        }),
        rate("links revealed one by one", None, LINKS, || {
            for number in 1..=LINKS {
                black_box(chain.link(black_box(number)));
            }
        }),
        rate("Keccak-256 of 32 bytes, bare", None, LINKS, || {
            black_box((0..LINKS).fold(black_box(B256::ZERO), |hash, _| keccak256(hash)));
        }),
    ]
}

/// A cheque of a session key, with all that is checked of it.
struct Paid {
    authority: Authority,
    separator: B256,
    payee: Address,
    cheque: Cheque,
    bytes: Vec<u8>,
    signature: Signature,
    session: Key,
}

impl Paid {
    fn new() -> Self {
        let key = |byte| Key::new(&[byte; 32]).expect("below the order of the curve");
        let (owner, session) = (key(1), key(2));
        let (payee, token) = (Address::new([3; 20]), Address::new([4; 20]));
        let separator =
            Domain { chain_id: 1, verifying_contract: Address::new([5; 20]) }.separator();
        let delegate = Delegate {
            owner: owner.address(),
            session: session.address(),
            token,
            max_amount: 1 << 60,
            bond_at_risk: 1 << 50,
            valid_until: 2_000_000_000,
        };
        let word = owner.sign(&delegate.digest(&separator));
        let cheque = Cheque {
            payer: owner.address(),
            payee,
            token,
            epoch: 1,
            cumulative: 5_000_000,
            root: Links::new(B256::ZERO, LINKS).expect("as many as a cheque may have").root(),
            unit: 1250,
            links: LINKS,
            channel: 7,
        };
        let authority = Authority::session(delegate, &word, &separator);
        Self {
            authority: authority.expect("the owner has signed it"),
            separator,
            payee,
            bytes: cheque.encode().to_vec(),
            signature: session.sign(&cheque.digest(&separator)),
            cheque,
            session,
        }
    }

    /// From the wire to the answer: decoding, bounds, digest, signer. The delegation was checked before.
    fn check(&self) {
        for _ in 0..CHEQUES {
            let cheque = Cheque::decode(black_box(&self.bytes)).expect("it is whole");
            cheque.check(self.payee).expect("it is within bounds");
            let signature = Signature::decode(black_box(self.signature.as_bytes()));
            let signature = signature.expect("it is whole");
            let checked = self.authority.check(&cheque, &signature, &self.separator);
            checked.expect("the session key has signed it");
        }
    }

    fn sign(&self) {
        for _ in 0..CHEQUES {
            black_box(self.session.sign(&black_box(&self.cheque).digest(&self.separator)));
        }
    }
}

/// How often a second `turn`, which does `items` of something, gets them done.
fn rate(title: &str, gate: Option<f64>, items: u32, mut turn: impl FnMut()) -> Rate {
    let mut samples: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let (start, mut done) = (thread_time(), 0_u64);
            loop {
                turn();
                done += u64::from(items);
                let took = thread_time().saturating_sub(start);
                if took >= SAMPLE {
                    break done as f64 / took.as_secs_f64();
                }
            }
        })
        .collect();
    samples.sort_unstable_by(f64::total_cmp);
    Rate { title: title.to_owned(), a_second: samples[SAMPLES / 2], lowest: samples[0], gate }
}

/// CPU time of this thread.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
