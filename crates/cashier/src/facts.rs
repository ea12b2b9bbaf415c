//! From what the Vault says to what a till and a purse reckon with.
//!
//! Where what counts and what is about to count differ, the worse of both is taken: a deposit helps when no
//! reorganisation takes it back, an exit or a cheque of somebody else hurts from its first block on.

use piecework_pay::{Facts, FactsKey, Network};
use piecework_settle::{Answer, Question, Statement};

/// Wei of one coin.
const COIN: u128 = 1_000_000_000_000_000_000;

/// What is the same for all answers of one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Moment {
    /// The chain's time, seconds since 1970.
    pub(crate) chain_time: u64,
    /// What cashing one cheque costs, in the token.
    pub(crate) fee: u128,
}

/// The question that a key stands for.
pub(crate) fn question(key: &FactsKey) -> Question {
    let FactsKey { network: Network { token, .. }, payer, payee, delegation, channel, .. } = *key;
    Question { payer, payee, token, channel, delegation }
}

/// The facts in an answer; `valid_until` is the delegation's end, 0 without one.
pub(crate) fn facts(answer: &Answer, valid_until: u64, moment: Moment) -> Facts {
    let (old, new) = (&answer.settled, &answer.newest);
    let mut facts = of(new, valid_until, moment);
    // Funded a moment ago: that it stays so is not known yet.
    facts.is_final = old.account.epoch > 0;
    if !facts.is_final {
        return facts;
    }
    let old = of(old, valid_until, moment);
    Facts {
        free: facts.free.min(old.free),
        bond: facts.bond.min(old.bond),
        lock: facts.lock.min(old.lock),
        lock_until: facts.lock_until.min(old.lock_until),
        // What is paid can be unpaid until it counts.
        paid: facts.paid.min(old.paid),
        owed: facts.owed.max(old.owed),
        exit: facts.exit.max(old.exit),
        bond_exits: facts.bond_exits || old.bond_exits,
        ..facts
    }
}

/// What a fee in wei is worth at so many of the token's smallest units a coin, rounded up.
pub(crate) fn in_token(fee_wei: u128, coin_price: u128) -> u128 {
    // The product of two 128-bit numbers may not fit; then the quotient is near enough.
    match fee_wei.checked_mul(coin_price) {
        Some(product) => product.div_ceil(COIN),
        None => (fee_wei.div_ceil(COIN)).saturating_mul(coin_price),
    }
}

fn of(statement: &Statement, valid_until: u64, moment: Moment) -> Facts {
    let Statement { account, lock, channel, delegation } = statement;
    let is_void = |until: u64| valid_until > 0 && valid_until <= until;
    Facts {
        free: account.free,
        exit: account.exit_amount,
        bond: account.bond,
        bond_exits: account.bond_exit_at > 0,
        epoch: account.epoch,
        bounces: account.bounces.into(),
        owed: account.owed.saturating_to(),
        lock: lock.amount,
        lock_until: lock.until,
        spent: delegation.spent,
        revoked: delegation.revoked_at > 0
            || is_void(account.void_until)
            || is_void(account.voiding_until),
        claimed: channel.claimed,
        paid: channel.paid,
        is_final: true,
        chain_time: moment.chain_time,
        fee: moment.fee,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use piecework_settle::{Account, ChannelState, Lock};

    const MOMENT: Moment = Moment { chain_time: 50, fee: 3 };

    fn funded(free: u128, bond: u128) -> Statement {
        let account = Account { free, bond, epoch: 9, ..Account::default() };
        Statement { account, ..Statement::default() }
    }

    #[test]
    fn a_deposit_that_may_be_taken_back_is_told_and_is_not_final() {
        let newest = funded(100, 50);
        let got = facts(&Answer { settled: Statement::default(), newest }, 0, MOMENT);
        assert_eq!((got.free, got.bond, got.epoch, got.is_final), (100, 50, 9, false));
        let got = facts(&Answer { settled: newest, newest }, 0, MOMENT);
        assert_eq!((got.free, got.is_final, got.chain_time, got.fee), (100, true, 50, 3));
    }

    #[test]
    fn of_what_counts_and_what_is_about_to_the_worse_is_taken() {
        let mut settled = funded(100, 50);
        settled.lock = Lock { amount: 7, until: 1_000, nonce: 0 };
        settled.channel = ChannelState { claimed: 10, paid: 10 };
        let mut newest = funded(60, 90);
        newest.account.exit_amount = 20;
        newest.account.bounces = 1;
        newest.lock = Lock { amount: 9, until: 2_000, nonce: 0 };
        newest.channel = ChannelState { claimed: 40, paid: 40 };
        let got = facts(&Answer { settled, newest }, 0, MOMENT);
        assert_eq!((got.free, got.bond, got.exit, got.bounces), (60, 50, 20, 1));
        assert_eq!((got.lock, got.lock_until), (7, 1_000));
        assert_eq!((got.claimed, got.paid), (40, 10));
        assert!(got.is_final);
    }

    #[test]
    fn whoever_revokes_all_revokes_what_ends_up_to_then_and_nothing_later() {
        let mut statement = funded(1, 1);
        statement.account.voiding_until = 700;
        let answer = Answer { settled: statement, newest: statement };
        let revoked = |until| facts(&answer, until, MOMENT).revoked;
        assert_eq!((revoked(700), revoked(701), revoked(0)), (true, false, false));
    }

    #[test]
    fn a_fee_in_the_token_is_rounded_up_and_never_overflows() {
        assert_eq!(in_token(COIN / 2, 3), 2);
        assert_eq!(in_token(0, u128::MAX), 0);
        assert_eq!(in_token(1, 0), 0);
        assert_eq!(in_token(COIN, u128::MAX), u128::MAX);
        assert_eq!(in_token(u128::MAX, u128::MAX), u128::MAX);
    }
}
