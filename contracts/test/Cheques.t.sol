// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Base} from "./Base.sol";
import {Cheque, Claim, Fault} from "../src/IVault.sol";
import {Vault} from "../src/Vault.sol";
import {vm} from "./Vm.sol";

/// Rules 2 and 3: which cheques are valid, and what they are worth.
contract ChequesTest is Base {
    bytes32 private constant SEED = keccak256("seed");

    function test_a_cheque_pays_its_cumulative_to_its_payee_whoever_shows_it() public {
        vm.prank(other);
        _same(_cash(1000), 1000);
        _same(token.balanceOf(payee), 1000);
        _same(token.balanceOf(other), 0);
        _same(_account(payer).free, FUNDS - 1000);
        _same(_account(payer).totalPaid, 1000);
        _same(_account(payer).bond, BOND);
        _same(_account(payer).bounces, 0);
    }

    function test_each_link_adds_one_unit() public {
        Cheque memory cheque = _chained(1000, 7, 10, SEED);
        _same(_cash(_claim(cheque, 1, _hashed(SEED, 9))), 1007);
        _same(_cash(_claim(cheque, 10, SEED)), 63);
        _same(token.balanceOf(payee), 1070);
    }

    function test_without_a_link_w_is_ignored() public {
        _same(_cash(_claim(_chained(1000, 7, 10, SEED), 0, bytes32(uint256(1)))), 1000);
    }

    function test_a_wrong_a_skipped_and_a_foreign_link_are_refused() public {
        Cheque memory cheque = _chained(1000, 7, 10, SEED);
        _refused(_claim(cheque, 10, keccak256("another seed")), Fault.BrokenChain);
        // Link 1, shown as link 2; and the root itself, shown as link 1.
        _refused(_claim(cheque, 2, _hashed(SEED, 9)), Fault.BrokenChain);
        _refused(_claim(cheque, 1, cheque.root), Fault.BrokenChain);
    }

    function test_a_link_beyond_links_is_refused_even_if_its_hash_is_right() public {
        Cheque memory cheque = _chained(0, 7, 10, SEED);
        cheque.links = 9;
        _refused(_claim(cheque, 10, SEED), Fault.LinkOutOfRange);
        cheque.links = 0;
        _refused(_claim(cheque, 1, _hashed(SEED, 9)), Fault.LinkOutOfRange);
    }

    function test_4096_links_are_the_most() public {
        Cheque memory cheque = _chained(0, 1, 4096, SEED);
        _same(_cash(_claim(cheque, 4096, SEED)), 4096);
        cheque = _chained(0, 2, 4097, SEED);
        _refused(_claim(cheque, 1, _hashed(SEED, 4096)), Fault.TooManyLinks);
        _refused(cheque, Fault.TooManyLinks);
    }

    function test_a_value_beyond_128_bits_is_refused_and_not_cut() public {
        Cheque memory cheque = _chained(type(uint128).max - 9, 5, 2, SEED);
        _refused(_claim(cheque, 2, SEED), Fault.ValueTooHigh);
        cheque = _chained(type(uint128).max, type(uint128).max, 4096, SEED);
        _refused(_claim(cheque, 4096, SEED), Fault.ValueTooHigh);
        // At the limit itself it counts, and bounces.
        _same(_cash(_chained(type(uint128).max, 0, 0, 0)), FUNDS);
        _same(_channel().claimed, type(uint128).max);
    }

    function test_only_the_payers_signature_counts() public {
        Claim memory claim = _claim(_cheque(1000), 0, 0);
        claim.sig = _sign(OTHER_KEY, _hash(claim.cheque));
        _refused(claim, Fault.BadSignature);
        claim.sig = _sign(PAYER_KEY, keccak256("something else"));
        _refused(claim, Fault.BadSignature);
    }

    function test_every_field_is_signed() public {
        Claim memory claim = _claim(_chained(1000, 7, 10, SEED), 0, 0);
        claim.cheque.payee = other;
        _refused(claim, Fault.BadSignature);
        claim.cheque.payee = payee;
        claim.cheque.cumulative += 1;
        _refused(claim, Fault.BadSignature);
        claim.cheque.cumulative -= 1;
        claim.cheque.unit += 1;
        _refused(claim, Fault.BadSignature);
        claim.cheque.unit -= 1;
        claim.cheque.links += 1;
        _refused(claim, Fault.BadSignature);
        claim.cheque.links -= 1;
        claim.cheque.channel += 1;
        _refused(claim, Fault.BadSignature);
        claim.cheque.channel -= 1;
        claim.cheque.root = 0;
        _refused(claim, Fault.BadSignature);
    }

    function test_the_other_form_of_a_signature_is_refused() public {
        Cheque memory cheque = _cheque(1000);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_KEY, _hash(cheque));
        Claim memory claim = _claim(cheque, 0, 0);
        // It does recover to the payer.
        claim.sig = abi.encodePacked(r, bytes32(ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        require(ecrecover(_hash(cheque), v == 27 ? 28 : 27, r, bytes32(ORDER - uint256(s))) == payer);
        _refused(claim, Fault.BadSignature);
    }

    function test_a_signature_is_65_bytes_with_v_27_or_28() public {
        Cheque memory cheque = _cheque(1000);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_KEY, _hash(cheque));
        Claim memory claim = _claim(cheque, 0, 0);
        bytes[5] memory bad = [
            bytes(""),
            abi.encodePacked(r, s),
            abi.encodePacked(r, s, v, uint8(0)),
            abi.encodePacked(r, s, v - 27),
            abi.encodePacked(r, s, v + 2)
        ];
        for (uint256 n = 0; n < bad.length; n++) {
            claim.sig = bad[n];
            _refused(claim, Fault.BadSignature);
        }
    }

    function test_an_unrecoverable_signature_is_not_that_of_account_0() public {
        Claim memory claim = _claim(_cheque(1000), 0, 0);
        claim.sig = abi.encodePacked(bytes32(0), bytes32(uint256(1)), uint8(27));
        _refused(claim, Fault.BadSignature);
        // Even if account 0 had funds, which nobody can give it.
        claim.cheque.payer = address(0);
        _refused(claim, Fault.WrongEpoch);
        claim.cheque.epoch = 0;
        _refused(claim, Fault.WrongEpoch);
    }

    function test_a_cheque_of_another_epoch_is_refused() public {
        Cheque memory cheque = _cheque(1000);
        cheque.epoch -= 1;
        _refused(cheque, Fault.WrongEpoch);
        cheque.epoch += 2;
        _refused(cheque, Fault.WrongEpoch);
        cheque.epoch = 0;
        _refused(cheque, Fault.WrongEpoch);
    }

    function test_epoch_0_is_never_valid() public {
        Cheque memory cheque = _cheque(0);
        (cheque.payer, cheque.epoch) = (other, 0);
        Claim memory claim = _claim(cheque, 0, 0);
        claim.sig = _sign(OTHER_KEY, _hash(cheque));
        _refused(claim, Fault.WrongEpoch);
    }

    function test_the_epoch_is_the_time_of_the_first_funds_and_stays() public {
        _same(_account(payer).epoch, START);
        vm.warp(START + 9 days);
        vm.prank(payer);
        vault.requestExit(address(token), FUNDS);
        vm.warp(START + 10 days);
        vm.prank(payer);
        vault.exit(address(token));
        _same(_account(payer).free, 0);
        _fund(payer, 10, 10);
        _same(_account(payer).epoch, START);
    }

    function test_the_first_funds_may_be_a_bond_or_a_credit_but_not_nothing() public {
        vm.warp(START + 1);
        vm.startPrank(other);
        vault.deposit(address(token), 0);
        vault.bond(address(token), 0);
        vault.creditToVault(address(token), 0, 0);
        vm.stopPrank();
        _same(_account(other).epoch, 0);
        _fund(other, 0, 1);
        _same(_account(other).epoch, START + 1);
        Claim[] memory claims = new Claim[](1);
        claims[0] = _claim(_cheque(100), 0, 0);
        vault.cashMany(claims);
        vm.warp(START + 2);
        vm.prank(payee);
        vault.creditToVault(address(token), 60, 40);
        _same(_account(payee).epoch, START + 2);
    }

    function test_an_exit_cancels_no_cheque() public {
        Cheque memory cheque = _cheque(1000);
        vm.startPrank(payer);
        vault.requestExit(address(token), FUNDS);
        vm.warp(START + 24 hours);
        vault.exit(address(token));
        vm.stopPrank();
        _same(_cash(cheque), 0);
        _fund(payer, 700, 0);
        _same(_repay(), 700);
    }

    function test_a_cheque_counts_in_one_vault_only() public {
        Claim memory claim = _claim(_cheque(1000), 0, 0);
        Vault first = vault;
        vault = _newVault();
        _fund(payer, FUNDS, BOND);
        _refused(claim, Fault.BadSignature);
        vault = first;
        _same(_cash(claim), 1000);
    }

    function test_a_cheque_counts_on_one_chain_only() public {
        Claim memory claim = _claim(_cheque(1000), 0, 0);
        bytes32 before = vault.DOMAIN_SEPARATOR();
        uint256 chain = vm.getChainId();
        vm.chainId(chain + 1);
        require(vault.DOMAIN_SEPARATOR() != before, "the separator did not follow the chain");
        _refused(claim, Fault.BadSignature);
        // And what is signed there counts there.
        _same(_cash(500), 500);
        vm.chainId(chain);
        _same(_cash(claim), 500);
    }

    function test_a_cheque_in_one_token_takes_nothing_of_another() public {
        Cheque memory cheque = _cheque(1000);
        cheque.token = address(new Other());
        _refused(cheque, Fault.WrongEpoch);
    }

    function testFuzz_a_link_is_worth_what_the_formula_says(uint128 cumulative, uint128 unit, uint32 links, uint32 i)
        public
    {
        links = uint32(_bounded(links, 0, 64));
        i = uint32(_bounded(i, 0, links));
        Cheque memory cheque = _chained(cumulative, unit, links, SEED);
        uint256 value = uint256(cumulative) + uint256(unit) * i;
        Claim memory claim = _claim(cheque, i, _hashed(SEED, links - i));
        if (value > type(uint128).max) return _refused(claim, Fault.ValueTooHigh);
        _same(_cash(claim), value < FUNDS ? value : FUNDS);
        _same(_channel().claimed, value);
    }

    function testFuzz_a_changed_signature_is_refused(uint256 place, uint8 change) public {
        Claim memory claim = _claim(_cheque(1000), 0, 0);
        vm.assume(change != 0);
        place = _bounded(place, 0, 64);
        claim.sig[place] = claim.sig[place] ^ bytes1(change);
        _refused(claim, Fault.BadSignature);
    }
}

contract Other {}
