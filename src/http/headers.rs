//! What headers say of a message's framing.

use http::{HeaderMap, header};

/// Returns false when content is coded for transfer in any way but once `chunked` (RFC 9112 section
/// 6.1). hyper decodes that one and no other.
pub(crate) fn only_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}
