// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

/// A token that can be told to misbehave.
contract Odd {
    enum Way {
        ReturnsTrue,
        ReturnsNothing,
        ReturnsFalse,
        ReturnsTwo,
        ReturnsShort,
        ReturnsMuch,
        Reverts,
        KeepsFee,
        GivesBonus,
        CallsBack
    }

    mapping(address owner => uint256) public balanceOf;
    Way public way;
    address private _target;
    bytes[] private _calls;
    bytes[] public answers;

    function mint(address to, uint256 value) external {
        balanceOf[to] += value;
    }

    function turn(Way way_) external {
        way = way_;
    }

    function callBack(address target, bytes[] calldata calls) external {
        way = Way.CallsBack;
        _target = target;
        for (uint256 n = 0; n < calls.length; n++) _calls.push(calls[n]);
    }

    function answerCount() external view returns (uint256) {
        return answers.length;
    }

    function approve(address, uint256) external {}

    function transfer(address to, uint256 value) external {
        _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external {
        _move(from, to, value);
    }

    function _move(address from, address to, uint256 value) private {
        if (way == Way.Reverts) revert("no");
        if (way == Way.ReturnsFalse) _answer(0, 32);
        if (way == Way.CallsBack) _callBack();
        balanceOf[from] -= value;
        balanceOf[to] += value;
        if (way == Way.KeepsFee) balanceOf[to] -= value / 100;
        if (way == Way.GivesBonus) balanceOf[to] += 1;
        if (way == Way.ReturnsTrue) _answer(1, 32);
        if (way == Way.ReturnsTwo) _answer(2, 32);
        if (way == Way.ReturnsShort) _answer(1, 31);
        if (way == Way.ReturnsMuch) _answer(1, 100_000);
    }

    function _callBack() private {
        for (uint256 n = 0; n < _calls.length; n++) {
            (bool done, bytes memory answer) = _target.call(_calls[n]);
            answers.push(done ? bytes("done") : answer);
        }
    }

    function _answer(uint256 word, uint256 size) private pure {
        assembly {
            mstore(0, word)
            return(0, size)
        }
    }
}
