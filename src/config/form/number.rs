//! Counts.

use super::{
    base::{Complaint, Form, integer, quoted},
    one_of::OneOf,
};
use schemars::{Schema, json_schema};
use toml::de::DeValue;

/// A whole number within bounds, both included.
pub(in crate::config) struct Whole {
    pub(in crate::config) least: usize,
    pub(in crate::config) most: usize,
}

impl Whole {
    fn wanted(&self) -> String {
        format!("a whole number from {} to {}", self.least, self.most)
    }

    fn within(&self, number: Option<i64>, shown: &str) -> Result<usize, Vec<Complaint>> {
        match number.map(usize::try_from) {
            Some(Ok(number)) if (self.least..=self.most).contains(&number) => Ok(number),
            Some(Ok(number)) if number < self.least => Err(self.out_of_range(shown, self.least)),
            Some(Err(_)) => Err(self.out_of_range(shown, self.least)),
            Some(Ok(_)) | None => Err(self.out_of_range(shown, self.most)),
        }
    }

    fn out_of_range(&self, shown: &str, nearest: usize) -> Vec<Complaint> {
        Complaint::new(format!("{shown} is out of range: expected {}", self.wanted()))
            .suggest(format!("write {nearest}"))
            .into()
    }
}

impl Form for Whole {
    type Value = usize;

    fn read(&self, value: &DeValue<'_>) -> Result<usize, Vec<Complaint>> {
        let DeValue::Integer(written) = value else {
            let complaint = Complaint::wrong_type(&self.wanted(), value);
            return Err(match value.as_str().filter(|text| text.parse::<i64>().is_ok()) {
                Some(text) => complaint.suggest(format!("write {text}, without quotes")).into(),
                None => complaint.into(),
            });
        };
        self.within(integer(value), &written.to_string())
    }

    fn read_text(&self, text: &str) -> Result<usize, Vec<Complaint>> {
        match text.strip_prefix('-').unwrap_or(text) {
            digits if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.within(text.parse().ok(), text)
            }
            _ => Err(Complaint::new(format!("expected {}, found {}", self.wanted(), quoted(text)))
                .into()),
        }
    }

    fn write(&self, value: &usize) -> Option<toml::Value> {
        i64::try_from(*value).ok().map(toml::Value::from)
    }

    fn schema(&self) -> Schema {
        json_schema!({ "type": "integer", "minimum": self.least, "maximum": self.most })
    }
}

/// Returns the form of a number of workers, from 1 to `most`, or `"auto"` (`None`).
pub(in crate::config) fn workers(most: usize) -> OneOf<Whole> {
    OneOf { word: "auto", form: Whole { least: 1, most }, slip: no_worker }
}

/// Returns the form of a bound from `least` to `most`, or `"auto"` (`None`).
pub(in crate::config) fn automatic(least: usize, most: usize) -> OneOf<Whole> {
    OneOf { word: "auto", form: Whole { least, most }, slip: |_| None }
}

fn no_worker(value: &DeValue<'_>) -> Option<Complaint> {
    (integer(value) == Some(0)).then(|| {
        Complaint::new("0 is out of range: there must be a worker")
            .suggest("write \"auto\" for one per core")
    })
}

#[cfg(test)]
mod tests {
    use super::{super::base::tests::says, *};

    #[test]
    fn a_number_out_of_range_is_told_the_nearest_bound() {
        let form = Whole { least: 1, most: 10 };
        let cases = [
            ("10", "10"),
            ("0", "0 is out of range: expected a whole number from 1 to 10 (write 1)"),
            ("-3", "-3 is out of range: expected a whole number from 1 to 10 (write 1)"),
            ("11", "11 is out of range: expected a whole number from 1 to 10 (write 10)"),
            (
                "99999999999999999999",
                "99999999999999999999 is out of range: expected a whole number from 1 to 10 \
                 (write 10)",
            ),
            ("many", "expected a whole number from 1 to 10, found \"many\""),
        ];
        for (text, expected) in cases {
            assert_eq!(says(&form, text), expected);
        }
    }

    #[test]
    fn workers_are_counted_or_left_to_the_machine() {
        let form = workers(1024);
        assert_eq!(form.read_text("auto"), Ok(None));
        assert_eq!(form.read_text("4"), Ok(Some(4)));
        let zero = DeValue::parse("0").unwrap();
        assert_eq!(
            form.read(zero.get_ref()).unwrap_err()[0].suggestion.as_deref(),
            Some("write \"auto\" for one per core")
        );
    }
}
