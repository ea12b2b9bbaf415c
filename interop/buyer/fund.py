"""An account in the vault: the few transactions that put money there, signed by a key of one's own.

For a chain on which gas costs nothing. Written from the page of the vault and from EIP-155.
"""
import json
import secrets
import time

from eth_keys import keys

import chain
import cheque

GAS = 1_000_000
PATIENCE = 60
POLL = 0.05


def rlp(value):
    """Recursive-length prefix of numbers, byte strings and lists of them."""
    if isinstance(value, int):
        value = value.to_bytes(-(-value.bit_length() // 8), "big")
    if isinstance(value, bytes):
        if len(value) == 1 and value[0] < 0x80:
            return value
        return head(0x80, len(value)) + value
    body = b"".join(map(rlp, value))
    return head(0xc0, len(body)) + body


def head(kind, size):
    if size < 56:
        return bytes([kind + size])
    written = size.to_bytes(-(-size.bit_length() // 8), "big")
    return bytes([kind + 55 + len(written)]) + written


def signed(private, chain_id, nonce, to, data):
    """A transaction of the kind that EIP-155 describes, as the chain takes it."""
    fields = [nonce, 0, GAS, to, 0, data]
    made = keys.PrivateKey(private).sign_msg_hash(cheque.keccak(rlp([*fields, chain_id, 0, 0])))
    return rlp([*fields, chain_id * 2 + 35 + made.v, made.r, made.s])


def send(url, private, calls):
    """Sends (contract, signature, arguments) one behind the other; waits until all have worked."""
    chain_id = int(chain.ask(url, "eth_chainId"), 16)
    sender = "0x" + cheque.address(private).hex()
    nonce = int(chain.ask(url, "eth_getTransactionCount", sender, "latest"), 16)
    sent = []
    for place, (to, signature, *arguments) in enumerate(calls):
        data = chain.called(signature, *arguments)
        raw = signed(private, chain_id, nonce + place, to, data)
        sent.append((signature, chain.ask(url, "eth_sendRawTransaction", "0x" + raw.hex())))
    for signature, name in sent:
        if not worked(url, name):
            raise SystemExit(f"{signature} has failed")


def worked(url, name):
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        receipt = chain.ask_any(url, "eth_getTransactionReceipt", name)
        if receipt is not None:
            return int(receipt["status"], 16) == 1
        time.sleep(POLL)
    raise SystemExit(f"{name} is in no block")


def put_aside(url, private, network, free, bond):
    """Puts money into the vault; what cheques are paid from, and what burns if one bounces."""
    calls = [(network.token, "approve(address,uint256)", network.vault, free + bond)]
    if free:
        calls.append((network.vault, "deposit(address,uint128)", network.token, free))
    if bond:
        calls.append((network.vault, "bond(address,uint128)", network.token, bond))
    send(url, private, calls)


def delegate(path, owner, network, epoch, most, at_risk, until):
    """The file of a new session key that may promise up to `most`; what `revoke` names."""
    session = secrets.token_bytes(32)
    fields = [cheque.address(owner), cheque.address(session), network.token, most, at_risk, until]
    digest = cheque.digest(network.domain, "Delegate", fields)
    write(path, session, network, epoch, {
        "owner": fields[0].hex(), "maxAmount": most, "bondAtRisk": at_risk, "validUntil": until,
        "signature": cheque.sign(owner, digest).hex()})
    return digest


def write(path, private, network, epoch, delegation=None):
    """The file of an account, whose key signs for itself unless there is a delegation."""
    told = {"chain": network.chain, "vault": network.vault.hex(), "token": network.token.hex(),
            "genesis": network.genesis.hex(), "epoch": epoch}
    kept = {"key": private.hex(), "networks": [told]}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**kept, "delegation": delegation} if delegation else kept, file)
