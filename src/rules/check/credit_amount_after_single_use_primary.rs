//! A legacy credit amount after a single-use primary. Both in one call are valid, because the
//! credit comes first.

use super::credit_amount_repeated::sent;
use crate::rules::{
    Field, Finding,
    known::{Judged, View},
};

pub(super) fn credit_amount_after_single_use_primary(
    view: &mut View<'_>,
) -> Judged<Option<Finding>> {
    if sent(view).is_none() {
        return Ok(None);
    }
    // Only a version that has credit amounts tells of one, if only that there is none.
    view.of_session(Field::CreditAmount, |s| &s.credit_amount)?;
    let Some(primary) = view.primary()? else { return Ok(None) };
    if *view.of_source(&primary.id, Field::Reusable, |s| &s.reusable)? {
        return Ok(None);
    }
    Ok(Some(Finding::CreditAfterSingleUsePrimary { primary: primary.id.clone() }))
}

#[cfg(test)]
mod tests {

    use crate::{
        dialects::Refusal,
        rules::{
            Funding, Intent, Lookup, RuleId, SessionFacts, Stated, Version,
            fixtures::{Given, amount, card, checkout, nothing_attached, owes, update},
        },
    };

    fn send(funding: Funding) -> Intent {
        update(checkout(), Funding { credit_amount: Some(amount("5")), ..funding })
    }

    #[test]
    fn a_credit_amount_after_a_single_use_primary_is_refused() {
        let refusal = Refusal {
            status: 409,
            code: "source_not_supported",
            subcode: None,
            parameter: Some("sourceId".into()),
            message: "The source status is invalid for this session.".into(),
        };
        let given = Given::session().holds(card("card"));
        let rests_on = [Lookup::Session, Lookup::Source("card".into())];
        owes(
            RuleId::CreditAmountAfterSingleUsePrimary,
            &given,
            &send(Funding::default()),
            &refusal,
            &rests_on,
        );
    }

    #[test]
    fn the_form_of_the_answers_tells_the_version() {
        let untold = || SessionFacts { credit_amount: Stated::Unstated, ..nothing_attached() };
        let given = Given::shown(untold()).holds(card("card"));
        let sent = send(Funding::default());
        given.needs(&sent, Lookup::Session);
        given.clone().looked_up(Lookup::Session).forwards(&sent);
        given.failed(Lookup::Session).forwards(&sent);
    }

    #[test]
    fn before_a_primary_with_one_and_after_a_saved_one_it_is_forwarded() {
        Given::session().forwards(&send(Funding::default()));
        let both = Funding { source: Some("card".into()), ..Funding::default() };
        Given::session().source(card("card")).forwards(&send(both));
        Given::session()
            .holds(card("card").saved_to("customer"))
            .forwards(&send(Funding::default()));
        let later = Funding { version: Stated::Stated(Version::Nested), ..Funding::default() };
        Given::session().holds(card("card")).forwards(&send(later));
    }
}
