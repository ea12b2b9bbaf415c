"""The conversation of a buyer with one seller: messages in, messages out, no clock and no socket.

Whoever drives it sends what stands in `out`, calls `tick` a few times a second, and tells of
blocks and of pieces. Everything that promises money is in the memory before it is in `out`.
"""
import collections
import dataclasses
import secrets

import bill
import cheque
import memory
import message
import seal

MAY_BUY, MAY_SELL = 1, 2
VERSION = 1
MALFORMED_MAX = 3
# A receiver's allowance: messages a second and at once, and of those with a signature to check.
RATE, BURST = 200, 400
SIGNED_RATE, SIGNED_BURST = 10, 40
# Seconds: a stat is compared, an answer to the last bid and to a stale cheque is awaited.
STAT_PATIENCE = 1
DRAIN_PATIENCE = 5
STALE_PATIENCE = 5
# No block for so long after a stat: the seller's window is full.
STALL_PATIENCE = 1
NO_NETWORK, ASK_OVER_BID, STALE, WORTHLESS, UNPAID, TOO_MANY, APART = 1, 2, 3, 4, 7, 10, 12
NOTHING_WANTED, BUDGET_USED, BROKEN_WORD = 0, 1, 3

GREETED, MET, OPEN, PAID, DRAINING, ENDED, OFF = (
    "greeted", "met", "open", "paid", "draining", "ended", "off")
TRADING = (OPEN, PAID, DRAINING)


