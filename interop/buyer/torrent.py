"""A v1 torrent: its file, its pieces, and the folder that verified pieces are written to."""
import hashlib
import os

import bencode

BLOCK_BYTES = 16_384
HASH_BYTES = 20


class Torrent:
    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        raw = bencode.span(data, b"info")
        info, _ = bencode.decode_lenient(raw)
        self.info_hash = hashlib.sha1(raw).digest()
        self.piece_bytes = info[b"piece length"]
        hashes = info[b"pieces"]
        self.hashes = [hashes[i:i + HASH_BYTES] for i in range(0, len(hashes), HASH_BYTES)]
        name = safe(info[b"name"])
        if b"files" in info:
            parts = ([name, *map(safe, item[b"path"])] for item in info[b"files"])
            sizes = (item[b"length"] for item in info[b"files"])
            self.files = [(os.path.join(*part), size) for part, size in zip(parts, sizes)]
        else:
            self.files = [(name, info[b"length"])]
        self.size = sum(size for _, size in self.files)
        if self.piece_bytes < 1 or -(-self.size // self.piece_bytes) != len(self.hashes):
            raise SystemExit(f"{path} has not as many hashes as pieces")

    def piece_size(self, index):
        return min(self.piece_bytes, self.size - index * self.piece_bytes)

    def blocks(self, index):
        """(begin, size) of each."""
        size = self.piece_size(index)
        return [(begin, min(BLOCK_BYTES, size - begin)) for begin in range(0, size, BLOCK_BYTES)]

    def is_right(self, index, data):
        return hashlib.sha1(data).digest() == self.hashes[index]


def safe(part):
    name = os.fsdecode(part)
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise SystemExit(f"a file of the torrent is called {name!r}")
    return name


class Download:
    """What there is of a torrent, over all connections; pieces in their order."""

    def __init__(self, torrent, folder):
        self.torrent = torrent
        self.folder = folder
        self.done = set()
        self.parts = {}
        for path, size in torrent.files:
            whole = os.path.join(folder, path)
            os.makedirs(os.path.dirname(whole), exist_ok=True)
            with open(whole, "ab") as file:
                file.truncate(size)

    @property
    def is_complete(self):
        return len(self.done) == len(self.torrent.hashes)

    def missing(self):
        """(piece, begin, size) of all blocks that are not here, in order."""
        for index in range(len(self.torrent.hashes)):
            if index in self.done:
                continue
            have = self.parts.get(index, {})
            for begin, size in self.torrent.blocks(index):
                if begin not in have:
                    yield index, begin, size

    def first_unverified(self):
        return next((i for i in range(len(self.torrent.hashes)) if i not in self.done), None)

    def add(self, index, begin, data):
        """None while the piece is not whole; then whether it is right."""
        part = self.parts.setdefault(index, {})
        part[begin] = data
        if len(part) < len(self.torrent.blocks(index)):
            return None
        del self.parts[index]
        whole = b"".join(part[begin] for begin in sorted(part))
        if not self.torrent.is_right(index, whole):
            return False
        self.write(index * self.torrent.piece_bytes, whole)
        self.done.add(index)
        return True

    def write(self, place, data):
        begin = 0
        for path, size in self.torrent.files:
            least, most = max(place, begin), min(place + len(data), begin + size)
            if least < most:
                with open(os.path.join(self.folder, path), "r+b") as file:
                    file.seek(least - begin)
                    file.write(data[least - place:most - place])
            begin += size
