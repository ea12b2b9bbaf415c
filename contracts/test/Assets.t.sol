// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Assets} from "../src/Assets.sol";
import {Face} from "../src/Face.sol";
import {Vault} from "../src/Vault.sol";
import {Vm, vm} from "./Vm.sol";

/// Assets by number and through their faces: two views of one balance, with the logs of both.
contract AssetsTest {
    bytes32 private constant ERC20_TRANSFER = keccak256("Transfer(address,address,uint256)");
    bytes32 private constant ERC6909_TRANSFER = keccak256("Transfer(address,address,address,uint256,uint256)");
    address private constant ANN = address(0xA);
    address private constant BEN = address(0xB);
    address private constant SAM = address(0xC);
    uint128 private constant SUPPLY = 1_000_000;
    Assets private assets;
    Face private face;

    function setUp() public {
        assets = new Assets();
        vm.prank(ANN);
        require(assets.issue("Uplink", "UPL", 6, SUPPLY) == 1);
        face = Face(assets.faceOf(1));
    }

    function _holds(address owner, uint256 amount) private view {
        require(assets.balanceOf(owner, 1) == amount && face.balanceOf(owner) == amount, "another balance");
    }

    function test_an_asset_is_issued_whole_to_its_issuer() public view {
        _holds(ANN, SUPPLY);
        require(assets.count() == 1 && assets.issuer(1) == ANN);
        require(assets.totalSupply(1) == SUPPLY && assets.decimals(1) == 6);
        require(keccak256(bytes(assets.name(1))) == keccak256("Uplink"));
        require(keccak256(bytes(assets.symbol(1))) == keccak256("UPL"));
    }

    function test_its_face_tells_the_same() public view {
        require(face.id() == 1 && face.totalSupply() == SUPPLY && face.decimals() == 6);
        require(keccak256(bytes(face.name())) == keccak256("Uplink"));
        require(keccak256(bytes(face.symbol())) == keccak256("UPL"));
        require(address(face).code.length == 77);
    }

    function test_each_asset_has_a_face_and_a_balance_of_its_own() public {
        vm.prank(BEN);
        require(assets.issue("Other", "OTH", 0, 5) == 2);
        Face second = Face(assets.faceOf(2));
        require(second.id() == 2 && address(second) != address(face));
        require(second.balanceOf(BEN) == 5 && second.balanceOf(ANN) == 0 && face.balanceOf(BEN) == 0);
        vm.prank(BEN);
        second.transfer(SAM, 2);
        _holds(SAM, 0);
        require(assets.balanceOf(SAM, 2) == 2);
    }

    function test_the_address_of_a_face_follows_from_its_number() public view {
        bytes32 codeHash = keccak256(
            abi.encodePacked(
                hex"3d604d80600a3d3981f3363d3d373d3d3d363d73",
                assets.faceCode(),
                hex"5af43d82803e903d91602b57fd5bf3",
                uint256(1)
            )
        );
        bytes32 place = keccak256(abi.encodePacked(hex"ff", address(assets), uint256(1), codeHash));
        require(address(uint160(uint256(place))) == address(face));
    }

    function test_what_cannot_be_told_is_not_issued() public {
        vm.expectRevert(Assets.BadName.selector);
        assets.issue("", "S", 0, 1);
        vm.expectRevert(Assets.BadName.selector);
        assets.issue(string(new bytes(65)), "S", 0, 1);
        vm.expectRevert(Assets.BadSymbol.selector);
        assets.issue("N", "", 0, 1);
        vm.expectRevert(Assets.BadSymbol.selector);
        assets.issue("N", string(new bytes(17)), 0, 1);
        vm.expectRevert(Assets.BadDecimals.selector);
        assets.issue("N", "S", 19, 1);
        vm.expectRevert(Assets.BadSupply.selector);
        assets.issue("N", "S", 18, 0);
    }

    function test_a_transfer_shows_on_both_sides_wherever_it_was_made() public {
        vm.recordLogs();
        vm.prank(ANN);
        require(assets.transfer(BEN, 1, 10));
        _demandLogs(ANN, ANN, BEN, 10);
        vm.prank(ANN);
        require(face.transfer(BEN, 5));
        _demandLogs(ANN, ANN, BEN, 5);
        _holds(ANN, SUPPLY - 15);
        _holds(BEN, 15);
    }

    function test_issuing_shows_on_both_sides() public {
        vm.recordLogs();
        assets.issue("N", "S", 0, 9);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        require(logs.length == 3 && logs[2].emitter == assets.faceOf(2));
        require(logs[1].topics[0] == ERC6909_TRANSFER && logs[2].topics[0] == ERC20_TRANSFER);
    }

    function _demandLogs(address caller, address from, address to, uint256 amount) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        require(logs.length == 2, "two logs");
        (Vm.Log memory by, Vm.Log memory of_) = (logs[0], logs[1]);
        require(by.emitter == address(assets) && by.topics[0] == ERC6909_TRANSFER);
        require(_word(from) == by.topics[1] && _word(to) == by.topics[2] && by.topics[3] == bytes32(uint256(1)));
        require(keccak256(by.data) == keccak256(abi.encode(caller, amount)));
        require(of_.emitter == address(face) && of_.topics[0] == ERC20_TRANSFER);
        require(_word(from) == of_.topics[1] && _word(to) == of_.topics[2] && of_.topics.length == 3);
        require(keccak256(of_.data) == keccak256(abi.encode(amount)));
    }

    function _word(address a) private pure returns (bytes32) {
        return bytes32(uint256(uint160(a)));
    }

    function test_an_allowance_is_one_wherever_it_was_given() public {
        vm.startPrank(ANN);
        assets.approve(SAM, 1, 100);
        require(face.allowance(ANN, SAM) == 100);
        face.approve(SAM, 70);
        vm.stopPrank();
        require(assets.allowance(ANN, SAM, 1) == 70);
        vm.startPrank(SAM);
        require(face.transferFrom(ANN, BEN, 30) && assets.transferFrom(ANN, BEN, 1, 30));
        require(face.allowance(ANN, SAM) == 10);
        vm.expectRevert(Assets.InsufficientAllowance.selector);
        face.transferFrom(ANN, BEN, 11);
        vm.expectRevert(Assets.InsufficientAllowance.selector);
        assets.transferFrom(ANN, BEN, 1, 11);
        vm.stopPrank();
        _holds(BEN, 60);
    }

    function test_the_largest_allowance_is_not_used_up() public {
        vm.prank(ANN);
        face.approve(SAM, type(uint256).max);
        vm.prank(SAM);
        face.transferFrom(ANN, BEN, 30);
        require(face.allowance(ANN, SAM) == type(uint256).max);
    }

    function test_an_operator_moves_any_asset_by_number_and_none_through_a_face() public {
        vm.prank(ANN);
        assets.setOperator(SAM, true);
        vm.startPrank(SAM);
        assets.transferFrom(ANN, BEN, 1, 30);
        vm.expectRevert(Assets.InsufficientAllowance.selector);
        face.transferFrom(ANN, BEN, 1);
        vm.stopPrank();
        vm.prank(ANN);
        assets.setOperator(SAM, false);
        vm.prank(SAM);
        vm.expectRevert(Assets.InsufficientAllowance.selector);
        assets.transferFrom(ANN, BEN, 1, 1);
    }

    function test_nobody_moves_what_he_does_not_have() public {
        vm.startPrank(BEN);
        vm.expectRevert(Assets.InsufficientBalance.selector);
        face.transfer(SAM, 1);
        vm.expectRevert(Assets.InsufficientBalance.selector);
        assets.transfer(SAM, 1, 1);
        vm.expectRevert(Assets.InsufficientAllowance.selector);
        face.transferFrom(ANN, BEN, 1);
        vm.expectRevert(Assets.UnknownAsset.selector);
        assets.transfer(SAM, 2, 0);
        vm.expectRevert(Assets.UnknownAsset.selector);
        assets.approve(SAM, 2, 1);
        vm.stopPrank();
        vm.startPrank(ANN);
        vm.expectRevert(Assets.ZeroAddress.selector);
        face.transfer(address(0), 1);
        vm.expectRevert(Assets.InsufficientBalance.selector);
        face.transfer(BEN, uint256(SUPPLY) + 1);
        face.transfer(ANN, SUPPLY);
        vm.stopPrank();
        _holds(ANN, SUPPLY);
    }

    function test_only_a_face_acts_for_others_and_only_assets_writes_its_logs() public {
        vm.startPrank(BEN);
        vm.expectRevert(Assets.NotItsFace.selector);
        assets.faceTransfer(1, ANN, BEN, 1);
        vm.expectRevert(Assets.NotItsFace.selector);
        assets.faceTransferFrom(1, ANN, ANN, BEN, 1);
        vm.expectRevert(Assets.NotItsFace.selector);
        assets.faceApprove(1, ANN, BEN, 1);
        vm.expectRevert(Face.NotAssets.selector);
        face.logTransfer(ANN, BEN, 1);
        vm.expectRevert(Face.NotAssets.selector);
        face.logApproval(ANN, BEN, 1);
        Face shared = Face(assets.faceCode());
        vm.expectRevert(Assets.NotItsFace.selector);
        shared.transfer(BEN, 1);
        vm.stopPrank();
        // The face of one asset does not move another.
        assets.issue("N", "S", 0, 9);
        address second = assets.faceOf(2);
        vm.prank(second);
        vm.expectRevert(Assets.NotItsFace.selector);
        assets.faceTransfer(1, ANN, BEN, 1);
    }

    function test_it_says_that_it_is_erc_6909() public view {
        bytes4 erc6909 = Assets.transfer.selector ^ Assets.transferFrom.selector ^ Assets.approve.selector
            ^ Assets.setOperator.selector ^ bytes4(keccak256("balanceOf(address,uint256)"))
            ^ bytes4(keccak256("allowance(address,address,uint256)")) ^ bytes4(keccak256("isOperator(address,address)"));
        require(assets.supportsInterface(erc6909) && assets.supportsInterface(0x01ffc9a7));
        require(!assets.supportsInterface(0xffffffff));
    }

    function test_a_vault_takes_an_asset_through_its_face() public {
        Vault vault = new Vault();
        vm.startPrank(ANN);
        face.approve(address(vault), 500);
        vault.deposit(address(face), 500);
        vm.stopPrank();
        require(vault.account(ANN, address(face)).free == 500);
        _holds(address(vault), 500);
    }

    function testFuzz_transfers_make_and_lose_nothing(uint256[16] memory amounts, uint256 ways) public {
        address[3] memory owners = [ANN, BEN, SAM];
        for (uint256 n = 0; n < amounts.length; n++) {
            uint256 way = ways >> (4 * n);
            address from = owners[way % 3];
            address to = owners[(way / 3) % 3];
            uint256 amount = amounts[n] % (assets.balanceOf(from, 1) + 1);
            vm.prank(from);
            if (way & 8 == 0) face.transfer(to, amount);
            else assets.transfer(to, 1, amount);
        }
        require(face.balanceOf(ANN) + face.balanceOf(BEN) + face.balanceOf(SAM) == SUPPLY);
    }
}
