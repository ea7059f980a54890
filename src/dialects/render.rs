//! Puts refusals and Weir's own errors into the vendor's words.
//!
//! In: a form, and a [`Refusal`] or an error of Weir's own. Out: a status, a content type and a body, as domain.md quotes them.

use super::{Form, Media, carts, checkouts};
use crate::rules::{Dialect, Refusal};
use bytes::Bytes;
use http::StatusCode;

/// An answer, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Its status.
    pub status: StatusCode,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Its body.
    pub body: Bytes,
}

/// One entry of an error body.
pub(super) struct Fault<'a> {
    pub code: &'a str,
    pub subcode: Option<&'a str>,
    pub parameter: Option<&'a str>,
    pub message: &'a str,
}

/// The vendor's answer to a broken rule. `/sources` is refused in the checkouts form also where a rule of the carts table is broken.
pub fn refusal(form: Form, refusal: &Refusal) -> Rendered {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::CONFLICT);
    let parameter = refusal.parameter.as_deref();
    render(form, status, Fault { code: refusal.code, subcode: refusal.subcode, parameter, message: &refusal.message })
}

/// An error that is Weir's own to tell (413, 502, 503, 504, …), in the vendor's form. On carts the code is the subcode, too.
pub fn error(form: Form, status: StatusCode, code: &str, message: &str) -> Rendered {
    render(form, status, Fault { code, subcode: Some(code), parameter: None, message })
}

fn render(form: Form, status: StatusCode, fault: Fault<'_>) -> Rendered {
    let (content_type, body) = match (form.dialect, form.media) {
        (Dialect::Checkouts, _) => ("application/json", checkouts::error_json(status, &fault)),
        (Dialect::Carts, Media::Json) => ("application/json", carts::error_json(&fault)),
        (Dialect::Carts, Media::Xml) => ("application/xml", carts::error_xml(&fault)),
    };
    Rendered { status, content_type, body: Bytes::from(body) }
}
