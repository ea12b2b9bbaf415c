"""What a buyer must not forget: of each payee the channel, the last cheque and its links.

A JSON file that is replaced whole, and is on the disk before anything in it is sent.
"""
import dataclasses
import fcntl
import json
import os

import cheque


@dataclasses.dataclass(frozen=True)
class Record:
    """A channel's last cheque, the secret end of its chain and the best link revealed.

    `left` is what its last connection has left: (what is owed, what may be owed beyond that); None
    while one is there, and so after a crash.
    """
    cheque: cheque.Cheque
    signature: bytes
    seed: bytes
    revealed: int
    left: tuple | None = None

    @property
    def value(self):
        return self.cheque.cumulative + self.cheque.unit * self.revealed

    def link(self):
        return cheque.hash_times(self.seed, self.cheque.links - self.revealed)

    def last_cheque(self):
        """As `open` shows it to a payee that may have forgotten."""
        shown = {"c": self.cheque.pack(), "s": self.signature, "i": self.revealed}
        return {**shown, "w": self.link()} if self.revealed else shown


class Memory:
    """One process at a time has the file: a channel belongs to one connection."""

    def __init__(self, path):
        self.path = path
        self.lock = open(path + ".lock", "w", encoding="utf-8")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as taken:
            self.lock.close()
            raise SystemExit(f"{path} is used by another buyer") from taken
        self.records = {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                kept = json.load(file)
            self.records = {key: read(record) for key, record in kept.items()}

    def get(self, key):
        return self.records.get(key)

    def put(self, key, record):
        self.records[key] = record
        kept = {key: write(record) for key, record in self.records.items()}
        aside = self.path + ".new"
        with open(aside, "w", encoding="utf-8") as file:
            json.dump(kept, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, self.path)
        folder = os.open(os.path.dirname(os.path.abspath(self.path)), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self):
        self.lock.close()


def write(record):
    return {
        "cheque": record.cheque.pack().hex(),
        "signature": record.signature.hex(),
        "seed": record.seed.hex(),
        "revealed": record.revealed,
        "left": record.left,
    }


def read(kept):
    packed, signature = bytes.fromhex(kept["cheque"]), bytes.fromhex(kept["signature"])
    seed = bytes.fromhex(kept["seed"])
    left = kept["left"] and tuple(kept["left"])
    return Record(cheque.Cheque.unpack(packed), signature, seed, kept["revealed"], left)
