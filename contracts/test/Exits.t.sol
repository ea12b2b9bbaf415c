// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Base} from "./Base.sol";
import {Cheque, Claim} from "../src/IVault.sol";
import {vm} from "./Vm.sol";

/// Rule 7: how a payer gets back what no cheque has taken, and how long that takes.
contract ExitsTest is Base {
    function _request(uint128 amount) private {
        vm.prank(payer);
        vault.requestExit(address(token), amount);
    }

    function _exit() private returns (uint128) {
        vm.prank(payer);
        return vault.exit(address(token));
    }

    function _exitRefused(bytes memory why) private {
        vm.expectRevert(why);
        _exit();
    }

    function _requestBond() private {
        vm.prank(payer);
        vault.requestBondExit(address(token));
    }

    function _bondExit() private returns (uint128) {
        vm.prank(payer);
        return vault.bondExit(address(token));
    }

    function _bondExitRefused(bytes memory why) private {
        vm.expectRevert(why);
        _bondExit();
    }

    function _notBefore(uint256 time) private pure returns (bytes memory) {
        return abi.encodeWithSelector(NotBefore.selector, uint40(time));
    }

    // Funds

    function test_an_exit_takes_24_hours() public {
        _exitRefused(abi.encodeWithSelector(NotRequested.selector));
        _request(600);
        vm.warp(START + 24 hours - 1);
        _exitRefused(_notBefore(START + 24 hours));
        vm.warp(START + 24 hours);
        _same(_exit(), 600);
        _same(token.balanceOf(payer), 600);
        _same(_account(payer).free, FUNDS - 600);
        _same(_account(payer).bond, BOND);
        _demandSolvent([payer, payee]);
    }

    function test_an_exit_is_used_up() public {
        _request(600);
        vm.warp(START + 24 hours);
        _exit();
        _exitRefused(abi.encodeWithSelector(NotRequested.selector));
        _same(_account(payer).exitAmount, 0);
    }

    function test_a_new_request_replaces_the_old_one_and_starts_anew() public {
        _request(600);
        vm.warp(START + 23 hours);
        _request(700);
        vm.warp(START + 46 hours);
        _exitRefused(_notBefore(START + 47 hours));
        vm.warp(START + 47 hours);
        _same(_exit(), 700);
    }

    function test_a_request_of_nothing_cancels() public {
        _request(600);
        _request(0);
        vm.warp(START + 10 days);
        _exitRefused(abi.encodeWithSelector(NotRequested.selector));
        _same(_account(payer).exitAmount, 0);
        _same(_account(payer).exitAt, 0);
    }

    function test_cheques_come_before_an_exit() public {
        _request(FUNDS);
        vm.warp(START + 24 hours - 1);
        _cash(FUNDS - 10);
        vm.warp(START + 24 hours);
        _same(_exit(), 10);
        _same(_account(payer).free, 0);
    }

    function test_an_exit_takes_what_is_requested_and_no_bond() public {
        _request(FUNDS + BOND);
        vm.warp(START + 24 hours);
        _same(_exit(), FUNDS);
        _same(_account(payer).bond, BOND);
    }

    function test_an_exit_is_of_its_own_account() public {
        _request(600);
        vm.warp(START + 24 hours);
        vm.prank(other);
        vm.expectRevert(NotRequested.selector);
        vault.exit(address(token));
    }

    function test_a_chain_that_counts_milliseconds_takes_no_funds() public {
        vm.warp(2 ** 40);
        token.transfer(other, 1);
        vm.startPrank(other);
        token.approve(address(vault), 1);
        vm.expectRevert(NotSeconds.selector);
        vault.deposit(address(token), 1);
        vm.stopPrank();
        vm.expectRevert(NotSeconds.selector);
        _request(600);
    }

    // Bond

    function test_a_bond_takes_7_days() public {
        _bondExitRefused(abi.encodeWithSelector(NotRequested.selector));
        _requestBond();
        vm.warp(START + 7 days - 1);
        _bondExitRefused(_notBefore(START + 7 days));
        vm.warp(START + 7 days);
        _same(_bondExit(), BOND);
        _same(token.balanceOf(payer), BOND);
        _same(_account(payer).bond, 0);
        _same(_account(payer).free, FUNDS);
        _bondExitRefused(abi.encodeWithSelector(NotRequested.selector));
        _demandSolvent([payer, payee]);
    }

    function test_who_owes_gets_no_bond_back() public {
        _requestBond();
        _cash(FUNDS + 5);
        _same(_account(payer).bond, 0);
        // Burned, and a new one that was given since.
        _fund(payer, 0, 300);
        _requestBond();
        vm.warp(START + 8 days);
        _bondExitRefused(abi.encodeWithSelector(StillOwed.selector, 5));
        _fund(payer, 5, 0);
        _repay();
        _same(_bondExit(), 300);
    }

    function test_a_bond_still_burns_while_its_exit_is_pending() public {
        _requestBond();
        vm.warp(START + 7 days);
        _cash(FUNDS + 5);
        _same(vault.burned(address(token)), BOND);
        _fund(payer, 5, 0);
        _repay();
        _same(_bondExit(), 0);
    }

    function test_a_bond_that_grows_stays_7_days_from_then() public {
        _requestBond();
        vm.warp(START + 7 days);
        _fund(payer, 0, 100);
        _bondExitRefused(abi.encodeWithSelector(NotRequested.selector));
        _requestBond();
        vm.warp(START + 14 days);
        _same(_bondExit(), BOND + 100);
    }

    function test_an_old_request_does_not_free_a_later_bond() public {
        vm.prank(other);
        vault.requestBondExit(address(token));
        vm.warp(START + 30 days);
        _fund(other, 10, 100);
        vm.prank(other);
        vm.expectRevert(NotRequested.selector);
        vault.bondExit(address(token));
    }

    function test_a_new_bond_request_starts_anew() public {
        _requestBond();
        vm.warp(START + 6 days);
        _requestBond();
        vm.warp(START + 7 days);
        _bondExitRefused(_notBefore(START + 13 days));
    }

    // Locks

    uint64 private constant UNTIL = uint64(START + 30 days);

    function _lock(uint128 amount, uint64 until) private {
        vm.prank(payer);
        vault.lock(payee, address(token), amount, until);
    }

    function _locked() private view returns (uint256) {
        return vault.lockOf(payer, payee, address(token)).amount;
    }

    function _close(bytes memory sig) private {
        vault.closeLock(payer, payee, address(token), sig);
    }

    function _closeRefused(bytes memory sig, bytes4 why) private {
        vm.expectRevert(why);
        _close(sig);
    }

    function test_a_lock_comes_from_what_is_free() public {
        _lock(400, UNTIL);
        _same(_locked(), 400);
        _same(_account(payer).free, FUNDS - 400);
        _demandSolvent([payer, payee]);
        vm.expectRevert(InsufficientFree.selector);
        _lock(FUNDS - 399, UNTIL);
    }

    function test_a_lock_only_grows() public {
        _lock(400, UNTIL);
        vm.expectRevert(LockShrinks.selector);
        _lock(100, UNTIL - 1);
        _lock(100, UNTIL);
        _lock(0, UNTIL + 1);
        _same(_locked(), 500);
        _same(vault.lockOf(payer, payee, address(token)).until, UNTIL + 1);
    }

    function test_a_lock_pays_before_what_is_free() public {
        _lock(400, UNTIL);
        _same(_cash(300), 300);
        _same(_locked(), 100);
        _same(_account(payer).free, FUNDS - 400);
        _same(_cash(1000), 700);
        _same(_locked(), 0);
        _same(_account(payer).free, FUNDS - 1000);
        _same(_account(payer).bounces, 0);
        _demandSolvent([payer, payee]);
    }

    function test_a_lock_pays_its_payee_only() public {
        _lock(FUNDS, UNTIL);
        Cheque memory cheque = _cheque(10);
        cheque.payee = other;
        _same(_cash(cheque), 0);
        _same(_account(payer).bounces, 1);
        _same(_cash(10), 10);
        // And a debt to the other is not paid from it later.
        _same(vault.repay(payer, other, address(token), uint64(START), CHANNEL), 0);
    }

    function test_a_lock_pays_debts_too() public {
        _cash(FUNDS + 500);
        _fund(payer, 300, 0);
        _lock(200, UNTIL);
        _same(_repay(), 300);
        _same(_locked(), 0);
        _same(_account(payer).owed, 200);
    }

    function test_no_exit_reaches_a_lock() public {
        _request(FUNDS);
        _lock(FUNDS, UNTIL);
        vm.warp(START + 24 hours);
        _same(_exit(), 0);
        _same(_locked(), FUNDS);
    }

    function test_the_payees_signature_closes_a_lock() public {
        _lock(400, UNTIL);
        _cash(100);
        bytes memory sig = _sign(PAYEE_KEY, _hashClose(payer, payee, 0));
        vm.prank(other);
        _close(sig);
        _same(_locked(), 0);
        _same(_account(payer).free, FUNDS - 100);
        _same(vault.lockOf(payer, payee, address(token)).nonce, 1);
        _same(vault.lockOf(payer, payee, address(token)).until, 0);
        _demandSolvent([payer, payee]);
    }

    function test_a_closing_signature_counts_once() public {
        _lock(400, UNTIL);
        bytes memory sig = _sign(PAYEE_KEY, _hashClose(payer, payee, 0));
        _close(sig);
        _lock(400, UNTIL);
        _closeRefused(sig, BadCloseSignature.selector);
        _close(_sign(PAYEE_KEY, _hashClose(payer, payee, 1)));
        _same(_account(payer).free, FUNDS);
    }

    function test_only_the_payee_closes_early() public {
        _lock(400, UNTIL);
        _closeRefused(_sign(PAYER_KEY, _hashClose(payer, payee, 0)), BadCloseSignature.selector);
        _closeRefused(_sign(PAYEE_KEY, _hashClose(payer, payee, 1)), BadCloseSignature.selector);
        _closeRefused(_sign(PAYEE_KEY, _hashClose(payee, payer, 0)), BadCloseSignature.selector);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYEE_KEY, _hashClose(payer, payee, 0));
        bytes memory twin = abi.encodePacked(r, bytes32(ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        _closeRefused(twin, BadCloseSignature.selector);
        vm.prank(payer);
        _closeRefused("", LockNotOver.selector);
        vm.prank(payee);
        _closeRefused("", LockNotOver.selector);
    }

    function test_a_lock_for_account_0_is_not_closed_by_an_unrecoverable_signature() public {
        vm.startPrank(payer);
        vault.lock(address(0), address(token), 400, UNTIL);
        vm.expectRevert(BadCloseSignature.selector);
        vault.closeLock(payer, address(0), address(token), abi.encodePacked(uint256(0), uint256(1), uint8(27)));
        vm.stopPrank();
    }

    function test_the_payer_closes_24_hours_after_the_end() public {
        _lock(400, UNTIL);
        vm.warp(UNTIL + 24 hours - 1);
        vm.prank(payer);
        _closeRefused("", LockNotOver.selector);
        vm.warp(UNTIL + 24 hours);
        vm.prank(other);
        _closeRefused("", LockNotOver.selector);
        vm.prank(payer);
        _close("");
        _same(_account(payer).free, FUNDS);
        _same(_locked(), 0);
    }

    function test_a_lock_without_end_ends_by_signature_only() public {
        _lock(400, type(uint64).max);
        vm.warp(START + 3650 days);
        vm.prank(payer);
        _closeRefused("", LockNotOver.selector);
        _close(_sign(PAYEE_KEY, _hashClose(payer, payee, 0)));
        _same(_account(payer).free, FUNDS);
    }

    // Whatever a payer does within its delay, a cheque that was covered stays covered. Steps: a request,
    // an exit, a bond request, a bond exit, a lock for the payee, a closing, a deposit.
    function testFuzz_nothing_that_a_cheque_covers_is_taken_back_within_24_hours(uint256 steps, uint128 value) public {
        value = uint128(_bounded(value, 1, FUNDS));
        Claim memory claim = _claim(_cheque(value), 0, 0);
        token.transfer(payer, 1000);
        uint256 wallet = token.balanceOf(payer);
        uint256 time = START;
        for (uint256 n = 0; n < 24; n++) {
            uint256 step = (steps >> (8 * n)) & 0xff;
            vm.prank(payer);
            (bool done,) = address(vault).call(_stepData(step % 7, uint128(step) * 9000));
            require(done || step % 7 != 0, "a request was refused");
            time += 1 hours - 1;
            vm.warp(time);
            require(token.balanceOf(payer) <= wallet, "taken back before the delay");
        }
        _same(_cash(claim), value);
        _same(_account(payer).bounces, 0);
    }

    function _stepData(uint256 step, uint128 amount) private view returns (bytes memory) {
        address t = address(token);
        if (step == 0) return abi.encodeCall(vault.requestExit, (t, amount));
        if (step == 1) return abi.encodeCall(vault.exit, (t));
        if (step == 2) return abi.encodeCall(vault.requestBondExit, (t));
        if (step == 3) return abi.encodeCall(vault.bondExit, (t));
        if (step == 4) return abi.encodeCall(vault.lock, (payee, t, amount, UNTIL));
        if (step == 5) return abi.encodeCall(vault.closeLock, (payer, payee, t, ""));
        return abi.encodeCall(vault.deposit, (t, 1));
    }
}
