//! Reads the query of a governed call: what it filters, what it names, and whether two parsers
//! would agree on that.

use super::escapes::LONGEST_ID;
use http::{Method, Uri};
use std::borrow::Cow;

/// The parameters of one dialect's queries that have a meaning.
#[derive(Debug)]
pub(crate) struct Parameters {
    /// Members of a body that some frameworks also accept in the query.
    pub body_fields: &'static [&'static str],
    /// The parameter that names a thing by its id.
    pub id: Option<&'static str>,
    /// The parameter that overrides the method of a call that a script makes, if there is one.
    pub method: Option<&'static str>,
    /// Parameters that change only how an answer looks, or who asks.
    pub inert: &'static [&'static str],
}

/// What a query says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// `fields=`: the answer shows a part only.
    pub filtered: bool,
    /// The id in the parameter that names a thing.
    pub id: Option<String>,
    /// It has a parameter that is not known to change nothing.
    pub changes: bool,
    /// Names and values of parameters that belong into a body.
    pub fields: Vec<(&'static str, String)>,
}

impl Query {
    /// Reads the query of a governed call; the error says what is ambiguous.
    pub(crate) fn read(
        method: &Method,
        uri: &Uri,
        parameters: &Parameters,
    ) -> Result<Self, String> {
        if Self::overrides_method(method, uri, parameters) {
            return Err("The query overrides the method.".to_owned());
        }
        let mut query = Self::default();
        let Some(raw) = uri.query().filter(|raw| !raw.is_empty()) else { return Ok(query) };
        let mut token = None;
        for pair in raw.split('&') {
            for (nth, part) in pair.split(';').enumerate() {
                let Some((name, value)) = form_urlencoded::parse(part.as_bytes()).next() else {
                    continue;
                };
                let known = parameters.meaning(&name);
                if nth > 0 && known != Meaning::Other {
                    return Err("The query has a parameter behind a semicolon.".to_owned());
                }
                query.take(known, &name, value, &mut token)?;
                query.changes |= !parameters.inert.contains(&name.as_ref());
            }
        }
        Ok(query)
    }

    fn take(
        &mut self,
        known: Meaning,
        name: &str,
        value: Cow<'_, str>,
        token: &mut Option<String>,
    ) -> Result<(), String> {
        match known {
            Meaning::Token | Meaning::Id(_) if known.spelling() != Some(name) => {
                let spelling = known.spelling().unwrap_or_default();
                return Err(format!("The query spells `{spelling}` in an unusual way."));
            }
            Meaning::Token => one_value(token, "token", value)?,
            Meaning::Id(_) if value.is_empty() => {}
            Meaning::Id(name) if value.len() > LONGEST_ID => {
                return Err(format!("The query has a `{name}` of more than {LONGEST_ID} bytes."));
            }
            Meaning::Id(name) => one_value(&mut self.id, name, value)?,
            Meaning::Filter => self.filtered = true,
            Meaning::Field(_) if value.is_empty() => {}
            Meaning::Field(name) => self.fields.push((name, value.into_owned())),
            Meaning::Other => {}
        }
        Ok(())
    }

    /// Returns whether some framework, or the vendor for a script, would take a parameter for
    /// another method than the call's.
    pub(crate) fn overrides_method(method: &Method, uri: &Uri, parameters: &Parameters) -> bool {
        const CHANGING: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];
        let of_script = |name: &str, value: &str| {
            let value = value.trim();
            parameters.method.is_some_and(|known| name.eq_ignore_ascii_case(known))
                && CHANGING.iter().any(|changing| value.eq_ignore_ascii_case(changing))
                && !value.eq_ignore_ascii_case(method.as_str())
        };
        let Some(query) = uri.query() else { return false };
        query
            .split(['&', ';'])
            .flat_map(|part| form_urlencoded::parse(part.as_bytes()))
            .any(|(name, value)| is_override(name.trim()) || of_script(name.trim(), &value))
    }

    /// Checks that a parameter that belongs into a body names the source that the rest of the call
    /// names.
    pub(crate) fn agrees_with(&self, source: Option<&str>) -> Result<(), String> {
        match self
            .fields
            .iter()
            .find(|(name, value)| *name != "sourceId" || Some(value.as_str()) != source)
        {
            Some((name, _)) => {
                Err(format!("The query has `{name}`, which the rest of the call does not confirm."))
            }
            None => Ok(()),
        }
    }
}

/// Notes the value of a parameter, which may stand twice where it says the same twice.
fn one_value(noted: &mut Option<String>, name: &str, value: Cow<'_, str>) -> Result<(), String> {
    match noted {
        Some(noted) if *noted != value => {
            Err(format!("The query has two values of `{name}` that differ."))
        }
        _ => {
            *noted = Some(value.into_owned());
            Ok(())
        }
    }
}

/// Returns the parameters of the caller's query that a call of Weir's own carries over, in the
/// caller's spelling.
pub(crate) fn kept(uri: &Uri, keep: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
    uri.query().unwrap_or_default().split('&').filter(move |part| {
        form_urlencoded::parse(part.as_bytes()).next().is_some_and(|(name, _)| keep(&name))
    })
}

/// Returns the value of the first parameter with this name.
pub(crate) fn value<'a>(uri: &'a Uri, name: &str) -> Option<Cow<'a, str>> {
    let raw = uri.query()?;
    form_urlencoded::parse(raw.as_bytes()).find(|(found, _)| found == name).map(|(_, value)| value)
}

/// Returns whether a parameter names the caller, so that every call made for it needs it.
pub(crate) fn is_credential(name: &str) -> bool {
    matches!(name, "token" | "apiKey")
}

