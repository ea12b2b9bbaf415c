#!/usr/bin/env python3
"""The buyer as it must not be: each cheat breaks one rule, and goes on downloading for nothing.

No rule of the wire is broken by most of them, so the seller has no reason to hang up.
"""
import argparse
import dataclasses
import secrets
import sys

import buyer
import fund
import message
import talk

# Links after which those who begin honestly cheat.
HONEST_LINKS = 6
FLOOD_MESSAGES = 900


class Patient(talk.Talk):
    """Asks for nothing before it has the paid lane, or no hope of it."""

    waits = True


class Cheat(Patient):
    """Pays nothing that it need not."""

    def __init__(self, *given):
        super().__init__(*given)
        self.has_cheated = False

    def leave(self, code, reason):
        self.state = talk.ENDED

    def on_ask(self, keys, now):
        """Counts what it owes, whatever it has said."""
        self.bill.set_price(keys["a"] if keys["ln"] else 0, keys["fb"])
        super().on_ask(keys, now)

    def pay(self, now):
        """Honest at first."""
        if self.links < HONEST_LINKS:
            super().pay(now)
        elif not self.has_cheated:
            self.has_cheated = True
            self.cheat()

    def cheat(self):
        pass

    def reveal(self, i, w):
        self.say("link", i=i, w=w)


class NeverPays(Cheat):
    def pay(self, now):
        pass


class HalfPays(Cheat):
    def pay(self, now):
        talk.Talk.pay(self, now)

    def owed(self, count):
        return self.start + (super().owed(count) - self.start) // 2


class LowerCheque(Cheat):
    """Takes back by a lower cheque what links have paid."""

    def cheat(self):
        kept = self.record
        self.say_cheque(self.start, kept.cheque.unit, self.terms["l"], kept.cheque.channel)
        self.memory.put(self.key, kept)

    def recover(self, shown):
        pass


class SameCheque(Cheat):
    """Says over and over what it has said, as if that were worth something."""

    def cheat(self):
        kept = self.record
        for _ in range(8):
            self.say("chq", c=kept.cheque.pack(), s=kept.signature)

    def recover(self, shown):
        pass


class WrongLink(Cheat):
    def cheat(self):
        self.reveal(self.record.revealed + 1, secrets.token_bytes(32))


class SkippedLink(Cheat):
    """A link under a number that is worth more."""

    def cheat(self):
        at = self.record.revealed
        self.reveal(at + 9, self.chain[at + 1])


class LinkBeyondEnd(Cheat):
    def cheat(self):
        self.reveal(self.record.cheque.links + 1, self.chain[-1])


class Garbage(Cheat):
    """What is no message, what was sealed under no key, and then a good message once more."""

    def cheat(self):
        self.out.extend([b"", b"d1:ti1ee", secrets.token_bytes(1000)])
        self.out.append(message.encode("sealed", x=secrets.token_bytes(60)))
        self.bid(self.limits.price_max)


class Flood(Cheat):
    def cheat(self):
        for _ in range(FLOOD_MESSAGES):
            self.bid(self.limits.price_max)


class Changed(Cheat):
    """Opens with a cheque of which one field is not as it should be."""

    changes = {}

    def written(self, made):
        return dataclasses.replace(made, **self.changes)


class OtherLife(Changed):
    """A cheque from before the account was funded."""

    changes = {"epoch": 1_000_000_000}


class OtherToken(Changed):
    changes = {"token": b"\x55" * 20}


class OtherPayee(Changed):
    changes = {"payee": b"\x66" * 20}


class SameRoot(Cheat):
    """Opens on every connection under the one root that it has, of which all links are known."""

    seed = secrets.token_bytes(32)

    def draw_seed(self):
        return self.seed


class ReplayedOpen(Cheat):
    """Says on its second connection what opened the first."""

    heard = None

    def say(self, name, **keys):
        if name == "open":
            keys = ReplayedOpen.heard = ReplayedOpen.heard or keys
        super().say(name, **keys)


class ExitAndBuy(Cheat):
    """Asks the vault for its deposit in the middle of a purchase."""

    rpc = None

    def cheat(self):
        free = 2 ** 100
        fund.send(self.rpc, self.account.private, [
            (self.network.vault, "requestExit(address,uint128)", self.network.token, free)])


CHEATS = {
    "never-pays": NeverPays, "half-pays": HalfPays, "lower-cheque": LowerCheque,
    "same-cheque": SameCheque, "wrong-link": WrongLink, "skipped-link": SkippedLink,
    "link-beyond-end": LinkBeyondEnd, "garbage": Garbage, "flood": Flood,
    "other-life": OtherLife, "other-token": OtherToken, "other-payee": OtherPayee,
    "same-root": SameRoot, "replayed-open": ReplayedOpen, "exit-and-buy": ExitAndBuy,
    # Whose account is what is wrong: it pays as it should.
    "none": Patient,
}


def main(given=None):
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--cheat", choices=CHEATS, required=True)
    parser.add_argument("--chain", help="where transactions are sent")
    chosen, rest = parser.parse_known_args(given)
    ExitAndBuy.rpc = chosen.chain
    return buyer.main(rest, CHEATS[chosen.cheat])


if __name__ == "__main__":
    sys.exit(main())
