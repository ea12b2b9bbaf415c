// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Base} from "./Base.sol";
import {Cheque, Claim, Delegate} from "../src/IVault.sol";
import {Vault} from "../src/Vault.sol";
import {Vm, vm} from "./Vm.sol";

/// What cashing costs as a transaction of its own. The limits are what clients reckon with; before each
/// stands what was measured.
/// forge-config: default.isolate = true
contract GasTest is Base {
    bytes32 private constant SEED = keccak256("seed");
    uint256 private constant PAYERS = 40;

    function setUp() public override {
        super.setUp();
        // Amounts as wide as real ones.
        _fund(payer, FUNDS * 1e12, BOND * 1e12);
    }

    function test_gas_of_a_repeated_cheque_of_the_owner() public {
        _cash(_plain(1000));
        _is("a repeated cheque of the owner", _gasOf(_call(_claim(_plain(3000), 0, 0))), 74_526, 80_000);
    }

    function test_gas_of_a_repeated_cheque_of_a_session() public {
        Delegate memory delegate = _delegate(FUNDS * 1e12, BOND * 1e12);
        _cash(_plain(1000), delegate);
        _is("a repeated cheque of a session", _gasOf(_call(_claim(_plain(3000), delegate))), 88_158, 90_000);
    }

    function test_gas_of_the_first_cheque_of_a_channel() public {
        _is("the first cheque of a channel", _gasOf(_call(_claim(_plain(3000), 0, 0))), 108_726, 140_000);
    }

    function test_gas_of_the_first_cheque_of_a_channel_of_a_session() public {
        Delegate memory delegate = _delegate(FUNDS * 1e12, BOND * 1e12);
        Cheque memory cheque = _plain(3000);
        cheque.payee = other;
        _cash(cheque, delegate);
        _is("the first cheque of a channel, of a session", _gasOf(_call(_claim(_plain(3000), delegate))), 122_358, 140_000);
    }

    function test_gas_of_the_first_cheque_of_a_session() public {
        uint256 gas = _gasOf(_call(_claim(_plain(3000), _delegate(FUNDS * 1e12, BOND * 1e12))));
        _is("the first cheque of a session", gas, 139_458, 140_000);
    }

    function test_gas_of_a_link() public {
        Cheque memory cheque = _chained(1000, 1, 4096, SEED);
        _cash(_claim(cheque, 1, _hashed(SEED, 4095)));
        uint256 few = _gasOf(_call(_claim(cheque, 2, _hashed(SEED, 4094))));
        uint256 many = _gasOf(_call(_claim(cheque, 4002, _hashed(SEED, 94))));
        _is("a link", (many - few) / 4000, 86, 100);
    }

    function test_gas_of_40_payers_at_once() public {
        _is("40 payers at once, each, first", _perPayer(0, false), 54_826, 75_000);
        _is("40 payers at once, each, repeated", _perPayer(1, false), 37_286, 40_000);
    }

    function test_gas_of_40_sessions_at_once() public {
        _is("40 sessions at once, each, first", _perPayer(0, true), 85_626, 105_000);
        _is("40 sessions at once, each, repeated", _perPayer(1, true), 50_978, 52_000);
    }

    function _perPayer(uint256 round, bool sessions) private returns (uint256) {
        Claim[] memory claims = new Claim[](PAYERS);
        for (uint256 n = 0; n < PAYERS; n++) {
            payer = vm.addr(1000 + n);
            if (round == 0) _fund(payer, FUNDS * 1e12, BOND * 1e12);
            Cheque memory cheque = _plain(uint128(1000 * (round + 1)));
            claims[n] = sessions ? _claim(cheque, _delegate(FUNDS * 1e12, BOND * 1e12)) : _claim(cheque, 0, 0);
            if (sessions) claims[n].dsig = _sign(1000 + n, _hash(claims[n].delegate));
            else claims[n].sig = _sign(1000 + n, _hash(cheque));
        }
        return _gasOf(abi.encodeCall(Vault.cashMany, (claims))) / PAYERS;
    }

    function _plain(uint128 cumulative) private view returns (Cheque memory) {
        return _chained(cumulative * 1e12, 1_234_567_890_123, 1024, SEED);
    }

    function _call(Claim memory c) private pure returns (bytes memory) {
        return abi.encodeCall(Vault.cash, (c.cheque, c.i, c.w, c.sig, c.delegate, c.dsig));
    }

    /// As a transaction: the run isolates each call of a test, so that its slots are cold, its data and the
    /// 21,000 count and the refund is off.
    function _gasOf(bytes memory data) private returns (uint256) {
        (bool done,) = address(vault).call(data);
        require(done, "the call failed");
        return vm.lastCallGas().gasTotalUsed;
    }

    /// Measured: `gas`. More than a hundredth beside it is a change that somebody has to write down.
    function _is(string memory what, uint256 measured, uint256 gas, uint256 most) private {
        vm.snapshotValue("gas", string.concat(what, ", at most ", vm.toString(most)), measured);
        string memory told = string.concat(vm.toString(measured), " gas, written down ", vm.toString(gas));
        bool near = measured * 100 <= gas * 101 && measured * 100 >= gas * 99;
        if (!near || measured > most) revert(string.concat(told, ", at most ", vm.toString(most)));
    }
}
