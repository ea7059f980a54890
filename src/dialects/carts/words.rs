//! Words a broken rule for the carts dialect (domain: section 4). `/sources` is answered in the
//! form of the checkouts dialect, so refusals there have no subcode.

use crate::{
    dialects::{api::RuleCode, refusal::Refusal},
    rules::{Finding, RuleId, Violation},
};

/// Puts a broken rule into the words of this dialect.
pub(super) fn refusal(violation: &Violation) -> Refusal {
    let rule = violation.rule.as_str();
    match &violation.finding {
        Finding::Ambiguous(what) => {
            Refusal::bad_request("ambiguous_request", what.clone()).subcode(rule)
        }
        Finding::HasOwner { .. } => Refusal::bad_request(
            "invalid_parameter",
            "Create a secondary source without an owner: its address could be copied to the cart and make the authorisation fail.",
        )
        .parameter("owner"),
        Finding::AmountEdited { .. } => Refusal::conflict(
            "session_update_not_allowed",
            "The amount of a secondary source cannot be changed. Detach it, create a new one, and attach that.",
        ),
        Finding::NotConfirmed { .. } | Finding::Underfunded { .. } => Refusal::conflict(
            "submit-cart-failed",
            "The cart is not fully paid for. Attach sources until amountRemainingToBeContributed is 0.",
        )
        .subcode(rule),
        Finding::LostCredit { secondary, primary }
        | Finding::CreditInDoubt { secondary, primary } => Refusal::conflict(
            "submit-cart-failed",
            format!(
                "The store credit '{secondary}' was applied after the primary payment method '{primary}' and would be ignored. \
                 Detach the primary, attach it again, then submit the cart."
            ),
        )
        .subcode(rule),
        Finding::CreditLeftOut => Refusal::conflict(
            "submit-cart-failed",
            "Store credit was applied after the primary payment method and would be ignored. \
             Remove the primary, apply it again, then submit the cart.",
        )
        .subcode(rule),
        Finding::CreditUnseen { .. } => Refusal::conflict(
            "submit-cart-failed",
            "It cannot be seen whether store credit would be ignored. Try again.",
        )
        .subcode(rule),
        payment => of_payment(payment, rule),
    }
}

/// Words why a source can be neither attached nor saved.
fn of_payment(finding: &Finding, rule: &'static str) -> Refusal {
    let failure = |subcode, description: &'static str| {
        Refusal::conflict("apply-payment-failure", description).subcode(subcode)
    };
    match finding {
        Finding::AfterPrimary { .. } => failure(
            rule,
            "Store credit applied after the primary payment method would be ignored when the cart is submitted. \
             Detach the primary, attach the store credit, then attach the primary again.",
        ),
        Finding::SecondPrimary { .. } => failure(
            rule,
            "The cart already has a primary payment method. Detach it, then attach the new one.",
        ),
        Finding::MoreThanOneSecondary { .. } => failure(
            rule,
            "A primary payment method can be combined with only one store credit. \
             Detach the other store credits, or create one with the whole amount.",
        ),
        Finding::Spent { .. } => failure(
            rule,
            "The source has been consumed, cancelled or has failed. Create a new source and attach that.",
        ),
        Finding::ExceedsTotal { .. } => failure(
            "session_source_amount_too_large",
            "The store credit exceeds what remains to be paid. Create one of at most amountRemainingToBeContributed.",
        ),
        Finding::NotReusable { .. } => failure(
            "nonreusable_source",
            "Only a reusable source may be saved as a payment option. Attach this one to the cart only.",
        ),
        Finding::NotChargeable { source, .. } => Refusal::conflict(
            "apply-payment-failure",
            format!("Source '{source}' is not chargeable. Save it once it is."),
        )
        .subcode("source_not_chargeable"),
        Finding::NoPair { primary, secondary } => Refusal::conflict(
            "apply-payment-failure",
            format!(
                "A source of type '{secondary}' cannot be combined with a primary source of type '{primary}'. \
                 Use another primary payment method, or pay without store credit."
            ),
        )
        .subcode(rule),
        // No row of this dialect finds any other. A row that is added without words is refused all
        // the same: the caller gets what the log says.
        other => {
            debug_assert!(false, "a finding without words: {other}");
            Refusal::conflict("apply-payment-failure", other.to_string()).subcode(rule)
        }
    }
}

/// Returns how upstream's error names a rule: by its code and its subcode.
pub(super) fn refuses_with(rule: RuleId) -> Option<RuleCode> {
    const PAYMENT: &str = "apply-payment-failure";
    Some(match rule {
        RuleId::SpentSource => (PAYMENT, Some("spent-source")),
        RuleId::AmountExceedsTotal => (PAYMENT, Some("session_source_amount_too_large")),
        RuleId::SaveNonreusable => (PAYMENT, Some("nonreusable_source")),
        RuleId::SaveNotChargeable => (PAYMENT, Some("source_not_chargeable")),
        RuleId::UnderfundedOrder => ("submit-cart-failed", Some("underfunded-order")),
        RuleId::SecondaryAmountEdit => ("session_update_not_allowed", None),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
