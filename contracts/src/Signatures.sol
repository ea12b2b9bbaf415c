// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

/// The EIP-712 domain of one contract, and who signed in it.
abstract contract Signatures {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    /// Half the order of secp256k1: of the two signatures that anyone can make of one, the one up to here counts.
    uint256 private constant S_MAX = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    uint256 private immutable CHAIN_ID = block.chainid;
    bytes32 private immutable SEPARATOR = _separator();

    /// What a client compares with its own before it signs anything.
    function DOMAIN_SEPARATOR() public view returns (bytes32) {
        // After a fork the two chains differ in their id only, and what is signed for one must not
        // count on the other.
        return block.chainid == CHAIN_ID ? SEPARATOR : _separator();
    }

    function _digest(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", DOMAIN_SEPARATOR(), structHash));
    }

    /// The signer, or 0 for anything but 65 bytes r, s, v with low s and v 27 or 28 (rule 3).
    function _signer(bytes32 digest, bytes calldata sig) internal pure returns (address) {
        if (sig.length != 65) return address(0);
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly ("memory-safe") {
            r := calldataload(sig.offset)
            s := calldataload(add(sig.offset, 32))
            v := byte(0, calldataload(add(sig.offset, 64)))
        }
        if (uint256(s) > S_MAX || (v != 27 && v != 28)) return address(0);
        return ecrecover(digest, v, r, s);
    }

    function _separator() private view returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256("Piecework"), keccak256("1"), block.chainid, address(this))
        );
    }
}
