"""The buyer against a node that sells: real sockets, a real chain, and what arrives there."""
import json
import os
import subprocess
import sys
import unittest

import node
import chain
import memory

MIB = 1 << 20
BYTES = 64 * MIB
PIECE_BYTES = 256 << 10
PROGRAM = os.path.join(os.path.dirname(node.HERE), "buyer.py")
# Whole tokens a GiB; units a MiB, and those that a buyer pays at most.
FLOOR, ASK, PRICE_MAX = "4", 3907, 8000
# A second: less than all there is, so that nothing becomes dearer.
SPEND = 64_000
WORTHLESS = 4


class Purchase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shop = node.Keeper()
        cls.addClassCleanup(cls.shop.ends)
        cls.address = cls.shop.sells("48Mi", FLOOR)
        cls.torrent, cls.data = cls.shop.seeds(BYTES // PIECE_BYTES, PIECE_BYTES)

    def buys(self, name, *more):
        """What a process of the buyer reports, which has to end well."""
        given = [self.torrent, self.address, "--account", self.shop.path(name), "--state",
                 self.shop.path(name + ".state"), "--output", self.shop.path(name + ".got"),
                 "--price", str(PRICE_MAX), "--spend", str(SPEND),
                 "--budget", str(10 * node.WHOLE),
                 "--rpc", self.shop.rpc, "--timeout", str(node.PATIENCE), "--json", *more]
        ended = subprocess.run([sys.executable, "-B", PROGRAM, *given], capture_output=True,
                               text=True, timeout=2 * node.PATIENCE, check=False)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        report = json.loads(ended.stdout.splitlines()[-1])
        self.assertTrue(report["complete"])
        with open(self.shop.path(name + ".got/payload.bin"), "rb") as file:
            self.assertEqual(file.read(), self.data)
        return report

    def test_64_mib_are_bought_over_two_connections_after_one_refusal(self):
        key, before = self.shop.account("buyer"), self.shop.balance()
        report = self.buys("buyer", "--drop-after", str(BYTES // 3), "--bad-signature")
        self.assertEqual((report["reconnects"], report["refusals"]), (1, [WORTHLESS]))
        paid = int(report["amount"])
        # All but what came before the first price, more of it on a machine that is busy; and what was lost on
        # its way and came again.
        whole = -(-BYTES * ASK // MIB)
        self.assertLessEqual(paid, whole + whole // 20)
        self.assertGreaterEqual(paid, whole - whole // 4)
        # On one channel, which the second connection went on with.
        self.assertEqual(self.channels("buyer"), [paid])
        node.until("all has arrived", lambda: self.shop.balance() - before == paid or None)
        kept = self.shop.kept(key)
        self.assertEqual((kept[chain.FREE], kept[chain.BOND]), (node.FREE - paid, node.BOND))
        earned, = self.shop.told("earnings")
        self.assertEqual(node.units(earned["amount"]), paid)
        self.assertTrue(self.shop.lives())

    def channels(self, name):
        """What the channels that a buyer remembers are worth."""
        kept = memory.Memory(self.shop.path(name + ".state"))
        self.addCleanup(kept.close)
        return [record.value for record in kept.records.values()]


if __name__ == "__main__":
    unittest.main()
