//! A legacy credit amount where there is one already.

use crate::rules::{
    Amount, Field, Finding, Intent, Stated, Version,
    known::{Judged, View},
};

/// Returns the credit amount that this call sets on an existing session. Later versions have no
/// credit amount, so upstream judges it there.
pub(super) fn sent(view: &View<'_>) -> Option<Amount> {
    match view.intent {
        Intent::UpdateSession { funding, .. }
            if funding.version != Stated::Stated(Version::Nested) =>
        {
            funding.credit_amount
        }
        _ => None,
    }
}

pub(super) fn credit_amount_repeated(view: &mut View<'_>) -> Judged<Option<Finding>> {
    if sent(view).is_none() {
        return Ok(None);
    }
    let Some(credit) = view
        .of_session(Field::CreditAmount, |s| &s.credit_amount)?
        .filter(|credit| credit.is_difference(view.session_currency()))
    else {
        return Ok(None);
    };
    Ok(Some(Finding::CreditRepeated { credit }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::Refusal,
        rules::{
            Funding, Lookup, RuleId, SessionFacts,
            fixtures::{Given, amount, checkout, nothing_attached, owes, update},
        },
    };

    fn send(version: Stated<Version>) -> Intent {
        update(
            checkout(),
            Funding { credit_amount: Some(amount("5")), version, ..Funding::default() },
        )
    }

    fn having(credit: Option<&str>) -> Given {
        Given::shown(SessionFacts {
            credit_amount: Stated::Stated(credit.map(amount)),
            ..nothing_attached()
        })
    }

    fn refusal() -> Refusal {
        Refusal {
            status: 409,
            code: "creditAmount_already_updated",
            subcode: None,
            parameter: None,
            message: "Credit amount has already been updated.".into(),
        }
    }

    #[test]
    fn a_second_credit_amount_is_refused() {
        for version in [Stated::Unstated, Stated::Stated(Version::Legacy)] {
            owes(
                RuleId::CreditAmountRepeated,
                &having(Some("5")),
                &send(version),
                &refusal(),
                &[Lookup::Session],
            );
        }
    }

    #[test]
    fn the_first_one_none_and_one_of_a_later_version_are_forwarded() {
        having(None).forwards(&send(Stated::Unstated));
        having(Some("0")).forwards(&send(Stated::Unstated));
        having(Some("5")).forwards(&update(checkout(), Funding::default()));
        having(Some("5")).forwards(&send(Stated::Stated(Version::Nested)));
        let funding = Funding { credit_amount: Some(amount("5")), ..Funding::default() };
        having(Some("5")).forwards(&Intent::CreateSession {
            kind: crate::dialects::checkouts::CHECKOUT,
            funding,
        });
    }

    #[test]
    fn what_the_checkout_has_is_looked_up() {
        Given::nothing().needs(&send(Stated::Unstated), Lookup::Session);
        Given::nothing().failed(Lookup::Session).forwards(&send(Stated::Unstated));
        Given::nothing().looked_up(Lookup::Session).forwards(&send(Stated::Unstated));
    }
}
