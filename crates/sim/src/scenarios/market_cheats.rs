//! Buyers that pay wrongly, and sellers that count, ask or serve wrongly, each against an honest node.

use super::market::{LIVE, RICH, buyer, come, join, market, scenario, seller};
use crate::market::{Cheat, MarketPlan};
use crate::report::Report;
use crate::scenario::Scenario;
use piecework_types::Rng;

pub(crate) const NEVER_PAYS: Scenario = scenario(
    "never_pays",
    "a buyer that never pays gets one window, once",
    |rng| by_buyer(Cheat::NeverPays, rng),
    one_window,
);

pub(crate) const HALF_PAYS: Scenario = scenario(
    "half_pays",
    "a buyer that pays by half gets no more than a window unpaid",
    |rng| by_buyer(Cheat::HalfPays, rng),
    half_paid,
);

pub(crate) const WRONG_LINK: Scenario = scenario(
    "wrong_link",
    "links that lead nowhere pay for nothing",
    |rng| by_buyer(Cheat::WrongLink, rng),
    worthless,
);

pub(crate) const SKIPPED_LINK: Scenario = scenario(
    "skipped_link",
    "links under other numbers pay for nothing",
    |rng| by_buyer(Cheat::SkippedLink, rng),
    worthless,
);

pub(crate) const LINK_BEYOND_END: Scenario = scenario(
    "link_beyond_end",
    "links behind the end of a chain pay for nothing",
    |rng| by_buyer(Cheat::LinkBeyondEnd, rng),
    worthless,
);

pub(crate) const LOWER_CHEQUE: Scenario = scenario(
    "lower_cheque",
    "a cheque that is worth less than the one before takes nothing back",
    |rng| by_buyer(Cheat::LowersCheques, rng),
    judge_lower,
);

pub(crate) const REPLAYED_OPEN: Scenario = scenario(
    "replayed_open",
    "an opening that was made on another connection opens nothing",
    replayed,
    judge_replayed,
);

pub(crate) const CORRUPTS: Scenario = scenario(
    "corrupts",
    "corrupt data is not paid, but for one piece ahead",
    |rng| by_seller(Cheat::Corrupts, rng),
    judge_corrupt,
);

pub(crate) const INFLATED_STAT: Scenario = scenario(
    "inflated_stat",
    "a seller that counts too much is paid by the buyer's count and left",
    |rng| by_seller(Cheat::InflatesStat, rng),
    left,
);

pub(crate) const RETROACTIVE_ASK: Scenario = scenario(
    "retroactive_ask",
    "a price for bytes that were sent before is not paid, and its seller left",
    |rng| by_seller(Cheat::RetroactiveAsk, rng),
    left,
);

fn by_buyer(cheat: Cheat, rng: &mut Rng) -> MarketPlan {
    let seats = vec![seller(None), buyer(LIVE, 1 << 40, 0, Some(cheat))];
    let mut plan = market(seats, vec![RICH], 180, rng);
    join(&mut plan, 0, 1, rng);
    plan
}

fn by_seller(cheat: Cheat, rng: &mut Rng) -> MarketPlan {
    let seats = vec![seller(Some(cheat)), buyer(LIVE, 1 << 40, 0, None)];
    let mut plan = market(seats, vec![RICH], 90, rng);
    join(&mut plan, 0, 1, rng);
    plan
}

/// The largest first window of these plans: a piece of 2 MiB and a link.
const FIRST_WINDOW: u128 = (2 << 20) + (256 << 10);

fn one_window(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let line = &market.lines[0];
    let is_one = line.loss() <= FIRST_WINDOW && line.held == 0 && line.paid_sent > 0;
    if is_one && market.defaults == 1 { Ok(()) } else { Err(format!("{market:?}")) }
}

fn half_paid(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let line = &market.lines[0];
    let is_good = line.loss() <= FIRST_WINDOW && line.paid_sent > 0 && market.defaults > 0;
    if is_good { Ok(()) } else { Err(format!("{market:?}")) }
}

/// What was said is worth nothing: it has what one window holds.
fn worthless(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let line = &market.lines[0];
    let is_good = line.loss() <= FIRST_WINDOW && line.held == 0 && line.paid_sent > 0;
    if is_good { Ok(()) } else { Err(format!("{market:?}")) }
}

/// The cheque that it folds at the end is worth half: what was revealed before counts.
fn judge_lower(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let line = &market.lines[0];
    let is_good = line.held > 100 << 20 && line.paid == line.held && line.loss() <= FIRST_WINDOW;
    if is_good { Ok(()) } else { Err(format!("{market:?}")) }
}

fn replayed(rng: &mut Rng) -> MarketPlan {
    let mut plan = by_buyer(Cheat::ReplaysOpen, rng);
    join(&mut plan, 0, 1, rng);
    plan
}

fn judge_replayed(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let opened = market.lines.iter().filter(|line| line.grants > 0 && line.paid_sent > 0).count();
    if opened == 1 { Ok(()) } else { Err(format!("{market:?}")) }
}

fn judge_corrupt(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let line = &market.lines[0];
    // A block is verified by itself, and then nothing is ever paid.
    let is_good = line.held <= 2 << 20 && line.verified == 0 && line.paid_sent > 0;
    if is_good { Ok(()) } else { Err(format!("{market:?}")) }
}

fn left(report: &Report) -> Result<(), String> {
    let market = come(report)?;
    let line = &market.lines[0];
    let is_left = line.paid_sent > 0 && line.paid_sent < 40 << 20;
    if is_left { Ok(()) } else { Err(format!("{market:?}")) }
}
