//! A refusal of the vendor's, before it is written in the error form of either API.
//!
//! The vendor's codes and messages are spelled out, here or where the rule is judged, and never
//! computed.

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    /// Shown as `parameter` by checkouts and as `subcode` by carts.
    pub(crate) detail: Option<String>,
    pub(crate) text: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, text: impl Into<String>) -> Self {
        Self { status, code, detail: None, text: text.into() }
    }

    /// Adds the parameter or subcode that the refusal is about.
    pub(crate) fn about(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(crate) fn conflict(code: &'static str, text: impl Into<String>) -> Self {
        Self::new(409, code, text)
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::new(400, "missing_parameter", format!("'{parameter}' is required.")).about(parameter)
    }

    pub(crate) fn invalid(parameter: &str) -> Self {
        Self::new(400, "invalid_parameter", format!("'{parameter}' is invalid.")).about(parameter)
    }

    pub(crate) fn not_found(what: &str, id: &str) -> Self {
        Self::new(404, "not_found", format!("{what} '{id}' not found."))
    }

    pub(crate) fn not_chargeable(source: &str) -> Self {
        Self::conflict("source_not_chargeable", format!("Source '{source}' is not chargeable."))
            .about("sourceId")
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(403, "forbidden", "This API key may not make this call.")
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "unauthorized", "Authentication failed.")
    }
}
