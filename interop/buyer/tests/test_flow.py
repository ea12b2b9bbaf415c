"""Whole downloads over loopback, from an honest seller and from several that are not."""
import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]

import bill
import buyer
import seller
import torrent

PIECES = 24


class Flow(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(self.clean)
        told = {
            "key": seller.PAYER_KEY.hex(),
            "networks": [{"chain": seller.CHAIN, "vault": seller.VAULT.hex(),
                          "token": seller.TOKEN.hex(), "genesis": seller.GENESIS.hex(),
                          "epoch": seller.EPOCH}],
        }
        with open(self.path("account"), "w", encoding="utf-8") as file:
            json.dump(told, file)

    def clean(self):
        for name in os.listdir(self.folder):
            os.unlink(self.path(name))
        os.rmdir(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def sells(self, fault=None, pieces=PIECES, piece_bytes=seller.PIECE_BYTES, **kinds):
        self.file, self.data = seller.make_torrent(self.folder, pieces, piece_bytes)
        made = seller.Seller(torrent.Torrent(self.file), self.data, fault, **kinds)
        self.addCleanup(made.stop)
        return made

    def buys(self, shop, *more, price=5000, budget=10**9):
        """The report of a run; it must end well if it is not said otherwise."""
        given = [self.file, shop.address, "--account", self.path("account"), "--state",
                 self.path("state"), "--output", self.folder, "--price", str(price),
                 "--budget", str(budget), "--timeout", "30", "--json", *more]
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            try:
                buyer.main(given)
                self.ended = None
            except SystemExit as ended:
                self.ended = str(ended)
        self.assertIsNone(shop.failed)
        return json.loads(said.getvalue().splitlines()[-1])

    def check_whole(self, report):
        self.assertIsNone(self.ended)
        self.assertTrue(report["complete"])
        with open(self.path("payload.bin"), "rb") as file:
            self.assertEqual(file.read(), self.data)

    def check_all_paid(self, shop, report):
        """All bytes after the first ask had their price, and it is paid."""
        free = next(keys["fb"] for name, keys in shop.said if name == "ask")
        self.assertEqual(int(report["amount"]), self.full_price(len(self.data) - free))
        self.assertEqual(shop.owed, 0)

    def full_price(self, count):
        return -(-count * seller.ASK // bill.MIB)

    def names(self, heard):
        return [name for name, _ in heard]

    def test_a_download_is_paid_to_the_last_unit(self):
        shop = self.sells()
        report = self.buys(shop)
        self.check_whole(report)
        paid, = (shop.value(channel) for channel in shop.ledger)
        self.assertEqual(int(report["amount"]), paid)
        self.check_all_paid(shop, report)
        self.assertEqual(self.names(shop.heard)[:3], ["open", "chq", "bid"])
        self.assertEqual(self.names(shop.heard)[-3:], ["bid", "chq", "close"])
        self.assertEqual(report["refusals"], [])

    def test_links_that_are_used_up_are_followed_by_a_new_cheque(self):
        shop = self.sells(links=3)
        report = self.buys(shop)
        self.check_whole(report)
        self.assertGreater(self.names(shop.heard).count("chq"), 6)
        self.assertGreater(report["links"], 15)

    def test_a_channel_goes_on_after_a_lost_connection_and_in_the_next_run(self):
        shop = self.sells()
        report = self.buys(shop, "--drop-after", str(10 * seller.PIECE_BYTES + 5000))
        self.check_whole(report)
        self.assertEqual(report["reconnects"], 1)
        opened = [keys for name, keys in shop.heard if name == "open"]
        self.assertEqual(["lc" in keys for keys in opened], [False, True])
        self.assertEqual(len(shop.ledger), 1)
        first = int(report["amount"])
        second = int(self.buys(shop)["amount"])
        self.assertEqual([shop.value(channel) for channel in shop.ledger], [first + second])

    def test_a_payee_that_forgot_is_shown_the_best_cheque(self):
        shop = self.sells()
        first = int(self.buys(shop)["amount"])
        shop.ledger.clear()
        second = int(self.buys(shop)["amount"])
        self.assertEqual([shop.value(channel) for channel in shop.ledger], [first + second])

    def test_a_payer_that_forgot_adopts_what_the_payee_shows(self):
        shop = self.sells()
        self.buys(shop)
        with open(self.path("state"), encoding="utf-8") as file:
            old = json.load(file)
        first = int(self.buys(shop)["amount"])
        with open(self.path("state"), "w", encoding="utf-8") as file:
            json.dump(old, file)
        before, = (shop.value(channel) for channel in shop.ledger)
        report = self.buys(shop)
        self.check_whole(report)
        self.assertGreater(first, 0)
        after, = (shop.value(channel) for channel in shop.ledger)
        self.assertEqual(int(report["amount"]), after - before)

    def test_a_bad_signature_is_refused_once(self):
        for kind in ("chq", "au"):
            shop = self.sells()
            report = self.buys(shop, "--bad-signature", kind)
            self.check_whole(report)
            self.assertEqual(report["refusals"], [4])
            self.assertGreater(report["links"], 10)
            os.unlink(self.path("state"))

    def test_a_piece_larger_than_the_window_is_prepaid(self):
        shop = self.sells(pieces=3, piece_bytes=8 * seller.PIECE_BYTES, window=2 * 65_536)
        report = self.buys(shop)
        self.check_whole(report)
        self.check_all_paid(shop, report)
        self.assertGreater(shop.waited, 0)

    def test_a_window_that_fills_within_a_piece_is_prepaid_after_a_stat(self):
        shop = self.sells(pieces=3, piece_bytes=8 * seller.PIECE_BYTES, window=2 * 65_536,
                          promised=1 << 20)
        report = self.buys(shop)
        self.check_whole(report)
        self.check_all_paid(shop, report)
        self.assertGreater(shop.waited, 0)

    def test_a_budget_ends_the_trade_and_not_the_download(self):
        shop = self.sells()
        report = self.buys(shop, budget=5 * 250)
        self.check_whole(report)
        self.assertLessEqual(int(report["amount"]), 5 * 250)
        self.assertEqual([keys["c"] for name, keys in shop.heard if name == "close"], [1])

    def test_a_price_over_the_highest_is_not_paid(self):
        shop = self.sells(free_wait=0.3)
        report = self.buys(shop, price=seller.ASK - 1)
        self.check_whole(report)
        self.assertEqual((report["links"], report["amount"]), (0, "0"))
        self.assertIn(("err", {"c": 2}), shop.heard)

    def test_garbage_ends_the_talk_and_not_the_download(self):
        shop = self.sells("garbage")
        report = self.buys(shop)
        self.check_whole(report)
        self.assertEqual(report["states"], ["off"])

    def test_one_wrong_tag_is_passed_over(self):
        shop = self.sells("wrong tag")
        report = self.buys(shop)
        self.check_whole(report)
        self.assertEqual(report["states"], ["ended"])
        self.assertEqual(shop.owed, 0)

    def test_what_a_seller_may_not_say_is_answered_and_paid_up_to_there(self):
        for fault, code in (("retroactive", 12), ("dear", 2)):
            shop = self.sells(fault)
            report = self.buys(shop)
            self.check_whole(report)
            said = [keys["c"] for name, keys in shop.heard if name == "err"]
            self.assertEqual(said, [code], fault)
            self.assertLess(int(report["amount"]), self.full_price(len(self.data)))
            os.unlink(self.path("state"))

    def test_a_corrupt_piece_is_never_paid(self):
        shop = self.sells("corrupt")
        report = self.buys(shop)
        self.assertIn("corrupt", self.ended)
        self.assertIn(("err", {"c": 12}), shop.heard)
        self.assertLessEqual(int(report["amount"]), self.full_price(4 * seller.PIECE_BYTES))


if __name__ == "__main__":
    unittest.main()
