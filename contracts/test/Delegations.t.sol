// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Base} from "./Base.sol";
import {Cheque, Claim, Delegate, Fault} from "../src/IVault.sol";
import {vm} from "./Vm.sol";

/// Rule 5: what a session key can promise, and what its theft can cost.
contract DelegationsTest is Base {
    function _spent(Delegate memory delegate) private view returns (uint256) {
        return vault.delegation(payer, _hash(delegate)).spent;
    }

    function _burnt(Delegate memory delegate) private view returns (uint256) {
        return vault.delegation(payer, _hash(delegate)).burnt;
    }

    function _on(uint64 channel, uint128 cumulative) private view returns (Cheque memory cheque) {
        cheque = _cheque(cumulative);
        cheque.channel = channel;
    }

    // The cap

    function test_a_session_pays_up_to_its_cap_over_all_channels() public {
        Delegate memory delegate = _delegate(1000, BOND);
        _same(_cash(_on(1, 400), delegate), 400);
        _same(_cash(_on(2, 300), delegate), 300);
        _same(_cash(_on(1, 700), delegate), 300);
        _same(_spent(delegate), 1000);
        _same(_account(payer).bounces, 0);
        _same(_account(payer).bond, BOND);
    }

    function test_what_exceeds_the_cap_is_never_owed_and_is_a_bounce() public {
        Delegate memory delegate = _delegate(1000, 70);
        vm.expectEmit(address(vault));
        emit Bounced(payer, payee, address(token), _hash(delegate), 500, 70);
        _same(_cash(_on(CHANNEL, 1500), delegate), 1000);
        _same(_channel().claimed, 1000);
        _same(_account(payer).owed, 0);
        _same(_account(payer).bounces, 1);
        _same(_account(payer).bond, BOND - 70);
        _same(vault.burned(address(token)), 70);
        _fund(payer, 1000, 0);
        _same(_repay(), 0);
    }

    function test_showing_what_exceeds_the_cap_again_is_no_new_bounce() public {
        Delegate memory delegate = _delegate(1000, BOND);
        _cash(_on(CHANNEL, 1500), delegate);
        _fund(payer, 0, 100);
        _same(_cash(_on(CHANNEL, 1500), delegate), 0);
        _same(_cash(_on(CHANNEL, 1200), delegate), 0);
        _same(_account(payer).bounces, 1);
        _same(_account(payer).bond, 100);
        _same(_spent(delegate), 1000);
    }

    function test_a_cheque_on_an_exhausted_cap_is_a_bounce_once() public {
        Delegate memory delegate = _delegate(1000, 70);
        _cash(_on(1, 1000), delegate);
        _same(_account(payer).bounces, 0);
        _same(_cash(_on(2, 10), delegate), 0);
        _same(_account(payer).bounces, 1);
        _same(_burnt(delegate), 70);
        _same(_cash(_on(2, 10), delegate), 0);
        _same(_account(payer).bounces, 1);
        _same(_cash(_on(2, 11), delegate), 0);
        _same(_account(payer).bounces, 2);
        _same(_account(payer).owed, 0);
    }

    function test_all_bounces_of_a_delegation_burn_at_most_bond_at_risk() public {
        Delegate memory delegate = _delegate(1000, BOND + 50);
        _cash(_on(1, 1500), delegate);
        _same(_burnt(delegate), BOND);
        _fund(payer, 0, 100);
        _cash(_on(2, 1), delegate);
        _same(_burnt(delegate), BOND + 50);
        _cash(_on(3, 1), delegate);
        _same(_account(payer).bounces, 3);
        _same(_account(payer).bond, 50);
        _same(vault.burned(address(token)), BOND + 50);
    }

    function test_an_empty_account_bounces_a_session_as_well() public {
        Delegate memory delegate = _delegate(2 * FUNDS, 70);
        _same(_cash(_on(CHANNEL, FUNDS + 5), delegate), FUNDS);
        _same(_account(payer).bounces, 1);
        _same(_account(payer).bond, BOND - 70);
        _same(_account(payer).owed, 5);
        _same(_spent(delegate), FUNDS + 5);
        // Paid later, and not charged twice.
        _fund(payer, 5, 0);
        _same(_cash(_on(CHANNEL, FUNDS + 5), delegate), 5);
        _same(_spent(delegate), FUNDS + 5);
    }

    function test_a_stolen_session_key_costs_its_cap_and_its_bond_at_risk() public {
        Delegate memory delegate = _delegate(1000, 70);
        Wealth memory before = _wealth();
        for (uint64 channel = 0; channel < 5; channel++) {
            Cheque memory cheque = _on(channel, 900);
            cheque.payee = other;
            _cash(cheque, delegate);
        }
        Wealth memory afterwards = _wealth();
        _same(before.free - afterwards.free, 1000);
        _same(before.bond - afterwards.bond, 70);
        _same(_account(payer).owed, 0);
    }

    function test_delegations_have_caps_of_their_own() public {
        Delegate memory first = _delegate(1000, BOND);
        Delegate memory second = _delegate(2000, BOND);
        _cash(_on(1, 1000), first);
        _same(_cash(_on(1, 3000), second), 2000);
        _same(_account(payer).bounces, 0);
        _same(_spent(first), 1000);
        _same(_spent(second), 2000);
    }

    function test_the_owner_is_not_held_to_a_cap_and_charges_none() public {
        Delegate memory delegate = _delegate(1000, BOND);
        _cash(_on(CHANNEL, 1000), delegate);
        _same(_cash(_on(CHANNEL, 5000)), 4000);
        _same(_spent(delegate), 1000);
    }

    // Validity

    function test_a_session_key_alone_signs_nothing() public {
        Claim memory claim = _claim(_cheque(1000), _delegate(1000, BOND));
        claim.dsig = "";
        _refused(claim, Fault.BadSignature);
    }

    function test_only_the_delegated_key_signs() public {
        Claim memory claim = _claim(_cheque(1000), _delegate(1000, BOND));
        claim.sig = _sign(OTHER_KEY, _hash(claim.cheque));
        _refused(claim, Fault.WrongDelegate);
        claim.sig = _sign(PAYER_KEY, _hash(claim.cheque));
        _refused(claim, Fault.WrongDelegate);
    }

    function test_a_delegation_is_for_one_owner_and_one_token() public {
        _fund(other, FUNDS, BOND);
        Delegate memory delegate = _delegate(1000, BOND);
        delegate.owner = other;
        Claim memory claim = _claim(_cheque(1000), delegate);
        claim.dsig = _sign(OTHER_KEY, _hash(delegate));
        _refused(claim, Fault.WrongDelegate);
        delegate = _delegate(1000, BOND);
        delegate.token = other;
        _refused(_claim(_cheque(1000), delegate), Fault.WrongDelegate);
    }

    function test_a_delegation_to_account_0_lets_nobody_in() public {
        Delegate memory delegate = _delegate(1000, BOND);
        delegate.session = address(0);
        Claim memory claim = _claim(_cheque(1000), delegate);
        claim.sig = abi.encodePacked(uint256(0), uint256(1), uint8(27));
        _refused(claim, Fault.BadSignature);
    }

    function test_only_the_owner_delegates() public {
        Claim memory claim = _claim(_cheque(1000), _delegate(1000, BOND));
        bytes32 digest = _hash(claim.delegate);
        claim.dsig = _sign(SESSION_KEY, digest);
        _refused(claim, Fault.BadDelegateSignature);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_KEY, digest);
        claim.dsig = abi.encodePacked(r, bytes32(ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        _refused(claim, Fault.BadDelegateSignature);
        claim.dsig = abi.encodePacked(r, s);
        _refused(claim, Fault.BadDelegateSignature);
    }

    function test_every_field_of_a_delegation_is_signed() public {
        Claim memory claim = _claim(_cheque(1000), _delegate(1000, BOND));
        claim.delegate.maxAmount += 1;
        _refused(claim, Fault.BadDelegateSignature);
        claim.delegate.maxAmount -= 1;
        claim.delegate.bondAtRisk -= 1;
        _refused(claim, Fault.BadDelegateSignature);
        claim.delegate.bondAtRisk += 1;
        claim.delegate.validUntil += 1;
        _refused(claim, Fault.BadDelegateSignature);
        claim.delegate.validUntil -= 1;
        _same(_cash(claim), 1000);
    }

    function test_a_delegation_ends_when_it_says() public {
        Claim memory claim = _claim(_cheque(1000), _delegate(1000, BOND));
        vm.warp(START + 7 days);
        _same(_cash(claim), 1000);
        vm.warp(START + 7 days + 1);
        _refused(claim, Fault.DelegateExpired);
    }

    function test_a_delegation_is_valid_for_8_days_at_most() public {
        Delegate memory delegate = _delegate(1000, BOND);
        delegate.validUntil = uint64(START + 8 days + 1);
        Claim memory claim = _claim(_cheque(1000), delegate);
        _refused(claim, Fault.DelegateTooLong);
        vm.warp(START + 1);
        _same(_cash(claim), 1000);
        delegate.validUntil = type(uint64).max;
        _refused(_claim(_cheque(1000), delegate), Fault.DelegateTooLong);
    }

    // Revocation

    function test_a_revocation_takes_effect_after_24_hours() public {
        Delegate memory delegate = _delegate(1000, BOND);
        Claim memory claim = _claim(_cheque(600), delegate);
        vm.expectEmit(address(vault));
        emit Revoked(payer, _hash(delegate), uint40(START + 24 hours));
        vm.prank(payer);
        vault.revoke(_hash(delegate));
        vm.warp(START + 24 hours - 1);
        _same(_cash(claim), 600);
        vm.warp(START + 24 hours);
        _refused(claim, Fault.DelegateRevoked);
    }

    function test_a_second_revocation_does_not_put_off_the_first() public {
        bytes32 digest = _hash(_delegate(1000, BOND));
        vm.startPrank(payer);
        vault.revoke(digest);
        vm.warp(START + 23 hours);
        vm.expectRevert(AlreadyRevoked.selector);
        vault.revoke(digest);
        vm.stopPrank();
        _same(vault.delegation(payer, digest).revokedAt, START + 24 hours);
    }

    function test_only_the_owner_revokes() public {
        Claim memory claim = _claim(_cheque(600), _delegate(1000, BOND));
        bytes32 digest = _hash(claim.delegate);
        vm.prank(other);
        vault.revoke(digest);
        vm.prank(session);
        vault.revoke(digest);
        vm.prank(other);
        vault.revokeAll(address(token));
        vm.warp(START + 2 days);
        _same(_cash(claim), 600);
    }

    function test_a_debt_outlives_its_delegation() public {
        Delegate memory delegate = _delegate(2 * FUNDS, 0);
        _cash(_on(CHANNEL, FUNDS + 5), delegate);
        vm.prank(payer);
        vault.revoke(_hash(delegate));
        vm.warp(START + 30 days);
        _fund(payer, 5, 0);
        _same(_repay(), 5);
        _same(_account(payer).owed, 0);
    }

    function test_all_delegations_are_revoked_at_once_after_24_hours() public {
        Delegate memory week = _delegate(1000, BOND);
        Delegate memory most = _delegate(1000, BOND);
        most.validUntil = uint64(START + 8 days);
        Delegate memory later = _delegate(1000, BOND);
        later.validUntil = uint64(START + 8 days + 1);
        vm.prank(payer);
        vault.revokeAll(address(token));
        vm.warp(START + 24 hours - 1);
        _same(_cash(_on(1, 10), week), 10);
        _same(_cash(_on(1, 20), most), 10);
        vm.warp(START + 24 hours);
        _refused(_claim(_on(1, 30), week), Fault.DelegateRevoked);
        _refused(_claim(_on(1, 30), most), Fault.DelegateRevoked);
        _same(_cash(_on(1, 30), later), 10);
        _same(_cash(_on(1, 40)), 10);
    }

    function test_all_are_revoked_of_one_token_only() public {
        Claim memory claim = _claim(_cheque(10), _delegate(1000, BOND));
        vm.prank(payer);
        vault.revokeAll(other);
        vm.warp(START + 2 days);
        _same(_cash(claim), 10);
    }

    function test_revoking_all_again_brings_nothing_back_and_puts_nothing_off() public {
        Delegate memory first = _delegate(1000, BOND);
        vm.startPrank(payer);
        vault.revokeAll(address(token));
        vm.warp(START + 24 hours - 1);
        vm.expectRevert(AlreadyRevoked.selector);
        vault.revokeAll(address(token));
        vm.warp(START + 24 hours);
        vault.revokeAll(address(token));
        vm.stopPrank();
        _refused(_claim(_on(1, 10), first), Fault.DelegateRevoked);
        Delegate memory second = _delegate(1000, BOND);
        second.validUntil = uint64(START + 9 days);
        _same(_cash(_on(1, 20), second), 20);
        vm.warp(START + 48 hours);
        _refused(_claim(_on(1, 30), second), Fault.DelegateRevoked);
        _refused(_claim(_on(1, 30), first), Fault.DelegateRevoked);
    }

    function testFuzz_a_delegation_never_costs_more_than_it_says(
        uint128 maxAmount,
        uint128 bondAtRisk,
        uint128[8] memory values
    ) public {
        Delegate memory delegate =
            _delegate(uint128(_bounded(maxAmount, 0, 2 * FUNDS)), uint128(_bounded(bondAtRisk, 0, 2 * BOND)));
        Wealth memory before = _wealth();
        for (uint64 n = 0; n < values.length; n++) {
            _cash(_on(n / 2, uint128(_bounded(values[n], 0, FUNDS))), delegate);
        }
        Wealth memory afterwards = _wealth();
        uint256 cost = before.free - afterwards.free;
        require(cost + _account(payer).owed <= delegate.maxAmount, "more than the cap");
        require(before.bond - afterwards.bond <= delegate.bondAtRisk, "more than the bond at risk");
        _same(_spent(delegate), cost + _account(payer).owed);
        _demandSolvent([payer, payee]);
    }

    struct Wealth {
        uint256 free;
        uint256 bond;
    }

    function _wealth() private view returns (Wealth memory) {
        return Wealth(_account(payer).free, _account(payer).bond);
    }
}
