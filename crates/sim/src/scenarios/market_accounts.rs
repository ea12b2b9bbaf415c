//! Accounts that are worth less than they seem: emptied, leaving, never funded, bounced, never there.

use super::market::{LIVE, RICH, buyer, come, join, market, scenario, seller};
use crate::market::{Cheat, Fund, MarketAction, MarketPlan};
use crate::report::Report;
use crate::scenario::Scenario;
use piecework_pay::Lane;
use piecework_types::{Rng, Time};

pub(crate) const DRAIN_32: Scenario = scenario(
    "drain_32",
    "an account that is emptied by a cheque to itself costs each of 32 sellers U at most",
    |rng| drain(32, rng),
    judge_drain,
);

pub(crate) const DRAIN_256: Scenario = scenario(
    "drain_256",
    "with 256 sellers the bond is worth all that is gained",
    |rng| drain(256, rng),
    judge_drain,
);

pub(crate) const DRAIN_1024: Scenario = scenario(
    "drain_1024",
    "with 1,024 sellers the gain is N times U less the bond at most",
    |rng| drain(1024, rng),
    judge_drain,
);

pub(crate) const EXIT_AND_BUY: Scenario = scenario(
    "exit_and_buy",
    "an account that asks for its money is trusted no more, and what it owed is paid",
    |rng| acted(FUND, MarketAction::Exit(0), rng),
    judge_exit,
);

pub(crate) const REORGED_DEPOSIT: Scenario = scenario(
    "reorged_deposit",
    "a deposit that was never made costs a seller U at most",
    |rng| acted(Fund { is_final: false, ..FUND }, MarketAction::Reorg(0), rng),
    judge_loss,
);

pub(crate) const SILENT_CHAIN: Scenario = scenario(
    "silent_chain",
    "a chain that does not answer for twenty minutes ends all credit, and until then nothing stops",
    silent,
    judge_silent,
);

pub(crate) const DEAR_CHAIN: Scenario = scenario(
    "dear_chain",
    "while cashing costs more than there is to cash, it waits",
    dear,
    judge_dear,
);

pub(crate) const UNFUNDED: Scenario = scenario(
    "unfunded",
    "an account that was never funded is served free",
    |rng| acted(Fund { free: 0, bond: 0, is_final: true }, MarketAction::Exit(0), rng),
    judge_unfunded,
);

pub(crate) const BOUNCED: Scenario = scenario(
    "bounced",
    "an account that owes on a cheque is not trusted again",
    bounced,
    judge_bounced,
);

/// U is 4 MiB at the floor, by the bond.
const FUND: Fund = Fund { free: 1 << 40, bond: 1 << 30, is_final: true };
const U: u128 = 4 << 20;

/// A buyer in each of `count` places, all with one account.
fn drain(count: usize, rng: &mut Rng) -> MarketPlan {
    let mut seats = vec![seller(None); count];
    seats.extend(vec![buyer(LIVE, 1 << 30, 0, Some(Cheat::BelievesItself)); count]);
    let mut plan = market(seats, vec![FUND], 36, rng);
    for number in 0..count {
        join(&mut plan, number, count + number, rng);
    }
    // Before the first cheque is cashed.
    let at = Time::from_micros(6_000_000 + rng.below(4_000_000));
    plan.actions.push((at, MarketAction::Drain(0)));
    plan
}

fn judge_drain(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let count = market.lines.len() as i128;
    let most = count * U as i128 - FUND.bond as i128;
    let has_bitten = market.loss_most() > U / 2 && market.burned == FUND.bond;
    if has_bitten && market.loss_most() <= U && market.gain() <= most {
        return Ok(());
    }
    let (gain, loss, burned) = (market.gain(), market.loss_most(), market.burned);
    Err(format!("gain {gain} of {most} at most, loss {loss} of {U}, {burned} burned"))
}

fn acted(fund: Fund, action: MarketAction, rng: &mut Rng) -> MarketPlan {
    let seats = vec![seller(None), buyer(LIVE, 1 << 40, 0, Some(Cheat::BelievesItself))];
    let mut plan = market(seats, vec![fund], 150, rng);
    join(&mut plan, 0, 1, rng);
    plan.actions.push((Time::from_micros(5_000_000 + rng.below(30_000_000)), action));
    plan
}

fn silent(rng: &mut Rng) -> MarketPlan {
    let mut plan = acted(RICH, MarketAction::Silence, rng);
    plan.ends = Time::from_micros(1_400_000_000);
    // Little in each second, as there are many.
    plan.seats[1] = buyer(Lane::Live { rate: 128 << 10 }, 1 << 40, 0, Some(Cheat::BelievesItself));
    plan
}

fn judge_silent(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let line = &market.lines[0];
    // Over 1,200 s at 0.16 MiB a second, then none.
    let is_good = line.paid_sent > 150 << 20 && line.late_allocated == 0 && line.paid == line.held;
    if is_good && market.defaults == 0 { Ok(()) } else { Err(format!("{market:?}")) }
}

fn dear(rng: &mut Rng) -> MarketPlan {
    let mut plan = acted(RICH, MarketAction::Fee(1 << 36), rng);
    // Before the first minute, in which nothing is cashed.
    plan.actions[0].0 = Time::from_micros(1);
    plan
}

fn judge_dear(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let line = &market.lines[0];
    // One transaction, of the reckoning at the end.
    let is_good = line.paid == line.held && line.held > 80 << 20 && market.cashes == 1;
    if is_good { Ok(()) } else { Err(format!("{market:?}")) }
}

fn judge_exit(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let line = &market.lines[0];
    // 35 s at 1.3 MiB a second; the run goes on for 95 more.
    let is_good = line.paid == line.held && line.loss() <= 3 << 20 && line.paid_sent < 60 << 20;
    if is_good && line.paid > 0 { Ok(()) } else { Err(format!("{market:?}")) }
}

fn judge_loss(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let line = &market.lines[0];
    if line.loss() <= U && line.held > 0 { Ok(()) } else { Err(format!("{market:?}")) }
}

fn judge_unfunded(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    if market.lines[0].paid_sent == 0 { Ok(()) } else { Err(format!("{market:?}")) }
}

fn bounced(rng: &mut Rng) -> MarketPlan {
    let mut plan = drain(2, rng);
    plan.ends = Time::from_micros(150_000_000);
    plan.actions.push((Time::from_micros(90_000_000), MarketAction::Crash(3)));
    plan
}

fn judge_bounced(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let is_good =
        market.loss_most() <= U && market.lines.iter().all(|line| line.paid_sent < 20 << 20);
    if is_good && market.burned == FUND.bond { Ok(()) } else { Err(format!("{market:?}")) }
}
