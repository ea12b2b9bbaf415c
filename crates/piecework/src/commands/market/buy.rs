//! `piecework buy`: whether a daemon may pay, and with how much.

use super::{change, open, tell};
use crate::args::Common;
use crate::args::market::{BuyCommand, BuyOnArgs};
use crate::commands::vault;
use crate::failure::Failure;
use crate::out::Out;
use crate::purse::Purse;
use serde_json::{Map, Value, json};

/// Runs the command.
pub(crate) fn run(command: &BuyCommand, common: &Common, out: Out) -> Result<(), Failure> {
    match command {
        BuyCommand::On(args) => on(args, common, out),
        BuyCommand::Off(args) => {
            let (client, _) = open(args)?;
            tell::buying(&change(&client, &json!({ "buys": false }))?, out);
            Ok(())
        }
        BuyCommand::Status(args) => {
            let (_, market) = open(args)?;
            tell::buying(&market, out);
            Ok(())
        }
    }
}

fn on(args: &BuyOnArgs, common: &Common, out: Out) -> Result<(), Failure> {
    let (client, _) = open(&args.client)?;
    if let Some(max) = &args.max {
        let purse = Purse::open(common, out)?;
        vault::entrust(&purse, (max, args.bond_at_risk.as_deref()), &args.spend, out)?;
    }
    let mut changes = Map::from_iter([("buys".to_owned(), Value::Bool(true))]);
    if let Some(most) = &args.day_max {
        let most = Some(most).filter(|most| *most != "none");
        changes.insert("day_max".into(), json!(most));
    }
    tell::buying(&change(&client, &Value::Object(changes))?, out);
    Ok(())
}
