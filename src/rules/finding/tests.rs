use super::*;
use crate::rules::fixtures::amount;

fn found(finding: &Finding) -> (String, &'static str) {
    (finding.to_string(), finding.accepted())
}

/// Log lines, the admin API and `weir dev` show these texts.
#[test]
fn what_was_found_and_what_would_have_been_accepted_is_told() {
    let (p, c) = (|| SourceId::from("p"), || SourceId::from("c"));
    let kind = |name: &str| SourceType::from(name);
    let after = "the secondary before the primary, or a primary saved to the customer";
    let funded = "a payment session that is requires_confirmation, with nothing left to contribute";
    for (finding, text, accepted) in [
        (
            Finding::Ambiguous("The path has dots.".into()),
            "The path has dots.",
            "the call in its plain form: one path without tricks, one id, one JSON object with each key once",
        ),
        (
            Finding::AfterSingleUsePrimary { secondary: c(), primary: p() },
            "secondary c after the single-use primary p",
            after,
        ),
        (
            Finding::KeptBack { primary: p() },
            "the single-use primary p, which store credit could not follow",
            after,
        ),
        (
            Finding::AfterPrimary { secondary: c(), primary: p() },
            "secondary c after the primary p",
            "the secondary before the primary",
        ),
        (
            Finding::SecondPrimary { incoming: "q".into(), attached: p() },
            "primary q while the primary p is attached",
            "one primary at a time: detach the first",
        ),
        (
            Finding::MoreThanOneSecondary { incoming: c() },
            "c would put a primary beside more than one secondary",
            "one primary with one secondary, or secondaries alone",
        ),
        (
            Finding::Spent { source: p(), state: SourceState::Cancelled },
            "source p is cancelled",
            "a source that has not been consumed, cancelled or failed",
        ),
        (
            Finding::ExceedsTotal { secondary: c(), amount: amount("5.01"), room: amount("5") },
            "secondary c of 5.01 where 5 is left",
            "secondaries that together do not exceed the total",
        ),
        (
            Finding::NoPair { primary: kind("trustly"), secondary: kind("customerCredit") },
            "customerCredit combined with trustly",
            "a primary of a type in the pairing list",
        ),
        (
            Finding::NotReusable { source: p(), kind: kind("payPal") },
            "source p of type payPal",
            "a source of a type that can be reused",
        ),
        (
            Finding::NotChargeable { source: p(), state: SourceState::PendingFunds },
            "source p is pending_funds",
            "a chargeable source",
        ),
        (
            Finding::ForeignSource { source: p(), owner: "o".into(), buyer: Some("b".into()) },
            "source p is saved to customer o, the checkout is customer b's",
            "a checkout whose customerId is the customer the source is saved to",
        ),
        (
            Finding::ForeignSource { source: p(), owner: "o".into(), buyer: None },
            "source p is saved to customer o, the checkout has no customer",
            "a checkout whose customerId is the customer the source is saved to",
        ),
        (
            Finding::NotConfirmed { state: SessionState::RequiresSource },
            "the payment session is requires_source",
            funded,
        ),
        (
            Finding::Underfunded { remaining: amount("0.01") },
            "0.01 remains to be contributed",
            funded,
        ),
        (
            Finding::NotSaved { source: p(), customer: Some("o".into()) },
            "source p is not saved to customer o",
            "a source saved to that customer",
        ),
        (
            Finding::Missing(Missing::Type),
            "no `type`",
            "type, amount, and an empty object named after the type",
        ),
        (
            Finding::Missing(Missing::Amount),
            "no `amount`",
            "type, amount, and an empty object named after the type",
        ),
        (
            Finding::Missing(Missing::TypeObject(kind("customerCredit"))),
            "no `customerCredit`",
            "type, amount, and an empty object named after the type",
        ),
        (
            Finding::CreditRepeated { credit: amount("5") },
            "the checkout has a credit amount of 5",
            "one credit amount per checkout",
        ),
        (
            Finding::CreditAfterSingleUsePrimary { primary: p() },
            "a credit amount after the single-use primary p",
            "the credit amount before the primary, or in the same call",
        ),
        (
            Finding::BillingOptimized { secondary: c() },
            "secondary c on an invoice with billing optimization",
            "an invoice whose billingOptimization is false",
        ),
        (
            Finding::HasOwner { kind: kind("customerCredit") },
            "a customerCredit with an owner",
            "a secondary source without an owner",
        ),
        (
            Finding::AmountEdited { secondary: c() },
            "a new amount for the secondary c",
            "a new secondary source with the right amount",
        ),
    ] {
        assert_eq!(found(&finding), (text.to_owned(), accepted));
    }
}
