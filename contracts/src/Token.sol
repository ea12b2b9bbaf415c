// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Erc20} from "./Erc20.sol";

/// A token of its own: a fixed supply, given to one owner when it is made.
contract Token is Erc20 {
    constructor(string memory name_, string memory symbol_, uint8 decimals_, uint256 supply, address owner)
        Erc20(name_, symbol_, decimals_)
    {
        _mint(owner, supply);
    }
}
