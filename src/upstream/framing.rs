//! Announces the length of a message's content (RFC 9110 section 8.6, RFC 9112 section 6).

use crate::http::Body;
use http::{
    HeaderMap, HeaderValue, Method,
    header::{self, Entry},
};
use http_body::Body as _;

const CHUNKED: HeaderValue = HeaderValue::from_static("chunked");

/// Announces the length of the body, also if Weir replaced it. hyper would drop the content of a
/// GET whose length is unknown if its headers did not say that it is chunked.
pub(super) fn frame_request(method: &Method, headers: &mut HeaderMap, body: &Body) {
    let mut lines = headers.get_all(header::CONTENT_LENGTH).iter();
    let (first, second) = (lines.next(), lines.next());
    let unannounced = first.is_none();
    let announced = first.filter(|_| second.is_none()).and_then(number);
    let needs_length = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    match body.size_hint().exact() {
        Some(0) if unannounced && !needs_length => {}
        Some(length) if announced == Some(length) => {}
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

/// Leaves one `Content-Length` line with one number, where upstream repeated itself (RFC 9110
/// section 8.6). hyper has refused lengths that differ.
pub(super) fn one_length(headers: &mut HeaderMap, body: &Body) {
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
