//! A word or a value.

use super::base::{Complaint, Form};
use schemars::{Schema, json_schema};
use toml::de::DeValue;

/// One word (`None`), or a value of another form: `"off"` or an address, `"auto"` or a number.
pub(in crate::config) struct OneOf<F> {
    /// The word.
    pub(super) word: &'static str,
    /// The form of any other value.
    pub(super) form: F,
    /// Recognises a value that was probably meant to be the word.
    pub(super) slip: fn(&DeValue<'_>) -> Option<Complaint>,
}

impl<F: Form> Form for OneOf<F> {
    type Value = Option<F::Value>;

    fn read(&self, value: &DeValue<'_>) -> Result<Self::Value, Vec<Complaint>> {
        if value.as_str() == Some(self.word) {
            return Ok(None);
        }
        match (self.slip)(value) {
            Some(complaint) => Err(complaint.into()),
            None => self.form.read(value).map(Some),
        }
    }

    fn read_text(&self, text: &str) -> Result<Self::Value, Vec<Complaint>> {
        if text == self.word {
            return Ok(None);
        }
        match (self.slip)(&DeValue::String(text.into())) {
            Some(complaint) => Err(complaint.into()),
            None => self.form.read_text(text).map(Some),
        }
    }

    fn write(&self, value: &Self::Value) -> Option<toml::Value> {
        match value {
            None => Some(self.word.into()),
            Some(value) => self.form.write(value),
        }
    }

    fn schema(&self) -> Schema {
        json_schema!({ "anyOf": [{ "const": self.word }, self.form.schema()] })
    }
}
