#!/usr/bin/env python3
"""A buyer of pieces that shares no code with the project: it was written from docs/spec alone.

Downloads a v1 torrent from one seller, pays it by `pw_pay`, and survives a lost connection.
"""
import argparse
import collections
import json
import secrets
import socket
import struct
import sys
import time

import account
import chain
import memory
import talk
import torrent
import wire

POLL = 0.02
REQUESTS_MAX = 64
CONNECT_PATIENCE = 10
# How long lost connections are followed by the next.
RECONNECT_WAIT = 0.2


class Corrupt(Exception):
    """A piece that the seller sent is not the torrent's."""


class Connection:
    """One connection to the seller, from handshake to settlement."""

    def __init__(self, wired, download, conversation, waits):
        self.wire, self.download, self.waits = wired, download, waits
        # Made when both sides turn out to have the extension.
        self.conversation = conversation
        self.talk = None
        self.asked = {}
        self.has = set()
        self.choked, self.interested = True, False
        # Payload of this connection by piece, until the piece is verified.
        self.unverified = collections.Counter()
        self.received = 0

    def step(self, now, wait=POLL):
        for kind, payload in self.wire.frames(wait):
            self.take(kind, payload, now)
        self.ask()
        if self.talk:
            first = self.download.first_unverified()
            self.talk.one_piece = self.unverified[first]
            self.talk.tick(now, sum(self.asked.values()))
            while self.talk.out:
                self.wire.send_extension(self.talk.out.popleft())
        if not self.interested and self.has - self.download.done:
            self.interested = True
            self.wire.send(wire.INTERESTED)

    def take(self, kind, payload, now):
        if kind == wire.CHOKE:
            self.choked = True
            self.asked.clear()
        elif kind == wire.UNCHOKE:
            self.choked = False
        elif kind == wire.HAVE and len(payload) == 4:
            self.has.add(int.from_bytes(payload, "big"))
        elif kind == wire.BITFIELD:
            count = len(self.download.torrent.hashes)
            bits = (i for i in range(count) if i // 8 < len(payload))
            self.has.update(i for i in bits if payload[i // 8] & 0x80 >> i % 8)
        elif kind == wire.PIECE and len(payload) >= 8:
            self.take_block(*struct.unpack_from(">II", payload), payload[8:], now)
        elif kind == wire.EXTENDED and payload:
            self.take_extended(payload[0], payload[1:], now)

    def take_extended(self, number, payload, now):
        if number == 0:
            self.wire.take_handshake(payload)
            if self.wire.their_number and self.talk is None:
                self.talk = self.conversation(now)
                self.talk.came = self.received
                self.talk.right = self.received - self.unverified.total()
        elif number == wire.OWN_NUMBER and self.talk:
            self.talk.receive(payload, now)

    def take_block(self, index, begin, data, now):
        if self.asked.get((index, begin)) != len(data):
            return
        del self.asked[index, begin]
        self.received += len(data)
        self.unverified[index] += len(data)
        if self.talk:
            self.talk.block(len(data), now)
        right = self.download.add(index, begin, data)
        if right is None:
            return
        size = self.unverified.pop(index)
        if right and self.talk:
            self.talk.verified(size)
        elif not right:
            if self.talk:
                self.talk.corrupt()
            raise Corrupt(f"piece {index} is corrupt")

    def ask(self):
        """Blocks in order, as many at once as the seller takes."""
        room = min(REQUESTS_MAX, self.wire.requests_max or REQUESTS_MAX) - len(self.asked)
        if self.talk and self.talk.is_settled:
            self.waits = False
        if self.choked or self.waits or room <= 0:
            return
        for index, begin, size in self.download.missing():
            if room == 0:
                return
            if index in self.has and (index, begin) not in self.asked:
                self.asked[index, begin] = size
                self.wire.request(index, begin, size)
                room -= 1

    def flush(self):
        while self.talk and self.talk.out:
            self.wire.send_extension(self.talk.out.popleft())

    def is_settled(self, now):
        """Whether nothing more is to be said; begins to settle when all is here."""
        if not self.talk or self.talk.state in (talk.ENDED, talk.OFF):
            return True
        self.talk.finish(now)
        return self.talk.state in (talk.ENDED, talk.OFF) and not self.talk.out


class Buyer:
    def __init__(self, options, spoken=talk.Talk):
        self.options, self.spoken = options, spoken
        self.account = account.load(options.account)
        self.torrent = torrent.Torrent(options.torrent)
        self.download = torrent.Download(self.torrent, options.output)
        self.memory = memory.Memory(options.state)
        self.bad_signature = options.bad_signature
        self.left = options.budget
        if options.rpc:
            able = (chain.compare(options.rpc, self.account, one) for one in self.account.networks)
            self.left = min(self.left, *able)
        self.drop_after = options.drop_after
        self.reconnects = 0
        self.bytes = self.links = self.amount = self.due = 0
        self.refusals = []
        self.states = []

    def conversation(self, now):
        limits = account.Limits(self.options.price, self.left, self.options.spend)
        place = (self.torrent.info_hash, self.torrent.piece_bytes, True)
        bad, self.bad_signature = self.bad_signature, None
        return self.spoken(self.account, limits, self.memory, place, now, bad)

    def run(self):
        deadline = time.monotonic() + self.options.timeout
        while True:
            try:
                self.connect(deadline)
                return
            except OSError as lost:
                if self.reconnects >= self.options.reconnects or time.monotonic() > deadline:
                    raise SystemExit(f"the connection is lost: {lost}") from lost
                self.reconnects += 1
                time.sleep(RECONNECT_WAIT)

    def connect(self, deadline):
        host, _, port = self.options.seller.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_PATIENCE) as sock:
            peer_id = b"-XB0001-" + secrets.token_bytes(12)
            wired = wire.Wire(sock, self.torrent.info_hash, peer_id)
            connection = Connection(wired, self.download, self.conversation,
                                    self.spoken.waits)
            try:
                self.trade(connection, deadline)
                wired.hang_up()
            finally:
                self.account_for(connection)

    def trade(self, connection, deadline):
        while True:
            now = time.monotonic()
            if now > deadline:
                raise SystemExit("it takes too long")
            try:
                connection.step(now)
            except Corrupt as corrupt:
                connection.flush()
                connection.wire.hang_up()
                raise SystemExit(str(corrupt)) from corrupt
            if self.drop_after is not None and connection.received >= self.drop_after:
                self.drop_after = None
                raise wire.WireError("dropped, as it was told to")
            if self.download.is_complete and connection.is_settled(now):
                connection.flush()
                return

    def account_for(self, connection):
        self.bytes += connection.received
        if connection.talk:
            spoken = connection.talk
            spoken.hang_up()
            self.links += spoken.links
            self.amount += spoken.amount
            self.due += spoken.due
            self.left -= spoken.amount
            self.refusals += spoken.refusals
            self.states.append(spoken.state)

    def report(self):
        return {
            "bytes": self.bytes,
            "links": self.links,
            "amount": str(self.amount),
            "due": str(self.due),
            "reconnects": self.reconnects,
            "refusals": self.refusals,
            "complete": self.download.is_complete,
            "states": self.states,
        }


def arguments(given):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("torrent", help="a v1 torrent file")
    parser.add_argument("seller", help="host:port")
    parser.add_argument("--account", required=True, help="JSON: key, networks, delegation")
    parser.add_argument("--state", required=True, help="JSON: what must not be forgotten")
    parser.add_argument("--output", default=".", help="folder of the files")
    parser.add_argument("--price", type=int, required=True, help="for a MiB at most")
    parser.add_argument("--budget", type=int, required=True, help="for all at most")
    parser.add_argument("--spend", type=int, help="a second at most; 1,024 MiB of it if absent")
    parser.add_argument("--rpc", help="URL of a node of the chain, to compare vault and account")
    parser.add_argument("--reconnects", type=int, default=1)
    parser.add_argument("--drop-after", type=int, help="bytes after which it hangs up, once")
    parser.add_argument("--bad-signature", nargs="?", const="chq", choices=("chq", "au"),
                        help="opens with a signature of something else first")
    parser.add_argument("--timeout", type=float, default=600)
    parser.add_argument("--json", action="store_true", help="a report as the last line")
    options = parser.parse_args(given)
    options.spend = options.price * 1024 if options.spend is None else options.spend
    return options


def main(given=None, spoken=talk.Talk):
    options = arguments(given)
    buyer = Buyer(options, spoken)
    try:
        buyer.run()
    finally:
        buyer.memory.close()
        report = buyer.report()
        print(json.dumps(report) if options.json else "\n".join(
            f"{name}: {value}" for name, value in report.items()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
