"""Whose money it is, on which networks, and what the user allows; read from a JSON file."""
import dataclasses
import json

import cheque
import message


@dataclasses.dataclass(frozen=True)
class Network:
    chain: int
    vault: bytes
    token: bytes
    genesis: bytes
    # The account's on this network, as the vault keeps it.
    epoch: int

    @property
    def named(self):
        """As terms name it."""
        return self.chain, self.vault, self.token, self.genesis

    @property
    def domain(self):
        return cheque.separator(self.chain, self.vault)


@dataclasses.dataclass(frozen=True)
class Delegation:
    signature: bytes
    amount_max: int
    bond_at_risk: int
    valid_until: int


@dataclasses.dataclass(frozen=True)
class Account:
    """`private` signs: it is the payer's where there is no delegation, else a session's."""
    private: bytes
    payer: bytes
    networks: tuple
    delegation: Delegation | None = None

    @property
    def signer(self):
        return cheque.address(self.private)

    def network_of(self, offered):
        """(place, network) of the seller's most wanted one that is ours too."""
        ours = {network.named: network for network in self.networks}
        for place, named in enumerate(offered):
            if named in ours:
                return place, ours[named]
        return None

    def delegated(self):
        """The keys of `open` that name the session key."""
        given = self.delegation
        if given is None:
            return {}
        return {"sk": self.signer, "dg": given.signature, "mx": given.amount_max,
                "br": given.bond_at_risk, "un": given.valid_until}


@dataclasses.dataclass(frozen=True)
class Limits:
    """A MiB's highest price, what is spent at most in all, and a second."""
    price_max: int
    budget: int
    spend_second: int


def hexed(text, size):
    value = bytes.fromhex(text.removeprefix("0x"))
    if len(value) != size:
        raise SystemExit(f"{text} has not {size} bytes")
    return value


def load(path):
    """An account's file. All numbers may be text, all bytes are hex.

    `key` is the private key that signs. `networks` are objects of `chain`, `vault`, `token`,
    `genesis` (8 bytes) and `epoch`. Where the key is a session's, `delegation` has `owner`,
    `maxAmount`, `bondAtRisk`, `validUntil` and `signature`.
    """
    with open(path, encoding="utf-8") as file:
        told = json.load(file)
    networks = tuple(
        Network(int(item["chain"]), hexed(item["vault"], 20), hexed(item["token"], 20),
                hexed(item["genesis"], 8), int(item["epoch"]))
        for item in told["networks"]
    )
    private = hexed(told["key"], 32)
    if "delegation" not in told:
        return Account(private, cheque.address(private), networks)
    given = told["delegation"]
    payer = hexed(given["owner"], 20)
    delegation = Delegation(hexed(given["signature"], 65), int(given["maxAmount"]),
                            int(given["bondAtRisk"]), int(given["validUntil"]))
    if delegation.amount_max > message.Amount().most:
        raise SystemExit("the delegation's maxAmount is larger than an amount")
    return Account(private, payer, networks, delegation)
