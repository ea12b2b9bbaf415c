"""Real nodes for the tests: the program as processes, known by its command line alone.

`PIECEWORK` names the program. A node has a folder of its own for everything, and ends with its
test.
"""
import concurrent.futures
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "tests")]

import account
import chain
import cheque
import fund
import seller

# Seconds; a machine that is busy with other work is no failure.
PATIENCE = 240
POLL = 0.1
TOKEN = "TOK"
PAYLOAD = "payload.bin"
# Units of a whole token, which has six digits.
WHOLE = 10 ** 6
# What each account of a test puts aside, units: what it pays from, and what burns.
FREE, BOND = 100 * WHOLE, 500 * WHOLE
ALONE = ("net.local_discovery=false", "net.port_mapping=false", "net.trust_peers=true",
         "dht.on=false", "disk.free_space_min=0")


def units(amount):
    """Whole tokens, as the program prints them, in units."""
    whole, _, part = str(amount).partition(".")
    return int(whole + part.ljust(6, "0"))


def until(what, probe):
    """Asks again and again; the first answer that is not None."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        answer = probe()
        if answer is not None:
            return answer
        time.sleep(POLL)
    raise AssertionError(f"no sign in {PATIENCE} s that {what}")


def at_once(work, nodes):
    """Does the same with each node, side by side: a password alone takes a second."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return list(pool.map(work, nodes))


