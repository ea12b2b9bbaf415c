//! The contracts' interfaces, as their sources in `contracts/src` declare them.
#![allow(
    clippy::too_many_arguments,
    reason = "an event has as many fields as its contract gives it"
)]

use alloy_sol_types::sol;

sol! {
    interface Erc20 {
        function name() external view returns (string);
        function symbol() external view returns (string);
        function decimals() external view returns (uint8);
        function balanceOf(address owner) external view returns (uint256);
        function allowance(address owner, address spender) external view returns (uint256);
        function transfer(address to, uint256 value) external returns (bool);
        function approve(address spender, uint256 value) external returns (bool);
        event Transfer(address indexed from, address indexed to, uint256 value);
    }

    interface Assets {
        function count() external view returns (uint256);
        function faceOf(uint256 id) external view returns (address);
        function issuer(uint256 id) external view returns (address);
        function issue(string name, string symbol, uint8 decimals, uint128 supply)
            external returns (uint256 id);
        event Issued(uint256 indexed id, address indexed issuer, address indexed face, uint128 supply);
        error BadName();
        error BadSymbol();
        error BadDecimals();
        error BadSupply();
        error UnknownAsset();
        error NotItsFace();
        error InsufficientBalance();
        error InsufficientAllowance();
        error ZeroAddress();
    }

    #[derive(Debug, PartialEq)]
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

    #[derive(Debug, Default, PartialEq)]
    struct Delegate {
        address owner;
        address session;
        address token;
        uint128 maxAmount;
        uint128 bondAtRisk;
        uint64 validUntil;
    }

    struct Claim {
        Cheque cheque;
        uint32 i;
        bytes32 w;
        bytes sig;
        Delegate delegate;
        bytes dsig;
    }

    struct Account {
        uint128 free;
        uint128 bond;
        uint120 totalPaid;
        uint40 epoch;
        uint40 voidUntil;
        uint40 voidingUntil;
        uint16 bounces;
        uint128 exitAmount;
        uint40 exitAt;
        uint40 bondExitAt;
        uint256 owed;
    }

    struct Channel {
        uint128 claimed;
        uint128 paid;
    }

    struct Lock {
        uint128 amount;
        uint64 until;
        uint64 nonce;
    }

    struct Delegation {
        uint128 spent;
        uint40 revokedAt;
        uint128 burnt;
    }

    interface Vault {
        function DOMAIN_SEPARATOR() external view returns (bytes32);
        function account(address payer, address token) external view returns (Account memory);
        function channel(address payer, address payee, address token, uint64 epoch, uint64 channel_)
            external view returns (Channel memory);
        function lockOf(address payer, address payee, address token) external view returns (Lock memory);
        function delegation(address owner, bytes32 digest) external view returns (Delegation memory);
        function credit(address payee, address token) external view returns (uint256);

        function deposit(address token, uint128 amount) external;
        function bond(address token, uint128 amount) external;
        function creditToVault(address token, uint128 free, uint128 bond_) external;
        function cash(Cheque cheque, uint32 i, bytes32 w, bytes sig, Delegate delegate, bytes dsig)
            external returns (uint128 amount);
        function cashMany(Claim[] claims) external;
        function repay(address payer, address payee, address token, uint64 epoch, uint64 channel_)
            external returns (uint128 amount);
        function withdraw(address token) external returns (uint256 amount);
        function revoke(bytes32 digest) external;
        function revokeAll(address token) external;
        function requestExit(address token, uint128 amount) external;
        function exit(address token) external returns (uint128 amount);
        function requestBondExit(address token) external;
        function bondExit(address token) external returns (uint128 amount);
        function lock(address payee, address token, uint128 amount, uint64 until) external;
        function closeLock(address payer, address payee, address token, bytes sig) external;

        event Deposited(address indexed payer, address indexed token, uint128 amount);
        event Bonded(address indexed payer, address indexed token, uint128 amount);
        event Paid(
            address indexed payer, address indexed payee, address indexed token,
            uint64 channel, uint128 claimed, uint128 paid, uint128 amount, bytes32 delegation
        );
        event Bounced(
            address indexed payer, address indexed payee, address indexed token,
            bytes32 delegation, uint128 missing, uint128 burnt
        );
        event Credited(address indexed payee, address indexed token, uint256 amount);
        event Skipped(uint256 indexed index, uint8 fault);
        event Withdrawn(address indexed payee, address indexed token, uint256 amount);
        event CreditMoved(address indexed payee, address indexed token, uint128 free, uint128 bond);
        event ExitRequested(address indexed payer, address indexed token, uint128 amount, uint40 time);
        event Exited(address indexed payer, address indexed token, uint128 amount);
        event BondExitRequested(address indexed payer, address indexed token, uint40 time);
        event BondExited(address indexed payer, address indexed token, uint128 amount);
        event Locked(
            address indexed payer, address indexed payee, address indexed token, uint128 amount,
            uint64 until
        );
        event LockClosed(
            address indexed payer, address indexed payee, address indexed token, uint128 amount,
            uint64 nonce
        );
        event Revoked(address indexed owner, bytes32 indexed delegation, uint40 time);
        event RevokedAll(
            address indexed owner, address indexed token, uint40 validUntilMost, uint40 time
        );

        error InvalidCheque(uint8 fault);
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
        error TransferFailed();
        error InexactTransfer();
    }

    /// What Solidity's `require` and its own checks revert with.
    interface Solidity {
        error Error(string message);
        error Panic(uint256 code);
    }
}

#[cfg(test)]
mod tests;
