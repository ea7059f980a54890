//! Reads a request's body, strictly: the fields that rules look at, or the doubt about them.
//!
//! In: the body as received, and the members that matter. Out: their values as raw text, and what
//! else the body names. Whatever two parsers could read differently is an error: duplicate members,
//! other spellings of their names, other encodings, text around the object. Nothing recurses on
//! what a caller nests: only the listed members are entered.

use super::{
    coding::{self, Undecoded},
    path, query, xml,
};
use crate::rules::{Amount, Dialect, Violation};
use http::{HeaderMap, header};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// The most a request may decode to, in bytes. What it may weigh on the wire is the operator's
/// limit.
pub(super) const DECODED_AT_MOST: usize = 1 << 20;

/// How deep a body may nest.
const DEPTH: usize = 128;

/// How long a number may be, in bytes, and how large its exponent.
const DIGITS: usize = 64;
const EXPONENT: u32 = 308;

/// Why a governed call cannot be read. No text of it is quoted beyond names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Two parsers could read it differently.
    Ambiguous(String),
    /// It decodes to too much.
    TooLarge,
    /// It is broken.
    Malformed(&'static str),
}

impl Trouble {
    pub(super) fn ambiguous(what: impl Into<String>) -> Self {
        Trouble::Ambiguous(what.into())
    }

    /// As the violation of a dialect's `ambiguous-request`.
    pub(super) fn told_in(self, dialect: Dialect) -> super::Unreadable {
        match self {
            Trouble::Ambiguous(what) => {
                super::Unreadable::Ambiguous(Box::new(Violation::ambiguous(dialect, what)))
            }
            Trouble::TooLarge => super::Unreadable::TooLarge,
            Trouble::Malformed(what) => super::Unreadable::Malformed(what),
        }
    }
}

/// A member that a rule looks at, or that holds such a member.
pub(super) struct Member {
    /// Its one right spelling.
    pub name: &'static str,
    /// What it holds; empty where it is a value.
    pub of: &'static [Member],
}

/// A member that is a value.
pub(super) const fn value(name: &'static str) -> Member {
    Member { name, of: &[] }
}

/// What a body says.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    found: Vec<(&'static str, Value<'a>)>,
    others: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Fields<'a> {
    /// Reads the text of a body; an empty one has no fields.
    pub(super) fn read(text: &'a str, members: &'static [Member]) -> Result<Self, Trouble> {
        let mut fields = Fields::default();
        if !text.trim_ascii().is_empty() {
            bounded(text)?;
            fields.enter(text, members)?;
        }
        Ok(fields)
    }

    /// The value of a member that is there.
    pub(super) fn get(&self, name: &str) -> Option<Value<'a>> {
        self.found.iter().find(|(found, _)| *found == name).map(|(_, value)| *value)
    }

    /// The one id that all members of this name agree on; `None` where none is set.
    pub(super) fn id(&self, name: &'static str) -> Result<Option<Cow<'a, str>>, Trouble> {
        let mut agreed: Option<Cow<'a, str>> = None;
        for (_, value) in self.found.iter().filter(|(found, _)| *found == name) {
            match (&agreed, value.id(name)?) {
                (Some(one), Some(other)) if *one != other => {
                    return Err(Trouble::Ambiguous(format!(
                        "The body has two values of {name} that differ."
                    )));
                }
                (None, Some(id)) => agreed = Some(id),
                _ => {}
            }
        }
        Ok(agreed)
    }

    /// The members that are not listed, at every level that was entered.
    pub(super) fn others(&self) -> impl Iterator<Item = (&str, Value<'a>)> {
        self.others.iter().map(|(name, value)| (&**name, *value))
    }

    fn enter(&mut self, object: &'a str, members: &'static [Member]) -> Result<(), Trouble> {
        let mut seen: Vec<&'static str> = Vec::new();
        let mut trouble = None;
        let walked = each_member(object, |name, raw| {
            let result = self.take(name, Value(raw), members, &mut seen);
            result.map_err(|why| trouble = Some(why)).is_ok()
        });
        match trouble {
            Some(why) => Err(why),
            None if walked => Ok(()),
            None => Err(Trouble::ambiguous("The body is not one JSON object.")),
        }
    }

    fn take(
        &mut self,
        name: Cow<'a, str>,
        value: Value<'a>,
        members: &'static [Member],
        seen: &mut Vec<&'static str>,
    ) -> Result<(), Trouble> {
        let Some(member) = members.iter().find(|member| reads_as(&name, member.name)) else {
            self.others.push((name, value));
            return Ok(());
        };
        if name != member.name {
            return Err(Trouble::Ambiguous(format!(
                "The body spells {} in an unusual way.",
                member.name
            )));
        }
        if seen.contains(&member.name) {
            return Err(Trouble::Ambiguous(format!(
                "The body has {} more than once.",
                member.name
            )));
        }
        seen.push(member.name);
        match (member.of, value.0.as_bytes().first()) {
            ([], _) => self.found.push((member.name, value)),
            (of, Some(b'{')) => self.enter(value.0, of)?,
            (_, _) if value.is_nothing() => {}
            _ => {
                return Err(Trouble::Ambiguous(format!(
                    "In the body, {} is not an object.",
                    member.name
                )));
            }
        }
        Ok(())
    }
}

