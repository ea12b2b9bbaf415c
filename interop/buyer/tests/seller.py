"""A seller for the tests: as honest as the page asks, but for the fault it is given.

It keeps the books of its own: what was served, at which price, and the best cheque and link.
"""
import collections
import hashlib
import os
import secrets
import select
import socket
import struct
import threading
import time

import account
import bencode
import bill
import cheque
import message
import seal
import wire

PIECE_BYTES = 65_536
KEY = b"\x47" * 32
PAYER_KEY = b"\x46" * 32
CHAIN, VAULT, TOKEN, GENESIS, EPOCH = 77, b"\x22" * 20, b"\x11" * 20, b"\xa5" * 8, 1_795_000_000
NETWORK = account.Network(CHAIN, VAULT, TOKEN, GENESIS, EPOCH)
DOMAIN = NETWORK.domain
ASK = 4000
LINK_BYTES = 65_536
# Seconds: who does not bid is unchoked after so many, a full window leaves the paid lane. Both are longer
# than a busy machine may keep a buyer from its next word, or what is to be paid comes free.
FREE_WAIT, FULL_PATIENCE = 15, 10
CANCEL = 8
# Who throttles promises so many bytes a second, and gives an eighth of them.
PROMISED_RATE = 2 << 20
# Whose fault would not be seen if all had come before.
SLOW = ("throttled", "inflated")


def make_torrent(folder, pieces, piece_bytes=PIECE_BYTES):
    """(path of the torrent, payload); the last piece is a short one."""
    data = os.urandom(pieces * piece_bytes - 1000)
    cut = (data[i:i + piece_bytes] for i in range(0, len(data), piece_bytes))
    info = {b"name": b"payload.bin", b"piece length": piece_bytes, b"length": len(data),
            b"pieces": b"".join(hashlib.sha1(piece).digest() for piece in cut)}
    path = os.path.join(folder, "payload.torrent")
    with open(path, "wb") as file:
        file.write(bencode.encode({b"info": info}))
    return path, data


class Seller(threading.Thread):
    """Serves one connection after the other. `fault` is what it does wrong.

    Its window may be smaller than the one that it has `promised`.
    """

    def __init__(self, torrent, data, fault=None, window=4 * LINK_BYTES, links=1024,
                 promised=None, network=NETWORK, ask=ASK, free_wait=FREE_WAIT, key=KEY):
        super().__init__(daemon=True)
        self.torrent, self.data, self.fault = torrent, data, fault
        self.window, self.network, self.ask = window, network, ask
        # Seconds after which who has not bid is unchoked.
        self.free_wait = free_wait
        self.terms = {"n": [network.named], "ask": ask, "g": LINK_BYTES,
                      "w": promised or window, "wm": 1 << 25, "l": links,
                      "pe": cheque.address(key), "fr": 250}
        # By channel: (cheque, signature, i, w), and what connections before have left unpaid.
        self.ledger = {}
        self.left = collections.Counter()
        self.roots = set()
        self.said, self.heard = [], []
        self.faults_left = 1
        self.waited = self.owed = self.met = 0
        self.failed = None
        self.promised_rate = PROMISED_RATE if fault == "throttled" else 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with sock:
                serving = None
                try:
                    serving = Serving(self, sock)
                    self.met += 1
                    serving.run()
                except OSError:
                    pass
                except Exception as wrong:
                    self.failed = wrong
                if serving and serving.bill:
                    self.owed = serving.bill.due(serving.bill.count) - serving.paid()
                    self.left[serving.last_channel()] += max(0, self.owed)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def value(self, channel):
        kept, _, i, w = self.ledger[channel]
        return kept.value(i, w)


