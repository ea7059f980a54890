//! Removes hop-by-hop header fields, and keeps end-to-end fields even if `Connection` names them.
//!
//! A `Connection` that names a field of the request itself, such as `Authorization` or
//! `Content-Type`, is a sender's error (a sender MUST NOT, RFC 9110 section 7.6.1) and a known
//! attack: upstream would get another request than the one that was judged. Such a name is ignored
//! and the field stays.
//!
//! Removes look-alikes of such fields, too, with `_` for `-`.

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

/// Fields that belong to the message itself, which `Connection` cannot remove. Sorted, for the
/// binary search. The list keeps too much rather than too little: a private hop-by-hop field that
/// is passed on does no harm, but a lost credential or version does.
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

/// The prefixes of further end-to-end fields' names.
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

/// Returns the fields that `Connection` names, without end-to-end fields and those in `kept`.
fn named_by_connection(headers: &HeaderMap, kept: &[&str]) -> SmallVec<[HeaderName; 4]> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
        .filter(|name| !is_end_to_end(name) && !kept.contains(&name.as_str()))
        .collect()
}

/// Fields, besides those that are end-to-end or hop-by-hop, whose look-alikes are removed.
const OTHERS_WITH_LOOK_ALIKES: [&str; 5] =
    ["proxy-authorization", "x-real-ip", "x-original-url", "x-rewrite-url", "max-forwards"];

/// Removes fields that are named as fields of the framing, of the routing or of the message itself,
/// but with `_` for `-`: behind a gateway that maps names to variables, as CGI does, they are the
/// same, and neither rules nor hygiene have looked at them. Names in `kept` have look-alikes, too.
pub(super) fn remove_look_alikes(headers: &mut HeaderMap, kept: &[&str]) {
    let alike: SmallVec<[HeaderName; 4]> =
        headers.keys().filter(|name| looks_alike(name.as_str(), kept)).cloned().collect();
    for name in alike {
        headers.remove(name);
    }
}

fn looks_alike(name: &str, kept: &[&str]) -> bool {
    if memchr::memchr(b'_', name.as_bytes()).is_none() {
        return false;
    }
    let meant = name.replace('_', "-");
    let is_meant = |known: &&str| **known == meant;
    HeaderName::from_bytes(meant.as_bytes())
        .is_ok_and(|name| is_end_to_end(&name) || HOP_BY_HOP.contains(&name))
        || OTHERS_WITH_LOOK_ALIKES.iter().any(is_meant)
        || kept.iter().any(is_meant)
}

fn is_end_to_end(name: &HeaderName) -> bool {
    let name = name.as_str();
    END_TO_END.binary_search(&name).is_ok()
        || END_TO_END_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns the protocols asked for in `Upgrade`, if they may be passed on. HTTP/2 has no `Upgrade`.
/// `h2c` and `TLS` are not passed on: HTTP inside the tunnel would bypass every rule (RFC 9110
/// section 7.8 lets a server ignore the field).
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

/// Returns true when the comma-separated list has the token, with any parameters.
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

    #[test]
    fn look_alikes_of_what_a_message_means_are_told_from_other_fields() {
        for name in [
            "content_length",
            "content_type",
            "transfer_encoding",
            "keep_alive",
            "proxy_connection",
            "proxy_authorization",
            "x_forwarded_for",
            "x-forwarded_host",
            "x_real_ip",
            "x_http_method_override",
            "x_original_url",
            "idempotency_key",
            "if_match",
            "vendor_version",
        ] {
            assert!(looks_alike(name, &["vendor-version"]), "{name}");
        }
        for name in ["x_request_id", "my_field", "content-length", "x-forwarded-for", "_", "host_"]
        {
            assert!(!looks_alike(name, &["vendor-version"]), "{name}");
        }
    }
}
