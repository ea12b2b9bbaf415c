//! `piecework vault`: money put aside for cheques, and cheques.

mod cheque;
mod delegate;
mod exit;
mod lock;
mod status;

use crate::args::Common;
use crate::args::spend::SpendArgs;
use crate::args::vault::{AmountArgs, RevokeArgs, TokenArgs, VaultCommand};
use crate::failure::{Context, Failure};
use crate::out::Out;
use crate::purse::{Purse, amount};
use alloy_primitives::B256;

/// Runs the command.
pub(crate) fn run(command: &VaultCommand, common: &Common, out: Out) -> Result<(), Failure> {
    let purse = &Purse::open(common, out)?;
    match command {
        VaultCommand::Deposit(args) => fund(args, purse, out, false),
        VaultCommand::Bond(args) => fund(args, purse, out, true),
        VaultCommand::Lock(args) => lock::lock(args, purse, out),
        VaultCommand::CloseLock(args) => lock::close(args, purse, out),
        VaultCommand::Delegate(args) => delegate::run(args, purse, out),
        VaultCommand::Cheque(args) => cheque::write(args, purse, out),
        VaultCommand::Cash(args) => cheque::cash(args, purse, out),
        VaultCommand::Repay(args) => cheque::repay(args, purse, out),
        VaultCommand::Withdraw(args) => withdraw(args, purse, out),
        VaultCommand::Revoke(args) => revoke(args, purse, out),
        VaultCommand::Exit(args) => exit::exit(args, purse, out),
        VaultCommand::BondExit(args) => exit::bond_exit(args, purse, out),
        VaultCommand::Recover => status::recover(purse, out),
        VaultCommand::Status(args) => status::show(args, purse, out),
    }
}

/// Entrusts this node with so much of the preferred token, and so much of the bond; see [`delegate`].
pub(crate) fn entrust(
    purse: &Purse,
    amounts: (&str, Option<&str>),
    spend: &SpendArgs,
    out: Out,
) -> Result<(), Failure> {
    delegate::entrust(purse, &purse.preferred(None)?, amounts, spend, out)
}

fn fund(args: &AmountArgs, purse: &Purse, out: Out, is_bond: bool) -> Result<(), Failure> {
    let token = purse.preferred(args.of.token.as_deref())?;
    let (owner, amount) = (purse.owner()?, amount(&args.amount, token.decimals)?);
    let client = &purse.client;
    let plan = match (args.from_credit, is_bond) {
        (false, false) => client.deposit(owner, &token, amount),
        (false, true) => client.bond(owner, &token, amount),
        (true, false) => client.credit_to_vault(owner, &token, (amount, 0)),
        (true, true) => client.credit_to_vault(owner, &token, (0, amount)),
    };
    purse.carry_out(&plan.map_err(Failure::new)?, &args.of.spend, out).map(drop)
}

fn withdraw(args: &TokenArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let token = purse.preferred(args.token.as_deref())?;
    let plan = purse.client.withdraw(purse.owner()?, &token).map_err(Failure::new)?;
    purse.carry_out(&plan, &args.spend, out).map(drop)
}

fn revoke(args: &RevokeArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let owner = purse.owner()?;
    let plan = match &args.delegation {
        Some(digest) => {
            let expected =
                "a delegation is named by 64 hexadecimal digits, as `vault delegate` prints them";
            let digest: B256 = digest.parse().context(expected)?;
            purse.client.revoke(owner, digest)
        }
        None => purse.client.revoke_all(owner, &purse.preferred(args.of.token.as_deref())?),
    };
    purse.carry_out(&plan.map_err(Failure::new)?, &args.of.spend, out).map(drop)
}
