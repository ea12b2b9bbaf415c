"""Nodes whose clock is a day ahead or behind sell and buy all the same.

Debian's libfaketime puts off the clock on the wall of their processes and leaves the monotonic one
alone. The chain has the right time, and so has the third node, of which each of them buys and to
which each of them sells. One buys of the other, too: their clocks are two days apart.
"""
import glob
import sys
import time
import unittest

import node
import chain

LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"
DAY = 24 * 3600
# Seconds by which the clock of each node is wrong.
CLOCKS = {"ahead": DAY, "behind": -DAY, "right": 0}
# Who buys of whom.
TRADES = (("ahead", "right"), ("behind", "right"), ("right", "ahead"), ("right", "behind"),
          ("ahead", "behind"))
# At the rate at first a torrent takes most of a minute, which is time enough to be bought; at the one
# that is set then, a second.
PIECES, PIECE_BYTES = 192, 256 << 10
SLOW, QUICK = "1Mi", "64Mi"
BUDGET = ("--budget", "1", "--max-price", "8")


def environment(seconds):
    """What puts a process's clock off."""
    libraries = glob.glob(LIBRARY)
    if not libraries:
        why = "no clock can be put off: install Debian's package faketime"
        print("\nskipped:", why, file=sys.stderr)
        raise unittest.SkipTest(why)
    return {"LD_PRELOAD": libraries[0], "FAKETIME": f"{seconds:+d}",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def whole(books, name):
    """What a node has written down of all others, in units."""
    return sum(node.units(row["amount"]) for (whose, _), row in books.items() if whose == name)


class WrongClocks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        environments = {name: environment(seconds) for name, seconds in CLOCKS.items()}
        cls.bank = node.Keeper()
        cls.addClassCleanup(cls.bank.ends)
        cls.nodes, made = {}, {}
        for name, clock in environments.items():
            cls.nodes[name] = node.Node(clock)
            cls.addClassCleanup(cls.nodes[name].ends)
        places = dict(zip(cls.nodes, node.at_once(cls.opens, cls.nodes.values())))
        for buyer, shop in TRADES:
            made[buyer, shop] = cls.nodes[shop].seeds(PIECES, PIECE_BYTES, f"to-{buyer}")
        cls.addresses = {trade: set() for trade in TRADES}
        ids = {}
        for (buyer, shop), (torrent, _) in made.items():
            told = cls.nodes[buyer].buys(torrent, places[shop], f"of-{shop}", *BUDGET)
            ids[told] = (buyer, shop)
        cls.data = {trade: data for trade, (_, data) in made.items()}
        node.until("all are paid", lambda: len(cls.books("earnings")) == len(TRADES) or None)
        for one in cls.nodes.values():
            one.told("sell", "on", "--capacity", QUICK)
        node.until("all is downloaded", lambda: cls.is_over(ids) or None)
        node.until("all is cashed", lambda: cls.is_cashed() or None)
        cls.spent, cls.earned = cls.books("spending"), cls.books("earnings")

    @classmethod
    def opens(cls, one):
        """Has a node sell and buy; where peers find it."""
        one.funds(cls.bank)
        place = one.sells(SLOW, "4")
        one.spends("buy", "on", "--max", "5")
        return place

    @classmethod
    def is_over(cls, ids):
        """Notes meanwhile on which connections each buyer is seen."""
        for shop in cls.nodes.values():
            for row in shop.status()["selling"]["buyers"]:
                cls.addresses[ids[row["torrent"]]].add(row["address"])
        return all(one.is_complete() for one in cls.nodes.values())

    @classmethod
    def is_cashed(cls):
        """Both sides say the same, too: what is cashed may be so before the last cheque has come."""
        spent, earned = cls.books("spending"), cls.books("earnings")
        agree = all(spent[buyer, shop]["amount"] == earned[shop, buyer]["amount"]
                    for buyer, shop in cls.data)
        return agree and not any(node.units(row["pending"]) for row in earned.values())

    @classmethod
    def books(cls, command):
        """What each node has written down of each other one."""
        names = {one.owner: name for name, one in cls.nodes.items()}
        return {(name, names[node.plain(row["peer"])]): row for name, one in cls.nodes.items()
                for row in one.told(command, "--by", "peer")}

    def trade(self, buyer, shop):
        """That all is downloaded and paid on one connection, and both write down the same."""
        with self.subTest(buyer=buyer, shop=shop):
            self.assertEqual(self.nodes[buyer].has(f"of-{shop}"), self.data[buyer, shop])
            spent, earned = self.spent[buyer, shop], self.earned[shop, buyer]
            self.assertGreater(node.units(spent["amount"]), 0)
            self.assertEqual(spent["amount"], earned["amount"])
            self.assertEqual(earned["amount"], earned["settled"])
            self.assertEqual(len(self.addresses[buyer, shop]), 1)
            # Each by its own clock, or the test has put off nothing.
            for name, row in ((buyer, spent), (shop, earned)):
                self.assertLess(abs(row["last_at"] - time.time() - CLOCKS[name]), DAY // 2)
        return node.units(spent["amount"])

    def test_a_buyer_whose_clock_is_a_day_ahead_pays(self):
        self.trade("ahead", "right")

    def test_a_buyer_whose_clock_is_a_day_behind_pays(self):
        self.trade("behind", "right")

    def test_a_seller_whose_clock_is_a_day_ahead_is_paid(self):
        self.trade("right", "ahead")

    def test_a_seller_whose_clock_is_a_day_behind_is_paid(self):
        self.trade("right", "behind")

    def test_two_whose_clocks_are_two_days_apart_trade(self):
        self.trade("ahead", "behind")

    def test_the_chain_says_the_same_and_nobody_has_broken_down(self):
        for name, one in self.nodes.items():
            with self.subTest(node=name):
                free = node.FREE - whole(self.spent, name)
                kept = self.bank.kept_of(one.owner)
                self.assertEqual((kept[chain.FREE], kept[chain.BOND]), (free, node.BOND))
                told, = one.told("vault", "status")
                self.assertEqual(node.units(told["free"]), free)
                # What is cashed together is credit first.
                arrived = self.bank.balance(one.owner) + node.units(told["credit"])
                self.assertEqual(arrived, whole(self.earned, name))
                self.assertTrue(one.lives())
                self.assertNotIn("panicked", one.log("up"))


if __name__ == "__main__":
    unittest.main()
