//! A genesis in which the senders own tokens, in the form that geth and anvil read.

use crate::senders::{Sender, TOKEN};
use alloy_primitives::{U256, hex, keccak256};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;

/// Units of the token that each sender owns.
const UNITS: u64 = 1_000_000;

/// Gas of a block: as the design of our chain has it.
const GAS_LIMIT: u64 = 300_000_000;

/// The mapping of balances, as the storage layout calls it.
const BALANCES: &str = "balanceOf";

pub(crate) fn file(chain_id: u64, senders: u32, artifact: &Path) -> Result<Value, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", artifact.display());
    let text = fs::read_to_string(artifact).map_err(|error| told(&error))?;
    let artifact: Value = serde_json::from_str(&text).map_err(|error| told(&error))?;
    let code =
        artifact["deployedBytecode"].as_str().ok_or("the artifact holds no deployedBytecode")?;
    let slot = balances(&artifact).ok_or("the artifact's storage layout names no balances")?;
    let mut storage = Map::new();
    for number in 0..senders {
        let owner = Sender::new(number).address();
        let place = keccak256([owner.into_word().as_slice(), &slot.to_be_bytes::<32>()].concat());
        storage.insert(place.to_string(), json!(format!("{:#066x}", U256::from(UNITS))));
    }
    let code = format!("0x{}", hex::encode(hex::decode(code).map_err(|error| told(&error))?));
    let token = json!({ "balance": "0x0", "nonce": "0x1", "code": code, "storage": storage });
    Ok(json!({
        "config": {
            "chainId": chain_id,
            "homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0, "eip158Block": 0,
            "byzantiumBlock": 0, "constantinopleBlock": 0, "petersburgBlock": 0, "istanbulBlock": 0,
            "berlinBlock": 0, "londonBlock": 0, "mergeNetsplitBlock": 0, "terminalTotalDifficulty": 0,
            "shanghaiTime": 0, "cancunTime": 0, "pragueTime": 0,
        },
        "nonce": "0x0",
        "timestamp": "0x0",
        "extraData": "0x",
        "gasLimit": format!("{GAS_LIMIT:#x}"),
        "difficulty": "0x0",
        "baseFeePerGas": "0x0",
        "alloc": { TOKEN.to_string(): token },
    }))
}

/// The slot of the mapping of balances.
fn balances(artifact: &Value) -> Option<U256> {
    let mut variables = artifact["storage"].as_array()?.iter();
    let found = variables.find(|it| it["label"] == BALANCES)?;
    found["slot"].as_u64().map(U256::from)
}
