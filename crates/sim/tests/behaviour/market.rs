use super::plays;
use piecework_sim::MarketReport;

/// Plays seeds and answers what each market came to.
fn markets(name: &str, seeds: u64) -> Vec<MarketReport> {
    let reports = plays(name, seeds).into_iter();
    reports.map(|report| report.market.expect("a market")).collect()
}

#[test]
fn each_paid_lane_gets_its_share_and_the_free_one_its_floor() {
    plays("paid_lanes", 4);
    plays("whale", 2);
}

#[test]
fn paid_bytes_come_within_three_round_trips() {
    plays("first_bytes", 4);
}

#[test]
fn a_bid_that_is_split_gains_nothing() {
    plays("bid_splitter", 4);
}

#[test]
fn a_buyer_that_does_not_pay_gets_one_window() {
    for name in ["never_pays", "half_pays", "wrong_link", "skipped_link", "link_beyond_end"] {
        plays(name, 8);
    }
    plays("replayed_open", 2);
    plays("replayed_cheques", 4);
    plays("lower_cheque", 2);
}

#[test]
fn a_session_key_is_worth_what_it_was_allowed() {
    plays("stolen_session", 4);
    plays("drain_session", 2);
}

#[test]
fn a_chain_that_is_silent_or_dear_and_a_lock_change_when_is_cashed() {
    for name in ["dear_chain", "under_lock"] {
        plays(name, 2);
    }
    plays("silent_chain", 1);
}

#[test]
fn a_seller_that_cheats_is_not_paid_for_it() {
    let counts = ["corrupts", "inflated_stat", "retroactive_ask", "ignores_cancels"];
    let prices = ["gouger", "throttles", "shill"];
    for name in counts.into_iter().chain(prices) {
        plays(name, 8);
    }
}

#[test]
fn an_account_that_is_emptied_costs_each_seller_its_bound_and_the_cheat_its_bond() {
    plays("over_promiser", 2);
    for market in markets("drain_32", 2) {
        assert!(market.burned > 0 && market.gain() < 0, "{}", market.gain());
    }
}

#[test]
fn an_account_that_is_not_what_it_seems_costs_a_seller_its_bound_at_most() {
    for name in ["exit_and_buy", "reorged_deposit", "unfunded", "bounced"] {
        plays(name, 4);
    }
}

#[test]
fn books_add_up_after_power_fails_and_with_clocks_that_are_wrong() {
    let crashes = ["payer_crashes", "seller_crashes", "old_backup", "lost_database"];
    for name in crashes.into_iter().chain(["clock_off"]) {
        plays(name, 4);
    }
}