class Serving:
    def __init__(self, seller, sock):
        self.seller = seller
        self.wire = wire.Wire(sock, seller.torrent.info_hash, b"-ST0001-" + secrets.token_bytes(12))
        self.private = secrets.token_bytes(32)
        self.e = seal.public_key(self.private)
        self.sealed = self.payer = self.channel = self.bill = None
        # Who signs: the payer's session key, or the payer.
        self.signer = None
        self.start = self.sent = self.bids = 0
        self.paid_lane = self.unchoked = False
        self.interested_at = self.full_at = None
        self.queue = collections.deque()
        bits = ["1"] * len(seller.torrent.hashes)
        padded = "".join(bits).ljust(-(-len(bits) // 8) * 8, "0")
        packed = bytes(int(padded[i:i + 8], 2) for i in range(0, len(padded), 8))
        self.wire.send(wire.BITFIELD, packed)

    def run(self):
        while True:
            if not self.queue or self.is_full():
                select.select([self.wire.sock], [], [], 0.05)
            for kind, payload in self.wire.frames(0):
                self.take(kind, payload)
            self.unchoke()
            # One at a time: who serves a whole queue first hears of a lower bid when it is too late.
            if self.queue and not self.is_full():
                self.serve(*self.queue.popleft())

    def unchoke(self):
        """Who bids at once, so that tests know what was free; others after a moment."""
        now = time.monotonic()
        waited = self.interested_at and now - self.interested_at > self.seller.free_wait
        if not self.unchoked and self.interested_at and (self.bids or waited):
            self.unchoked = True
            self.wire.send(wire.UNCHOKE)

    def take(self, kind, payload):
        if kind == wire.INTERESTED:
            self.interested_at = time.monotonic()
        elif kind == wire.REQUEST:
            self.queue.append(struct.unpack(">III", payload))
        elif kind == CANCEL and struct.unpack(">III", payload) in self.queue:
            self.queue.remove(struct.unpack(">III", payload))
        elif kind == wire.EXTENDED and payload[0] == 0:
            self.wire.take_handshake(payload[1:])
            if self.wire.their_number:
                hello = message.encode("hello", v=1, e=self.e, r=2, nt=0)
                self.wire.send_extension(hello)
        elif kind == wire.EXTENDED:
            self.hear(payload[1:])

    def hear(self, payload):
        name, keys = message.decode(payload)
        if name == "hello":
            self.their_e = keys["e"]
            self.sealed = seal.Sealed(self.private, keys["e"], self.seller.torrent.info_hash, False)
            self.terms = message.encode("terms", **self.seller.terms)
            self.say("terms", **self.seller.terms)
            return
        name, keys = message.decode(self.sealed.inward.open(keys["x"]))
        self.seller.heard.append((name, keys))
        getattr(self, "on_" + name)(**keys)

    def say(self, name, **keys):
        self.seller.said.append((name, keys))
        inner = message.encode(name, **keys)
        self.wire.send_extension(message.encode("sealed", x=self.sealed.out.seal(inner)))

    def on_open(self, n, py, au, lc=None, sk=None, dg=None, mx=0, br=0, un=0, **_):
        domain = self.seller.network.domain
        bound = cheque.transcript(self.their_e, self.e, self.seller.torrent.info_hash, self.terms)
        fields = [py, sk or py, self.seller.network.token, mx, br, un]
        word = cheque.digest(domain, "Delegate", fields)
        is_delegated = sk is None or cheque.signer(word, dg) == py
        signer = cheque.signer(cheque.digest(domain, "Bind", [bound]), au)
        if signer != (sk or py) or not is_delegated:
            self.say("err", c=4)
            return
        self.payer, self.signer = py, sk or py
        if lc:
            self.take_last(lc)

    def take_last(self, lc):
        shown = cheque.Cheque.unpack(lc["c"])
        worth = shown.value(lc["i"], lc.get("w"))
        signer = cheque.signer(shown.digest(self.seller.network.domain), lc["s"])
        signed = signer in (self.payer, self.signer)
        if worth is None or not signed or shown.payee != self.seller.terms["pe"]:
            self.say("err", c=4)
            return
        known = self.seller.ledger.get(shown.channel)
        if not known or self.seller.value(shown.channel) < worth:
            self.seller.ledger[shown.channel] = (shown, lc["s"], lc["i"], lc.get("w"))
        self.say_ok(shown.channel)

    def say_ok(self, channel):
        kept, signature, i, w = self.seller.ledger[channel]
        last = {"c": kept.pack(), "s": signature, "i": i, **({"w": w} if i else {})}
        self.say("ok", ch=channel, w=self.seller.terms["w"], pd=0, lc=last)

    def on_chq(self, c, s):
        if self.payer is None:
            # What is behind a refused opening was answered with it.
            return
        made = cheque.Cheque.unpack(c)
        network = self.seller.network
        good = cheque.signer(made.digest(network.domain), s) == self.signer
        good = good and made.payer == self.payer and made.epoch == network.epoch
        good = good and made.payee == self.seller.terms["pe"] and made.token == network.token
        if not good or made.root in self.seller.roots or made.links > self.seller.terms["l"]:
            self.payer = self.channel = None
            self.say("err", c=4)
            return
        self.seller.roots.add(made.root)
        known = self.seller.ledger.get(made.channel)
        if known and made.cumulative < self.seller.value(made.channel):
            self.say_ok(made.channel)
            self.say("err", c=3)
            return
        if self.channel is None:
            self.channel = made.channel
            self.start = self.seller.value(made.channel) if known else made.cumulative
            self.seller.ledger[made.channel] = (made, s, 0, None)
            self.bill = bill.Bill(LINK_BYTES)
            self.bill.count = self.sent
            if not known:
                self.say_ok(made.channel)
            self.settle(made.channel, made.cumulative - self.start)
            if left := self.seller.left[made.channel]:
                self.say("stat", b=0, d=left)
        elif self.bill.due(self.bill.count) == 0:
            self.settle(made.channel, made.cumulative - self.seller.value(made.channel))
        self.seller.ledger[made.channel] = (made, s, 0, None)

    def settle(self, channel, added):
        """What a cheque adds before anything is due pays what connections before have left."""
        settled = min(added, self.seller.left[channel])
        self.seller.left[channel] -= settled
        self.start += settled

    def on_bid(self, p, s, r, q):
        if self.channel is None:
            return
        self.bids = q
        self.paid_lane = p >= self.seller.ask
        price, sent = self.seller.ask, self.bill.count
        if self.seller.fault == "dear":
            price = p + 1
        self.bill.set_price(price if self.paid_lane else 0, sent)
        self.say("ask", a=price, q=q, ln=int(self.paid_lane), rt=self.seller.promised_rate,
                 fb=sent)

    def on_link(self, i, w):
        kept, s, best, _ = self.seller.ledger[self.channel]
        if i > best:
            assert kept.value(i, w) is not None, "a link that does not lead to the root"
            self.seller.ledger[self.channel] = (kept, s, i, w)

    def on_close(self, ch, c):
        assert ch == self.channel, "a close of another channel"
        self.channel, self.paid_lane = None, False
        self.closed = ch

    def on_err(self, c, m=None):
        pass

    def last_channel(self):
        return self.channel or getattr(self, "closed", None)

    def paid(self):
        channel = self.last_channel()
        return self.seller.value(channel) - self.start if channel else 0

    def is_full(self):
        """Whether the window is; says so once a second."""
        if not self.paid_lane:
            return False
        due = self.bill.due(self.bill.count) - self.paid()
        if due * bill.MIB < self.seller.window * self.seller.ask:
            self.full_at = None
            return False
        now = time.monotonic()
        self.full_at = self.full_at or now
        if now - self.full_at > FULL_PATIENCE:
            self.paid_lane = False
            self.bill.set_price(0, self.bill.count)
            self.say("ask", a=self.seller.ask, q=self.bids, ln=0, rt=0, fb=self.bill.count)
            return False
        self.seller.waited += 1
        if time.monotonic() - getattr(self, "stat_at", 0) > 0.5:
            self.stat_at = time.monotonic()
            self.say("stat", b=self.bill.count, d=due)
        return True

    def serve(self, index, begin, size):
        if self.paid_lane and self.seller.fault in SLOW:
            time.sleep(size * 8 / PROMISED_RATE)
        place = index * self.seller.torrent.piece_bytes + begin
        block = self.seller.data[place:place + size]
        half = self.bill and self.bill.count > 3 * LINK_BYTES
        if self.seller.fault and half and self.seller.faults_left:
            self.seller.faults_left -= 1
            block = self.misbehave(block)
        self.wire.send(wire.PIECE, struct.pack(">II", index, begin) + block)
        self.sent += size
        if self.bill:
            self.bill.count = self.sent

    def misbehave(self, block):
        fault = self.seller.fault
        if fault == "garbage":
            for junk in (b"", b"d1:ti1ee", b"no bencode", os.urandom(60), os.urandom(1500)):
                self.wire.send_extension(junk)
        elif fault == "wrong tag":
            self.wire.send_extension(message.encode("sealed", x=os.urandom(60)))
        elif fault == "retroactive":
            self.say("ask", a=self.seller.ask + 500, q=1, ln=1, rt=0, fb=0)
        elif fault == "inflated":
            self.say("stat", b=self.bill.count * 8, d=0)
        elif fault == "corrupt":
            return bytes(len(block))
        return block
