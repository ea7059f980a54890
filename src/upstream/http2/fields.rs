//! Turns a request for HTTP/1.1 into one for HTTP/2, and back; says whether an answer is sound.

use crate::{http::Body, upstream::target::Target};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use hyper::body::Incoming;

/// How many fields an answer may have, as with HTTP/1.1.
const MOST_FIELDS: usize = 512;

const TE_OPTION: HeaderValue = HeaderValue::from_static("te");

/// Returns whether HTTP/2 can carry the request as it is.
pub(in crate::upstream) fn can_carry(request: &Request<Body>) -> bool {
    let headers = request.headers();
    !headers.contains_key(header::UPGRADE)
        && !headers.contains_key(header::EXPECT)
        && *request.method() != Method::CONNECT
        && request.uri().path() != "*"
}

/// Puts the host into the target, and removes what HTTP/2 has frames for.
pub(super) fn to_http2(request: &mut Request<Body>, target: &Target) {
    let headers = request.headers_mut();
    headers.remove(header::HOST);
    headers.remove(header::CONNECTION);
    headers.remove(header::TRANSFER_ENCODING);
    // Never in the tables that a connection's calls share.
    for name in [header::AUTHORIZATION, header::COOKIE] {
        if let header::Entry::Occupied(mut values) = headers.entry(name) {
            values.iter_mut().for_each(|value| value.set_sensitive(true));
        }
    }
    *request.uri_mut() = target.by_name(std::mem::take(request.uri_mut()));
    *request.version_mut() = Version::HTTP_2;
}

/// Undoes `to_http2`: upstream has changed what it speaks.
pub(super) fn to_http1(request: &mut Request<Body>, target: &Target) {
    let is_chunked = !request.headers().contains_key(header::CONTENT_LENGTH)
        && !http_body::Body::is_end_stream(request.body());
    let headers = request.headers_mut();
    headers.insert(header::HOST, target.host().clone());
    if headers.contains_key(header::TE) {
        headers.insert(header::CONNECTION, TE_OPTION);
    }
    if is_chunked {
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let parts = std::mem::take(request.uri_mut()).into_parts();
    *request.uri_mut() = parts.path_and_query.map(Uri::from).unwrap_or_default();
    *request.version_mut() = Version::HTTP_11;
}

/// Copies a request, if its body is whole. Extensions are left out: they belong to HTTP/1.1.
pub(super) fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().copy()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    *copy.version_mut() = request.version();
    Some(copy)
}

/// Why an answer is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsound {
    #[error("an answer over HTTP/2 that switches protocols")]
    Switch,
    #[error("an answer with more than 512 fields")]
    TooManyFields,
    #[error("an answer with lengths that differ, or with one that is no number")]
    Lengths,
}

/// Refuses what hyper refuses over HTTP/1.1.
pub(super) fn check(response: &Response<Incoming>) -> Result<(), Unsound> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        Err(Unsound::Switch)
    } else if response.headers().len() > MOST_FIELDS {
        Err(Unsound::TooManyFields)
    } else if !has_one_length(response.headers()) {
        Err(Unsound::Lengths)
    } else {
        Ok(())
    }
}

fn has_one_length(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CONTENT_LENGTH).iter();
    let mut lengths = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let Some(first) = lengths.next().map(<[u8]>::trim_ascii) else { return true };
    !first.is_empty()
        && first.iter().all(u8::is_ascii_digit)
        && lengths.all(|length| length.trim_ascii() == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

    #[test]
    fn what_http2_cannot_say_is_not_carried() {
        let request = |method: &str, uri: &str, name: &'static str| {
            Request::builder()
                .method(method)
                .uri(uri)
                .header(name, "x")
                .body(Body::empty())
                .unwrap()
        };
        assert!(can_carry(&request("POST", "https://up/a?b", "te")));
        for (method, uri, name) in [
            ("GET", "https://up/", "upgrade"),
            ("POST", "https://up/", "expect"),
            ("OPTIONS", "*", "accept"),
        ] {
            assert!(!can_carry(&request(method, uri, name)), "{method} {uri} {name}");
        }
    }

    #[test]
    fn a_request_becomes_one_of_http2_and_is_itself_again() {
        let target: Target = "https://up:443/v1".parse().unwrap();
        let mut request = Request::builder()
            .method("POST")
            .uri("https://up:443/v1/a?b=%20")
            .header("host", "up")
            .header("te", "trailers")
            .header("connection", "te")
            .header("authorization", "secret")
            .header("transfer-encoding", "chunked")
            .body(Body::with_trailers("abc", HeaderMap::new()))
            .unwrap();
        to_http2(&mut request, &target);
        assert_eq!(request.uri(), "https://up/v1/a?b=%20");
        assert_eq!((request.headers().len(), &request.headers()["te"]), (2, &TRAILERS));
        assert!(request.headers()["authorization"].is_sensitive());
        let copy = copy(&request).unwrap();
        assert_eq!((copy.uri(), copy.headers()), (request.uri(), request.headers()));
        to_http1(&mut request, &target);
        assert_eq!(request.uri(), "/v1/a?b=%20");
        assert_eq!(request.headers()["host"], "up");
        assert_eq!(request.headers()["connection"], "te");
        assert_eq!(request.headers()["transfer-encoding"], "chunked");
    }

    #[test]
    fn lengths_must_agree() {
        let cases: [(&[&str], bool); 7] = [
            (&[], true),
            (&["3"], true),
            (&["3", "3"], true),
            (&["3, 3"], true),
            (&["3", "4"], false),
            (&["3, 4"], false),
            (&["+3"], false),
        ];
        for (lengths, sound) in cases {
            let mut headers = HeaderMap::new();
            for length in lengths {
                headers.append(header::CONTENT_LENGTH, HeaderValue::from_static(length));
            }
            assert_eq!(has_one_length(&headers), sound, "{lengths:?}");
        }
    }
}