class Allowance:
    def __init__(self, rate, burst, now):
        self.rate, self.burst = rate, burst
        self.left, self.at = burst, now

    def take(self, now):
        self.left = min(self.burst, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Talk:
    # Whether nothing is to be asked for before there is a price.
    waits = False

    def __init__(self, account, limits, kept, place, now, bad_signature=None):
        """`place` is (info-hash, piece length, whether this side connected)."""
        self.account, self.limits, self.memory = account, limits, kept
        self.info_hash, self.piece_bytes, self.initiator = place
        self.bad_signature = bad_signature
        self.private = secrets.token_bytes(32)
        self.out = collections.deque()
        self.state = GREETED
        self.sealed = self.their_hello = self.terms = self.terms_bytes = None
        self.network = self.key = self.before = self.chain = self.bill = None
        self.place = self.window = self.malformed = 0
        # What the channel was worth before this connection, and behind what the last one had left.
        self.base = self.start = 0
        # What the last one may have left beyond that; None: it is forgotten.
        self.more = 0
        self.answered = False
        self.bids = []
        self.ask = self.stat = self.stale_at = self.drain_at = None
        self.adopted = False
        self.reason = NOTHING_WANTED
        self.block_at, self.stat_at, self.quiet_until = now, now - 1, now
        self.one_piece = self.links = 0
        # Payload of this connection, and what of it is verified: counts begin with the connection.
        self.came = self.right = 0
        self.refusals = []
        self.allowance = Allowance(RATE, BURST, now)
        self.signed_allowance = Allowance(SIGNED_RATE, SIGNED_BURST, now)
        self.dropped_at = None
        self.e = seal.public_key(self.private)
        self.out.append(message.encode("hello", v=VERSION, e=self.e, r=MAY_BUY))

    # What the driver tells.

    def receive(self, payload, now):
        if self.state == OFF:
            return
        try:
            self.take(payload, now)
        except (message.Malformed, seal.SealError):
            self.count_malformed()

    def block(self, size, now):
        self.block_at = now
        self.came += size
        if self.bill:
            self.bill.count = self.came

    def verified(self, size):
        """So many bytes of this connection turned out to be right."""
        self.right += size
        if self.bill:
            self.bill.verified = self.right

    def corrupt(self):
        self.one_piece = 0
        if self.state in TRADING:
            self.leave(APART, BROKEN_WORD)

    def tick(self, now, awaited):
        """Pays, and lets waits end. `awaited` are bytes that were asked for and have not come."""
        if self.state not in TRADING:
            return
        if self.stale_at is not None and now - self.stale_at >= STALE_PATIENCE:
            self.leave(None, BROKEN_WORD)
            return
        if self.stat and now - self.stat[1] >= STAT_PATIENCE:
            told, self.stat = self.stat[0], None
            if not self.bill.reconcile(told):
                self.leave(APART, BROKEN_WORD)
                return
        if now >= self.quiet_until:
            self.pay(now)
        coming = self.bill.due(self.bill.count + awaited)
        if self.state != DRAINING and coming > self.budget:
            self.finish(now, BUDGET_USED)
        if self.state == DRAINING:
            answered = self.ask and self.ask["q"] == len(self.bids) and not self.ask["ln"]
            arrived = not awaited or answered and self.bill.count >= self.ask["fb"]
            if answered and arrived or now - self.drain_at >= DRAIN_PATIENCE:
                self.leave(None, self.reason)

    def finish(self, now, reason=NOTHING_WANTED):
        """Nothing more is wanted for money: says so, and settles when the seller has answered."""
        if self.state not in (OPEN, PAID):
            self.state = self.state if self.state in (DRAINING, OFF) else ENDED
            return
        self.bid(0)
        self.state, self.drain_at, self.reason = DRAINING, now, reason

    @property
    def amount(self):
        """What was paid on this connection, for the last one too."""
        return self.record.value - self.base if self.key else 0

    @property
    def is_settled(self):
        """Whether it is known if this is paid for."""
        return self.state in (PAID, DRAINING, ENDED, OFF)

    @property
    def due(self):
        """What all that has come on this connection costs."""
        return self.bill.due(self.bill.count) if self.bill else 0

    @property
    def budget(self):
        """What is left for this connection's own bill."""
        return self.limits.budget - (self.start - self.base)

    def hang_up(self):
        """The connection is gone. What it leaves is paid on the next one."""
        if not self.key:
            return
        owed = more = 0
        if self.state in TRADING:
            count, verified = self.bill.count, self.bill.payable(0)
            owed = max(0, self.owed(verified) - self.record.value)
            came = min(count, self.bill.verified + self.piece_bytes) + self.bill.tolerance()
            more = max(0, self.bill.due(came) - self.bill.due(verified))
        self.memory.put(self.key, dataclasses.replace(self.record, left=(owed, more)))

    @property
    def record(self):
        return self.memory.get(self.key)

    # Reading.

    def take(self, payload, now):
        allowed = self.allowance.take(now)
        read = message.decode(payload)
        if read is None:
            return
        name, keys = read
        if name == "hello":
            self.meet(keys)
            return
        if name != "sealed" or self.sealed is None:
            raise message.Malformed(f"{name} in the open")
        inner = self.sealed.inward.open(keys["x"])
        if not allowed:
            self.drop(now)
            return
        read = message.decode(inner)
        if read is None:
            return
        name, keys = read
        if name in ("hello", "sealed"):
            raise message.Malformed(f"{name} in a sealed message")
        if "lc" in keys and not self.signed_allowance.take(now):
            self.drop(now)
            return
        if name == "terms":
            keys = {**keys, "said": inner}
        sells = self.their_hello["r"] & MAY_SELL
        if sells and (name in ("terms", "close", "err") or self.bill):
            getattr(self, "on_" + name, lambda keys, now: None)(keys, now)

    def drop(self, now):
        if self.dropped_at is None or now - self.dropped_at >= 1:
            self.dropped_at = now
            self.say("err", c=TOO_MANY)
            self.count_malformed()

    def count_malformed(self):
        self.malformed += 1
        if self.malformed >= MALFORMED_MAX:
            self.state = OFF
            self.out.clear()

    def meet(self, keys):
        if self.sealed:
            raise message.Malformed("a second hello")
        self.sealed = seal.Sealed(self.private, keys["e"], self.info_hash, self.initiator)
        self.private = None
        self.their_hello = keys
        if self.state == GREETED:
            self.state = MET

    def on_terms(self, keys, now):
        said = keys.pop("said")
        # Others than an opening was made under that has no answer: they have crossed it.
        crossed = self.state == OPEN and not self.answered and said != self.terms_bytes
        if self.state == MET or crossed:
            self.terms, self.terms_bytes = keys, said
            self.open()

    def on_ok(self, keys, now):
        self.answered = True
        if self.state not in TRADING or keys["ch"] != self.record.cheque.channel:
            return
        self.window = keys["w"]
        if "lc" in keys:
            self.recover(keys["lc"])

    def on_ask(self, keys, now):
        self.answered = True
        if self.state not in TRADING or not self.bids[:keys["q"]]:
            return
        mine = max(self.bids[keys["q"] - 1:], default=0)
        price = keys["a"] if keys["ln"] else 0
        if price > mine:
            self.leave(ASK_OVER_BID, BROKEN_WORD)
        elif not self.bill.set_price(price, keys["fb"]):
            self.leave(APART, BROKEN_WORD)
        else:
            self.ask = keys
            if self.state != DRAINING:
                self.state = PAID if keys["ln"] else OPEN
            if price:
                self.fit(price)

    def on_stat(self, keys, now):
        if self.state in TRADING:
            self.stat, self.stat_at = (keys["b"], now), now
            if self.ask is None:
                self.settle(keys["d"])

    def on_close(self, keys, now):
        if self.state in TRADING and keys["ch"] == self.record.cheque.channel:
            self.leave(None, NOTHING_WANTED)

    def on_err(self, keys, now):
        code = keys["c"]
        self.answered = True
        self.refusals.append(code)
        if code == WORTHLESS and self.bad_signature and self.state in TRADING:
            # Its own doing: it may open again under the same terms.
            self.bad_signature = None
            self.open()
        elif code == STALE and not self.adopted:
            self.stale_at = now
        elif code == TOO_MANY and self.state in TRADING and self.window:
            self.quiet_until = now + 1
        elif code in (NO_NETWORK, ASK_OVER_BID, STALE, UNPAID):
            # The first two are said to sellers, and what is unpaid is paid by the next tick.
            return
        elif self.state in TRADING:
            self.leave(None, NOTHING_WANTED)
        else:
            self.state = ENDED

    # Trading.

    def open(self):
        """Opening, cheque and bid in one flight."""
        terms = self.terms
        chosen = self.account.network_of(terms["n"])
        if chosen is None or terms["ask"] > self.limits.price_max:
            self.say("err", c=NO_NETWORK if chosen is None else ASK_OVER_BID)
            self.state = ENDED
            return
        self.place, self.network = chosen
        parts = (*self.network.named[1:], self.account.payer, self.account.signer, terms["pe"])
        key = ":".join([str(self.network.chain), *(part.hex() for part in parts)])
        if self.key is None:
            self.before = self.memory.get(key)
            self.base = self.before.value if self.before else 0
            owed, self.more = (0, 0) if not self.before else self.before.left or (0, None)
            self.start = self.base + min(owed, self.limits.budget)
            self.bill = bill.Bill(terms["g"])
            self.bill.count, self.bill.verified = self.came, self.right
        self.key = key
        ends = (self.e, self.their_hello["e"])
        bound = cheque.transcript(*(ends if self.initiator else ends[::-1]), self.info_hash,
                                  self.terms_bytes)
        au = self.sign(cheque.digest(self.network.domain, "Bind", [bound]), "au")
        self.window = 0
        self.answered = False
        self.say("open", n=self.place, py=self.account.payer, au=au, **self.account.delegated(),
                 lc=self.before.last_cheque() if self.before else None)
        channel = self.before.cheque.channel if self.before else secrets.randbits(64)
        self.say_cheque(self.start, self.unit(terms["ask"]), terms["l"], channel)
        self.bid(self.limits.price_max)
        self.state = OPEN

    def sign(self, digest, what):
        """A signature, or where it was asked for one of something else."""
        if self.bad_signature == what:
            digest = cheque.keccak(digest)
        return cheque.sign(self.account.private, digest)

    def unit(self, price):
        return max(1, -(-price * self.terms["g"] // bill.MIB))

    def say_cheque(self, cumulative, unit, links, channel):
        links = min(links, (cheque.VALUE_MAX - cumulative) // unit)
        seed = self.draw_seed()
        self.chain = cheque.chain(seed, links)
        made = self.written(cheque.Cheque(
            self.account.payer, self.terms["pe"], self.network.token, self.network.epoch,
            cumulative, self.chain[0], unit, links, channel))
        digest = made.digest(self.network.domain)
        good = cheque.sign(self.account.private, digest)
        self.memory.put(self.key, memory.Record(made, good, seed, 0))
        self.say("chq", c=made.pack(), s=self.sign(digest, "chq"))

    def draw_seed(self):
        return secrets.token_bytes(32)

    def written(self, made):
        """A cheque as it is signed."""
        return made

    def renew(self, cumulative, unit, links):
        self.say_cheque(cumulative, unit, links, self.record.cheque.channel)

    def bid(self, price):
        self.bids.append(price)
        self.say("bid", p=price, s=self.limits.spend_second if price else 0, r=0,
                 q=len(self.bids))

    def fit(self, price):
        """A new cheque where a link pays for under half or over twice of its bytes."""
        unit, size = self.record.cheque.unit, self.terms["g"]
        worth = unit * bill.MIB // price
        wanted = self.unit(price)
        if wanted != unit and not size // 2 <= worth <= 2 * size:
            self.renew(self.record.value, wanted, self.terms["l"])

    def recover(self, shown):
        """What the seller has of the channel. If that is more than ours, ours was forgotten."""
        theirs, ours = cheque.Cheque.unpack(shown["c"]), self.record
        named = (theirs.payer, theirs.payee, theirs.token, theirs.epoch, theirs.channel)
        own = ours.cheque
        worth = theirs.value(shown["i"], shown.get("w"))
        signer = cheque.signer(theirs.digest(self.network.domain), shown["s"])
        ours_too = named == (own.payer, own.payee, own.token, own.epoch, own.channel)
        if not ours_too or worth is None or signer not in (self.account.payer, self.account.signer):
            self.leave(None, BROKEN_WORD)
        elif worth > ours.value:
            self.start += worth - ours.value
            self.base += worth - ours.value
            self.adopted, self.stale_at = True, None
            self.renew(worth, own.unit, self.terms["l"])
            if self.state != DRAINING:
                self.bid(self.limits.price_max)

    def payable(self, now):
        stalled = self.stat_at > self.block_at and now - self.block_at >= STALL_PATIENCE
        window = self.window or self.terms["w"]
        prepays = window < self.piece_bytes + self.terms["g"] or stalled
        return self.bill.payable(self.one_piece if prepays else 0)

    def owed(self, count):
        """The value that the channel should have when `count` bytes are paid."""
        return self.start + min(self.bill.due(count), self.budget)

    def settle(self, told):
        """What the last connection has left by the seller's word, as far as it can be."""
        most, self.more = self.more, 0
        if most is None:
            most = -(-(self.window or self.terms["w"]) * self.limits.price_max // bill.MIB)
        paid = min(told, most, self.budget)
        if paid > 0:
            self.start += paid
            self.renew(self.record.value + paid, self.record.cheque.unit, self.terms["l"])

    def pay(self, now):
        """Reveals links while a whole unit is owed, under a new cheque where they are used up."""
        target = self.owed(self.payable(now))
        while target - self.record.value >= self.record.cheque.unit:
            record = self.record
            left = record.cheque.links - record.revealed
            units = (target - record.value) // record.cheque.unit
            if not left:
                self.renew(record.value, record.cheque.unit, self.terms["l"])
                continue
            count = min(left, units)
            revealed = record.revealed + count
            self.memory.put(self.key, memory.Record(
                record.cheque, record.signature, record.seed, revealed))
            self.links += count
            self.say("link", i=revealed, w=self.chain[revealed])

    def leave(self, code, reason):
        """Pays what is verified, to the last unit, in a folded cheque; then says why it goes."""
        folded = max(self.record.value, self.owed(self.bill.payable(0)))
        if folded > self.start:
            self.renew(folded, self.record.cheque.unit, 0)
        if code is not None:
            self.say("err", c=code)
        self.say("close", ch=self.record.cheque.channel, c=reason)
        self.state = ENDED

    def say(self, name, **keys):
        if self.state != OFF:
            sealed = self.sealed.out.seal(message.encode(name, **keys))
            self.out.append(message.encode("sealed", x=sealed))
