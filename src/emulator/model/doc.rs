//! The body of a request or an answer, as a tree that keeps what JSON libraries usually lose.
//!
//! In: bytes of JSON. Out: bytes of JSON, or a [`serde_json::Value`] for assertions. Two things set
//! a [`Doc`] apart from a `Value`: members keep their order, so answers read like the vendor's own,
//! and a number is the text that was read and will be written, so money never passes through binary
//! floating point.

use rust_decimal::Decimal;
use serde::{
    de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor},
    ser::{Error as _, Serialize, SerializeMap, Serializer},
};
use serde_json::value::RawValue;
use std::{fmt, marker::PhantomData};

/// Deeper nesting is not read.
const DEEPEST: u32 = 127;

/// Larger amounts are refused, because sums of them might overflow.
const LARGEST_AMOUNT: i64 = 1_000_000_000_000;

/// A tree of JSON or XML.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Doc {
    Null,
    Bool(bool),
    /// The text of the number, as it is written.
    Number(String),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Doc {
    pub(crate) fn object() -> Self {
        Self::Object(Vec::new())
    }

    /// Makes an amount as the checkouts API writes it: with at least one decimal place, `20.0`.
    pub(crate) fn money(amount: Decimal) -> Self {
        let amount = amount.normalize();
        if amount.scale() == 0 {
            Self::Number(format!("{amount}.0"))
        } else {
            Self::Number(amount.to_string())
        }
    }

    /// Makes an amount as the carts API writes it: `20`, `68.01`.
    pub(crate) fn plain_money(amount: Decimal) -> Self {
        Self::Number(amount.normalize().to_string())
    }

    pub(crate) fn list<T: Into<Self>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }

    /// Adds a member, or replaces it: of duplicate names the last wins, as in most parsers.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Self>) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn with_some<T: Into<Self>>(self, name: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds every member of another object.
    pub(crate) fn with_members(self, other: &Self) -> Self {
        other.members().iter().fold(self, |doc, (name, value)| doc.with(name, value))
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<Self>) {
        let Self::Object(members) = self else { return };
        match members.iter_mut().find(|(key, _)| key == name) {
            Some(member) => member.1 = value.into(),
            None => members.push((name.to_owned(), value.into())),
        }
    }

    pub(crate) fn members(&self) -> &[(String, Self)] {
        if let Self::Object(members) = self { members } else { &[] }
    }

    /// Returns the member of that name; `null` counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.members()
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
            .filter(|value| **value != Self::Null)
    }

    /// Returns the member at the end of a path of names.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |doc, name| doc.get(name))
    }

    /// Returns a text, or the text of a number: ids come as either.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the text of the member of that name, unless it is empty.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name)?.text().filter(|text| !text.is_empty())
    }

    /// Reads a boolean, or its text: carts send either.
    pub(crate) fn truth(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Reads an amount of money: not negative, not astronomical, at most six decimal places.
    pub(crate) fn amount(&self) -> Option<Decimal> {
        let amount = exactly(self.text()?.trim())?;
        let sane = !amount.is_sign_negative()
            && amount <= Decimal::from(LARGEST_AMOUNT)
            && amount.normalize().scale() <= 6;
        sane.then_some(amount)
    }

    /// Reads a number of things, at most a million.
    pub(crate) fn count(&self) -> Option<u32> {
        self.text()?.trim().parse().ok().filter(|count| *count <= 1_000_000)
    }

    /// Returns the elements of a list. Anything else counts as a list of one, as XML writes it.
    pub(crate) fn elements(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            Self::Null => &[],
            other => std::slice::from_ref(other),
        }
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(crate) fn to_value(&self) -> serde_json::Value {
        serde_json::from_slice(&self.to_json()).unwrap_or_default()
    }
}

