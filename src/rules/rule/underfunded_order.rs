//! An order before the money is there.

use super::page;
use crate::rules::{
    Amount, Dialect, Intent, Refusal, RuleId, SessionState, Toggle, Violation,
    known::{Fact, Gap, View},
    table::Row,
};

pub(in crate::rules) const CHECKOUTS: Row = Row {
    id: RuleId::UnderfundedOrder,
    dialect: Dialect::Checkouts,
    default: Toggle::Reject,
    remedy: None,
    meaning: "an order while money is missing",
    fires: "`POST /orders` while the payment session is not `requires_confirmation`, or money remains to be contributed.",
    answer: "400 bad_request, code `order_submit_failed`: Payment session status is invalid.",
    instead: "Attach sources until `amountRemainingToBeContributed` is 0.",
    page: page::SECONDARY,
    check: |view| check(view, Dialect::Checkouts),
};

pub(in crate::rules) const CARTS: Row = Row {
    dialect: Dialect::Carts,
    fires: "`submit-cart` while `paymentSession` is not `requires_confirmation`, or money remains to be contributed.",
    answer: "409, code `submit-cart-failed`.",
    page: page::CARTS_AMOUNTS,
    check: |view| check(view, Dialect::Carts),
    ..CHECKOUTS
};

fn check(view: &View<'_>, dialect: Dialect) -> Fact<Option<Violation>> {
    let Intent::Order { brings_funding: false, .. } = view.intent else { return Ok(None) };
    let found = match view.session_state() {
        // A second order from one checkout is upstream's to refuse.
        Ok(SessionState::Complete) => None,
        Ok(SessionState::RequiresConfirmation) | Err(Gap::Untold) => {
            missing(view)?.map(|amount| format!("{amount} remains to be contributed"))
        }
        Ok(state) => Some(format!("the payment session is {}", state.as_str())),
        Err(gap) => return Err(gap),
    };
    Ok(found.map(|found| Violation {
        rule: RuleId::UnderfundedOrder,
        dialect,
        found,
        accepted: "a payment session that is requires_confirmation, with nothing left to contribute",
        refusal: match dialect {
            Dialect::Checkouts => Refusal::bad_request("order_submit_failed", "Payment session status is invalid."),
            Dialect::Carts => Refusal::cart(
                "submit-cart-failed",
                RuleId::UnderfundedOrder.as_str(),
                "The cart is not fully paid for. Attach sources until amountRemainingToBeContributed is 0.",
            ),
        },
    }))
}

/// What is still to be contributed, where that is more than nothing. A primary contributes all that the secondaries leave.
fn missing(view: &View<'_>) -> Fact<Option<Amount>> {
    let remaining = match view.of_session(|s| &s.remaining) {
        Ok(remaining) => *remaining,
        Err(_) => {
            if view.primary()?.is_some() {
                return Ok(None);
            }
            let total = *view.of_session(|s| &s.total)?;
            let mut contributed = Amount::ZERO;
            for secondary in view.attached()? {
                contributed = contributed.checked_add(view.contribution(secondary)?).ok_or(Gap::Untold)?;
            }
            if contributed < total {
                // Later versions never tell a credit amount; where it may be told, nothing is refused before it is.
                match view.of_session(|s| &s.credit_amount) {
                    Ok(credit) => contributed = contributed.max(credit.unwrap_or_default()),
                    Err(Gap::Untold) => {}
                    Err(gap) => return Err(gap),
                }
            }
            total.saturating_sub(contributed)
        }
    };
    Ok(remaining.is_positive().then_some(remaining))
}
