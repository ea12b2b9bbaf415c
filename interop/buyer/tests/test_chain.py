"""What the buyer asks a node of the chain before it signs, from a node that is a table."""
import http.server
import json
import os
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]

import account
import chain
import cheque
import seller

PAYER = cheque.address(seller.PAYER_KEY)
NETWORK = account.Network(seller.CHAIN, seller.VAULT, seller.TOKEN, seller.GENESIS, seller.EPOCH)
ACCOUNT = account.Account(seller.PAYER_KEY, PAYER, (NETWORK,))


class Node(http.server.BaseHTTPRequestHandler):
    """Answers with what the test has put into its server."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked["method"] == "eth_getBlockByNumber":
            result = {"hash": self.server.first}
        else:
            data = asked["params"][0]["data"]
            separator = "0x" + cheque.keccak(b"DOMAIN_SEPARATOR()")[:4].hex()
            result = self.server.separator if data == separator else self.server.account
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Comparing(unittest.TestCase):
    def setUp(self):
        self.node = http.server.HTTPServer(("127.0.0.1", 0), Node)
        threading.Thread(target=self.node.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(self.node.server_close)
        self.addCleanup(self.node.shutdown)
        self.node.first = "0x" + seller.GENESIS.hex() + "00" * 24
        self.node.separator = "0x" + seller.DOMAIN.hex()
        self.words(free=1000, epoch=seller.EPOCH, leaving=300)

    def words(self, free=0, epoch=0, leaving=0, owed=0):
        words = [free, 50, 7, epoch, 0, 0, 0, leaving, 9, 0, owed]
        self.node.account = "0x" + b"".join(map(cheque.word, words)).hex()

    def compare(self):
        url = "http://127.0.0.1:%d/" % self.node.server_address[1]
        return chain.compare(url, ACCOUNT, NETWORK)

    def test_what_is_free_and_stays_may_be_spent(self):
        self.assertEqual(self.compare(), 700)

    def test_another_chain_vault_or_account_ends_the_program(self):
        self.words(free=1000, epoch=seller.EPOCH + 1)
        self.assertRaises(SystemExit, self.compare)
        self.words(free=1000, epoch=seller.EPOCH, owed=1)
        self.assertRaises(SystemExit, self.compare)
        self.words(free=1000, epoch=seller.EPOCH)
        self.node.separator = "0x" + bytes(32).hex()
        self.assertRaises(SystemExit, self.compare)
        self.node.separator = "0x" + seller.DOMAIN.hex()
        self.node.first = "0x" + bytes(32).hex()
        self.assertRaises(SystemExit, self.compare)


if __name__ == "__main__":
    unittest.main()
