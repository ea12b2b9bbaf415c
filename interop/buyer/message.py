"""The messages: their tables, and what makes one malformed.

A message is its name and a dict of its keys. Amounts and prices are int, the rest as in bencode.
"""
import bencode

BYTES_MAX = 1024
NUMBER_MAX = (1 << 64) - 1
AMOUNT_BYTES_MAX = 16
PRICE_MAX = 1 << 80
CHEQUE_BYTES = 144
LINKS_MAX = 4096
TEXT_BYTES_MAX = 200
NETWORKS_MAX = 8


class Malformed(ValueError):
    """A message that counts towards the three after which nobody listens."""


class Number:
    def __init__(self, least=0, most=NUMBER_MAX):
        self.least, self.most = least, most

    def read(self, raw):
        if not isinstance(raw, int) or not self.least <= raw <= self.most:
            raise Malformed(f"no number of {self.least} to {self.most}")
        return raw

    def write(self, value):
        return self.read(int(value))


class Amount:
    def __init__(self, most=(1 << 128) - 1):
        self.most = most

    def read(self, raw):
        if not isinstance(raw, bytes) or len(raw) > AMOUNT_BYTES_MAX or raw[:1] == b"\0":
            raise Malformed("no amount")
        value = int.from_bytes(raw, "big")
        if value > self.most:
            raise Malformed("an amount too large")
        return value

    def write(self, value):
        if not 0 <= value <= self.most:
            raise Malformed("an amount too large")
        return value.to_bytes((value.bit_length() + 7) // 8, "big")


class Bytes:
    def __init__(self, least, most=None):
        self.least, self.most = least, least if most is None else most

    def read(self, raw):
        if not isinstance(raw, bytes) or not self.least <= len(raw) <= self.most:
            raise Malformed(f"no string of {self.least} to {self.most} bytes")
        return raw

    write = read


class Text(Bytes):
    def read(self, raw):
        super().read(raw)
        try:
            raw.decode()
        except UnicodeDecodeError as wrong:
            raise Malformed("no UTF-8") from wrong
        return raw

    write = read


class Networks:
    """A list of (chain, vault, token, first 8 bytes of block 0)."""
    FORMS = (Number(), Bytes(20), Bytes(20), Bytes(8))

    def read(self, raw):
        if not isinstance(raw, list) or not 1 <= len(raw) <= NETWORKS_MAX:
            raise Malformed("no list of networks")
        return [self.network(item) for item in raw]

    def network(self, raw):
        if not isinstance(raw, list) or len(raw) != len(self.FORMS):
            raise Malformed("no network")
        return tuple(form.read(item) for form, item in zip(self.FORMS, raw))

    def write(self, value):
        return [list(network) for network in value]


class LastCheque:
    """A cheque with its signature and best link; `w` only where there is a link."""
    FORMS = {b"c": Bytes(CHEQUE_BYTES), b"s": Bytes(65), b"i": Number(0, LINKS_MAX)}
    LINK = Bytes(32)

    def read(self, raw):
        if not isinstance(raw, dict):
            raise Malformed("no dictionary")
        found = {key.decode(): form.read(raw.get(key)) for key, form in self.FORMS.items()}
        if found["i"]:
            found["w"] = self.LINK.read(raw.get(b"w"))
        return found

    def write(self, value):
        return {key.encode(): part for key, part in value.items()}


FLAG = Number(0, 1)
SIZE = Number(0, (1 << 32) - 1)
CODE = Number(0, 255)
NUMBER, AMOUNT, PRICE = Number(), Amount(), Amount(PRICE_MAX)
ADDRESS, SIGNATURE, HASH = Bytes(20), Bytes(65), Bytes(32)
DELEGATION = ("sk", "dg", "mx", "br", "un")

# Of each message its number, what it must have and what it may have.
TABLES = {
    "hello": (0, {"v": Number(1, 255), "e": HASH, "r": NUMBER}, {"nt": FLAG}),
    "terms": (1, {"n": Networks(), "ask": PRICE, "g": Number(65_536, 4_194_304), "w": SIZE,
                  "wm": SIZE, "l": Number(1, LINKS_MAX), "pe": ADDRESS,
                  "fr": Number(0, 1000)}, {}),
    "open": (2, {"n": Number(0, 7), "py": ADDRESS, "au": SIGNATURE},
             {"sk": ADDRESS, "dg": SIGNATURE, "mx": AMOUNT, "br": AMOUNT, "un": NUMBER,
              "pf": NUMBER, "lc": LastCheque()}),
    "ok": (3, {"ch": NUMBER, "w": SIZE, "pd": AMOUNT}, {"lc": LastCheque()}),
    "bid": (4, {"p": PRICE, "s": AMOUNT, "r": NUMBER, "q": SIZE}, {}),
    "ask": (5, {"a": PRICE, "q": SIZE, "ln": FLAG, "rt": NUMBER, "fb": NUMBER}, {}),
    "link": (6, {"i": Number(1, LINKS_MAX), "w": HASH}, {}),
    "chq": (7, {"c": Bytes(CHEQUE_BYTES), "s": SIGNATURE}, {}),
    "stat": (8, {"b": NUMBER, "d": AMOUNT}, {}),
    "close": (10, {"ch": NUMBER, "c": CODE}, {}),
    "err": (11, {"c": CODE}, {"m": Text(0, TEXT_BYTES_MAX)}),
    "sealed": (12, {"x": Bytes(0, BYTES_MAX)}, {}),
}
NAMES = {number: name for name, (number, _, _) in TABLES.items()}


def encode(name, **keys):
    """The bytes of a message; keys that are None stay away."""
    number, needed, optional = TABLES[name]
    forms = {**needed, **optional}
    given = {key: value for key, value in keys.items() if value is not None}
    raw = {key.encode(): forms[key].write(value) for key, value in given.items()}
    data = bencode.encode({b"t": number, **raw})
    if needed.keys() - given.keys() or len(data) > BYTES_MAX:
        raise Malformed(f"this {name} cannot be said")
    return data


def decode(data):
    """(name, keys), or None for a message that is to be passed over."""
    if len(data) > BYTES_MAX:
        raise Malformed("longer than a message may be")
    try:
        raw = bencode.decode(data)
    except bencode.BencodeError as wrong:
        raise Malformed(str(wrong)) from wrong
    if not isinstance(raw, dict):
        raise Malformed("no dictionary")
    name = NAMES.get(NUMBER.read(raw.get(b"t")))
    if name is None:
        return None
    _, needed, optional = TABLES[name]
    keys = {key: form.read(raw.get(key.encode())) for key, form in needed.items()}
    there = (key for key in optional if key.encode() in raw)
    keys.update({key: optional[key].read(raw[key.encode()]) for key in there})
    if name == "open" and len(keys.keys() & set(DELEGATION)) not in (0, len(DELEGATION)):
        raise Malformed("a part of a delegation")
    return name, keys
