//! Header hygiene: what a proxy must take away, must set and must leave (RFC 9110 section 7.6, RFC
//! 9112 sections 6, 7 and 9).
//!
//! Taken away in both directions: `Connection` and the fields it names, `Keep-Alive`,
//! `Proxy-Connection`, `TE`, `Transfer-Encoding`, `Upgrade`, `HTTP2-Settings`, and the credentials
//! of a proxy, which Weir is none of (`Proxy-Authorization`, `Proxy-Authenticate`,
//! `Proxy-Authentication-Info`). Set: `Host` to upstream's, `Via`, and `Content-Length` to what the
//! body is. Left as they came: all others, in their order and with their bytes, `Forwarded` and
//! `X-Forwarded-For` among them unless the switch is on; `Trailer` too, which is no hop-by-hop
//! field (RFC 9110 section 6.6.2).
//!
//! A `Connection` that names a field of the request itself, such as `Authorization` or
//! `Content-Type`, is a sender's error (a sender MUST NOT, RFC 9110 section 7.6.1) and a known
//! attack: what was judged would not be what is sent. Such a name is ignored and the field stays.

use super::target::Target;
use crate::http::{Body, only_chunked};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version,
    header::{self, Entry},
    request, response,
};
use http_body::Body as _;
use smallvec::SmallVec;
use std::net::IpAddr;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const PROXY_AUTHENTICATION_INFO: HeaderName = HeaderName::from_static("proxy-authentication-info");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

const WEBSOCKET_AND_THE_LIKE: HeaderValue = HeaderValue::from_static("upgrade");
const TE_OPTION: HeaderValue = HeaderValue::from_static("te");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
const CHUNKED: HeaderValue = HeaderValue::from_static("chunked");

/// Hop-by-hop whether `Connection` names them or not.
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

/// What upstream must be told about a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outward {
    /// Append the caller's address to `Forwarded` and `X-Forwarded-For`. `None`: both are left as
    /// they came.
    pub forwarded_for: Option<IpAddr>,
}

/// Makes a caller's request one for upstream over HTTP/1.1. True when it asks for an upgrade that
/// may be passed on.
pub fn to_upstream(
    parts: &mut request::Parts,
    body: &Body,
    target: &Target,
    outward: Outward,
) -> bool {
    let headers = &mut parts.headers;
    let upgrade = upgrade_of(headers, parts.version);
    let trailers = headers.get_all(header::TE).iter().any(|te| has_token(te, "trailers"));
    remove_hop_by_hop(headers);
    headers.remove(header::PROXY_AUTHORIZATION);
    headers.insert(header::HOST, target.host().clone());
    headers.append(header::VIA, via(parts.version));
    if let Some(upgrade) = &upgrade {
        headers.insert(header::UPGRADE, upgrade.clone());
        headers.insert(header::CONNECTION, WEBSOCKET_AND_THE_LIKE);
    }
    if trailers {
        headers.insert(header::TE, TRAILERS);
        headers.append(header::CONNECTION, TE_OPTION);
    }
    if parts.version == Version::HTTP_2 {
        join_cookies(headers);
    }
    if let Some(address) = outward.forwarded_for {
        append_forwarded(headers, address);
    }
    frame_request(&parts.method, headers, body);
    parts.uri = target.join(&parts.uri);
    parts.version = Version::HTTP_11;
    upgrade.is_some()
}

