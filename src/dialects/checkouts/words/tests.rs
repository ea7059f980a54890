use super::*;
use crate::{
    dialects::checkouts::DIALECT,
    rules::{Missing, RuleId, SessionState, SourceId, SourceState},
};

fn worded(rule: RuleId, finding: Finding) -> Refusal {
    let violation = Violation { rule, dialect: DIALECT, finding, facts: Vec::new() };
    assert_eq!(crate::dialects::Dialects::built_in().words(&violation), refusal(&violation));
    refusal(&violation)
}

fn answer(
    status: u16,
    code: &'static str,
    parameter: Option<&'static str>,
    message: &'static str,
) -> Refusal {
    let parameter = parameter.map(Into::into);
    Refusal { status, code, subcode: None, parameter, message: message.into() }
}

/// The vendor's bodies, as domain.md quotes them.
#[test]
fn every_finding_has_the_vendors_words() {
    let (p, c) = (|| SourceId::from("p"), || SourceId::from("c"));
    let not_allowed = || {
        answer(
            409,
            "session_update_not_allowed",
            None,
            "Updating source is not allowed for the current session state.",
        )
    };
    let unfunded =
        || answer(400, "order_submit_failed", None, "Payment session status is invalid.");
    for (rule, finding, expected) in [
        (
            RuleId::AmbiguousRequest,
            Finding::Ambiguous("two source ids".into()),
            answer(400, "ambiguous_request", None, "two source ids"),
        ),
        (
            RuleId::SecondaryAfterSingleUsePrimary,
            Finding::AfterSingleUsePrimary { secondary: c(), primary: p() },
            not_allowed(),
        ),
        (
            RuleId::SecondPrimary,
            Finding::SecondPrimary { incoming: c(), attached: p() },
            not_allowed(),
        ),
        (
            RuleId::SpentSource,
            Finding::Spent { source: p(), state: SourceState::Failed },
            answer(
                409,
                "source_status_invalid_for_session",
                None,
                "The source status is invalid for this session.",
            ),
        ),
        (
            RuleId::AmountExceedsTotal,
            Finding::ExceedsTotal {
                secondary: c(),
                amount: Default::default(),
                room: Default::default(),
            },
            answer(
                409,
                "session_source_amount_too_large",
                None,
                "Source amount(s) exceed session amount",
            ),
        ),
        (
            RuleId::PrimaryPairing,
            Finding::NoPair { primary: "trustly".into(), secondary: "customerCredit".into() },
            answer(
                409,
                "source_not_supported",
                Some("sourceId"),
                "A source of type 'customerCredit' cannot be combined with a primary source of type 'trustly'.",
            ),
        ),
        (
            RuleId::SaveNonreusable,
            Finding::NotReusable { source: p(), kind: "payPal".into() },
            answer(
                409,
                "nonreusable_source",
                None,
                "Only a reusable source may be attached to a customer.",
            ),
        ),
        (
            RuleId::SaveNotChargeable,
            Finding::NotChargeable { source: p(), state: SourceState::Cancelled },
            answer(409, "source_not_chargeable", Some("sourceId"), "Source 'p' is not chargeable."),
        ),
        (
            RuleId::ForeignSavedSource,
            Finding::ForeignSource { source: p(), owner: "o".into(), buyer: None },
            answer(
                409,
                "source_in_use",
                Some("sourceId"),
                "Source 'p' is attached to a different customer.",
            ),
        ),
        (
            RuleId::UnderfundedOrder,
            Finding::NotConfirmed { state: SessionState::RequiresSource },
            unfunded(),
        ),
        (
            RuleId::UnderfundedOrder,
            Finding::Underfunded { remaining: Default::default() },
            unfunded(),
        ),
        (
            RuleId::DefaultSourceNotSaved,
            Finding::NotSaved { source: p(), customer: Some("o".into()) },
            answer(
                409,
                "invalid_parameter",
                Some("defaultSourceId"),
                "Source 'p' is not attached to this customer.",
            ),
        ),
        (
            RuleId::SecondarySourceShape,
            Finding::Missing(Missing::Type),
            answer(400, "missing_parameter", Some("type"), "Missing required parameter 'type'."),
        ),
        (
            RuleId::SecondarySourceShape,
            Finding::Missing(Missing::Amount),
            answer(
                400,
                "missing_parameter",
                Some("amount"),
                "Missing required parameter 'amount'.",
            ),
        ),
        (
            RuleId::SecondarySourceShape,
            Finding::Missing(Missing::TypeObject("customerCredit".into())),
            answer(
                400,
                "missing_parameter",
                Some("customerCredit"),
                "Missing required parameter 'customerCredit'.",
            ),
        ),
        (
            RuleId::CreditAmountRepeated,
            Finding::CreditRepeated { credit: Default::default() },
            answer(
                409,
                "creditAmount_already_updated",
                None,
                "Credit amount has already been updated.",
            ),
        ),
        (
            RuleId::CreditAmountAfterSingleUsePrimary,
            Finding::CreditAfterSingleUsePrimary { primary: p() },
            answer(
                409,
                "source_not_supported",
                Some("sourceId"),
                "The source status is invalid for this session.",
            ),
        ),
        (
            RuleId::InvoiceBillingOptimization,
            Finding::BillingOptimized { secondary: c() },
            answer(
                409,
                "source_not_supported",
                Some("sourceId"),
                "A secondary source is not supported by an invoice whose billing optimization is turned on.",
            ),
        ),
    ] {
        assert_eq!(worded(rule, finding), expected, "{rule}");
    }
}
