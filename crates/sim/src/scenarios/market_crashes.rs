//! Honest nodes whose power fails, whose drive is an old one, or whose clock is wrong.

use super::market::{LIVE, RICH, buyer, come, join, market, scenario, seller};
use crate::market::{LineSpec, MarketAction, MarketPlan};
use crate::report::Report;
use crate::scenario::Scenario;
use piecework_pay::Lane;
use piecework_types::{Rng, Time};
use std::time::Duration;

pub(crate) const PAYER_CRASHES: Scenario = scenario(
    "payer_crashes",
    "a buyer whose power fails again and again pays what it left each time, and is never barred",
    |rng| crashes(1, rng),
    judge,
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

pub(crate) const LOST_DATABASE: Scenario = scenario(
    "lost_database",
    "a seller that has lost its drive is shown by its buyer what it holds",
    lost,
    judge,
);

pub(crate) const CLOCK_OFF: Scenario =
    scenario("clock_off", "clocks that are two days apart change nothing", clocks, judge);

pub(crate) const FIRST_BYTES: Scenario = scenario(
    "first_bytes",
    "a buyer that comes again has paid bytes within three round trips",
    first_bytes,
    judge_first_bytes,
);

/// One way on the line of `first_bytes`: so long that the drive and the steps of a run are nothing.
const LATENCY: Duration = Duration::from_millis(1000);

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

/// Crashes that follow each other before the seller asks the chain anew.
fn first_bytes(rng: &mut Rng) -> MarketPlan {
    // So little that what a crash loses on its way is less than counts may differ by.
    let lane = Lane::Live { rate: 128 << 10 };
    let seats = vec![seller(None), buyer(lane, 1 << 40, 0, None)];
    let mut plan = market(seats, vec![RICH], 60, rng);
    plan.piece_bytes = 1 << 20;
    plan.lines.push(LineSpec { seller: 0, buyer: 1, latency: LATENCY });
    for at in [8_000_000, 17_000_000, 26_000_000] {
        let at = Time::from_micros(at + rng.below(3_000_000));
        plan.actions.push((at, MarketAction::Crash(1)));
    }
    plan
}

fn judge_first_bytes(report: &Report) -> Result<(), String> {
    let line = &come(report)?.lines[0];
    let (Some(first), Some(later)) = (line.first_wait, line.later_wait) else {
        return Err("nothing was bought".to_owned());
    };
    // Both have heard of each other's extensions when a run makes the line: half a round trip before.
    let trips = |wait: Duration| (wait + LATENCY).as_secs_f64() / (2 * LATENCY).as_secs_f64();
    if trips(later) > 3.0 || trips(first) > 3.0 + 0.1 {
        return Err(format!("{:.2} and later {:.2} round trips", trips(first), trips(later)));
    }
    Ok(())
}

fn backup(rng: &mut Rng) -> MarketPlan {
    let mut plan = pair(rng);
    let then = Time::from_micros(3_000_000 + rng.below(20_000_000));
    let at = Time::from_micros(30_000_000 + rng.below(40_000_000));
    plan.actions.push((at, MarketAction::Restore(1, then)));
    plan
}

fn lost(rng: &mut Rng) -> MarketPlan {
    let mut plan = pair(rng);
    let at = Time::from_micros(5_000_000 + rng.below(60_000_000));
    plan.actions.push((at, MarketAction::Restore(0, Time::ZERO)));
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
