//! Words a broken rule for the checkouts dialect (domain: section 4).

use crate::{
    dialects::{api::RuleCode, refusal::Refusal},
    rules::{Finding, RuleId, Violation},
};

/// Puts a broken rule into the words of this dialect.
pub(super) fn refusal(violation: &Violation) -> Refusal {
    match &violation.finding {
        Finding::Ambiguous(what) => Refusal::bad_request("ambiguous_request", what.clone()),
        Finding::AfterSingleUsePrimary { .. }
        | Finding::KeptBack { .. }
        | Finding::AfterPrimary { .. }
        | Finding::SecondPrimary { .. }
        | Finding::MoreThanOneSecondary { .. } => Refusal::conflict(
            "session_update_not_allowed",
            "Updating source is not allowed for the current session state.",
        ),
        Finding::Spent { .. } => Refusal::conflict(
            "source_status_invalid_for_session",
            "The source status is invalid for this session.",
        ),
        Finding::ExceedsTotal { .. } => {
            Refusal::conflict("session_source_amount_too_large", "Source amount(s) exceed session amount")
        }
        Finding::NoPair { primary, secondary } => Refusal::conflict(
            "source_not_supported",
            format!(
                "A source of type '{secondary}' cannot be combined with a primary source of type '{primary}'."
            ),
        )
        .parameter("sourceId"),
        Finding::BillingOptimized { .. } => Refusal::conflict(
            "source_not_supported",
            "A secondary source is not supported by an invoice whose billing optimization is turned on.",
        )
        .parameter("sourceId"),
        Finding::CreditAfterSingleUsePrimary { .. } => {
            Refusal::conflict("source_not_supported", "The source status is invalid for this session.")
                .parameter("sourceId")
        }
        Finding::CreditRepeated { .. } => {
            Refusal::conflict("creditAmount_already_updated", "Credit amount has already been updated.")
        }
        Finding::ForeignSource { source, .. } => Refusal::conflict(
            "source_in_use",
            format!("Source '{source}' is attached to a different customer."),
        )
        .parameter("sourceId"),
        Finding::NotConfirmed { .. } | Finding::Underfunded { .. } => {
            Refusal::bad_request("order_submit_failed", "Payment session status is invalid.")
        }
        saving => of_saving(saving),
    }
}

/// Words what is wrong with a source that is created, edited or saved.
fn of_saving(finding: &Finding) -> Refusal {
    match finding {
        Finding::NotReusable { .. } => Refusal::conflict(
            "nonreusable_source",
            "Only a reusable source may be attached to a customer.",
        ),
        Finding::NotChargeable { source, .. } => Refusal::conflict(
            "source_not_chargeable",
            format!("Source '{source}' is not chargeable."),
        )
        .parameter("sourceId"),
        Finding::NotSaved { source, .. } => Refusal::conflict(
            "invalid_parameter",
            format!("Source '{source}' is not attached to this customer."),
        )
        .parameter("defaultSourceId"),
        Finding::Missing(missing) => Refusal::bad_request(
            "missing_parameter",
            format!("Missing required parameter '{}'.", missing.name()),
        )
        .parameter(missing.name().to_owned()),
        // No row of this dialect finds any other. A row that is added without words is refused all
        // the same: the caller gets what the log says.
        other => {
            debug_assert!(false, "a finding without words: {other}");
            Refusal::conflict("conflict", other.to_string())
        }
    }
}

/// Returns how upstream's error names a rule: by its code, and by its parameter where that tells.
pub(super) fn refuses_with(rule: RuleId) -> Option<RuleCode> {
    Some(match rule {
        RuleId::SecondaryAfterSingleUsePrimary => ("session_update_not_allowed", None),
        RuleId::SpentSource => ("source_status_invalid_for_session", None),
        RuleId::AmountExceedsTotal => ("session_source_amount_too_large", None),
        RuleId::PrimaryPairing
        | RuleId::CreditAmountAfterSingleUsePrimary
        | RuleId::InvoiceBillingOptimization => ("source_not_supported", Some("sourceId")),
        RuleId::SaveNonreusable => ("nonreusable_source", None),
        RuleId::SaveNotChargeable => ("source_not_chargeable", None),
        RuleId::ForeignSavedSource => ("source_in_use", None),
        RuleId::UnderfundedOrder => ("order_submit_failed", None),
        RuleId::DefaultSourceNotSaved => ("invalid_parameter", Some("defaultSourceId")),
        RuleId::SecondarySourceShape => ("missing_parameter", None),
        RuleId::CreditAmountRepeated => ("creditAmount_already_updated", None),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
