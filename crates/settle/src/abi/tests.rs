use super::*;
use alloy_primitives::keccak256;
use alloy_sol_types::{SolCall, SolEvent};
use serde_json::Value;
use std::collections::BTreeSet;

/// The signatures that an artifact declares, of functions, events or errors.
fn declared(artifact: &str, kind: &str) -> BTreeSet<String> {
    let artifact: Value = serde_json::from_str(artifact).unwrap();
    let items = artifact["abi"].as_array().unwrap().iter().filter(|item| item["type"] == kind);
    items
        .map(|item| format!("{}{}", item["name"].as_str().unwrap(), types(&item["inputs"])))
        .collect()
}

fn types(fields: &Value) -> String {
    let one = |field: &Value| {
        let name = field["type"].as_str().unwrap();
        name.strip_prefix("tuple")
            .map_or_else(|| name.to_owned(), |array| types(&field["components"]) + array)
    };
    format!("({})", fields.as_array().unwrap().iter().map(one).collect::<Vec<_>>().join(","))
}

const VAULT: &str = include_str!("../../../../contracts/artifacts/Vault.json");
const ASSETS: &str = include_str!("../../../../contracts/artifacts/Assets.json");
const TOKEN: &str = include_str!("../../../../contracts/artifacts/Token.json");

#[test]
fn every_function_that_is_called_is_one_of_its_contract() {
    let functions = declared(VAULT, "function");
    for signature in Vault::VaultCalls::SIGNATURES {
        assert!(functions.contains(*signature), "{signature} of {functions:#?}");
    }
    let functions = declared(ASSETS, "function");
    for signature in Assets::AssetsCalls::SIGNATURES {
        assert!(functions.contains(*signature), "{signature} of {functions:#?}");
    }
    let functions = declared(TOKEN, "function");
    for signature in Erc20::Erc20Calls::SIGNATURES {
        assert!(functions.contains(*signature), "{signature} of {functions:#?}");
    }
    assert_eq!(Vault::cashManyCall::SELECTOR, keccak256(Vault::cashManyCall::SIGNATURE)[..4]);
}

#[test]
fn every_event_and_every_error_of_the_contracts_is_known() {
    let events: BTreeSet<_> =
        Vault::VaultEvents::SIGNATURES.iter().map(|it| (*it).to_owned()).collect();
    assert_eq!(events, declared(VAULT, "event"));
    let errors: BTreeSet<_> =
        Vault::VaultErrors::SIGNATURES.iter().map(|it| (*it).to_owned()).collect();
    assert_eq!(errors, declared(VAULT, "error"));
    let errors: BTreeSet<_> =
        Assets::AssetsErrors::SIGNATURES.iter().map(|it| (*it).to_owned()).collect();
    assert_eq!(errors, declared(ASSETS, "error"));
    assert!(declared(ASSETS, "event").contains(Assets::Issued::SIGNATURE));
    assert!(declared(TOKEN, "event").contains(Erc20::Transfer::SIGNATURE));
}
