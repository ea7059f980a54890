//! A broken rule: what was found, what would have been accepted, and the answer the vendor would
//! give.

use super::{Dialect, RuleId};
use std::borrow::Cow;

/// The vendor's answer to a broken rule, before it takes a wire form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The vendor's error code.
    pub code: &'static str,
    /// Carts: the subcode.
    pub subcode: Option<&'static str>,
    /// Checkouts: the parameter at fault.
    pub parameter: Option<Cow<'static, str>>,
    /// `message` (carts: `description`).
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// 409 with a code of the checkouts dialect.
    pub fn conflict(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Refusal { status: 409, code, subcode: None, parameter: None, message: message.into() }
    }

    /// 400 with a code of the checkouts dialect.
    pub fn bad_request(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Refusal { status: 400, ..Refusal::conflict(code, message) }
    }

    /// 409 of the carts dialect; the subcode says which rule, the description what to do instead.
    pub fn cart(
        code: &'static str,
        subcode: &'static str,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        Refusal { subcode: Some(subcode), ..Refusal::conflict(code, description) }
    }

    /// Names the parameter at fault.
    pub fn parameter(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.parameter = Some(name.into());
        self
    }
}

/// A broken rule. The error body, the log line and the inspector's row are all rendered from it.
/// Ids, types, states and amounts only: never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: RuleId,
    /// In whose table.
    pub dialect: Dialect,
    /// What was found.
    pub found: String,
    /// What would have been accepted.
    pub accepted: &'static str,
    /// The answer.
    pub refusal: Refusal,
}
