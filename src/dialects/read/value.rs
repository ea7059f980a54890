//! Reads the values of answers: borrowed, lenient in form, exact in value. Numbers are read from
//! their text, never through binary floating point.

use crate::rules::{Amount, Currency, SourceState, SourceType, Stated};
use serde::{
    Deserialize, Deserializer,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, marker::PhantomData, str::FromStr};

/// An answer that cannot be understood. It passes on unchanged and teaches nothing. The text says
/// why, and quotes nothing from the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("upstream's answer cannot be understood: {0}")]
pub struct UnreadableAnswer(pub &'static str);

/// Any value, as raw JSON text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalar<'a>(&'a str);

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'de RawValue>::deserialize(deserializer).map(|raw| Scalar(raw.get()))
    }
}

impl<'a> Scalar<'a> {
    /// Returns the raw JSON.
    pub(crate) fn raw(self) -> &'a str {
        self.0
    }

    /// Returns text, a number or a flag as text, and `None` for `null` and for empty text.
    pub(crate) fn text(self) -> Result<Option<Cow<'a, str>>, UnreadableAnswer> {
        let text = match self.0.as_bytes() {
            [b'n', ..] => return Ok(None),
            [b'{' | b'[', ..] => return Err(UnreadableAnswer("a value is not a plain value")),
            [b'"', .., b'"'] => {
                let inner = &self.0[1..self.0.len() - 1];
                if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
                    Cow::Borrowed(inner)
                } else {
                    Cow::Owned(
                        serde_json::from_str(self.0)
                            .map_err(|_| UnreadableAnswer("text has a broken escape"))?,
                    )
                }
            }
            _ => Cow::Borrowed(self.0),
        };
        Ok(Some(text).filter(|text| !text.is_empty()))
    }
}

/// Reads the text of a value that may be missing.
pub(crate) fn text(value: Option<Scalar<'_>>) -> Result<Option<Cow<'_, str>>, UnreadableAnswer> {
    value.map_or(Ok(None), Scalar::text)
}

/// Reads an amount. One that is there and cannot be read exactly is an error, not missing.
pub(crate) fn amount(value: Option<Scalar<'_>>) -> Result<Stated<Amount>, UnreadableAnswer> {
    parsed(value, "an amount is not a decimal number")
}

/// Reads a currency; an unknown spelling counts as missing.
pub(crate) fn currency(value: Option<Scalar<'_>>) -> Result<Stated<Currency>, UnreadableAnswer> {
    Ok(text(value)?.and_then(|code| code.parse().ok()).into())
}

/// Reads a flag.
pub(crate) fn flag(value: Option<Scalar<'_>>) -> Result<Stated<bool>, UnreadableAnswer> {
    parsed(value, "a flag is neither true nor false")
}

/// Reads a source's type.
pub(crate) fn kind(value: Option<Scalar<'_>>) -> Result<Stated<SourceType>, UnreadableAnswer> {
    Ok(text(value)?.map(|name| SourceType::from(&*name)).into())
}

/// Reads a source's state.
pub(crate) fn state(value: Option<Scalar<'_>>) -> Result<Stated<SourceState>, UnreadableAnswer> {
    Ok(text(value)?.map(|name| SourceState::read(&name)).into())
}

fn parsed<T: FromStr>(
    value: Option<Scalar<'_>>,
    what: &'static str,
) -> Result<Stated<T>, UnreadableAnswer> {
    match text(value)? {
        Some(text) => text.parse().map(Stated::Stated).map_err(|_| UnreadableAnswer(what)),
        None => Ok(Stated::Unstated),
    }
}

/// An object, or nothing: `null`, an empty text (an empty element of XML).
#[derive(Debug)]
pub(crate) struct One<T>(pub Option<T>);

impl<T> Default for One<T> {
    fn default() -> Self {
        One(None)
    }
}

/// A list, a single object in its place, or nothing.
#[derive(Debug)]
pub(crate) struct Many<T>(pub Option<Vec<T>>);

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

/// How a lenient value keeps what it meets.
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
            assert_eq!(amount(scalar(raw)), Ok(Stated::Stated("19.99".parse().unwrap())), "{raw}");
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
            assert_eq!(amount(scalar(raw)), Ok(Stated::Unstated), "{raw}");
        }
        for raw in ["\"a\"", "{}", "[1]", "true", "1e400", "\"1,000.00\""] {
            assert!(amount(scalar(raw)).is_err(), "{raw}");
        }
        assert_eq!(flag(scalar("\"false\"")), Ok(Stated::Stated(false)));
        assert_eq!(flag(scalar("true")), Ok(Stated::Stated(true)));
        assert!(flag(scalar("1")).is_err());
        assert_eq!(currency(scalar("\"usd\"")), Ok(Stated::Stated("USD".parse().unwrap())));
        assert_eq!(currency(scalar("\"points\"")), Ok(Stated::Unstated));
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
