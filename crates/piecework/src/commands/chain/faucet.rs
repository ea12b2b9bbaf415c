//! `piecework chain faucet`: coins for who has none yet, within limits that outlive the process.

use super::chain_dir;
use crate::args::Common;
use crate::args::spend::SpendArgs;
use crate::failure::{Context, Failure};
use crate::out::Out;
use crate::purse::{Purse, address, remove};
use alloy_primitives::Address;
use piecework_settle::COIN_DECIMALS;
use piecework_wallet::write_over;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Whole coins for an address and day (UTC), and a day in all.
const ADDRESS_COINS: u64 = 100;
const DAY_COINS: u64 = 1000;

const DAY_SECONDS: u64 = 24 * 3600;

/// What was given, in the folder of a chain whose owner may give.
const RECORD: &str = "faucet.json";
/// The version of it that is written, and the newest that is read.
const FORMAT: u64 = 1;

/// Allows the owner of the chain in this folder to give.
pub(super) fn allow(folder: &Path) -> Result<(), Failure> {
    write(&folder.join(RECORD), &json!({ "format": FORMAT, "day": 0, "given": [] }))
}

/// Takes that back.
pub(super) fn forbid(folder: &Path) -> Result<(), Failure> {
    remove(&folder.join(RECORD))
}

/// Runs the command. What was given is on the disk before it is sent.
pub(super) fn run(to: &str, spend: &SpendArgs, common: &Common, out: Out) -> Result<(), Failure> {
    let (to, folder) = (address(to)?, chain_dir(common)?);
    let file = folder.join(RECORD);
    if !fs::exists(&file).context("cannot look for the faucet")? {
        return Err(Failure::new(
            "this folder's chain has no faucet: `piecework chain init --faucet` makes one that has; send \
             coins \
             with `piecework token send AMOUNT coin ADDRESS`",
        ));
    }
    let purse = Purse::open(common, out)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let given = take(&read(&file)?, since / DAY_SECONDS, to)?;
    let wei = u128::from(ADDRESS_COINS) * 10_u128.pow(COIN_DECIMALS.into());
    let plan = purse.client.send_coin(purse.owner()?, to, wei).map_err(Failure::new)?;
    write(&file, &given)?;
    purse.carry_out(&plan, spend, out).map(drop)
}

/// The record with one more gift in it.
fn take(record: &Value, day: u64, to: Address) -> Result<Value, Failure> {
    let is_today = record["day"].as_u64() == Some(day);
    let mut given = match record["given"].as_array() {
        Some(given) if is_today => given.clone(),
        _ => Vec::new(),
    };
    let to = json!(to);
    if given.contains(&to) {
        return Err(Failure::new(format!(
            "{to} had its {ADDRESS_COINS} coins today; come back tomorrow (UTC)"
        )));
    }
    if (given.len() as u64 + 1) * ADDRESS_COINS > DAY_COINS {
        return Err(Failure::new(format!(
            "all {DAY_COINS} coins of today are given; come back tomorrow (UTC)"
        )));
    }
    given.push(to);
    Ok(json!({ "format": FORMAT, "day": day, "given": given }))
}

fn read(file: &Path) -> Result<Value, Failure> {
    let doing = format!("cannot read {}", file.display());
    let record: Value =
        serde_json::from_str(&fs::read_to_string(file).context(&doing)?).context(&doing)?;
    match record["format"].as_u64() {
        Some(FORMAT) => Ok(record),
        Some(format) if format > FORMAT => {
            Err(Failure::new(format!("{doing}: a newer Piecework wrote it: update Piecework")))
        }
        _ => Err(Failure::new(format!("{doing}: it is damaged; delete it to give no more"))),
    }
}

fn write(file: &Path, record: &Value) -> Result<(), Failure> {
    write_over(file, record.to_string().as_bytes()).map_err(Failure::new)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_gets_coins_once_a_day_and_ten_addresses_get_all_there_are() {
        let address = Address::with_last_byte;
        let mut record = take(&Value::Null, 7, address(0)).unwrap();
        assert!(take(&record, 7, address(0)).unwrap_err().text.contains("today"));
        for number in 1..10 {
            record = take(&record, 7, address(number)).unwrap();
        }
        assert!(take(&record, 7, address(10)).unwrap_err().text.contains("all 1000"));
        take(&record, 8, address(0)).unwrap();
    }

    #[test]
    fn a_record_of_a_newer_program_and_a_damaged_one_are_refused_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(RECORD);
        let of = |text: &str| {
            fs::write(&file, text).unwrap();
            read(&file).map_err(|failure| failure.text)
        };
        assert!(of("{\"format\":2}").unwrap_err().contains("update Piecework"));
        assert!(of("{}").unwrap_err().contains("delete it to give no more"));
        assert!(of("{").is_err());
        allow(folder.path()).unwrap();
        assert_eq!(read(&file).unwrap()["day"], 0);
    }
}