impl From<&str> for Doc {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Doc {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Doc {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&Self> for Doc {
    fn from(doc: &Self) -> Self {
        doc.clone()
    }
}

impl From<bool> for Doc {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Doc {
    fn from(value: u64) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<u32> for Doc {
    fn from(value: u32) -> Self {
        Self::from(u64::from(value))
    }
}

impl From<Vec<Self>> for Doc {
    fn from(items: Vec<Self>) -> Self {
        Self::List(items)
    }
}

impl Serialize for Doc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(text) => {
                RawValue::from_string(text.clone()).map_err(S::Error::custom)?.serialize(serializer)
            }
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Doc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        read(raw.get(), DEEPEST).ok_or_else(|| D::Error::custom("not a document"))
    }
}

/// Reads the text of a value: what a number says is never put into a binary float.
fn read(text: &str, depth: u32) -> Option<Doc> {
    let under = |raw: &RawValue| read(raw.get(), depth.checked_sub(1)?);
    match text.as_bytes().first()? {
        b'{' => {
            let Members(members) = serde_json::from_str(text).ok()?;
            members.into_iter().try_fold(Doc::object(), |mut doc, (name, raw)| {
                doc.set(&name, under(raw)?);
                Some(doc)
            })
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            items.into_iter().map(under).collect::<Option<_>>().map(Doc::List)
        }
        b'"' => serde_json::from_str(text).ok().map(Doc::Text),
        b't' | b'f' => text.parse().ok().map(Doc::Bool),
        b'n' => Some(Doc::Null),
        _ => number(text),
    }
}

/// Reads a number. `26.890` and `2.689e1` become `26.89`, and an integer stays as it is; a number
/// that the vendor's doubles do not reach is not read.
fn number(text: &str) -> Option<Doc> {
    text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    let exact = match text.split_once(['e', 'E']) {
        Some((digits, _)) => exactly(digits).and_then(|_| Decimal::from_scientific(text).ok()),
        None => Some(text).filter(|text| text.contains('.')).and_then(exactly),
    };
    Some(Doc::Number(exact.map_or_else(|| text.to_owned(), |exact| exact.normalize().to_string())))
}

/// Reads a decimal, unless it has more digits than a [`Decimal`] holds.
fn exactly(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text).ok()
}

/// The members of an object in their order, duplicates included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader(PhantomData))
    }
}

struct Reader<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for Reader<'a> {
    type Value = Members<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'a>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_amounts_survive_reading_and_writing() {
        let text = r#"{"z":26.89,"a":[1,true,null,"x"],"m":{"n":0.1}}"#;
        let doc: Doc = serde_json::from_str(text).unwrap();
        assert_eq!(doc.to_json(), text.as_bytes());
    }

    #[test]
    fn numbers_are_read_digit_by_digit() {
        for (text, read) in [
            ("26.890", "26.89"),
            ("2.689e1", "26.89"),
            ("1E3", "1000"),
            ("1.0", "1"),
            ("0.30000000000000000004", "0.30000000000000000004"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("9007199254740993.01", "9007199254740993.01"),
            ("-0.5", "-0.5"),
        ] {
            let doc: Doc = serde_json::from_str(text).unwrap();
            assert_eq!(doc, Doc::Number(read.to_owned()), "{text}");
        }
        assert!(serde_json::from_str::<Doc>("1e999").is_err());
    }

    #[test]
    fn an_amount_of_too_many_digits_is_not_rounded_to_one_of_fewer() {
        let almost = Doc::from("15.8900000000000000000000000000000001");
        assert_eq!((almost.amount(), Doc::from("15.89").amount().is_some()), (None, true));
    }

    #[test]
    fn nesting_has_a_bound() {
        let nested = |depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(serde_json::from_str::<Doc>(&nested(127)).is_ok());
        assert!(serde_json::from_str::<Doc>(&nested(128)).is_err());
        assert!(serde_json::from_str::<Doc>(&nested(100_000)).is_err());
    }

    #[test]
    fn of_duplicate_keys_the_last_wins() {
        let doc: Doc = serde_json::from_str(r#"{"a":1,"a":2}"#).unwrap();
        assert_eq!(doc.to_json(), br#"{"a":2}"#);
    }

    #[test]
    fn money_is_written_as_each_dialect_writes_it() {
        let twenty = Decimal::new(2000, 2);
        assert_eq!(Doc::money(twenty).to_json(), b"20.0");
        assert_eq!(Doc::plain_money(twenty).to_json(), b"20");
        assert_eq!(Doc::money(Decimal::new(2689, 2)).to_json(), b"26.89");
    }

    #[test]
    fn senseless_amounts_are_not_read() {
        for bad in [r#""x""#, "-1", "1e30", "1000000000001", "0.0000001", "{}", "null"] {
            let doc: Doc = serde_json::from_str(bad).unwrap();
            assert_eq!(doc.amount(), None, "{bad}");
        }
    }
}
