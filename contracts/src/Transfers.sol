// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

/// The part of ERC-20 that is called. No results: many tokens return nothing where they should.
interface IToken {
    function balanceOf(address owner) external view returns (uint256);
    function transfer(address to, uint256 amount) external;
    function transferFrom(address from, address to, uint256 amount) external;
}

/// Calls of tokens that need not keep to the standard.
library Transfers {
    error TransferFailed();
    error InexactTransfer();

    /// Takes exactly `amount` from `from`: a token that keeps a fee is refused (rule 8).
    function pull(address token, address from, uint256 amount) internal {
        uint256 before = IToken(token).balanceOf(address(this));
        if (!_call(token, abi.encodeCall(IToken.transferFrom, (from, address(this), amount)))) {
            revert TransferFailed();
        }
        if (IToken(token).balanceOf(address(this)) != before + amount) revert InexactTransfer();
    }

    /// Sends `amount`, or reverts. Sends nothing if there is nothing: some tokens refuse that.
    function push(address token, address to, uint256 amount) internal {
        if (amount != 0 && !trySend(token, to, amount)) revert TransferFailed();
    }

    /// Whether `amount` was sent.
    function trySend(address token, address to, uint256 amount) internal returns (bool) {
        // To itself it would leave the books and stay in the balance.
        if (to == address(this)) return false;
        return _call(token, abi.encodeCall(IToken.transfer, (to, amount)));
    }

    /// Calls, and reads one word at most: what a token returns must not cost its payee.
    function _call(address token, bytes memory data) private returns (bool done) {
        assembly ("memory-safe") {
            mstore(0, 0)
            done := call(gas(), token, 0, add(data, 32), mload(data), 0, 32)
            switch returndatasize()
            // Nothing returned: a token all the same, if there is code.
            case 0 { done := and(done, gt(extcodesize(token), 0)) }
            default { done := and(done, and(gt(returndatasize(), 31), eq(mload(0), 1))) }
        }
    }
}
