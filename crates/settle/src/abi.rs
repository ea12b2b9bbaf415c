//! The contracts' interfaces, as their sources in `contracts/src` declare them.

use alloy_sol_types::sol;

sol! {
    /// What every token of ours and of others answers.
    interface Erc20 {
        function name() external view returns (string);
        function symbol() external view returns (string);
        function decimals() external view returns (uint8);
        function totalSupply() external view returns (uint256);
        function balanceOf(address owner) external view returns (uint256);
        function allowance(address owner, address spender) external view returns (uint256);
        function transfer(address to, uint256 value) external returns (bool);
        function approve(address spender, uint256 value) external returns (bool);
        event Transfer(address indexed from, address indexed to, uint256 value);
    }

    interface Assets {
        function count() external view returns (uint256);
        function faceOf(uint256 id) external view returns (address);
        function issuer(uint256 id) external view returns (address);
        function issue(string name, string symbol, uint8 decimals, uint128 supply)
            external returns (uint256 id);
        event Issued(uint256 indexed id, address indexed issuer, address indexed face, uint128 supply);
    }

    interface Vault {
        function DOMAIN_SEPARATOR() external view returns (bytes32);
    }
}
