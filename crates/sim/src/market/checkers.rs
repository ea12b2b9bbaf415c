//! What must hold in every market, whoever cheats.

use super::plan::Role;
use super::seat::Seat;
use super::world::Line;
use super::{FLOOR, LINK_BYTES, MarketPlan, MarketReport};
use crate::checkers::Violation;
use crate::seen::NodeId;
use piecework_pay::{Address, Record, Side};
use piecework_types::{BLOCK_BYTES, Time};
use std::collections::BTreeMap;

/// By payer and channel.
pub(super) type Held = BTreeMap<(Address, u64), u128>;

/// What a seller's drive says it holds.
pub(super) fn held(seat: &Seat) -> Held {
    let mut held = Held::new();
    for record in seat.drive.records() {
        if let Record::Sale(sale) = record {
            let cheque = &sale.last.signed.cheque;
            // Whether its link leads to it is for the vault to say.
            let value = cheque.worth(sale.last.number).unwrap_or(0);
            let best = held.entry((cheque.payer, cheque.channel)).or_default();
            *best = value.max(*best);
        }
    }
    held
}

/// What all channels of one payer are worth.
pub(super) fn of_payer(held: &Held, payer: Address) -> u128 {
    held.iter().filter(|((who, _), _)| *who == payer).map(|(_, value)| *value).sum()
}

/// A buyer's payments: never over its budget, and never for what it has not verified, but for one piece
/// that it pays ahead where no window holds it, and what counts may differ by.
pub(super) fn buyer(
    plan: &MarketPlan,
    number: usize,
    seats: &[Seat],
    lines: &[Line],
) -> Result<(), String> {
    let Role::Buys { budget, price_percent, .. } = seats[number].spec.role else { return Ok(()) };
    let payer = seats[number].payer().unwrap_or_default();
    let mut sum = 0;
    for line in lines.iter().filter(|line| line.spec.buyer == number) {
        let value = of_payer(&held(&seats[line.spec.seller]), payer);
        let verified = line.report.verified;
        let ahead = if plan.piece_bytes > BLOCK_BYTES { plan.piece_bytes } else { 0 };
        let ahead = ahead * line.generation.max(1);
        let slack = (verified / 200).max(2 * u64::from(LINK_BYTES));
        let most = FLOOR.percent(price_percent).of(verified + u64::from(ahead) + slack);
        if value > most {
            return Err(format!("{value} is paid and {most} is the most for {verified} bytes"));
        }
        sum += value;
    }
    if sum > budget { Err(format!("{sum} of a budget of {budget}")) } else { Ok(()) }
}

/// A seller's ledger says what its channels are worth.
pub(super) fn ledger(seat: &Seat) -> Result<(), String> {
    let mut sums = Held::new();
    for record in seat.drive.records() {
        if let Record::Entry(entry) = record
            && entry.side == Side::Selling
        {
            *sums.entry((entry.counterparty, entry.channel)).or_default() += entry.amount;
        }
    }
    let held = held(seat);
    let differs = held.iter().find(|(place, value)| sums.get(place).unwrap_or(&0) != *value);
    match differs {
        Some((place, value)) => {
            Err(format!("the ledger has {:?} and the channel {value}", sums.get(place)))
        }
        None => Ok(()),
    }
}

/// No seller loses more than a window of service, nor more in all than an account may owe.
pub(super) fn losses(
    plan: &MarketPlan,
    seats: &[Seat],
    lines: &[Line],
    report: &MarketReport,
) -> Result<(), String> {
    for line in lines.iter().filter(|line| seats[line.spec.seller].is_honest()) {
        let Role::Sells { uplink } = seats[line.spec.seller].spec.role else { continue };
        let first = u64::from(LINK_BYTES) + u64::from(plan.piece_bytes);
        let first = first.max(2 * u64::from(LINK_BYTES));
        let window = FLOOR.of(first.max((2 * uplink).min(32 << 20)));
        let (unrevealed, loss) = (line.report.unrevealed(), line.report.loss());
        // Each time that a connection broke may have left one.
        if unrevealed > window * u128::from(line.generation.max(1)) {
            return Err(format!("{unrevealed} was served unpaid, a window is {window}"));
        }
        if loss > report.exposure {
            return Err(format!("{loss} was lost and {} is the most", report.exposure));
        }
    }
    Ok(())
}

pub(super) fn violation(
    checker: &'static str,
    node: usize,
    at: Time,
    result: Result<(), String>,
) -> Option<Violation> {
    let what = result.err()?;
    Some(Violation { checker, node: NodeId(node as u32), at, what })
}
