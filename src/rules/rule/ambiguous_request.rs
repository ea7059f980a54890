//! A governed call that two parsers could read differently. It is found before there is an intent,
//! while the call is read (`dialects`), so the check here never fires; the row gives it its place,
//! its words and its toggle.

use crate::dialects::{carts, checkouts};
use crate::rules::{Dialect, Refusal, RuleId, Toggle, Violation, table::Row};

const fn row(dialect: Dialect) -> Row {
    Row {
        id: RuleId::AmbiguousRequest,
        dialect,
        default: Toggle::Reject,
        remedy: None,
        meaning: "a governed call that two parsers could read differently",
        fires: "A governed call has duplicate keys for a governed field, two source ids that differ (path, query, body), `//`, dot segments, \
                encoded slashes or letters in its path, a body that is not JSON where a governed field may hide, or a method-override header.",
        answer: "400, code `ambiguous_request`. Nothing reaches upstream.",
        instead: "Send the call in its plain form: one path without tricks, one id, one JSON object with each key once.",
        page: "Weir's own: a rule must not be avoidable by spelling",
        check: |_| Ok(None),
    }
}

pub(in crate::rules) const CHECKOUTS: Row = row(checkouts::DIALECT);
pub(in crate::rules) const CARTS: Row = row(carts::DIALECT);

impl Violation {
    /// A call of this dialect that can be read in two ways; `what` names the two, never their
    /// values where these may be secret.
    pub fn ambiguous(dialect: Dialect, what: impl Into<String>) -> Self {
        let found = what.into();
        let refusal = match dialect.as_str() {
            "checkouts" => Refusal::bad_request("ambiguous_request", found.clone()),
            _ => Refusal {
                status: 400,
                ..Refusal::cart(
                    "ambiguous_request",
                    RuleId::AmbiguousRequest.as_str(),
                    found.clone(),
                )
            },
        };
        Violation {
            rule: RuleId::AmbiguousRequest,
            dialect,
            found,
            accepted: "the call in its plain form: one path without tricks, one id, one JSON object with each key once",
            refusal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_a_400_in_the_form_of_its_dialect() {
        let what = "two source ids: one in the path, another in the body";
        let checkouts = Violation::ambiguous(checkouts::DIALECT, what).refusal;
        assert_eq!(
            (checkouts.status, checkouts.code, checkouts.subcode, &*checkouts.message),
            (400, "ambiguous_request", None, what)
        );
        let carts = Violation::ambiguous(carts::DIALECT, what).refusal;
        assert_eq!(
            (carts.status, carts.code, carts.subcode, &*carts.message),
            (400, "ambiguous_request", Some("ambiguous-request"), what)
        );
    }
}
