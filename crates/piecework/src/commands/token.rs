//! `piecework token`: make, list, send and count tokens.

use crate::args::Common;
use crate::args::token::{BalanceArgs, IssueArgs, SendArgs, TokenCommand};
use crate::failure::Failure;
use crate::out::Out;
use crate::purse::{Purse, address, amount};
use alloy_primitives::U256;
use piecework_settle::{COIN_DECIMALS, NewToken, TokenEntry, format_amount};
use piecework_wallet::hex_address;
use serde_json::json;

/// What the network's coin is called on the command line.
const COIN: &str = "coin";

/// Runs the command.
pub(crate) fn run(command: &TokenCommand, common: &Common, out: Out) -> Result<(), Failure> {
    let purse = Purse::open(common, out)?;
    match command {
        TokenCommand::Issue(args) => issue(args, &purse, out),
        TokenCommand::List => list(&purse, out),
        TokenCommand::Send(args) => send(args, &purse, out),
        TokenCommand::Balance(args) => balance(args, &purse, out),
    }
}

fn issue(args: &IssueArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let token = NewToken {
        name: args.name.clone().unwrap_or_else(|| args.symbol.clone()),
        symbol: args.symbol.clone(),
        decimals: args.decimals,
        supply: amount(&args.supply, args.decimals)?,
    };
    let plan = purse.client.issue(purse.owner()?, &token).map_err(Failure::new)?;
    let receipts = purse.carry_out(&plan, &args.spend, out)?;
    let Some(receipt) = receipts.last() else { return Ok(()) };
    if let Some(issued) = purse.client.issued_in(receipt).map_err(Failure::new)? {
        let TokenEntry { address, symbol, decimals, .. } = issued.token;
        let told = json!({
            "event": "token", "id": issued.id, "address": address, "symbol": symbol, "decimals": decimals,
        });
        out.say(&format!("TOKEN {} {symbol} {address}", issued.id), &told);
    }
    Ok(())
}

fn list(purse: &Purse, out: Out) -> Result<(), Failure> {
    let network = purse.client.network();
    let issued = purse.client.issued(1).map_err(Failure::new)?;
    let known =
        network.tokens.iter().filter(|it| issued.iter().all(|i| i.token.address != it.address));
    let all = known.map(|token| (token, None)).chain(issued.iter().map(|it| (&it.token, Some(it))));
    for (token, issued) in all {
        let TokenEntry { address, name, symbol, decimals, .. } = token;
        let told = json!({
            "address": address, "name": name, "symbol": symbol, "decimals": decimals,
            "id": issued.map(|it| it.id), "issuer": issued.map(|it| it.issuer),
            "is_in_network_file": network.token(*address).is_some(),
        });
        let of =
            issued.map_or_else(String::new, |it| format!(", number {} of {}", it.id, it.issuer));
        let address = hex_address(address);
        out.say(&format!("{symbol}  {address}  {name}, {decimals} decimals{of}"), &told);
    }
    Ok(())
}

/// Sends tokens or coin.
pub(crate) fn send(args: &SendArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let (from, to) = (purse.owner()?, address(&args.to)?);
    if args.token == COIN {
        let plan = purse.client.send_coin(from, to, amount(&args.amount, COIN_DECIMALS)?);
        return purse.carry_out(&plan.map_err(Failure::new)?, &args.spend, out).map(drop);
    }
    let token = purse.token(&args.token)?;
    let sent = amount(&args.amount, token.decimals)?;
    let plan = purse.client.send_token(from, &token, (to, sent)).map_err(Failure::new)?;
    for receipt in purse.carry_out(&plan, &args.spend, out)? {
        let arrived = purse.client.arrived(&receipt, token.address, to);
        if arrived != U256::from(sent) {
            let TokenEntry { symbol, decimals, .. } = &token;
            let whole = format_amount(arrived, *decimals);
            out.problem(&format!(
                "of {} {symbol} only {whole} arrived, says the token: it keeps a part of what is sent",
                args.amount
            ));
        }
    }
    Ok(())
}

fn balance(args: &BalanceArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let owner = match &args.address {
        Some(text) => address(text)?,
        None => purse.owner()?,
    };
    let tell = |symbol: &str, amount: U256, decimals: u8| {
        let whole = format_amount(amount, decimals);
        out.say(
            &format!("{whole} {symbol}"),
            &json!({ "owner": owner, "symbol": symbol, "amount": whole }),
        );
    };
    let network = purse.client.network();
    let tokens = match args.token.as_deref() {
        Some(COIN) => Vec::new(),
        Some(name) => vec![purse.token(name)?],
        None => network.tokens.clone(),
    };
    if args.token.as_deref().is_none_or(|name| name == COIN) {
        tell(&network.coin.symbol, purse.client.coin(owner).map_err(Failure::new)?, COIN_DECIMALS);
    }
    for token in tokens {
        let amount = purse.client.balance(token.address, owner).map_err(Failure::new)?;
        tell(&token.symbol, amount, token.decimals);
    }
    Ok(())
}
