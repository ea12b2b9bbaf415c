use super::*;
use alloy_primitives::Address;

const NOW: u64 = 1_800_000_000;
const HOUR: u64 = 3600;

/// A bond that answers for 100,000, and 5 % of what is free is 200,000.
fn facts() -> Facts {
    Facts {
        free: 4_000_000,
        bond: 256 * 100_000,
        epoch: 5,
        is_final: true,
        chain_time: NOW,
        fee: 100,
        ..Facts::default()
    }
}

fn delegate() -> Delegate {
    Delegate {
        owner: Address::new([1; 20]),
        session: Address::new([2; 20]),
        token: Address::new([3; 20]),
        max_amount: 1_000_000,
        bond_at_risk: 256 * 50_000,
        valid_until: NOW + 48 * HOUR,
    }
}

fn limit(amount: u128) -> Exposure {
    Exposure::Limit { amount, first_window_only: false }
}

#[test]
fn an_account_may_owe_a_share_of_its_bond_or_a_part_of_what_is_free_whichever_is_less() {
    assert_eq!(exposure(&facts(), None, NOW), limit(100_000));
    assert_eq!(exposure(&Facts { free: 1_000_000, ..facts() }, None, NOW), limit(50_000));
}

#[test]
fn what_is_on_its_way_out_does_not_count() {
    let leaving = Facts { exit: 3_000_000, ..facts() };
    assert_eq!(exposure(&leaving, None, NOW), limit(50_000));
    let more_than_all = Facts { exit: 5_000_000, ..facts() };
    assert_eq!(exposure(&more_than_all, None, NOW), Exposure::Little);
    assert_eq!(exposure(&Facts { bond_exits: true, ..facts() }, None, NOW), Exposure::Little);
}

#[test]
fn a_session_key_may_owe_what_its_owner_risks_and_has_left_for_it() {
    assert_eq!(exposure(&facts(), Some(&delegate()), NOW), limit(50_000));
    let spent = Facts { spent: 990_000, ..facts() };
    assert_eq!(exposure(&spent, Some(&delegate()), NOW), limit(10_000));
    let used_up = Facts { spent: 1_000_000, ..facts() };
    let refused = Exposure::Refused(Unworthy::Delegation);
    assert_eq!(exposure(&used_up, Some(&delegate()), NOW), refused);
}

#[test]
fn a_delegation_that_is_revoked_or_has_under_48_hours_left_is_refused_by_the_later_clock() {
    let refused = Exposure::Refused(Unworthy::Delegation);
    assert_eq!(exposure(&facts(), Some(&delegate()), NOW + 1), refused);
    let later = Facts { chain_time: NOW + 1, ..facts() };
    assert_eq!(exposure(&later, Some(&delegate()), NOW - 24 * HOUR), refused);
    let revoked = Facts { revoked: true, ..facts() };
    assert_eq!(exposure(&revoked, Some(&delegate()), NOW), refused);
    // What a delegation is, is nothing to an account that signs itself.
    assert_eq!(exposure(&revoked, None, NOW), limit(100_000));
}

#[test]
fn under_25_times_the_fee_there_is_only_the_free_lane() {
    assert_eq!(exposure(&Facts { fee: 4_000, ..facts() }, None, NOW), limit(100_000));
    assert_eq!(exposure(&Facts { fee: 4_001, ..facts() }, None, NOW), Exposure::Little);
    assert_eq!(exposure(&Facts { bond: 0, fee: 0, ..facts() }, None, NOW), Exposure::Little);
}

#[test]
fn who_owes_is_refused_and_who_was_never_funded_too() {
    let owes = Exposure::Refused(Unworthy::Owes);
    assert_eq!(exposure(&Facts { owed: 1, ..facts() }, None, NOW), owes);
    let unfunded = Exposure::Refused(Unworthy::Unfunded);
    assert_eq!(exposure(&Facts { epoch: 0, ..facts() }, None, NOW), unfunded);
    assert_eq!(exposure(&Facts::default(), None, NOW), unfunded);
}

#[test]
fn a_bounce_that_was_made_good_or_a_deposit_that_is_not_final_leaves_the_first_window() {
    let first = Exposure::Limit { amount: 100_000, first_window_only: true };
    assert_eq!(exposure(&Facts { bounces: 1, ..facts() }, None, NOW), first);
    assert_eq!(exposure(&Facts { is_final: false, ..facts() }, None, NOW), first);
}

#[test]
fn a_lock_adds_to_it_until_a_day_before_its_end() {
    let locked = |until| Facts { lock: 7_000_000, lock_until: until, ..facts() };
    assert_eq!(exposure(&locked(NOW + 24 * HOUR + 1), None, NOW), limit(7_100_000));
    assert_eq!(exposure(&locked(NOW + 24 * HOUR), None, NOW), limit(100_000));
    // A session key has no more than its own sum, lock or not.
    let most = exposure(&locked(NOW + 99 * HOUR), Some(&delegate()), NOW);
    assert_eq!(most, limit(1_000_000));
}

#[test]
fn the_largest_numbers_do_not_overflow() {
    let most = Facts {
        free: u128::MAX,
        bond: u128::MAX,
        lock: u128::MAX,
        lock_until: u64::MAX,
        fee: u128::MAX,
        ..facts()
    };
    assert_eq!(exposure(&most, None, NOW), limit(u128::MAX));
    assert_eq!(exposure(&most, None, u64::MAX), Exposure::Little);
}