/// What a parameter means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Token,
    /// The parameter that names a thing by its id, in its right spelling.
    Id(&'static str),
    Filter,
    Field(&'static str),
    Other,
}

impl Meaning {
    /// Returns the one right spelling of the name, where only one is taken.
    fn spelling(self) -> Option<&'static str> {
        match self {
            Self::Token => Some("token"),
            Self::Id(name) => Some(name),
            _ => None,
        }
    }
}

impl Parameters {
    /// Returns whether a form, which any text can be read as, has a field that belongs into a body.
    pub(crate) fn hides_a_field(&self, form: &[u8]) -> bool {
        form_urlencoded::parse(form)
            .any(|(name, _)| matches!(self.meaning(&name), Meaning::Field(_)))
    }

    /// Reads a field by the last part of a name like `cart[paymentMethod][sourceId]` or
    /// `paymentMethod.sourceId`, and every name in any case.
    fn meaning(&self, name: &str) -> Meaning {
        let name = name.trim();
        let last = name.trim_end_matches(']').rsplit(['.', '[']).next().unwrap_or(name);
        if name.eq_ignore_ascii_case("token") {
            return Meaning::Token;
        }
        if let Some(id) = self.id.filter(|id| name.eq_ignore_ascii_case(id)) {
            return Meaning::Id(id);
        }
        if name.eq_ignore_ascii_case("fields") {
            return Meaning::Filter;
        }
        let field = self.body_fields.iter().find(|field| last.eq_ignore_ascii_case(field));
        field.map_or(Meaning::Other, |field| Meaning::Field(field))
    }
}

fn is_override(name: &str) -> bool {
    const OVERRIDES: [&str; 5] = [
        "_method",
        "method_override",
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
    ];
    OVERRIDES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: Parameters = Parameters {
        body_fields: &["sourceId", "checkoutId"],
        id: Some("paymentOptionId"),
        method: Some("method"),
        inert: &["token", "apiKey", "format", "fields", "expand"],
    };

    fn read(query: &str) -> Result<Query, String> {
        Query::read(&Method::GET, &format!("/v1?{query}").parse().unwrap(), &PARAMETERS)
    }

    #[test]
    fn what_a_query_says_is_read() {
        let query = read("token=t&fields=id&expand=all&paymentOptionId=7").unwrap();
        assert!(query.filtered && query.changes);
        assert_eq!(query.id.as_deref(), Some("7"));
        assert!(!read("token=t&expand=all&format=json").unwrap().changes);
        assert!(read("FIELDS=id").unwrap().filtered);
        assert_eq!(read(""), Ok(Query::default()));
        assert_eq!(read("paymentOptionId=a%7Cb%20c").unwrap().id.as_deref(), Some("a|b c"));
        let long = |length| format!("paymentOptionId={}", "x".repeat(length));
        assert!(read(&long(256)).is_ok() && read(&long(257)).is_err());
    }

    #[test]
    fn what_two_parsers_would_read_differently_is_refused() {
        for (query, why) in [
            ("token=a&token=b", "The query has two values of `token` that differ."),
            ("token=a&%74oken=b", "The query has two values of `token` that differ."),
            ("Token=a", "The query spells `token` in an unusual way."),
            (
                "paymentOptionId=1&paymentOptionId=2",
                "The query has two values of `paymentOptionId` that differ.",
            ),
            ("paymentoptionid=1", "The query spells `paymentOptionId` in an unusual way."),
            ("a=1;token=b", "The query has a parameter behind a semicolon."),
            ("_method=DELETE", "The query overrides the method."),
        ] {
            assert_eq!(read(query), Err(why.to_owned()), "{query}");
        }
    }

    #[test]
    fn a_script_may_override_the_method_and_a_read_stays_a_read() {
        for query in [
            "method=post&callback=f",
            "callback=f&Method=PUT",
            "method=%64elete",
            "method=get&method=delete",
            "a=1;method=patch",
            "_method=get",
        ] {
            assert_eq!(read(query), Err("The query overrides the method.".to_owned()), "{query}");
        }
        for query in ["method=get&callback=f", "method=", "method=card", "paymentmethod=post"] {
            assert!(read(query).is_ok(), "{query}");
        }
        let uri = "/v1?method=post".parse().unwrap();
        assert!(Query::read(&Method::POST, &uri, &PARAMETERS).is_ok());
        assert!(Query::read(&Method::DELETE, &uri, &PARAMETERS).is_err());
        let none = Parameters { method: None, ..PARAMETERS };
        assert!(Query::read(&Method::GET, &uri, &none).is_ok());
    }

    #[test]
    fn the_same_value_twice_is_one_value() {
        for query in
            ["token=a&token=a", "token=a&%74oken=%61", "paymentOptionId=1&paymentOptionId=1"]
        {
            let once = query.split('&').next().unwrap();
            assert_eq!(
                read(query).map(|query| query.id),
                read(once).map(|query| query.id),
                "{query}"
            );
        }
        assert!(read("token=a&token=").is_err());
    }

    #[test]
    fn a_field_in_the_query_must_say_what_the_call_says() {
        let query = read("paymentMethod.sourceId=a").unwrap();
        assert_eq!(query.agrees_with(Some("a")), Ok(()));
        assert!(query.agrees_with(Some("b")).is_err());
        assert!(query.agrees_with(None).is_err());
        assert!(read("checkoutId=1").unwrap().agrees_with(Some("1")).is_err());
        assert!(read("SOURCEID=a").unwrap().agrees_with(None).is_err());
    }
}
