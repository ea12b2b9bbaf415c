// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Assets} from "./Assets.sol";

/// An asset as an ERC-20 token. Keeps nothing: it asks `Assets`, and writes the logs that wallets read.
/// Every face is a proxy of this code that carries the id of its asset in the last 32 bytes of its own.
contract Face {
    Assets private immutable ASSETS = Assets(msg.sender);

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    error NotAssets();

    function id() public view returns (uint256 its) {
        assembly ("memory-safe") {
            // In a proxy's code of 77 bytes: 45 that pass the call on, then the id.
            extcodecopy(address(), 0, 45, 32)
            its := mload(0)
        }
    }

    function name() external view returns (string memory) {
        return ASSETS.name(id());
    }

    function symbol() external view returns (string memory) {
        return ASSETS.symbol(id());
    }

    function decimals() external view returns (uint8) {
        return ASSETS.decimals(id());
    }

    function totalSupply() external view returns (uint256) {
        return ASSETS.totalSupply(id());
    }

    function balanceOf(address owner) external view returns (uint256) {
        return ASSETS.balanceOf(owner, id());
    }

    function allowance(address owner, address spender) external view returns (uint256) {
        return ASSETS.allowance(owner, spender, id());
    }

    function transfer(address to, uint256 value) external returns (bool) {
        ASSETS.faceTransfer(id(), msg.sender, to, value);
        emit Transfer(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        ASSETS.faceTransferFrom(id(), msg.sender, from, to, value);
        emit Transfer(from, to, value);
        return true;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        ASSETS.faceApprove(id(), msg.sender, spender, value);
        emit Approval(msg.sender, spender, value);
        return true;
    }

    /// Something moved in `Assets` itself.
    function logTransfer(address from, address to, uint256 value) external {
        if (msg.sender != address(ASSETS)) revert NotAssets();
        emit Transfer(from, to, value);
    }

    /// Somebody was allowed something in `Assets` itself.
    function logApproval(address owner, address spender, uint256 value) external {
        if (msg.sender != address(ASSETS)) revert NotAssets();
        emit Approval(owner, spender, value);
    }
}
