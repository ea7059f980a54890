//! Amounts as sums of doubles come out: next to what they should be.
//!
//! The vendor's sums of doubles miss by a step of the last digit or so, and which way depends on
//! what is added. Here a noisy amount is always one step too low, so that a test knows what comes.

use super::doc::Doc;
use rust_decimal::Decimal;

/// What subtracting can leave of nothing: one step of a double near 200.
const NOTHING: f64 = 2.842_170_943_040_401e-14;

/// Writes an amount one step too low.
pub(crate) fn noisy(amount: Decimal) -> Doc {
    let exact: f64 = amount.to_string().parse().unwrap_or_default();
    write(exact.next_down())
}

/// Writes a remainder of nothing.
pub(crate) fn noisy_nothing() -> Doc {
    write(NOTHING)
}

/// Writes a double so that it reads back as the same, with an exponent where it is tiny.
fn write(number: f64) -> Doc {
    Doc::Number(format!("{number:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noisy_amount_is_a_step_too_low() {
        for (exact, noisy) in [
            ("10.3", "10.299999999999999"),
            ("15.89", "15.889999999999999"),
            ("100", "99.99999999999999"),
        ] {
            assert_eq!(super::noisy(exact.parse().unwrap()), Doc::Number(noisy.into()), "{exact}");
        }
        assert_eq!(noisy_nothing().to_json(), b"2.842170943040401e-14");
    }
}
