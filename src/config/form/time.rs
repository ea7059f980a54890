//! Durations.

use super::{
    base::{Complaint, Form, integer, quoted},
    one_of::OneOf,
};
use crate::config::did_you_mean::nearest;
use schemars::{Schema, json_schema};
use std::time;
use toml::de::DeValue;

/// A duration with its units, within bounds (both included): `"250ms"`, `"30 s"`, `"1h30m"`.
pub(in crate::config) struct Duration {
    pub(in crate::config) least: time::Duration,
    pub(in crate::config) most: time::Duration,
}

/// Each unit and its milliseconds, largest first.
const UNITS: &[(&str, u64)] =
    &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const WANTED: &str = "a duration such as \"30s\"";
const PATTERN: &str = "^[0-9]+ ?(ms|s|m|h|d)( ?[0-9]+ ?(ms|s|m|h|d))*$";

impl Form for Duration {
    type Value = time::Duration;

    fn read(&self, value: &DeValue<'_>) -> Result<time::Duration, Vec<Complaint>> {
        let text = value.as_str().ok_or_else(|| {
            let complaint = Complaint::wrong_type(WANTED, value);
            match integer(value) {
                Some(number) if number >= 0 => {
                    complaint.suggest(format!("write \"{number}s\" or \"{number}ms\""))
                }
                _ => complaint,
            }
        })?;
        let duration = time::Duration::from_millis(parse(text)?);
        let nearest = match duration {
            duration if duration < self.least => self.least,
            duration if duration > self.most => self.most,
            duration => return Ok(duration),
        };
        let range = format!("{} to {}", written(self.least), written(self.most));
        Err(Complaint::new(format!("{} is out of range: expected {range}", quoted(text)))
            .suggest(format!("write \"{}\"", written(nearest)))
            .into())
    }

    fn write(&self, value: &time::Duration) -> Option<toml::Value> {
        Some(written(*value).into())
    }

    fn schema(&self) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": PATTERN,
            "examples": ["250ms", "30s", "1h30m"],
        })
    }
}

/// Returns the form of a duration of up to `most`, or `"forever"` (`None`).
pub(in crate::config) fn duration_or_forever(most: time::Duration) -> OneOf<Duration> {
    let form = Duration { least: time::Duration::ZERO, most };
    OneOf { word: "forever", form, slip: meant_forever }
}

fn meant_forever(value: &DeValue<'_>) -> Option<Complaint> {
    let text = value.as_str()?;
    nearest(text, ["forever"])?;
    let complaint = Complaint::new(format!("{} is not a duration", quoted(text)));
    Some(complaint.suggest("did you mean \"forever\"?"))
}

/// Reads milliseconds. A number beyond 64 bits becomes their largest, which is out of every range.
fn parse(text: &str) -> Result<u64, Vec<Complaint>> {
    let complaint = || Complaint::new(format!("{} is not a duration", quoted(text)));
    let mut rest = text;
    let mut millis = 0u64;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let after = after.strip_prefix(' ').unwrap_or(after);
        let word = &after
            [..after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len()];
        let unit = UNITS.iter().find(|(name, _)| *name == word).filter(|_| digits > 0);
        let Some((name, scale)) = unit else {
            return Err(suggest(complaint(), text, number, after).into());
        };
        millis =
            millis.saturating_add(number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(*scale));
        rest = &after[name.len()..];
        rest = rest.strip_prefix(' ').filter(|next| !next.is_empty()).unwrap_or(rest);
    }
    match text.is_empty() {
        true => Err(complaint().suggest("write a whole number and its unit, as in \"30s\"").into()),
        false => Ok(millis),
    }
}

fn suggest(complaint: Complaint, text: &str, number: &str, after: &str) -> Complaint {
    match after.trim() {
        "" if number.len() == text.len() => {
            complaint.suggest(format!("a duration needs a unit: write \"{text}s\" or \"{text}ms\""))
        }
        "sec" | "secs" | "second" | "seconds" => complaint.suggest(format!("write \"{number}s\"")),
        "min" | "mins" | "minute" | "minutes" => complaint.suggest(format!("write \"{number}m\"")),
        "hr" | "hrs" | "hour" | "hours" => complaint.suggest(format!("write \"{number}h\"")),
        "day" | "days" => complaint.suggest(format!("write \"{number}d\"")),
        "ms" | "s" | "m" | "h" | "d" if !number.is_empty() => {
            complaint.suggest(format!("write \"{number}{}\"", after.trim()))
        }
        _ => complaint.suggest(
            "write whole numbers with their units (ms, s, m, h, d), as in \"30s\" or \"1h30m\"",
        ),
    }
}

/// Writes a duration in the largest unit of which it is a whole number.
fn written(duration: time::Duration) -> String {
    let millis = duration.as_millis();
    let whole = |scale: u64| millis != 0 && millis.is_multiple_of(u128::from(scale));
    match UNITS.iter().find(|(_, scale)| whole(*scale)) {
        Some((name, scale)) => format!("{}{name}", millis / u128::from(*scale)),
        None => "0s".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::base::tests::says, *};

    #[test]
    fn a_duration_needs_a_unit_and_stays_in_range() {
        let form = Duration {
            least: time::Duration::from_millis(1),
            most: time::Duration::from_secs(3600),
        };
        let units =
            "write whole numbers with their units (ms, s, m, h, d), as in \"30s\" or \"1h30m\"";
        let cases = [
            ("30s", "\"30s\""),
            ("1m30s", "\"90s\""),
            ("3600000ms", "\"1h\""),
            ("30", "\"30\" is not a duration (a duration needs a unit: write \"30s\" or \"30ms\")"),
            ("30 s", "\"30s\""),
            ("1 m 30s", "\"90s\""),
            ("30  s", "\"30  s\" is not a duration (write \"30s\")"),
            ("30 sec", "\"30 sec\" is not a duration (write \"30s\")"),
            ("2min", "\"2min\" is not a duration (write \"2m\")"),
            ("30sec", "\"30sec\" is not a duration (write \"30s\")"),
            ("", "\"\" is not a duration (write a whole number and its unit, as in \"30s\")"),
            ("0s", "\"0s\" is out of range: expected 1ms to 1h (write \"1ms\")"),
            ("2h", "\"2h\" is out of range: expected 1ms to 1h (write \"1h\")"),
            (
                "99999999999999999999d",
                "\"99999999999999999999d\" is out of range: expected 1ms to 1h (write \"1h\")",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(says(&form, text), expected);
        }
        assert_eq!(says(&form, "1.5s"), format!("\"1.5s\" is not a duration ({units})"));
        assert_eq!(says(&form, "-1s"), format!("\"-1s\" is not a duration ({units})"));
        let bare = DeValue::parse("30").unwrap();
        assert_eq!(
            form.read(bare.get_ref()).unwrap_err()[0].suggestion.as_deref(),
            Some("write \"30s\" or \"30ms\"")
        );
    }

    #[test]
    fn freshness_may_last_forever() {
        let form = duration_or_forever(time::Duration::from_secs(86_400));
        assert_eq!(form.read_text("forever"), Ok(None));
        assert_eq!(form.read_text("0s"), Ok(Some(time::Duration::ZERO)));
        assert_eq!(
            says(&form, "for-ever"),
            "\"for-ever\" is not a duration (did you mean \"forever\"?)"
        );
        assert_eq!(says(&form, "2d"), "\"2d\" is out of range: expected 0s to 1d (write \"1d\")");
    }
}
