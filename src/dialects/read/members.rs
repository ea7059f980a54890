//! Reads an answer member by member: lenient in form, exact in value.
//!
//! In: the text of an answer. Out: the values of the members that are asked for. A member in a form
//! that cannot be read costs that member and not the answer: it is [`Stated::Unread`], and its
//! place and form are noted, never its value. Numbers are read from their text, never through
//! binary floating point. Nothing recurses on what upstream nests.

use super::fields::each_member;
use crate::rules::{Amount, Currency, SourceState, SourceType, Stated, UnreadMember};
use serde_json::value::RawValue;
use smallvec::SmallVec;
use std::{borrow::Cow, cell::RefCell, str::FromStr};

/// An answer that cannot be understood. It passes on unchanged and teaches nothing. The text says
/// why, and quotes nothing from the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("upstream's answer cannot be understood: {0}")]
pub struct UnreadableAnswer(pub &'static str);

/// The longest text that is read as a value, in bytes.
const LONGEST: usize = 256;

/// How many things a list of an answer may have that is read. The work of learning from an answer
/// grows with the square of the sources in it. Past it, the list is unread.
pub(crate) const MOST_LISTED: usize = 256;

/// How many members of one answer are noted.
const NOTED: usize = 8;

/// The members of one answer that could not be read.
#[derive(Default)]
pub(crate) struct Notes(RefCell<Vec<UnreadMember>>);

impl Notes {
    /// Returns what was noted.
    pub(crate) fn into_unread(self) -> Vec<UnreadMember> {
        self.0.into_inner()
    }

    fn add(&self, within: &Within, name: &'static str, form: &'static str) {
        let mut member = String::new();
        for part in within.iter().copied().chain([name]) {
            if !member.is_empty() && part != "[]" {
                member.push('.');
            }
            member.push_str(part);
        }
        let noted = UnreadMember { member: member.into(), form };
        let mut all = self.0.borrow_mut();
        if all.len() < NOTED && !all.contains(&noted) {
            all.push(noted);
        }
    }
}

/// The names on the way to an object, from the outside.
type Within = SmallVec<[&'static str; 6]>;

/// An object of an answer.
pub(crate) struct Members<'a, 'n> {
    /// The object's text.
    raw: &'a str,
    within: Within,
    found: SmallVec<[(&'static str, Found<'a>); 9]>,
    notes: &'n Notes,
}

#[derive(Clone, Copy)]
enum Found<'a> {
    Once(&'a str),
    /// Readers may disagree on which of them counts.
    Twice,
}

impl<'a, 'n> Members<'a, 'n> {
    /// Reads an answer that is one JSON object. `names` are the members that are asked for.
    pub(crate) fn of(
        json: &'a [u8],
        names: &[&'static str],
        notes: &'n Notes,
    ) -> Result<Self, UnreadableAnswer> {
        let text = std::str::from_utf8(json).map_err(|_| UnreadableAnswer("it is not in UTF-8"))?;
        Self::read(text, names, Within::new(), notes)
            .ok_or(UnreadableAnswer("it is not the JSON that the call is answered with"))
    }

    fn read(
        raw: &'a str,
        names: &[&'static str],
        within: Within,
        notes: &'n Notes,
    ) -> Option<Self> {
        let mut found: SmallVec<[(&'static str, Found<'a>); 9]> = SmallVec::new();
        let whole = each_member(raw, |name, raw| {
            if let Some(name) = names.iter().find(|known| **known == &*name) {
                match found.iter_mut().find(|(known, _)| known == name) {
                    Some((_, before)) => *before = Found::Twice,
                    None => found.push((name, Found::Once(raw))),
                }
            }
            true
        });
        whole.then_some(Self { raw, within, found, notes })
    }

    /// Returns whether the object has this member, in whatever form.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.found.iter().any(|(found, _)| *found == name)
    }

    /// Notes that a member cannot be read.
    pub(crate) fn unread<T>(&self, name: &'static str, form: &'static str) -> Stated<T> {
        self.notes.add(&self.within, name, form);
        Stated::Unread
    }

    /// Returns a member's text of JSON. Upstream states nothing by `null` and by empty text, which
    /// is an empty element of XML.
    fn raw(&self, name: &'static str) -> Stated<&'a str> {
        match self.found.iter().find(|(found, _)| *found == name) {
            None => Stated::Unstated,
            Some((_, Found::Twice)) => self.unread(name, "there twice"),
            Some((_, Found::Once(raw))) => stated(raw),
        }
    }

    /// Reads an id, which may also be a number.
    pub(crate) fn id(&self, name: &'static str) -> Stated<Cow<'a, str>> {
        self.raw(name).and_then(|raw| match raw.as_bytes() {
            [b'0'..=b'9', ..] if raw.len() <= LONGEST && is_digits(raw) => {
                Stated::Stated(Cow::Borrowed(raw))
            }
            [b'"', ..] => self.text(name, raw),
            _ => self.unread(name, form(raw)),
        })
    }

    /// Reads a word, which is text.
    fn word(&self, name: &'static str) -> Stated<Cow<'a, str>> {
        self.raw(name).and_then(|raw| match raw.as_bytes() {
            [b'"', ..] => self.text(name, raw),
            _ => self.unread(name, form(raw)),
        })
    }

    /// Reads a value that is a bare word of JSON or the same as text.
    fn parsed<T: FromStr>(
        &self,
        name: &'static str,
        is_bare: fn(u8) -> bool,
        as_text: &'static str,
        bare: &'static str,
    ) -> Stated<T> {
        self.raw(name).and_then(|raw| {
            let (text, why) = match raw.as_bytes() {
                [b'"', ..] => (self.text(name, raw), as_text),
                [first, ..] if is_bare(*first) => (Stated::Stated(Cow::Borrowed(raw)), bare),
                _ => return self.unread(name, form(raw)),
            };
            text.and_then(|text| match text.parse() {
                Ok(value) => Stated::Stated(value),
                Err(_) => self.unread(name, why),
            })
        })
    }

    /// Reads an amount: a number, or text that is one.
    pub(crate) fn amount(&self, name: &'static str) -> Stated<Amount> {
        let is_number = |first: u8| first == b'-' || first.is_ascii_digit();
        self.parsed(name, is_number, "a text that is no amount", "a number that is too large")
    }

    /// Reads a flag, bare or as text.
    pub(crate) fn flag(&self, name: &'static str) -> Stated<bool> {
        self.parsed(name, |first| matches!(first, b't' | b'f'), "a text that is no flag", "a flag")
    }

    /// Reads a currency; an unknown spelling counts as missing.
    pub(crate) fn currency(&self, name: &'static str) -> Stated<Currency> {
        self.word(name).and_then(|code| code.parse().ok().into())
    }

    /// Reads a source's type.
    pub(crate) fn kind(&self, name: &'static str) -> Stated<SourceType> {
        self.word(name).map(|name| SourceType::from(&*name))
    }

    /// Reads a source's state.
    pub(crate) fn state(&self, name: &'static str) -> Stated<SourceState> {
        self.word(name).map(|name| SourceState::read(&name))
    }

    /// Reads a session's state.
    pub(crate) fn session_state(&self, name: &'static str) -> Stated<crate::rules::SessionState> {
        self.word(name).map(|name| crate::rules::SessionState::read(&name))
    }

    /// Returns an object, with those of its members that `names` lists.
    pub(crate) fn object(&self, name: &'static str, names: &[&'static str]) -> Stated<Self> {
        self.raw(name).and_then(|raw| self.enter(name, raw, names, self.inside(&[name])))
    }

    /// Returns the object that this one only wraps.
    pub(crate) fn wrapped(&self, name: &'static str, names: &[&'static str]) -> Stated<Self> {
        self.raw(name).and_then(|raw| self.enter(name, raw, names, self.within.clone()))
    }

    /// Returns the object of a name that is not listed, because it is known only now.
    pub(crate) fn object_named(&self, name: &str, names: &[&'static str]) -> Stated<Self> {
        let mut found = None;
        each_member(self.raw, |known, raw| {
            if *known == *name {
                found = Some(if found.is_none() { Found::Once(raw) } else { Found::Twice });
            }
            true
        });
        const NAMED: &str = "<type>";
        match found {
            None => Stated::Unstated,
            Some(Found::Twice) => self.unread(NAMED, "there twice"),
            Some(Found::Once(raw)) => {
                stated(raw).and_then(|raw| self.enter(NAMED, raw, names, self.inside(&[NAMED])))
            }
        }
    }

    /// Returns the objects of a list, or the one object in its place.
    pub(crate) fn list(&self, name: &'static str, names: &[&'static str]) -> Stated<Vec<Self>> {
        self.raw(name).and_then(|raw| {
            let each = |raw| self.enter("[]", raw, names, self.inside(&[name, "[]"]));
            match raw.as_bytes() {
                [b'{', ..] => {
                    self.enter(name, raw, names, self.inside(&[name])).map(|one| Vec::from([one]))
                }
                [b'[', ..] => {
                    let Ok(items) = serde_json::from_str::<Vec<&'a RawValue>>(raw) else {
                        return self.unread(name, "a list");
                    };
                    if items.len() > MOST_LISTED {
                        return self.unread(name, "a list that is too long");
                    }
                    let mut all = Vec::with_capacity(items.len());
                    for item in items {
                        let raw = item.get();
                        match raw.starts_with('{').then(|| each(raw)) {
                            Some(Stated::Stated(one)) => all.push(one),
                            _ => return self.unread(name, "a list of other things than objects"),
                        }
                    }
                    Stated::Stated(all)
                }
                _ => self.unread(name, form(raw)),
            }
        })
    }

    fn enter(
        &self,
        name: &'static str,
        raw: &'a str,
        names: &[&'static str],
        within: Within,
    ) -> Stated<Self> {
        match raw.starts_with('{').then(|| Self::read(raw, names, within, self.notes)) {
            Some(Some(object)) => Stated::Stated(object),
            Some(None) => self.unread(name, "an object with a broken name"),
            None => self.unread(name, form(raw)),
        }
    }

    fn inside(&self, names: &[&'static str]) -> Within {
        self.within.iter().chain(names).copied().collect()
    }

    fn text(&self, name: &'static str, raw: &'a str) -> Stated<Cow<'a, str>> {
        let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
        if inner.len() > LONGEST {
            return self.unread(name, "a text that is too long");
        }
        if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
            return Stated::Stated(Cow::Borrowed(inner));
        }
        match serde_json::from_str(raw) {
            Ok(text) => Stated::Stated(Cow::Owned(text)),
            Err(_) => self.unread(name, "a text with a broken escape"),
        }
    }
}

/// Reads a code: a short word that can be no secret.
pub(crate) fn code(error: &Members<'_, '_>, name: &'static str) -> Option<String> {
    let code = error.word(name).into_stated()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (code.len() <= 64 && code.bytes().all(is_plain)).then(|| code.into_owned())
}

/// Returns a value, unless upstream states nothing by it.
fn stated(raw: &str) -> Stated<&str> {
    let blank = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).is_some_and(|text| {
        text.trim_ascii().is_empty() || text.split("\\n").all(|line| line.trim_ascii().is_empty())
    });
    if blank || raw == "null" { Stated::Unstated } else { Stated::Stated(raw) }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Names the form of a value.
fn form(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a flag",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests;
