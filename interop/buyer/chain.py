"""What a client compares with the chain before it signs, over JSON-RPC."""
import json
import urllib.request

import cheque

PATIENCE = 10
WORD = 32
# Places in what the vault's account(payer, token) returns.
FREE, BOND, EPOCH, EXIT_AMOUNT, OWED = 0, 1, 3, 7, 10


def ask_any(url, method, *params):
    """What a node answers; None where it has nothing."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        told = json.load(answer)
    if "error" in told:
        raise SystemExit(f"{method} is refused: {told['error']}")
    return told["result"]


def ask(url, method, *params):
    told = ask_any(url, method, *params)
    if told is None:
        raise SystemExit(f"{method} has no answer")
    return told


def called(signature, *arguments):
    return cheque.keccak(signature.encode())[:4] + b"".join(map(cheque.word, arguments))


def call(url, to, signature, *arguments):
    data = called(signature, *arguments)
    told = ask(url, "eth_call", {"to": "0x" + to.hex(), "data": "0x" + data.hex()}, "latest")
    return bytes.fromhex(told.removeprefix("0x"))


def account(url, payer, network):
    """The words of what the vault keeps of a payer."""
    told = call(url, network.vault, "account(address,address)", payer, network.token)
    return [int.from_bytes(told[i:i + WORD], "big") for i in range(0, len(told), WORD)]


def balance(url, owner, token):
    return int.from_bytes(call(url, token, "balanceOf(address)", owner), "big")


def compare(url, whose, network):
    """Ends the program unless vault, first block and epoch are ours; what may be spent."""
    first = ask(url, "eth_getBlockByNumber", "0x0", False)["hash"]
    if bytes.fromhex(first.removeprefix("0x"))[:8] != network.genesis:
        raise SystemExit("the chain has another first block")
    if call(url, network.vault, "DOMAIN_SEPARATOR()") != network.domain:
        raise SystemExit("the vault has another domain")
    words = account(url, whose.payer, network)
    if words[EPOCH] != network.epoch or not network.epoch:
        raise SystemExit(f"the account's epoch is {words[EPOCH]}")
    if words[OWED]:
        raise SystemExit(f"the account owes {words[OWED]}")
    return max(0, words[FREE] - words[EXIT_AMOUNT])
