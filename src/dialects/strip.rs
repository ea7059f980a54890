//! Takes `owner` out of a request (`strip`, the remedy of `secondary-source-owner`).

use super::{coding, request};
use bytes::Bytes;
use http::HeaderMap;
use std::borrow::Cow;

/// A request's body without its `Content-Encoding`; `None` where it is not what that header says,
/// or too large (1 MiB). Whoever sends the result on must leave that header out.
pub fn plain<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    coding::decode(headers, body, request::DECODED_AT_MOST).ok()
}

/// The same JSON object without its `owner` member; the order of the others, their spelling and
/// their values stay, the blanks between them go. `None` where there is no such member, or `body`
/// is not one JSON object in UTF-8.
pub fn strip_owner(body: &[u8]) -> Option<Bytes> {
    let text = std::str::from_utf8(body).ok()?;
    let mut kept = String::with_capacity(text.len());
    let mut found = false;
    let whole = request::each_member(text, |name, raw| {
        if name == "owner" {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_goes() {
        for (body, expected) in [
            (
                r#"{ "type": "customerCredit", "owner": {"a": [1]}, "amount": 2.00 }"#,
                Some(r#"{"type":"customerCredit","amount":2.00}"#),
            ),
            (r#"{"owner":null}"#, Some("{}")),
            (
                r#"{"a\"b":1e2,"\u006fwner":{},"c":{"owner":1, "d":"\u00e9"}}"#,
                Some(r#"{"a\"b":1e2,"c":{"owner":1, "d":"\u00e9"}}"#),
            ),
            (r#"{"type":"customerCredit"}"#, None),
            (r#"{"owner":{}"#, None),
            ("[]", None),
            ("\u{0}", None),
        ] {
            assert_eq!(
                strip_owner(body.as_bytes()).as_deref(),
                expected.map(str::as_bytes),
                "{body}"
            );
        }
    }
}