/// A value as raw JSON text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a>(&'a str);

impl<'a> Value<'a> {
    /// `null`, or text without a character.
    pub(super) fn is_nothing(self) -> bool {
        matches!(self.0, "null" | "\"\"")
    }

    pub(super) fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// Text, if it is text.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        serde_json::from_str::<Text<'a>>(self.0).ok().map(|text| text.0)
    }

    /// An id: text, or a whole number, which parsers take for its digits.
    fn id(self, name: &str) -> Result<Option<Cow<'a, str>>, Trouble> {
        if self.is_nothing() {
            return Ok(None);
        }
        let id = match self.text() {
            Some(text) => text,
            None if self.0.bytes().all(|byte| byte.is_ascii_digit()) => Cow::Borrowed(self.0),
            None => return Err(Trouble::Ambiguous(format!("In the body, {name} is not text."))),
        };
        match path::is_plain_id(&id) {
            true => Ok(Some(id)),
            false => Err(Trouble::Ambiguous(format!(
                "In the body, {name} has characters that ids do not have."
            ))),
        }
    }

    /// An amount: a number, or text that is one.
    pub(super) fn amount(self) -> Result<Option<Amount>, Trouble> {
        if self.is_nothing() {
            return Ok(None);
        }
        let text = self.text().unwrap_or(Cow::Borrowed(self.0));
        text.parse().map(Some).map_err(|_| {
            Trouble::Malformed("An amount is not a decimal number of at most 28 digits.")
        })
    }

    /// `true` or `false`, bare or as text.
    pub(super) fn flag(self, name: &str) -> Result<Option<bool>, Trouble> {
        match self.text().as_deref().unwrap_or(self.0) {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            "null" | "" => Ok(None),
            _ => Err(Trouble::Ambiguous(format!("In the body, {name} is neither true nor false."))),
        }
    }
}

/// The body in the clear, as text: decoded, in UTF-8, without a byte order mark.
pub(super) fn text<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Cow<'a, str>, Trouble> {
    let plain = coding::decode(headers, body, DECODED_AT_MOST).map_err(|why| match why {
        Undecoded::TooLarge => Trouble::TooLarge,
        Undecoded::Corrupt => Trouble::Malformed("The body is not what its Content-Encoding says."),
        Undecoded::Unknown => {
            Trouble::ambiguous("The body has a Content-Encoding that cannot be read here.")
        }
    })?;
    if plain.is_empty() {
        return Ok(Cow::Borrowed(""));
    }
    let ascii = plain.is_ascii();
    for value in headers.get_all(header::CONTENT_TYPE) {
        match charset(value.as_bytes()) {
            None | Some(Charset::Utf8) => {}
            Some(Charset::LikeAscii) if ascii => {}
            Some(_) => return Err(Trouble::ambiguous("The body is not in UTF-8.")),
        }
        // Clients that say "form" of their JSON are common; JSON that is a form, too, is a trick.
        if says_form(value.as_bytes()) && query::hides_a_field(&plain) {
            return Err(Trouble::ambiguous("The body can be read as a form."));
        }
    }
    if plain.starts_with(b"\xEF\xBB\xBF") {
        return Err(Trouble::ambiguous("The body begins with a byte order mark."));
    }
    let not_text = |_| Trouble::ambiguous("The body is not in UTF-8.");
    match plain {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(not_text),
        Cow::Owned(bytes) => {
            String::from_utf8(bytes).map(Cow::Owned).map_err(|error| not_text(error.utf8_error()))
        }
    }
}

/// The same, where XML is understood too: an XML document becomes the JSON of its elements.
pub(super) fn text_or_xml<'a>(
    headers: &HeaderMap,
    body: &'a [u8],
) -> Result<Cow<'a, str>, Trouble> {
    let text = text(headers, body)?;
    if !text.trim_ascii_start().starts_with('<') {
        return Ok(text);
    }
    xml::request_to_json(&text).map(Cow::Owned)
}

/// Calls `each` with the name and raw value of every member, in order, until it says no.
/// False if the text is not one JSON object, or `each` ended it.
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

