// A contract that does what the checks want to see: an event, a value, reverts of each kind.
import { load } from '../packages.mjs'

const SOURCE = `
// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.0;

contract Probe {
    event Noted(address indexed who, uint256 indexed key, string text);
    error TooMuch(uint256 asked, uint256 most);
    mapping(uint256 => uint256) public values;

    constructor(uint256 first) payable { values[0] = first; }

    function note(uint256 key, string calldata text) external {
        values[key] += 1;
        emit Noted(msg.sender, key, text);
    }
    function refuse(uint256 asked) external pure { revert TooMuch(asked, 7); }
    function explain() external pure { revert("because I say so"); }
    function blockTime() external view returns (uint256) { return block.timestamp; }
    function burn() external view { while (gasleft() > 0) {} }
}
`

const compile = () => {
  const input = {
    language: 'Solidity',
    sources: { 'Probe.sol': { content: SOURCE } },
    settings: { evmVersion: 'paris', optimizer: { enabled: true }, outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } } }
  }
  const output = JSON.parse(load('solc').compile(JSON.stringify(input)))
  const errors = (output.errors ?? []).filter((error) => error.severity === 'error')
  if (errors.length > 0) throw new Error(errors.map((error) => error.formattedMessage).join('\n'))
  const probe = output.contracts['Probe.sol'].Probe
  return { abi: probe.abi, bytecode: `0x${probe.evm.bytecode.object}` }
}

export const { abi, bytecode } = compile()
