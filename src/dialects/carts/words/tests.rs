use super::*;
use crate::{
    dialects::carts::DIALECT,
    rules::{RuleId, SessionState, SourceId, SourceState},
};

fn worded(rule: RuleId, finding: Finding) -> Refusal {
    let violation = Violation { rule, dialect: DIALECT, finding, facts: Vec::new() };
    assert_eq!(crate::dialects::Dialects::built_in().words(&violation), refusal(&violation));
    refusal(&violation)
}

fn failure(subcode: &'static str, message: &'static str) -> Refusal {
    Refusal {
        status: 409,
        code: "apply-payment-failure",
        subcode: Some(subcode),
        parameter: None,
        message: message.into(),
    }
}

#[test]
fn every_finding_has_the_vendors_words() {
    let (p, c) = (|| SourceId::from("p"), || SourceId::from("c"));
    let unfunded = || Refusal {
        code: "submit-cart-failed",
        ..failure(
            "underfunded-order",
            "The cart is not fully paid for. Attach sources until amountRemainingToBeContributed is 0.",
        )
    };
    for (rule, finding, expected) in [
        (
            RuleId::AmbiguousRequest,
            Finding::Ambiguous("two source ids".into()),
            Refusal {
                status: 400,
                code: "ambiguous_request",
                ..failure("ambiguous-request", "two source ids")
            },
        ),
        (
            RuleId::PrimaryBeforeSecondary,
            Finding::AfterPrimary { secondary: c(), primary: p() },
            failure(
                "primary-before-secondary",
                "Store credit applied after the primary payment method would be ignored when the cart is submitted. \
                 Detach the primary, attach the store credit, then attach the primary again.",
            ),
        ),
        (
            RuleId::SecondPrimary,
            Finding::SecondPrimary { incoming: c(), attached: p() },
            failure(
                "second-primary",
                "The cart already has a primary payment method. Detach it, then attach the new one.",
            ),
        ),
        (
            RuleId::OneSecondary,
            Finding::MoreThanOneSecondary { incoming: c() },
            failure(
                "one-secondary",
                "A primary payment method can be combined with only one store credit. \
                 Detach the other store credits, or create one with the whole amount.",
            ),
        ),
        (
            RuleId::PrimaryPairing,
            Finding::NoPair { primary: "trustly".into(), secondary: "customerCredit".into() },
            failure(
                "primary-pairing",
                "A source of type 'customerCredit' cannot be combined with a primary source of type 'trustly'. \
                 Use another primary payment method, or pay without store credit.",
            ),
        ),
        (
            RuleId::SpentSource,
            Finding::Spent { source: p(), state: SourceState::Failed },
            failure(
                "spent-source",
                "The source has been consumed, cancelled or has failed. Create a new source and attach that.",
            ),
        ),
        (
            RuleId::SaveNonreusable,
            Finding::NotReusable { source: p(), kind: "payPal".into() },
            failure(
                "nonreusable_source",
                "Only a reusable source may be saved as a payment option. Attach this one to the cart only.",
            ),
        ),
        (
            RuleId::SaveNotChargeable,
            Finding::NotChargeable { source: p(), state: SourceState::Cancelled },
            failure(
                "source_not_chargeable",
                "Source 'p' is not chargeable. Save it once it is.",
            ),
        ),
        (
            RuleId::AmountExceedsTotal,
            Finding::ExceedsTotal {
                secondary: c(),
                amount: Default::default(),
                room: Default::default(),
            },
            failure(
                "session_source_amount_too_large",
                "The store credit exceeds what remains to be paid. Create one of at most amountRemainingToBeContributed.",
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
            RuleId::LostCredit,
            Finding::LostCredit { secondary: c(), primary: p() },
            Refusal {
                code: "submit-cart-failed",
                ..failure(
                    "lost-credit",
                    "The store credit 'c' was applied after the primary payment method 'p' and would be ignored. \
                     Detach the primary, attach it again, then submit the cart.",
                )
            },
        ),
        (
            RuleId::LostCredit,
            Finding::CreditLeftOut,
            Refusal {
                code: "submit-cart-failed",
                ..failure(
                    "lost-credit",
                    "Store credit was applied after the primary payment method and would be ignored. \
                     Remove the primary, apply it again, then submit the cart.",
                )
            },
        ),
        (
            RuleId::LostCredit,
            Finding::CreditUnseen { source: c() },
            Refusal {
                code: "submit-cart-failed",
                ..failure(
                    "lost-credit",
                    "It cannot be seen whether store credit would be ignored. Try again.",
                )
            },
        ),
        (
            RuleId::SecondarySourceOwner,
            Finding::HasOwner { kind: "customerCredit".into() },
            Refusal {
                status: 400,
                code: "invalid_parameter",
                subcode: None,
                parameter: Some("owner".into()),
                message: "Create a secondary source without an owner: its address could be copied to the cart and make the authorisation fail.".into(),
            },
        ),
        (
            RuleId::SecondaryAmountEdit,
            Finding::AmountEdited { secondary: c() },
            Refusal {
                status: 409,
                code: "session_update_not_allowed",
                subcode: None,
                parameter: None,
                message: "The amount of a secondary source cannot be changed. Detach it, create a new one, and attach that.".into(),
            },
        ),
    ] {
        assert_eq!(worded(rule, finding), expected, "{rule}");
    }
}
