//! Honest buyers of three lanes, one that splits its bid, and one with all the money there is.

use crate::market::{Cheat, Fund, LineSpec, MarketLine, MarketPlan, MarketReport, Role, SeatSpec};
use crate::report::Report;
use crate::scenario::{Build, Scenario};
use crate::seen::NodeId;
use piecework_pay::Lane;
use piecework_types::{BLOCK_BYTES, Rng, Time};
use std::time::Duration;

/// A market, its judge, and where a bug is planted.
pub(super) const fn scenario(
    name: &'static str,
    about: &'static str,
    plan: fn(&mut Rng) -> MarketPlan,
    judge: fn(&Report) -> Result<(), String>,
) -> Scenario {
    Scenario { name, about, plan: Build::Market(plan), judge, planted: NodeId(0) }
}

pub(crate) const PAID_LANES: Scenario = scenario(
    "paid_lanes",
    "each of three paid lanes gets its share, and what is left of the uplink is free",
    lanes,
    judge_lanes,
);

pub(crate) const BID_SPLITTER: Scenario = scenario(
    "bid_splitter",
    "a budget that is split between two bidders gets no more than a whole one",
    splitter,
    judge_splitter,
);

pub(crate) const WHALE: Scenario =
    scenario("whale", "who has all the money leaves the free lane its floor", whale, judge_whale);

pub(super) const MIB: u64 = 1 << 20;
/// Of every seller, bytes a second.
const UPLINK: u64 = 8 * MIB;
/// An account that no run can empty.
pub(super) const RICH: Fund = Fund { free: 1 << 60, bond: 1 << 60, is_final: true };
/// A stream of 1.3 MiB a second.
pub(super) const LIVE: Lane = Lane::Live { rate: MIB };

pub(super) const fn seller(cheat: Option<Cheat>) -> SeatSpec {
    SeatSpec { role: Role::Sells { uplink: UPLINK }, cheat, clock_ahead: 0, session: None }
}

pub(super) const fn buyer(lane: Lane, budget: u128, account: u8, cheat: Option<Cheat>) -> SeatSpec {
    let role = Role::Buys { lane, budget, price_percent: 100, account };
    SeatSpec { role, cheat, clock_ahead: 0, session: None }
}

/// A market without lines.
pub(super) fn market(
    seats: Vec<SeatSpec>,
    funds: Vec<Fund>,
    ends: u64,
    rng: &mut Rng,
) -> MarketPlan {
    MarketPlan {
        seats,
        lines: Vec::new(),
        funds,
        locks: Vec::new(),
        actions: Vec::new(),
        piece_bytes: if rng.chance(1, 2) { BLOCK_BYTES } else { 1 << (18 + rng.below(4)) },
        has_free_lane: false,
        block_time: Duration::from_secs(12),
        plant: None,
        ends: Time::from_micros(ends * 1_000_000),
    }
}

pub(super) fn join(plan: &mut MarketPlan, seller: usize, buyer: usize, rng: &mut Rng) {
    let latency = Duration::from_millis(1 + rng.below(100));
    plan.lines.push(LineSpec { seller, buyer, latency });
}

pub(super) fn come(report: &Report) -> Result<&MarketReport, String> {
    let market = report.market.as_ref().ok_or("no market")?;
    if market.lines.is_empty() { Err("no lines".to_owned()) } else { Ok(market) }
}

/// Everybody buys of one seller, each from an account of its own.
fn one_seller(lanes: &[(Lane, u128)], percent: u32, ends: u64, rng: &mut Rng) -> MarketPlan {
    let mut seats = vec![seller(None)];
    for ((lane, budget), account) in lanes.iter().zip(0..) {
        let mut seat = buyer(*lane, *budget, account, None);
        if let Role::Buys { price_percent, .. } = &mut seat.role {
            *price_percent = percent;
        }
        seats.push(seat);
    }
    let mut plan = market(seats, vec![RICH; lanes.len()], ends, rng);
    plan.has_free_lane = true;
    for buyer in 1..=lanes.len() {
        join(&mut plan, 0, buyer, rng);
    }
    plan
}

fn lanes(rng: &mut Rng) -> MarketPlan {
    let live = Lane::Live { rate: (1 + rng.below(3)) * MIB / 2 };
    let budget = 1 << 40;
    one_seller(
        &[(live, budget), (Lane::Medium, budget), (Lane::Fast, budget), (Lane::Slow, 0)],
        300,
        120,
        rng,
    )
}

fn judge_lanes(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let mut given = 0;
    for (number, line) in market.lines.iter().enumerate().take(3) {
        within_share(number, line)?;
        given += line.late_allocated;
    }
    if given * 100 < UPLINK * 75 / 100 * 10 * 97 {
        return Err(format!("{given} bytes of the paid class are allocated in ten seconds"));
    }
    if market.lines[3].grants > 0 || market.faults > 0 || market.defaults > 0 {
        return Err(format!("{market:?}"));
    }
    free_share(&market.lines)
}

/// Within 3 % of what is allocated, less two blocks.
fn within_share(number: usize, line: &MarketLine) -> Result<(), String> {
    let two = 2 * u64::from(BLOCK_BYTES);
    let (got, meant) = (line.late_bytes, line.late_allocated);
    if got + two < meant - meant * 3 / 100 || got > meant + meant * 3 / 100 + two {
        return Err(format!("line {number} got {got} bytes of {meant} in ten seconds"));
    }
    Ok(())
}

/// All that are in the free lane have its floor together.
fn free_share(lines: &[MarketLine]) -> Result<(), String> {
    let free: u64 = lines.iter().map(|line| line.late_free).sum();
    let blocks = 2 * u64::from(BLOCK_BYTES) * lines.len() as u64;
    let least = UPLINK / 4 * 10 - blocks;
    if free < least { Err(format!("{free} of {least} free bytes")) } else { Ok(()) }
}

fn splitter(rng: &mut Rng) -> MarketPlan {
    let budget = (1 + u128::from(rng.below(8))) << 32;
    let mut plan = one_seller(
        &[(Lane::Fast, budget), (Lane::Fast, budget / 2), (Lane::Fast, budget / 2)],
        100,
        // Before the seller asks more than both may pay.
        60,
        rng,
    );
    plan.has_free_lane = false;
    plan
}

fn judge_splitter(report: &Report) -> Result<(), String> {
    let lines = &come(report)?.lines;
    let (whole, halves) = (lines[0].late_bytes, lines[1].late_bytes + lines[2].late_bytes);
    if whole == 0 || halves * 100 > whole * 103 {
        return Err(format!("two halves got {halves} bytes in ten seconds, a whole one {whole}"));
    }
    Ok(())
}

fn whale(rng: &mut Rng) -> MarketPlan {
    one_seller(&[(Lane::Fast, 1 << 59), (Lane::Slow, 0), (LIVE, 1 << 40)], 300, 120, rng)
}

fn judge_whale(report: &Report) -> Result<(), String> {
    let lines = &come(report)?.lines;
    within_share(0, &lines[0])?;
    free_share(lines)
}
