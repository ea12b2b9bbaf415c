// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Account, Channel, Cheque, Claim, Delegate, Delegation, Fault, IVault, Lock} from "../src/IVault.sol";
import {Token} from "../src/Token.sol";
import {Vault} from "../src/Vault.sol";
import {Vm, vm} from "./Vm.sol";

/// A vault, a token, a funded payer, and what signs. The hashing is written again on purpose: from the
/// type strings of the specification, field by field.
abstract contract Base is IVault {
    uint256 internal constant START = 1_795_000_000;
    uint256 internal constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    uint256 internal constant PAYER_KEY = 0xA11CE;
    uint256 internal constant PAYEE_KEY = 0xB0B;
    uint256 internal constant SESSION_KEY = 0x5E55;
    uint256 internal constant OTHER_KEY = 0x07E4;
    uint128 internal constant FUNDS = 1_000_000;
    uint128 internal constant BOND = 400_000;
    uint64 internal constant CHANNEL = 7;

    address internal payer = vm.addr(PAYER_KEY);
    address internal payee = vm.addr(PAYEE_KEY);
    address internal session = vm.addr(SESSION_KEY);
    address internal other = vm.addr(OTHER_KEY);
    Vault internal vault;
    Token internal token;

    function setUp() public virtual {
        vm.warp(START);
        vault = _newVault();
        token = new Token("Test", "TST", 18, type(uint128).max, address(this));
        _fund(payer, FUNDS, BOND);
    }

    /// The vault, or the faulty one that a run is to find out.
    function _newVault() internal returns (Vault made) {
        bytes memory code = vm.envOr("VAULT_CODE", bytes(""));
        if (code.length == 0) return new Vault();
        assembly {
            made := create(0, add(code, 32), mload(code))
        }
        require(address(made) != address(0), "the vault was not made");
    }

    function _fund(address owner, uint128 free, uint128 bond) internal {
        token.transfer(owner, uint256(free) + bond);
        vm.startPrank(owner);
        token.approve(address(vault), type(uint256).max);
        if (free != 0) vault.deposit(address(token), free);
        if (bond != 0) vault.bond(address(token), bond);
        vm.stopPrank();
    }

    // Cheques

    function _cheque(uint128 cumulative) internal view returns (Cheque memory) {
        return Cheque(payer, payee, address(token), _account(payer).epoch, cumulative, 0, 0, 0, CHANNEL);
    }

    /// A cheque whose chain ends in `links` links of `unit` each, made of `seed`.
    function _chained(uint128 cumulative, uint128 unit, uint32 links, bytes32 seed)
        internal
        view
        returns (Cheque memory cheque)
    {
        cheque = _cheque(cumulative);
        (cheque.unit, cheque.links, cheque.root) = (unit, links, _hashed(seed, links));
    }

    function _hashed(bytes32 w, uint256 times) internal pure returns (bytes32) {
        for (uint256 n = 0; n < times; n++) w = keccak256(abi.encode(w));
        return w;
    }

    function _delegate(uint128 maxAmount, uint128 bondAtRisk) internal view returns (Delegate memory) {
        return Delegate(payer, session, address(token), maxAmount, bondAtRisk, uint64(vm.getBlockTimestamp() + 7 days));
    }

    function _none() internal pure returns (Delegate memory none) {}

    // Hashes and signatures

    function _digest(bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Piecework"),
                keccak256("1"),
                vm.getChainId(),
                address(vault)
            )
        );
        return keccak256(bytes.concat(hex"1901", domain, structHash));
    }

    function _hash(Cheque memory c) internal view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Cheque(address payer,address payee,address token,uint64 epoch,uint128 cumulative,bytes32 root,uint128 unit,uint32 links,uint64 channel)"
        );
        return _digest(
            keccak256(
                abi.encode(
                    typeHash, c.payer, c.payee, c.token, c.epoch, c.cumulative, c.root, c.unit, c.links, c.channel
                )
            )
        );
    }

    function _hash(Delegate memory d) internal view returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Delegate(address owner,address session,address token,uint128 maxAmount,uint128 bondAtRisk,uint64 validUntil)"
        );
        return _digest(
            keccak256(
                abi.encode(typeHash, d.owner, d.session, d.token, d.maxAmount, d.bondAtRisk, d.validUntil)
            )
        );
    }

    function _hashClose(address from, address to, uint64 nonce) internal view returns (bytes32) {
        bytes32 typeHash = keccak256("CloseLock(address payer,address payee,address token,uint64 nonce)");
        return _digest(keccak256(abi.encode(typeHash, from, to, address(token), nonce)));
    }

    function _sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _claim(Cheque memory cheque, uint32 i, bytes32 w) internal view returns (Claim memory) {
        return Claim(cheque, i, w, _sign(PAYER_KEY, _hash(cheque)), _none(), "");
    }

    function _claim(Cheque memory cheque, Delegate memory delegate) internal view returns (Claim memory) {
        bytes memory sig = _sign(SESSION_KEY, _hash(cheque));
        return Claim(cheque, 0, 0, sig, delegate, _sign(PAYER_KEY, _hash(delegate)));
    }

    // Calls

    function _cash(Claim memory c) internal returns (uint128) {
        return vault.cash(c.cheque, c.i, c.w, c.sig, c.delegate, c.dsig);
    }

    function _cash(Cheque memory cheque) internal returns (uint128) {
        return _cash(_claim(cheque, 0, 0));
    }

    function _cash(uint128 cumulative) internal returns (uint128) {
        return _cash(_cheque(cumulative));
    }

    function _cash(Cheque memory cheque, Delegate memory delegate) internal returns (uint128) {
        return _cash(_claim(cheque, delegate));
    }

    function _refused(Claim memory claim, Fault fault) internal {
        vm.expectRevert(abi.encodeWithSelector(InvalidCheque.selector, fault));
        _cash(claim);
    }

    function _refused(Cheque memory cheque, Fault fault) internal {
        _refused(_claim(cheque, 0, 0), fault);
    }

    function _repay() internal returns (uint128) {
        return vault.repay(payer, payee, address(token), _account(payer).epoch, CHANNEL);
    }

    function _account(address owner) internal view returns (Account memory) {
        return vault.account(owner, address(token));
    }

    function _channel() internal view returns (Channel memory) {
        return vault.channel(payer, payee, address(token), _account(payer).epoch, CHANNEL);
    }

    function _credit(address owner) internal view returns (uint256) {
        return vault.credit(owner, address(token));
    }

    /// Rule 9 for these owners and one lock: nothing lost, nothing made.
    function _demandSolvent(address[2] memory owners) internal view {
        uint256 sum = vault.burned(address(token));
        for (uint256 n = 0; n < owners.length; n++) {
            Account memory its = _account(owners[n]);
            sum += uint256(its.free) + its.bond + _credit(owners[n]);
        }
        sum += vault.lockOf(payer, payee, address(token)).amount;
        _same(sum, token.balanceOf(address(vault)), "rule 9");
    }

    // Comparisons

    function _same(uint256 a, uint256 b, string memory what) internal pure {
        if (a != b) revert(string.concat(what, ": ", vm.toString(a), " is not ", vm.toString(b)));
    }

    function _same(uint256 a, uint256 b) internal pure {
        _same(a, b, "not the same");
    }

    function _bounded(uint256 x, uint256 least, uint256 most) internal pure returns (uint256) {
        return least + x % (most - least + 1);
    }
}
