//! Puts refusals and Weir's own errors into the vendor's words.
//!
//! In: a form, and a [`Violation`] or an error of Weir's own. Out: a status, a content type and a
//! body, as domain.md quotes them.

use super::{Form, Media, Refusal, carts, checkouts, words};
use crate::rules::Violation;
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

/// The vendor's answer to a broken rule. `/sources` is refused in the checkouts form also where a
/// rule of the carts table is broken.
pub fn refusal(form: Form, violation: &Violation) -> Rendered {
    of_refusal(form, &words(violation))
}

fn of_refusal(form: Form, refusal: &Refusal) -> Rendered {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::CONFLICT);
    let parameter = refusal.parameter.as_deref();
    render(
        form,
        status,
        Fault {
            code: refusal.code,
            subcode: refusal.subcode,
            parameter,
            message: &refusal.message,
        },
    )
}

/// An error that is Weir's own to tell (413, 502, 503, 504, …), in the vendor's form. On carts the
/// code is the subcode, too.
pub fn error(form: Form, status: StatusCode, code: &str, message: &str) -> Rendered {
    render(form, status, Fault { code, subcode: Some(code), parameter: None, message })
}

fn render(form: Form, status: StatusCode, fault: Fault<'_>) -> Rendered {
    let (content_type, body) = match (form.dialect == carts::DIALECT, form.media) {
        (false, _) => ("application/json", checkouts::error_json(status, &fault)),
        (true, Media::Json) => ("application/json", carts::error_json(&fault)),
        (true, Media::Xml) => ("application/xml", carts::error_xml(&fault)),
    };
    Rendered { status, content_type, body: Bytes::from(body) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Violation;

    const CHECKOUTS: Form = Form { dialect: checkouts::DIALECT, media: Media::Json };
    const JSON: Form = Form { dialect: carts::DIALECT, media: Media::Json };
    const XML: Form = Form { dialect: carts::DIALECT, media: Media::Xml };

    fn shown(rendered: &Rendered) -> (u16, &'static str, &str) {
        (
            rendered.status.as_u16(),
            rendered.content_type,
            std::str::from_utf8(&rendered.body).unwrap(),
        )
    }

    #[test]
    fn checkouts_refusals_are_the_vendors_bodies() {
        for (refused, status, body) in [
            (
                Refusal::conflict(
                    "session_update_not_allowed",
                    "Updating source is not allowed for the current session state.",
                ),
                409,
                r#"{"type":"conflict","errors":[{"code":"session_update_not_allowed","message":"Updating source is not allowed for the current session state."}]}"#,
            ),
            (
                Refusal::conflict(
                    "source_status_invalid_for_session",
                    "The source status is invalid for this session.",
                ),
                409,
                r#"{"type":"conflict","errors":[{"code":"source_status_invalid_for_session","message":"The source status is invalid for this session."}]}"#,
            ),
            (
                Refusal::conflict("source_not_chargeable", "Source 'ea6b3297' is not chargeable.")
                    .parameter("sourceId"),
                409,
                r#"{"type":"conflict","errors":[{"code":"source_not_chargeable","parameter":"sourceId","message":"Source 'ea6b3297' is not chargeable."}]}"#,
            ),
            (
                Refusal::bad_request("order_submit_failed", "Payment session status is invalid."),
                400,
                r#"{"type":"bad_request","errors":[{"code":"order_submit_failed","message":"Payment session status is invalid."}]}"#,
            ),
            (
                words(&Violation::ambiguous(checkouts::DIALECT, "The path has \"dots\".")),
                400,
                r#"{"type":"bad_request","errors":[{"code":"ambiguous_request","message":"The path has \"dots\"."}]}"#,
            ),
        ] {
            assert_eq!(shown(&of_refusal(CHECKOUTS, &refused)), (status, "application/json", body));
        }
    }

    #[test]
    fn carts_refusals_come_in_both_media() {
        let refused = Refusal::conflict("apply-payment-failure", "Detach <it> & \"retry\".")
            .subcode("primary-before-secondary");
        assert_eq!(
            shown(&of_refusal(JSON, &refused)),
            (
                409,
                "application/json",
                r#"{"errors":{"error":[{"relation":"https://developers.digitalriver.com/v1/shoppers/CartsResource","code":"apply-payment-failure","subcode":"primary-before-secondary","description":"Detach <it> & \"retry\"."}]}}"#
            )
        );
        assert_eq!(
            shown(&of_refusal(XML, &refused)),
            (
                409,
                "application/xml",
                "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><errors><error><relation>https://developers.digitalriver.com/v1/shoppers/CartsResource</relation><code>apply-payment-failure</code><subcode>primary-before-secondary</subcode><description>Detach &lt;it&gt; &amp; \"retry\".</description></error></errors>"
            )
        );
    }

    #[test]
    fn errors_of_our_own_have_the_vendors_form() {
        for (status, kind) in [
            (400, "bad_request"),
            (401, "unauthorized"),
            (403, "forbidden"),
            (404, "not_found"),
            (409, "conflict"),
            (413, "bad_request"),
            (429, "too_many_requests"),
            (500, "internal_server_error"),
            (502, "bad_gateway"),
            (503, "service_unavailable"),
            (504, "gateway_timeout"),
        ] {
            let rendered =
                error(CHECKOUTS, StatusCode::from_u16(status).unwrap(), "a_code", "Why.");
            let body =
                format!(r#"{{"type":"{kind}","errors":[{{"code":"a_code","message":"Why."}}]}}"#);
            assert_eq!(shown(&rendered), (status, "application/json", body.as_str()));
        }
        let busy =
            error(JSON, StatusCode::CONFLICT, "concurrent-cart-modification-failure", "Try again.");
        assert_eq!(
            shown(&busy).2,
            r#"{"errors":{"error":[{"relation":"https://developers.digitalriver.com/v1/shoppers/CartsResource","code":"concurrent-cart-modification-failure","subcode":"concurrent-cart-modification-failure","description":"Try again."}]}}"#
        );
    }
}
