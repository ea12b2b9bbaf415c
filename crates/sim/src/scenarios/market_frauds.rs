//! Sellers that charge, promise or send what they should not, cheques that were made for elsewhere, session
//! keys in the wrong hands, and purchases under a lock.

use super::market::{LIVE, RICH, buyer, come, join, market, scenario, seller};
use crate::market::{
    Cheat, FLOOR, Fund, MarketAction, MarketPlan, MarketReport, Role, SeatSpec, SessionSpec,
};
use crate::report::Report;
use crate::scenario::Scenario;
use piecework_pay::Lane;
use piecework_types::{Rng, Time};

pub(crate) const GOUGER: Scenario = scenario(
    "gouger",
    "a seller that asks ten times the price sells nothing while another asks less",
    |rng| beside_honest(Cheat::Gouges, rng),
    judge_gouger,
);

pub(crate) const THROTTLES: Scenario = scenario(
    "throttles",
    "a seller that gives an eighth of what it says is left for another",
    |rng| beside_honest(Cheat::Throttles, rng),
    judge_throttles,
);

pub(crate) const SHILL: Scenario = scenario(
    "shill",
    "a seller that bids against its buyer gets the buyer's highest price at most",
    shill,
    judge_shill,
);

pub(crate) const IGNORES_CANCELS: Scenario = scenario(
    "ignores_cancels",
    "blocks that were cancelled in time are not paid, and who bills them is left",
    |rng| {
        let seats = vec![seller(Some(Cheat::IgnoresCancels)), buyer(LIVE, 1 << 40, 0, None)];
        let mut plan = market(seats, vec![RICH], 90, rng);
        join(&mut plan, 0, 1, rng);
        plan
    },
    judge_cancels,
);

pub(crate) const OVER_PROMISER: Scenario = scenario(
    "over_promiser",
    "an account that promises many sellers more than it has costs each of them U at most",
    over_promiser,
    judge_over_promiser,
);

pub(crate) const REPLAYED_CHEQUES: Scenario = scenario(
    "replayed_cheques",
    "cheques of another chain, vault, channel or life of the account, and roots that were shown, buy nothing",
    replayed,
    judge_replayed,
);

pub(crate) const STOLEN_SESSION: Scenario = scenario(
    "stolen_session",
    "who has stolen a session key spends what it was allowed at most, and nothing once it is revoked",
    stolen,
    judge_stolen,
);

pub(crate) const DRAIN_SESSION: Scenario = scenario(
    "drain_session",
    "an account that is emptied behind a session key costs 32 sellers what that key puts at risk",
    drain,
    judge_drain,
);

pub(crate) const UNDER_LOCK: Scenario = scenario(
    "under_lock",
    "a GiB that is bought under a lock is paid whole, in one transaction",
    under_lock,
    judge_lock,
);

/// A cheat and an honest seller, and somebody who buys of both.
fn beside_honest(cheat: Cheat, rng: &mut Rng) -> MarketPlan {
    let seats = vec![seller(Some(cheat)), seller(None), buyer(LIVE, 1 << 40, 0, None)];
    let mut plan = market(seats, vec![RICH], 120, rng);
    join(&mut plan, 0, 2, rng);
    join(&mut plan, 1, 2, rng);
    plan
}

fn judge_gouger(report: &Report) -> Result<(), String> {
    let lines = &come(report)?.lines;
    let is_good = lines[0].held == 0 && lines[0].grants == 0 && lines[1].held > 40 << 20;
    if is_good { Ok(()) } else { Err(format!("{lines:?}")) }
}

fn judge_throttles(report: &Report) -> Result<(), String> {
    let lines = &come(report)?.lines;
    // 30 s at an eighth of what was said, and as long again for what rounds take.
    let is_left = lines[0].paid_sent < 30 << 20 && lines[0].late_allocated == 0;
    if is_left && lines[1].held > 20 << 20 { Ok(()) } else { Err(format!("{lines:?}")) }
}

/// In hundredths of the floor.
const HIGHEST: u32 = 150;

fn shill(rng: &mut Rng) -> MarketPlan {
    let bidder = |account, price_percent| {
        let role = Role::Buys { lane: Lane::Fast, budget: 1 << 40, price_percent, account };
        SeatSpec { role, ..buyer(Lane::Fast, 0, account, None) }
    };
    let seats = vec![seller(None), bidder(0, HIGHEST), bidder(1, 300)];
    let mut plan = market(seats, vec![RICH; 2], 120, rng);
    join(&mut plan, 0, 1, rng);
    join(&mut plan, 0, 2, rng);
    plan
}

fn judge_shill(report: &Report) -> Result<(), String> {
    let lines = &come(report)?.lines;
    let (paid, bytes) = (lines[0].held, lines[0].verified);
    // That its price was driven up, and not over what it would pay; a piece may be paid ahead.
    let most = FLOOR.percent(HIGHEST).of(bytes + (3 << 20));
    if paid > 0 && paid <= most { Ok(()) } else { Err(format!("{paid} of {most}: {lines:?}")) }
}

fn judge_cancels(report: &Report) -> Result<(), String> {
    let lines = &come(report)?.lines;
    let line = &lines[0];
    let is_left = line.paid_sent > 0 && line.paid_sent < 40 << 20;
    let most = FLOOR.of(line.verified + (3 << 20));
    if is_left && line.held <= most { Ok(()) } else { Err(format!("{most}: {line:?}")) }
}

/// U is 2 MiB at the floor, by what is free.
const SMALL: Fund = Fund { free: 40 << 20, bond: 1 << 30, is_final: true };
const MANY: usize = 24;

