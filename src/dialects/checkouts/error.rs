//! The error body of the checkouts dialect (domain: section 2).

use crate::dialects::{
    api::{ErrorCode, ErrorEntry},
    read::{
        media::Media,
        members::{self, Members},
    },
};
use http::StatusCode;
use serde::Serialize;

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    errors: [Entry<'a>; 1],
}

#[derive(Serialize)]
struct Entry<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    message: &'a str,
}

/// Writes `{"type": …, "errors": [{"code", "parameter" only where there is one, "message"}]}`.
pub(super) fn error_body(_: Media, status: StatusCode, entry: &ErrorEntry<'_>) -> Vec<u8> {
    let entry = Entry { code: entry.code, parameter: entry.parameter, message: entry.message };
    // Strings only: this cannot fail.
    serde_json::to_vec(&Body { r#type: kind(status), errors: [entry] }).unwrap_or_default()
}

/// Reads the code of the first error of a body.
pub(super) fn error_code(json: &[u8]) -> Option<ErrorCode> {
    let notes = members::Notes::default();
    let body = Members::of(json, &["errors"], &notes).ok()?;
    let errors = body.list("errors", &["code", "parameter"]).into_stated()?;
    let error = errors.first()?;
    Some(ErrorCode {
        code: members::code(error, "code")?,
        detail: members::code(error, "parameter"),
    })
}

/// Returns the vendor's name for a status, or for its class where the status has none.
fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        409 => "conflict",
        429 => "too_many_requests",
        502 => "bad_gateway",
        503 => "service_unavailable",
        504 => "gateway_timeout",
        500..=599 => "internal_server_error",
        _ => "bad_request",
    }
}
