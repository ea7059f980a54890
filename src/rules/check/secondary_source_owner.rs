//! Store credit created with an owner, whose address upstream can copy to the session so that
//! authorisation fails.

use crate::rules::{
    Finding, Intent,
    known::{Judged, View},
};

pub(super) fn secondary_source_owner(view: &mut View<'_>) -> Judged<Option<Finding>> {
    let Intent::CreateSource(new) = view.intent else { return Ok(None) };
    let Some(kind) =
        new.kind.as_ref().filter(|kind| new.has_owner && view.policy.types.is_secondary(kind))
    else {
        return Ok(None);
    };
    Ok(Some(Finding::HasOwner { kind: kind.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::Refusal,
        rules::{
            NewSource, RuleId, Toggle, Verdict,
            fixtures::{Given, owes},
        },
    };

    fn create(kind: &str, has_owner: bool) -> Intent {
        Intent::CreateSource(NewSource {
            kind: Some(kind.into()),
            has_amount: true,
            has_type_object: true,
            has_owner,
        })
    }

    #[test]
    fn store_credit_with_an_owner_is_reported_by_default() {
        match Given::nothing().decide(&create("customerCredit", true)) {
            Verdict::Forward { monitored: Some(violation) } => {
                assert_eq!(violation.rule, RuleId::SecondarySourceOwner)
            }
            verdict => panic!("should be reported, not {verdict:?}"),
        }
    }

    #[test]
    fn it_is_refused_where_the_policy_says_so() {
        let refusal = Refusal {
            status: 400,
            code: "invalid_parameter",
            subcode: None,
            parameter: Some("owner".into()),
            message: "Create a secondary source without an owner: its address could be copied to the cart and make the authorisation fail."
                .into(),
        };
        owes(
            RuleId::SecondarySourceOwner,
            &Given::nothing(),
            &create("customerCredit", true),
            &refusal,
            &[],
        );
    }

    #[test]
    fn strip_takes_the_owner_out() {
        match Given::nothing()
            .toggle(RuleId::SecondarySourceOwner, Toggle::Strip)
            .decide(&create("customerCredit", true))
        {
            Verdict::Strip(violation) => assert_eq!(violation.rule, RuleId::SecondarySourceOwner),
            verdict => panic!("should be stripped, not {verdict:?}"),
        }
    }

    #[test]
    fn store_credit_that_is_refused_for_its_shape_is_not_stripped() {
        let shapeless = NewSource {
            kind: Some("customerCredit".into()),
            has_owner: true,
            ..NewSource::default()
        };
        let given = Given::nothing().toggle(RuleId::SecondarySourceOwner, Toggle::Strip);
        assert_eq!(
            given.refused_by(&Intent::CreateSource(shapeless)),
            RuleId::SecondarySourceShape
        );
    }

    #[test]
    fn a_primary_may_have_an_owner_and_store_credit_need_not() {
        Given::nothing().forwards(&create("creditCard", true));
        Given::nothing().forwards(&create("customerCredit", false));
    }
}
