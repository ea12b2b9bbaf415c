//! What bytes cost: prices a MiB, and the running bill of one buyer with one seller.

use crate::PayFault;

/// Bytes that a price is for.
pub const PRICE_BYTES: u128 = 1 << 20;

/// The highest price, in the token's smallest unit a MiB: with it 128 TiB still fit 128 bits.
pub const PRICE_MAX: u128 = 1 << 80;

/// Bytes on one bill at most: 128 TiB.
pub const BILL_BYTES_MAX: u64 = 1 << 47;

/// The token's smallest unit a MiB, at most [`PRICE_MAX`].
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Price(u128);

impl Price {
    /// The least that is not nothing.
    pub const UNIT: Self = Self(1);

    /// A price.
    ///
    /// # Errors
    /// When it is over [`PRICE_MAX`].
    pub const fn new(per_mib: u128) -> Result<Self, PayFault> {
        if per_mib > PRICE_MAX {
            return Err(PayFault::HighPrice { got: per_mib });
        }
        Ok(Self(per_mib))
    }

    /// The token's smallest unit a MiB.
    #[must_use]
    pub const fn per_mib(self) -> u128 {
        self.0
    }

    /// What `bytes` cost at this price alone, rounded up; bytes over [`BILL_BYTES_MAX`] count as these.
    #[must_use]
    pub fn of(self, bytes: u64) -> u128 {
        (self.0 * u128::from(bytes.min(BILL_BYTES_MAX))).div_ceil(PRICE_BYTES)
    }

    /// `percent` of it, rounded up, at most [`PRICE_MAX`].
    #[must_use]
    pub fn percent(self, percent: u32) -> Self {
        Self((self.0 * u128::from(percent)).div_ceil(100).min(PRICE_MAX))
    }
}

/// Prices that one bill tells apart at most; the oldest two become one when there are more.
pub const BILL_PRICES_MAX: usize = 8;

/// What was served and what it costs. Rounded up once, in [`Self::due`].
///
/// Both sides keep one and feed it the same words of price, so that they come to the same sum. What a word
/// does depends on its offset and on the words before it, not on when it is heard: one side counts a byte
/// earlier than the other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bill {
    /// By offset. Never empty; the first begins at 0.
    stretches: Vec<Stretch>,
    /// Bytes so far, under all prices.
    bytes: u64,
}

/// Bytes that cost the same, from an offset to the next stretch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stretch {
    from: u64,
    price: Price,
    /// Price times bytes of all that lies before it: at most 2^127.
    before: u128,
}

impl Stretch {
    fn sum(&self, bytes: u64) -> u128 {
        self.before + self.price.0 * u128::from(bytes - self.from)
    }
}

impl Bill {
    /// An empty bill at this price.
    #[must_use]
    pub fn new(price: Price) -> Self {
        Self { stretches: vec![Stretch { from: 0, price, before: 0 }], bytes: 0 }
    }

    /// Bytes on it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The price of its next byte.
    #[must_use]
    pub fn price(&self) -> Price {
        self.present().price
    }

    /// The last price that was set, and the offset from which it holds.
    #[must_use]
    pub fn last_word(&self) -> (u64, Price) {
        self.stretches.last().map_or_else(Default::default, |last| (last.from, last.price))
    }

