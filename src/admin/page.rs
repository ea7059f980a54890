//! One answer of the admin address, and the parameters of a request.

use http::StatusCode;
use serde::Serialize;

/// A status and a text, which is JSON mostly.
pub(super) struct Page {
    pub status: StatusCode,
    pub content_type: &'static str,
    pub text: String,
}

impl Page {
    /// Shows this JSON.
    pub(super) fn json(status: StatusCode, text: String) -> Self {
        Self { status, content_type: "application/json", text }
    }

    /// Shows this as JSON.
    pub(super) fn ok(content: &impl Serialize) -> Self {
        match serde_json::to_string_pretty(content) {
            Ok(json) => Self::json(StatusCode::OK, json + "\n"),
            Err(_) => Self::error(StatusCode::INTERNAL_SERVER_ERROR, "this page cannot be shown"),
        }
    }

    /// Says what is wrong and what to do.
    pub(super) fn error(status: StatusCode, message: &str) -> Self {
        let json = serde_json::json!({ "error": message });
        Self::json(status, format!("{json:#}\n"))
    }
}

/// Returns the first value of a parameter.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// Refuses a query with a parameter that the page does not take.
pub(super) fn takes(query: &str, known: &[&str]) -> Result<(), Page> {
    let unknown = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| !known.contains(&&**name))
        .map(|(name, _)| name.chars().take(64).collect::<String>());
    let Some(name) = unknown else { return Ok(()) };
    let takes = match known {
        [] => "no parameters".to_owned(),
        known => known.join(", "),
    };
    let message = format!("unknown parameter {name:?}: this page takes {takes}");
    Err(Page::error(StatusCode::BAD_REQUEST, &message))
}

/// Reads `limit`, from 1 to 1000; 100 if it is not given.
pub(super) fn limit(query: &str) -> Result<usize, Page> {
    match parameter(query, "limit").map(|limit| limit.parse()) {
        None => Ok(100),
        Some(Ok(limit @ 1..=1000)) => Ok(limit),
        Some(_) => {
            Err(Page::error(StatusCode::BAD_REQUEST, "limit must be a number from 1 to 1000"))
        }
    }
}
