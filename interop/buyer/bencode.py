"""Bencode (BEP 3): the strict form that payment messages have, and the usual one of torrents.

Integers are int, strings bytes, lists list, dictionaries dict with keys of bytes.
"""

# Nothing that is read here nests deeper: a torrent's files are four deep.
DEPTH_MAX = 8
# Of one integer; enough for 2^64 and for what foreign handshakes put into theirs.
DIGITS_MAX = 40


class BencodeError(ValueError):
    """These bytes are no bencode, or not its canonical form."""


def encode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(encode(item) for item in value) + b"e"
    pairs = (encode(key) + encode(value[key]) for key in sorted(value))
    return b"d" + b"".join(pairs) + b"e"


def decode(data):
    """All of `data` as one canonical value."""
    reader = Reader(data, canonical=True)
    value = reader.value(0)
    if reader.at != len(data):
        raise BencodeError("bytes are behind the value")
    return value


def decode_lenient(data):
    """The value that `data` begins with, its keys in any order, and how many bytes it has."""
    reader = Reader(data, canonical=False)
    return reader.value(0), reader.at


def span(data, wanted):
    """The bytes of the value under one key of the dictionary that `data` is."""
    if data[:1] != b"d":
        raise BencodeError("no dictionary")
    reader = Reader(data, canonical=False)
    reader.at = 1
    while data[reader.at:reader.at + 1] != b"e":
        key = reader.string()
        begin = reader.at
        reader.value(1)
        if key == wanted:
            return data[begin:reader.at]
    raise BencodeError(f"the dictionary has no {wanted.decode()}")


class Reader:
    def __init__(self, data, canonical):
        self.data = data
        self.canonical = canonical
        self.at = 0

    def value(self, depth):
        if depth > DEPTH_MAX:
            raise BencodeError("nested too deep")
        kind = self.data[self.at:self.at + 1]
        if kind == b"i":
            self.at += 1
            return self.integer(b"e")
        if kind == b"l":
            return self.items(depth)
        if kind == b"d":
            return self.pairs(depth)
        return self.string()

    def integer(self, end):
        stop = self.data.find(end, self.at, self.at + DIGITS_MAX)
        if stop < 0:
            raise BencodeError("a number without an end")
        text = self.data[self.at:stop]
        digits = text[1:] if text[:1] == b"-" and end == b"e" else text
        if not digits.isdigit():
            raise BencodeError("a number of other than digits")
        if (digits[:1] == b"0" and len(digits) > 1) or text == b"-0":
            raise BencodeError("a number with a zero too many")
        self.at = stop + 1
        return int(text)

    def string(self):
        length = self.integer(b":")
        value = self.data[self.at:self.at + length]
        if len(value) != length:
            raise BencodeError("a string that ends too early")
        self.at += length
        return value

    def items(self, depth):
        self.at += 1
        found = []
        while self.data[self.at:self.at + 1] != b"e":
            found.append(self.value(depth + 1))
        self.at += 1
        return found

    def pairs(self, depth):
        self.at += 1
        found = {}
        last = None
        while self.data[self.at:self.at + 1] != b"e":
            key = self.string()
            if self.canonical and last is not None and key <= last:
                raise BencodeError("keys out of order")
            last = key
            found[key] = self.value(depth + 1)
        self.at += 1
        return found
