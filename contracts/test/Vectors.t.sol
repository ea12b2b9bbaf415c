// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Base} from "./Base.sol";
import {Cheque, Delegate} from "../src/IVault.sol";
import {Token} from "../src/Token.sol";
import {Vault} from "../src/Vault.sol";
import {vm} from "./Vm.sol";

/// That the vault hashes what viem and ethers hash: the vectors of `vectors.json`, at their addresses.
contract VectorsTest is Base {
    string private json = vm.readFile("vectors.json");
    uint256 private constant CHEQUES = 7;
    uint256 private constant DELEGATES = 3;
    uint256 private constant CLOSE_LOCKS = 2;
    uint256 private constant DOMAINS = 2;

    function _path(string memory list, uint256 n, string memory field) private pure returns (string memory) {
        return string.concat(".", list, "[", vm.toString(n), "].", field);
    }

    function _uint(string memory list, uint256 n, string memory field) private view returns (uint256) {
        return vm.parseJsonUint(json, _path(list, n, field));
    }

    function _address(string memory list, uint256 n, string memory field) private view returns (address) {
        return vm.parseJsonAddress(json, _path(list, n, field));
    }

    function _bytes32(string memory list, uint256 n, string memory field) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, _path(list, n, field));
    }

    /// Puts the vault where the vector wants it, on its chain.
    function _enter(uint256 domain) private {
        address place = _address("domains", domain, "verifyingContract");
        bytes memory code = address(vault).code;
        vm.etch(place, code);
        vault = Vault(place);
        vm.chainId(_uint("domains", domain, "chainId"));
    }

    function _demandSigner(bytes32 digest, string memory list, uint256 n) private view {
        bytes memory sig = vm.parseJsonBytes(json, _path(list, n, "signature"));
        (bytes32 r, bytes32 s) = abi.decode(sig, (bytes32, bytes32));
        address signer = _address("keys", _uint(list, n, "signer"), "address");
        require(ecrecover(digest, uint8(sig[64]), r, s) == signer, "another signer");
    }

    function test_the_domains_are_those_of_the_vectors() public {
        for (uint256 n = 0; n < DOMAINS; n++) {
            _enter(n);
            require(vault.DOMAIN_SEPARATOR() == _bytes32("domains", n, "separator"), "another separator");
        }
    }

    function test_cheques_hash_as_in_the_vectors() public {
        for (uint256 n = 0; n < CHEQUES; n++) {
            _enter(_uint("cheques", n, "domain"));
            Cheque memory c = Cheque(
                _address("cheques", n, "message.payer"),
                _address("cheques", n, "message.payee"),
                _address("cheques", n, "message.token"),
                uint64(_uint("cheques", n, "message.epoch")),
                uint128(_uint("cheques", n, "message.cumulative")),
                _bytes32("cheques", n, "message.root"),
                uint128(_uint("cheques", n, "message.unit")),
                uint32(_uint("cheques", n, "message.links")),
                uint64(_uint("cheques", n, "message.channel"))
            );
            bytes32 digest = vault.chequeDigest(c);
            require(digest == _bytes32("cheques", n, "digest") && digest == _hash(c), "another digest");
            _demandSigner(digest, "cheques", n);
        }
    }

    function test_delegations_hash_as_in_the_vectors() public {
        for (uint256 n = 0; n < DELEGATES; n++) {
            _enter(_uint("delegates", n, "domain"));
            Delegate memory d = Delegate(
                _address("delegates", n, "message.owner"),
                _address("delegates", n, "message.session"),
                _address("delegates", n, "message.token"),
                uint128(_uint("delegates", n, "message.maxAmount")),
                uint128(_uint("delegates", n, "message.bondAtRisk")),
                uint64(_uint("delegates", n, "message.validUntil"))
            );
            bytes32 digest = vault.delegateDigest(d);
            require(digest == _bytes32("delegates", n, "digest") && digest == _hash(d), "another digest");
            _demandSigner(digest, "delegates", n);
        }
    }

    function test_closings_of_locks_hash_as_in_the_vectors() public {
        for (uint256 n = 0; n < CLOSE_LOCKS; n++) {
            _enter(_uint("closeLocks", n, "domain"));
            token = Token(_address("closeLocks", n, "message.token"));
            bytes32 digest = _hashClose(
                _address("closeLocks", n, "message.payer"),
                _address("closeLocks", n, "message.payee"),
                uint64(_uint("closeLocks", n, "message.nonce"))
            );
            require(digest == _bytes32("closeLocks", n, "digest"), "another digest");
            _demandSigner(digest, "closeLocks", n);
        }
    }

    function test_chains_of_links_end_in_their_roots() public view {
        for (uint256 n = 0; n < 4; n++) {
            bytes32 root = _hashed(_bytes32("chains", n, "seed"), _uint("chains", n, "links"));
            require(root == _bytes32("chains", n, "root"), "another root");
        }
    }
}
