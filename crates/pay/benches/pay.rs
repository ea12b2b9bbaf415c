//! What payments cost a seller on one core, beside fixed references that tell how fast the machine is.
//!
//! The aim is 15,000 cheques a second, with the delegation checked before, and 1,000,000 links a second.
#![allow(missing_docs, clippy::unwrap_used)]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use piecework_pay::{
    Address, Authority, B256, Cheque, Delegate, Domain, Held, Key, Links, Signature, Typed,
};

const LINKS: u32 = 1024;

fn main() {
    divan::main();
}

/// A cheque of a session key with all that is checked of it.
struct Paid {
    authority: Authority,
    separator: B256,
    payee: Address,
    bytes: Vec<u8>,
    signature: Signature,
    session: Key,
}

fn paid() -> Paid {
    let (owner, session) = (Key::new(&[1; 32]).unwrap(), Key::new(&[2; 32]).unwrap());
    let (payee, token) = (Address::new([3; 20]), Address::new([4; 20]));
    let separator = Domain { chain_id: 1, verifying_contract: Address::new([5; 20]) }.separator();
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
        root: Links::new(B256::ZERO, LINKS).unwrap().root(),
        unit: 1250,
        links: LINKS,
        channel: 7,
    };
    Paid {
        authority: Authority::session(delegate, &word, &separator).unwrap(),
        separator,
        payee,
        bytes: cheque.encode().to_vec(),
        signature: session.sign(&cheque.digest(&separator)),
        session,
    }
}

/// From the wire to the answer: decoding, bounds, digest, signer.
#[divan::bench]
fn cheque(bencher: Bencher<'_, '_>) {
    let paid = paid();
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        let cheque = Cheque::decode(black_box(&paid.bytes)).unwrap();
        cheque.check(paid.payee).unwrap();
        let signature = Signature::decode(black_box(paid.signature.as_bytes())).unwrap();
        paid.authority.check(&cheque, &signature, &paid.separator).unwrap();
    });
}

#[divan::bench]
fn cheque_signed(bencher: Bencher<'_, '_>) {
    let paid = paid();
    let cheque = Cheque::decode(&paid.bytes).unwrap();
    bencher
        .counter(ItemsCount::new(1_u32))
        .bench_local(|| paid.session.sign(&black_box(&cheque).digest(&paid.separator)));
}

/// A check with another curve and another library.
#[divan::bench]
fn cheque_reference_p256(bencher: Bencher<'_, '_>) {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let signature = pair.sign(&random, &[7; 144]).unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
    bencher
        .counter(ItemsCount::new(1_u32))
        .bench_local(|| public.verify(black_box(&[7; 144]), signature.as_ref()).unwrap());
}

/// A seller takes the links of a cheque one by one.
#[divan::bench]
fn links(bencher: Bencher<'_, '_>) {
    let chain = Links::new(B256::ZERO, LINKS).unwrap();
    let links: Vec<B256> = (1..=LINKS).map(|number| chain.link(number).unwrap()).collect();
    bencher.counter(ItemsCount::new(LINKS)).bench_local(|| {
        let mut held = Held::new(chain.root(), LINKS).unwrap();
        for (link, number) in links.iter().zip(1..) {
            held.take(black_box(number), *black_box(link)).unwrap();
        }
        held
    });
}

/// A buyer reveals them, from its checkpoints.
#[divan::bench]
fn links_revealed(bencher: Bencher<'_, '_>) {
    let chain = Links::new(B256::ZERO, LINKS).unwrap();
    bencher.counter(ItemsCount::new(LINKS)).bench_local(|| {
        for number in 1..=LINKS {
            black_box(chain.link(black_box(number)));
        }
    });
}

/// As many hashes of 32 bytes with another function and another library.
#[divan::bench]
fn links_reference_sha256(bencher: Bencher<'_, '_>) {
    let sha256 = |bytes: &[u8]| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    bencher.counter(ItemsCount::new(LINKS)).bench_local(|| {
        let first = sha256(black_box(&[0; 32]));
        (1..LINKS).fold(first, |digest, _| sha256(digest.as_ref()))
    });
}
