//! A vendor's answer to a broken rule, before it takes a wire form.

use std::borrow::Cow;

/// The vendor's answer to a broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The vendor's error code.
    pub code: &'static str,
    /// What distinguishes errors of one code, where the vendor's form has it.
    pub subcode: Option<&'static str>,
    /// The parameter at fault, where the vendor's form has it.
    pub parameter: Option<Cow<'static, str>>,
    /// What happened, and what to do instead.
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// Returns a 409 with this code.
    pub(super) fn conflict(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: 409, code, subcode: None, parameter: None, message: message.into() }
    }

    /// Returns a 400 with this code.
    pub(super) fn bad_request(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: 400, ..Self::conflict(code, message) }
    }

    /// Adds what distinguishes it from other errors of its code.
    pub(super) fn subcode(self, subcode: &'static str) -> Self {
        Self { subcode: Some(subcode), ..self }
    }

    /// Adds the parameter at fault.
    pub(super) fn parameter(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { parameter: Some(name.into()), ..self }
    }
}
