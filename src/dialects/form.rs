//! The form in which errors about a call are answered.

use super::{path, query};
use crate::dialects::{carts, checkouts};
use crate::rules::Dialect;
use http::{HeaderMap, Uri, header};

/// JSON or XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Media {
    /// `application/json`: always on checkouts, on carts where asked for.
    Json,
    /// `application/xml`: the default of the carts dialect.
    Xml,
}

/// Whose error form, in which media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Form {
    /// Whose.
    pub dialect: Dialect,
    /// JSON or XML.
    pub media: Media,
}

impl Form {
    /// The form of a dialect for this caller.
    pub(super) fn of(dialect: Dialect, uri: &Uri, headers: &HeaderMap) -> Form {
        let media = if dialect == carts::DIALECT { negotiate(uri, headers) } else { Media::Json };
        Form { dialect, media }
    }
}

/// The form in which an error about any path, also an ungoverned one, is answered: `/v1` speaks
/// carts, all else checkouts.
pub fn form_for(uri: &Uri, headers: &HeaderMap) -> Form {
    let path = uri.path();
    let carts = match path::read(path) {
        path::Path::Odd { could_be, .. } => {
            could_be.iter().any(|part| matches!(part.as_str(), "v1" | "shoppers" | "carts"))
        }
        _ => path.split('/').nth(1).is_some_and(|first| first.eq_ignore_ascii_case("v1")),
    };
    Form::of(if carts { carts::DIALECT } else { checkouts::DIALECT }, uri, headers)
}

/// `Accept` decides where it names one of the two, by weight, then by order; else `?format=`; else
/// XML.
fn negotiate(uri: &Uri, headers: &HeaderMap) -> Media {
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
        form_for(&uri.parse().unwrap(), &headers).media
    }

    #[test]
    fn carts_answer_in_xml_unless_json_is_asked_for() {
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

    #[test]
    fn every_path_has_a_dialect() {
        for (path, dialect) in [
            ("/checkouts/1", checkouts::DIALECT),
            ("/fulfillments", checkouts::DIALECT),
            ("/v1/shoppers/me/carts/active", carts::DIALECT),
            ("/v1/shoppers/me/orders", carts::DIALECT),
            ("/V1/shoppers", carts::DIALECT),
            ("//v1/shoppers/me/carts", carts::DIALECT),
            ("/%76%31/shoppers/me/carts", carts::DIALECT),
        ] {
            assert_eq!(
                form_for(&path.parse().unwrap(), &HeaderMap::new()).dialect,
                dialect,
                "{path}"
            );
        }
        assert_eq!(media("/checkouts", "application/xml"), Media::Json);
    }
}