    /// Whether a price has been set that has not begun.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        self.stretches.last().is_some_and(|last| last.from > self.bytes)
    }

    /// Where the next price begins that is set and has not begun.
    #[must_use]
    pub fn next_turn(&self) -> Option<u64> {
        self.stretches.iter().map(|stretch| stretch.from).find(|from| *from > self.bytes)
    }

    /// From `offset` on bytes cost `price`: prices set for that offset or later are taken back. An offset
    /// that has passed counts as the present one, so that no price changes afterwards.
    pub fn set_price(&mut self, offset: u64, price: Price) {
        let from = offset.max(self.bytes).min(BILL_BYTES_MAX);
        self.stretches.retain(|stretch| stretch.from < from);
        if self.stretches.last().is_some_and(|last| last.price == price) {
            return;
        }
        if self.stretches.len() == BILL_PRICES_MAX {
            self.make_room();
        }
        let before = self.stretches.last().map_or(0, |last| last.sum(from));
        self.stretches.push(Stretch { from, price, before });
    }

    /// So many bytes in all, never fewer than before; those over [`BILL_BYTES_MAX`] are free.
    pub fn reach(&mut self, bytes: u64) {
        self.bytes = self.bytes.max(bytes.min(BILL_BYTES_MAX));
    }

    /// What all of it costs, rounded up.
    #[must_use]
    pub fn due(&self) -> u128 {
        self.cost(self.bytes)
    }

    /// What so many bytes from the first on cost at the prices set so far, rounded up.
    #[must_use]
    pub fn cost(&self, bytes: u64) -> u128 {
        let bytes = bytes.min(BILL_BYTES_MAX);
        let stretch = self.stretches.iter().rfind(|stretch| stretch.from <= bytes);
        stretch.map_or(0, |stretch| stretch.sum(bytes)).div_ceil(PRICE_BYTES)
    }

    /// Bytes that have a price, from one offset to another.
    #[must_use]
    pub fn priced(&self, from: u64, to: u64) -> u64 {
        let lengths = self
            .ranges()
            .filter(|(_, _, price)| price.0 > 0)
            .map(|(start, end, _)| end.min(to).saturating_sub(start.max(from)));
        lengths.sum()
    }

    /// The lowest price that any byte from one offset up to another has; the highest there is without any.
    #[must_use]
    pub fn least_price(&self, from: u64, to: u64) -> Price {
        let touches = |(start, end, _): &(u64, u64, Price)| (*start).max(from) < (*end).min(to);
        let prices = self.ranges().filter(touches).map(|(_, _, price)| price);
        prices.min().unwrap_or(Price(PRICE_MAX))
    }

    /// The offset up to which `credit` bytes that have a price lie behind what `amount` pays for.
    #[must_use]
    pub fn limit(&self, amount: u128, credit: u64) -> u64 {
        let (covered, mut credit) = (self.covered(amount), credit);
        for (start, end, _) in self.ranges().filter(|(_, _, price)| price.0 > 0) {
            let start = start.max(covered);
            let length = end.saturating_sub(start);
            if credit <= length && end > start {
                return start + credit;
            }
            credit -= length.min(credit);
        }
        u64::MAX
    }

    /// How many bytes from the first on `amount` pays for, at the prices set so far. `u64::MAX` when it
    /// reaches bytes that are free for good. Among stretches that became one it may say too few, never
    /// too many.
    #[must_use]
    pub fn covered(&self, amount: u128) -> u64 {
        // What saturates here is over any bill.
        let amount = amount.saturating_mul(PRICE_BYTES);
        let Some(last) = self.stretches.iter().rfind(|stretch| stretch.before <= amount) else {
            return 0;
        };
        match (amount - last.before).checked_div(last.price.0) {
            Some(bytes) => u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(last.from),
            None => u64::MAX,
        }
    }

    /// Makes the oldest two stretches one, at the higher price, when both are over; else takes the last
    /// word back, which has not begun.
    fn make_room(&mut self) {
        if self.stretches.get(2).is_some_and(|third| third.from <= self.bytes) {
            let first = self.stretches.remove(0);
            let second = &mut self.stretches[0];
            *second = Stretch { price: first.price.max(second.price), ..first };
        } else {
            self.stretches.pop();
        }
    }

    /// Where each stretch begins and ends, and its price.
    fn ranges(&self) -> impl Iterator<Item = (u64, u64, Price)> {
        let ends = self.stretches.iter().skip(1).map(|next| next.from).chain([u64::MAX]);
        self.stretches.iter().zip(ends).map(|(stretch, end)| (stretch.from, end, stretch.price))
    }

    fn present(&self) -> Stretch {
        let began = self.stretches.iter().rfind(|stretch| stretch.from <= self.bytes);
        began.copied().unwrap_or(Stretch { from: 0, price: Price(0), before: 0 })
    }
}

impl Default for Bill {
    /// An empty bill of bytes that are free.
    fn default() -> Self {
        Self::new(Price::default())
    }
}

#[cfg(test)]
mod tests;
