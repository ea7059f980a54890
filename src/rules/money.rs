//! Amounts and currencies. Amounts are decimals, read from text without binary floating point.
//! Upstream's are doubles, so a difference far below the smallest unit of a currency is none.

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, iter::Sum, str::FromStr};

/// An amount in the major unit of its currency (`19.99` dollars), with up to 28 significant digits
/// and 28 digits after the point. Trailing zeros make no difference.
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

    /// Returns whether the amount, as a difference of two, is one: at least half of the smallest
    /// unit of the currency. Where that is not known, a unit has two decimals.
    pub fn is_difference(self, currency: Option<Currency>) -> bool {
        self.0 >= Decimal::new(5, currency.map_or(2, Currency::decimals) + 1)
    }
}

impl Sum for Amount {
    /// Returns the sum, which saturates at the largest amount.
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount::ZERO, |a, b| a.checked_add(b).unwrap_or(Amount(Decimal::MAX)))
    }
}

/// The error of a text that is not an amount, or one too large.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal amount of at most 28 digits before the point")]
pub struct ParseAmountError;

impl FromStr for Amount {
    type Err = ParseAmountError;

    /// Reads the forms of a JSON number: `5`, `19.99`, `-1.5`, `1e2`. Digits behind the 28th are
    /// rounded: a double, as upstream has them, has no more than 17.
    fn from_str(text: &str) -> Result<Self, ParseAmountError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.starts_with(|c: char| c.is_ascii_digit()) || text.contains('_') {
            return Err(ParseAmountError);
        }
        let parsed = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => scientific(mantissa, exponent),
            None => Decimal::from_str(text).ok(),
        };
        parsed.map(|d| Amount(d.normalize())).ok_or(ParseAmountError)
    }
}

/// Returns `mantissa` × 10^`exponent`, rounded to 28 digits after the point.
fn scientific(mantissa: &str, exponent: &str) -> Option<Decimal> {
    let value = Decimal::from_str(mantissa).ok()?.normalize();
    let exponent: i64 = exponent.parse().ok()?;
    if value.is_zero() {
        return Some(value);
    }
    let scale = i64::from(value.scale()).checked_sub(exponent)?;
    if scale < 0 {
        let zeros = u32::try_from(scale.checked_neg()?).ok()?;
        let factor = Decimal::try_from_i128_with_scale(10i128.checked_pow(zeros)?, 0).ok()?;
        return Decimal::try_from_i128_with_scale(value.mantissa(), 0).ok()?.checked_mul(factor);
    }
    let lost = u32::try_from(scale.saturating_sub(i64::from(Decimal::MAX_SCALE)).max(0)).ok()?;
    let kept = match 10i128.checked_pow(lost) {
        Some(unit) => (value.mantissa() + value.mantissa().signum() * (unit / 2)) / unit,
        None => 0,
    };
    Decimal::try_from_i128_with_scale(kept, u32::try_from(scale).ok()?.min(Decimal::MAX_SCALE)).ok()
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

impl Serialize for Amount {
    /// Writes the digits as they are shown, as text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    /// Reads what [`Amount::serialize`] writes, trailing zeros included.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Decimal::from_str_exact(&text).map(Self).map_err(D::Error::custom)
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

    /// Returns how many decimals its smallest unit has, by ISO 4217.
    fn decimals(self) -> u32 {
        const NONE: [&[u8; 3]; 17] = [
            b"BIF", b"CLP", b"DJF", b"GNF", b"ISK", b"JPY", b"KMF", b"KRW", b"PYG", b"RWF", b"UGX",
            b"UYI", b"VND", b"VUV", b"XAF", b"XOF", b"XPF",
        ];
        const THREE: [&[u8; 3]; 7] = [b"BHD", b"IQD", b"JOD", b"KWD", b"LYD", b"OMR", b"TND"];
        match &self.0 {
            code if NONE.contains(&code) => 0,
            code if THREE.contains(&code) => 3,
            _ => 2,
        }
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

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

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
    fn less_than_half_of_the_smallest_unit_is_no_difference() {
        for (currency, least) in [
            (Some("USD"), "0.005"),
            (Some("JPY"), "0.5"),
            (Some("KWD"), "0.0005"),
            (Some("XYZ"), "0.005"),
            (None, "0.005"),
        ] {
            let currency = currency.map(|code| code.parse().unwrap());
            let least: Amount = least.parse().unwrap();
            let below = least.saturating_sub("1e-15".parse().unwrap());
            assert!(least.is_difference(currency) && !below.is_difference(currency));
            assert!(!Amount::ZERO.is_difference(currency));
        }
    }

    #[test]
    fn amounts_are_read_as_they_stand_or_not_at_all() {
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
            ("15.889999999999999", "15.889999999999999"),
            ("2.842170943040401e-14", "0.000000000000028421709430404"),
            ("-2.842170943040401e-14", "-0.000000000000028421709430404"),
            ("2.8e-14", "0.000000000000028"),
            ("1e-29", "0"),
            ("6e-29", "0.0000000000000000000000000001"),
            ("1e-400", "0"),
            ("0.00000000000000000000000000000000001", "0"),
            ("1.23456789012345678901234567891e1", "12.345678901234567890123456789"),
            ("12345678901234567890.12345678901234567890", "12345678901234567890.123456789"),
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
            "99999999999999999999999999999999",
            "1e",
            "1e+",
            "1e2.5",
            "1e29",
            "1e9999999999",
            "1e99999999999999999999",
        ] {
            assert_eq!(text.parse::<Amount>(), Err(ParseAmountError), "{text}");
        }
    }
}
