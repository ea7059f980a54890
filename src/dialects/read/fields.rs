//! Finds the members of a JSON body that rules look at.
//!
//! In: the text of a body, and the members that matter. Out: their values as raw text, and what
//! else the body names. What two parsers could read differently is an error: duplicate members,
//! other spellings of their names, text around the object. Only the listed members are entered, so
//! nothing recurses on what a caller nests.

use super::{
    body::{self, RequestError},
    escapes,
};
use crate::rules::Amount;
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// A member that a rule looks at, or that holds such a member.
pub(crate) struct Member {
    /// Its one right spelling.
    pub name: &'static str,
    /// What it holds; empty where it is a value.
    pub of: &'static [Member],
}

/// Makes a member that is a value.
pub(crate) const fn value(name: &'static str) -> Member {
    Member { name, of: &[] }
}

/// What a body says.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    found: Vec<(&'static str, Value<'a>)>,
    others: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Fields<'a> {
    /// Reads the text of a body; one that says nothing has no fields.
    pub(crate) fn read(text: &'a str, members: &'static [Member]) -> Result<Self, RequestError> {
        let mut fields = Fields::default();
        if !body::says_nothing(text) {
            fields.enter(text, members)?;
        }
        Ok(fields)
    }

    /// Returns the value of a member that is there.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'a>> {
        self.found.iter().find(|(found, _)| *found == name).map(|(_, value)| *value)
    }

    /// Returns the id that all members of this name agree on; `None` where none is set.
    pub(crate) fn id(&self, name: &'static str) -> Result<Option<Cow<'a, str>>, RequestError> {
        let mut agreed: Option<Cow<'a, str>> = None;
        for (_, value) in self.found.iter().filter(|(found, _)| *found == name) {
            match (&agreed, value.id(name)?) {
                (Some(one), Some(other)) if *one != other => {
                    return Err(RequestError::Ambiguous(format!(
                        "The body has two values of `{name}` that differ."
                    )));
                }
                (None, Some(id)) => agreed = Some(id),
                _ => {}
            }
        }
        Ok(agreed)
    }

    /// Returns the members that are not listed, at every level that was entered.
    pub(crate) fn others(&self) -> impl Iterator<Item = (&str, Value<'a>)> {
        self.others.iter().map(|(name, value)| (&**name, *value))
    }

    fn enter(&mut self, object: &'a str, members: &'static [Member]) -> Result<(), RequestError> {
        let mut seen: Vec<&'static str> = Vec::new();
        let mut trouble = None;
        let walked = each_member(object, |name, raw| {
            let result = self.take(name, Value(raw), members, &mut seen);
            result.map_err(|why| trouble = Some(why)).is_ok()
        });
        match trouble {
            Some(why) => Err(why),
            None if walked => Ok(()),
            None => Err(RequestError::ambiguous("The body is not one JSON object.")),
        }
    }

    fn take(
        &mut self,
        name: Cow<'a, str>,
        value: Value<'a>,
        members: &'static [Member],
        seen: &mut Vec<&'static str>,
    ) -> Result<(), RequestError> {
        let Some(member) = members.iter().find(|member| reads_as(&name, member.name)) else {
            self.others.push((name, value));
            return Ok(());
        };
        if name != member.name {
            return Err(RequestError::Ambiguous(format!(
                "The body spells `{}` in an unusual way.",
                member.name
            )));
        }
        if seen.contains(&member.name) {
            return Err(RequestError::Ambiguous(format!(
                "The body has `{}` more than once.",
                member.name
            )));
        }
        seen.push(member.name);
        match (member.of, value.0.as_bytes().first()) {
            ([], _) => self.found.push((member.name, value)),
            (of, Some(b'{')) => self.enter(value.0, of)?,
            (_, _) if value.is_nothing() => {}
            _ => {
                return Err(RequestError::Ambiguous(format!(
                    "In the body, `{}` is not an object.",
                    member.name
                )));
            }
        }
        Ok(())
    }
}

/// A value as raw JSON text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a>(&'a str);

impl<'a> Value<'a> {
    /// Returns whether it is `null` or empty text.
    pub(crate) fn is_nothing(self) -> bool {
        matches!(self.0, "null" | "\"\"")
    }

