"""Buyers that cheat, as processes, against one node that sells.

Each has an account of its own. The node may lose a window to each and no more, serves all of them
to the end for nothing, on the connection that they began with, and its books are right to the unit.
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import time
import unittest

import node
import chain
import cheque
import fund
import hostile

PROGRAM = os.path.join(os.path.dirname(node.HERE), "hostile.py")
MIB = 1 << 20
PIECE_BYTES, PIECES = 64 << 10, 128
FLOOR = "4"
# Units: of a MiB at that floor, of a MiB at most, and of a second, so that all together fit.
ASK, PRICE_MAX, SPEND = 3907, 8000, 16_000
LINK = -(-ASK // 4)
# What the seller's first window costs: twice what a link pays for, which is more than a piece.
FIRST = 2 * LINK
AT_ONCE = 10
DAY = 24 * 3600
AGAIN = ("--drop-after", str(3 * MIB), "--reconnects", "1")
# What each does, and how often it comes back.
CHEATS = {
    "never-pays": (), "half-pays": (), "lower-cheque": (), "same-cheque": (), "wrong-link": (),
    "skipped-link": (), "link-beyond-end": (), "garbage": (), "flood": (), "exit-and-buy": (),
    "same-root": AGAIN, "replayed-open": AGAIN,
    "other-life": (), "other-token": (), "other-payee": (),
}
# Who has an account that is not good for it, and pays as it should.
ACCOUNTS = ("unfunded", "no-bond", "used-up", "revoked")
STALE, WORTHLESS, LITTLE, OVER, TOO_MANY = 3, 4, 5, 8, 10
# Links that those pay who begin honestly, and what a session key may spend.
HONEST = hostile.HONEST_LINKS
SESSION = HONEST * LINK


class HostileBuyers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shop = node.Keeper()
        cls.addClassCleanup(cls.shop.ends)
        cls.address = cls.shop.sells("64Mi", FLOOR)
        cls.torrent, cls.data = cls.shop.seeds(PIECES, PIECE_BYTES)
        cls.before = cls.shop.balance()
        cls.keys = {name: cls.shop.account(name) for name in CHEATS}
        cls.keys["unfunded"] = cls.shop.account("unfunded", 0, 0)
        cls.keys["no-bond"] = cls.shop.account("no-bond", node.FREE, 0)
        for name in ("used-up", "revoked"):
            cls.delegates(name)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            tasks = {name: pool.submit(cls.buys, name) for name in (*CHEATS, *ACCOUNTS)}
            cls.ended = {name: task.result() for name, task in tasks.items()}
        cls.ledger = cls.books()

    @classmethod
    def books(cls):
        """What the seller says of each account."""
        return {node.plain(row["peer"]): row for row in cls.rows()}

    @classmethod
    def delegates(cls, name):
        shop, owner = cls.shop, cls.shop.account(name + ".owner")
        cls.keys[name] = owner
        until = int(time.time()) + 5 * DAY
        digest = fund.delegate(shop.path(name), owner, shop.network, shop.kept(owner)[chain.EPOCH],
                               SESSION, node.BOND, until)
        if name == "revoked":
            fund.send(shop.rpc, owner, [(shop.network.vault, "revoke(bytes32)", digest)])

    @classmethod
    def buys(cls, name):
        more = CHEATS.get(name, ())
        path = cls.shop.path
        given = ["--cheat", name if name in CHEATS else "none", "--chain", cls.shop.rpc,
                 cls.torrent, cls.address, "--account", path(name),
                 "--state", path(name + ".state"), "--output", path(name + ".got"),
                 "--price", str(PRICE_MAX), "--spend", str(SPEND),
                 "--budget", str(10 * node.WHOLE), "--timeout", str(node.PATIENCE),
                 "--reconnects", "0", "--json", *more]
        return subprocess.run([sys.executable, "-B", PROGRAM, *given], capture_output=True,
                              text=True, timeout=2 * node.PATIENCE, check=False)

    def cheated(self, name, codes=(), links=HONEST, hears=True):
        """What a cheat reports, after the checks that are the same for all."""
        ended = self.ended[name]
        self.assertEqual(ended.returncode, 0, ended.stderr)
        report = json.loads(ended.stdout.splitlines()[-1])
        # It had all of it, and was never hung up on.
        self.assertTrue(report["complete"], report)
        with open(self.shop.path(name + ".got/payload.bin"), "rb") as file:
            self.assertEqual(file.read(), self.data)
        self.assertEqual(report["reconnects"], int(CHEATS.get(name) == AGAIN))
        self.assertEqual(report["refusals"], list(codes), report)
        self.assertTrue(self.shop.lives())
        row = self.earned(name)
        self.assertEqual(node.units(row["amount"]), links * LINK, report)
        # By the seller's count, and by the buyer's own while it hears of prices: what was not paid
        # is a first window, and as much again as was paid.
        served = -(-row["bytes"] * ASK // MIB)
        served = max(served, int(report["due"])) if hears else served
        self.assertLessEqual(served, FIRST + 2 * links * LINK, report)
        return report

    def earned(self, name):
        none = {"amount": "0", "bytes": 0, "settled": "0"}
        return self.ledger.get(cheque.address(self.keys[name]), none)

    def test_who_never_pays_has_a_window_and_then_the_free_lane(self):
        report = self.cheated("never-pays", links=0)
        self.assertGreater(int(report["due"]), 0)

    def test_who_pays_half_has_a_window_more_than_it_pays(self):
        report = self.cheated("half-pays", links=self.links("half-pays"))
        self.assertGreater(report["links"], 0)

    def test_a_lower_cheque_takes_nothing_back(self):
        self.cheated("lower-cheque", [STALE])

    def test_a_cheque_that_is_said_again_is_worth_nothing_more(self):
        self.cheated("same-cheque")

    def test_a_link_that_leads_nowhere_is_refused(self):
        self.cheated("wrong-link", [WORTHLESS])

    def test_a_link_under_another_number_is_refused(self):
        self.cheated("skipped-link", [WORTHLESS])

    def test_a_link_behind_the_end_of_its_chain_is_refused(self):
        self.cheated("link-beyond-end", [WORTHLESS])

    def test_garbage_ends_the_talk_and_not_the_download(self):
        self.cheated("garbage", hears=False)

    def test_a_flood_of_messages_ends_the_trade_and_not_the_download(self):
        said = self.report("flood")["refusals"]
        self.assertLessEqual(set(said), {TOO_MANY})
        self.cheated("flood", said, hears=False)

    def test_an_opening_of_another_connection_is_refused(self):
        self.cheated("replayed-open", [WORTHLESS], self.links("replayed-open"))

    def test_a_root_counts_once(self):
        self.cheated("same-root", [WORTHLESS], self.links("same-root"))

    def test_cheques_of_another_life_of_the_account_token_or_payee_are_refused(self):
        for name in ("other-life", "other-token", "other-payee"):
            self.cheated(name, [WORTHLESS], links=0)

    def test_who_has_set_nothing_aside_gets_no_credit(self):
        for name in ("unfunded", "no-bond"):
            self.cheated(name, [LITTLE], links=0)

    def test_a_delegation_that_was_revoked_buys_nothing(self):
        self.cheated("revoked", [OVER], links=0)

    def test_who_asks_for_its_deposit_back_is_cashed_at_once(self):
        self.cheated("exit-and-buy")
        row = node.until("it is cashed", lambda: self.settled("exit-and-buy"))
        self.assertEqual(row["settled"], row["amount"])
        kept = self.shop.kept(self.keys["exit-and-buy"])
        self.assertEqual(kept[chain.FREE], node.FREE - HONEST * LINK)
        self.assertGreater(kept[chain.EXIT_AMOUNT], 0)

    def test_a_session_key_is_worth_its_delegation_and_burns_the_bond_for_more(self):
        report = self.report("used-up")
        self.assertTrue(report["complete"], report)
        self.assertEqual(len(report["refusals"]), 1, report)
        kept = self.shop.kept(self.keys["used-up"])
        self.assertEqual(kept[chain.FREE], node.FREE - SESSION)
        # What it promised beyond that is lost, but for the bond; and no more than it could promise.
        lost = node.units(self.earned("used-up")["amount"]) - SESSION
        self.assertLessEqual(lost, SESSION)
        self.assertEqual(kept[chain.BOND] < node.BOND, lost > 0)

    def test_the_books_of_the_seller_are_those_of_the_chain(self):
        node.until("its books are the chain's", lambda: self.settles() or None)
        for row in self.rows():
            settled, pending = node.units(row["settled"]), node.units(row["pending"])
            # But for the one whose cheques the vault did not pay whole.
            if node.plain(row["peer"]) != cheque.address(self.keys["used-up"]):
                self.assertEqual(settled + pending, node.units(row["amount"]))

    def settles(self):
        """Whether what it says was settled has arrived."""
        settled = sum(node.units(row["settled"]) for row in self.rows())
        credit = node.units(self.shop.status()["selling"]["credit"])
        return settled == self.shop.balance() - self.before + credit > 0

    def report(self, name):
        return json.loads(self.ended[name].stdout.splitlines()[-1])

    def links(self, name):
        """So many links of it the seller has seen."""
        return node.units(self.earned(name)["amount"]) // LINK

    @classmethod
    def rows(cls):
        return cls.shop.told("earnings", "--by", "peer")

    def settled(self, name):
        self.ledger.update(self.books())
        return self.earned(name) if self.earned(name)["settled"] != "0" else None


if __name__ == "__main__":
    unittest.main()