/// Makes upstream's answer one for the caller.
///
/// # Errors
/// A transfer coding other than `chunked`, which nobody asked for (our `TE` names none): its
/// content could not be read.
pub fn to_caller(parts: &mut response::Parts, body: &Body) -> Result<(), UnknownCoding> {
    let headers = &mut parts.headers;
    let upgrade =
        matches!(parts.status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::UPGRADE_REQUIRED)
            .then(|| headers.get(header::UPGRADE).cloned())
            .flatten();
    if !only_chunked(headers) {
        return Err(UnknownCoding);
    }
    let chunked = headers.contains_key(header::TRANSFER_ENCODING);
    remove_hop_by_hop(headers);
    if let Some(upgrade) = upgrade {
        headers.insert(header::UPGRADE, upgrade);
        headers.insert(header::CONNECTION, WEBSOCKET_AND_THE_LIKE);
    }
    headers.append(header::VIA, via(parts.version));
    if chunked || parts.status == StatusCode::NO_CONTENT || parts.status.is_informational() {
        // RFC 9112 section 6.3 (chunked wins) and RFC 9110 section 8.6 (no length on a 1xx or 204).
        headers.remove(header::CONTENT_LENGTH);
    } else {
        one_length(headers, body);
    }
    parts.version = Version::HTTP_11;
    Ok(())
}

/// An answer in a transfer coding that was not asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCoding;

impl std::fmt::Display for UnknownCoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a transfer coding other than chunked")
    }
}

impl std::error::Error for UnknownCoding {}

/// `Via` tells the version in which the message came to us (RFC 9110 section 7.6.3).
fn via(version: Version) -> HeaderValue {
    HeaderValue::from_static(match version {
        Version::HTTP_09 | Version::HTTP_10 => "1.0 weir",
        Version::HTTP_2 => "2.0 weir",
        _ => "1.1 weir",
    })
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// The fields that `Connection` takes away. `close` and `keep-alive` are no fields; end-to-end
/// fields stay, see the module.
fn named_by_connection(headers: &HeaderMap) -> SmallVec<[HeaderName; 4]> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
        .filter(|name| !is_end_to_end(name))
        .collect()
}

/// Fields that make a message what it is: its framing, its content's form, its author, its
/// conditions, its route. The list errs on the side of keeping: a private hop-by-hop field that
/// slips through does no harm, a lost credential or version does.
fn is_end_to_end(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("content-")
        || name.starts_with("accept")
        || name.starts_with("if-")
        || name.starts_with("x-forwarded-")
        || name.starts_with("access-control-")
        || name.starts_with("sec-")
        || matches!(
            name,
            "age"
                | "allow"
                | "authorization"
                | "cache-control"
                | "cookie"
                | "date"
                | "digitalriver-version"
                | "etag"
                | "expect"
                | "expires"
                | "forwarded"
                | "from"
                | "host"
                | "idempotency-key"
                | "last-modified"
                | "location"
                | "max-forwards"
                | "origin"
                | "pragma"
                | "range"
                | "referer"
                | "retry-after"
                | "server"
                | "set-cookie"
                | "trailer"
                | "user-agent"
                | "vary"
                | "via"
                | "warning"
                | "www-authenticate"
                | "x-api-key"
                | "x-http-method"
                | "x-http-method-override"
                | "x-method-override"
        )
}

