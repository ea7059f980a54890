//! Decides which requests a reverse proxy may forward, and which it must answer itself (RFC 9110
//! sections 7.6.2, 9.3; RFC 9112 sections 3.2, 6.1).
//!
//! hyper has already parsed the head and refused malformed ones, among them those with lengths that
//! differ, or with `Transfer-Encoding` over HTTP/1.0 or without a final `chunked`. If a request has
//! both `Transfer-Encoding` and `Content-Length`, hyper uses the first, drops the second and closes
//! the connection afterwards.

use crate::http::{Problem, only_chunked};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Forward the request.
    Pass,
    /// Answer the request: it is an `OPTIONS` whose last hop this is.
    Options,
    /// Refuse the request.
    Refuse(Problem),
}

/// Checks a request's head, and counts the `Max-Forwards` of OPTIONS down.
pub(super) fn admit<B>(request: &mut Request<B>) -> Admission {
    match refusal(request) {
        Some(problem) => Admission::Refuse(problem),
        None if *request.method() == Method::OPTIONS => count_down(request),
        None => Admission::Pass,
    }
}

fn refusal<B>(request: &Request<B>) -> Option<Problem> {
    if request.method() == Method::CONNECT {
        return Some(Problem::Connect);
    }
    if request.method() == Method::TRACE {
        return Some(Problem::Trace);
    }
    if !target_is_valid(request.uri(), request.method()) {
        return Some(Problem::Target);
    }
    if !host_is_valid(request.headers(), request.version()) || !authority_is_valid(request) {
        return Some(Problem::Host);
    }
    (!only_chunked(request.headers())).then_some(Problem::TransferCoding)
}

/// Checks the target's form: authority-form is for CONNECT only, `*` for OPTIONS only.
fn target_is_valid(uri: &Uri, method: &Method) -> bool {
    uri.path_and_query().is_some_and(|target| {
        target.as_str().starts_with('/') || (target.as_str() == "*" && *method == Method::OPTIONS)
    })
}

/// Checks `Host`: exactly one over HTTP/1.1, at most one otherwise; an empty one is valid.
fn host_is_valid(headers: &HeaderMap, version: Version) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => version != Version::HTTP_11,
        (Some(host), None) => is_host_and_port(host.as_bytes()),
        (Some(_), Some(_)) => false,
    }
}

/// Checks the host of a target in absolute form, which is `:authority` over HTTP/2. There it must
/// be that of `Host`, if both are sent (RFC 9113 section 8.3.1); over HTTP/1.1 it replaces `Host`
/// (RFC 9112 section 3.2.2).
fn authority_is_valid<B>(request: &Request<B>) -> bool {
    let Some(authority) = request.uri().authority() else { return true };
    let authority = authority.as_str().as_bytes();
    let agrees = match request.headers().get(header::HOST) {
        Some(host) if request.version() == Version::HTTP_2 => {
            host.as_bytes().eq_ignore_ascii_case(authority)
        }
        _ => true,
    };
    agrees && is_host_and_port(authority)
}

/// Returns whether this is a host, in brackets if it has colons, and a port if there is another
/// colon (RFC 3986 section 3.2).
fn is_host_and_port(text: &[u8]) -> bool {
    if !text.iter().all(|byte| is_host_byte(*byte)) {
        return false;
    }
    let rest = match text.strip_prefix(b"[") {
        None => {
            let end = text.iter().position(|byte| *byte == b':').unwrap_or(text.len());
            let (host, rest) = text.split_at(end);
            if host.iter().any(|byte| b"[]".contains(byte)) || host.is_empty() && !rest.is_empty() {
                return false;
            }
            rest
        }
        Some(inner) => match inner.iter().position(|byte| *byte == b']') {
            Some(end) if end > 0 => &inner[end + 1..],
            _ => return false,
        },
    };
    match rest.strip_prefix(b":") {
        None => rest.is_empty(),
        Some(port) => is_port(port),
    }
}

/// Returns whether this is a port. It may be missing after its colon (RFC 3986 section 3.2.3).
fn is_port(text: &[u8]) -> bool {
    let number = std::str::from_utf8(text).ok().filter(|text| text.len() <= 5);
    let is_digits = text.iter().all(u8::is_ascii_digit);
    is_digits && (text.is_empty() || number.is_some_and(|text| text.parse::<u16>().is_ok()))
}

/// Returns whether a host and its port may contain this byte (RFC 3986 section 3.2). A user is not
/// allowed.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(&byte)
}

