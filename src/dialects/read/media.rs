//! The media type of an answer of Weir's own, where a dialect has two.

use super::query;
use http::{HeaderMap, Uri, header};

/// JSON or XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Media {
    /// `application/json`.
    Json,
    /// `application/xml`.
    Xml,
}

impl Media {
    /// Returns the value of `Content-Type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
        }
    }
}

/// Returns the media type that a caller asks for: what `Accept` names of the two, by weight, then
/// by order; else `?format=`; else XML.
pub(crate) fn negotiate(uri: &Uri, headers: &HeaderMap) -> Media {
    let mut best: Option<(u16, Media)> = None;
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in accepted.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/json" | "text/json" => Media::Json,
            "application/xml" | "text/xml" => Media::Xml,
            suffixed if suffixed.ends_with("+json") => Media::Json,
            suffixed if suffixed.ends_with("+xml") && suffixed != "application/xhtml+xml" => {
                Media::Xml
            }
            _ => continue,
        };
        let weight = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(1000, thousandths);
        if weight > best.map_or(0, |(weight, _)| weight) {
            best = Some((weight, media));
        }
    }
    match best {
        Some((_, media)) => media,
        None if query::value(uri, "format")
            .is_some_and(|format| format.eq_ignore_ascii_case("json")) =>
        {
            Media::Json
        }
        None => Media::Xml,
    }
}

/// A weight of at most three decimals (RFC 9110, 12.4.2), as a whole number; one that is malformed
/// counts in full.
fn thousandths(weight: &str) -> u16 {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    match (whole, format!("{decimals:0<3}").parse::<u16>()) {
        ("0", Ok(weight)) if decimals.len() <= 3 => weight,
        _ => 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(uri: &str, accept: &str) -> Media {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(header::ACCEPT, accept.parse().unwrap());
        }
        negotiate(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn xml_is_answered_unless_json_is_asked_for() {
        let cart = "/v1/shoppers/me/carts/active";
        for (accept, expected) in [
            ("", Media::Xml),
            ("*/*", Media::Xml),
            ("application/json", Media::Json),
            ("application/json, */*", Media::Json),
            ("Application/JSON; charset=utf-8", Media::Json),
            ("application/xml", Media::Xml),
            ("application/xml;q=0.5, application/json;q=0.9", Media::Json),
            ("application/xml;q=0.9, application/json;q=0.5", Media::Xml),
            ("application/json;q=0", Media::Xml),
            ("application/json, application/xml", Media::Json),
            ("application/xml, application/json", Media::Xml),
            ("text/html", Media::Xml),
            ("application/vnd.dr+json", Media::Json),
        ] {
            assert_eq!(media(cart, accept), expected, "{accept}");
        }
        assert_eq!(media("/v1/shoppers/me?format=json", ""), Media::Json);
        assert_eq!(media("/v1/shoppers/me?format=json", "*/*"), Media::Json);
        assert_eq!(media("/v1/shoppers/me?format=json", "application/xml"), Media::Xml);
        assert_eq!(media("/v1/shoppers/me?format=xml", "application/json"), Media::Json);
    }
}
