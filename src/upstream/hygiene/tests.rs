//! What hygiene takes away, sets and leaves.

use super::*;

fn towards(url: &str) -> Outward {
    let kept = vec!["digitalriver-version"];
    let switches = Arc::new(Switches { forwarded: false.into(), upgrade: true.into() });
    Outward { target: url.parse().unwrap(), switches, kept }
}
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
    to_upstream(&mut parts, &body, &towards("http://up"), None);
    (sorted(&parts.headers, &["host", "via"]), parts.headers.contains_key("upgrade"))
}

fn sorted(headers: &HeaderMap, without: &[&str]) -> Vec<String> {
    let mut lines: Vec<_> =
        headers.iter().filter(|(name, _)| !without.contains(&name.as_str())).collect();
    lines.sort_by_key(|(name, _)| name.as_str());
    lines.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
}

fn inward(status: u16, lines: &[(&str, &str)], body: Body) -> Result<Vec<String>, UnknownCoding> {
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
        let (lines, _) =
            outward(Version::HTTP_11, "GET", &[("connection", name), (name, "v")], Body::empty());
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
        to_upstream(&mut parts, &body, &towards("http://up:81/api"), None);
        assert_eq!(
            sorted(&parts.headers, &[]),
            ["host: up:81".to_owned(), "via: 1.1 first".into(), format!("via: {via}")]
        );
        assert_eq!((parts.uri.to_string().as_str(), parts.version), ("/api/x", Version::HTTP_11));
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
        ("POST", &[("transfer-encoding", "chunked")], endless(), &["transfer-encoding: chunked"]),
        ("GET", &[("transfer-encoding", "chunked")], endless(), &["transfer-encoding: chunked"]),
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
        (Some("192.0.2.1:1"), Some(false), "for=192.0.2.1;proto=http", "192.0.2.1"),
        (Some("[2001:db8::1]:1"), Some(false), "for=\"[2001:db8::1]\";proto=http", "2001:db8::1"),
        (Some("[::ffff:192.0.2.1]:1"), Some(false), "for=192.0.2.1;proto=http", "192.0.2.1"),
        (Some("192.0.2.1:1"), Some(true), "for=192.0.2.1;proto=https", "192.0.2.1"),
        (None, Some(false), "for=unknown;proto=http", "unknown"),
        (None, None, "for=unknown", "unknown"),
    ];
    for (address, over_tls, forwarded, plain) in cases {
        let request =
            Request::builder().header("forwarded", "for=10.0.0.1").body(Body::empty()).unwrap();
        let (mut parts, body) = request.into_parts();
        let address = address.map(|address| address.parse().unwrap());
        let caller = over_tls.map(|over_tls| CallerAddress { address, over_tls });
        to_upstream(&mut parts, &body, &towards("http://up"), Some(caller));
        let forwarded = format!("forwarded: {forwarded}");
        let expected =
            ["forwarded: for=10.0.0.1", &forwarded, &format!("x-forwarded-for: {plain}")];
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
        (200, &[("transfer-encoding", "Chunked"), ("content-length", "9")], Body::full("abc"), &[]),
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
