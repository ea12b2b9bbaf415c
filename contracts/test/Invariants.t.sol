// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Actors} from "./Actors.sol";

/// Whatever people do in whatever order, the books are right after every step. A step that finds them
/// wrong reverts, and a revert fails the run.
contract InvariantsTest {
    Actors private actors;

    function setUp() public {
        actors = new Actors();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actors);
    }

    function invariant_the_vault_has_what_its_books_say() public view {
        actors.demandSolvent();
    }
}