/// Whether a lenient parser could take `name` for `known`: in any case, with look-alikes, with
/// blanks around it.
fn reads_as(name: &str, known: &str) -> bool {
    if name.is_ascii() {
        return name.trim_ascii().eq_ignore_ascii_case(known);
    }
    let upper = |text: &str| text.trim().to_lowercase().to_uppercase();
    upper(name) == upper(known) || name.to_uppercase() == upper(known)
}

/// Refuses what nests deeper, or counts further, than parsers agree to read. One pass, no
/// recursion.
fn bounded(text: &str) -> Result<(), Trouble> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'0'..=b'9' | b'-' => {
                let rest = &bytes[at..];
                let is_part =
                    |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
                let length = rest.iter().position(|b| !is_part(b)).unwrap_or(rest.len());
                if !is_sane(&text[at..at + length]) {
                    return Err(Trouble::Malformed("A number in the body is too large."));
                }
                at += length - 1;
            }
            _ => {}
        }
        if depth > DEPTH {
            return Err(Trouble::Malformed("The body is nested too deeply."));
        }
        at += 1;
    }
    Ok(())
}

fn is_sane(number: &str) -> bool {
    let exponent =
        number.split_once(['e', 'E']).map(|(_, exponent)| exponent.trim_start_matches(['+', '-']));
    number.len() <= DIGITS
        && exponent.is_none_or(|text| text.parse::<u32>().is_ok_and(|power| power <= EXPONENT))
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at;
        }
        at += 2;
    }
    bytes.len()
}

fn says_form(content_type: &[u8]) -> bool {
    const FORM: &[u8] = b"application/x-www-form-urlencoded";
    content_type
        .trim_ascii_start()
        .get(..FORM.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(FORM))
}

enum Charset {
    Utf8,
    /// Agrees with UTF-8 on ASCII.
    LikeAscii,
    Other,
}

