//! The pieces that answers are read with: borrowed, lenient in form, exact in value.
//!
//! In: an answer's JSON. Out: values as raw text, turned into the domain's types by those who know
//! what they mean. Numbers are read from their text, never through binary floating point; what is
//! not asked for is skipped without being built.

use super::call::Garbled;
use crate::rules::{Amount, Currency, SourceState, SourceType, Told};
use serde::{
    Deserialize, Deserializer,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, marker::PhantomData, str::FromStr};

/// Any value, as raw JSON text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scalar<'a>(&'a str);

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'de RawValue>::deserialize(deserializer).map(|raw| Scalar(raw.get()))
    }
}

impl<'a> Scalar<'a> {
    /// The raw JSON.
    pub(super) fn raw(self) -> &'a str {
        self.0
    }

    /// Text, a number or a flag, as text. Nothing for `null` and for text without a character.
    pub(super) fn text(self) -> Result<Option<Cow<'a, str>>, Garbled> {
        let text = match self.0.as_bytes() {
            [b'n', ..] => return Ok(None),
            [b'{' | b'[', ..] => return Err(Garbled("a value is not a plain value")),
            [b'"', .., b'"'] => {
                let inner = &self.0[1..self.0.len() - 1];
                if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
                    Cow::Borrowed(inner)
                } else {
                    Cow::Owned(
                        serde_json::from_str(self.0)
                            .map_err(|_| Garbled("text has a broken escape"))?,
                    )
                }
            }
            _ => Cow::Borrowed(self.0),
        };
        Ok(Some(text).filter(|text| !text.is_empty()))
    }
}

/// The text of a value that may be missing.
pub(super) fn text(value: Option<Scalar<'_>>) -> Result<Option<Cow<'_, str>>, Garbled> {
    value.map_or(Ok(None), Scalar::text)
}

/// An amount; one that is there and cannot be read exactly is garbled, not missing.
pub(super) fn amount(value: Option<Scalar<'_>>) -> Result<Told<Amount>, Garbled> {
    parsed(value, "an amount is not a decimal number")
}

/// A currency; an unknown spelling tells nothing.
pub(super) fn currency(value: Option<Scalar<'_>>) -> Result<Told<Currency>, Garbled> {
    Ok(text(value)?.and_then(|code| code.parse().ok()).into())
}

/// A flag.
pub(super) fn flag(value: Option<Scalar<'_>>) -> Result<Told<bool>, Garbled> {
    parsed(value, "a flag is neither true nor false")
}

/// A source's type.
pub(super) fn kind(value: Option<Scalar<'_>>) -> Result<Told<SourceType>, Garbled> {
    Ok(text(value)?.map(|name| SourceType::from(&*name)).into())
}

/// A source's state.
pub(super) fn state(value: Option<Scalar<'_>>) -> Result<Told<SourceState>, Garbled> {
    Ok(text(value)?.map(|name| SourceState::read(&name)).into())
}

fn parsed<T: FromStr>(value: Option<Scalar<'_>>, what: &'static str) -> Result<Told<T>, Garbled> {
    match text(value)? {
        Some(text) => text.parse().map(Told::Told).map_err(|_| Garbled(what)),
        None => Ok(Told::NotTold),
    }
}

/// An object, or nothing: `null`, an empty text (an empty element of XML).
#[derive(Debug)]
pub(super) struct One<T>(pub Option<T>);

impl<T> Default for One<T> {
    fn default() -> Self {
        One(None)
    }
}

/// A list, a single object in its place, or nothing.
#[derive(Debug)]
pub(super) struct Many<T>(pub Option<Vec<T>>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Many(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient::<T, One<T>>(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient::<T, Many<T>>(PhantomData))
    }
}

/// What a lenient value makes of what it meets.
trait Holds<T>: Default {
    const LISTS: bool;
    fn one(value: T) -> Self;
    fn many(values: Vec<T>) -> Self;
}

impl<T> Holds<T> for One<T> {
    const LISTS: bool = false;
    fn one(value: T) -> Self {
        One(Some(value))
    }
    fn many(mut values: Vec<T>) -> Self {
        One(values.pop())
    }
}

impl<T> Holds<T> for Many<T> {
    const LISTS: bool = true;
    fn one(value: T) -> Self {
        Many(Some(vec![value]))
    }
    fn many(values: Vec<T>) -> Self {
        Many(Some(values))
    }
}

struct Lenient<T, H>(PhantomData<(T, H)>);

impl<'de, T: Deserialize<'de>, H: Holds<T>> Visitor<'de> for Lenient<T, H> {
    type Value = H;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if H::LISTS { "a list or an object" } else { "an object" })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<H, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(H::one)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<H, A::Error> {
        if !H::LISTS {
            return Err(serde::de::Error::invalid_type(serde::de::Unexpected::Seq, &self));
        }
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(H::many)
    }

    fn visit_unit<E>(self) -> Result<H, E> {
        Ok(H::default())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<H, E> {
        match text.trim_ascii() {
            "" => Ok(H::default()),
            _ => Err(E::invalid_type(serde::de::Unexpected::Str(text), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(raw: &str) -> Option<Scalar<'_>> {
        Some(Scalar(raw))
    }

    #[test]
    fn numbers_and_flags_are_read_bare_and_as_text() {
        for raw in ["19.99", "\"19.99\"", "1999e-2", "\"19.990\"", "\"\\u0031\\u0039.99\""] {
            assert_eq!(amount(scalar(raw)), Ok(Told::Told("19.99".parse().unwrap())), "{raw}");
        }
        assert_eq!(
            amount(scalar("0.1234567890123456789012345678"))
                .unwrap()
                .as_ref()
                .unwrap()
                .to_string()
                .len(),
            30
        );
        for raw in ["null", "\"\""] {
            assert_eq!(amount(scalar(raw)), Ok(Told::NotTold), "{raw}");
        }
        for raw in ["\"a\"", "{}", "[1]", "true", "1e400", "\"1,000.00\""] {
            assert!(amount(scalar(raw)).is_err(), "{raw}");
        }
        assert_eq!(flag(scalar("\"false\"")), Ok(Told::Told(false)));
        assert_eq!(flag(scalar("true")), Ok(Told::Told(true)));
        assert!(flag(scalar("1")).is_err());
        assert_eq!(currency(scalar("\"usd\"")), Ok(Told::Told("USD".parse().unwrap())));
        assert_eq!(currency(scalar("\"points\"")), Ok(Told::NotTold));
    }

    #[test]
    fn objects_and_lists_may_be_missing_in_many_ways() {
        #[derive(Debug, Deserialize)]
        struct Thing {}
        let many = |json: &str| {
            serde_json::from_str::<Many<Thing>>(json).map(|many| many.0.map(|things| things.len()))
        };
        for (json, expected) in [
            ("[]", Some(0)),
            ("[{},{}]", Some(2)),
            ("{}", Some(1)),
            ("null", None),
            ("\"\"", None),
            ("\" \\n\"", None),
        ] {
            assert_eq!(many(json).unwrap(), expected, "{json}");
        }
        assert!(many("\"x\"").is_err());
        assert!(many("1").is_err());
        assert!(serde_json::from_str::<One<Thing>>("[]").is_err());
        assert!(serde_json::from_str::<One<Thing>>("{}").unwrap().0.is_some());
    }
}
