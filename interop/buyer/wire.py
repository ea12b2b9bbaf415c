"""The peer wire: handshake (BEP 3), frames, the extension handshake (BEP 10)."""
import select
import socket
import struct
import time

import bencode

PROTOCOL = b"\x13BitTorrent protocol"
# The bit of BEP 10, and no other: no fast extension, so no block is allowed fast.
RESERVED = bytes([0, 0, 0, 0, 0, 0x10, 0, 0])
HANDSHAKE_BYTES = 68
FRAME_BYTES_MAX = 4 << 20
READ_BYTES = 256 << 10
HANG_UP_PATIENCE = 2
CHOKE, UNCHOKE, INTERESTED, HAVE, BITFIELD, REQUEST, PIECE = 0, 1, 2, 4, 5, 6, 7
EXTENDED = 20
EXTENSION = b"pw_pay"
# Under which number this side takes messages of the extension.
OWN_NUMBER = 3


class WireError(OSError):
    """The other side left, or speaks something else."""


class Wire:
    """Frames over a connected socket. Sends wait; reads take what is there."""

    def __init__(self, sock, info_hash, peer_id):
        self.sock = sock
        self.unread = b""
        self.their_number = None
        self.requests_max = None
        sock.sendall(PROTOCOL + RESERVED + info_hash + peer_id)
        while len(self.unread) < HANDSHAKE_BYTES:
            self.unread += self.read()
        theirs, self.unread = self.unread[:HANDSHAKE_BYTES], self.unread[HANDSHAKE_BYTES:]
        if theirs[:20] != PROTOCOL or theirs[28:48] != info_hash:
            raise WireError("another protocol or torrent")
        if theirs[25] & 0x10:
            hello = bencode.encode({b"m": {EXTENSION: OWN_NUMBER}})
            self.send(EXTENDED, b"\0" + hello)

    def read(self):
        data = self.sock.recv(READ_BYTES)
        if not data:
            raise WireError("the other side closed the connection")
        return data

    def hang_up(self):
        """Closes in order: with unread data here, what was said last would not arrive there."""
        self.sock.shutdown(socket.SHUT_WR)
        self.sock.settimeout(HANG_UP_PATIENCE)
        until = time.monotonic() + HANG_UP_PATIENCE
        try:
            while time.monotonic() < until:
                self.read()
        except OSError:
            return

    def send(self, kind, payload=b""):
        self.sock.sendall(struct.pack(">IB", 1 + len(payload), kind) + payload)

    def send_extension(self, payload):
        if self.their_number:
            self.send(EXTENDED, bytes([self.their_number]) + payload)

    def request(self, index, begin, size):
        self.send(REQUEST, struct.pack(">III", index, begin, size))

    def frames(self, wait):
        """(kind, payload) of what comes within `wait` seconds; extension handshakes are taken."""
        if select.select([self.sock], [], [], wait)[0]:
            self.unread += self.read()
        at = 0
        found = []
        while len(self.unread) - at >= 4:
            size, = struct.unpack_from(">I", self.unread, at)
            if size > FRAME_BYTES_MAX:
                raise WireError("a frame longer than any")
            if len(self.unread) - at - 4 < size:
                break
            if size:
                found.append((self.unread[at + 4], self.unread[at + 5:at + 4 + size]))
            at += 4 + size
        self.unread = self.unread[at:]
        return found

    def take_handshake(self, payload):
        """Reads an extension handshake; a later one may change a number."""
        try:
            told, _ = bencode.decode_lenient(payload)
            number = told.get(b"m", {}).get(EXTENSION)
            requests = told.get(b"reqq")
        except (bencode.BencodeError, AttributeError) as wrong:
            raise WireError("no extension handshake") from wrong
        if isinstance(number, int) and 0 <= number <= 255:
            self.their_number = number
        if isinstance(requests, int) and requests > 0:
            self.requests_max = requests
