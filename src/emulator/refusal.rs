//! A call the vendor refuses, before it is written in the form of either dialect.
//!
//! Codes and messages that `domain.md` quotes are spelled out here or where the rule is judged,
//! never computed.

use super::doc::Doc;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    /// Checkouts show it as `parameter`, carts as `subcode`.
    pub(super) detail: Option<String>,
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, text: impl Into<String>) -> Refusal {
        Refusal { status, code, detail: None, text: text.into() }
    }

    pub(super) fn about(mut self, detail: impl Into<String>) -> Refusal {
        self.detail = Some(detail.into());
        self
    }

    pub(super) fn conflict(code: &'static str, text: impl Into<String>) -> Refusal {
        Refusal::new(409, code, text)
    }

    pub(super) fn missing(parameter: &str) -> Refusal {
        Refusal::new(400, "missing_parameter", format!("'{parameter}' is required."))
            .about(parameter)
    }

    pub(super) fn invalid(parameter: &str) -> Refusal {
        Refusal::new(400, "invalid_parameter", format!("'{parameter}' is invalid."))
            .about(parameter)
    }

    pub(super) fn not_found(what: &str, id: &str) -> Refusal {
        Refusal::new(404, "not_found", format!("{what} '{id}' not found."))
    }

    pub(super) fn forbidden() -> Refusal {
        Refusal::new(403, "forbidden", "This API key may not make this call.")
    }

    pub(super) fn unauthorized() -> Refusal {
        Refusal::new(401, "unauthorized", "Authentication failed.")
    }

    /// The error form of the checkouts API.
    pub(super) fn as_checkouts(&self) -> Doc {
        let kind = match self.status {
            400 => "bad_request",
            401 => "unauthorized",
            403 => "forbidden",
            404 => "not_found",
            405 => "method_not_allowed",
            409 => "conflict",
            413 => "request_entity_too_large",
            429 => "too_many_requests",
            502 => "bad_gateway",
            503 => "service_unavailable",
            504 => "gateway_timeout",
            _ => "internal_server_error",
        };
        let error = Doc::object()
            .with("code", self.code)
            .with_some("parameter", self.detail.as_deref())
            .with("message", &self.text);
        Doc::object().with("type", kind).with("errors", vec![error])
    }

    /// The error form of the carts API.
    pub(super) fn as_carts(&self) -> Doc {
        let error = Doc::object()
            .with("relation", "https://developers.digitalriver.com/v1/shoppers/CartsResource")
            .with("code", self.code)
            .with_some("subcode", self.detail.as_deref())
            .with("description", &self.text);
        Doc::object().with("errors", Doc::object().with("error", vec![error]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_has_its_form() {
        let refusal = Refusal::conflict("c", "t").about("d");
        assert_eq!(
            String::from_utf8(refusal.as_checkouts().to_json()).unwrap(),
            r#"{"type":"conflict","errors":[{"code":"c","parameter":"d","message":"t"}]}"#
        );
        assert_eq!(
            String::from_utf8(refusal.as_carts().to_json()).unwrap(),
            r#"{"errors":{"error":[{"relation":"https://developers.digitalriver.com/v1/shoppers/CartsResource","code":"c","subcode":"d","description":"t"}]}}"#
        );
    }
}
