//! An order with a source that is saved to another customer than the buyer.

use crate::rules::{
    Field, Finding, Intent, PaidWith,
    known::{Judged, View},
};

pub(super) fn foreign_saved_source(view: &mut View<'_>) -> Judged<Option<Finding>> {
    let Intent::Order { paid_with: PaidWith::Attached, .. } = view.intent else {
        return Ok(None);
    };
    let Some(primary) = view.primary()? else { return Ok(None) };
    if !*view.of_source(&primary.id, Field::Reusable, |s| &s.reusable)? {
        return Ok(None);
    }
    let Some(owner) = view.of_source(&primary.id, Field::Customer, |s| &s.customer)? else {
        return Ok(None);
    };
    let buyer = view.buyer()?;
    if buyer == Some(owner) {
        return Ok(None);
    }
    Ok(Some(Finding::ForeignSource {
        source: primary.id.clone(),
        owner: owner.clone(),
        buyer: buyer.cloned(),
    }))
}

#[cfg(test)]
mod tests {
    use crate::{
        dialects::Refusal,
        rules::{
            Lookup, RuleId, SessionFacts, SourceFacts, Stated,
            fixtures::{Given, amount, card, cart, checkout, nothing_attached, order, owes},
        },
    };

    fn funded(buyer: Option<&str>) -> Given {
        Given::shown(SessionFacts {
            remaining: Stated::Stated(amount("0")),
            state: Stated::Stated(crate::rules::SessionState::RequiresConfirmation),
            customer: Stated::Stated(buyer.map(Into::into)),
            ..nothing_attached()
        })
    }

    fn refusal() -> Refusal {
        Refusal {
            status: 409,
            code: "source_in_use",
            subcode: None,
            parameter: Some("sourceId".into()),
            message: "Source 'card' is attached to a different customer.".into(),
        }
    }

    #[test]
    fn an_order_with_somebody_elses_source_is_refused() {
        for buyer in [None, Some("else")] {
            let given = funded(buyer).holds(card("card").saved_to("owner"));
            let rests_on = [Lookup::Session, Lookup::Source("card".into())];
            owes(RuleId::ForeignSavedSource, &given, &order(checkout()), &refusal(), &rests_on);
        }
    }

    #[test]
    fn ones_own_source_and_one_that_is_nobodys_are_forwarded() {
        funded(Some("owner")).holds(card("card").saved_to("owner")).forwards(&order(checkout()));
        funded(None).holds(card("card")).forwards(&order(checkout()));
        let nobodys = SourceFacts { reusable: Stated::Stated(true), ..card("card") };
        funded(None).holds(nobodys).forwards(&order(checkout()));
    }

    #[test]
    fn it_is_no_rule_of_carts() {
        funded(None).holds(card("card").saved_to("owner")).forwards(&order(cart()));
    }

    #[test]
    fn what_the_checkout_does_not_show_of_its_source_is_looked_up() {
        let lookup = || Lookup::Source("card".into());
        let of_unknown_reuse =
            SourceFacts { reusable: Stated::Unstated, ..card("card").saved_to("owner") };
        funded(None).holds(of_unknown_reuse).needs(&order(checkout()), lookup());
        let of_unknown_owner =
            SourceFacts { customer: Stated::Unstated, ..card("card").saved_to("owner") };
        let given = funded(None).holds(of_unknown_owner);
        given.needs(&order(checkout()), lookup());
        given.looked_up(lookup()).forwards(&order(checkout()));
        Given::nothing().needs(&order(checkout()), Lookup::Session);
    }
}
