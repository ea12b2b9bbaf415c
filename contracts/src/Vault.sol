// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Account, Channel, Cheque, Claim, Delegate, Delegation, Fault, IVault, Lock} from "./IVault.sol";
import {Signatures} from "./Signatures.sol";
import {Transfers} from "./Transfers.sol";

/// Holds what payers set aside and pays it to whoever shows their cheques. Nobody owns it, nobody can
/// change or stop it. The numbered rules are those of docs/spec/vault.md; each stands beside the code
/// that carries it.
contract Vault is IVault, Signatures {
    uint256 public constant LINKS_MAX = 4096;
    uint256 public constant CLAIMS_MAX = 256;
    uint40 public constant EXIT_DELAY = 24 hours;
    uint40 public constant BOND_EXIT_DELAY = 7 days;
    uint40 public constant REVOKE_DELAY = 24 hours;
    uint40 public constant DELEGATE_MAX = 8 days;

    bytes32 private constant CHEQUE_TYPEHASH = keccak256(
        "Cheque(address payer,address payee,address token,uint64 epoch,uint128 cumulative,bytes32 root,uint128 unit,uint32 links,uint64 channel)"
    );
    bytes32 private constant DELEGATE_TYPEHASH = keccak256(
        "Delegate(address owner,address session,address token,uint128 maxAmount,uint128 bondAtRisk,uint64 validUntil)"
    );
    bytes32 private constant CLOSE_LOCK_TYPEHASH =
        keccak256("CloseLock(address payer,address payee,address token,uint64 nonce)");

    uint256 private constant IDLE = 1;
    uint256 private constant BUSY = 2;

    // Rule 8: an ordinary slot. Never 0, because going back to a number costs less than going to one.
    uint256 private _state = IDLE;
    mapping(address payer => mapping(address token => Account)) private _accounts;
    mapping(bytes32 key => Channel) private _channels;
    // The highest value that was shown on a channel beyond the cap of a delegation.
    mapping(bytes32 key => uint128) private _shown;
    mapping(address owner => mapping(bytes32 digest => Delegation)) private _delegations;
    mapping(address payer => mapping(address payee => mapping(address token => Lock))) private _locks;
    mapping(address payee => mapping(address token => uint256)) public credit;
    mapping(address token => uint256) public burned;

    /// Rule 8: for functions that call a token.
    modifier locked() {
        if (_state != IDLE) revert Reentered();
        _state = BUSY;
        _;
        _state = IDLE;
    }

    /// For functions that call no token: a token that is being called gets into none of them either.
    modifier idle() {
        if (_state != IDLE) revert Reentered();
        _;
    }

    // Funding

    /// Adds to what cheques are paid from.
    function deposit(address token, uint128 amount) external locked {
        Transfers.pull(token, msg.sender, amount);
        _add(msg.sender, token, amount, 0);
        emit Deposited(msg.sender, token, amount);
    }

    /// Adds to what burns if a cheque bounces.
    function bond(address token, uint128 amount) external locked {
        Transfers.pull(token, msg.sender, amount);
        _add(msg.sender, token, 0, amount);
        emit Bonded(msg.sender, token, amount);
    }

    /// Rule 6: earnings become funds without a transfer.
    function creditToVault(address token, uint128 free, uint128 bond_) external idle {
        uint256 total = uint256(free) + bond_;
        uint256 have = credit[msg.sender][token];
        if (total > have) revert InsufficientCredit();
        credit[msg.sender][token] = have - total;
        _add(msg.sender, token, free, bond_);
        emit CreditMoved(msg.sender, token, free, bond_);
    }

    // Cheques

    /// Rule 3: pays what a cheque is worth with link `w` of index `i`. Anyone may call. Without `dsig` the
    /// payer signed the cheque; with it, `delegate` names the session key that did.
    function cash(
        Cheque calldata cheque,
        uint32 i,
        bytes32 w,
        bytes calldata sig,
        Delegate calldata delegate,
        bytes calldata dsig
    ) external locked returns (uint128 amount) {
        (Fault fault, uint128 value, bytes32 digest) = _check(cheque, i, w, sig, delegate, dsig);
        if (fault != Fault.None) revert InvalidCheque(fault);
        amount = _settle(cheque, value, delegate, digest);
        _payOut(cheque.payee, cheque.token, amount);
    }

    /// Rule 6: many cheques at once, credited and not transferred. Skips the invalid ones.
    function cashMany(Claim[] calldata claims) external idle {
        if (claims.length > CLAIMS_MAX) revert TooManyClaims();
        // Cheques to one payee that follow one another are credited in one go.
        (address payee, address token, uint256 sum) = (address(0), address(0), 0);
        for (uint256 n = 0; n < claims.length; n++) {
            Claim calldata claim = claims[n];
            Cheque calldata cheque = claim.cheque;
            (Fault fault, uint128 value, bytes32 digest) =
                _check(cheque, claim.i, claim.w, claim.sig, claim.delegate, claim.dsig);
            if (fault != Fault.None) {
                emit Skipped(n, fault);
                continue;
            }
            if (cheque.payee != payee || cheque.token != token) {
                _credit(payee, token, sum);
                (payee, token, sum) = (cheque.payee, cheque.token, 0);
            }
            sum += _settle(cheque, value, claim.delegate, digest);
        }
        _credit(payee, token, sum);
    }

    /// Rule 4: pays what is still owed on a channel. Needs no signature: what was accepted stays owed.
    function repay(address payer, address payee, address token, uint64 epoch, uint64 channel_)
        external
        locked
        returns (uint128 amount)
    {
        Channel storage its = _channels[_key(payer, payee, token, epoch, channel_)];
        Account storage account_ = _accounts[payer][token];
        amount = _draw(account_, _locks[payer][payee][token], its.claimed - its.paid);
        if (amount == 0) return 0;
        its.paid += amount;
        account_.owed -= amount;
        emit Paid(payer, payee, token, channel_, its.claimed, its.paid, amount, 0);
        _payOut(payee, token, amount);
    }

    /// Rule 6: transfers the caller's whole credit.
    function withdraw(address token) external locked returns (uint256 amount) {
        amount = credit[msg.sender][token];
        credit[msg.sender][token] = 0;
        Transfers.push(token, msg.sender, amount);
        emit Withdrawn(msg.sender, token, amount);
    }

    // Delegations

    /// Rule 5: the caller's delegation with this digest ends in 24 hours.
    function revoke(bytes32 digest) external idle {
        Delegation storage its = _delegations[msg.sender][digest];
        // A second call would only put off the first.
        if (its.revokedAt != 0) revert AlreadyRevoked();
        uint40 time = _now() + REVOKE_DELAY;
        its.revokedAt = time;
        emit Revoked(msg.sender, digest, time);
    }

    /// Rule 5: in 24 hours, every delegation of the caller ends that could be used by then.
    function revokeAll(address token) external idle {
        Account storage account_ = _accounts[msg.sender][token];
        uint40 voiding = account_.voidingUntil;
        // What an earlier call voided stays void, and one that is under way is not put off.
        if (voiding != 0) {
            if (_now() < _voidAt(voiding)) revert AlreadyRevoked();
            account_.voidUntil = voiding;
        }
        voiding = _now() + DELEGATE_MAX;
        account_.voidingUntil = voiding;
        emit RevokedAll(msg.sender, token, voiding, _voidAt(voiding));
    }

    // Ways out

    /// Rule 7: replaces an earlier request and starts 24 hours anew; 0 cancels.
    function requestExit(address token, uint128 amount) external idle {
        Account storage account_ = _accounts[msg.sender][token];
        uint40 time = amount == 0 ? 0 : _now() + EXIT_DELAY;
        account_.exitAmount = amount;
        account_.exitAt = time;
        emit ExitRequested(msg.sender, token, amount, time);
    }

    /// Rule 7: pays what was requested, or what cheques have left of it.
    function exit(address token) external locked returns (uint128 amount) {
        Account storage account_ = _accounts[msg.sender][token];
        _demandReached(account_.exitAt);
        amount = _min(account_.exitAmount, account_.free);
        account_.free -= amount;
        account_.exitAmount = 0;
        account_.exitAt = 0;
        Transfers.push(token, msg.sender, amount);
        emit Exited(msg.sender, token, amount);
    }

    /// Rule 7: the whole bond can be taken back in 7 days, if no more is added.
    function requestBondExit(address token) external idle {
        uint40 time = _now() + BOND_EXIT_DELAY;
        _accounts[msg.sender][token].bondExitAt = time;
        emit BondExitRequested(msg.sender, token, time);
    }

    /// Rule 7: pays the bond back to who owes nothing.
    function bondExit(address token) external locked returns (uint128 amount) {
        Account storage account_ = _accounts[msg.sender][token];
        _demandReached(account_.bondExitAt);
        if (account_.owed > 0) revert StillOwed(account_.owed);
        amount = account_.bond;
        account_.bond = 0;
        account_.bondExitAt = 0;
        Transfers.push(token, msg.sender, amount);
        emit BondExited(msg.sender, token, amount);
    }

    // Locks

    /// Rule 7: reserves `amount` of what is free for one payee, until `until` at least.
    function lock(address payee, address token, uint128 amount, uint64 until) external idle {
        Lock storage its = _locks[msg.sender][payee][token];
        if (until < its.until) revert LockShrinks();
        Account storage account_ = _accounts[msg.sender][token];
        if (amount > account_.free) revert InsufficientFree();
        account_.free -= amount;
        its.amount += amount;
        its.until = until;
        emit Locked(msg.sender, payee, token, its.amount, until);
    }

    /// Rule 7: returns a lock to what is free. Anyone who has the payee's signature may; without one
    /// (`sig` empty) the payer alone, 24 hours after the lock's end.
    function closeLock(address payer, address payee, address token, bytes calldata sig) external idle {
        Lock storage its = _locks[payer][payee][token];
        uint64 nonce = its.nonce;
        if (sig.length == 0) {
            if (msg.sender != payer || block.timestamp < uint256(its.until) + EXIT_DELAY) revert LockNotOver();
        } else {
            bytes32 structHash = keccak256(abi.encode(CLOSE_LOCK_TYPEHASH, payer, payee, token, nonce));
            address signer = _signer(_digest(structHash), sig);
            if (signer == address(0) || signer != payee) revert BadCloseSignature();
        }
        uint128 amount = its.amount;
        its.amount = 0;
        its.until = 0;
        its.nonce = nonce + 1;
        _accounts[payer][token].free += amount;
        emit LockClosed(payer, payee, token, amount, nonce);
    }

    // Views

    function account(address payer, address token) external view returns (Account memory) {
        return _accounts[payer][token];
    }

    function channel(address payer, address payee, address token, uint64 epoch, uint64 channel_)
        external
        view
        returns (Channel memory)
    {
        return _channels[_key(payer, payee, token, epoch, channel_)];
    }

    function lockOf(address payer, address payee, address token) external view returns (Lock memory) {
        return _locks[payer][payee][token];
    }

    function delegation(address owner, bytes32 digest) external view returns (Delegation memory) {
        return _delegations[owner][digest];
    }

    function chequeDigest(Cheque calldata cheque) public view returns (bytes32) {
        return _digest(keccak256(abi.encode(CHEQUE_TYPEHASH, cheque)));
    }

    function delegateDigest(Delegate calldata delegate) public view returns (bytes32) {
        return _digest(keccak256(abi.encode(DELEGATE_TYPEHASH, delegate)));
    }

    // Validity

    /// Rule 3: what is wrong with a cheque; if nothing is, its value, and the digest of its delegation, 0 if
    /// the payer signed it.
    function _check(
        Cheque calldata cheque,
        uint32 i,
        bytes32 w,
        bytes calldata sig,
        Delegate calldata delegate,
        bytes calldata dsig
    ) private view returns (Fault fault, uint128 value, bytes32 digest) {
        (fault, value) = _checkTerms(cheque, i, w);
        if (fault == Fault.None) (fault, digest) = _checkSignatures(cheque, sig, delegate, dsig);
    }

    function _checkTerms(Cheque calldata cheque, uint32 i, bytes32 w) private view returns (Fault, uint128) {
        if (cheque.links > LINKS_MAX) return (Fault.TooManyLinks, 0);
        if (i > cheque.links) return (Fault.LinkOutOfRange, 0);
        // 128 bits, plus 128 bits by 32: 256 hold it.
        uint256 value = uint256(cheque.cumulative) + uint256(cheque.unit) * i;
        if (value > type(uint128).max) return (Fault.ValueTooHigh, 0);
        // Rule 2: 0 is the epoch of an account that nobody has funded.
        uint64 epoch = _accounts[cheque.payer][cheque.token].epoch;
        if (epoch == 0 || cheque.epoch != epoch) return (Fault.WrongEpoch, 0);
        if (i != 0 && _hashed(w, i) != cheque.root) return (Fault.BrokenChain, 0);
        return (Fault.None, uint128(value));
    }

    function _checkSignatures(
        Cheque calldata cheque,
        bytes calldata sig,
        Delegate calldata delegate,
        bytes calldata dsig
    ) private view returns (Fault, bytes32) {
        address signer = _signer(chequeDigest(cheque), sig);
        if (signer == address(0)) return (Fault.BadSignature, 0);
        if (dsig.length == 0) return (signer == cheque.payer ? Fault.None : Fault.BadSignature, 0);
        return _checkDelegate(cheque, signer, delegate, dsig);
    }

    function _checkDelegate(
        Cheque calldata cheque,
        address signer,
        Delegate calldata delegate,
        bytes calldata dsig
    ) private view returns (Fault, bytes32) {
        address owner = delegate.owner;
        if (owner != cheque.payer || delegate.token != cheque.token || delegate.session != signer) {
            return (Fault.WrongDelegate, 0);
        }
        uint64 validUntil = delegate.validUntil;
        if (block.timestamp > validUntil) return (Fault.DelegateExpired, 0);
        if (validUntil > block.timestamp + DELEGATE_MAX) return (Fault.DelegateTooLong, 0);
        bytes32 digest = delegateDigest(delegate);
        if (_isRevoked(_accounts[owner][cheque.token], _delegations[owner][digest], validUntil)) {
            return (Fault.DelegateRevoked, 0);
        }
        address by = _signer(digest, dsig);
        if (by == address(0) || by != owner) return (Fault.BadDelegateSignature, 0);
        return (Fault.None, digest);
    }

    /// Rule 5.
    function _isRevoked(Account storage account_, Delegation storage its, uint64 validUntil)
        private
        view
        returns (bool)
    {
        uint40 time = its.revokedAt;
        if (time != 0 && block.timestamp >= time) return true;
        if (validUntil <= account_.voidUntil) return true;
        uint40 voiding = account_.voidingUntil;
        return validUntil <= voiding && block.timestamp >= _voidAt(voiding);
    }

    /// `w`, hashed `times` times.
    function _hashed(bytes32 w, uint256 times) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0, w)
            for { } times { times := sub(times, 1) } { mstore(0, keccak256(0, 32)) }
            hash := mload(0)
        }
    }

    // Books

    /// Rules 4 and 5: raises what is claimed on the channel of a valid cheque and pays what is due there.
    function _settle(Cheque calldata cheque, uint128 value, Delegate calldata delegate, bytes32 digest)
        private
        returns (uint128 amount)
    {
        bytes32 key = _key(cheque.payer, cheque.payee, cheque.token, cheque.epoch, cheque.channel);
        Channel memory its = _channels[key];
        uint128 owedBefore = its.claimed - its.paid;
        uint128 raised;
        bool bounces;
        if (value > its.claimed) {
            raised = value - its.claimed;
            if (digest != 0) (raised, bounces) = _charge(delegate, digest, raised, key, value);
            its.claimed += raised;
        }
        Account storage account_ = _accounts[cheque.payer][cheque.token];
        amount = _draw(account_, _locks[cheque.payer][cheque.payee][cheque.token], owedBefore + raised);
        its.paid += amount;
        if (raised != 0 || amount != 0) {
            _channels[key] = its;
            _emitPaid(cheque, its, amount, digest);
        }
        uint128 owedAfter = its.claimed - its.paid;
        // Most cheques are paid whole, again and again, and leave this slot alone.
        if (owedAfter != owedBefore) account_.owed = account_.owed + owedAfter - owedBefore;
        if (bounces || (raised != 0 && owedAfter != 0)) {
            _bounce(cheque, delegate.bondAtRisk, digest, value - its.paid);
        }
    }

    function _emitPaid(Cheque calldata cheque, Channel memory its, uint128 amount, bytes32 digest) private {
        emit Paid(
            cheque.payer, cheque.payee, cheque.token, cheque.channel, its.claimed, its.paid, amount, digest
        );
    }

    /// Rule 5: how much of `raise` the delegation still covers, and whether what it does not cover is
    /// seen for the first time, which is a bounce even if nothing is covered.
    function _charge(Delegate calldata delegate, bytes32 digest, uint128 raise, bytes32 key, uint128 value)
        private
        returns (uint128, bool bounces)
    {
        Delegation storage its = _delegations[delegate.owner][digest];
        uint128 spent = its.spent;
        uint128 room = delegate.maxAmount - spent;
        if (raise > room) {
            raise = room;
            bounces = value > _shown[key];
            if (bounces) _shown[key] = value;
        }
        if (raise != 0) its.spent = spent + raise;
        return (raise, bounces);
    }

    /// Rule 4: takes up to `due` from the lock, then from what is free, pending exit or not.
    function _draw(Account storage account_, Lock storage its, uint128 due) private returns (uint128 amount) {
        if (due == 0) return 0;
        uint128 locked_ = its.amount;
        if (locked_ != 0) {
            amount = _min(due, locked_);
            its.amount = locked_ - amount;
        }
        if (amount < due) {
            uint128 free = account_.free;
            uint128 fromFree = _min(due - amount, free);
            account_.free = free - fromFree;
            amount += fromFree;
        }
        // Money that goes in circles must not make a cheque revert.
        uint256 total = uint256(account_.totalPaid) + amount;
        account_.totalPaid = total < type(uint120).max ? uint120(total) : type(uint120).max;
    }

    /// Rules 4 and 5: marks the account and burns its bond, of a delegation's bounces at most `atRisk` in all.
    function _bounce(Cheque calldata cheque, uint128 atRisk, bytes32 digest, uint128 missing) private {
        (address payer, address token) = (cheque.payer, cheque.token);
        Account storage account_ = _accounts[payer][token];
        uint128 burnt = account_.bond;
        if (digest != 0) {
            Delegation storage its = _delegations[payer][digest];
            burnt = _min(burnt, atRisk - its.burnt);
            its.burnt += burnt;
        }
        if (account_.bounces != type(uint16).max) account_.bounces += 1;
        account_.bond -= burnt;
        burned[token] += burnt;
        emit Bounced(payer, cheque.payee, token, digest, missing, burnt);
    }

    /// Rule 6: transfers, or credits what could not be transferred. Writing the credit only then saves a
    /// new slot for each payee, and nobody can come in between: the mutex is held.
    function _payOut(address payee, address token, uint128 amount) private {
        if (amount != 0 && !Transfers.trySend(token, payee, amount)) _credit(payee, token, amount);
    }

    function _credit(address payee, address token, uint256 amount) private {
        if (amount == 0) return;
        credit[payee][token] += amount;
        emit Credited(payee, token, amount);
    }

    /// Every path by which money comes into an account.
    function _add(address payer, address token, uint128 free, uint128 bond_) private {
        Account storage account_ = _accounts[payer][token];
        account_.free += free;
        account_.bond += bond_;
        // Rule 2: once, when there is something for the first time.
        if (account_.epoch == 0 && (free | bond_) != 0) account_.epoch = _now();
        // A bond that is added to stays its 7 days, whenever the exit of the old one was requested.
        if (bond_ != 0 && account_.bondExitAt != 0) {
            account_.bondExitAt = 0;
            emit BondExitRequested(payer, token, 0);
        }
    }

    function _key(address payer, address payee, address token, uint64 epoch, uint64 channel_)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(payer, payee, token, epoch, channel_));
    }

    function _demandReached(uint40 time) private view {
        if (time == 0) revert NotRequested();
        if (block.timestamp < time) revert NotBefore(time);
    }

    /// When a `revokeAll` that reaches to `voiding` takes effect.
    function _voidAt(uint40 voiding) private pure returns (uint40) {
        return voiding - DELEGATE_MAX + REVOKE_DELAY;
    }

    function _now() private view returns (uint40) {
        // A chain that counts milliseconds would pass every delay at once.
        if (block.timestamp > type(uint40).max) revert NotSeconds();
        return uint40(block.timestamp);
    }

    function _min(uint128 a, uint128 b) private pure returns (uint128) {
        return a < b ? a : b;
    }
}
