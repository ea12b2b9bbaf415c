//! Honest nodes whose power fails, whose drive is an old one, or whose clock is wrong.

use super::market::{LIVE, RICH, buyer, come, join, market, scenario, seller};
use crate::market::{MarketAction, MarketPlan};
use crate::report::Report;
use crate::scenario::Scenario;
use piecework_types::{Rng, Time};

pub(crate) const PAYER_CRASHES: Scenario = scenario(
    "payer_crashes",
    "a buyer whose power fails again and again leaves a window each time at most, and pays nothing twice",
    |rng| crashes(1, rng),
    judge_payer,
);

pub(crate) const SELLER_CRASHES: Scenario = scenario(
    "seller_crashes",
    "a seller whose power fails at any moment has a ledger that adds up",
    |rng| crashes(0, rng),
    judge,
);

pub(crate) const OLD_BACKUP: Scenario = scenario(
    "old_backup",
    "a buyer that is restored from an old backup learns of the seller what it has promised",
    backup,
    judge,
);

pub(crate) const CLOCK_OFF: Scenario =
    scenario("clock_off", "clocks that are two days apart change nothing", clocks, judge);

fn pair(rng: &mut Rng) -> MarketPlan {
    let seats = vec![seller(None), buyer(LIVE, 1 << 40, 0, None)];
    let mut plan = market(seats, vec![RICH], 120, rng);
    join(&mut plan, 0, 1, rng);
    plan
}

fn crashes(seat: usize, rng: &mut Rng) -> MarketPlan {
    let mut plan = pair(rng);
    let mut at = 0;
    for _ in 0..6 {
        at += 1_500_000 + rng.below(14_000_000);
        plan.actions.push((Time::from_micros(at), MarketAction::Crash(seat)));
    }
    plan
}

fn backup(rng: &mut Rng) -> MarketPlan {
    let mut plan = pair(rng);
    let then = Time::from_micros(3_000_000 + rng.below(20_000_000));
    let at = Time::from_micros(30_000_000 + rng.below(40_000_000));
    plan.actions.push((at, MarketAction::Restore(1, then)));
    plan
}

fn clocks(rng: &mut Rng) -> MarketPlan {
    let mut plan = pair(rng);
    let ahead = if rng.chance(1, 2) { 86_400 } else { -86_400 };
    plan.seats[0].clock_ahead = ahead;
    plan.seats[1].clock_ahead = -ahead;
    plan
}

fn judge(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let line = &market.lines[0];
    let has_traded = line.paid_sent > 60 << 20 && line.held > 40 << 20;
    let is_good = has_traded && line.paid == line.held && market.defaults == 0;
    if is_good && market.faults == 0 { Ok(()) } else { Err(format!("{market:?}")) }
}

/// Who leaves unpaid rests too often is barred in the end, and has lost nothing by it.
fn judge_payer(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let line = &market.lines[0];
    let is_good = line.held > 0 && line.paid == line.held && market.defaults <= 1;
    if is_good && market.faults == 0 { Ok(()) } else { Err(format!("{market:?}")) }
}
