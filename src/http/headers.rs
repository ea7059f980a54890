//! Reads a message's framing from its headers; the values that several rooms write.

use http::{HeaderMap, HeaderValue, header};

/// Lets scripts of any origin read an answer.
pub(crate) const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");

/// Returns false when content has any transfer coding other than one `chunked` (RFC 9112 section
/// 6.1), the only one that hyper decodes.
pub(crate) fn only_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}
