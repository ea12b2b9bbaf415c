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

/// What was served and what it costs, from one byte offset to the next price. Rounded up once, in [`Self::due`].
///
/// Both sides keep one and feed it the same announcements, so that they come to the same sum.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Bill {
    /// Price times bytes, of all earlier prices.
    before: u128,
    /// Where the present price began.
    from: u64,
    price: Price,
    /// Bytes so far, under all prices.
    bytes: u64,
    /// The next price and the offset from which it applies.
    next: Option<(u64, Price)>,
}

impl Bill {
    /// An empty bill at this price.
    #[must_use]
    pub fn new(price: Price) -> Self {
        Self { price, ..Self::default() }
    }

    /// Bytes on it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The price of its last byte.
    #[must_use]
    pub fn price(&self) -> Price {
        self.price
    }

    /// From `offset` on bytes cost `price`. A later word replaces one that has not begun; an offset that
    /// has passed counts as the present one, so that no price changes afterwards.
    pub fn set_price(&mut self, offset: u64, price: Price) {
        self.next = Some((offset.max(self.bytes), price));
        self.step();
    }

    /// So many bytes in all, never fewer than before; those over [`BILL_BYTES_MAX`] are free.
    pub fn reach(&mut self, bytes: u64) {
        self.bytes = self.bytes.max(bytes.min(BILL_BYTES_MAX));
        self.step();
    }

    /// What all of it costs, rounded up.
    #[must_use]
    pub fn due(&self) -> u128 {
        self.sum(self.bytes).div_ceil(PRICE_BYTES)
    }

    /// How many bytes from the first on `amount` pays for at the present price; none of an earlier price
    /// that it does not cover whole. `u64::MAX` when bytes are free.
    #[must_use]
    pub fn covered(&self, amount: u128) -> u64 {
        let Some(left) = amount.saturating_mul(PRICE_BYTES).checked_sub(self.before) else {
            return 0;
        };
        match left.checked_div(self.price.0) {
            Some(bytes) => u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(self.from),
            None => u64::MAX,
        }
    }

    fn step(&mut self) {
        let Some((offset, price)) = self.next.filter(|(offset, _)| *offset <= self.bytes) else {
            return;
        };
        self.before += self.price.0 * u128::from(offset - self.from);
        (self.from, self.price, self.next) = (offset, price, None);
    }

    fn sum(&self, bytes: u64) -> u128 {
        self.before + self.price.0 * u128::from(bytes - self.from)
    }
}
