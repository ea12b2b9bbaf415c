//! Keystores: those of other programs, ours, and broken ones.

use super::*;
use serde_json::Value;

/// The keystore that the faults below are made from.
fn made() -> (Keystore, Value) {
    let keystore = Keystore::encrypt(&key(7), &password("hush"), Cost::LIGHT).unwrap();
    let json = serde_json::from_str(&keystore.to_json()).unwrap();
    (keystore, json)
}

fn parse(json: &Value) -> Result<Keystore, KeystoreFault> {
    Keystore::parse(&json.to_string())
}

#[test]
fn the_keystores_of_the_wiki_are_opened() {
    let all: Value =
        serde_json::from_str(include_str!("../../testdata/wiki/keystores.json")).unwrap();
    let secret = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
    let secret: B256 = secret.parse().unwrap();
    for kdf in ["scrypt", "pbkdf2"] {
        let keystore = parse(&all[kdf]).unwrap();
        assert_eq!(keystore.address(), None);
        assert_eq!(keystore.decrypt(&password("testpassword")).unwrap().secret(), &secret.0);
        let wrong = keystore.decrypt(&password("Testpassword")).unwrap_err();
        assert_eq!(wrong, KeystoreFault::WrongPassword);
    }
}

#[test]
fn the_keystores_of_ethers_and_cast_are_opened() {
    let all: Value =
        serde_json::from_str(include_str!("../../../../contracts/wallets.json")).unwrap();
    let keystores = all["keystores"].as_array().unwrap();
    let by: Vec<_> = keystores.iter().map(|of| of["by"].as_str().unwrap()).collect();
    assert_eq!(by, ["ethers", "cast"]);
    for of in keystores {
        let keystore = Keystore::parse(of["text"].as_str().unwrap()).unwrap();
        let opened = keystore.decrypt(&password(of["password"].as_str().unwrap())).unwrap();
        assert_eq!(hex_address(&opened.address()), of["address"]);
    }
}

#[test]
fn our_keystore_is_opened_with_its_password_alone_and_says_whose_it_is() {
    let (keystore, json) = made();
    assert_eq!(parse(&json), Ok(keystore.clone()));
    assert_eq!(keystore.address(), Some(key(7).address()));
    assert_eq!(keystore.decrypt(&password("hush")).unwrap().secret(), key(7).secret());
    for wrong in ["", "hush ", "HUSH"] {
        let got = keystore.decrypt(&password(wrong)).unwrap_err();
        assert_eq!(got, KeystoreFault::WrongPassword, "{wrong:?}");
    }
    let text = keystore.to_json();
    assert!(!text.contains(&"07".repeat(8)), "{text}");
    // Each has a salt, a nonce and a name of its own.
    let (_, other) = made();
    for path in ["/id", "/crypto/cipherparams/iv", "/crypto/kdfparams/salt", "/crypto/mac"] {
        assert_ne!(json.pointer(path), other.pointer(path), "{path}");
    }
}

#[test]
fn a_keystore_that_is_cut_off_anywhere_says_so() {
    let text = made().0.to_json();
    let whole = text.trim_end().len();
    for end in 0..whole {
        assert_eq!(Keystore::parse(&text[..end]), Err(KeystoreFault::Truncated), "{end}");
    }
    assert!(Keystore::parse(&text[..whole]).is_ok());
}

#[test]
fn a_newer_keystore_is_refused_with_the_remedy() {
    let (_, mut json) = made();
    json["x-piecework"]["format"] = 2.into();
    // Whatever else is in it: a newer program may have changed all.
    json["crypto"] = Value::Null;
    let fault = parse(&json).unwrap_err();
    assert_eq!(fault, KeystoreFault::Newer { got: 2 });
    assert!(fault.to_string().contains("update Piecework"));
}

#[test]
fn each_field_that_is_wrong_is_named() {
    let with = |path: &str, value: Value| {
        let (_, mut json) = made();
        *json.pointer_mut(path).unwrap() = value;
        parse(&json).unwrap_err()
    };
    assert_eq!(with("/version", 1.into()), KeystoreFault::Version { got: "1".into() });
    let fields = [
        ("/crypto/cipher", "aes-128-cbc".into()),
        ("/crypto/cipherparams/iv", "00".into()),
        ("/crypto/ciphertext", "zz".into()),
        ("/crypto/mac", Value::Null),
        ("/crypto/kdf", "argon2".into()),
        ("/crypto/kdfparams/salt", "0".into()),
        ("/crypto/kdfparams/dklen", 16.into()),
        ("/crypto/kdfparams/n", Value::Null),
        ("/address", "0x12".into()),
    ];
    for (path, value) in fields {
        let fault = with(path, value);
        let KeystoreFault::Field { field, .. } = fault else { panic!("{path}: {fault}") };
        assert!(path[1..].replace('/', ".").starts_with(field), "{path}: {field}");
    }
    let costly = with("/crypto/kdfparams/n", (1_u64 << 30).into());
    assert!(matches!(costly, KeystoreFault::Cost(_)));
    assert_eq!(Keystore::parse("hello"), Err(KeystoreFault::NotJson { line: 1 }));
}

#[test]
fn a_keystore_that_says_another_address_than_its_key_has_is_refused() {
    let (_, mut json) = made();
    json["address"] = "00".repeat(20).into();
    let fault = parse(&json).unwrap().decrypt(&password("hush")).unwrap_err();
    let expected = KeystoreFault::WrongAddress { said: Address::ZERO, held: key(7).address() };
    assert_eq!(fault, expected);
}
