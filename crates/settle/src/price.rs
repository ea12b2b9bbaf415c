//! Prices as people write them: whole tokens a GiB.

use crate::amount::{AmountFault, format_amount, parse_amount};
use alloy_primitives::U256;
use piecework_pay::Price;

/// MiB of a GiB.
const MIB: u128 = 1024;

/// Reads whole tokens a GiB into a price. What a MiB costs is rounded up to the token's smallest unit.
///
/// # Errors
/// As [`parse_amount`]; also when the price is over [`piecework_pay::PRICE_MAX`].
pub fn parse_price(text: &str, decimals: u8) -> Result<Price, AmountFault> {
    let per_gib = parse_amount(text, decimals)?;
    Price::new(per_gib.div_ceil(MIB)).map_err(|_| AmountFault::TooLarge)
}

/// What a GiB costs, in whole tokens.
#[must_use]
pub fn format_price(price: Price, decimals: u8) -> String {
    format_amount(U256::from(price.per_mib()) * U256::from(MIB), decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_never_lower_than_what_was_written() {
        for (text, decimals, per_mib, shown) in [
            ("0.01", 6, 10, "0.01024"),
            ("1024", 6, 1_000_000, "1024"),
            ("0", 18, 0, "0"),
            ("0.000001", 6, 1, "0.001024"),
            ("1", 18, 976_562_500_000_000, "1"),
        ] {
            let price = parse_price(text, decimals).unwrap();
            assert_eq!((price.per_mib(), format_price(price, decimals).as_str()), (per_mib, shown));
        }
        assert_eq!(
            parse_price("1e9", 18).unwrap_err(),
            AmountFault::NotANumber { text: "1e9".into() }
        );
        let highest = "1300000000"; // Over 2^80 smallest units a MiB.
        assert_eq!(parse_price(highest, 18).unwrap_err(), AmountFault::TooLarge);
    }
}
