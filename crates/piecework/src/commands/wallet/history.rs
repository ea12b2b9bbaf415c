//! `piecework wallet history`: what came in and went out, from the tokens' own logs.

use crate::args::HistoryArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::purse::Purse;
use piecework_settle::format_amount;
use serde_json::json;

/// Runs the command. The coin writes no logs, so it is not among them.
pub(super) fn run(args: &HistoryArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let (owner, network) = (purse.owner()?, purse.client.network());
    let tokens = match &args.token {
        Some(name) => vec![purse.token(name)?],
        None => network.tokens.clone(),
    };
    let blocks =
        (args.from.unwrap_or(network.first_block), purse.client.height().map_err(Failure::new)?);
    let mut all = Vec::new();
    for token in &tokens {
        let moved = purse.client.history(token.address, owner, blocks).map_err(Failure::new)?;
        all.extend(moved.into_iter().map(|movement| (movement, token)));
    }
    // Stable: those of a block stay in the order of their token's logs.
    all.sort_by_key(|(movement, _)| movement.block);
    for (movement, token) in all {
        let is_in = movement.to == owner;
        let (verb, other) = if is_in { ("from", movement.from) } else { ("to", movement.to) };
        let whole = format_amount(movement.amount, token.decimals);
        let told = json!({
            "block": movement.block, "transaction": movement.transaction, "token": token.address,
            "symbol": token.symbol, "amount": whole, "from": movement.from, "to": movement.to,
        });
        let sign = if is_in { '+' } else { '-' };
        out.say(
            &format!("{}  {sign}{whole} {} {verb} {other}", movement.block, token.symbol),
            &told,
        );
    }
    Ok(())
}
