//! Sizes in bytes.

use super::{
    base::{Complaint, Form, integer, quoted},
    one_of::OneOf,
};
use schemars::{Schema, json_schema};
use toml::de::DeValue;

/// Bytes with their unit, within bounds (both included): `"256KiB"`, `"4 MiB"`, `"64KB"`, `"1024
/// bytes"`.
pub(in crate::config) struct Size {
    pub(in crate::config) least: usize,
    pub(in crate::config) most: usize,
}

/// Spellings are compared without case. The first of each value is the one written.
const UNITS: &[(&str, usize)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
    ("bytes", 1),
    ("byte", 1),
];

const WANTED: &str = "a size such as \"256KiB\"";

impl Form for Size {
    type Value = usize;

    fn read(&self, value: &DeValue<'_>) -> Result<usize, Vec<Complaint>> {
        let text = value.as_str().ok_or_else(|| {
            let complaint = Complaint::wrong_type(WANTED, value);
            match integer(value) {
                Some(bytes) if bytes >= 0 => complaint.suggest(format!("write \"{bytes}B\"")),
                _ => complaint,
            }
        })?;
        let size = parse(text)?;
        match size {
            size if size < self.least => Err(out_of_range(text, self, self.least)),
            size if size > self.most => Err(out_of_range(text, self, self.most)),
            size => Ok(size),
        }
    }

    fn write(&self, value: &usize) -> Option<toml::Value> {
        Some(written(*value).into())
    }

    fn schema(&self) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+ ?([KkMmGg][Ii]?[Bb]|[Bb]([Yy][Tt][Ee][Ss]?)?)$",
            "examples": ["256KiB", "4MiB"],
        })
    }
}

/// Returns the form of a size within these bounds, or `"off"` (`None`).
pub(in crate::config) fn size_or_off(least: usize, most: usize) -> OneOf<Size> {
    OneOf { word: "off", form: Size { least, most }, slip: meant_off }
}

fn meant_off(value: &DeValue<'_>) -> Option<Complaint> {
    match value {
        DeValue::Boolean(false) => {
            Some(Complaint::wrong_type(WANTED, value).suggest("write \"off\""))
        }
        _ => None,
    }
}

fn out_of_range(text: &str, Size { least, most }: &Size, nearest: usize) -> Vec<Complaint> {
    Complaint::new(format!(
        "{} is out of range: expected {} to {}",
        quoted(text),
        written(*least),
        written(*most)
    ))
    .suggest(format!("write \"{}\"", written(nearest)))
    .into()
}

fn parse(text: &str) -> Result<usize, Vec<Complaint>> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let Some((_, scale)) =
        UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).filter(|_| digits > 0)
    else {
        let complaint = Complaint::new(format!("{} is not a size", quoted(text)));
        return Err(match unit {
            "" if digits > 0 => complaint
                .suggest(format!("a size needs a unit: write \"{number}B\" or \"{number}KiB\"")),
            "K" | "k" | "M" | "m" | "G" | "g" if digits > 0 => {
                complaint.suggest(format!("write \"{number}{}iB\"", unit.to_ascii_uppercase()))
            }
            _ => complaint.suggest(
                "write a whole number and its unit (B, KB, KiB, MB, MiB, GB, GiB), \
                 as in \"256KiB\"",
            ),
        }
        .into());
    };
    // A number beyond the machine's words is out of every range.
    Ok(number
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(*scale))
        .unwrap_or(usize::MAX))
}

fn written(bytes: usize) -> String {
    let (unit, scale) = UNITS
        .iter()
        .find(|(name, scale)| name.len() == 3 && bytes >= *scale && bytes.is_multiple_of(*scale))
        .unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / scale)
}

#[cfg(test)]
mod tests {
    use super::{super::base::tests::says, *};

    #[test]
    fn a_size_needs_a_unit_and_stays_in_range() {
        let form = Size { least: 1024, most: 64 << 20 };
        let cases = [
            ("256KiB", "\"256KiB\""),
            ("1 mib", "\"1MiB\""),
            ("64KB", "\"64000B\""),
            ("2048 bytes", "\"2KiB\""),
            (
                "262144",
                "\"262144\" is not a size (a size needs a unit: write \"262144B\" or \
                 \"262144KiB\")",
            ),
            ("4M", "\"4M\" is not a size (write \"4MiB\")"),
            ("1KB", "\"1KB\" is out of range: expected 1KiB to 64MiB (write \"1KiB\")"),
            ("1GiB", "\"1GiB\" is out of range: expected 1KiB to 64MiB (write \"64MiB\")"),
            (
                "99999999999999999999GiB",
                "\"99999999999999999999GiB\" is out of range: expected 1KiB to 64MiB (write \
                 \"64MiB\")",
            ),
            (
                "KiB",
                "\"KiB\" is not a size (write a whole number and its unit (B, KB, KiB, MB, MiB, \
                 GB, GiB), as in \"256KiB\")",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(says(&form, text), expected);
        }
        let form_or_off = size_or_off(1024, 64 << 20);
        for (text, expected) in [("off", "\"off\""), ("1MiB", "\"1MiB\"")] {
            assert_eq!(says(&form_or_off, text), expected);
        }
        let no = DeValue::parse("false").unwrap();
        let complaint = &form_or_off.read(no.get_ref()).unwrap_err()[0];
        assert_eq!(complaint.suggestion.as_deref(), Some("write \"off\""));
        let bare = DeValue::parse("262144").unwrap();
        assert_eq!(
            form.read(bare.get_ref()).unwrap_err()[0].suggestion.as_deref(),
            Some("write \"262144B\"")
        );
    }
}
