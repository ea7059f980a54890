//! The error body of the carts dialect, in JSON and XML (domain: section 3).

use crate::dialects::{render::Fault, xml::escaped};
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

/// `{"errors": {"error": [{"relation", "code", "subcode", "description"}]}}`.
pub(in crate::dialects) fn error_json(fault: &Fault<'_>) -> Vec<u8> {
    let entry = Entry {
        relation: RELATION,
        code: fault.code,
        subcode: fault.subcode,
        description: fault.message,
    };
    // Strings only: this cannot fail.
    serde_json::to_vec(&Body { errors: Errors { error: [entry] } }).unwrap_or_default()
}

/// The same as elements.
pub(in crate::dialects) fn error_xml(fault: &Fault<'_>) -> Vec<u8> {
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
