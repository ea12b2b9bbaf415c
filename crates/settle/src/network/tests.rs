use super::address::parse_address;
use super::*;
use alloy_primitives::{address, b256};
use serde_json::{Value, json};

fn network() -> Network {
    let code_hash = b256!("0x1111111111111111111111111111111111111111111111111111111111111111");
    Network {
        format: Format,
        name: "home".into(),
        chain_id: 4_295_000_000,
        genesis: B256::repeat_byte(7),
        hardfork: "prague".into(),
        rpc: vec!["http://127.0.0.1:8545".into(), "https://node.example/key".into()],
        confirmations: 2,
        first_block: 10,
        coin: Coin { symbol: "PWC".into() },
        vault: Contract { address: Address::repeat_byte(1), code_hash },
        assets: Contract { address: Address::repeat_byte(2), code_hash },
        tokens: vec![TokenEntry {
            address: address!("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
            code_hash,
            name: "Piece".into(),
            symbol: "PCE".into(),
            decimals: 6,
        }],
        money: Money::Test,
    }
}

fn changed(change: impl FnOnce(&mut Value)) -> Result<Network, NetworkFault> {
    let mut value: Value = serde_json::from_str(&network().write().unwrap()).unwrap();
    change(&mut value);
    Network::parse(&value.to_string())
}

#[test]
fn what_is_written_is_read_again() {
    let network = network();
    assert_eq!(Network::parse(&network.write().unwrap()), Ok(network.clone()));
    assert!(network.write().unwrap().contains("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"));
    assert_eq!(network.token(network.tokens[0].address).unwrap().symbol, "PCE");
}

#[test]
fn money_is_test_money_unless_the_file_says_otherwise() {
    assert!(!network().write().unwrap().contains("money"));
    assert!(changed(|_| ()).unwrap().is_test_money());
    let real = changed(|file| file["money"] = json!("real")).unwrap();
    assert!(!real.is_test_money());
    assert_eq!(Network::parse(&real.write().unwrap()), Ok(real));
    assert!(changed(|file| file["money"] = json!("gold")).is_err());
}

#[test]
fn a_payment_is_in_this_money_only_if_all_of_it_agrees() {
    let network = network();
    let token = network.tokens[0].address;
    let vault = network.vault.address;
    let payment =
        piecework_pay::Network { chain_id: network.chain_id, vault, token, genesis: [7; 8] };
    assert_eq!(network.entry(&payment), Some(&network.tokens[0]));
    for other in [
        piecework_pay::Network { chain_id: 1, ..payment },
        piecework_pay::Network { vault: token, ..payment },
        piecework_pay::Network { token: vault, ..payment },
        piecework_pay::Network { genesis: [8; 8], ..payment },
    ] {
        assert_eq!(network.entry(&other), None);
    }
}

#[test]
fn a_newer_file_asks_for_a_newer_program_whatever_else_it_says() {
    let newer = r#"{"format": 2, "another": {"shape": true}}"#;
    assert_eq!(Network::parse(newer), Err(NetworkFault::Newer { got: 2 }));
    assert!(NetworkFault::Newer { got: 2 }.to_string().contains("use a newer one"));
    assert!(changed(|file| file["format"] = json!(0)).is_err());
}

#[test]
fn an_unknown_a_missing_and_a_repeated_field_refuse_the_file() {
    let says = |fault: Result<Network, NetworkFault>, what: &str| {
        let text = fault.unwrap_err().to_string();
        assert!(text.contains(what), "{text}");
    };
    says(changed(|file| file["confirmation"] = json!(1)), "unknown field `confirmation`");
    says(
        changed(|file| drop(file.as_object_mut().unwrap().remove("genesis"))),
        "missing field `genesis`",
    );
    says(changed(|file| file["chain_id"] = json!("1")), "expected u64");
    says(changed(|file| file["vault"]["code"] = json!("0x")), "unknown field `code`");
    let repeated = network().write().unwrap().replacen("{", "{\"chain_id\": 1,", 1);
    says(Network::parse(&repeated), "duplicate field `chain_id`");
    says(Network::parse("<html>"), "cannot be read");
    says(Network::parse(&" ".repeat(NETWORK_BYTES_MAX + 1)), "at most 65536 bytes");
}

#[test]
fn fields_out_of_their_bounds_are_named() {
    let what = |fault: Result<Network, NetworkFault>| match fault.unwrap_err() {
        NetworkFault::Bounds { what, .. } => what,
        other => panic!("{other}"),
    };
    assert_eq!(what(changed(|file| file["chain_id"] = json!(0))), "chain_id");
    assert_eq!(what(changed(|file| file["confirmations"] = json!(301))), "confirmations");
    assert_eq!(what(changed(|file| file["name"] = json!("a\u{1b}[2J"))), "name");
    assert_eq!(what(changed(|file| file["rpc"] = json!([]))), "rpc");
    assert_eq!(what(changed(|file| file["rpc"] = json!(["file:///etc/passwd"]))), "rpc");
    assert_eq!(what(changed(|file| file["rpc"] = json!(["http://a", "http://a"]))), "rpc");
    assert_eq!(what(changed(|file| file["tokens"][0]["decimals"] = json!(39))), "token decimals");
    let zero = json!("0x0000000000000000000000000000000000000000");
    assert_eq!(what(changed(|file| file["vault"]["address"] = zero)), "vault and assets");
    let twice = |file: &mut Value| {
        let token = file["tokens"][0].clone();
        file["tokens"].as_array_mut().unwrap().push(token);
    };
    assert_eq!(what(changed(twice)), "tokens");
}

#[test]
fn a_mistyped_digit_of_an_address_is_noticed_by_its_checksum() {
    let good = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    assert!(parse_address(good).is_ok());
    assert_eq!(parse_address(&good.to_lowercase()), parse_address(good));
    for bad in [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAee",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
        "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg",
        "0xé",
    ] {
        assert!(parse_address(bad).is_err(), "{bad}");
        assert!(changed(|file| file["vault"]["address"] = json!(bad)).is_err());
    }
}

#[test]
fn a_state_folder_has_no_network_or_its_own_and_what_is_none_is_told_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Network::pinned(folder.path()), Ok(None));
    let path = folder.path().join(NETWORK_FILE);
    std::fs::write(&path, network().write().unwrap()).unwrap();
    assert_eq!(Network::pinned(folder.path()), Ok(Some(network())));
    std::fs::write(&path, [0xff]).unwrap();
    assert!(matches!(Network::pinned(folder.path()), Err(NetworkFault::File { .. })));
    std::fs::write(&path, " ".repeat(NETWORK_BYTES_MAX + 9)).unwrap();
    let most = NETWORK_BYTES_MAX + 1;
    assert_eq!(Network::pinned(folder.path()), Err(NetworkFault::TooLong { got_bytes: most }));
}

#[test]
fn a_state_folder_takes_one_network_and_refuses_another_until_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("not/there/yet");
    let path = network().pin(&state).unwrap();
    assert_eq!(Network::pinned(&state), Ok(Some(network())));
    // The same chain with another server is the same network.
    let moved = Network { rpc: vec!["http://[::1]:8545".into()], ..network() };
    moved.pin(&state).unwrap();
    assert_eq!(Network::pinned(&state), Ok(Some(moved.clone())));
    for other in [
        Network { chain_id: 99, ..network() },
        Network { genesis: B256::repeat_byte(9), ..network() },
    ] {
        assert!(matches!(other.demand_free(&state), Err(NetworkFault::Another { .. })));
        let fault = other.pin(&state).unwrap_err().to_string();
        assert!(fault.contains("forget-network"), "{fault}");
    }
    assert_eq!(Network::pinned(&state), Ok(Some(moved)));
    std::fs::remove_file(path).unwrap();
    Network { chain_id: 99, ..network() }.pin(&state).unwrap();
}
