"""What is transferred: files of seeded random bytes, their torrents, and the check afterwards.

Four payloads from two sets of files: `file` (one file, 1 MiB pieces), `file16` (the same file, 16 MiB
pieces), `v2` (the same file in a v2-only torrent, BEP 52) and `files` (20,000 files of 50 KiB).
"""
import concurrent.futures
import hashlib
import json
import os
import random
import subprocess

MIB = 1 << 20
BLOCK = 1 << 14
FILES_COUNT = 20_000
FILES_BYTES = 50 << 10
HASH_SPAN = 256 * MIB
NAMES = ("file", "file16", "v2", "files")


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"


class Payload:
    """Files below `folder`/`name`, and how a torrent cuts them into pieces."""

    def __init__(self, work, kind, size_mib):
        self.folder = os.path.join(work, "payload")
        self.is_v2 = kind == "v2"
        self.piece = 16 * MIB if kind == "file16" else MIB
        if kind == "files":
            self.name = "files%d" % FILES_COUNT
            paths = ["d%03d/f%05d.bin" % (i // 200, i) for i in range(FILES_COUNT)]
            self.files = [(path, FILES_BYTES) for path in paths]
        else:
            self.name = "file%d.bin" % size_mib
            self.files = [("", size_mib * MIB)]
        self.size = sum(size for _, size in self.files)

    def path(self, root, path):
        return os.path.join(root, self.name, path) if path else os.path.join(root, self.name)

    def prepare(self):
        """Writes the files, the piece hashes and the digests unless an earlier run has."""
        if not os.path.exists(self._cache("digests")):
            self._write()
            self._store("digests", json.dumps(self._digests(self.folder)).encode())
        if not os.path.exists(self._cache(self._hashes_name())):
            hashes = self._v2_layer() if self.is_v2 else self._v1_hashes()
            self._store(self._hashes_name(), hashes)

    def warm(self):
        """Reads everything once, so that each run finds the payload in the page cache."""
        buffer = bytearray(4 * MIB)
        for path, _ in self.files:
            with open(self.path(self.folder, path), "rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass

    def differs(self, root):
        """None when every file below `root` has the payload's size and SHA-256, else what is wrong."""
        for path, size in self.files:
            copy = self.path(root, path)
            if not os.path.exists(copy):
                return "no file %s" % (path or self.name)
            if os.path.getsize(copy) != size:
                return "%s has %d bytes of %d" % (path or self.name, os.path.getsize(copy), size)
        with open(self._cache("digests"), "rb") as file:
            wanted = json.load(file)
        wrong = sum(a != b for a, b in zip(wanted, self._digests(root)))
        return "the SHA-256 of %d spans of %d differs" % (wrong, len(wanted)) if wrong else None

    def info(self):
        """The info dictionary, and the piece layers beside it."""
        with open(self._cache(self._hashes_name()), "rb") as file:
            hashes = file.read()
        info = {"name": self.name, "piece length": self.piece}
        if self.is_v2:
            root = merkle_root([hashes[i:i + 32] for i in range(0, len(hashes), 32)],
                               zero_root(self.piece))
            info["meta version"] = 2
            info["file tree"] = {self.name: {"": {"length": self.size, "pieces root": root}}}
            return info, {root: hashes}
        info["pieces"] = hashes
        if self.files[0][0]:
            info["files"] = [{"length": size, "path": path.split("/")} for path, size in self.files]
        else:
            info["length"] = self.size
        return info, None

    def write_torrent(self, tracker, path):
        """Writes the torrent file; gives the encoded info dictionary."""
        info, layers = self.info()
        metainfo = {"announce": tracker, "info": info}
        if layers:
            metainfo["piece layers"] = layers
        with open(path, "wb") as file:
            file.write(bencode(metainfo))
        return bencode(info)

    def _cache(self, what):
        return os.path.join(self.folder, "%s.%s" % (self.name, what))

    def _store(self, what, data):
        with open(self._cache(what) + ".new", "wb") as file:
            file.write(data)
        os.replace(self._cache(what) + ".new", self._cache(what))

    def _hashes_name(self):
        return "%s-%d" % ("layer" if self.is_v2 else "pieces", self.piece)

    def _write(self):
        rng = random.Random(1234)
        for path, size in self.files:
            target = self.path(self.folder, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                for start in range(0, size, MIB):
                    file.write(rng.randbytes(min(MIB, size - start)))
        subprocess.run(["sync", "-f", self.folder], check=False)

    def _digests(self, root):
        spans = [(self.path(root, path), start, min(HASH_SPAN, size - start))
                 for path, size in self.files for start in range(0, size, HASH_SPAN)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda span: span_digest(*span), spans))

    def _read(self, unit):
        """The bytes of all files one after another, in units of `unit`, the last one shorter."""
        rest = b""
        for path, _ in self.files:
            with open(self.path(self.folder, path), "rb") as file:
                while part := file.read(unit - len(rest)):
                    rest += part
                    if len(rest) == unit:
                        yield rest
                        rest = b""
        if rest:
            yield rest

    def _v1_hashes(self):
        return b"".join(hashlib.sha1(piece).digest() for piece in self._read(self.piece))

    def _v2_layer(self):
        assert self.size % self.piece == 0, "a shorter last piece would need padding"
        layer = []
        for piece in self._read(self.piece):
            leaves = [hashlib.sha256(piece[i:i + BLOCK]).digest()
                      for i in range(0, self.piece, BLOCK)]
            layer.append(merkle_root(leaves, bytes(32)))
        return b"".join(layer)


def span_digest(path, start, length):
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        file.seek(start)
        while length > 0:
            part = file.read(min(MIB, length))
            if not part:
                return "short"
            digest.update(part)
            length -= len(part)
    return digest.hexdigest()


def merkle_root(nodes, pad):
    """The root above `nodes`, filled up to a power of two with `pad` (BEP 52)."""
    while len(nodes) > 1:
        if len(nodes) % 2:
            nodes = nodes + [pad]
        nodes = [hashlib.sha256(nodes[i] + nodes[i + 1]).digest() for i in range(0, len(nodes), 2)]
        pad = hashlib.sha256(pad + pad).digest()
    return nodes[0]


def zero_root(piece):
    """The root above a piece's worth of zero leaf hashes."""
    node, leaves = bytes(32), piece // BLOCK
    while leaves > 1:
        node, leaves = hashlib.sha256(node + node).digest(), leaves // 2
    return node


def write_idle_torrents(folder, count, tracker):
    """`count` torrents of 64 KiB each: their folder, and that of their files."""
    data, torrents = os.path.join(folder, "data"), os.path.join(folder, "torrents")
    os.makedirs(data)
    os.makedirs(torrents)
    rng = random.Random(5)
    for index in range(count):
        name, contents = "t%05d.bin" % index, rng.randbytes(4 * BLOCK)
        with open(os.path.join(data, name), "wb") as file:
            file.write(contents)
        pieces = b"".join(hashlib.sha1(contents[i:i + BLOCK]).digest()
                          for i in range(0, len(contents), BLOCK))
        info = {"name": name, "piece length": BLOCK, "pieces": pieces, "length": len(contents)}
        with open(os.path.join(torrents, name + ".torrent"), "wb") as file:
            file.write(bencode({"announce": tracker, "info": info}))
    return torrents, data
