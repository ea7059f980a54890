//! Puts refusals and Weir's own errors into the vendor's words.

use super::{api::ErrorEntry, form::Form, refusal::Refusal};
use bytes::Bytes;
use http::StatusCode;

/// An answer, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Its status.
    pub status: StatusCode,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Whether scripts of any origin may read it.
    pub any_origin: bool,
    /// Its body.
    pub body: Bytes,
}

/// Writes the vendor's answer to a broken rule.
pub(super) fn refusal(form: Form, refusal: &Refusal) -> Rendered {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::CONFLICT);
    let entry = ErrorEntry {
        code: refusal.code,
        subcode: refusal.subcode,
        parameter: refusal.parameter.as_deref(),
        message: &refusal.message,
    };
    render(form, status, &entry)
}

/// Writes an error of Weir's own (413, 502, 503, 504, …) in the vendor's form. Where the form has a
/// subcode, that is the code again.
pub fn error(form: Form, status: StatusCode, code: &str, message: &str) -> Rendered {
    render(form, status, &ErrorEntry { code, subcode: Some(code), parameter: None, message })
}

fn render(form: Form, status: StatusCode, entry: &ErrorEntry<'_>) -> Rendered {
    Rendered {
        status,
        content_type: form.media.content_type(),
        any_origin: form.api.any_origin,
        body: Bytes::from((form.api.error)(form.media, status, entry)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::{Dialects, carts, checkouts, read::media::Media},
        rules::Violation,
    };

    const CHECKOUTS: Form = Form { api: &checkouts::API, media: Media::Json };
    const JSON: Form = Form { api: &carts::API, media: Media::Json };
    const XML: Form = Form { api: &carts::API, media: Media::Xml };

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
                Dialects::built_in()
                    .words(&Violation::ambiguous(checkouts::DIALECT, "The path has \"dots\".")),
                400,
                r#"{"type":"bad_request","errors":[{"code":"ambiguous_request","message":"The path has \"dots\"."}]}"#,
            ),
        ] {
            assert_eq!(shown(&refusal(CHECKOUTS, &refused)), (status, "application/json", body));
        }
    }

    #[test]
    fn carts_refusals_come_in_both_media() {
        let refused = Refusal::conflict("apply-payment-failure", "Detach <it> & \"retry\".")
            .subcode("primary-before-secondary");
        assert_eq!(
            shown(&refusal(JSON, &refused)),
            (
                409,
                "application/json",
                r#"{"errors":{"error":[{"relation":"https://developers.digitalriver.com/v1/shoppers/CartsResource","code":"apply-payment-failure","subcode":"primary-before-secondary","description":"Detach <it> & \"retry\"."}]}}"#
            )
        );
        assert_eq!(
            shown(&refusal(XML, &refused)),
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