/// The protocols asked for, if any may be passed on. HTTP/2 has no `Upgrade`. `h2c` and `TLS` would
/// put a second, unread HTTP conversation into the tunnel, past every rule: they are left out (RFC
/// 9110 section 7.8 lets a server ignore the field).
fn upgrade_of(headers: &HeaderMap, version: Version) -> Option<HeaderValue> {
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

/// True when the comma-separated list has the token, whatever its parameters.
fn has_token(value: &HeaderValue, token: &str) -> bool {
    tokens(value).any(|found| {
        let name = found.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        name.eq_ignore_ascii_case(token.as_bytes())
    })
}

/// Content's length on the wire is what the body is, also where Weir replaced it. hyper would drop
/// the content of a GET whose length is unknown unless told that it is chunked.
fn frame_request(method: &Method, headers: &mut HeaderMap, body: &Body) {
    let mut announced = headers.get_all(header::CONTENT_LENGTH).iter();
    let announced = (announced.next(), announced.next());
    match body.size_hint().exact() {
        Some(0)
            if announced.0.is_none()
                && !matches!(*method, Method::POST | Method::PUT | Method::PATCH) => {}
        Some(length) if matches!(announced, (Some(announced), None) if number(announced) == Some(length)) =>
            {}
        Some(length) => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        None => {
            headers.remove(header::CONTENT_LENGTH);
            headers.insert(header::TRANSFER_ENCODING, CHUNKED);
        }
    }
}

fn number(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.parse().ok()
}

/// One `Content-Length` line with one number, where upstream repeated itself (RFC 9110 section
/// 8.6). hyper has refused lengths that differ.
fn one_length(headers: &mut HeaderMap, body: &Body) {
    let Entry::Occupied(mut lengths) = headers.entry(header::CONTENT_LENGTH) else { return };
    let repeated = lengths.iter().nth(1).is_some() || lengths.get().as_bytes().contains(&b',');
    if !repeated {
        return;
    }
    let first = lengths
        .get()
        .as_bytes()
        .split(|byte| *byte == b',')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    match body
        .size_hint()
        .exact()
        .filter(|length| *length > 0)
        .map(HeaderValue::from)
        .or_else(|| HeaderValue::from_bytes(first).ok())
    {
        Some(length) => {
            lengths.insert(length);
        }
        None => {
            lengths.remove();
        }
    }
}

/// HTTP/2 splits cookies into fields; HTTP/1.1 wants them in one (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let Entry::Occupied(mut cookies) = headers.entry(header::COOKIE) else { return };
    if cookies.iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = cookies.iter().map(HeaderValue::as_bytes).collect();
    if let Ok(mut joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        joined.set_sensitive(true);
        cookies.insert(joined);
    }
}

