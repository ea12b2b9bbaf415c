//! `piecework vault lock` and `close-lock`.

use crate::args::vault::{CloseLockArgs, LockArgs};
use crate::failure::{Context, Failure};
use crate::out::Out;
use crate::purse::{Purse, address, amount};
use alloy_primitives::hex;
use piecework_cashier::Taking;
use piecework_pay::Signature;
use serde_json::json;

const DAY_SECONDS: u64 = 24 * 3600;

/// Reserves for one payee.
pub(super) fn lock(args: &LockArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let token = purse.preferred(args.of.token.as_deref())?;
    let (payee, amount) = (address(&args.payee)?, amount(&args.amount, token.decimals)?);
    purse.demand_room(&token, Taking::More(amount)).map_err(Failure::new)?;
    let until = purse.client.now().map_err(Failure::new)?.saturating_add(args.days * DAY_SECONDS);
    let plan =
        purse.client.lock(purse.owner()?, &token, payee, (amount, until)).map_err(Failure::new)?;
    purse.carry_out(&plan, &args.of.spend, out).map(drop)
}

/// Signs for the payer, or closes.
pub(super) fn close(args: &CloseLockArgs, purse: &Purse, out: Out) -> Result<(), Failure> {
    let (owner, token) = (purse.owner()?, purse.preferred(args.of.token.as_deref())?);
    let given = |text: &Option<String>| text.as_deref().map(address).transpose();
    let (payer, payee) =
        (given(&args.payer)?.unwrap_or(owner), given(&args.payee)?.unwrap_or(owner));
    if args.sign {
        let signer = purse.signer(&args.of.spend, out)?;
        let signed = purse
            .client
            .sign_close_lock(signer.as_ref(), payer, token.address)
            .map_err(Failure::new)?;
        let text = hex::encode_prefixed(signed.as_bytes());
        out.say(
            &text,
            &json!({ "event": "signed", "payer": payer, "payee": owner, "signature": text }),
        );
        return Ok(());
    }
    let signature = args.signature.as_deref().map(signature).transpose()?;
    let plan = purse.client.close_lock(owner, (payer, payee), &token, signature.as_ref());
    purse.carry_out(&plan.map_err(Failure::new)?, &args.of.spend, out).map(drop)
}

fn signature(text: &str) -> Result<Signature, Failure> {
    let doing = "--signature takes the 65 bytes that the payee's `vault close-lock --sign` printed";
    Signature::decode(&hex::decode(text).context(doing)?).context(doing)
}