class Node:
    """A folder, a wallet in it, and the processes that were started on it.

    `more` is what their environment has beside the usual.
    """

    def __init__(self, more=None):
        self.folder = tempfile.TemporaryDirectory(prefix="piecework-buyer-")
        self.more = more or {}
        # By the first word of what they were started with.
        self.processes = {}
        with open(self.path("password"), "w", encoding="utf-8") as file:
            file.write("correct horse battery staple\n")
        self.told("wallet", "new", "--yes", "--password-file", "password")
        self.owner = plain(self.told("wallet", "show")[0]["address"])

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def command(self, arguments):
        here = {"HOME": self.folder.name, "PATH": os.environ["PATH"],
                "PIECEWORK_DATA_DIR": self.path("daemon"), "PIECEWORK_NO_DHT": "true",
                "PIECEWORK_NO_PORT_MAPPING": "true", **self.more}
        return {"args": [os.environ["PIECEWORK"], *arguments, "--json"], "env": here,
                "cwd": self.folder.name, "text": True, "stdin": subprocess.DEVNULL}

    def told(self, *arguments):
        """The objects that a command prints, which has to end well."""
        ended = subprocess.run(**self.command(arguments), capture_output=True, timeout=PATIENCE,
                               check=False)
        if ended.returncode:
            raise AssertionError(f"{arguments} ended with {ended.returncode}: {ended.stderr}")
        return [json.loads(line) for line in ended.stdout.splitlines()]

    def spends(self, *arguments):
        """The same of one that signs."""
        return self.told(*arguments, "--yes", "--password-file", "password")

    def starts(self, *arguments):
        """What a process says when it is ready; it goes on until the node ends."""
        log = open(self.path(arguments[0] + ".log"), "a", encoding="utf-8")
        process = subprocess.Popen(**self.command(arguments), stdout=subprocess.PIPE, stderr=log)
        log.close()
        self.processes[arguments[0]] = process
        for line in process.stdout:
            told = json.loads(line)
            if told.get("event") == "ready":
                threading.Thread(target=drain, args=(process.stdout,), daemon=True).start()
                return told
        raise AssertionError(f"{arguments} ended: {self.log(arguments[0])}")

    def up(self):
        """Starts the daemon; host and port for peers."""
        given = [word for setting in ALONE for word in ("--set", setting)]
        ready = self.starts("up", "--listen", "127.0.0.1:0", "--port", "0", *given)
        self.downloads = ready["save_path"]
        return "127.0.0.1:%d" % ready["peer_port"]

    def log(self, name):
        with open(self.path(name + ".log"), encoding="utf-8") as file:
            return file.read()

    def lives(self):
        return all(process.poll() is None for process in self.processes.values())

    def stops(self, name):
        """Ends one process."""
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def ends(self):
        """Ends what runs, the last first; the folder goes with it."""
        for name in reversed(list(self.processes)):
            self.stops(name)
        self.folder.cleanup()

    def joins(self, keeper):
        self.told("chain", "join", keeper.path("network.json"), "--yes")

    def funds(self, keeper):
        """Joins, and fills its account as a person does."""
        self.joins(keeper)
        keeper.gives(self.owner, FREE + BOND)
        self.spends("vault", "deposit", str(FREE // WHOLE))
        self.spends("vault", "bond", str(BOND // WHOLE))

    def sells(self, capacity, floor):
        """Starts the daemon and sells; where peers find it."""
        address = self.up()
        self.told("sell", "on", "--capacity", capacity, "--floor", floor)
        return address

    def status(self):
        return self.told("sell", "status")[0]

    def seeds(self, pieces, piece_bytes, name=""):
        """(path of a torrent that it offers, payload); the folder of each has another name."""
        folder = os.path.join(self.downloads, name)
        os.makedirs(folder, exist_ok=True)
        torrent, data = seller.make_torrent(folder, pieces, piece_bytes)
        with open(os.path.join(folder, PAYLOAD), "wb") as file:
            file.write(data)
        self.told("add", torrent, "--trusted", "--save-path", folder)
        until("it seeds", lambda: self.is_complete() or None)
        return torrent, data

    def is_complete(self):
        return all(row["stage"] == "seeding" for row in self.told("list"))

    def buys(self, torrent, address, name, *lane):
        """Adds a torrent with a lane that costs; its info-hash."""
        folder = os.path.join(self.downloads, name)
        told, = self.told("add", torrent, "--peer", address, "--save-path", folder,
                          "--lane", "fast", *lane)
        return told["id"]

    def has(self, name):
        """The payload that it has downloaded."""
        with open(os.path.join(self.downloads, name, PAYLOAD), "rb") as file:
            return file.read()


def drain(lines):
    """A process that nobody listens to must not wait for it."""
    try:
        for _ in lines:
            pass
    except ValueError:
        return


class Keeper(Node):
    """A node with a chain of its own, which may sell."""

    def __init__(self):
        super().__init__()
        try:
            self.rpc = self.begins_chain()
        except BaseException:
            self.ends()
            raise
        with open(self.path("network.json"), encoding="utf-8") as file:
            told = json.load(file)
        token = next(it["address"] for it in told["tokens"] if it["symbol"] == TOKEN)
        self.network = account.Network(
            told["chain_id"], plain(told["vault"]["address"]), plain(token),
            plain(told["genesis"])[:8], 0)
        # Whoever buys in a test has its tokens from this key, for which no wallet is opened.
        self.bank = secrets.token_bytes(32)
        self.bank_lock = threading.Lock()
        self.spends("token", "send", "1000000", "0x" + self.network.token.hex(),
                    "0x" + cheque.address(self.bank).hex())

    def begins_chain(self):
        """The chain's address; what else there is to know of it is in `network.json`."""
        self.told("chain", "init", "--token", TOKEN)
        rpc = self.runs("127.0.0.1:0")
        self.told("chain", "share", "-o", "network.json")
        return rpc

    def runs(self, place):
        """Starts the chain; its address. An earlier run has left its blocks."""
        return self.starts("chain", "run", "--rpc", place)["rpc"]

    def gives(self, owner, amount):
        with self.bank_lock:
            fund.send(self.rpc, self.bank,
                      [(self.network.token, "transfer(address,uint256)", owner, amount)])

    def account(self, name, free=FREE, bond=BOND):
        """The private key of a new account, whose file has this name."""
        private = secrets.token_bytes(32)
        if free or bond:
            self.gives(cheque.address(private), free + bond)
            fund.put_aside(self.rpc, private, self.network, free, bond)
        fund.write(self.path(name), private, self.network, self.kept(private)[chain.EPOCH] or 1)
        return private

    def kept(self, private):
        """What the vault keeps of a key's account, in words."""
        return self.kept_of(cheque.address(private))

    def kept_of(self, owner):
        return chain.account(self.rpc, owner, self.network)

    def balance(self, owner=None):
        return chain.balance(self.rpc, owner or self.owner, self.network.token)


def plain(text):
    return bytes.fromhex(text.removeprefix("0x"))
