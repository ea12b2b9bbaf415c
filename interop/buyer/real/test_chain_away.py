"""The chain goes away in the middle of a paid download and comes back: nobody loses money.

One node has the chain and ends it, another one sells. Of two that buy, the first has a download
under way and begins another one meanwhile; the second one starts meanwhile, and so knows nothing of
its account.
"""
import unittest

import node
import chain

MIB = 1 << 20
PIECE_BYTES = 256 << 10
# MiB of each torrent. At the rate at first each takes minutes, so that none is complete before the
# chain is back; at the one that is set then, seconds.
SIZES = {"under-way": 96, "begun": 32, "begun-anew": 32}
BEGUN = ("begun", "begun-anew")
SLOW, QUICK = "1Mi", "256Mi"
BUDGET = ("--budget", "1", "--max-price", "8")
# Units: what 2 MiB cost at least, which is more than any window at this rate.
MORE = 2 * 3907


class ChainAway(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bank = node.Keeper()
        cls.shop, cls.buyer, cls.late = node.Node(), node.Node(), node.Node()
        cls.all = (cls.bank, cls.shop, cls.buyer, cls.late)
        for one in cls.all:
            cls.addClassCleanup(one.ends)
        cls.shop.joins(cls.bank)
        cls.place = cls.shop.sells(SLOW, "4")
        cls.made = {name: cls.shop.seeds(size * MIB // PIECE_BYTES, PIECE_BYTES, name)
                    for name, size in SIZES.items()}
        node.at_once(cls.opens, (cls.buyer, cls.late))
        cls.late.stops("up")
        cls.ids, cls.seen, cls.addresses = {}, {}, set()
        cls.begins("under-way")
        node.until("it is paid", lambda: cls.spent("under-way") or None)
        cls.is_over()
        cls.bank.stops("chain")
        cls.is_away()
        cls.bank.runs(cls.bank.rpc.removeprefix("http://"))
        cls.is_back()

    @classmethod
    def opens(cls, one):
        """Has a node buy."""
        one.funds(cls.bank)
        one.up()
        one.spends("buy", "on", "--max", "5")

    @classmethod
    def is_away(cls):
        """What is seen while there is no chain."""
        before = cls.spent("under-way")
        cls.late.up()
        for name in BEGUN:
            cls.begins(name)
        for name in BEGUN:
            cls.seen[name] = node.until(f"{name} is held", lambda: cls.held(name))
            node.until(f"{name} comes all the same", lambda: cls.has_come(name) or None)
        node.until("the seller has noticed", cls.unreachable)
        node.until("more is paid", lambda: cls.spent("under-way") > before + MORE or None)
        cls.seen["under-way"] = cls.lane("under-way")
        cls.before = {name: cls.spent(name) for name in BEGUN}

    @classmethod
    def is_back(cls):
        """Until all is complete and cashed."""
        for name in BEGUN:
            node.until(f"{name} is paid", lambda: cls.spent(name) or None)
        node.until("the seller has noticed", lambda: not cls.unreachable() or None)
        cls.shop.told("sell", "on", "--capacity", QUICK)
        node.until("all is downloaded", lambda: cls.is_over() or None)
        node.until("all is cashed", lambda: cls.is_cashed() or None)

    @classmethod
    def who(cls, name):
        return cls.late if name == "begun-anew" else cls.buyer

    @classmethod
    def begins(cls, name):
        cls.ids[name] = cls.who(name).buys(cls.made[name][0], cls.place, name, *BUDGET)

    @classmethod
    def spent(cls, name):
        rows = cls.who(name).told("spending", "--by", "torrent")
        return sum(node.units(row["amount"]) for row in rows if row["torrent"] == cls.ids[name])

    @classmethod
    def lane(cls, name):
        """What its node says of what it buys, as soon as it does."""
        rows = cls.who(name).told("buy", "status")[0]["buying"]["torrents"]
        return next((row for row in rows if row["torrent"] == cls.ids[name]), None)

    @classmethod
    def held(cls, name):
        lane = cls.lane(name)
        return lane if lane and lane["hold"] else None

    @classmethod
    def has_come(cls, name):
        row, = (row for row in cls.who(name).told("list") if row["id"] == cls.ids[name])
        return row["progress_milli"] > 0

    @classmethod
    def unreachable(cls):
        """What the seller says of the chain, unless it can be reached."""
        told = cls.shop.status()["chain"]
        return None if told["is_reachable"] else told["text"]

    @classmethod
    def is_over(cls):
        """Notes meanwhile on which connections buyers are seen."""
        for row in cls.shop.status()["selling"]["buyers"]:
            cls.addresses.add((row["torrent"], row["address"]))
        return cls.buyer.is_complete() and cls.late.is_complete()

    @classmethod
    def is_cashed(cls):
        """Both sides say the same, too: what is cashed may be so before the last cheque has come."""
        earned = cls.shop.told("earnings")
        amount = sum(node.units(row["amount"]) for row in earned)
        agree = amount == sum(cls.spent(name) for name in cls.made)
        return agree and not any(node.units(row["pending"]) for row in earned)

    def test_what_is_under_way_goes_on_being_paid(self):
        lane = self.seen["under-way"]
        self.assertEqual((lane["paid_sellers"], lane["hold"]), (1, None))

    def test_what_begins_meanwhile_costs_nothing_and_says_why(self):
        for name in BEGUN:
            with self.subTest(purchase=name):
                lane = self.seen[name]
                self.assertEqual((lane["paid_sellers"], lane["hold_reason"]), (0, "chain"))
                self.assertIn("the chain does not answer", lane["hold"])
                self.assertEqual(self.before[name], 0)

    def test_all_is_complete_and_no_connection_was_dropped(self):
        for name, (_, data) in self.made.items():
            self.assertEqual(self.who(name).has(name), data)
        self.assertEqual({torrent for torrent, _ in self.addresses}, set(self.ids.values()))
        self.assertEqual(len(self.addresses), len(self.ids))
        for one in self.all:
            self.assertTrue(one.lives())

    def test_all_books_and_the_chain_say_the_same(self):
        rows = self.shop.told("earnings", "--by", "peer")
        earned = {node.plain(row["peer"]): row for row in rows}
        paid = 0
        for one in (self.buyer, self.late):
            spent, = one.told("spending")
            row = earned[one.owner]
            self.assertEqual(spent["amount"], row["amount"])
            self.assertEqual(row["amount"], row["settled"])
            amount = node.units(spent["amount"])
            kept = self.bank.kept_of(one.owner)
            self.assertEqual((kept[chain.FREE], kept[chain.BOND]), (node.FREE - amount, node.BOND))
            account, = one.told("vault", "status")
            self.assertEqual(node.units(account["free"]), node.FREE - amount)
            paid += amount
        account, = self.shop.told("vault", "status")
        # What is cashed together is credit first.
        arrived = self.bank.balance(self.shop.owner) + node.units(account["credit"])
        self.assertEqual(arrived, paid)


if __name__ == "__main__":
    unittest.main()