fn charset(content_type: &[u8]) -> Option<Charset> {
    let text = String::from_utf8_lossy(content_type).to_ascii_lowercase();
    let mut found = None;
    for parameter in text.split(';').skip(1) {
        let Some((_, name)) = parameter.split_once('=').filter(|(key, _)| key.trim() == "charset")
        else {
            continue;
        };
        let one = match name.trim().trim_matches('"').trim_matches('\'') {
            "utf-8" | "utf8" => Charset::Utf8,
            "us-ascii" | "ascii" | "iso-8859-1" | "iso-8859-15" | "latin1" | "windows-1252" => {
                Charset::LikeAscii
            }
            _ => return Some(Charset::Other),
        };
        if !matches!(found, Some(Charset::LikeAscii)) {
            found = Some(one);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHOD: &[Member] = &[value("sourceId")];
    const MEMBERS: &[Member] =
        &[value("sourceId"), value("creditAmount"), Member { name: "paymentMethod", of: METHOD }];

    fn source(body: &str) -> Result<Option<String>, Trouble> {
        Fields::read(body, MEMBERS)?.id("sourceId").map(|id| id.map(Cow::into_owned))
    }

    #[test]
    fn a_field_is_found_where_it_is_listed() {
        for (body, expected) in [
            ("", None),
            ("  \n", None),
            ("{}", None),
            (r#"{"sourceId":null}"#, None),
            (r#"{"sourceId":""}"#, None),
            (r#"{"sourceId":"a-1"}"#, Some("a-1")),
            (r#"{"source\u0049d":"\u0061-1"}"#, Some("a-1")),
            (r#"{"sourceId":177642590336}"#, Some("177642590336")),
            (r#"{"paymentMethod":{"sourceId":"a"}}"#, Some("a")),
            (r#"{"paymentMethod":{"sourceId":"a"},"sourceId":"a"}"#, Some("a")),
            (r#"{"paymentMethod":null,"items":[{"sourceId":"b"},{"sourceId":"c"}]}"#, None),
        ] {
            assert_eq!(source(body), Ok(expected.map(str::to_owned)), "{body}");
        }
    }

    #[test]
    fn what_two_parsers_would_read_differently_is_ambiguous() {
        for (body, why) in [
            (r#"{"sourceId":"a","sourceId":"a"}"#, "The body has sourceId more than once."),
            (r#"{"sourceId":"a","source\u0049d":"b"}"#, "The body has sourceId more than once."),
            (
                r#"{"paymentMethod":{"sourceId":"a","sourceId":"b"}}"#,
                "The body has sourceId more than once.",
            ),
            (
                r#"{"paymentMethod":{},"paymentMethod":{"sourceId":"b"}}"#,
                "The body has paymentMethod more than once.",
            ),
            (
                r#"{"paymentMethod":{"sourceId":"a"},"sourceId":"b"}"#,
                "The body has two values of sourceId that differ.",
            ),
            (r#"{"SourceId":"a"}"#, "The body spells sourceId in an unusual way."),
            (r#"{"sourceid":"a"}"#, "The body spells sourceId in an unusual way."),
            (r#"{" sourceId":"a"}"#, "The body spells sourceId in an unusual way."),
            ("{\"\u{17f}ourceId\":\"a\"}", "The body spells sourceId in an unusual way."),
            (
                r#"{"paymentMethod":[{"sourceId":"a"}]}"#,
                "In the body, paymentMethod is not an object.",
            ),
            (r#"{"sourceId":true}"#, "In the body, sourceId is not text."),
            (r#"{"sourceId":1.0}"#, "In the body, sourceId is not text."),
            (r#"{"sourceId":["a"]}"#, "In the body, sourceId is not text."),
            (r#"{"sourceId":" a"}"#, "In the body, sourceId has characters that ids do not have."),
            (
                r#"{"sourceId":"../x"}"#,
                "In the body, sourceId has characters that ids do not have.",
            ),
            (r#"{"sourceId":"a"} {}"#, "The body is not one JSON object."),
            (r#"{"sourceId":"a"}x"#, "The body is not one JSON object."),
            (r#"{"sourceId":"a",}"#, "The body is not one JSON object."),
            (r#"{'sourceId':'a'}"#, "The body is not one JSON object."),
            (r#"{/**/"sourceId":"a"}"#, "The body is not one JSON object."),
            (r#"[{"sourceId":"a"}]"#, "The body is not one JSON object."),
            (r#""sourceId""#, "The body is not one JSON object."),
            ("null", "The body is not one JSON object."),
            ("sourceId=a", "The body is not one JSON object."),
            ("<sourceId>a</sourceId>", "The body is not one JSON object."),
        ] {
            assert_eq!(source(body), Err(Trouble::ambiguous(why)), "{body}");
        }
    }

    #[test]
    fn depth_and_numbers_have_bounds() {
        let deep = |n: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(n), "]".repeat(n));
        assert_eq!(source(&deep(127)), Ok(None));
        for body in [deep(128), deep(500_000), format!(r#"{{"a":{}"#, "{\"a\":".repeat(400_000))] {
            assert_eq!(source(&body), Err(Trouble::Malformed("The body is nested too deeply.")));
        }
        for number in
            ["1".repeat(65), "1e309".to_owned(), "1E+99999999999".to_owned(), "-1e-400".to_owned()]
        {
            let expected = Err(Trouble::Malformed("A number in the body is too large."));
            assert_eq!(source(&format!(r#"{{"a":{number}}}"#)), expected, "{number}");
        }
        assert_eq!(source(r#"{"a":"[[[1e999\"","b":12345678901234567890.12}"#), Ok(None));
    }

    #[test]
    fn amounts_and_flags_are_read_from_either_form() {
        let credit = |body: &str| {
            Fields::read(body, MEMBERS).unwrap().get("creditAmount").map(Value::amount)
        };
        assert_eq!(credit(r#"{"creditAmount":11.00}"#), Some(Ok(Some("11".parse().unwrap()))));
        assert_eq!(credit(r#"{"creditAmount":"11.10"}"#), Some(Ok(Some("11.1".parse().unwrap()))));
        assert_eq!(credit(r#"{"creditAmount":null}"#), Some(Ok(None)));
        assert!(matches!(credit(r#"{"creditAmount":{}}"#), Some(Err(Trouble::Malformed(_)))));
        for (text, expected) in [("true", Some(true)), ("\"false\"", Some(false)), ("null", None)] {
            assert_eq!(Value(text).flag("f"), Ok(expected), "{text}");
        }
        assert!(Value("1").flag("f").is_err());
    }

    #[test]
    fn the_body_counts_and_not_its_content_type_but_its_encoding_does() {
        let read = |content_type: &str, body: &'static [u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
            text(&headers, body).map(Cow::into_owned)
        };
        for content_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=UTF-8",
            "x/y;charset=latin1",
        ] {
            assert_eq!(read(content_type, b"{}"), Ok("{}".to_owned()), "{content_type}");
        }
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        assert!(read(form, br#"{"paymentMethod":{"sourceId":"a"}}"#).is_ok());
        assert_eq!(
            read(form, br#"{"a":"&sourceId=b&"}"#),
            Err(Trouble::ambiguous("The body can be read as a form."))
        );
        let not_utf8 = Err(Trouble::ambiguous("The body is not in UTF-8."));
        assert_eq!(read("application/json; charset=utf-16", b"{}"), not_utf8);
        assert_eq!(read("application/json; charset=utf-7", b"{}"), not_utf8);
        assert_eq!(read("application/json; charset=latin1", "{\"\u{e9}\":1}".as_bytes()), not_utf8);
        assert_eq!(read("application/json", b"{\"\xff\":1}"), not_utf8);
        assert!(read("application/json", b"\xEF\xBB\xBF{}").is_err());
    }
}
