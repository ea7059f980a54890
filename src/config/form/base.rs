//! What every form of a value is made of: the trait, and what is wrong with a value.

use schemars::Schema;
use std::ops::Range;
use toml::de::DeValue;

/// How the value of a key is written.
pub(in crate::config) trait Form {
    /// The type of a value that was read.
    type Value;

    /// Reads a value; several things may be wrong with a list.
    fn read(&self, value: &DeValue<'_>) -> Result<Self::Value, Vec<Complaint>>;

    /// Reads the text of a flag or a variable.
    fn read_text(&self, text: &str) -> Result<Self::Value, Vec<Complaint>> {
        self.read(&DeValue::String(text.into()))
    }

    /// Writes a value; `None` where nothing is set.
    fn write(&self, value: &Self::Value) -> Option<toml::Value>;

    /// Returns what JSON Schema can say of such a value.
    fn schema(&self) -> Schema;
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Complaint {
    /// What was found, and what is wanted.
    pub(in crate::config) message: String,
    /// What to write instead.
    pub(in crate::config) suggestion: Option<String>,
    /// The bytes of the file at fault, where that is a part of the value.
    pub(in crate::config) span: Option<Range<usize>>,
}

impl Complaint {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), suggestion: None, span: None }
    }

    pub(super) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    pub(super) fn at(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }

    /// Complains of a value that has another type than the one wanted.
    pub(super) fn wrong_type(wanted: &str, found: &DeValue<'_>) -> Self {
        Self::new(format!("expected {wanted}, found {}", kind(found)))
    }
}

impl From<Complaint> for Vec<Complaint> {
    fn from(complaint: Complaint) -> Self {
        vec![complaint]
    }
}

/// Names a value's type in words.
pub(in crate::config) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date-time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// Reads a TOML integer; `None` beyond 64 bits.
pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    value
        .as_integer()
        .and_then(|integer| i64::from_str_radix(integer.as_str(), integer.radix()).ok())
}

/// Quotes a value for a message.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::address::Address, *};

    /// What a form says of a text: the value as it would be written, or the messages with their
    /// suggestions.
    pub(in crate::config::form) fn says<F: Form>(form: &F, text: &str) -> String {
        match form.read_text(text) {
            Ok(value) => {
                form.write(&value).map_or_else(|| "nothing".into(), |value| value.to_string())
            }
            Err(complaints) => complaints
                .iter()
                .map(|c| {
                    c.suggestion
                        .as_ref()
                        .map_or_else(|| c.message.clone(), |s| format!("{} ({s})", c.message))
                })
                .collect::<Vec<_>>()
                .join("; "),
        }
    }

    #[test]
    fn a_wrong_type_is_named_in_words() {
        let cases = [
            ("1", "an integer"),
            ("1.5", "a float"),
            ("true", "a boolean"),
            ("[1]", "an array"),
            ("{a=1}", "a table"),
            ("1979-05-27", "a date-time"),
        ];
        for (toml, kind) in cases {
            let value = DeValue::parse(toml).unwrap();
            let complaint = &Address.read(value.get_ref()).unwrap_err()[0];
            assert_eq!(
                complaint.message,
                format!("expected an address and port such as \"127.0.0.1:8080\", found {kind}")
            );
        }
    }
}
