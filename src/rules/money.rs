//! Amounts and currencies. Amounts are decimals, read from text without binary floating point.

use rust_decimal::Decimal;
use std::{fmt, iter::Sum, str::FromStr};

/// An exact amount in the major unit of its currency (`19.99` dollars), with up to 28 significant
/// digits. Trailing zeros make no difference.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(Decimal);

impl Amount {
    /// The amount 0.
    pub const ZERO: Amount = Amount(Decimal::ZERO);

    /// Returns `self + other`, or `None` past 28 digits.
    pub fn checked_add(self, other: Amount) -> Option<Amount> {
        self.0.checked_add(other.0).map(Amount)
    }

    /// Returns `self - other`, but never less than zero.
    pub fn saturating_sub(self, other: Amount) -> Amount {
        self.0.checked_sub(other.0).map_or(Amount::ZERO, |d| Amount(d.max(Decimal::ZERO)))
    }

    /// Returns the digits as one number, and how many of them follow the point.
    pub fn parts(self) -> (i128, u32) {
        (self.0.mantissa(), self.0.scale())
    }

    /// Makes the amount of these parts, or `None` past 28 digits.
    pub fn from_parts(digits: i128, after_point: u32) -> Option<Self> {
        Decimal::try_from_i128_with_scale(digits, after_point).map(Self).ok()
    }

    /// Returns whether the amount is more than zero.
    pub fn is_positive(self) -> bool {
        self.0 > Decimal::ZERO
    }
}

impl Sum for Amount {
    /// Returns the sum, which saturates at the largest amount.
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount::ZERO, |a, b| a.checked_add(b).unwrap_or(Amount(Decimal::MAX)))
    }
}

/// The error of a text that is not an amount, or cannot be held exactly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal amount of at most 28 digits")]
pub struct ParseAmountError;

impl FromStr for Amount {
    type Err = ParseAmountError;

    /// Reads the forms of a JSON number: `5`, `19.99`, `-1.5`, `1e2`. An amount that would have to
    /// be rounded is an error.
    fn from_str(text: &str) -> Result<Self, ParseAmountError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.starts_with(|c: char| c.is_ascii_digit()) || text.contains('_') {
            return Err(ParseAmountError);
        }
        let parsed = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => scientific(mantissa, exponent),
            None => Decimal::from_str_exact(text).ok(),
        };
        parsed.map(|d| Amount(d.normalize())).ok_or(ParseAmountError)
    }
}

/// Returns `mantissa` × 10^`exponent` exactly, because `Decimal::from_scientific` rounds.
fn scientific(mantissa: &str, exponent: &str) -> Option<Decimal> {
    let mut value = Decimal::from_str_exact(mantissa).ok()?.normalize();
    let exponent: i64 = exponent.parse().ok()?;
    if value.is_zero() {
        return Some(value);
    }
    let scale = i64::from(value.scale()).checked_sub(exponent)?;
    value.set_scale(u32::try_from(scale.max(0)).ok()?).ok()?;
    let zeros = u32::try_from(scale.min(0).checked_neg()?).ok()?;
    value.checked_mul(Decimal::try_from_i128_with_scale(10i128.checked_pow(zeros)?, 0).ok()?)
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A currency's ISO 4217 code. Amounts of different currencies are never compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Returns the code, in capitals.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl FromStr for Currency {
    type Err = ParseCurrencyError;
    fn from_str(text: &str) -> Result<Self, ParseCurrencyError> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_alphabetic) => {
                Ok(Currency(code.map(|b| b.to_ascii_uppercase())))
            }
            _ => Err(ParseCurrencyError),
        }
    }
}

/// The error of a text that is not a three-letter code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a three-letter currency code")]
pub struct ParseCurrencyError;

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_put_together_from_its_parts() {
        for (text, parts) in [
            ("0", (0, 0)),
            ("-11", (-11, 0)),
            ("115.89", (11_589, 2)),
            ("-0.0000000000000000000000000001", (-1, 28)),
        ] {
            let amount: Amount = text.parse().unwrap();
            assert_eq!(
                (amount.parts(), Amount::from_parts(parts.0, parts.1)),
                (parts, Some(amount))
            );
        }
        assert_eq!(Amount::from_parts(1, 29), None, "29 digits after the point");
    }

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        for (text, shown) in [
            ("5", "5"),
            ("19.99", "19.99"),
            ("2.0", "2"),
            ("-0.5", "-0.5"),
            ("0.00", "0"),
            ("-0", "0"),
            ("1e2", "100"),
            ("1.5E+2", "150"),
            ("1999e-2", "19.99"),
            ("0.15e1", "1.5"),
            ("1e28", "10000000000000000000000000000"),
            ("1e-28", "0.0000000000000000000000000001"),
            ("0e9", "0"),
            ("0e-99", "0"),
        ] {
            assert_eq!(
                text.parse::<Amount>().map(|a| a.to_string()),
                Ok(shown.to_string()),
                "{text}"
            );
        }
        for text in [
            "",
            "-",
            "abc",
            "1_000",
            "+1",
            ".5",
            "NaN",
            "0.00000000000000000000000000000000001",
            "99999999999999999999999999999999",
            "1e",
            "1e+",
            "1e2.5",
            "1e29",
            "1e-29",
            "1e9999999999",
            "1e99999999999999999999",
            "1e-9223372036854775808",
            "1.23456789012345678901234567891e1",
            "12345678901234567890.12345678901234567890",
        ] {
            assert_eq!(text.parse::<Amount>(), Err(ParseAmountError), "{text}");
        }
    }
}
