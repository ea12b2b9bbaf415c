"""Sellers that cheat, against one node that buys of all of them at once.

Each has a torrent of its own. The node pays none of them more than the agreed price of what it has
verified, leaves when a rule is broken, and goes on downloading for nothing on the same connection.
"""
import os
import secrets
import unittest

import node
import account
import bill
import chain
import seller
import torrent

PIECE_BYTES = 64 << 10
# Units of a MiB; of whole tokens, of a GiB at most and for each torrent.
ASK = 4000
PRICE_MAX, BUDGET = "8", "1"
# Pieces of each torrent. Who throttles is left after 30 to 40 s, and must have much left then, also on a
# machine that is busy.
PIECES = {"dear": 64, "retroactive": 64, "inflated": 32, "garbage": 64, "corrupt": 64,
          "throttled": 320}
# A fault comes once so many bytes were counted.
BEFORE = 4 * seller.LINK_BYTES
APART, OVER_BID = 12, 2
# Seconds; what comes for nothing before the node bids is nothing to cheat with.
FREE_WAIT = 60


class HostileSellers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keeper = node.Keeper()
        cls.addClassCleanup(cls.keeper.ends)
        cls.buyer = node.Node()
        cls.addClassCleanup(cls.buyer.ends)
        cls.funds()
        cls.buyer.up()
        cls.buyer.spends("buy", "on", "--max", "50", "--day-max", "20")
        cls.shops, cls.data = {}, {}
        names = {cls.buys(fault): fault for fault in PIECES}
        node.until("all is downloaded", lambda: cls.is_complete() or None)
        node.until("all trades have ended", lambda: not cls.sellers() or None)
        told = cls.buyer.told("spending", "--by", "torrent")
        cls.spent = {names[row["torrent"]]: node.units(row["amount"]) for row in told}

    @classmethod
    def funds(cls):
        """The buyer's wallet, as a person fills it."""
        cls.buyer.funds(cls.keeper)
        kept = cls.keeper.kept_of(cls.buyer.owner)
        cls.network = account.Network(*cls.keeper.network.named, kept[chain.EPOCH])

    @classmethod
    def sells(cls, made, fault, ask=ASK):
        file, data = made
        # A key of its own: nothing is bought again of the account that has sold corrupt data.
        shop = seller.Seller(torrent.Torrent(file), data, fault, network=cls.network, ask=ask,
                             free_wait=FREE_WAIT if fault else 0, key=secrets.token_bytes(32))
        cls.addClassCleanup(shop.stop)
        return shop

    @classmethod
    def buys(cls, fault):
        folder = cls.buyer.path(fault)
        os.mkdir(folder)
        made = seller.make_torrent(folder, PIECES[fault], PIECE_BYTES)
        cls.data[fault] = made[1]
        shop = cls.shops[fault] = cls.sells(made, fault)
        peers = ["--peer", shop.address]
        if fault == "corrupt":
            # Nobody goes on with who sent corrupt data: the rest comes from one who is too dear.
            peers += ["--peer", cls.sells(made, None, ask=10 * ASK).address]
        added = cls.buyer.told("add", made[0], *peers, "--save-path", cls.saved(fault), "--lane",
                               "fast", "--budget", BUDGET, "--max-price", PRICE_MAX)
        return added[0]["id"]

    @classmethod
    def saved(cls, fault):
        return os.path.join(cls.buyer.downloads, fault)

    @classmethod
    def is_complete(cls):
        return all(row["stage"] == "seeding" for row in cls.buyer.told("list"))

    @classmethod
    def sellers(cls):
        return cls.buyer.told("buy", "status")[0]["buying"]["sellers"]

    def cheated(self, fault, codes, met=1):
        """What was paid, after the checks that are the same for all."""
        shop = self.shops[fault]
        self.assertIsNone(shop.failed)
        self.assertTrue(self.buyer.lives())
        with open(os.path.join(self.saved(fault), "payload.bin"), "rb") as file:
            self.assertEqual(file.read(), self.data[fault])
        self.assertEqual(shop.met, met)
        said = [keys["c"] for name, keys in shop.heard if name == "err"]
        self.assertEqual(said, codes)
        paid, spent = sum(map(shop.value, shop.ledger)), self.spent.get(fault, 0)
        if fault == "corrupt":
            # Whose connection is cut: what was signed for honest pieces may have been under way.
            self.assertLessEqual(paid, spent)
            return spent
        # What it has signed is what its ledger says.
        self.assertEqual(spent, paid)
        return paid

    def test_a_gouger_is_not_paid(self):
        self.assertEqual(self.cheated("dear", [OVER_BID]), 0)

    def test_bytes_that_have_come_do_not_become_dearer(self):
        paid = self.cheated("retroactive", [APART])
        self.assertLessEqual(paid, self.price(BEFORE + self.requested()))

    def test_a_count_that_is_far_too_high_is_not_paid(self):
        paid = self.cheated("inflated", [APART])
        self.assertLess(paid, self.price(len(self.data["inflated"])))

    def test_garbage_is_passed_over_and_ends_the_trade(self):
        paid = self.cheated("garbage", [])
        self.assertLessEqual(paid, self.price(BEFORE + self.requested()))

    def test_a_corrupt_piece_is_not_paid(self):
        spent = self.cheated("corrupt", [])
        self.assertLessEqual(spent, self.price(BEFORE))

    def test_who_gives_an_eighth_of_what_it_says_is_left(self):
        paid = self.cheated("throttled", [])
        self.assertGreater(paid, 0)
        self.assertLess(paid, self.price(len(self.data["throttled"])))
        bids = [keys["p"] for name, keys in self.shops["throttled"].heard if name == "bid"]
        self.assertEqual(bids[-1], 0)
        asks = [keys["fb"] for name, keys in self.shops["throttled"].said if name == "ask"]
        # The rest was for nothing, but for what counts may differ by and a piece that is prepaid.
        self.assertLessEqual(paid, self.price(asks[-1] + 2 * seller.LINK_BYTES + PIECE_BYTES))
        self.assertLess(asks[-1], len(self.data["throttled"]))

    def requested(self):
        """What may be under way when a seller is left."""
        return seller.LINK_BYTES

    def price(self, count):
        return -(-count * ASK // bill.MIB)


if __name__ == "__main__":
    unittest.main()
