//! How a value is written: in a file, on the command line, in the environment, and in the schema.
//!
//! In: a TOML value, or the text of a flag or a variable. Out: the validated value, or what is
//! wrong with it and what to write instead.

mod address;
mod choice;
mod number;
mod size;
mod text;
mod time;

pub(super) use address::{Address, AddressOrOff};
pub(super) use choice::{Choice, Switch, ToggleForm};
pub(super) use number::{Whole, Workers};
pub(super) use size::Size;
pub(super) use text::{File, Names, Url};
pub(super) use time::{Duration, FreshForm, Millis};

use schemars::Schema;
use std::ops::Range;
use toml::de::DeValue;

/// How the value of a key is written.
pub(super) trait Form {
    /// What it is once it is read.
    type Value;

    /// Reads it; several things may be wrong with a list.
    fn read(&self, value: &DeValue<'_>) -> Result<Self::Value, Vec<Complaint>>;

    /// Reads the text of a flag or a variable.
    fn read_text(&self, text: &str) -> Result<Self::Value, Vec<Complaint>> {
        self.read(&DeValue::String(text.into()))
    }

    /// Writes it; `None` where nothing is set.
    fn write(&self, value: &Self::Value) -> Option<toml::Value>;

    /// What JSON Schema can say of it.
    fn schema(&self) -> Schema;
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    /// What was found, and what is wanted.
    pub(super) message: String,
    /// What to write instead.
    pub(super) suggestion: Option<String>,
    /// The bytes of the file at fault, where that is a part of the value.
    pub(super) span: Option<Range<usize>>,
}

impl Complaint {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Complaint { message: message.into(), suggestion: None, span: None }
    }

    pub(super) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    fn at(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }

    /// A value of another type than the one wanted.
    fn wrong_type(wanted: &str, found: &DeValue<'_>) -> Self {
        Complaint::new(format!("expected {wanted}, found {}", kind(found)))
    }
}

impl From<Complaint> for Vec<Complaint> {
    fn from(complaint: Complaint) -> Self {
        vec![complaint]
    }
}

/// A value's type in words.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
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

/// The number that a TOML integer is; `None` beyond 64 bits.
fn integer(value: &DeValue<'_>) -> Option<i64> {
    value
        .as_integer()
        .and_then(|integer| i64::from_str_radix(integer.as_str(), integer.radix()).ok())
}

/// A value as it is shown in a message.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a form says of a text: the value as it would be written, or the messages with their
    /// suggestions.
    pub(super) fn says<F: Form>(form: &F, text: &str) -> String {
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
