"""Sealing: what X25519, HKDF and ChaCha20-Poly1305 make of two hellos, one key a direction."""
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FROM_INITIATOR = b"pw_pay 1 i>r"
FROM_RESPONDER = b"pw_pay 1 r>i"
TAG_BYTES = 16
NONCE_BYTES = 12
MESSAGES_MAX = 1 << 64


class SealError(ValueError):
    """It does not open, or the other's key agrees on nothing."""


def public_key(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def agree(private, other):
    """The secret of both, which is never all zeros."""
    try:
        public = X25519PublicKey.from_public_bytes(other)
        secret = X25519PrivateKey.from_private_bytes(private).exchange(public)
    except ValueError as refused:
        raise SealError("the key agrees on nothing") from refused
    if not any(secret):
        raise SealError("the key agrees on nothing")
    return secret


def direction_key(secret, salt, info):
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(secret)


class Direction:
    """One key and the number of the next message under it."""

    def __init__(self, key):
        self.cipher = ChaCha20Poly1305(key)
        self.number = 0

    def seal(self, message):
        sealed = self.cipher.encrypt(self.nonce(), message, None)
        self.number += 1
        return sealed

    def open(self, sealed):
        """The message inside. What does not open leaves the number as it is."""
        if len(sealed) < TAG_BYTES:
            raise SealError("shorter than a tag")
        try:
            message = self.cipher.decrypt(self.nonce(), sealed, None)
        except InvalidTag as refused:
            raise SealError("the tag is wrong") from refused
        self.number += 1
        return message

    def nonce(self):
        if self.number >= MESSAGES_MAX:
            raise SealError("all numbers are used up")
        return self.number.to_bytes(NONCE_BYTES, "big")


class Sealed:
    """Both directions of one connection, as one of its sides has them."""

    def __init__(self, private, other, info_hash, initiator):
        own = public_key(private)
        first, second = (own, other) if initiator else (other, own)
        self.secret = agree(private, other)
        self.salt = info_hash + first + second
        from_initiator = Direction(direction_key(self.secret, self.salt, FROM_INITIATOR))
        from_responder = Direction(direction_key(self.secret, self.salt, FROM_RESPONDER))
        self.out = from_initiator if initiator else from_responder
        self.inward = from_responder if initiator else from_initiator
