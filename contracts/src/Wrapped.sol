// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Erc20} from "./Erc20.sol";

/// The chain's coin as a token, one for one.
contract Wrapped is Erc20 {
    event Deposit(address indexed owner, uint256 value);
    event Withdrawal(address indexed owner, uint256 value);

    error CoinRefused();

    constructor(string memory name_, string memory symbol_) Erc20(name_, symbol_, 18) {}

    receive() external payable {
        deposit();
    }

    function deposit() public payable {
        _mint(msg.sender, msg.value);
        emit Deposit(msg.sender, msg.value);
    }

    function withdraw(uint256 value) external {
        _burn(msg.sender, value);
        emit Withdrawal(msg.sender, value);
        (bool taken,) = msg.sender.call{value: value}("");
        if (!taken) revert CoinRefused();
    }
}
