//! Values that are one of a few words.

use super::base::{Complaint, Form, quoted};
use crate::{
    config::did_you_mean::nearest,
    rules::{Dialect, RuleId, Toggle},
};
use schemars::{Schema, json_schema};
use toml::de::DeValue;

/// One of these values, each written as its name.
pub(in crate::config) struct Choice<T: 'static> {
    pub(in crate::config) all: &'static [T],
    pub(in crate::config) name_of: fn(T) -> &'static str,
}

impl<T: Copy> Choice<T> {
    fn words(&self) -> impl Iterator<Item = &'static str> {
        self.all.iter().map(|value| (self.name_of)(*value))
    }
}

impl<T: Copy> Form for Choice<T> {
    type Value = T;

    fn read(&self, value: &DeValue<'_>) -> Result<T, Vec<Complaint>> {
        let wanted = listed(self.words());
        let text = value.as_str().ok_or_else(|| Complaint::wrong_type(&wanted, value))?;
        match self.all.iter().find(|value| (self.name_of)(**value) == text) {
            Some(value) => Ok(*value),
            None => Err(not_among(text, &wanted, self.words()).into()),
        }
    }

    fn write(&self, value: &T) -> Option<toml::Value> {
        Some((self.name_of)(*value).into())
    }

    fn schema(&self) -> Schema {
        let words: Vec<_> = self.words().collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

/// `true` or `false`.
pub(in crate::config) struct Switch;

impl Form for Switch {
    type Value = bool;

    fn read(&self, value: &DeValue<'_>) -> Result<bool, Vec<Complaint>> {
        value.as_bool().ok_or_else(|| {
            let complaint = Complaint::wrong_type("`true` or `false`", value);
            match value.as_str() {
                Some("true" | "yes" | "on") => {
                    complaint.suggest("write true, without quotes").into()
                }
                Some("false" | "no" | "off") => {
                    complaint.suggest("write false, without quotes").into()
                }
                _ => complaint.into(),
            }
        })
    }

    fn read_text(&self, text: &str) -> Result<bool, Vec<Complaint>> {
        text.parse().map_err(|_| {
            Complaint::new(format!("expected `true` or `false`, found {}", quoted(text))).into()
        })
    }

    fn write(&self, value: &bool) -> Option<toml::Value> {
        Some((*value).into())
    }

    fn schema(&self) -> Schema {
        json_schema!({ "type": "boolean" })
    }
}

/// What a rule does: only what its rows allow, in each of these dialects.
pub(in crate::config) struct ToggleForm {
    pub(in crate::config) rule: RuleId,
    pub(in crate::config) dialects: Vec<Dialect>,
    /// Every dialect there is, to say where a toggle would be taken.
    pub(in crate::config) all: Vec<Dialect>,
}

impl ToggleForm {
    fn allows(&self, toggle: Toggle) -> bool {
        self.dialects.iter().all(|dialect| allowed_by(*dialect, self.rule, toggle))
    }

    fn words(&self) -> impl Iterator<Item = &'static str> {
        Toggle::ALL.into_iter().filter(|toggle| self.allows(*toggle)).map(Toggle::as_str)
    }
}

fn allowed_by(dialect: Dialect, rule: RuleId, toggle: Toggle) -> bool {
    dialect.row(rule).is_some_and(|row| row.allows(toggle))
}

impl Form for ToggleForm {
    type Value = Option<Toggle>;

    fn read(&self, value: &DeValue<'_>) -> Result<Option<Toggle>, Vec<Complaint>> {
        let wanted = listed(self.words());
        let text = value.as_str().ok_or_else(|| Complaint::wrong_type(&wanted, value))?;
        let Ok(toggle) = text.parse::<Toggle>() else {
            return Err(not_among(text, &wanted, self.words()).into());
        };
        if self.allows(toggle) {
            return Ok(Some(toggle));
        }
        let somewhere = self.all.iter().find(|dialect| allowed_by(**dialect, self.rule, toggle));
        Err(match (somewhere, self.dialects.len()) {
            (Some(dialect), several) if several > 1 => {
                Complaint::new(format!("`{}` takes {} on {dialect} only", self.rule, quoted(text)))
                    .suggest(format!("write it under [policy.rules.{dialect}]"))
            }
            (Some(dialect), _) => {
                Complaint::new(format!("`{}` takes {} on {dialect} only", self.rule, quoted(text)))
                    .suggest(format!("it takes {wanted} here"))
            }
            (None, _) => Complaint::new(format!("`{}` does not take {}", self.rule, quoted(text)))
                .suggest(format!("it takes {wanted}")),
        }
        .into())
    }

