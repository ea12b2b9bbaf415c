//! The table of who may cheat whom in paid lanes, and of what may go wrong: by which scenario each is
//! played, what it cost the honest side there, and by which test over sockets or on a chain. What stands in
//! `docs/ADVERSARIES.md` is what [`adversaries`] gives.

use crate::scenario::Scenario;
use crate::scenarios::by_name;
use std::fmt::Write as _;

/// Who is cheated: of whose loss a row tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Honest {
    /// What was served at the floor's price and not paid.
    Seller,
    /// What was paid beyond the floor's price of what was verified.
    Buyer,
    /// No money is at stake.
    Nobody,
}

/// A test with real sockets or a real chain.
#[derive(Clone, Copy, Debug)]
enum Proof {
    /// A file of the repository, and a function in it.
    Test(&'static str, &'static str),
    /// Why there is none.
    None(&'static str),
}

#[derive(Clone, Copy, Debug)]
struct Row {
    what: &'static str,
    scenario: &'static str,
    honest: Honest,
    proof: Proof,
}

const fn row(what: &'static str, scenario: &'static str, honest: Honest, proof: Proof) -> Row {
    Row { what, scenario, honest, proof }
}

const FLOW: &str = "interop/buyer/tests/test_flow.py";
const SUITE: &str = "crates/settle/tests/settle/suite.rs";
const REAL: &str = "interop/buyer/real/test_buyer.py";
const BUYERS: &str = "interop/buyer/real/test_hostile_buyers.py";
const SELLERS: &str = "interop/buyer/real/test_hostile_sellers.py";
const CLOCKS: &str = "interop/buyer/real/test_wrong_clocks.py";
const AWAY: &str = "interop/buyer/real/test_chain_away.py";
const THROTTLED: Proof = Test(SELLERS, "test_who_gives_an_eighth_of_what_it_says_is_left");
const UNPAID: Proof = Test(BUYERS, "test_who_never_pays_has_a_window_and_then_the_free_lane");
const CORRUPT: Proof = Test(SELLERS, "test_a_corrupt_piece_is_not_paid");
const REORG: Proof = Test(
    "interop/buyer/real/test_reorg.py",
    "test_the_seller_loses_what_it_risked_on_the_deposit_and_no_more",
);
const NO_MOMENT: Proof = Proof::None("a process cannot be brought to cancel at a known moment");
const BESIDE: Proof = Test("interop/src/cells/lanes.rs", "a paid lane beside two free ones");
const IN_NUMBERS: Proof = Proof::None("a matter of numbers: it takes many accounts or much time");

use Honest::{Buyer, Nobody, Seller};
use Proof::Test;

/// What may go wrong between honest nodes.
const FAILURES: [Row; 15] = [
    row("a buyer vanishes with what it owes", "never_pays", Seller, UNPAID),
    row(
        "a connection breaks, again and again, with a part unpaid",
        "payer_crashes",
        Seller,
        Test(REAL, "test_64_mib_are_bought_over_two_connections_after_one_refusal"),
    ),
    row("a seller stalls, or gives less than it says", "throttles", Buyer, THROTTLED),
    row("a piece is corrupt", "corrupts", Buyer, CORRUPT),
    row(
        "a cheque is lower than the last one, or the same",
        "lower_cheque",
        Seller,
        Test(BUYERS, "test_a_lower_cheque_takes_nothing_back"),
    ),
    row(
        "a payer has lost its memory",
        "old_backup",
        Seller,
        Test(FLOW, "test_a_payer_that_forgot_adopts_what_the_payee_shows"),
    ),
    row(
        "a payee has lost its memory",
        "lost_database",
        Seller,
        Test(FLOW, "test_a_payee_that_forgot_is_shown_the_best_cheque"),
    ),
    row(
        "the power of a seller fails between writing and saying",
        "seller_crashes",
        Seller,
        Test("interop/src/kill/money.rs", "run"),
    ),
    row(
        "a cheque is not paid whole",
        "bounced",
        Seller,
        Test(BUYERS, "test_a_session_key_is_worth_its_delegation_and_burns_the_bond_for_more"),
    ),
    row(
        "two counts differ",
        "inflated_stat",
        Buyer,
        Test(
            "interop/buyer/tests/test_talk.py",
            "test_a_stat_that_is_near_is_paid_and_one_that_is_not_is_answered",
        ),
    ),
    row(
        "clocks are two days apart",
        "clock_off",
        Seller,
        Test(CLOCKS, "test_two_whose_clocks_are_two_days_apart_trade"),
    ),
    row("a deposit is taken back by the chain", "reorged_deposit", Seller, REORG),
    row(
        "the chain does not answer",
        "silent_chain",
        Seller,
        Test(AWAY, "test_what_is_under_way_goes_on_being_paid"),
    ),
    row("cashing becomes dear", "dear_chain", Seller, IN_NUMBERS),
    row("a block comes twice at the end of a download", "end_game", Nobody, NO_MOMENT),
];

/// Who may cheat.
const ADVERSARIES: [Row; 27] = [
    row("never pays", "never_pays", Seller, UNPAID),
    row(
        "pays half",
        "half_pays",
        Seller,
        Test(BUYERS, "test_who_pays_half_has_a_window_more_than_it_pays"),
    ),
    row("promises many sellers more than it has", "over_promiser", Seller, IN_NUMBERS),
    row("empties its account by a cheque to itself, 32 sellers", "drain_32", Seller, IN_NUMBERS),
    row("the same with 256 sellers", "drain_256", Seller, IN_NUMBERS),
    row("the same with 1,024 sellers", "drain_1024", Seller, IN_NUMBERS),
    row("the same behind a session key", "drain_session", Seller, IN_NUMBERS),
    row(
        "asks for its deposit and goes on buying",
        "exit_and_buy",
        Seller,
        Test(BUYERS, "test_who_asks_for_its_deposit_back_is_cashed_at_once"),
    ),
    row(
        "buys with a stolen session key",
        "stolen_session",
        Seller,
        Test(BUYERS, "test_a_delegation_that_was_revoked_buys_nothing"),
    ),
    row(
        "says another connection's opening again",
        "replayed_open",
        Seller,
        Test(BUYERS, "test_an_opening_of_another_connection_is_refused"),
    ),
    row(
        "shows cheques of another chain, vault, channel or life of the account, or a root twice",
        "replayed_cheques",
        Seller,
        Test(BUYERS, "test_cheques_of_another_life_of_the_account_token_or_payee_are_refused"),
    ),
    row(
        "shows an equal or a lower cheque",
        "lower_cheque",
        Seller,
        Test(BUYERS, "test_a_cheque_that_is_said_again_is_worth_nothing_more"),
    ),
    row(
        "reveals links that lead nowhere",
        "wrong_link",
        Seller,
        Test(BUYERS, "test_a_link_that_leads_nowhere_is_refused"),
    ),
    row(
        "reveals links under other numbers",
        "skipped_link",
        Seller,
        Test(BUYERS, "test_a_link_under_another_number_is_refused"),
    ),
    row(
        "reveals links behind the end of the chain",
        "link_beyond_end",
        Seller,
        Test(BUYERS, "test_a_link_behind_the_end_of_its_chain_is_refused"),
    ),
    row("sells corrupt data", "corrupts", Buyer, CORRUPT),
    row("bills blocks that were cancelled", "ignores_cancels", Buyer, NO_MOMENT),
    row(
        "counts half as much again",
        "inflated_stat",
        Buyer,
        Test(SELLERS, "test_a_count_that_is_far_too_high_is_not_paid"),
    ),
    row(
        "asks more for what was sent before",
        "retroactive_ask",
        Buyer,
        Test(SELLERS, "test_bytes_that_have_come_do_not_become_dearer"),
    ),
    row("asks ten times the price", "gouger", Buyer, Test(SELLERS, "test_a_gouger_is_not_paid")),
    row("bids against its own buyers", "shill", Buyer, IN_NUMBERS),
    row("gives an eighth of what it says", "throttles", Buyer, THROTTLED),
    row("splits its bid", "bid_splitter", Seller, IN_NUMBERS),
    row("has all the money there is, beside a client that pays nothing", "whale", Seller, BESIDE),
    row(
        "has no deposit",
        "unfunded",
        Seller,
        Test(BUYERS, "test_who_has_set_nothing_aside_gets_no_credit"),
    ),
    row(
        "owes on a cheque",
        "bounced",
        Seller,
        Test(SUITE, "a_cheque_without_cover_burns_the_bond_stays_owed_and_is_repaid_later"),
    ),
    row(
        "buys more than its bond is good for, under a lock",
        "under_lock",
        Seller,
        Test(SUITE, "money_comes_out_after_its_delays_and_locks_when_the_payee_agrees"),
    ),
];

const HEAD: &str = "\
# Who may cheat in paid lanes, and what it costs

Written by `piecework-sim --adversaries`; the list is in `crates/sim/src/adversaries.rs`. The simulator
plays each scenario in virtual time with the machines of `crates/pay`. The loss is the most that one
honest node had at the end of a run, of two seeds, in bytes at the lowest price: of a seller, what it
has served and was not paid, be it that the buyer was about to pay when the run ended; of a buyer, what
it has paid above the lowest price of what it verified. The last column names a test over real sockets
or on a real chain, or says why there is none.
";

/// The document, after `seeds` runs of each scenario.
pub fn adversaries(seeds: u64) -> String {
    document(|row| {
        let Some(scenario) = by_name(row.scenario) else { return "no such scenario".to_owned() };
        loss(scenario, row.honest, seeds)
    })
}

fn loss(scenario: &Scenario, honest: Honest, seeds: u64) -> String {
    let mut most = 0;
    for seed in 1..=seeds {
        let report = scenario.run(seed);
        if let Some(violation) = report.violations.first() {
            return format!("seed {seed} failed: {violation}");
        }
        let Some(market) = report.market else { continue };
        let overpaid = market.lines.iter().map(|line| line.overpaid()).max().unwrap_or(0);
        most = most.max(match honest {
            Seller => market.loss_most(),
            Buyer => overpaid,
            Nobody => 0,
        });
    }
    match honest {
        Seller => format!("seller {most}"),
        Buyer => format!("buyer {most}"),
        Nobody => "no money".to_owned(),
    }
}

fn document(loss: impl Fn(&Row) -> String) -> String {
    let mut text = HEAD.to_owned();
    for (title, rows) in [("What goes wrong", &FAILURES[..]), ("Who cheats", &ADVERSARIES[..])] {
        let _ = write!(text, "\n## {title}\n\n| | scenario | most lost | real test |\n|-|-|-|-|\n");
        for row in rows {
            let proof = match row.proof {
                Test(path, name) => format!("`{name}` in `{path}`"),
                Proof::None(why) => format!("none: {why}"),
            };
            let _ =
                writeln!(text, "| {} | `{}` | {} | {proof} |", row.what, row.scenario, loss(row));
        }
    }
    text
}

#[cfg(test)]
mod tests;
