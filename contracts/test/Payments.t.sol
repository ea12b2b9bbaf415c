// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Base} from "./Base.sol";
import {Cheque, Claim, Fault} from "../src/IVault.sol";
import {vm} from "./Vm.sol";

/// Rules 4 and 6: who is paid what, and what happens when there is not enough.
contract PaymentsTest is Base {
    // Rule 4: paid once

    function test_a_higher_cheque_pays_the_difference() public {
        _same(_cash(1000), 1000);
        _same(_cash(2500), 1500);
        _same(token.balanceOf(payee), 2500);
        _same(_channel().claimed, 2500);
        _same(_channel().paid, 2500);
    }

    function test_the_same_and_a_lower_cheque_pay_nothing_more() public {
        _cash(1000);
        _same(_cash(1000), 0);
        _same(_cash(999), 0);
        _same(_cash(0), 0);
        _same(token.balanceOf(payee), 1000);
        _same(_account(payer).bounces, 0);
        _same(_account(payer).owed, 0);
    }

    function test_channels_are_paid_apart() public {
        Cheque memory cheque = _cheque(1000);
        _cash(cheque);
        cheque.channel += 1;
        _same(_cash(cheque), 1000);
        _same(_cash(cheque), 0);
    }

    function test_payees_are_paid_apart() public {
        Cheque memory cheque = _cheque(1000);
        _cash(cheque);
        cheque.payee = other;
        _same(_cash(cheque), 1000);
        _same(token.balanceOf(other), 1000);
    }

    function test_money_that_is_to_be_taken_back_still_pays() public {
        vm.prank(payer);
        vault.requestExit(address(token), FUNDS);
        _same(_cash(FUNDS), FUNDS);
        vm.warp(START + 24 hours);
        vm.prank(payer);
        _same(vault.exit(address(token)), 0);
    }

    // Rule 4: bounces

    function test_a_bounce_pays_what_is_there_and_burns_the_bond() public {
        vm.expectEmit(address(vault));
        emit Bounced(payer, payee, address(token), 0, 5, BOND);
        _same(_cash(FUNDS + 5), FUNDS);
        _same(_account(payer).free, 0);
        _same(_account(payer).bond, 0);
        _same(_account(payer).bounces, 1);
        _same(_account(payer).owed, 5);
        _same(vault.burned(address(token)), BOND);
        _same(token.balanceOf(address(vault)), BOND);
        _demandSolvent([payer, payee]);
    }

    function test_a_cheque_that_takes_all_is_no_bounce() public {
        _same(_cash(FUNDS), FUNDS);
        _same(_account(payer).bounces, 0);
        _same(_account(payer).bond, BOND);
    }

    function test_the_bond_never_pays() public {
        _cash(FUNDS + BOND);
        _same(token.balanceOf(payee), FUNDS);
        _same(_account(payer).owed, BOND);
    }

    function test_showing_a_bounced_cheque_again_is_no_new_bounce() public {
        _cash(FUNDS + 5);
        _fund(payer, 0, 100);
        _same(_cash(FUNDS + 5), 0);
        _same(_cash(FUNDS + 4), 0);
        _same(_cash(0), 0);
        _same(_channel().claimed, FUNDS + 5);
        _same(_account(payer).bounces, 1);
        _same(_account(payer).bond, 100);
        _same(_account(payer).owed, 5);
    }

    function test_a_higher_cheque_is_a_new_bounce() public {
        _cash(FUNDS + 5);
        _fund(payer, 0, 100);
        _cash(FUNDS + 6);
        _same(_account(payer).bounces, 2);
        _same(_account(payer).bond, 0);
        _same(_account(payer).owed, 6);
        _same(vault.burned(address(token)), BOND + 100);
    }

    function test_a_raise_that_is_paid_while_older_debt_is_not_is_a_bounce() public {
        _cash(FUNDS + 5);
        _fund(payer, 3, 100);
        _same(_cash(FUNDS + 6), 3);
        _same(_account(payer).bounces, 2);
        _same(_account(payer).owed, 3);
    }

    function test_an_old_cheque_is_paid_later_from_new_funds() public {
        _cash(FUNDS + 500);
        _fund(payer, 200, 0);
        _same(_cash(FUNDS + 500), 200);
        _fund(payer, 900, 0);
        // Even a lower one tries to pay the rest of the highest.
        _same(_cash(1), 300);
        _same(_account(payer).owed, 0);
        _same(_account(payer).free, 600);
        _same(_account(payer).bounces, 1);
        _same(token.balanceOf(payee), FUNDS + 500);
    }

    function test_a_bounce_without_a_bond_is_counted_all_the_same() public {
        _fund(other, 10, 0);
        Cheque memory cheque = _cheque(11);
        (cheque.payer, cheque.epoch) = (other, _account(other).epoch);
        Claim memory claim = _claim(cheque, 0, 0);
        claim.sig = _sign(OTHER_KEY, _hash(cheque));
        _same(_cash(claim), 10);
        _same(_account(other).bounces, 1);
        _same(vault.burned(address(token)), 0);
    }

    function test_debts_add_up_over_channels_and_payees() public {
        Cheque memory cheque = _cheque(FUNDS + 5);
        _cash(cheque);
        cheque.channel += 1;
        cheque.cumulative = 10;
        _cash(cheque);
        cheque.payee = other;
        _cash(cheque);
        _same(_account(payer).owed, 25);
        _fund(payer, 12, 0);
        _same(_repay(), 5);
        _same(_account(payer).owed, 20);
    }

    function test_no_debt_is_so_large_that_a_cheque_reverts() public {
        Cheque memory cheque = _cheque(type(uint128).max);
        for (uint64 n = 0; n < 3; n++) {
            cheque.channel = 100 + n;
            _cash(cheque);
        }
        _same(_account(payer).owed, 3 * uint256(type(uint128).max) - FUNDS);
        _same(_cash(10), 0);
        _fund(payer, 10, 0);
        _same(_repay(), 10);
    }

    function test_no_total_is_so_large_that_a_cheque_reverts() public {
        uint128 large = type(uint120).max;
        _fund(payer, large, 0);
        _same(_cash(large), large);
        _same(_account(payer).totalPaid, large);
        _same(_cash(large + 1000), 1000);
        _same(_account(payer).totalPaid, large);
    }

    // Rule 4: repay

    function test_anyone_makes_a_debt_be_paid_and_it_is_no_bounce() public {
        _cash(FUNDS + 500);
        _fund(payer, 200, 50);
        vm.prank(other);
        _same(_repay(), 200);
        _same(_repay(), 0);
        _fund(payer, 900, 0);
        _same(_repay(), 300);
        _same(_repay(), 0);
        _same(token.balanceOf(payee), FUNDS + 500);
        _same(_account(payer).bounces, 1);
        _same(_account(payer).bond, 50);
        _same(_account(payer).owed, 0);
        _same(_account(payer).free, 600);
        _same(_account(payer).totalPaid, FUNDS + 500);
    }

    function test_without_a_debt_repay_pays_nothing() public {
        _same(_repay(), 0);
        _cash(1000);
        _same(_repay(), 0);
        _same(token.balanceOf(payee), 1000);
    }

    // Rule 6

    function test_cash_many_credits_and_transfers_nothing() public {
        Claim[] memory claims = new Claim[](3);
        claims[0] = _claim(_cheque(1000), 0, 0);
        claims[1] = _claim(_cheque(1500), 0, 0);
        claims[2] = claims[0];
        vault.cashMany(claims);
        _same(token.balanceOf(payee), 0);
        _same(_credit(payee), 1500);
        _demandSolvent([payer, payee]);
        vm.prank(payee);
        _same(vault.withdraw(address(token)), 1500);
        _same(token.balanceOf(payee), 1500);
        vm.prank(payee);
        _same(vault.withdraw(address(token)), 0);
        _same(_cash(1500), 0);
    }

    function test_cash_many_credits_each_payee_what_is_his() public {
        Claim[] memory claims = new Claim[](5);
        uint128[5] memory amounts = [uint128(10), 20, 300, 4000, 50000];
        address[5] memory payees = [payee, payee, other, payee, session];
        for (uint64 n = 0; n < 5; n++) {
            Cheque memory cheque = _cheque(amounts[n]);
            (cheque.payee, cheque.channel) = (payees[n], n);
            claims[n] = _claim(cheque, 0, 0);
        }
        vault.cashMany(claims);
        _same(_credit(payee), 4030);
        _same(_credit(other), 300);
        _same(_credit(session), 50000);
    }

    function test_cash_many_skips_what_is_invalid_and_says_so() public {
        Claim[] memory claims = new Claim[](3);
        claims[0] = _claim(_cheque(1000), 0, 0);
        claims[0].sig = "";
        claims[1] = _claim(_cheque(1000), 1, 0);
        claims[2] = _claim(_cheque(700), 0, 0);
        vm.expectEmit(address(vault));
        emit Skipped(0, Fault.BadSignature);
        vm.expectEmit(address(vault));
        emit Skipped(1, Fault.LinkOutOfRange);
        vault.cashMany(claims);
        _same(_credit(payee), 700);
    }

    function test_cash_many_bounces_as_cash_does() public {
        Claim[] memory claims = new Claim[](2);
        claims[0] = _claim(_cheque(FUNDS + 5), 0, 0);
        claims[1] = claims[0];
        vault.cashMany(claims);
        _same(_credit(payee), FUNDS);
        _same(_account(payer).bounces, 1);
        _same(_account(payer).owed, 5);
        _same(vault.burned(address(token)), BOND);
        _demandSolvent([payer, payee]);
    }

    function test_cash_many_takes_256_and_no_more() public {
        Claim[] memory claims = new Claim[](256);
        for (uint128 n = 0; n < 256; n++) claims[n] = _claim(_cheque(n + 1), 0, 0);
        vault.cashMany(claims);
        _same(_credit(payee), 256);
        vm.expectRevert(TooManyClaims.selector);
        vault.cashMany(new Claim[](257));
    }

    function test_earnings_become_funds_and_bond_without_a_transfer() public {
        Claim[] memory claims = new Claim[](1);
        claims[0] = _claim(_cheque(1000), 0, 0);
        vault.cashMany(claims);
        vm.startPrank(payee);
        vm.expectRevert(InsufficientCredit.selector);
        vault.creditToVault(address(token), 600, 401);
        vault.creditToVault(address(token), 600, 300);
        vm.stopPrank();
        _same(_credit(payee), 100);
        _same(_account(payee).free, 600);
        _same(_account(payee).bond, 300);
        _same(token.balanceOf(payee), 0);
        _demandSolvent([payer, payee]);
    }

    function test_what_is_paid_is_told() public {
        vm.expectEmit(address(vault));
        emit Paid(payer, payee, address(token), CHANNEL, 1000, 1000, 1000, 0);
        _cash(1000);
        vm.expectEmit(address(vault));
        emit Paid(payer, payee, address(token), CHANNEL, FUNDS + 9, FUNDS, FUNDS - 1000, 0);
        _cash(FUNDS + 9);
        _fund(payer, 4, 0);
        vm.expectEmit(address(vault));
        emit Paid(payer, payee, address(token), CHANNEL, FUNDS + 9, FUNDS + 4, 4, 0);
        _repay();
    }

    function testFuzz_any_order_of_cheques_pays_the_highest_once(uint128[8] memory values, uint8 batched) public {
        uint256 highest;
        for (uint256 n = 0; n < values.length; n++) {
            values[n] = uint128(_bounded(values[n], 0, 2 * FUNDS));
            if (values[n] > highest) highest = values[n];
            Claim[] memory claims = new Claim[](1);
            claims[0] = _claim(_cheque(values[n]), 0, 0);
            if (batched >> n & 1 == 1) vault.cashMany(claims);
            else _cash(claims[0]);
        }
        uint256 paid = highest < FUNDS ? highest : FUNDS;
        _same(token.balanceOf(payee) + _credit(payee), paid);
        _same(_account(payer).owed, highest - paid);
        _same(_account(payer).bond, highest > FUNDS ? 0 : BOND);
        _demandSolvent([payer, payee]);
    }
}
