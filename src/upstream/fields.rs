//! Which header fields end at a proxy, and which stay although `Connection` names them.
//!
//! A `Connection` that names a field of the request itself, such as `Authorization` or
//! `Content-Type`, is a sender's error (a sender MUST NOT, RFC 9110 section 7.6.1) and a known
//! attack: what was judged would not be what is sent. Such a name is ignored and the field stays.

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use smallvec::SmallVec;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const PROXY_AUTHENTICATION_INFO: HeaderName = HeaderName::from_static("proxy-authentication-info");

/// Fields that are hop-by-hop whether `Connection` names them or not.
const HOP_BY_HOP: [HeaderName; 8] = [
    KEEP_ALIVE,
    PROXY_CONNECTION,
    HTTP2_SETTINGS,
    PROXY_AUTHENTICATION_INFO,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Fields that make a message what it is: its framing, its content's form, its author, its
/// conditions, its route. In order, for the search. The list errs on the side of keeping: a private
/// hop-by-hop field that slips through does no harm, a lost credential or version does.
const END_TO_END: [&str; 33] = [
    "age",
    "allow",
    "authorization",
    "cache-control",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "forwarded",
    "from",
    "host",
    "idempotency-key",
    "last-modified",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "range",
    "referer",
    "retry-after",
    "server",
    "set-cookie",
    "trailer",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-api-key",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// What the names of further end-to-end fields begin with.
const END_TO_END_PREFIXES: [&str; 6] =
    ["content-", "accept", "if-", "x-forwarded-", "access-control-", "sec-"];

/// Removes `Connection`, the fields it names, and those that are always hop-by-hop. Fields in
/// `kept` stay, as other end-to-end fields do.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap, kept: &[&str]) {
    if headers.contains_key(header::CONNECTION) {
        for name in named_by_connection(headers, kept) {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Returns the fields that `Connection` takes away. `close` and `keep-alive` are no fields;
/// end-to-end fields stay, see the module.
fn named_by_connection(headers: &HeaderMap, kept: &[&str]) -> SmallVec<[HeaderName; 4]> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
        .filter(|name| !is_end_to_end(name) && !kept.contains(&name.as_str()))
        .collect()
}

fn is_end_to_end(name: &HeaderName) -> bool {
    let name = name.as_str();
    END_TO_END.binary_search(&name).is_ok()
        || END_TO_END_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns the protocols asked for, if they may be passed on. HTTP/2 has no `Upgrade`. `h2c` and
/// `TLS` would put a second, unread HTTP conversation into the tunnel, past every rule: they are
/// left out (RFC 9110 section 7.8 lets a server ignore the field).
pub(super) fn upgrade_of(headers: &HeaderMap, version: Version) -> Option<HeaderValue> {
    let value = headers.get(header::UPGRADE)?;
    let asked =
        headers.get_all(header::CONNECTION).iter().any(|option| has_token(option, "upgrade"));
    let only = headers.get_all(header::UPGRADE).iter().nth(1).is_none();
    let harmless = !tokens(value).any(|token| {
        let name = token.split(|byte| *byte == b'/').next().unwrap_or_default();
        [&b"h2c"[..], b"h2", b"http", b"tls"].iter().any(|http| name.eq_ignore_ascii_case(http))
    });
    (version == Version::HTTP_11 && asked && only && harmless).then(|| value.clone())
}

fn tokens(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Returns true when the comma-separated list has the token, whatever its parameters.
pub(super) fn has_token(value: &HeaderValue, token: &str) -> bool {
    tokens(value).any(|found| {
        let name = found.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        name.eq_ignore_ascii_case(token.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_to_end_fields_are_in_order() {
        assert!(END_TO_END.is_sorted());
    }
}
