//! Words a broken rule for the toy.

use super::answer::MINOR_DIGITS;
use crate::{
    dialects::refusal::Refusal,
    rules::{Amount, Finding, Violation},
};

/// Puts a broken rule into the words of this dialect.
pub(super) fn refusal(violation: &Violation) -> Refusal {
    match &violation.finding {
        Finding::Underfunded { remaining } => {
            let why = format!("The tokens are {} cents short.", cents(*remaining));
            Refusal { status: 402, ..Refusal::conflict("SHORT", why) }
        }
        Finding::Ambiguous(what) => Refusal::bad_request("UNCLEAR", what.clone()),
        other => Refusal::conflict("REFUSED", other.to_string()),
    }
}

/// Returns an amount in minor units, as the toy writes it.
fn cents(amount: Amount) -> i128 {
    let (digits, after_point) = amount.parts();
    digits * 10_i128.pow(MINOR_DIGITS.saturating_sub(after_point))
}
