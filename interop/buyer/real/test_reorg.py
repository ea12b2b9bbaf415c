"""A chain takes a deposit back while it is bought with: the seller loses what it risked at most.

The chain is anvil with the contracts that the program puts there. Its blocks with the deposit are
taken back and others made in their place, while the buyer, which asks no chain, goes on paying.
What bounds the loss is the credit that a deposit has which is not final, whether or not the seller
has noticed yet; it has no coin to cash with, so that nothing is paid before either.
"""
import concurrent.futures
import json
import os
import socket
import subprocess
import sys
import unittest

import node
import chain
import cheque

ANVIL = "piecework/contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
BUYER = os.path.join(os.path.dirname(node.HERE), "buyer.py")
MIB = 1 << 20
# Blocks until something counts: more than are made here, so that the deposit never does.
CONFIRMATIONS = 200
PIECES, PIECE_BYTES = 192, 256 << 10
# Units of a MiB at the floor, and of what may be owed on the deposit: what 16 MiB cost.
ASK = 3907
RISK = 16 * ASK
# It is a 256th of the bond, and a twentieth of what is free.
FREE, BOND = 20 * RISK, 256 * RISK
# What is paid before the deposit is taken back: more than any window, and under what is risked.
BEFORE = 4 * ASK
# At the rate at first a purchase can be watched; the one that is set then brings the rest in seconds.
SLOW, QUICK = "1Mi", "64Mi"
COIN = hex(10 ** 21)


def anvil():
    """The program; npm's package has it."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    found = os.environ.get("PIECEWORK_ANVIL") or os.path.join(cache, ANVIL)
    if not os.path.exists(found):
        why = "no chain takes blocks back: node contracts/packages.mjs installs anvil"
        print("\nskipped:", why, file=sys.stderr)
        raise unittest.SkipTest(why)
    return found


class Foreign(node.Keeper):
    """A node that has put the contracts on a chain of somebody else's."""

    def begins_chain(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        given = ["--host", "127.0.0.1", "--port", str(port), "--silent", "--hardfork", "prague",
                 "--base-fee", "0", "--gas-price", "0"]
        self.processes["anvil"] = subprocess.Popen([anvil(), *given], stdout=subprocess.PIPE,
                                                   stdin=subprocess.DEVNULL)
        rpc = f"http://127.0.0.1:{port}"
        node.until("anvil answers", lambda: answers(rpc) or None)
        chain.ask_any(rpc, "anvil_setBalance", "0x" + self.owner.hex(), COIN)
        self.spends("chain", "deploy", "--rpc", rpc, "--name", "forks", "--confirmations", "0",
                    "-o", "deployed.json")
        self.told("chain", "join", "deployed.json", "--yes")
        self.spends("token", "issue", node.TOKEN, "2000000")
        chain.ask_any(rpc, "anvil_mine", hex(CONFIRMATIONS))
        self.shares(rpc)
        return rpc

    def shares(self, rpc):
        """The network file of those who wait for more blocks than this node does."""
        with open(self.path("deployed.json"), encoding="utf-8") as file:
            told = json.load(file)
        made, = (row for row in self.told("token", "list") if row["symbol"] == node.TOKEN)
        code = chain.ask(rpc, "eth_getCode", made["address"], "latest")
        entry = {name: made[name] for name in ("address", "name", "symbol", "decimals")}
        entry["code_hash"] = "0x" + cheque.keccak(node.plain(code)).hex()
        told.update(tokens=[entry, *told["tokens"]], confirmations=CONFIRMATIONS)
        with open(self.path("network.json"), "w", encoding="utf-8") as file:
            json.dump(told, file)


def answers(rpc):
    try:
        return chain.ask(rpc, "eth_chainId")
    except OSError:
        return None


class Reorg(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bank = Foreign()
        cls.addClassCleanup(cls.bank.ends)
        cls.shop = node.Node()
        cls.addClassCleanup(cls.shop.ends)
        cls.shop.joins(cls.bank)
        cls.place = cls.shop.sells(SLOW, "4")
        cls.torrent, cls.data = cls.shop.seeds(PIECES, PIECE_BYTES)
        before = chain.ask(cls.bank.rpc, "evm_snapshot")
        cls.owner = cheque.address(cls.bank.account("buyer", FREE, BOND))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            buyer = pool.submit(cls.buys)
            node.until("it is paid", lambda: cls.earned() > BEFORE or None)
            cls.lane = cls.buyer()
            chain.ask(cls.bank.rpc, "evm_revert", before)
            # More than there were: whoever asks sees another chain, and a longer one.
            chain.ask_any(cls.bank.rpc, "anvil_mine", hex(20))
            cls.kept = cls.bank.kept_of(cls.owner)
            node.until("it is paid no more", lambda: cls.is_free() or None)
            cls.shop.told("sell", "on", "--capacity", QUICK)
            cls.ended = buyer.result()

    @classmethod
    def buys(cls):
        path = cls.bank.path
        given = [cls.torrent, cls.place, "--account", path("buyer"), "--state", path("state"),
                 "--output", path("got"), "--price", str(2 * ASK), "--budget", str(FREE),
                 "--timeout", str(node.PATIENCE), "--reconnects", "0", "--json"]
        return subprocess.run([sys.executable, "-B", BUYER, *given], capture_output=True,
                              text=True, timeout=2 * node.PATIENCE, check=False)

    @classmethod
    def earned(cls):
        return sum(node.units(row["amount"]) for row in cls.shop.told("earnings"))

    @classmethod
    def buyer(cls):
        return next(iter(cls.shop.status()["selling"]["buyers"]), None)

    @classmethod
    def is_free(cls):
        row = cls.buyer()
        return row is None or not row["is_paid"]

    def test_the_seller_loses_what_it_risked_on_the_deposit_and_no_more(self):
        self.assertTrue(self.lane["is_paid"])
        self.assertEqual(set(self.kept), {0})
        row, = self.shop.told("earnings")
        amount = node.units(row["amount"])
        self.assertLess(BEFORE, amount)
        self.assertLessEqual(amount, RISK)
        # It is in the books as what it is: promised, and not cashed.
        self.assertEqual((node.units(row["pending"]), node.units(row["settled"])), (amount, 0))
        self.assertEqual(json.loads(self.ended.stdout.splitlines()[-1])["amount"], str(amount))

    def test_the_download_goes_on_for_nothing_and_no_connection_is_dropped(self):
        self.assertEqual(self.ended.returncode, 0, self.ended.stderr)
        report = json.loads(self.ended.stdout.splitlines()[-1])
        self.assertTrue(report["complete"])
        self.assertEqual((report["bytes"], report["reconnects"]), (len(self.data), 0))
        with open(self.bank.path("got/payload.bin"), "rb") as file:
            self.assertEqual(file.read(), self.data)
        self.assertTrue(self.bank.lives() and self.shop.lives())


if __name__ == "__main__":
    unittest.main()
