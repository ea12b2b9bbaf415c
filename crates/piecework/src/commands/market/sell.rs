//! `piecework sell`: a part of the uplink for those who pay.

use super::{change, open, tell};
use crate::args::Common;
use crate::args::market::{SellCommand, SellOnArgs};
use crate::failure::Failure;
use crate::out::Out;
use crate::purse::{Purse, address, amount};
use piecework_settle::COIN_DECIMALS;
use serde_json::{Map, Value, json};

/// Runs the command.
pub(crate) fn run(command: &SellCommand, common: &Common, out: Out) -> Result<(), Failure> {
    match command {
        SellCommand::On(args) => on(args, common, out),
        SellCommand::Off(args) => {
            let (client, _) = open(args)?;
            tell::selling(&change(&client, &json!({ "sells": false }))?, out);
            Ok(())
        }
        SellCommand::Status(args) => {
            let (_, market) = open(args)?;
            tell::selling(&market, out);
            Ok(())
        }
    }
}

fn on(args: &SellOnArgs, common: &Common, out: Out) -> Result<(), Failure> {
    let (client, market) = open(&args.client)?;
    if let Some(gas) = &args.gas {
        fuel(gas, &market, args, common, out)?;
    }
    let mut changes = Map::from_iter([("sells".to_owned(), Value::Bool(true))]);
    let mut put = |key: &str, value: Option<Value>| {
        changes.extend(value.map(|value| (key.to_owned(), value)));
    };
    put("price_floor", args.floor.as_ref().map(|floor| json!(floor)));
    put("free_percent", args.free_share.map(|percent| json!(percent)));
    put("capacity", args.capacity.map(|rate| json!(rate.0)));
    tell::selling(&change(&client, &Value::Object(changes))?, out);
    Ok(())
}

/// Coin from the wallet to the account that the node cashes from.
fn fuel(
    gas: &str,
    market: &Value,
    args: &SellOnArgs,
    common: &Common,
    out: Out,
) -> Result<(), Failure> {
    let to = market.pointer("/selling/fee_account").and_then(Value::as_str);
    let to = address(to.ok_or_else(|| Failure::new("the daemon names no account for fees"))?)?;
    let wei = amount(gas, COIN_DECIMALS)?;
    let purse = Purse::open(common, out)?;
    let plan = purse.client.send_coin(purse.owner()?, to, wei).map_err(Failure::new)?;
    purse.carry_out(&plan, &args.spend, out)?;
    Ok(())
}
