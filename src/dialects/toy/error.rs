//! The toy's error body.

use crate::dialects::{api::ErrorEntry, read::media::Media};
use http::StatusCode;
use serde::Serialize;

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    why: &'a str,
}

/// Writes `{"code", "why"}`.
pub(super) fn error_body(_: Media, _: StatusCode, entry: &ErrorEntry<'_>) -> Vec<u8> {
    let body = Body { code: entry.code, why: entry.message };
    serde_json::to_vec(&body).expect("text only")
}
