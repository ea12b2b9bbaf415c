// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Erc20} from "../src/Erc20.sol";
import {Token} from "../src/Token.sol";
import {Wrapped} from "../src/Wrapped.sol";
import {Vm, vm} from "./Vm.sol";

/// The token template and the wrapped coin.
contract Erc20Test {
    address private constant ANN = address(0xA11);
    address private constant BEN = address(0xB11);
    Token private token;
    Wrapped private wrapped;

    function setUp() public {
        token = new Token("Test", "TST", 6, 1000, ANN);
        wrapped = new Wrapped("Wrapped Coin", "WCOIN");
        vm.deal(ANN, 10 ether);
    }

    function test_a_token_tells_what_it_is() public view {
        require(keccak256(bytes(token.name())) == keccak256("Test") && token.decimals() == 6);
        require(keccak256(bytes(token.symbol())) == keccak256("TST"));
        require(token.totalSupply() == 1000 && token.balanceOf(ANN) == 1000);
    }

    function test_making_a_token_is_logged_as_a_transfer_from_nobody() public {
        vm.recordLogs();
        new Token("Test", "TST", 6, 7, ANN);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        require(logs.length == 1 && logs[0].topics[0] == keccak256("Transfer(address,address,uint256)"));
        require(logs[0].topics[1] == 0 && keccak256(logs[0].data) == keccak256(abi.encode(7)));
    }

    function test_a_transfer_moves_and_no_more_than_there_is() public {
        vm.startPrank(ANN);
        require(token.transfer(BEN, 400));
        vm.expectRevert(Erc20.InsufficientBalance.selector);
        token.transfer(BEN, 601);
        vm.expectRevert(Erc20.ZeroAddress.selector);
        token.transfer(address(0), 1);
        require(token.transfer(ANN, 600));
        vm.stopPrank();
        require(token.balanceOf(ANN) == 600 && token.balanceOf(BEN) == 400);
    }

    function test_an_allowance_is_used_up() public {
        vm.prank(ANN);
        require(token.approve(BEN, 300));
        vm.startPrank(BEN);
        require(token.transferFrom(ANN, BEN, 200));
        vm.expectRevert(Erc20.InsufficientAllowance.selector);
        token.transferFrom(ANN, BEN, 101);
        vm.stopPrank();
        require(token.allowance(ANN, BEN) == 100 && token.balanceOf(BEN) == 200);
    }

    function test_the_largest_allowance_is_not_used_up() public {
        vm.prank(ANN);
        token.approve(BEN, type(uint256).max);
        vm.prank(BEN);
        token.transferFrom(ANN, BEN, 200);
        require(token.allowance(ANN, BEN) == type(uint256).max);
    }

    function test_nobody_owns_a_token_without_an_owner() public {
        vm.expectRevert(Erc20.ZeroAddress.selector);
        new Token("Test", "TST", 6, 7, address(0));
    }

    function test_the_coin_is_wrapped_one_for_one_and_comes_back() public {
        vm.startPrank(ANN);
        wrapped.deposit{value: 3 ether}();
        (bool done,) = address(wrapped).call{value: 2 ether}("");
        require(done && wrapped.balanceOf(ANN) == 5 ether && wrapped.totalSupply() == 5 ether);
        require(address(wrapped).balance == 5 ether && wrapped.decimals() == 18);
        wrapped.withdraw(4 ether);
        require(ANN.balance == 9 ether && wrapped.balanceOf(ANN) == 1 ether && wrapped.totalSupply() == 1 ether);
        vm.expectRevert(Erc20.InsufficientBalance.selector);
        wrapped.withdraw(1 ether + 1);
        vm.stopPrank();
    }

    function test_who_takes_no_coin_keeps_it_wrapped() public {
        vm.deal(address(this), 1 ether);
        wrapped.deposit{value: 1 ether}();
        vm.expectRevert(Wrapped.CoinRefused.selector);
        wrapped.withdraw(1 ether);
        require(wrapped.balanceOf(address(this)) == 1 ether);
    }

    function test_who_calls_back_gets_no_coin_twice() public {
        Greedy greedy = new Greedy(wrapped);
        vm.deal(address(greedy), 1 ether);
        vm.prank(ANN);
        wrapped.deposit{value: 5 ether}();
        greedy.go();
        require(address(greedy).balance == 1 ether && address(wrapped).balance == 5 ether);
    }
}

contract Greedy {
    Wrapped private immutable WRAPPED;

    constructor(Wrapped wrapped) {
        WRAPPED = wrapped;
    }

    function go() external {
        WRAPPED.deposit{value: 1 ether}();
        WRAPPED.withdraw(1 ether);
    }

    receive() external payable {
        (bool again,) = address(WRAPPED).call(abi.encodeCall(Wrapped.withdraw, (1 ether)));
        require(!again, "paid twice");
    }
}
