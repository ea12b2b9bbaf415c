//! Amounts as people write them, exactly: whole tokens with decimals outside, smallest units inside.

use alloy_primitives::U256;

/// Decimals of a token at most: 10^38 is the largest power of ten below 2^128.
pub const DECIMALS_MAX: u8 = 38;

/// Why a text is no amount.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AmountFault {
    /// Anything but digits and one point.
    #[error("{text:?} is no amount: write digits with at most one point, as in 1.5")]
    NotANumber {
        /// What was written, shortened.
        text: String,
    },
    /// More digits behind the point than the token has.
    #[error("the token has {decimals} decimals, got {got}: write fewer digits behind the point")]
    TooManyDecimals {
        /// What it has.
        decimals: u8,
        /// What was written.
        got: usize,
    },
    /// More than 2^128 - 1 smallest units.
    #[error("the amount is over 2^128 - 1 of the token's smallest unit")]
    TooLarge,
    /// A token with more decimals than any amount has digits.
    #[error(
        "a token has at most {DECIMALS_MAX} decimals, got {got}: its amounts cannot be counted; use another"
    )]
    Decimals {
        /// What it says.
        got: u8,
    },
}

/// Reads whole tokens such as `1.5` into the token's smallest unit. Zeros behind the last decimal do not
/// count as digits, signs, exponents and separators are refused.
///
/// # Errors
/// When the text is no number, has more digits than the token, or does not fit 128 bits.
pub fn parse_amount(text: &str, decimals: u8) -> Result<u128, AmountFault> {
    if decimals > DECIMALS_MAX {
        return Err(AmountFault::Decimals { got: decimals });
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let has_point = text.contains('.');
    if whole.is_empty()
        || !is_digits(whole)
        || !is_digits(fraction)
        || has_point && fraction.is_empty()
    {
        return Err(AmountFault::NotANumber { text: text.chars().take(40).collect() });
    }
    let fraction = fraction.trim_end_matches('0');
    let missing = usize::from(decimals).checked_sub(fraction.len());
    let Some(missing) = missing else {
        return Err(AmountFault::TooManyDecimals { decimals, got: fraction.len() });
    };
    let digits = whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', missing));
    let mut amount = 0_u128;
    for digit in digits {
        let shifted = amount.checked_mul(10).ok_or(AmountFault::TooLarge)?;
        amount = shifted.checked_add(u128::from(digit - b'0')).ok_or(AmountFault::TooLarge)?;
    }
    Ok(amount)
}

/// Whole tokens with all the decimals that are not zero, such as `1.5`.
#[must_use]
pub fn format_amount(amount: U256, decimals: u8) -> String {
    let decimals = usize::from(decimals);
    let digits = format!("{amount:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_tokens_become_smallest_units_and_back() {
        for (text, decimals, amount) in [
            ("1.5", 6, 1_500_000),
            ("0.000001", 6, 1),
            ("1", 0, 1),
            ("007.50", 1, 75),
            ("1.50", 1, 15),
            ("340282366920938463463374607431768211455", 0, u128::MAX),
        ] {
            assert_eq!(parse_amount(text, decimals), Ok(amount), "{text}");
        }
        assert_eq!(format_amount(U256::from(1_500_000), 6), "1.5");
        assert_eq!(format_amount(U256::from(1), 6), "0.000001");
        assert_eq!(format_amount(U256::from(100), 0), "100");
        assert_eq!(format_amount(U256::ZERO, 18), "0");
    }

    #[test]
    fn what_is_no_exact_amount_is_refused() {
        let refused = |text: &str, decimals| parse_amount(text, decimals).unwrap_err();
        for text in
            ["", ".", ".5", "1.", "-1", "+1", "1e3", "1,5", "1_000", "0x10", " 1", "1.2.3", "١"]
        {
            assert!(matches!(refused(text, 6), AmountFault::NotANumber { .. }), "{text}");
        }
        let too_many = AmountFault::TooManyDecimals { decimals: 1, got: 2 };
        assert_eq!(refused("1.25", 1), too_many);
        assert_eq!(refused("340282366920938463463374607431768211456", 0), AmountFault::TooLarge);
        assert_eq!(refused(&"9".repeat(100_000), 0), AmountFault::TooLarge);
        assert_eq!(refused("1", 39), AmountFault::Decimals { got: 39 });
    }

    proptest! {
        #[test]
        fn every_amount_reads_back_as_written(amount: u128, decimals in 0..=DECIMALS_MAX) {
            let text = format_amount(U256::from(amount), decimals);
            prop_assert_eq!(parse_amount(&text, decimals), Ok(amount));
        }
    }
}
