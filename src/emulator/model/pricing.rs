//! How amounts come about: the tax on them, and the decimals of their currency.

use rust_decimal::{Decimal, RoundingStrategy};

/// The decimals of every currency, unless the vendor knows better.
const USUAL: u32 = 2;

/// Currencies without decimals.
const WHOLE: [&str; 15] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV",
    "XAF", "XOF",
];

/// Currencies with three decimals.
const FINE: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// How the amount of a line comes about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pricing {
    /// The tax, as a fraction of the price.
    pub(crate) tax_rate: Decimal,
    /// How many decimals an amount has.
    pub(crate) decimals: u32,
}

/// Returns how many decimals amounts of a currency have: its own if `own`, or two.
pub(crate) fn decimals(currency: &str, own: bool) -> u32 {
    match currency.to_ascii_uppercase().as_str() {
        currency if own && WHOLE.contains(&currency) => 0,
        currency if own && FINE.contains(&currency) => 3,
        _ => USUAL,
    }
}

/// Rounds to so many decimals, halves away from zero.
pub(crate) fn round(amount: Decimal, decimals: u32) -> Decimal {
    amount.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_has_its_own_decimals_or_two() {
        for (currency, own, usual) in
            [("JPY", 0, 2), ("krw", 0, 2), ("USD", 2, 2), ("KWD", 3, 2), ("XYZ", 2, 2), ("", 2, 2)]
        {
            assert_eq!(
                (decimals(currency, true), decimals(currency, false)),
                (own, usual),
                "{currency}"
            );
        }
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        for (decimals, rounded) in [(0, "101"), (1, "100.5"), (2, "100.50"), (3, "100.500")] {
            let amount: Decimal = "100.5".parse().unwrap();
            assert_eq!(round(amount, decimals), rounded.parse().unwrap(), "{decimals}");
        }
    }
}