/// RFC 7239 section 4: an IPv6 address is quoted and in brackets. The proxy's own listeners speak
/// plain HTTP.
fn append_forwarded(headers: &mut HeaderMap, address: IpAddr) {
    let address = address.to_canonical();
    let forwarded = match address {
        IpAddr::V4(address) => format!("for={address};proto=http"),
        IpAddr::V6(address) => format!("for=\"[{address}]\";proto=http"),
    };
    for (name, value) in [(header::FORWARDED, forwarded), (X_FORWARDED_FOR, address.to_string())] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Response};

    type Lines = &'static [(&'static str, &'static str)];

    /// Runs `lines` through `to_upstream` and gives the header lines, sorted by name, without
    /// `host` and `via`.
    fn outward(
        version: Version,
        method: &str,
        lines: &[(&str, &str)],
        body: Body,
    ) -> (Vec<String>, bool) {
        let mut request = Request::builder().version(version).method(method).uri("/x");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let (mut parts, body) = request.body(body).unwrap().into_parts();
        let upgrade =
            to_upstream(&mut parts, &body, &"http://up".parse().unwrap(), Outward::default());
        (sorted(&parts.headers, &["host", "via"]), upgrade)
    }

    fn sorted(headers: &HeaderMap, without: &[&str]) -> Vec<String> {
        let mut lines: Vec<_> =
            headers.iter().filter(|(name, _)| !without.contains(&name.as_str())).collect();
        lines.sort_by_key(|(name, _)| name.as_str());
        lines.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    fn inward(
        status: u16,
        lines: &[(&str, &str)],
        body: Body,
    ) -> Result<Vec<String>, UnknownCoding> {
        let mut response = Response::builder().status(status);
        for (name, value) in lines {
            response = response.header(*name, *value);
        }
        let (mut parts, body) = response.body(body).unwrap().into_parts();
        to_caller(&mut parts, &body)?;
        Ok(sorted(&parts.headers, &["via"]))
    }

    #[test]
    fn hop_by_hop_fields_end_here() {
        let lines = [
            ("connection", "close, X-Private"),
            ("connection", "x-other"),
            ("x-private", "1"),
            ("x-other", "2"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic c2VjcmV0"),
            ("te", "gzip"),
            ("upgrade", "websocket"),
            ("http2-settings", "AAMAAABkAAQAAP__"),
            ("x-kept", "3"),
        ];
        assert_eq!(
            outward(Version::HTTP_11, "GET", &lines, Body::empty()),
            (vec!["x-kept: 3".to_owned()], false)
        );
    }

    #[test]
    fn connection_cannot_take_an_end_to_end_field_away() {
        for name in [
            "authorization",
            "content-type",
            "x-api-key",
            "digitalriver-version",
            "cookie",
            "forwarded",
            "accept",
        ] {
            let (lines, _) = outward(
                Version::HTTP_11,
                "GET",
                &[("connection", name), (name, "v")],
                Body::empty(),
            );
            assert_eq!(lines, [format!("{name}: v")]);
        }
    }

    #[test]
    fn trailers_are_still_asked_for() {
        let (lines, _) = outward(
            Version::HTTP_11,
            "GET",
            &[("te", "gzip;q=0.5, Trailers"), ("connection", "te")],
            Body::empty(),
        );
        assert_eq!(lines, ["connection: te", "te: trailers"]);
        let (lines, _) = outward(Version::HTTP_2, "GET", &[("te", "trailers")], Body::empty());
        assert_eq!(lines, ["connection: te", "te: trailers"]);
    }

    #[test]
    fn upgrades_pass_unless_they_hide_http() {
        let cases = [
            (Version::HTTP_11, "Upgrade", "websocket", true),
            (Version::HTTP_11, "keep-alive, upgrade", "WebSocket", true),
            (Version::HTTP_11, "keep-alive", "websocket", false),
            (Version::HTTP_10, "upgrade", "websocket", false),
            (Version::HTTP_2, "upgrade", "websocket", false),
            (Version::HTTP_11, "upgrade, http2-settings", "h2c", false),
            (Version::HTTP_11, "upgrade", "websocket, H2C", false),
            (Version::HTTP_11, "upgrade", "TLS/1.2", false),
        ];
        for (version, connection, upgrade, passes) in cases {
            let (lines, asked) = outward(
                version,
                "GET",
                &[("connection", connection), ("upgrade", upgrade)],
                Body::empty(),
            );
            assert_eq!(asked, passes, "{upgrade}");
            let expected = if passes {
                vec!["connection: upgrade".into(), format!("upgrade: {upgrade}")]
            } else {
                Vec::<String>::new()
            };
            assert_eq!(lines, expected, "{upgrade}");
        }
    }

    #[test]
    fn host_is_upstreams_and_via_tells_how_the_request_came() {
        for (version, via) in [
            (Version::HTTP_10, "1.0 weir"),
            (Version::HTTP_11, "1.1 weir"),
            (Version::HTTP_2, "2.0 weir"),
        ] {
            let request = Request::builder()
                .version(version)
                .uri("http://caller.example/x")
                .header("host", "caller.example");
            let (mut parts, body) =
                request.header("via", "1.1 first").body(Body::empty()).unwrap().into_parts();
            to_upstream(
                &mut parts,
                &body,
                &"http://up:81/api".parse().unwrap(),
                Outward::default(),
            );
            assert_eq!(
                sorted(&parts.headers, &[]),
                ["host: up:81".to_owned(), "via: 1.1 first".into(), format!("via: {via}")]
            );
            assert_eq!(
                (parts.uri.to_string().as_str(), parts.version),
                ("/api/x", Version::HTTP_11)
            );
        }
    }

    #[test]
    fn a_request_announces_what_its_body_is() {
        let endless = || {
            Body::boxed(http_body_util::StreamBody::new(futures_util::stream::pending::<
                Result<_, std::io::Error>,
            >()))
        };
        let cases: [(&str, Lines, Body, &[&str]); 7] = [
            ("GET", &[], Body::empty(), &[]),
            ("DELETE", &[], Body::empty(), &[]),
            ("POST", &[], Body::empty(), &["content-length: 0"]),
            ("GET", &[("content-length", "7")], Body::empty(), &["content-length: 0"]),
            (
                "POST",
                &[("content-length", "7"), ("content-length", "7")],
                Body::full("abc"),
                &["content-length: 3"],
            ),
            (
                "POST",
                &[("transfer-encoding", "chunked")],
                endless(),
                &["transfer-encoding: chunked"],
            ),
            (
                "GET",
                &[("transfer-encoding", "chunked")],
                endless(),
                &["transfer-encoding: chunked"],
            ),
        ];
        for (method, lines, body, expected) in cases {
            assert_eq!(
                outward(Version::HTTP_11, method, lines, body).0,
                expected,
                "{method} {lines:?}"
            );
        }
    }

    #[test]
    fn the_callers_address_is_appended_only_when_asked_for() {
        let cases = [
            (
                "192.0.2.1",
                [
                    "forwarded: for=10.0.0.1",
                    "forwarded: for=192.0.2.1;proto=http",
                    "x-forwarded-for: 192.0.2.1",
                ],
            ),
            (
                "2001:db8::1",
                [
                    "forwarded: for=10.0.0.1",
                    "forwarded: for=\"[2001:db8::1]\";proto=http",
                    "x-forwarded-for: 2001:db8::1",
                ],
            ),
            (
                "::ffff:192.0.2.1",
                [
                    "forwarded: for=10.0.0.1",
                    "forwarded: for=192.0.2.1;proto=http",
                    "x-forwarded-for: 192.0.2.1",
                ],
            ),
        ];
        for (address, expected) in cases {
            let request =
                Request::builder().header("forwarded", "for=10.0.0.1").body(Body::empty()).unwrap();
            let (mut parts, body) = request.into_parts();
            let outward = Outward { forwarded_for: Some(address.parse().unwrap()) };
            to_upstream(&mut parts, &body, &"http://up".parse().unwrap(), outward);
            assert_eq!(sorted(&parts.headers, &["host", "via"]), expected);
        }
    }

    #[test]
    fn cookies_of_http2_become_one_field() {
        let (lines, _) = outward(
            Version::HTTP_2,
            "GET",
            &[("cookie", "a=1"), ("cookie", "b=2; c=3")],
            Body::empty(),
        );
        assert_eq!(lines, ["cookie: a=1; b=2; c=3"]);
    }

    #[test]
    fn answers_lose_their_hop_and_keep_their_length() {
        let cases: [(u16, Lines, Body, &[&str]); 7] = [
            (
                200,
                &[("connection", "x-a, etag"), ("x-a", "1"), ("etag", "e"), ("keep-alive", "x")],
                Body::empty(),
                &["etag: e"],
            ),
            (200, &[("content-length", "3")], Body::full("abc"), &["content-length: 3"]),
            (304, &[("content-length", "900")], Body::empty(), &["content-length: 900"]),
            (204, &[("content-length", "0")], Body::empty(), &[]),
            (
                200,
                &[("transfer-encoding", "Chunked"), ("content-length", "9")],
                Body::full("abc"),
                &[],
            ),
            (
                200,
                &[("content-length", "3"), ("content-length", "3")],
                Body::full("abc"),
                &["content-length: 3"],
            ),
            (
                426,
                &[("upgrade", "TLS/1.3"), ("connection", "upgrade")],
                Body::empty(),
                &["connection: upgrade", "upgrade: TLS/1.3"],
            ),
        ];
        for (status, lines, body, expected) in cases {
            assert_eq!(inward(status, lines, body).unwrap(), expected, "{status} {lines:?}");
        }
    }

    #[test]
    fn an_answer_in_another_coding_than_chunked_cannot_be_read() {
        for coding in ["gzip, chunked", "gzip", "identity", "chunked, chunked"] {
            assert_eq!(
                inward(200, &[("transfer-encoding", coding)], Body::full("x")),
                Err(UnknownCoding),
                "{coding}"
            );
        }
    }
}
