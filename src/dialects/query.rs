//! Reads the query of a governed call: what it filters, what it names, and whether two parsers
//! would agree on that.
//!
//! In: the raw query. Out: [`Query`], or the doubt.

use crate::rules::OptionId;
use http::Uri;
use std::borrow::Cow;

/// Fields of a body that some frameworks also accept in the query.
const FIELDS: [&str; 5] =
    ["sourceId", "customerId", "checkoutId", "creditAmount", "defaultSourceId"];

/// Parameters that change nothing but how an answer looks, or who asks.
const INERT: [&str; 5] = ["token", "apiKey", "format", "fields", "expand"];

/// What a query says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// `fields=`: the answer shows a part only.
    pub filtered: bool,
    /// `paymentOptionId`.
    pub option: Option<OptionId>,
    /// It has parameters of which Weir does not know that they change nothing.
    pub changes: bool,
    /// Names and values of what belongs into a body.
    pub fields: Vec<(&'static str, String)>,
}

impl Query {
    /// Reads the query of a governed call; the error says what is ambiguous.
    pub(super) fn read(uri: &Uri) -> Result<Query, String> {
        let mut query = Query::default();
        let Some(raw) = uri.query().filter(|raw| !raw.is_empty()) else { return Ok(query) };
        let mut token = false;
        for pair in raw.split('&') {
            for (nth, part) in pair.split(';').enumerate() {
                let Some((name, value)) = form_urlencoded::parse(part.as_bytes()).next() else {
                    continue;
                };
                let known = Known::named(&name);
                if nth > 0 && known != Known::Other {
                    return Err("The query has a parameter behind a semicolon.".to_owned());
                }
                match known {
                    Known::Token | Known::Option
                        if !matches!(&*name, "token" | "paymentOptionId") =>
                    {
                        return Err(format!(
                            "The query spells {} in an unusual way.",
                            known.name()
                        ));
                    }
                    Known::Token if token => {
                        return Err("The query has more than one token.".to_owned());
                    }
                    Known::Token => token = true,
                    Known::Option if query.option.is_some() => {
                        return Err("The query has more than one paymentOptionId.".to_owned());
                    }
                    Known::Option if super::path::is_plain_id(&value) => {
                        query.option = Some(OptionId::from(&*value))
                    }
                    Known::Option if value.is_empty() => {}
                    Known::Option => {
                        return Err(
                            "The query has a paymentOptionId that is no plain id.".to_owned()
                        );
                    }
                    Known::Method => return Err("The query overrides the method.".to_owned()),
                    Known::Filter => query.filtered = true,
                    Known::Field(_) if value.is_empty() => {}
                    Known::Field(name) => query.fields.push((name, value.into_owned())),
                    Known::Other => {}
                }
                query.changes |= !INERT.contains(&name.as_ref());
            }
        }
        Ok(query)
    }

    /// Whether a parameter overrides the method, in the eyes of some framework.
    pub(super) fn overrides_method(uri: &Uri) -> bool {
        let parts = uri.query().unwrap_or_default().split(['&', ';']);
        parts
            .flat_map(|part| form_urlencoded::parse(part.as_bytes()))
            .any(|(name, _)| Known::named(&name) == Known::Method)
    }

    /// What belongs into a body may stand in the query only where it says the same: the source that
    /// the call names anyway.
    pub(super) fn agrees_with(&self, source: Option<&str>) -> Result<(), String> {
        match self
            .fields
            .iter()
            .find(|(name, value)| *name != "sourceId" || Some(value.as_str()) != source)
        {
            Some((name, _)) => {
                Err(format!("The query has {name}, which the rest of the call does not confirm."))
            }
            None => Ok(()),
        }
    }
}

/// Whether a form, which any text can be read as, has a field that belongs into a body.
pub(super) fn hides_a_field(form: &[u8]) -> bool {
    form_urlencoded::parse(form).any(|(name, _)| matches!(Known::named(&name), Known::Field(_)))
}

/// The parameters of the caller's query that a call of Weir's own carries over, as they were
/// spelled.
pub(super) fn kept(uri: &Uri, keep: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
    uri.query().unwrap_or_default().split('&').filter(move |part| {
        form_urlencoded::parse(part.as_bytes()).next().is_some_and(|(name, _)| keep(&name))
    })
}

/// The value of the first parameter with this name.
pub(super) fn value<'a>(uri: &'a Uri, name: &str) -> Option<Cow<'a, str>> {
    let raw = uri.query()?;
    form_urlencoded::parse(raw.as_bytes()).find(|(found, _)| found == name).map(|(_, value)| value)
}

/// Whether a parameter names the caller, so that every call made for it needs it.
pub(super) fn is_credential(name: &str) -> bool {
    matches!(name, "token" | "apiKey")
}

/// Whether a parameter may stand in a call that Weir makes in the caller's place.
pub(super) fn is_harmless(name: &str) -> bool {
    INERT.contains(&name) || name == "locale"
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Token,
    Option,
    Method,
    Filter,
    Field(&'static str),
    Other,
}

impl Known {
    /// By the last part of a name like `cart[paymentMethod][sourceId]` or `paymentMethod.sourceId`,
    /// in any case.
    fn named(name: &str) -> Known {
        let name = name.trim();
        let last = name.trim_end_matches(']').rsplit(['.', '[']).next().unwrap_or(name);
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("token") {
            Known::Token
        } else if is("paymentOptionId") {
            Known::Option
        } else if [
            "_method",
            "method_override",
            "x-http-method-override",
            "x-http-method",
            "x-method-override",
        ]
        .into_iter()
        .any(is)
        {
            Known::Method
        } else if is("fields") {
            Known::Filter
        } else {
            let field = FIELDS.into_iter().find(|field| last.eq_ignore_ascii_case(field));
            field.map_or(Known::Other, Known::Field)
        }
    }

    fn name(self) -> &'static str {
        match self {
            Known::Token => "token",
            _ => "paymentOptionId",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Query, String> {
        Query::read(&format!("/v1?{query}").parse().unwrap())
    }

    #[test]
    fn what_a_query_says_is_read() {
        let query = read("token=t&fields=id&expand=all&paymentOptionId=7").unwrap();
        assert!(query.filtered && query.changes);
        assert_eq!(query.option, Some(OptionId::from("7")));
        assert!(!read("token=t&expand=all&format=json").unwrap().changes);
        assert!(read("FIELDS=id").unwrap().filtered);
        assert_eq!(read(""), Ok(Query::default()));
    }

    #[test]
    fn what_two_parsers_would_read_differently_is_refused() {
        for (query, why) in [
            ("token=a&token=b", "The query has more than one token."),
            ("token=a&%74oken=a", "The query has more than one token."),
            ("Token=a", "The query spells token in an unusual way."),
            ("paymentOptionId=1&paymentOptionId=2", "The query has more than one paymentOptionId."),
            ("paymentoptionid=1", "The query spells paymentOptionId in an unusual way."),
            ("paymentOptionId=..%2f1", "The query has a paymentOptionId that is no plain id."),
            ("a=1;token=b", "The query has a parameter behind a semicolon."),
            ("_method=DELETE", "The query overrides the method."),
        ] {
            assert_eq!(read(query), Err(why.to_owned()), "{query}");
        }
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
