//! Where a log of its own goes.

use super::base::{Complaint, Form, quoted};
use schemars::{Schema, json_schema};
use std::path::PathBuf;
use toml::de::DeValue;

const WANTED: &str = "\"off\", \"stdout\" or the name of a file";

/// Where a log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogTo {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// This file.
    File(PathBuf),
}

/// `"off"`, `"stdout"`, or the name of a file.
pub(in crate::config) struct LogToForm;

impl Form for LogToForm {
    type Value = LogTo;

    fn read(&self, value: &DeValue<'_>) -> Result<LogTo, Vec<Complaint>> {
        match value.as_str() {
            Some("off") => Ok(LogTo::Off),
            Some("stdout") => Ok(LogTo::Stdout),
            Some(word @ ("" | "none" | "stderr" | "-")) => {
                let complaint =
                    Complaint::new(format!("expected {WANTED}, found {}", quoted(word)));
                let instead = if word == "-" { "write \"stdout\"" } else { "write \"off\"" };
                Err(complaint.suggest(instead).into())
            }
            Some(name) => Ok(LogTo::File(name.into())),
            None => {
                let complaint = Complaint::wrong_type(WANTED, value);
                Err(match value {
                    DeValue::Boolean(false) => complaint.suggest("write \"off\""),
                    _ => complaint,
                }
                .into())
            }
        }
    }

    fn write(&self, value: &LogTo) -> Option<toml::Value> {
        Some(match value {
            LogTo::Off => "off".into(),
            LogTo::Stdout => "stdout".into(),
            LogTo::File(path) => path.display().to_string().into(),
        })
    }

    fn schema(&self) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_goes_nowhere_to_standard_output_or_to_a_file() {
        for (text, expected) in [
            ("off", LogTo::Off),
            ("stdout", LogTo::Stdout),
            ("./off", LogTo::File("./off".into())),
            ("/var/log/weir.ndjson", LogTo::File("/var/log/weir.ndjson".into())),
        ] {
            assert_eq!(LogToForm.read_text(text), Ok(expected.clone()));
            assert_eq!(LogToForm.write(&expected), Some(text.into()));
        }
        for (text, instead) in [("", "write \"off\""), ("-", "write \"stdout\"")] {
            let complaint = &LogToForm.read_text(text).unwrap_err()[0];
            assert_eq!(complaint.suggestion.as_deref(), Some(instead));
        }
        let no = &LogToForm.read(&DeValue::Boolean(false)).unwrap_err()[0];
        assert_eq!(no.suggestion.as_deref(), Some("write \"off\""));
    }
}
