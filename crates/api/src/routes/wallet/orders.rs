//! Plans, orders and history as JSON.

use super::views::{AmountView, amount, coin};
use alloy_primitives::U256;
use piecework_daemon::{ErrandKind, Order, OrderState, OrderStep, Past, PastItem, StepState};
use piecework_settle::{Network, Plan, Step};
use piecework_wallet::hex_address;
use serde::Serialize;
use utoipa::ToSchema;

/// What would be done, before it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plan)]
pub(crate) struct PlanView {
    from: String,
    /// The network's name.
    network: String,
    /// The short name of the coin that fees are paid in.
    coin: String,
    /// Amounts are worth nothing outside of it.
    is_test_money: bool,
    /// One after the other.
    steps: Vec<PlanStep>,
    /// All fees at most.
    fee_most: AmountView,
    /// All fees as they will probably be.
    fee_likely: AmountView,
}

#[derive(Debug, Serialize, ToSchema)]
struct PlanStep {
    /// For people: verb, amount, whom.
    what: String,
    /// At most.
    gas: u64,
    fee_most: AmountView,
}

pub(super) fn plan(plan: &Plan, network: &Network) -> PlanView {
    let step = |step: &Step| PlanStep {
        what: step.call.what.clone(),
        gas: step.gas,
        fee_most: coin(step.fee_most),
    };
    let gas = plan.steps.iter().fold(0_u64, |sum, step| sum.saturating_add(step.gas));
    PlanView {
        from: hex_address(&plan.from),
        network: network.name.clone(),
        coin: network.coin.symbol.clone(),
        is_test_money: network.is_test_money(),
        steps: plan.steps.iter().map(step).collect(),
        fee_most: coin(plan.fee_most()),
        fee_likely: coin(U256::from(plan.fees.likely()).saturating_mul(U256::from(gas))),
    }
}

/// Something that was agreed to, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub(crate) struct OrderView {
    id: String,
    kind: OrderKindName,
    state: OrderStateName,
    created_at: u64,
    ended_at: Option<u64>,
    steps: Vec<OrderStepView>,
    /// Why it failed, or is unsure, and what to do.
    problem: Option<String>,
}

/// What an order does.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrderKind)]
pub(crate) enum OrderKindName {
    Transfer,
    Deposit,
    Bond,
    Exit,
    BondExit,
    Withdrawal,
    Revocation,
}

/// How far an order is. One that is unsure may have been sent: look at the history before doing it again.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrderState)]
pub(crate) enum OrderStateName {
    Waiting,
    UnderWay,
    Done,
    Failed,
    Unsure,
}

/// How far a transaction is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrderStepState)]
pub(crate) enum StepStateName {
    Waiting,
    Sent,
    Confirming,
    Done,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderStep)]
struct OrderStepView {
    /// For people: verb, amount, whom.
    what: String,
    state: StepStateName,
    fee_most: AmountView,
    /// Blocks on top of its own, and how many are waited for.
    confirmations: Option<ConfirmationsView>,
    /// Once it counts.
    transaction: Option<String>,
    block: Option<u64>,
    /// What was paid.
    fee: Option<AmountView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Confirmations)]
struct ConfirmationsView {
    have: u64,
    want: u64,
}

pub(super) fn order(order: &Order) -> OrderView {
    OrderView {
        id: order.id.to_string(),
        kind: match order.kind {
            ErrandKind::Transfer => OrderKindName::Transfer,
            ErrandKind::Deposit => OrderKindName::Deposit,
            ErrandKind::Bond => OrderKindName::Bond,
            ErrandKind::Exit => OrderKindName::Exit,
            ErrandKind::BondExit => OrderKindName::BondExit,
            ErrandKind::Withdrawal => OrderKindName::Withdrawal,
            ErrandKind::Revocation => OrderKindName::Revocation,
        },
        state: match order.state {
            OrderState::Waiting => OrderStateName::Waiting,
            OrderState::UnderWay => OrderStateName::UnderWay,
            OrderState::Done => OrderStateName::Done,
            OrderState::Failed => OrderStateName::Failed,
            OrderState::Unsure => OrderStateName::Unsure,
        },
        created_at: order.created_at,
        ended_at: order.ended_at,
        steps: order.steps.iter().map(step).collect(),
        problem: order.problem.clone(),
    }
}

fn step(step: &OrderStep) -> OrderStepView {
    OrderStepView {
        what: step.what.clone(),
        state: match step.state {
            StepState::Waiting => StepStateName::Waiting,
            StepState::Sent => StepStateName::Sent,
            StepState::Confirming => StepStateName::Confirming,
            StepState::Done => StepStateName::Done,
        },
        fee_most: coin(step.fee_most),
        confirmations: step.confirmations.map(|(have, want)| ConfirmationsView { have, want }),
        transaction: step.transaction.map(|hash| hash.to_string()),
        block: step.block,
        fee: step.fee.map(coin),
    }
}

/// The orders.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Orders)]
pub(crate) struct OrdersView {
    /// Newest first.
    orders: Vec<OrderView>,
}

pub(super) fn orders(orders: &[Order]) -> OrdersView {
    OrdersView { orders: orders.iter().map(order).collect() }
}

/// A page of what came in and went out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = History)]
pub(crate) struct HistoryView {
    /// Newest first.
    items: Vec<MovementView>,
    /// What `before` is to be for more; `null` at the end.
    next: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Movement)]
struct MovementView {
    block: u64,
    /// When; `null` where the chain does not say.
    at: Option<u64>,
    transaction: String,
    /// The token's contract.
    token: String,
    symbol: String,
    amount: AmountView,
    from: String,
    to: String,
    is_incoming: bool,
}

pub(super) fn history(past: &Past) -> HistoryView {
    let item = |item: &PastItem| {
        let (movement, token) = (&item.movement, &item.token);
        MovementView {
            block: movement.block,
            at: item.at,
            transaction: movement.transaction.to_string(),
            token: hex_address(&token.address),
            symbol: token.symbol.clone(),
            amount: amount(movement.amount, token.decimals),
            from: hex_address(&movement.from),
            to: hex_address(&movement.to),
            is_incoming: movement.to == past.owner,
        }
    };
    HistoryView { items: past.items.iter().map(item).collect(), next: past.next }
}
