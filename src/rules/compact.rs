//! Short forms of text, for the formats that programs keep and nobody reads.
//!
//! In: ids and type names. Out: 16 bytes for a UUID, as upstream's ids mostly are, one byte for a
//! source type of the domain's lists, and any other text as it is. What comes back is exactly what
//! went in. Formats that people read (`is_human_readable`) get plain text.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// The source types of the domain's lists. Stored records hold positions: new names go to the end.
const WORDS: [&str; 26] = [
    "customerCredit",
    "creditCard",
    "payPal",
    "payPalCredit",
    "payPalBilling",
    "googlePay",
    "applePay",
    "amazonPay",
    "klarnaCredit",
    "klarnaCreditRecurring",
    "wireTransfer",
    "alipay",
    "alipayCn",
    "konbini",
    "directDebit",
    "onlineBanking",
    "ideal",
    "msts",
    "afterpay",
    "bancontact",
    "blik",
    "bankTransfer",
    "payCo",
    "trustly",
    "codJapan",
    "bPay",
];

#[derive(Serialize, Deserialize)]
enum Form<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Uuid([u8; 16]),
    Word(u8),
}

/// For `#[serde(with = …)]`.
pub(super) fn serialize<S: Serializer>(
    text: &impl AsRef<str>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let text = text.as_ref();
    if serializer.is_human_readable() {
        return serializer.serialize_str(text);
    }
    let word = || WORDS.iter().position(|word| *word == text).and_then(|at| u8::try_from(at).ok());
    let form = match (uuid_bytes(text), word()) {
        (Some(bytes), _) => Form::Uuid(bytes),
        (None, Some(word)) => Form::Word(word),
        (None, None) => Form::Text(text.into()),
    };
    form.serialize(serializer)
}

/// For `#[serde(with = …)]`.
pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: for<'a> From<&'a str>,
    D: Deserializer<'de>,
{
    if deserializer.is_human_readable() {
        return Ok(T::from(&Cow::<str>::deserialize(deserializer)?));
    }
    match Form::deserialize(deserializer)? {
        Form::Text(text) => Ok(T::from(&text)),
        Form::Uuid(bytes) => Ok(T::from(&uuid_text(&bytes))),
        Form::Word(at) => match WORDS.get(usize::from(at)) {
            Some(word) => Ok(T::from(word)),
            None => Err(serde::de::Error::custom("a word of another version")),
        },
    }
}

/// The same for text that may not have been told.
pub(super) mod told {
    use super::super::Told;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    struct Compact<T>(T);

    impl<T: AsRef<str>> Serialize for Compact<T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            super::serialize(&self.0, serializer)
        }
    }

    impl<'de, T: for<'a> From<&'a str>> Deserialize<'de> for Compact<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            super::deserialize(deserializer).map(Compact)
        }
    }

    pub(in super::super) fn serialize<S: Serializer>(
        text: &Told<Box<str>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        text.as_ref().map(Compact).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Told<Box<str>>, D::Error> {
        Ok(Option::<Compact<Box<str>>>::deserialize(deserializer)?.map(|text| text.0).into())
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// The bytes of a UUID before which a hyphen stands.
const HYPHEN_BEFORE: [usize; 4] = [4, 6, 8, 10];

/// The 16 bytes of a UUID in the one spelling that [`uuid_text`] gives back: lower case, with
/// hyphens.
pub fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let mut rest = text.as_bytes();
    if rest.len() != 36 {
        return None;
    }
    let mut bytes = [0; 16];
    for (at, byte) in bytes.iter_mut().enumerate() {
        if HYPHEN_BEFORE.contains(&at) {
            rest = rest.strip_prefix(b"-")?;
        }
        let [high, low, after @ ..] = rest else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
        rest = after;
    }
    Some(bytes)
}

fn digit(ascii: u8) -> Option<u8> {
    match ascii {
        b'0'..=b'9' => Some(ascii - b'0'),
        b'a'..=b'f' => Some(ascii - b'a' + 10),
        _ => None,
    }
}

/// The UUID of these bytes, in lower case, with hyphens.
pub fn uuid_text(bytes: &[u8; 16]) -> String {
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (number, byte) in bytes.iter().enumerate() {
        at += usize::from(HYPHEN_BEFORE.contains(&number));
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 0xf)];
        at += 2;
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{SourceId, SourceType};
    use proptest::prelude::*;

    const UUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
    const BYTES: [u8; 16] =
        [15, 143, 173, 91, 217, 203, 70, 159, 161, 101, 112, 134, 119, 40, 149, 14];

    #[test]
    fn a_uuid_is_16_bytes_and_what_only_looks_like_one_is_text() {
        assert_eq!((uuid_bytes(UUID), uuid_text(&BYTES)), (Some(BYTES), UUID.to_owned()));
        for text in [
            "",
            "0F8FAD5B-D9CB-469F-A165-70867728950E",
            "0f8fad5bd9cb469fa16570867728950e",
            "0f8fad5b-d9cb-469f-a165-70867728950g",
            "0f8fad5b-d9cb-469f-a1657-0867728950e",
            "0f8fad5b-d9cb-469f-a165-70867728950é",
        ] {
            assert_eq!(uuid_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn programs_store_a_few_bytes_and_people_read_text() {
        let (id, kind) = (SourceId::from(UUID), SourceType::from("creditCard"));
        assert_eq!(postcard::to_stdvec(&id).unwrap().len(), 17);
        assert_eq!(postcard::to_stdvec(&kind).unwrap(), [2, 1]);
        assert_eq!(
            serde_json::to_string(&(&id, &kind)).unwrap(),
            format!(r#"["{UUID}","creditCard"]"#)
        );
        assert_eq!(serde_json::from_str::<SourceId>(&format!("\"{UUID}\"")).unwrap(), id);
        assert_eq!(serde_json::from_str::<SourceType>(r#""credit\u0043ard""#).unwrap(), kind);
    }

    #[test]
    fn every_type_of_the_lists_is_a_word() {
        let types = crate::dialects::policy().types;
        let mut all = [types.secondary, types.savable, types.not_savable].concat();
        all.extend(types.pairing.into_iter().flat_map(|(_, list)| list));
        let missing: Vec<_> = all.iter().filter(|kind| !WORDS.contains(&kind.as_str())).collect();
        assert_eq!(missing, Vec::<&SourceType>::new());
    }

    #[test]
    fn a_word_of_another_version_is_not_read() {
        assert!(postcard::from_bytes::<SourceType>(&[2, 200]).is_err());
    }

    proptest! {
        #[test]
        fn any_text_comes_back_as_it_was(text in prop_oneof![".{0,40}", "[0-9a-fA-F-]{36}"], bytes: [u8; 16]) {
            for id in [SourceId::from(text), SourceId::from(uuid_text(&bytes))] {
                prop_assert_eq!(postcard::from_bytes::<SourceId>(&postcard::to_stdvec(&id).unwrap()).unwrap(), id);
            }
            prop_assert_eq!(uuid_bytes(&uuid_text(&bytes)), Some(bytes));
        }
    }
}
