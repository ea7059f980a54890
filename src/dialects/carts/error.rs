//! The error body of the carts dialect, in JSON and XML (domain: section 3).

use crate::dialects::{
    api::{ErrorCode, ErrorEntry},
    read::{
        media::Media,
        members::{self, Members},
        xml::{self, escaped},
    },
};
use http::StatusCode;
use serde::Serialize;

/// Where the vendor's errors about carts point.
const RELATION: &str = "https://developers.digitalriver.com/v1/shoppers/CartsResource";

#[derive(Serialize)]
struct Body<'a> {
    errors: Errors<'a>,
}

#[derive(Serialize)]
struct Errors<'a> {
    error: [Entry<'a>; 1],
}

#[derive(Serialize)]
struct Entry<'a> {
    relation: &'static str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subcode: Option<&'a str>,
    description: &'a str,
}

/// Writes the body of an error in either media type.
pub(super) fn error_body(media: Media, _: StatusCode, entry: &ErrorEntry<'_>) -> Vec<u8> {
    match media {
        Media::Json => error_json(entry),
        Media::Xml => error_xml(entry),
    }
}

/// Reads the code of the first error of a body, in JSON or XML.
pub(super) fn error_code(body: &[u8]) -> Option<ErrorCode> {
    let json = match body.first() {
        Some(b'<') => {
            let inner = xml::to_json(std::str::from_utf8(body).ok()?, &["error"], |_, _| true);
            inner.ok()?.into_bytes()
        }
        _ => body.to_vec(),
    };
    let notes = members::Notes::default();
    let body = Members::of(&json, &["errors"], &notes).ok()?;
    let errors = body.object("errors", &["error"]).into_stated()?;
    let all = errors.list("error", &["code", "subcode"]).into_stated()?;
    let error = all.first()?;
    Some(ErrorCode { code: members::code(error, "code")?, detail: members::code(error, "subcode") })
}

/// Writes `{"errors": {"error": [{"relation", "code", "subcode", "description"}]}}`.
fn error_json(fault: &ErrorEntry<'_>) -> Vec<u8> {
    let entry = Entry {
        relation: RELATION,
        code: fault.code,
        subcode: fault.subcode,
        description: fault.message,
    };
    // Strings only: this cannot fail.
    serde_json::to_vec(&Body { errors: Errors { error: [entry] } }).unwrap_or_default()
}

/// Writes the same as elements.
fn error_xml(fault: &ErrorEntry<'_>) -> Vec<u8> {
    let subcode = fault
        .subcode
        .map(|subcode| format!("<subcode>{}</subcode>", escaped(subcode)))
        .unwrap_or_default();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\
         <errors><error><relation>{RELATION}</relation><code>{}</code>{subcode}<description>{}</description></error></errors>",
        escaped(fault.code),
        escaped(fault.message),
    )
    .into_bytes()
}
