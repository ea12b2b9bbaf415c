//! `piecework vault cheque`, `cash` and `repay`.

use crate::args::vault::{CashArgs, ChequeArgs};
use crate::failure::{Context, Failure};
use crate::out::Out;
use crate::purse::{Purse, address, agree, amount};
use alloy_primitives::{B256, U256};
use piecework_cashier::{Taking, Written};
use piecework_pay::{Cheque, Typed};
use piecework_settle::{CHEQUE_FILE_BYTES_MAX, ChequeFile, Claim, format_amount};
use piecework_wallet::random;
use serde_json::json;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Writes a cheque. It is recorded on the disk before it is given to anybody.
pub(super) fn write(args: &ChequeArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let (payer, token) = (purse.owner()?, purse.preferred(args.of.token.as_deref())?);
    let (payee, cumulative) = (address(&args.payee)?, amount(&args.amount, token.decimals)?);
    let mut written = Written::open(&purse.wallet).map_err(Failure::new)?;
    let account = purse.demand_room_beside(&token, Taking::More(cumulative), &mut written);
    let account = account.map_err(Failure::new)?;
    if account.epoch == 0 {
        return Err(Failure::new("the account was never funded: `piecework vault deposit` first"));
    }
    if !out.is_json() {
        let what = format!("a cheque of {} {} for {payee}", args.amount, token.symbol);
        crate::out::note(&format!(
            "On {}: {what}. Whoever has it can cash it.",
            purse.client.network().name
        ));
    }
    agree(&args.of.spend, out)?;
    let signer = purse.signer(&args.of.spend, out)?;
    let domain = purse.client.domain();
    let cheque = Cheque {
        payer,
        payee,
        token: token.address,
        epoch: account.epoch,
        cumulative,
        root: B256::ZERO,
        unit: 0,
        links: 0,
        channel: u64::from_be_bytes(*random::<8>().map_err(Failure::new)?),
    };
    let signature = signer.sign(&cheque.digest(&domain.separator())).map_err(Failure::new)?;
    let claim = Claim { cheque, count: 0, link: B256::ZERO, signature, delegation: None };
    let file = ChequeFile { domain, claim };
    let text = file.to_json();
    written.add(file).map_err(Failure::new)?;
    match &args.output {
        None => out.say(&text.to_string(), &text),
        Some(path) => {
            std::fs::write(path, format!("{text}\n"))
                .context(format_args!("cannot write {}", path.display()))?;
            out.say(&path.display().to_string(), &json!({ "event": "cheque", "file": path }));
        }
    }
    Ok(())
}

/// Cashes cheques: one at once, several by credit.
pub(super) fn cash(args: &CashArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let claims = read(args, purse)?;
    let from = purse.owner()?;
    let plan = match &claims[..] {
        [claim] => purse.client.cash(from, claim),
        claims => purse.client.cash_many(from, claims),
    };
    let receipts = purse.carry_out(&plan.map_err(Failure::new)?, &args.spend, out)?;
    for receipt in &receipts {
        let cashed = purse.client.cashed(receipt);
        let token = purse.client.token(claims[0].cheque.token).map_err(Failure::new)?;
        let whole = |amount: u128| format_amount(U256::from(amount), token.decimals);
        let (paid, missing, burnt) =
            (whole(cashed.paid), whole(cashed.missing), whole(cashed.burnt));
        let told = json!({
            "event": "cashed", "paid": paid, "missing": missing, "burnt": burnt, "symbol": token.symbol,
            "skipped": cashed.skipped,
        });
        out.say(&format!("CASHED {paid} {}", token.symbol), &told);
        if cashed.missing > 0 {
            out.problem(&format!("{missing} {} could not be paid and stay owed", token.symbol));
        }
        for (index, reason) in &cashed.skipped {
            out.problem(&format!("cheque {} of this transaction is invalid: {reason}", index + 1));
        }
    }
    Ok(())
}

/// Pays what is owed on cheques that bounced.
pub(super) fn repay(args: &CashArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let from = purse.owner()?;
    for claim in read(args, purse)? {
        let Cheque { payer, payee, token, epoch, channel, .. } = claim.cheque;
        let plan = purse.client.repay(from, (payer, payee, token), (epoch, channel));
        purse.carry_out(&plan.map_err(Failure::new)?, &args.spend, out)?;
    }
    Ok(())
}

/// The cheques of the files, all of this network and of one token.
fn read(args: &CashArgs, purse: &Purse) -> Result<Vec<Claim>, Failure> {
    let domain = purse.client.domain();
    let mut claims: Vec<Claim> = Vec::new();
    for path in &args.cheques {
        let file = read_one(path)?;
        if file.domain != domain {
            return Err(Failure::new(format!(
                "{} is for chain {} and vault {}, this network is chain {} with vault {}: join that one",
                path.display(),
                file.domain.chain_id,
                file.domain.verifying_contract,
                domain.chain_id,
                domain.verifying_contract
            )));
        }
        if claims.first().is_some_and(|first| first.cheque.token != file.claim.cheque.token) {
            return Err(Failure::usage(
                "the cheques are in several tokens: cash each token by itself",
            ));
        }
        claims.push(file.claim);
    }
    Ok(claims)
}

fn read_one(path: &Path) -> Result<ChequeFile, Failure> {
    let doing = format!("{} is no cheque", path.display());
    let opened = File::open(path).context(format_args!("cannot read {}", path.display()))?;
    let mut text = String::new();
    opened.take(CHEQUE_FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text).context(&doing)?;
    ChequeFile::parse(&text).context(&doing)
}
