// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

/// A token that keeps a part of what is sent, and from some block on says something else of its decimals.
contract Taxed {
    string public constant name = "Taxed";
    string public constant symbol = "TAX";
    mapping(address owner => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;
    uint256 private _percent;
    uint256 private _decimals;
    uint256 private _decimalsLater;
    uint256 private _later;

    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor(uint256 supply, uint256 percent, uint256 decimals_, uint256 decimalsLater, uint256 later) {
        (_percent, _decimals, _decimalsLater, _later) = (percent, decimals_, decimalsLater, later);
        balanceOf[msg.sender] = supply;
        emit Transfer(address(0), msg.sender, supply);
    }

    /// More than the type of every other token has room for, if it likes.
    function decimals() external view returns (uint256) {
        return block.number < _later ? _decimals : _decimalsLater;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        return true;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        return _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        allowance[from][msg.sender] -= value;
        return _move(from, to, value);
    }

    function _move(address from, address to, uint256 value) private returns (bool) {
        uint256 kept = value * _percent / 100;
        balanceOf[from] -= value;
        balanceOf[to] += value - kept;
        balanceOf[address(this)] += kept;
        emit Transfer(from, to, value - kept);
        emit Transfer(from, address(this), kept);
        return true;
    }
}
