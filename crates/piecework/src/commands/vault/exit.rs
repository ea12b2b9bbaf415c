//! `piecework vault exit` and `bond-exit`: asked for first, taken after the wait.

use crate::args::vault::{ExitArgs, TokenArgs};
use crate::failure::Failure;
use crate::out::Out;
use crate::purse::{Purse, amount};
use piecework_cashier::Taking;

/// Asks for free money back, or takes what was asked for.
pub(super) fn exit(args: &ExitArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let (owner, token) = (purse.owner()?, purse.preferred(args.of.token.as_deref())?);
    let plan = match &args.amount {
        Some(text) => {
            let amount = amount(text, token.decimals)?;
            purse.demand_room(&token, Taking::Exit(amount)).map_err(Failure::new)?;
            purse.client.request_exit(owner, &token, amount)
        }
        None => purse.client.exit(owner, &token),
    };
    purse.carry_out(&plan.map_err(Failure::new)?, &args.of.spend, out).map(drop)
}

/// Asks for the bond back, or takes it if that was done long enough ago.
pub(super) fn bond_exit(args: &TokenArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let (owner, token) = (purse.owner()?, purse.preferred(args.token.as_deref())?);
    let account = purse.client.account(owner, token.address).map_err(Failure::new)?;
    let plan = match account.bond_exit_at {
        0 => purse.client.request_bond_exit(owner, &token),
        _ => purse.client.bond_exit(owner, &token),
    };
    purse.carry_out(&plan.map_err(Failure::new)?, &args.spend, out).map(drop)
}
