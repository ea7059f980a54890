//! Comparing amounts that upstream computes as doubles: a difference of less than half a minor unit
//! is none.

use super::{Amount, Currency, Stated};

/// Currencies without decimals.
const WHOLE: [&str; 15] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV",
    "XAF", "XOF",
];

/// Currencies with three decimals.
const FINE: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// Returns whether `one` is more than `other` by at least half a minor unit. A currency that is not
/// known has two decimals.
pub(super) fn is_more(one: Amount, other: Amount, currency: &Stated<Currency>) -> bool {
    let decimals = match currency.as_ref().map(Currency::as_str) {
        Some(code) if WHOLE.contains(&code) => 0,
        Some(code) if FINE.contains(&code) => 3,
        _ => 2,
    };
    // Half a unit: a 5 one place behind the last decimal.
    let half = Amount::from_parts(5, decimals + 1).unwrap_or_default();
    one.saturating_sub(other) >= half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_half_a_minor_unit_makes_a_difference() {
        for (one, other, currency, more) in [
            ("10.005", "10", "USD", true),
            ("10.0049999999999", "10", "USD", false),
            ("100.00000000000001", "100", "USD", false),
            ("100", "100.5", "USD", false),
            ("100.4", "100", "JPY", false),
            ("100.5", "100", "JPY", true),
            ("1.0004", "1", "KWD", false),
            ("1.0005", "1", "KWD", true),
        ] {
            let [one, other]: [Amount; 2] = [one, other].map(|text| text.parse().unwrap());
            let currency = Stated::Stated(currency.parse().unwrap());
            assert_eq!(is_more(one, other, &currency), more, "{one} {other} {currency:?}");
        }
        assert!(is_more("1.005".parse().unwrap(), "1".parse().unwrap(), &Stated::Unstated));
    }
}
