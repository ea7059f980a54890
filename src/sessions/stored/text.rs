//! Short forms of text: 16 bytes for a UUID, as most of upstream's ids are, one byte for a source
//! type of the domain's lists, and any other text unchanged. Reading gives back the same text.

use super::super::{change::StoreError, keys::uuid_bytes};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The source types of the domain's lists. Stored records hold positions: new names go to the end.
pub(super) const WORDS: [&str; 26] = [
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

/// Text as it is stored.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Text<'a> {
    Plain(&'a str),
    Uuid([u8; 16]),
    Word(u8),
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        if let Some(uuid) = uuid_bytes(text) {
            return Self::Uuid(uuid);
        }
        let word = WORDS.iter().position(|word| *word == text);
        match word.and_then(|at| u8::try_from(at).ok()) {
            Some(word) => Self::Word(word),
            None => Self::Plain(text),
        }
    }
}

impl Text<'_> {
    /// Returns the id or name that the text holds.
    pub(super) fn name<T: for<'a> From<&'a str>>(self) -> Result<T, StoreError> {
        match self {
            Self::Plain(text) => Ok(T::from(text)),
            Self::Uuid(bytes) => {
                let mut text = Uuid::encode_buffer();
                Ok(T::from(Uuid::from_bytes(bytes).hyphenated().encode_lower(&mut text)))
            }
            Self::Word(at) => {
                let word = WORDS.get(usize::from(at)).ok_or(StoreError::Unreadable)?;
                Ok(T::from(word))
            }
        }
    }
}
