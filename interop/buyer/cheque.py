"""What is signed (EIP-712), the packed cheque, and chains of links."""
import dataclasses
import struct

from eth_hash.auto import keccak
from eth_keys import keys
from eth_keys.exceptions import BadSignature, ValidationError

ORDER_HALF = 0x7FFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_5D576E73_57A4501D_DFE92F46_681B20A0
VALUE_MAX = (1 << 128) - 1
LINKS_MAX = 4096
DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
TYPES = {
    "Cheque": "Cheque(address payer,address payee,address token,uint64 epoch,"
              "uint128 cumulative,bytes32 root,uint128 unit,uint32 links,uint64 channel)",
    "Delegate": "Delegate(address owner,address session,address token,uint128 maxAmount,"
                "uint128 bondAtRisk,uint64 validUntil)",
    "CloseLock": "CloseLock(address payer,address payee,address token,uint64 nonce)",
    "Bind": "Bind(bytes32 transcript)",
}


def word(value):
    """One field of a struct: numbers and addresses are on the right of their 32 bytes."""
    if isinstance(value, int):
        return value.to_bytes(32, "big")
    return value.rjust(32, b"\0")


def struct_hash(kind, fields):
    return keccak(keccak(TYPES[kind].encode()) + b"".join(word(field) for field in fields))


def separator(chain, vault):
    parts = (keccak(DOMAIN.encode()), keccak(b"Piecework"), keccak(b"1"), word(chain), word(vault))
    return keccak(b"".join(parts))


def digest(domain, kind, fields):
    return keccak(b"\x19\x01" + domain + struct_hash(kind, fields))


def address(private):
    return keys.PrivateKey(private).public_key.to_canonical_address()


def sign(private, what):
    made = keys.PrivateKey(private).sign_msg_hash(what)
    return made.r.to_bytes(32, "big") + made.s.to_bytes(32, "big") + bytes([27 + made.v])


def signer(what, signature):
    """Whose signature this is, or None if it is nobody's."""
    high = int.from_bytes(signature[32:64], "big") > ORDER_HALF
    if len(signature) != 65 or signature[64] not in (27, 28) or high:
        return None
    try:
        made = keys.Signature(signature[:64] + bytes([signature[64] - 27]))
        return made.recover_public_key_from_msg_hash(what).to_canonical_address()
    except (BadSignature, ValidationError):
        return None


def transcript(initiator, responder, info_hash, terms):
    return keccak(initiator + responder + info_hash + terms)


@dataclasses.dataclass(frozen=True)
class Cheque:
    payer: bytes
    payee: bytes
    token: bytes
    epoch: int
    cumulative: int
    root: bytes
    unit: int
    links: int
    channel: int

    def fields(self):
        return dataclasses.astuple(self)

    def pack(self):
        money = self.cumulative.to_bytes(16, "big"), self.unit.to_bytes(16, "big")
        return b"".join((
            self.payer, self.payee, self.token, struct.pack(">Q", self.epoch), money[0],
            self.root, money[1], struct.pack(">IQ", self.links, self.channel),
        ))

    @classmethod
    def unpack(cls, data):
        payer, payee, token, epoch, cumulative, root, unit, links, channel = struct.unpack(
            ">20s20s20sQ16s32s16sIQ", data)
        return cls(payer, payee, token, epoch, int.from_bytes(cumulative, "big"), root,
                   int.from_bytes(unit, "big"), links, channel)

    def digest(self, domain):
        return digest(domain, "Cheque", self.fields())

    def value(self, i, link):
        """What it is worth with link `i`, or None if it is worth nothing with that."""
        if self.links > LINKS_MAX or i > self.links:
            return None
        worth = self.cumulative + self.unit * i
        if worth > VALUE_MAX or (i and hash_times(link, i) != self.root):
            return None
        return worth


def hash_times(link, times):
    for _ in range(times):
        link = keccak(link)
    return link


def chain(seed, links):
    """All links from the root, which is link 0, to the last, which is the seed."""
    made = [seed]
    for _ in range(links):
        made.append(keccak(made[-1]))
    return made[::-1]