fn over_promiser(rng: &mut Rng) -> MarketPlan {
    let mut seats = vec![seller(None); MANY];
    seats.extend(vec![buyer(LIVE, 1 << 40, 0, Some(Cheat::BelievesItself)); MANY]);
    let mut plan = market(seats, vec![SMALL], 60, rng);
    for number in 0..MANY {
        join(&mut plan, number, MANY + number, rng);
    }
    plan
}

fn judge_over_promiser(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let paid: u128 = market.lines.iter().map(|line| line.paid).sum();
    let is_bounded = market.loss_most() <= market.exposure && paid <= SMALL.free;
    let has_bitten = paid > SMALL.free / 2;
    if is_bounded && has_bitten && market.gain() <= 0 { Ok(()) } else { Err(told(market)) }
}

fn replayed(rng: &mut Rng) -> MarketPlan {
    let cheat = Some(Cheat::ReplaysCheques);
    let seats = vec![seller(None), buyer(Lane::Fast, 1 << 40, 0, cheat)];
    let mut plan = market(seats, vec![RICH], 60, rng);
    for _ in 0..6 {
        join(&mut plan, 0, 1, rng);
    }
    plan
}

fn judge_replayed(report: &Report) -> Result<(), String> {
    let lines = &come(report)?.lines;
    let is_nothing = lines[1..].iter().all(|line| line.grants == 0 && line.paid_sent == 0);
    if is_nothing && lines[0].grants > 0 { Ok(()) } else { Err(format!("{lines:?}")) }
}

const SESSION: SessionSpec = SessionSpec { max_amount: 64 << 20, bond_at_risk: 1 << 29 };
const RICH_AND_BONDED: Fund = Fund { free: 1 << 40, bond: 1 << 30, is_final: true };

/// The owner buys of the first seller, a thief with the same session key of two others.
fn stolen(rng: &mut Rng) -> MarketPlan {
    let with = |seat: SeatSpec| SeatSpec { session: Some(SESSION), ..seat };
    let seats = vec![
        seller(None),
        seller(None),
        seller(None),
        with(buyer(LIVE, 1 << 40, 0, None)),
        with(buyer(Lane::Fast, 1 << 40, 0, Some(Cheat::BelievesItself))),
    ];
    let mut plan = market(seats, vec![RICH_AND_BONDED], 150, rng);
    for (seller, buyer) in [(0, 3), (1, 4), (2, 4)] {
        join(&mut plan, seller, buyer, rng);
    }
    let at = Time::from_micros(3_000_000 + rng.below(30_000_000));
    plan.actions.push((at, MarketAction::Revoke(0)));
    plan
}

fn judge_stolen(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let spent: u128 = market.lines.iter().map(|line| line.paid).sum();
    let is_over = market.lines.iter().all(|line| line.late_allocated == 0);
    let thieved = market.lines[1].paid + market.lines[2].paid;
    let is_good = spent <= SESSION.max_amount && thieved > 0 && market.burned == 0;
    if is_good && is_over { Ok(()) } else { Err(told(market)) }
}

/// What a session key may owe one seller: by the bond at its risk.
const SESSION_U: u128 = SESSION.bond_at_risk / 256;
const SELLERS: usize = 32;

fn drain(rng: &mut Rng) -> MarketPlan {
    let session = Some(SessionSpec { max_amount: 1 << 39, ..SESSION });
    let buyer = SeatSpec { session, ..buyer(LIVE, 1 << 30, 0, Some(Cheat::BelievesItself)) };
    let mut seats = vec![seller(None); SELLERS];
    seats.extend(vec![buyer; SELLERS]);
    let mut plan = market(seats, vec![RICH_AND_BONDED], 36, rng);
    for number in 0..SELLERS {
        join(&mut plan, number, SELLERS + number, rng);
    }
    let at = Time::from_micros(6_000_000 + rng.below(4_000_000));
    plan.actions.push((at, MarketAction::Drain(0)));
    plan
}

fn judge_drain(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let most = SELLERS as i128 * SESSION_U as i128 - SESSION.bond_at_risk as i128;
    let has_bitten = market.loss_most() > SESSION_U / 2 && market.burned == SESSION.bond_at_risk;
    let is_bounded = market.loss_most() <= SESSION_U && market.gain() <= most;
    if has_bitten && is_bounded { Ok(()) } else { Err(told(market)) }
}

/// U is 1 MiB without a lock.
const LITTLE_BOND: Fund = Fund { free: 1 << 30, bond: 1 << 28, is_final: true };

/// What a GiB costs at the floor, and bytes of it.
const GIB: u64 = 1 << 30;

fn under_lock(rng: &mut Rng) -> MarketPlan {
    // Prices rise meanwhile, at most to three times the floor.
    let most = 4 * u128::from(GIB);
    let mut fast = buyer(Lane::Fast, most, 0, None);
    if let Role::Buys { price_percent, .. } = &mut fast.role {
        *price_percent = 300;
    }
    let funds = vec![Fund { free: 2 * most, ..LITTLE_BOND }];
    let mut plan = market(vec![seller(None), fast], funds, 240, rng);
    plan.locks.push((0, 0, most));
    join(&mut plan, 0, 1, rng);
    plan
}

fn judge_lock(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let line = &market.lines[0];
    let is_whole = line.paid_sent > GIB && line.paid == line.held && market.defaults == 0;
    if is_whole && market.cashes == 1 { Ok(()) } else { Err(told(market)) }
}

fn told(market: &MarketReport) -> String {
    let (gain, loss, most) = (market.gain(), market.loss_most(), market.exposure);
    let lines: Vec<_> =
        market.lines.iter().map(|line| (line.paid_sent, line.held, line.paid)).collect();
    format!(
        "gain {gain}, loss {loss} of {most}, {} burned, {} cashed: sent, held, paid {lines:?}",
        market.burned, market.cashes
    )
}
