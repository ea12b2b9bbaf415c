// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Face} from "./Face.sol";

/// Tokens without code of their own: one call issues one. Balances are kept here by number (ERC-6909);
/// beside them each asset has a face, an ERC-20 contract that wallets know how to read. What is done
/// here shows there and the other way round.
contract Assets {
    uint256 public constant NAME_BYTES_MAX = 64;
    uint256 public constant SYMBOL_BYTES_MAX = 16;
    uint8 public constant DECIMALS_MAX = 18;

    struct Asset {
        address issuer;
        uint8 decimals;
        uint128 supply;
        string name;
        string symbol;
    }

    /// The code that all faces share.
    address public immutable faceCode;
    /// The number of assets; their ids are 1 to this.
    uint256 public count;
    mapping(uint256 id => Asset) private _assets;
    mapping(uint256 id => address) public faceOf;
    mapping(address owner => mapping(uint256 id => uint256)) public balanceOf;
    mapping(address owner => mapping(address spender => mapping(uint256 id => uint256))) public allowance;
    mapping(address owner => mapping(address operator => bool)) public isOperator;

    event Issued(uint256 indexed id, address indexed issuer, address indexed face, uint128 supply);
    event Transfer(
        address caller, address indexed sender, address indexed receiver, uint256 indexed id, uint256 amount
    );
    event Approval(address indexed owner, address indexed spender, uint256 indexed id, uint256 amount);
    event OperatorSet(address indexed owner, address indexed operator, bool approved);

    error BadName();
    error BadSymbol();
    error BadDecimals();
    error BadSupply();
    error UnknownAsset();
    error NotItsFace();
    error InsufficientBalance();
    error InsufficientAllowance();
    error ZeroAddress();

    constructor() {
        faceCode = address(new Face());
    }

    /// Makes an asset whose whole supply belongs to the caller. The supply never changes.
    function issue(string calldata name_, string calldata symbol_, uint8 decimals_, uint128 supply)
        external
        returns (uint256 id)
    {
        if (bytes(name_).length == 0 || bytes(name_).length > NAME_BYTES_MAX) revert BadName();
        if (bytes(symbol_).length == 0 || bytes(symbol_).length > SYMBOL_BYTES_MAX) revert BadSymbol();
        if (decimals_ > DECIMALS_MAX) revert BadDecimals();
        if (supply == 0) revert BadSupply();
        id = ++count;
        _assets[id] = Asset(msg.sender, decimals_, supply, name_, symbol_);
        address face = _makeFace(id);
        faceOf[id] = face;
        emit Issued(id, msg.sender, face, supply);
        balanceOf[msg.sender][id] = supply;
        emit Transfer(msg.sender, address(0), msg.sender, id, supply);
        Face(face).logTransfer(address(0), msg.sender, supply);
    }

    // ERC-6909

    function transfer(address receiver, uint256 id, uint256 amount) external returns (bool) {
        _move(msg.sender, msg.sender, receiver, id, amount);
        Face(faceOf[id]).logTransfer(msg.sender, receiver, amount);
        return true;
    }

    function transferFrom(address sender, address receiver, uint256 id, uint256 amount) external returns (bool) {
        if (msg.sender != sender && !isOperator[sender][msg.sender]) _spend(sender, msg.sender, id, amount);
        _move(msg.sender, sender, receiver, id, amount);
        Face(faceOf[id]).logTransfer(sender, receiver, amount);
        return true;
    }

    function approve(address spender, uint256 id, uint256 amount) external returns (bool) {
        if (faceOf[id] == address(0)) revert UnknownAsset();
        _approve(msg.sender, spender, id, amount);
        Face(faceOf[id]).logApproval(msg.sender, spender, amount);
        return true;
    }

    function setOperator(address operator, bool approved) external returns (bool) {
        isOperator[msg.sender][operator] = approved;
        emit OperatorSet(msg.sender, operator, approved);
        return true;
    }

    function name(uint256 id) external view returns (string memory) {
        return _assets[id].name;
    }

    function symbol(uint256 id) external view returns (string memory) {
        return _assets[id].symbol;
    }

    function decimals(uint256 id) external view returns (uint8) {
        return _assets[id].decimals;
    }

    function totalSupply(uint256 id) external view returns (uint256) {
        return _assets[id].supply;
    }

    function issuer(uint256 id) external view returns (address) {
        return _assets[id].issuer;
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == 0x01ffc9a7 || id == 0x0f632fb3;
    }

    // What a face calls for whoever called it; it writes its own logs

    function faceTransfer(uint256 id, address caller, address to, uint256 amount) external {
        _demandFace(id);
        _move(caller, caller, to, id, amount);
    }

    function faceTransferFrom(uint256 id, address caller, address from, address to, uint256 amount) external {
        _demandFace(id);
        _spend(from, caller, id, amount);
        _move(caller, from, to, id, amount);
    }

    function faceApprove(uint256 id, address caller, address spender, uint256 amount) external {
        _demandFace(id);
        _approve(caller, spender, id, amount);
    }

    function _demandFace(uint256 id) private view {
        if (msg.sender != faceOf[id]) revert NotItsFace();
    }

    function _move(address caller, address sender, address receiver, uint256 id, uint256 amount) private {
        if (faceOf[id] == address(0)) revert UnknownAsset();
        if (receiver == address(0)) revert ZeroAddress();
        uint256 balance = balanceOf[sender][id];
        if (balance < amount) revert InsufficientBalance();
        balanceOf[sender][id] = balance - amount;
        balanceOf[receiver][id] += amount;
        emit Transfer(caller, sender, receiver, id, amount);
    }

    function _approve(address owner, address spender, uint256 id, uint256 amount) private {
        allowance[owner][spender][id] = amount;
        emit Approval(owner, spender, id, amount);
    }

    function _spend(address owner, address spender, uint256 id, uint256 amount) private {
        uint256 allowed = allowance[owner][spender][id];
        // The most there can be stands for no limit, as everywhere.
        if (allowed == type(uint256).max) return;
        if (allowed < amount) revert InsufficientAllowance();
        allowance[owner][spender][id] = allowed - amount;
    }

    /// A minimal proxy (ERC-1167) of the shared code with the asset's id behind it, at an address that
    /// follows from the id.
    function _makeFace(uint256 id) private returns (address face) {
        bytes memory code = abi.encodePacked(
            hex"3d604d80600a3d3981f3363d3d373d3d3d363d73", faceCode, hex"5af43d82803e903d91602b57fd5bf3", id
        );
        assembly ("memory-safe") {
            face := create2(0, add(code, 32), mload(code), id)
            // Nothing else can stand there, so what fails is the gas.
            if iszero(face) { revert(0, 0) }
        }
    }
}
