//! Reads the query of a governed call: what it filters, what it names, and whether two parsers
//! would agree on that.

use super::escapes::is_plain_id;
use http::Uri;
use std::borrow::Cow;

/// The parameters of one dialect's queries that have a meaning.
#[derive(Debug)]
pub(crate) struct Parameters {
    /// Members of a body that some frameworks also accept in the query.
    pub body_fields: &'static [&'static str],
    /// The parameter that names a thing by its id.
    pub id: Option<&'static str>,
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
    pub(crate) fn read(uri: &Uri, parameters: &Parameters) -> Result<Self, String> {
        let mut query = Self::default();
        let Some(raw) = uri.query().filter(|raw| !raw.is_empty()) else { return Ok(query) };
        let mut token = false;
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
        token: &mut bool,
    ) -> Result<(), String> {
        match known {
            Meaning::Token | Meaning::Id(_) if known.spelling() != Some(name) => {
                let spelling = known.spelling().unwrap_or_default();
                return Err(format!("The query spells `{spelling}` in an unusual way."));
            }
            Meaning::Token if *token => {
                return Err("The query has more than one `token`.".to_owned());
            }
            Meaning::Token => *token = true,
            Meaning::Id(name) if self.id.is_some() => {
                return Err(format!("The query has more than one `{name}`."));
            }
            Meaning::Id(_) if is_plain_id(&value) => self.id = Some(value.into_owned()),
            Meaning::Id(_) if value.is_empty() => {}
            Meaning::Id(name) => {
                return Err(format!("The query has a `{name}` that is no plain id."));
            }
            Meaning::Method => return Err("The query overrides the method.".to_owned()),
            Meaning::Filter => self.filtered = true,
            Meaning::Field(_) if value.is_empty() => {}
            Meaning::Field(name) => self.fields.push((name, value.into_owned())),
            Meaning::Other => {}
        }
        Ok(())
    }

    /// Returns whether some framework would take a parameter for the method.
    pub(crate) fn overrides_method(uri: &Uri) -> bool {
        let parts = uri.query().unwrap_or_default().split(['&', ';']);
        parts
            .flat_map(|part| form_urlencoded::parse(part.as_bytes()))
            .any(|(name, _)| is_override(name.trim()))
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
    Method,
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
        if is_override(name) {
            return Meaning::Method;
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
        inert: &["token", "apiKey", "format", "fields", "expand"],
    };

    fn read(query: &str) -> Result<Query, String> {
        Query::read(&format!("/v1?{query}").parse().unwrap(), &PARAMETERS)
    }

    #[test]
    fn what_a_query_says_is_read() {
        let query = read("token=t&fields=id&expand=all&paymentOptionId=7").unwrap();
        assert!(query.filtered && query.changes);
        assert_eq!(query.id.as_deref(), Some("7"));
        assert!(!read("token=t&expand=all&format=json").unwrap().changes);
        assert!(read("FIELDS=id").unwrap().filtered);
        assert_eq!(read(""), Ok(Query::default()));
    }

    #[test]
    fn what_two_parsers_would_read_differently_is_refused() {
        for (query, why) in [
            ("token=a&token=b", "The query has more than one `token`."),
            ("token=a&%74oken=a", "The query has more than one `token`."),
            ("Token=a", "The query spells `token` in an unusual way."),
            (
                "paymentOptionId=1&paymentOptionId=2",
                "The query has more than one `paymentOptionId`.",
            ),
            ("paymentoptionid=1", "The query spells `paymentOptionId` in an unusual way."),
            ("paymentOptionId=..%2f1", "The query has a `paymentOptionId` that is no plain id."),
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
