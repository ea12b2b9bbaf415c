//! Vectors made by others: BIP-39 by Trezor, BIP-32 of its specification, accounts by ethers, cast and
//! tronweb.

use super::*;
use serde_json::Value;

fn list<'a>(of: &'a Value, name: &str) -> &'a Vec<Value> {
    let list = of[name].as_array().unwrap();
    assert!(!list.is_empty(), "{name}");
    list
}

fn hex(text: &str) -> Vec<u8> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[test]
fn phrases_and_seeds_are_those_of_trezor() {
    let all: Value =
        serde_json::from_str(include_str!("../../testdata/trezor/vectors.json")).unwrap();
    let mut met = [0, 0];
    for vector in list(&all, "english") {
        let [entropy, text, seed] = [0, 1, 2].map(|at| vector[at].as_str().unwrap());
        let Some(kind) = WORD_COUNTS.iter().position(|count| *count == text.split(' ').count())
        else {
            assert_eq!(Phrase::parse(text), Err(PhraseFault::WordCount { got: 18 }));
            continue;
        };
        met[kind] += 1;
        let phrase = Phrase::new(&hex(entropy)).unwrap();
        assert_eq!(phrase.words().collect::<Vec<_>>().join(" "), text);
        assert_eq!(Phrase::parse(text).unwrap().seed("TREZOR").as_slice(), hex(seed));
    }
    assert_eq!(met, [8, 8]);
}

/// The 32 bytes of the private key in an `xprv`.
fn secret(xprv: &str) -> Vec<u8> {
    let bytes = bs58::decode(xprv).into_vec().unwrap();
    assert_eq!(bytes.len(), 78 + 4);
    bytes[46..78].to_vec()
}

#[test]
fn keys_are_derived_as_bip_32_shows() {
    const H: u32 = 1 << 31;
    let first = "000102030405060708090a0b0c0d0e0f";
    let second = "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a2\
        9f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542";
    let vectors: [(&str, &[u32], &str); 7] = [
        (
            first,
            &[],
            "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3\
            TGtRBeJgk33yuGBxrMPHi",
        ),
        (
            first,
            &[H],
            "xprv9uHRZZhk6KAJC1avXpDAp4MDc3sQKNxDiPvvkX8Br5ngLNv1TxvUxt4cV1rGL5hj6KCesnDYUhd7oWgT11eZG7\
            XnxHrnYeSvkzY7d2bhkJ7",
        ),
        (
            first,
            &[H, 1],
            "xprv9wTYmMFdV23N2TdNG573QoEsfRrWKQgWeibmLntzniatZvR9BmLnvSxqu53Kw1UmYPxLgboyZQaXwTCg8MSY3H\
            2EU4pWcQDnRnrVA1xe8fs",
        ),
        (
            first,
            &[H, 1, 2 | H, 2, 1_000_000_000],
            "xprvA41z7zogVVwxVSgdKUHDy1SKmdb533PjDz7J6N6mV6uS3ze1ai8FHa8kmHScGpWmj4WggLyQjgPie1rFSruoUi\
            hUZREPSL39UNdE3BBDu76",
        ),
        (
            second,
            &[0],
            "xprv9vHkqa6EV4sPZHYqZznhT2NPtPCjKuDKGY38FBWLvgaDx45zo9WQRUT3dKYnjwih2yJD9mkrocEZXo1ex8G81d\
            wSM1fwqWpWkeS3v86pgKt",
        ),
        (
            second,
            &[0, u32::MAX],
            "xprv9wSp6B7kry3Vj9m1zSnLvN3xH8RdsPP1Mh7fAaR7aRLcQMKTR2vidYEeEg2mUCTAwCd6vnxVrcjfy2kRgVsFaw\
            NzmjuHc2YmYRmagcEPdU9",
        ),
        (
            second,
            &[0, u32::MAX, 1, 2_147_483_646 | H, 2],
            "xprvA2nrNbFZABcdryreWet9Ea4LvTJcGsqrMzxHx98MMrotbir7yrKCEXw7nadnHM8Dq38EGfSh6dqA9QWTyefMLE\
            cBYJUuekgW4BYPJcr9E7j",
        ),
    ];
    for (seed, path, xprv) in vectors {
        let key = derive(&hex(seed), path).unwrap();
        assert_eq!(key.secret().as_slice(), secret(xprv), "{path:?}");
    }
}

#[test]
fn accounts_are_those_of_ethers_cast_and_tronweb() {
    let all: Value =
        serde_json::from_str(include_str!("../../../../contracts/wallets.json")).unwrap();
    for of in list(&all, "phrases") {
        let seed = Phrase::parse(of["phrase"].as_str().unwrap()).unwrap().seed("");
        for expected in list(of, "accounts") {
            let path = expected["path"].as_str().unwrap();
            let coin = match path.split('/').nth(2) {
                Some("60'") => Coin::Ethereum,
                Some("195'") => Coin::Tron,
                other => panic!("{other:?}"),
            };
            let number = path.rsplit('/').next().unwrap().parse().unwrap();
            let key = account(&seed, coin, number).unwrap();
            assert_eq!(key.secret().as_slice(), hex(expected["privateKey"].as_str().unwrap()));
            assert_eq!(hex_address(&key.address()), expected["address"]);
            assert_eq!(tron_address(&key.address()), expected["tron"]);
        }
    }
    assert_eq!(account(&[0; 64], Coin::Ethereum, 1 << 31).unwrap_err(), DeriveFault);
}

#[test]
fn addresses_are_those_of_viem_ethers_and_tronweb() {
    let all: Value =
        serde_json::from_str(include_str!("../../../../contracts/vectors.json")).unwrap();
    for of in list(&all, "keys") {
        let [hex, tron] = ["address", "tron"].map(|name| of[name].as_str().unwrap());
        let address = parse_address(hex).unwrap();
        assert_eq!(parse_address(tron), Ok(address));
        assert_eq!((hex_address(&address).as_str(), tron_address(&address).as_str()), (hex, tron));
    }
}
