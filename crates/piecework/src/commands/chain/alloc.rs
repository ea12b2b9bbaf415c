//! Accounts of a genesis file as geth and anvil read it.

use crate::failure::{Context, Failure};
use alloy_primitives::{Address, Bytes, U256};
use piecework_chain::genesis::{GENESIS_BYTES_MAX, GenesisAccount, GenesisSlot};
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// JSON takes about four times the bytes that the chain's own encoding does.
const FILE_BYTES_MAX: u64 = 4 * GENESIS_BYTES_MAX as u64;

/// Reads the accounts of `file`.
pub(super) fn read(file: &Path) -> Result<Vec<GenesisAccount>, Failure> {
    let doing = format!("cannot read the accounts of {}", file.display());
    let mut text = String::new();
    let opened = File::open(file).context(&doing)?;
    opened.take(FILE_BYTES_MAX).read_to_string(&mut text).context(&doing)?;
    let parsed: Value = serde_json::from_str(&text).context(&doing)?;
    let listed = parsed["alloc"].as_object();
    let listed = listed.ok_or_else(|| Failure::new(format!("{doing}: it has no `alloc`")))?;
    let read = |(address, fields): (&String, &Value)| account(address, fields).context(&doing);
    listed.iter().map(read).collect()
}

fn account(address: &str, fields: &Value) -> Result<GenesisAccount, String> {
    let expected = |what: &str| format!("{what} of {address} is not as a genesis file has it");
    let mut account = GenesisAccount {
        address: address.parse::<Address>().map_err(|_| expected("the address"))?,
        balance: number(&fields["balance"]).ok_or_else(|| expected("the balance"))?,
        nonce: match &fields["nonce"] {
            Value::Null => 0,
            nonce => number(nonce)
                .and_then(|nonce| u64::try_from(nonce).ok())
                .ok_or_else(|| expected("the nonce"))?,
        },
        ..GenesisAccount::default()
    };
    if let Some(code) = fields["code"].as_str() {
        account.code = code.parse::<Bytes>().map_err(|_| expected("the code"))?;
    }
    for (slot, value) in fields["storage"].as_object().into_iter().flatten() {
        let slot = slot.parse::<U256>().ok().zip(number(value));
        let (slot, value) = slot.ok_or_else(|| expected("the storage"))?;
        account.storage.push(GenesisSlot { slot, value });
    }
    Ok(account)
}

/// A number in hexadecimal or decimal digits.
fn number(value: &Value) -> Option<U256> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64().map(U256::from),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn accounts_have_balance_nonce_code_and_storage_and_a_wrong_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("genesis.json");
        let address = "0x00000000000000000000000000000000000770ce";
        let fields = r#""balance":"0x10","nonce":"1","code":"0x6001","storage":{"0x2":"0x3"}"#;
        let text = format!(r#"{{"alloc":{{"{address}":{{{fields}}}}}}}"#);
        std::fs::write(&file, text).unwrap();
        let accounts = read(&file).unwrap();
        let slot = GenesisSlot { slot: U256::from(2), value: U256::from(3) };
        let expected = GenesisAccount {
            address: address.parse().unwrap(),
            balance: U256::from(16),
            nonce: 1,
            code: vec![0x60, 1].into(),
            storage: vec![slot],
        };
        assert_eq!(accounts, [expected]);
        std::fs::write(&file, format!(r#"{{"alloc":{{"{address}":{{"balance":"much"}}}}}}"#))
            .unwrap();
        let text = read(&file).unwrap_err().text;
        assert!(text.contains("the balance of 0x00"), "{text}");
    }
}
