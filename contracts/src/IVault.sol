// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

/// A payer's promise to one payee: `cumulative`, plus `unit` for each link of the chain that ends in
/// `root`. Its value grows with every link that is revealed; the highest value wins.
struct Cheque {
    address payer;
    address payee;
    address token;
    uint64 epoch;
    uint128 cumulative;
    bytes32 root;
    uint128 unit;
    uint32 links;
    uint64 channel;
}

/// What an owner allows a session key to promise in its name.
struct Delegate {
    address owner;
    address session;
    address token;
    uint128 maxAmount;
    uint128 bondAtRisk;
    uint64 validUntil;
}

/// A cheque as it is cashed: with its best link, and the delegation if a session key signed it.
struct Claim {
    Cheque cheque;
    uint32 i;
    bytes32 w;
    bytes sig;
    Delegate delegate;
    bytes dsig;
}

/// What one payer has in one token (rule 1). The order packs what a cheque touches into two slots; 40
/// bits hold the seconds of 34,000 years.
struct Account {
    uint128 free;
    uint128 bond;
    // What was ever paid; stops at the most it can hold, as `bounces` does.
    uint120 totalPaid;
    uint40 epoch;
    // Delegations that end up to here are void; those up to `voidingUntil` will be, 7 days before it.
    uint40 voidUntil;
    uint40 voidingUntil;
    uint16 bounces;
    uint128 exitAmount;
    uint40 exitAt;
    uint40 bondExitAt;
    // Not 128 bits: many channels can owe the most that one can.
    uint256 owed;
}

/// What was promised and paid on one channel. Both only grow.
struct Channel {
    uint128 claimed;
    uint128 paid;
}

/// What is reserved for one payee.
struct Lock {
    uint128 amount;
    uint64 until;
    uint64 nonce;
}

/// What a delegation has used up. `revokedAt` is when a revocation takes effect, 0 without one.
struct Delegation {
    uint128 spent;
    uint40 revokedAt;
    uint128 burnt;
}

/// Why a cheque is invalid.
enum Fault {
    None,
    TooManyLinks,
    LinkOutOfRange,
    ValueTooHigh,
    WrongEpoch,
    BrokenChain,
    BadSignature,
    WrongDelegate,
    DelegateExpired,
    DelegateTooLong,
    DelegateRevoked,
    BadDelegateSignature
}

/// What the vault tells, and what it refuses.
interface IVault {
    event Deposited(address indexed payer, address indexed token, uint128 amount);
    event Bonded(address indexed payer, address indexed token, uint128 amount);
    /// `amount` was paid on a channel, whose totals are `claimed` and `paid` after it. `delegation` is the
    /// digest of what allowed a session key to claim it; 0 if the owner signed, and for `repay`.
    event Paid(
        address indexed payer,
        address indexed payee,
        address indexed token,
        uint64 channel,
        uint128 claimed,
        uint128 paid,
        uint128 amount,
        bytes32 delegation
    );
    /// `missing` of a cheque could not be paid; `burnt` of the bond is gone. `delegation` as in `Paid`.
    event Bounced(
        address indexed payer,
        address indexed payee,
        address indexed token,
        bytes32 delegation,
        uint128 missing,
        uint128 burnt
    );
    event Credited(address indexed payee, address indexed token, uint256 amount);
    event Skipped(uint256 indexed index, Fault fault);
    event Withdrawn(address indexed payee, address indexed token, uint256 amount);
    event CreditMoved(address indexed payee, address indexed token, uint128 free, uint128 bond);
    event ExitRequested(address indexed payer, address indexed token, uint128 amount, uint40 time);
    event Exited(address indexed payer, address indexed token, uint128 amount);
    /// `time` is 0 when a request was cancelled.
    event BondExitRequested(address indexed payer, address indexed token, uint40 time);
    event BondExited(address indexed payer, address indexed token, uint128 amount);
    event Locked(
        address indexed payer, address indexed payee, address indexed token, uint128 amount, uint64 until
    );
    event LockClosed(
        address indexed payer, address indexed payee, address indexed token, uint128 amount, uint64 nonce
    );
    event Revoked(address indexed owner, bytes32 indexed delegation, uint40 time);
    event RevokedAll(address indexed owner, address indexed token, uint40 validUntilMost, uint40 time);

    error InvalidCheque(Fault fault);
    error TooManyClaims();
    error InsufficientFree();
    error InsufficientCredit();
    error NotRequested();
    error NotBefore(uint40 time);
    error StillOwed(uint256 owed);
    error LockShrinks();
    error LockNotOver();
    error BadCloseSignature();
    error AlreadyRevoked();
    error NotSeconds();
    error Reentered();
}