/// Counts `Max-Forwards` down (RFC 9110 section 7.6.2): zero ends here, other values lose one.
fn count_down<B>(request: &mut Request<B>) -> Admission {
    let Some(left) = request.headers().get(header::MAX_FORWARDS) else { return Admission::Pass };
    let left = left
        .to_str()
        .ok()
        .filter(|left| left.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|left| left.parse::<u32>().ok());
    match left {
        None => Admission::Refuse(Problem::MaxForwards),
        Some(0) => Admission::Options,
        Some(left) => {
            request.headers_mut().insert(header::MAX_FORWARDS, HeaderValue::from(left - 1));
            Admission::Pass
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Admission::{Options, Pass, Refuse};

    type Lines = &'static [(&'static str, &'static str)];

    #[test]
    fn requests_that_no_reverse_proxy_may_take_are_refused() {
        let cases: [(&str, &str, Version, Lines, Admission); 41] = [
            ("GET", "/x", Version::HTTP_11, &[("host", "weir")], Pass),
            ("GET", "/x", Version::HTTP_11, &[("host", "")], Pass),
            ("GET", "/x", Version::HTTP_11, &[("host", "[::1]:8080")], Pass),
            ("GET", "/x", Version::HTTP_11, &[], Refuse(Problem::Host)),
            ("GET", "/x", Version::HTTP_11, &[("host", "a"), ("host", "a")], Refuse(Problem::Host)),
            ("GET", "/x", Version::HTTP_11, &[("host", "a, b")], Refuse(Problem::Host)),
            ("GET", "/x", Version::HTTP_11, &[("host", "user@a")], Refuse(Problem::Host)),
            ("GET", "/x", Version::HTTP_11, &[("host", "a:")], Pass),
            ("GET", "/x", Version::HTTP_11, &[("host", "[::1]")], Pass),
            ("GET", "/x", Version::HTTP_11, &[("host", "a:65536")], Refuse(Problem::Host)),
            ("GET", "/x", Version::HTTP_11, &[("host", "a:8x")], Refuse(Problem::Host)),
            ("GET", "/x", Version::HTTP_11, &[("host", "a:-1")], Refuse(Problem::Host)),
            ("GET", "/x", Version::HTTP_11, &[("host", "a:+1")], Refuse(Problem::Host)),
            ("GET", "/x", Version::HTTP_11, &[("host", "a:1:2")], Refuse(Problem::Host)),
            ("GET", "/x", Version::HTTP_11, &[("host", "::1")], Refuse(Problem::Host)),
            ("GET", "/x", Version::HTTP_11, &[("host", ":80")], Refuse(Problem::Host)),
            ("GET", "/x", Version::HTTP_11, &[("host", "[::1")], Refuse(Problem::Host)),
            ("GET", "/x", Version::HTTP_11, &[("host", "[::1]a")], Refuse(Problem::Host)),
            ("GET", "/x", Version::HTTP_11, &[("host", "a[1]")], Refuse(Problem::Host)),
            ("GET", "http://u@a/x", Version::HTTP_2, &[], Refuse(Problem::Host)),
            ("GET", "http://u:p@a/x", Version::HTTP_11, &[("host", "a")], Refuse(Problem::Host)),
            ("GET", "http://a:1/x", Version::HTTP_2, &[("host", "A:1")], Pass),
            ("GET", "http://a/x", Version::HTTP_2, &[("host", "b")], Refuse(Problem::Host)),
            ("GET", "http://a/x", Version::HTTP_2, &[("host", "a:80")], Refuse(Problem::Host)),
            ("TRACE", "/x", Version::HTTP_11, &[("host", "a")], Refuse(Problem::Trace)),
            ("TRACE", "http://a/x", Version::HTTP_2, &[], Refuse(Problem::Trace)),
            ("GET", "/x", Version::HTTP_10, &[], Pass),
            ("GET", "http://a/x", Version::HTTP_2, &[], Pass),
            ("GET", "http://a/x", Version::HTTP_11, &[("host", "b")], Pass),
            ("CONNECT", "a:443", Version::HTTP_11, &[("host", "a")], Refuse(Problem::Connect)),
            ("GET", "a:443", Version::HTTP_11, &[("host", "a")], Refuse(Problem::Target)),
            ("GET", "*", Version::HTTP_11, &[("host", "a")], Refuse(Problem::Target)),
            ("OPTIONS", "*", Version::HTTP_11, &[("host", "a")], Pass),
            ("OPTIONS", "*", Version::HTTP_11, &[("host", "a"), ("max-forwards", "0")], Options),
            (
                "OPTIONS",
                "*",
                Version::HTTP_11,
                &[("host", "a"), ("max-forwards", "+1")],
                Refuse(Problem::MaxForwards),
            ),
            (
                "OPTIONS",
                "*",
                Version::HTTP_11,
                &[("host", "a"), ("max-forwards", "")],
                Refuse(Problem::MaxForwards),
            ),
            (
                "TRACE",
                "/x",
                Version::HTTP_11,
                &[("host", "a"), ("max-forwards", "0")],
                Refuse(Problem::Trace),
            ),
            ("GET", "/x", Version::HTTP_11, &[("host", "a"), ("max-forwards", "0")], Pass),
            (
                "POST",
                "/x",
                Version::HTTP_11,
                &[("host", "a"), ("transfer-encoding", "chunked")],
                Pass,
            ),
            (
                "POST",
                "/x",
                Version::HTTP_11,
                &[("host", "a"), ("transfer-encoding", "gzip, chunked")],
                Refuse(Problem::TransferCoding),
            ),
            (
                "POST",
                "/x",
                Version::HTTP_11,
                &[
                    ("host", "a"),
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "chunked"),
                ],
                Refuse(Problem::TransferCoding),
            ),
        ];
        for (method, uri, version, headers, expected) in cases {
            let mut request = Request::builder().method(method).uri(uri).version(version);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            assert_eq!(
                admit(&mut request.body(()).unwrap()),
                expected,
                "{method} {uri} {headers:?}"
            );
        }
    }

    #[test]
    fn max_forwards_is_counted_down() {
        let mut request = Request::builder()
            .method("OPTIONS")
            .uri("/x")
            .header("host", "a")
            .header("max-forwards", "3")
            .body(())
            .unwrap();
        assert_eq!(admit(&mut request), Pass);
        assert_eq!(request.headers()["max-forwards"], "2");
    }
}
