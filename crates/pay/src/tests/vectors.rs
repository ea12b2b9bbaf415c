//! Vectors made with viem and again with ethers (addresses with tronweb too), and alike in both.

use crate::*;
use alloy_primitives::hex;
use serde_json::Value;
use std::str::FromStr;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../contracts/vectors.json")).unwrap()
}

pub(super) fn list<'a>(of: &'a Value, name: &str) -> &'a Vec<Value> {
    let list = of[name].as_array().unwrap();
    assert!(!list.is_empty(), "{name}");
    list
}

/// A text field, parsed: an address, a hash, or a number in decimal digits.
pub(super) fn read<T: FromStr>(of: &Value, name: &str) -> T {
    let text = of[name].as_str().unwrap_or_else(|| panic!("no text {name} in {of}"));
    text.parse().unwrap_or_else(|_| panic!("{name}: {text}"))
}

pub(super) fn bytes(of: &Value, name: &str) -> Vec<u8> {
    hex::decode(of[name].as_str().unwrap()).unwrap()
}

fn links(of: &Value) -> u32 {
    of["links"].as_u64().unwrap().try_into().unwrap()
}

fn key(all: &Value, index: &Value) -> Key {
    let key = &all["keys"][index.as_u64().unwrap() as usize];
    Key::new(&read::<B256>(key, "privateKey").0).unwrap()
}

fn domain(all: &Value, index: &Value) -> Domain {
    let domain = &all["domains"][index.as_u64().unwrap() as usize];
    Domain {
        chain_id: read(domain, "chainId"),
        verifying_contract: read(domain, "verifyingContract"),
    }
}

/// Struct hash, digest, signature and signer of one vector; its twin signature is refused.
fn meets<T: Typed>(all: &Value, vector: &Value, message: &T) {
    assert_eq!(message.struct_hash(), read::<B256>(vector, "structHash"));
    let digest = message.digest(&domain(all, &vector["domain"]).separator());
    assert_eq!(digest, read::<B256>(vector, "digest"));
    let signer = key(all, &vector["signer"]);
    let signature = Signature::decode(&bytes(vector, "signature")).unwrap();
    assert_eq!(signer.sign(&digest), signature);
    assert_eq!(signature.recover(&digest), Ok(signer.address()));
    assert_eq!(Signature::decode(&bytes(vector, "highS")), Err(PayFault::HighS));
}

#[test]
fn types_and_domains_are_those_of_viem_and_ethers() {
    let all = vectors();
    let ours = [
        ("Cheque", Cheque::TYPE, Cheque::TYPE_HASH),
        ("Delegate", Delegate::TYPE, Delegate::TYPE_HASH),
        ("CloseLock", CloseLock::TYPE, CloseLock::TYPE_HASH),
        ("Bind", Bind::TYPE, Bind::TYPE_HASH),
    ];
    assert_eq!(all["types"].as_object().unwrap().len(), ours.len());
    for (name, text, hash) in ours {
        assert_eq!(all["types"][name]["type"], text);
        assert_eq!(read::<B256>(&all["types"][name], "hash"), hash);
        assert_eq!(keccak256(text), hash);
    }
    for (index, of) in list(&all, "domains").iter().enumerate() {
        assert_eq!((&of["name"], &of["version"]), (&Domain::NAME.into(), &Domain::VERSION.into()));
        assert_eq!(domain(&all, &index.into()).separator(), read::<B256>(of, "separator"));
    }
}

#[test]
fn the_address_of_a_key_is_that_of_viem_and_ethers() {
    let all = vectors();
    for (index, of) in list(&all, "keys").iter().enumerate() {
        let key = key(&all, &index.into());
        assert_eq!(key.address().to_string(), of["address"]);
        assert_eq!(key.public()[1..], bytes(of, "publicKey")[1..33]);
    }
}

#[test]
fn chains_of_links_are_those_of_viem_and_ethers() {
    for of in list(&vectors(), "chains") {
        let chain = Links::new(read(of, "seed"), links(of)).unwrap();
        assert_eq!(chain.root(), read::<B256>(of, "root"));
        let mut held = Held::new(chain.root(), links(of)).unwrap();
        for sample in list(of, "samples") {
            let number = sample["i"].as_u64().unwrap() as u32;
            assert_eq!(chain.link(number), Some(read(sample, "w")));
            held.take(number, read(sample, "w")).unwrap();
            assert_eq!(held.number(), number);
        }
    }
}

#[test]
fn cheques_are_those_of_viem_and_ethers_signed_and_on_the_wire() {
    let all = vectors();
    for vector in list(&all, "cheques") {
        let of = &vector["message"];
        let cheque = Cheque {
            payer: read(of, "payer"),
            payee: read(of, "payee"),
            token: read(of, "token"),
            epoch: read(of, "epoch"),
            cumulative: read(of, "cumulative"),
            root: read(of, "root"),
            unit: read(of, "unit"),
            links: links(of),
            channel: read(of, "channel"),
        };
        meets(&all, vector, &cheque);
        assert_eq!(cheque.encode().as_slice(), bytes(vector, "packed"));
        assert_eq!(Cheque::decode(&bytes(vector, "packed")), Ok(cheque));
        let Some(chain) = vector["chain"].as_u64() else { continue };
        let last: B256 = read(&all["chains"][chain as usize], "seed");
        let expected = cheque.cumulative + cheque.unit * u128::from(cheque.links);
        assert_eq!(cheque.value(cheque.links, last), Ok(expected));
    }
}

#[test]
fn delegations_are_those_of_viem_and_ethers() {
    let all = vectors();
    for vector in list(&all, "delegates") {
        let of = &vector["message"];
        let delegate = Delegate {
            owner: read(of, "owner"),
            session: read(of, "session"),
            token: read(of, "token"),
            max_amount: read(of, "maxAmount"),
            bond_at_risk: read(of, "bondAtRisk"),
            valid_until: read(of, "validUntil"),
        };
        meets(&all, vector, &delegate);
    }
}

#[test]
fn what_closes_a_lock_and_what_binds_to_a_conversation_are_those_of_viem_and_ethers() {
    let all = vectors();
    for vector in list(&all, "closeLocks") {
        let of = &vector["message"];
        let (payer, payee, token) = (read(of, "payer"), read(of, "payee"), read(of, "token"));
        meets(&all, vector, &CloseLock { payer, payee, token, nonce: read(of, "nonce") });
    }
    for vector in list(&all, "binds") {
        let [initiator, responder] =
            ["initiator", "responder"].map(|name| read::<B256>(vector, name).0);
        let torrent = bytes(vector, "infoHash").try_into().unwrap();
        let bind = Bind::new(&initiator, &responder, torrent, &bytes(vector, "terms"));
        assert_eq!(bind.transcript, read::<B256>(&vector["message"], "transcript"));
        meets(&all, vector, &bind);
    }
}
