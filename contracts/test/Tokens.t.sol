// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Base} from "./Base.sol";
import {Odd} from "./Odd.sol";
import {Cheque, Claim} from "../src/IVault.sol";
import {Token} from "../src/Token.sol";
import {Transfers} from "../src/Transfers.sol";
import {Vault} from "../src/Vault.sol";
import {vm} from "./Vm.sol";

/// Rule 8: tokens that keep to nothing, and tokens that call back.
contract TokensTest is Base {
    Odd private odd;

    /// Everything here is in the odd token.
    function setUp() public override {
        vm.warp(START);
        vault = _newVault();
        odd = new Odd();
        token = Token(address(odd));
        odd.mint(payer, FUNDS + BOND);
        vm.startPrank(payer);
        vault.deposit(address(odd), FUNDS);
        vault.bond(address(odd), BOND);
        vm.stopPrank();
    }

    function test_a_token_that_returns_nothing_is_handled() public {
        odd.turn(Odd.Way.ReturnsNothing);
        _same(_cash(1000), 1000);
        _same(odd.balanceOf(payee), 1000);
        odd.mint(payer, 5);
        vm.startPrank(payer);
        vault.deposit(address(odd), 5);
        vault.requestExit(address(odd), 2 * FUNDS);
        vault.requestBondExit(address(odd));
        vm.warp(START + 7 days);
        _same(vault.exit(address(odd)), FUNDS - 995);
        _same(vault.bondExit(address(odd)), BOND);
        _same(odd.balanceOf(payer), FUNDS + BOND - 995);
    }

    function test_what_a_token_does_not_transfer_stays_as_credit() public {
        Odd.Way[2] memory ways = [Odd.Way.ReturnsFalse, Odd.Way.Reverts];
        for (uint128 n = 0; n < ways.length; n++) {
            odd.turn(ways[n]);
            vm.expectEmit(address(vault));
            emit Credited(payee, address(odd), 1000);
            _same(_cash((n + 1) * 1000), 1000);
            _same(_credit(payee), (n + 1) * 1000);
            vm.prank(payee);
            vm.expectRevert(Transfers.TransferFailed.selector);
            vault.withdraw(address(odd));
        }
        _same(odd.balanceOf(payee), 0);
        _demandSolvent([payer, payee]);
        odd.turn(Odd.Way.ReturnsTrue);
        vm.prank(payee);
        _same(vault.withdraw(address(odd)), 2000);
        _same(odd.balanceOf(payee), 2000);
        _same(_credit(payee), 0);
    }

    function test_a_failed_transfer_undoes_an_exit() public {
        vm.startPrank(payer);
        vault.requestExit(address(odd), FUNDS);
        vault.requestBondExit(address(odd));
        vm.warp(START + 7 days);
        odd.turn(Odd.Way.ReturnsFalse);
        vm.expectRevert(Transfers.TransferFailed.selector);
        vault.exit(address(odd));
        vm.expectRevert(Transfers.TransferFailed.selector);
        vault.bondExit(address(odd));
        odd.turn(Odd.Way.ReturnsTrue);
        _same(vault.exit(address(odd)), FUNDS);
        _same(vault.bondExit(address(odd)), BOND);
    }

    function test_an_answer_that_is_not_true_is_no_transfer() public {
        odd.turn(Odd.Way.ReturnsTwo);
        _cash(1000);
        _same(_credit(payee), 1000);
        odd.turn(Odd.Way.ReturnsShort);
        _cash(2000);
        _same(_credit(payee), 2000);
    }

    function test_a_long_answer_is_not_read() public {
        odd.turn(Odd.Way.ReturnsMuch);
        Claim memory claim = _claim(_cheque(1000), 0, 0);
        uint256 before = gasleft();
        _cash(claim);
        // 100,000 bytes would be 28,000 gas and more.
        require(before - gasleft() < 130_000, "the answer was copied");
        _same(odd.balanceOf(payee), 1000);
    }

    function test_a_deposit_changes_the_balance_by_exactly_its_amount() public {
        odd.mint(payer, 3000);
        Odd.Way[2] memory ways = [Odd.Way.KeepsFee, Odd.Way.GivesBonus];
        vm.startPrank(payer);
        for (uint256 n = 0; n < ways.length; n++) {
            odd.turn(ways[n]);
            vm.expectRevert(Transfers.InexactTransfer.selector);
            vault.deposit(address(odd), 1000);
            vm.expectRevert(Transfers.InexactTransfer.selector);
            vault.bond(address(odd), 1000);
        }
        odd.turn(Odd.Way.ReturnsFalse);
        vm.expectRevert(Transfers.TransferFailed.selector);
        vault.deposit(address(odd), 1000);
        odd.turn(Odd.Way.ReturnsTrue);
        vault.deposit(address(odd), 1000);
        vm.stopPrank();
        _same(_account(payer).free, FUNDS + 1000);
    }

    function test_what_is_no_token_takes_no_deposit() public {
        vm.startPrank(payer);
        vm.expectRevert();
        vault.deposit(other, 1);
        vm.expectRevert();
        vault.deposit(address(vault), 1);
        vm.expectRevert();
        vault.deposit(address(1), 0);
    }

    function test_a_cheque_to_the_vault_stays_as_credit() public {
        Cheque memory cheque = _cheque(1000);
        cheque.payee = address(vault);
        _same(_cash(cheque), 1000);
        _same(_credit(address(vault)), 1000);
        _demandSolvent([payer, address(vault)]);
    }

    function test_a_token_that_is_called_gets_into_nothing() public {
        Claim memory claim = _claim(_cheque(1000), 0, 0);
        odd.mint(payer, 1000);
        odd.callBack(address(vault), _everything());
        // Each function that calls a token: in, out, and out to a payee.
        vm.prank(payer);
        vault.deposit(address(odd), 500);
        _demandAllRefused(15);
        vm.prank(payer);
        vault.bond(address(odd), 500);
        _demandAllRefused(30);
        _same(_cash(claim), 1000);
        _demandAllRefused(45);
        odd.turn(Odd.Way.Reverts);
        _cash(1100);
        odd.turn(Odd.Way.CallsBack);
        vm.prank(payee);
        _same(vault.withdraw(address(odd)), 100);
        _demandAllRefused(60);
        vm.startPrank(payer);
        vault.requestExit(address(odd), 100);
        vault.requestBondExit(address(odd));
        vm.warp(START + 7 days);
        vault.exit(address(odd));
        _demandAllRefused(75);
        vault.bondExit(address(odd));
        _demandAllRefused(90);
        vm.stopPrank();
        _cash(FUNDS + 1000);
        odd.mint(payer, 10);
        vm.prank(payer);
        vault.deposit(address(odd), 10);
        _same(_repay(), 10);
        _demandAllRefused(135);
    }

    function _demandAllRefused(uint256 count) private view {
        _same(odd.answerCount(), count, "calls back");
        for (uint256 n = 0; n < count; n++) {
            bytes memory refusal = abi.encodeWithSelector(Reentered.selector);
            require(keccak256(odd.answers(n)) == keccak256(refusal), "something was let in");
        }
    }

    function _everything() private view returns (bytes[] memory calls) {
        address t = address(odd);
        Claim memory c = _claim(_cheque(5000), 0, 0);
        Claim[] memory claims = new Claim[](1);
        claims[0] = c;
        calls = new bytes[](15);
        calls[0] = abi.encodeCall(Vault.deposit, (t, 0));
        calls[1] = abi.encodeCall(Vault.bond, (t, 0));
        calls[2] = abi.encodeCall(Vault.creditToVault, (t, 0, 0));
        calls[3] = abi.encodeCall(Vault.cash, (c.cheque, c.i, c.w, c.sig, c.delegate, c.dsig));
        calls[4] = abi.encodeCall(Vault.cashMany, (claims));
        calls[5] = abi.encodeCall(Vault.repay, (payer, payee, t, uint64(START), CHANNEL));
        calls[6] = abi.encodeCall(Vault.withdraw, (t));
        calls[7] = abi.encodeCall(Vault.revoke, (bytes32(0)));
        calls[8] = abi.encodeCall(Vault.revokeAll, (t));
        calls[9] = abi.encodeCall(Vault.requestExit, (t, 0));
        calls[10] = abi.encodeCall(Vault.exit, (t));
        calls[11] = abi.encodeCall(Vault.requestBondExit, (t));
        calls[12] = abi.encodeCall(Vault.bondExit, (t));
        calls[13] = abi.encodeCall(Vault.lock, (payee, t, 0, 0));
        calls[14] = abi.encodeCall(Vault.closeLock, (payer, payee, t, ""));
    }
}
