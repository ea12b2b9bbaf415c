// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Base} from "./Base.sol";
import {Odd} from "./Odd.sol";
import {Account, Channel, Cheque, Claim, Delegate, Delegation, Lock} from "../src/IVault.sol";
import {Token} from "../src/Token.sol";
import {vm} from "./Vm.sol";

/// Three people who are payers and payees of each other in two tokens and do anything in any order. After
/// each step the books are compared with what the rules say, counted here in a simpler way.
contract Actors is Base {
    uint256 private constant PEOPLE = 3;
    uint256 private constant TOKENS = 2;
    uint256 private constant CHANNELS = 2;
    uint128 private constant MOST = 1000;
    uint256 private constant WEALTH = 1e12;

    // What was there at the step before: nothing of this ever falls.
    struct Last {
        uint256 claimed;
        uint256 paid;
    }

    struct Requests {
        uint256 exitAt;
        uint256 exitAmount;
        uint256 bondAt;
    }

    address[] private tokens;
    address[] private people;
    address[] private sessions;
    uint256 private time = START;
    mapping(bytes32 => Last) private last;
    mapping(address => mapping(address => uint256)) private epochs;
    mapping(address => mapping(address => uint256)) private bouncesOf;
    mapping(address => uint256) private burnedOf;
    mapping(address => mapping(address => Requests)) private requests;
    // What every payee ever got, as transfer or as credit; and the highest value shown on a channel.
    mapping(address => mapping(address => uint256)) private received;
    mapping(bytes32 => uint256) private shown;
    mapping(bytes32 => uint64) private validUntil;
    uint256 public steps;

    constructor() {
        vm.warp(START);
        vault = _newVault();
        Odd odd = new Odd();
        odd.turn(Odd.Way.ReturnsNothing);
        Token plain = new Token("Test", "TST", 18, type(uint128).max, address(this));
        tokens.push(address(plain));
        tokens.push(address(odd));
        for (uint256 n = 0; n < PEOPLE; n++) {
            people.push(vm.addr(_key(n)));
            sessions.push(vm.addr(_sessionKey(n)));
            plain.transfer(_person(n), WEALTH);
            odd.mint(_person(n), WEALTH);
            vm.prank(_person(n));
            plain.approve(address(vault), type(uint256).max);
        }
    }

    /// The constructor has done it; a run that calls this passes a turn.
    function setUp() public override {}

    // The people

    function _key(uint256 n) private pure returns (uint256) {
        return 0xA0 + n;
    }

    function _person(uint256 n) private view returns (address) {
        return people[n];
    }

    function _sessionKey(uint256 n) private pure returns (uint256) {
        return 0x50 + n;
    }

    /// Sets whose turn it is and in which token, and lets time pass: mostly none, sometimes days.
    function _turn(uint256 seed) private returns (uint256 who) {
        who = seed % PEOPLE;
        payer = _person(who);
        payee = _person((seed >> 8) % PEOPLE);
        token = Token(tokens[(seed >> 16) % TOKENS]);
        uint256 pause = (seed >> 24) % 8;
        time += pause == 7 ? 2 days : pause * 1 hours;
        vm.warp(time);
        steps += 1;
    }

    // What they do

    function deposit(uint256 seed, uint128 amount, bool asBond) external {
        _turn(seed);
        amount %= MOST;
        vm.prank(payer);
        if (asBond) vault.bond(address(token), amount);
        else vault.deposit(address(token), amount);
        if (asBond && amount != 0) requests[payer][address(token)].bondAt = 0;
        _demandAll();
    }

    function cash(uint256 seed, uint128 value, uint32 i, bool batched) external {
        uint256 who = _turn(seed);
        if (_account(payer).epoch == 0) return;
        Claim memory claim = _claim(_next(seed, value), 0, 0);
        claim.i = uint32(i % 5);
        claim.w = _hashed("seed", 4 - claim.i);
        claim.sig = _sign(_key(who), _hash(claim.cheque));
        _cashAs(claim, batched);
    }

    /// One delegation a person and token at a time, of 300 with 50 of the bond, renewed when it is over.
    function cashAsSession(uint256 seed, uint128 value, uint32 i, bool batched) external {
        uint256 who = _turn(seed);
        if (_account(payer).epoch == 0) return;
        bytes32 place = keccak256(abi.encode(payer, token));
        if (validUntil[place] < time) validUntil[place] = uint64(time + 8 days);
        Delegate memory delegate =
            Delegate(payer, sessions[who], address(token), 300, 50, validUntil[place]);
        Claim memory claim = _claim(_next(seed, value), 0, 0);
        claim.i = uint32(i % 5);
        claim.w = _hashed("seed", 4 - claim.i);
        claim.sig = _sign(_sessionKey(who), _hash(claim.cheque));
        (claim.delegate, claim.dsig) = (delegate, _sign(_key(who), _hash(delegate)));
        _cashAs(claim, batched);
    }

    function repay(uint256 seed) external {
        _turn(seed);
        uint64 channel = uint64((seed >> 32) % CHANNELS);
        uint64 epoch = _account(payer).epoch;
        Channel memory its = vault.channel(payer, payee, address(token), epoch, channel);
        uint256 due = its.claimed - its.paid;
        uint256 there = uint256(_account(payer).free) + vault.lockOf(payer, payee, address(token)).amount;
        uint256 amount = vault.repay(payer, payee, address(token), epoch, channel);
        _same(amount, due < there ? due : there, "a repayment");
        received[payee][address(token)] += amount;
        _demandAll();
    }

    function withdraw(uint256 seed, uint128 free, uint128 bond) external {
        _turn(seed);
        uint256 credit = _credit(payer);
        vm.startPrank(payer);
        if (seed >> 32 & 1 == 0) {
            uint256 before = token.balanceOf(payer);
            _same(vault.withdraw(address(token)), credit, "a withdrawal");
            _same(token.balanceOf(payer) - before, credit, "a withdrawal");
        } else if (credit != 0) {
            free = uint128(free % (credit + 1));
            bond = uint128(bond % (credit - free + 1));
            vault.creditToVault(address(token), free, bond);
            if (bond != 0) requests[payer][address(token)].bondAt = 0;
        }
        vm.stopPrank();
        _demandAll();
    }

    function request(uint256 seed, uint128 amount) external {
        _turn(seed);
        amount %= MOST;
        Requests storage its = requests[payer][address(token)];
        vm.startPrank(payer);
        if (seed >> 32 & 1 == 0) {
            vault.requestExit(address(token), amount);
            (its.exitAt, its.exitAmount) = (amount == 0 ? 0 : time + 24 hours, amount);
        } else {
            vault.requestBondExit(address(token));
            its.bondAt = time + 7 days;
        }
        vm.stopPrank();
        _demandAll();
    }

    function exit(uint256 seed) external {
        _turn(seed);
        Requests storage its = requests[payer][address(token)];
        uint256 before = token.balanceOf(payer);
        uint256 free = _account(payer).free;
        vm.prank(payer);
        try vault.exit(address(token)) {
            require(its.exitAt != 0 && time >= its.exitAt, "an exit before its time");
            uint256 amount = its.exitAmount < free ? its.exitAmount : free;
            _same(token.balanceOf(payer) - before, amount, "an exit");
            (its.exitAt, its.exitAmount) = (0, 0);
        } catch {
            require(its.exitAt == 0 || time < its.exitAt, "an exit was refused");
        }
        _demandAll();
    }

    function bondExit(uint256 seed) external {
        _turn(seed);
        Requests storage its = requests[payer][address(token)];
        uint256 before = token.balanceOf(payer);
        Account memory account = _account(payer);
        vm.prank(payer);
        try vault.bondExit(address(token)) {
            require(its.bondAt != 0 && time >= its.bondAt && account.owed == 0, "a bond before its time");
            _same(token.balanceOf(payer) - before, account.bond, "a bond");
            its.bondAt = 0;
        } catch {
            require(its.bondAt == 0 || time < its.bondAt || account.owed != 0, "a bond was refused");
        }
        _demandAll();
    }

    function lock(uint256 seed, uint128 amount, uint64 until) external {
        _turn(seed);
        Lock memory its = vault.lockOf(payer, payee, address(token));
        uint128 free = _account(payer).free;
        amount = uint128(amount % (uint256(free) + 1));
        until = uint64(time + until % 3 days);
        if (until < its.until) until = its.until;
        vm.prank(payer);
        vault.lock(payee, address(token), amount, until);
        _same(vault.lockOf(payer, payee, address(token)).amount, uint256(its.amount) + amount, "a lock");
        _demandAll();
    }

    function closeLock(uint256 seed, bool signed) external {
        _turn(seed);
        Lock memory its = vault.lockOf(payer, payee, address(token));
        uint128 free = _account(payer).free;
        bytes memory sig;
        if (signed) sig = _sign(_key((seed >> 8) % PEOPLE), _hashClose(payer, payee, its.nonce));
        vm.prank(payer);
        try vault.closeLock(payer, payee, address(token), sig) {
            require(signed || time >= uint256(its.until) + 24 hours, "a lock closed early");
            _same(_account(payer).free, uint256(free) + its.amount, "a closed lock");
            _same(vault.lockOf(payer, payee, address(token)).nonce, its.nonce + 1, "a nonce");
        } catch {
            require(!signed && time < uint256(its.until) + 24 hours, "a closing was refused");
        }
        _demandAll();
    }

    // Cheques

    /// A cheque whose four links, of up to 9 each, add to a value around what was claimed.
    function _next(uint256 seed, uint128 value) private view returns (Cheque memory cheque) {
        cheque = _chained(0, value % 10, 4, "seed");
        cheque.channel = uint64((seed >> 32) % CHANNELS);
        Channel memory its = vault.channel(payer, payee, address(token), cheque.epoch, cheque.channel);
        uint256 near = uint256(its.claimed) + value % 200;
        cheque.cumulative = uint128(near < 60 ? 0 : near - 60);
    }

    struct Before {
        Channel channel;
        Account account;
        uint256 locked;
        uint256 had;
        Delegation delegation;
    }

    /// Rules 4 and 5, counted again: a valid cheque never reverts, and does exactly this.
    function _cashAs(Claim memory claim, bool batched) private {
        Cheque memory c = claim.cheque;
        bytes32 digest = claim.dsig.length == 0 ? bytes32(0) : _hash(claim.delegate);
        Before memory was = Before(
            vault.channel(payer, payee, c.token, c.epoch, c.channel),
            _account(payer),
            vault.lockOf(payer, payee, c.token).amount,
            token.balanceOf(payee) + _credit(payee),
            vault.delegation(payer, digest)
        );
        if (batched) {
            Claim[] memory claims = new Claim[](1);
            claims[0] = claim;
            vault.cashMany(claims);
        } else {
            _cash(claim);
        }
        uint256 value = c.cumulative + uint256(c.unit) * claim.i;
        uint256 raise = value > was.channel.claimed ? value - was.channel.claimed : 0;
        bool bounces;
        if (digest != 0 && raise > 300 - was.delegation.spent) {
            raise = 300 - was.delegation.spent;
            bytes32 place = keccak256(abi.encode(payer, payee, c.token, c.channel));
            bounces = value > shown[place];
            if (bounces) shown[place] = value;
        }
        uint256 due = was.channel.claimed - was.channel.paid + raise;
        uint256 there = was.locked + was.account.free;
        uint256 paid = due < there ? due : there;
        bounces = bounces || (raise != 0 && paid < due);
        uint256 burnt = bounces ? was.account.bond : 0;
        if (digest != 0 && burnt > 50 - was.delegation.burnt) burnt = 50 - was.delegation.burnt;

        Channel memory channel = vault.channel(payer, payee, c.token, c.epoch, c.channel);
        _same(channel.claimed, was.channel.claimed + raise, "claimed");
        _same(channel.paid, was.channel.paid + paid, "paid");
        _same(_account(payer).bounces, was.account.bounces + (bounces ? 1 : 0), "bounces");
        _same(was.account.bond - _account(payer).bond, burnt, "burnt");
        _same(token.balanceOf(payee) + _credit(payee) - was.had, paid, "received");
        received[payee][c.token] += paid;
        if (digest != 0) {
            _same(vault.delegation(payer, digest).spent, was.delegation.spent + raise, "spent");
            _same(vault.delegation(payer, digest).burnt, was.delegation.burnt + burnt, "burnt");
        }
        _demandAll();
    }

    // The books

    /// Rule 9, and that nothing falls which only grows.
    function _demandAll() private {
        for (uint256 t = 0; t < TOKENS; t++) {
            token = Token(tokens[t]);
            uint256 burned = vault.burned(tokens[t]);
            require(burned >= burnedOf[tokens[t]], "burned fell");
            burnedOf[tokens[t]] = burned;
            for (uint256 n = 0; n < PEOPLE; n++) _demandAccount(_person(n), tokens[t]);
        }
        demandSolvent();
    }

    function demandSolvent() public view {
        for (uint256 t = 0; t < TOKENS; t++) {
            uint256 sum = vault.burned(tokens[t]);
            for (uint256 n = 0; n < PEOPLE; n++) {
                address person = _person(n);
                Account memory its = vault.account(person, tokens[t]);
                sum += uint256(its.free) + its.bond + vault.credit(person, tokens[t]);
                for (uint256 m = 0; m < PEOPLE; m++) sum += vault.lockOf(person, _person(m), tokens[t]).amount;
            }
            _same(sum, Token(tokens[t]).balanceOf(address(vault)), "rule 9");
        }
    }

    function _demandAccount(address person, address t) private {
        Account memory its = vault.account(person, t);
        uint256 owed;
        uint256 paid;
        uint256 got;
        for (uint256 m = 0; m < PEOPLE; m++) {
            address otherOne = _person(m);
            uint64 hisEpoch = vault.account(otherOne, t).epoch;
            for (uint64 c = 0; c < CHANNELS; c++) {
                Channel memory out = vault.channel(person, otherOne, t, its.epoch, c);
                owed += out.claimed - out.paid;
                paid += out.paid;
                Last storage was = last[keccak256(abi.encode(person, otherOne, t, c))];
                require(out.claimed >= was.claimed && out.paid >= was.paid, "a channel fell");
                (was.claimed, was.paid) = (out.claimed, out.paid);
                got += vault.channel(otherOne, person, t, hisEpoch, c).paid;
            }
        }
        _same(its.owed, owed, "owed");
        _same(its.totalPaid, paid, "totalPaid");
        _same(received[person][t], got, "nobody is paid twice");
        require(its.bounces >= bouncesOf[person][t], "bounces fell");
        bouncesOf[person][t] = its.bounces;
        require(epochs[person][t] == 0 || epochs[person][t] == its.epoch, "an epoch changed");
        require(its.epoch != 0 || (its.free | its.bond) == 0, "funds without an epoch");
        epochs[person][t] = its.epoch;
    }
}
