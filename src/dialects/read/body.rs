//! Reads the text of a request's body.

use super::{
    coding::{DecodeError, DecodedBody},
    query::Parameters,
};
use http::{HeaderMap, header};
use serde_json::value::RawValue;

/// Why a governed call cannot be read. The texts quote nothing of the call but names of members.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    /// Two parsers could read it differently.
    #[error("{0}")]
    Ambiguous(String),
    /// It decodes to too much.
    #[error("the body decodes to more than the limit")]
    TooLarge,
    /// It is broken.
    #[error("{0}")]
    Malformed(&'static str),
}

impl RequestError {
    pub(crate) fn ambiguous(what: impl Into<String>) -> Self {
        Self::Ambiguous(what.into())
    }
}

/// Returns the body as text: in UTF-8, without a byte order mark, and no form that hides one of the
/// dialect's fields. Decides by the body itself, whatever its `Content-Type` says: one JSON object
/// is no form.
pub(crate) fn text<'a>(
    headers: &HeaderMap,
    body: &'a DecodedBody<'_>,
    parameters: &Parameters,
) -> Result<&'a str, RequestError> {
    let decoded = body.get().map_err(|why| match why {
        DecodeError::TooLarge => RequestError::TooLarge,
        DecodeError::Corrupt => {
            RequestError::Malformed("The body is not what its Content-Encoding says.")
        }
        DecodeError::Unknown => {
            RequestError::ambiguous("The body has a Content-Encoding that cannot be read here.")
        }
    })?;
    let decoded = unmarked(decoded);
    if decoded.is_empty() {
        return Ok("");
    }
    let ascii = decoded.is_ascii();
    let text = || std::str::from_utf8(decoded);
    for value in headers.get_all(header::CONTENT_TYPE) {
        match charset(value.as_bytes()) {
            None | Some(Charset::Utf8) => {}
            Some(Charset::LikeAscii) if ascii => {}
            Some(_) => return Err(RequestError::ambiguous("The body is not in UTF-8.")),
        }
        // Clients that say "form" of their JSON are common.
        if says_form(value.as_bytes())
            && parameters.hides_a_field(decoded)
            && !text().is_ok_and(is_object)
        {
            return Err(RequestError::ambiguous("The body can be read as a form."));
        }
    }
    text().map_err(|_| RequestError::ambiguous("The body is not in UTF-8."))
}

/// Returns a body without the byte order mark that may stand before JSON (RFC 8259, 8.1) and XML
/// (XML 1.0, 4.3.3).
pub(crate) fn unmarked(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)
}

/// Returns whether a body is empty, or what clients send that mean no body.
pub(crate) fn says_nothing(text: &str) -> bool {
    let text = text.trim_ascii();
    let is_empty_list = || {
        let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        inner.is_some_and(|inner| inner.trim_ascii().is_empty())
    };
    matches!(text, "" | "null" | "\"\"") || is_empty_list()
}

fn is_object(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok_and(|value| value.get().starts_with('{'))
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
    use crate::dialects::read::coding::decoded_body;

    const PARAMETERS: Parameters =
        Parameters { body_fields: &["sourceId"], id: None, method: None, inert: &[] };

    #[test]
    fn the_body_counts_and_not_its_content_type_but_its_encoding_does() {
        let read = |content_type: &str, body: &'static [u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
            let body = decoded_body(&headers, body, 1 << 20);
            text(&headers, &body, &PARAMETERS).map(str::to_owned)
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
        for object in [&br#"{"a":"&sourceId=b&"}"#[..], br#" {"a":"/?b=1&customerId=5"} "#] {
            assert!(read(form, object).is_ok(), "one JSON object is no form");
        }
        for hidden in [&br#"{"a":"&sourceId=b&"}x"#[..], b"a=1&sourceId=b", br#"["&sourceId=b&"]"#]
        {
            assert_eq!(
                read(form, hidden),
                Err(RequestError::ambiguous("The body can be read as a form."))
            );
        }
        let not_utf8 = Err(RequestError::ambiguous("The body is not in UTF-8."));
        assert_eq!(read("application/json; charset=utf-16", b"{}"), not_utf8);
        assert_eq!(read("application/json; charset=utf-7", b"{}"), not_utf8);
        assert_eq!(read("application/json; charset=latin1", "{\"\u{e9}\":1}".as_bytes()), not_utf8);
        assert_eq!(read("application/json", b"{\"\xff\":1}"), not_utf8);
        assert_eq!(read("application/json", b"\xEF\xBB\xBF{}"), Ok("{}".to_owned()));
        assert_eq!(read("application/xml", b"\xEF\xBB\xBF<a/>"), Ok("<a/>".to_owned()));
        assert_eq!(read("application/json", b"\xEF\xBB\xBF"), Ok(String::new()));
    }
}