    pub(crate) fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// Returns the text, if it is text.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        serde_json::from_str::<Text<'a>>(self.0).ok().map(|text| text.0)
    }

    /// Reads an id: text, or a whole number, which parsers take for its digits.
    fn id(self, name: &str) -> Result<Option<Cow<'a, str>>, RequestError> {
        if self.is_nothing() {
            return Ok(None);
        }
        let id = match self.text() {
            Some(text) => text,
            None if self.0.bytes().all(|byte| byte.is_ascii_digit()) => Cow::Borrowed(self.0),
            None => {
                return Err(RequestError::Ambiguous(format!("In the body, `{name}` is not text.")));
            }
        };
        if id.trim() != id {
            return Err(RequestError::Ambiguous(format!(
                "In the body, `{name}` has blanks around it."
            )));
        }
        match id.len() <= escapes::LONGEST_ID {
            true => Ok(Some(id)),
            false => Err(RequestError::Ambiguous(format!(
                "In the body, `{name}` is longer than {} bytes.",
                escapes::LONGEST_ID
            ))),
        }
    }

    /// Reads an amount: a number, or text that is one.
    pub(crate) fn amount(self, name: &str) -> Result<Option<Amount>, RequestError> {
        if self.is_nothing() {
            return Ok(None);
        }
        let text = self.text().unwrap_or(Cow::Borrowed(self.0));
        text.parse().map(Some).map_err(|_| {
            RequestError::Ambiguous(format!("In the body, `{name}` is not an amount."))
        })
    }

    /// Reads `true` or `false`, bare or as text.
    pub(crate) fn flag(self, name: &str) -> Result<Option<bool>, RequestError> {
        match self.text().as_deref().unwrap_or(self.0) {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            "null" | "" => Ok(None),
            _ => Err(RequestError::Ambiguous(format!(
                "In the body, `{name}` is neither true nor false."
            ))),
        }
    }
}

/// Calls `each` with the name and raw value of every member, in order, until it returns false.
/// Returns false if the text is not one JSON object, or `each` ended the walk.
pub(super) fn each_member<'a>(
    object: &'a str,
    each: impl FnMut(Cow<'a, str>, &'a str) -> bool,
) -> bool {
    struct Walk<F>(F);

    #[derive(Deserialize)]
    struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

    impl<'de, F: FnMut(Cow<'de, str>, &'de str) -> bool> Visitor<'de> for Walk<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some(name) = map.next_key::<Name<'de>>()? {
                let raw: &'de RawValue = map.next_value()?;
                if !(self.0)(name.0, raw.get()) {
                    return Err(A::Error::custom("ended"));
                }
            }
            Ok(())
        }
    }

    let mut json = serde_json::Deserializer::from_str(object);
    json.deserialize_map(Walk(each)).is_ok() && json.end().is_ok()
}

/// Returns the same JSON object without one of its members. The order of the others, their spelling
/// and their values stay, the blanks between them go. `None` where there is no such member, or
/// `body` is not one JSON object in UTF-8.
pub(crate) fn without_member(body: &[u8], member: &str) -> Option<Bytes> {
    let text = std::str::from_utf8(body::unmarked(body)).ok()?;
    let mut kept = String::with_capacity(text.len());
    let mut found = false;
    let whole = each_member(text, |name, raw| {
        if name == member {
            found = true;
            return true;
        }
        kept.push(if kept.is_empty() { '{' } else { ',' });
        let Ok(name) = serde_json::to_string(&name) else { return false };
        kept.extend([&name, ":", raw]);
        true
    });
    if kept.is_empty() {
        kept.push('{');
    }
    kept.push('}');
    (whole && found).then(|| Bytes::from(kept))
}

/// Returns whether a lenient parser could take `name` for `known`: in any case, with look-alikes,
/// with blanks around it.
fn reads_as(name: &str, known: &str) -> bool {
    if name.is_ascii() {
        return name.trim_ascii().eq_ignore_ascii_case(known);
    }
    let upper = |text: &str| text.trim().to_lowercase().to_uppercase();
    upper(name) == upper(known) || name.to_uppercase() == upper(known)
}

#[cfg(test)]
mod tests;
