"""What is due: bytes counted by price, and how many of them may be paid by now."""
import message

MIB = 1 << 20
# By how much a seller's count may exceed ours: a 200th of ours, or two links' worth.
GAP_PART = 200
GAP_LINKS = 2


class Bill:
    """Of one connection, from its start. Prices hold from a count of billable bytes on."""

    def __init__(self, link_bytes):
        self.link_bytes = link_bytes
        self.count = 0
        self.verified = 0
        # Bytes that the seller counted and we did not, within what is tolerated.
        self.gap = 0
        self.prices = [(0, 0)]

    def price_at(self, count):
        return next(price for begin, price in reversed(self.prices) if begin <= count)

    def set_price(self, price, begin):
        """Whether the price may hold from there on: it must not rise for what is counted."""
        counted = [old for place, old in self.pieces(begin, self.count)]
        if any(price > old for old in counted):
            return False
        begin = max(begin, self.count)
        self.prices = [(place, old) for place, old in self.prices if place < begin]
        self.prices.append((begin, price))
        return True

    def pieces(self, begin, end):
        """(bytes, price) of what lies between two counts."""
        ends = [place for place, _ in self.prices[1:]] + [message.NUMBER_MAX]
        for (place, price), stop in zip(self.prices, ends):
            least, most = max(place, begin), min(stop, end)
            if least < most:
                yield most - least, price

    def due(self, count):
        """What the first `count` bytes cost, rounded up once."""
        total = sum(size * price for size, price in self.pieces(0, count))
        return -(-total // MIB)

    def payable(self, unverified):
        """Bytes that may be paid: what is verified, what is tolerated, what is prepaid."""
        return min(self.verified + unverified, self.count) + self.gap

    def tolerance(self):
        """Bytes by which a seller's count may exceed ours."""
        return max(self.count // GAP_PART, GAP_LINKS * self.link_bytes)

    def reconcile(self, told):
        """Takes over a seller's count if it is near enough; whether it is."""
        missing = told - self.count
        if missing > self.tolerance():
            return False
        self.gap = max(self.gap, missing)
        return True