    fn write(&self, value: &Option<Toggle>) -> Option<toml::Value> {
        value.map(|toggle| toggle.as_str().into())
    }

    fn schema(&self) -> Schema {
        let words: Vec<_> = self.words().collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

fn not_among<'a>(text: &str, wanted: &str, words: impl Iterator<Item = &'a str>) -> Complaint {
    let complaint = Complaint::new(format!("expected {wanted}, found {}", quoted(text)));
    match nearest(text, words) {
        Some(word) => complaint.suggest(format!("did you mean \"{word}\"?")),
        None => complaint,
    }
}

/// `"a", "b" or "c"`.
fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.map(quoted).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::base::tests::says, *};
    use crate::{
        dialects::{self, carts, checkouts},
        rules::Mode,
    };

    #[test]
    fn a_word_that_is_nearly_right_is_put_right() {
        let form = Choice { all: &Mode::ALL, name_of: Mode::as_str };
        assert_eq!(form.read_text("monitor"), Ok(Mode::Monitor));
        assert_eq!(
            says(&form, "monitr"),
            "expected \"enforce\", \"monitor\" or \"off\", found \"monitr\" (did you mean \
             \"monitor\"?)"
        );
        assert_eq!(
            says(&form, "Off"),
            "expected \"enforce\", \"monitor\" or \"off\", found \"Off\" (did you mean \"off\"?)"
        );
        assert_eq!(
            says(&form, "banana"),
            "expected \"enforce\", \"monitor\" or \"off\", found \"banana\""
        );
    }

    #[test]
    fn a_toggle_is_one_that_the_rule_takes() {
        let form = |rule, dialects: &[Dialect]| ToggleForm {
            rule,
            dialects: dialects.to_vec(),
            all: dialects::ALL.to_vec(),
        };
        let both = |rule| form(rule, &dialects::ALL);
        let carts = |rule| form(rule, &[carts::DIALECT]);
        let checkouts = |rule| form(rule, &[checkouts::DIALECT]);
        let cases = [
            (carts(RuleId::PrimaryBeforeSecondary), "reorder", "\"reorder\""),
            (carts(RuleId::SecondarySourceOwner), "strip", "\"strip\""),
            (both(RuleId::SpentSource), "off", "\"off\""),
            (
                both(RuleId::SpentSource),
                "reorder",
                "`spent-source` does not take \"reorder\" (it takes \"reject\", \"monitor\" or \
                 \"off\")",
            ),
            (
                both(RuleId::SecondPrimary),
                "reorder",
                "`second-primary` takes \"reorder\" on carts only (write it under \
                 [policy.rules.carts])",
            ),
            (
                checkouts(RuleId::SecondPrimary),
                "reorder",
                "`second-primary` takes \"reorder\" on carts only (it takes \"reject\", \
                 \"monitor\" or \"off\" here)",
            ),
            (
                both(RuleId::SpentSource),
                "rejcet",
                "expected \"reject\", \"monitor\" or \"off\", found \"rejcet\" (did you mean \
                 \"reject\"?)",
            ),
        ];
        for (form, text, expected) in cases {
            assert_eq!(says(&form, text), expected);
        }
    }

    #[test]
    fn a_switch_in_quotes_is_told_to_drop_them() {
        let complaint = &Switch.read(&DeValue::String("yes".into())).unwrap_err()[0];
        assert_eq!(complaint.message, "expected `true` or `false`, found a string");
        assert_eq!(complaint.suggestion.as_deref(), Some("write true, without quotes"));
        assert_eq!(Switch.read_text("true"), Ok(true));
    }
}
