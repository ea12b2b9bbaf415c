//! Orders: planned, agreed to, written down, and carried out one after the other.

use super::fault::{WalletFault, WalletTrouble};
use super::hold::signer;
use super::order::{Errand, Order, OrderState, OrderStep, StepState};
use super::room::{Approval, payment_token};
use crate::clock;
use crate::shared::Shared;
use piecework_cashier::Treasury;
use piecework_settle::{COIN_DECIMALS, Network, Plan, SettleError, format_amount, parse_amount};
use std::sync::Arc;

/// The plan of an errand, and where it would be carried out.
pub(super) fn plan(shared: &Arc<Shared>, errand: &Errand) -> Result<(Plan, Network), WalletFault> {
    let (treasury, plan) = planned(shared, errand)?;
    Ok((plan, treasury.client.network().clone()))
}

fn planned(shared: &Shared, errand: &Errand) -> Result<(Arc<Treasury>, Plan), WalletFault> {
    let room = &shared.wallet;
    if !room.folder()?.is_taken() {
        return Err(WalletFault::no_wallet());
    }
    let settings = Arc::clone(&shared.settings.borrow());
    let made = room.treasury().and_then(|treasury| {
        let token = payment_token(&treasury, settings.pay().token.as_deref())?;
        let plan = errand.plan(&treasury, &token)?;
        Ok((treasury, plan))
    });
    made.inspect_err(|fault| room.note(fault))
}

/// Writes an errand down and has it carried out.
pub(super) fn order(
    shared: &Arc<Shared>,
    errand: &Errand,
    approval: &Approval,
) -> Result<Order, WalletFault> {
    let room = &shared.wallet;
    let orders = room.orders()?;
    if let Some(order) = orders.find(&approval.key, &approval.request)? {
        return Ok(order);
    }
    signer(&room.folder()?)?;
    let (treasury, plan) = planned(shared, errand)?;
    demand_price(&treasury, &plan, approval.fee_most.as_deref())?;
    let step = |step: &piecework_settle::Step| OrderStep {
        what: step.call.what.clone(),
        fee_most: step.fee_most,
        state: StepState::Waiting,
        confirmations: None,
        transaction: None,
        block: None,
        fee: None,
    };
    let (order, is_new) = orders.create(Order {
        id: 0,
        key: approval.key.clone(),
        request: approval.request.clone(),
        kind: errand.kind(),
        state: OrderState::Waiting,
        created_at: clock::unix_seconds(),
        ended_at: None,
        steps: plan.steps.iter().map(step).collect(),
        problem: None,
    })?;
    if is_new {
        room.changed();
        let (shared, id) = (Arc::clone(shared), order.id);
        let jobs = shared.jobs.money.clone();
        jobs.push(move || carry_out(&shared, &treasury, id, &plan));
    }
    Ok(order)
}

/// Fees are what was agreed to, or less.
fn demand_price(
    treasury: &Treasury,
    plan: &Plan,
    fee_most: Option<&str>,
) -> Result<(), WalletFault> {
    let Some(text) = fee_most else { return Ok(()) };
    let most = parse_amount(text, COIN_DECIMALS)?;
    if plan.fee_most() <= alloy_primitives::U256::from(most) {
        return Ok(());
    }
    let text = format!(
        "fees could come to {} {} by now, over the {text} that were agreed to: look at the plan again",
        format_amount(plan.fee_most(), COIN_DECIMALS),
        treasury.client.network().coin.symbol
    );
    Err(WalletFault::new(WalletTrouble::PriceRose, text))
}

fn carry_out(shared: &Arc<Shared>, treasury: &Treasury, id: u64, plan: &Plan) {
    let room = &shared.wallet;
    let Ok(orders) = room.orders() else { return };
    let mut told = |step: usize, progress: &piecework_settle::Progress| {
        if orders.progress(id, step, progress) {
            room.changed();
        }
    };
    let signer = match room.folder().and_then(|folder| signer(&folder)) {
        Ok(signer) => signer,
        Err(fault) => {
            orders.end(id, OrderState::Failed, Some(fault.text + "; nothing was sent"));
            return room.changed();
        }
    };
    match treasury.carry_out(&signer, plan, &mut told) {
        Ok((_, unnoted)) => {
            orders.end(id, OrderState::Done, None);
            if let Some(error) = unnoted {
                tracing::warn!(%error, "the chain that was paid on cannot be noted");
            }
        }
        Err(error) => {
            let state =
                if may_still_come(&error) { OrderState::Unsure } else { OrderState::Failed };
            orders.end(id, state, Some(error.to_string()));
        }
    }
    room.changed();
}

/// Whether a transaction may be on its way, though nobody waits for it any more.
fn may_still_come(error: &SettleError) -> bool {
    match error {
        SettleError::Stopped { error, .. } => may_still_come(error),
        SettleError::Refused { .. }
        | SettleError::Failed { .. }
        | SettleError::NotSigned(_)
        | SettleError::Coin { .. }
        | SettleError::TooLittle { .. }
        | SettleError::Gas { .. }
        | SettleError::Price { .. }
        | SettleError::TooManySent { .. }
        | SettleError::Displaced { .. } => false,
        _ => true,
    }
}
