//! Store credit combined with a primary that cannot be combined with it, in either order.

use crate::rules::{
    Finding, SourceType,
    known::{Judged, View},
};

pub(super) fn primary_pairing(view: &mut View<'_>) -> Judged<Option<Finding>> {
    let Some((primary, secondary)) = pair(view)? else { return Ok(None) };
    if view.policy.types.pairs(view.dialect, primary) {
        return Ok(None);
    }
    Ok(Some(Finding::NoPair { primary: primary.clone(), secondary: secondary.clone() }))
}

/// Returns the types of the primary and the secondary that this call would combine.
fn pair<'a>(view: &mut View<'a>) -> Judged<Option<(&'a SourceType, &'a SourceType)>> {
    if view.holds_nothing() && view.deferred().is_none() {
        return Ok(None);
    }
    let Some(incoming) = view.incoming()? else { return Ok(None) };
    if view.intent.session().is_none() {
        return Ok(None);
    }
    if let Some(deferred) = view.deferred()
        && view.is_secondary(incoming)?
    {
        return Ok(Some((view.kind(deferred)?, view.kind(incoming)?)));
    }
    if view.attached()?.iter().all(|attached| attached.id == *incoming) {
        return Ok(None);
    }
    if view.is_secondary(incoming)? {
        let Some(primary) = view.primary()? else { return Ok(None) };
        return Ok(Some((view.kind(&primary.id)?, view.kind(incoming)?)));
    }
    let Some(secondary) = view.other_secondaries(incoming)?.first().copied() else {
        return Ok(None);
    };
    Ok(Some((view.kind(incoming)?, view.kind(&secondary.id)?)))
}

#[cfg(test)]
mod tests {

    use crate::{
        dialects::{Refusal, carts, checkouts},
        rules::{
            Dialect, Lookup, Pending, RuleId, Toggle,
            fixtures::{
                Given, NOW, apply_shopper, attach, card, cart, checkout, credit, invoice, owes,
                source,
            },
        },
    };

    const RULE: RuleId = RuleId::PrimaryPairing;

    fn refusal(dialect: Dialect, primary: &str) -> Refusal {
        let message = format!(
            "A source of type 'customerCredit' cannot be combined with a primary source of type '{primary}'."
        );
        match dialect.as_str() {
            "checkouts" => Refusal {
                status: 409,
                code: "source_not_supported",
                subcode: None,
                parameter: Some("sourceId".into()),
                message: message.into(),
            },
            _ => Refusal {
                status: 409,
                code: "apply-payment-failure",
                subcode: Some("primary-pairing"),
                parameter: None,
                message: format!(
                    "{message} Use another primary payment method, or pay without store credit."
                )
                .into(),
            },
        }
    }

    #[test]
    fn a_primary_that_does_not_go_with_store_credit_is_refused_beside_it() {
        for (session, dialect, kind) in [
            (checkout(), checkouts::DIALECT, "trustly"),
            (invoice(), checkouts::DIALECT, "ideal"),
            (cart(), carts::DIALECT, "trustly"),
            (cart(), carts::DIALECT, "applePay"),
        ] {
            let given = Given::session().holds(credit("c", "5")).source(source("p", kind));
            owes(RULE, &given, &attach(session, "p"), &refusal(dialect, kind), &[Lookup::Session]);
        }
    }

    #[test]
    fn store_credit_is_refused_beside_such_a_primary() {
        let given = Given::session()
            .holds(source("p", "trustly").saved_to("customer"))
            .source(credit("c", "5"));
        owes(
            RULE,
            &given,
            &attach(checkout(), "c"),
            &refusal(checkouts::DIALECT, "trustly"),
            &[Lookup::Session],
        );
        let given = given.toggle(RuleId::PrimaryBeforeSecondary, Toggle::Off);
        owes(
            RULE,
            &given,
            &attach(cart(), "c"),
            &refusal(carts::DIALECT, "trustly"),
            &[Lookup::Session],
        );
    }

    #[test]
    fn a_shopper_whose_option_does_not_go_with_it_is_refused() {
        let given = Given::session().holds(credit("c", "5")).options(&[source("p", "trustly")]);
        given.refuses(&apply_shopper(), RULE, &refusal(carts::DIALECT, "trustly"));
    }

    #[test]
    fn a_primary_that_replaces_another_is_judged_by_the_credit_that_stays() {
        let given = Given::session()
            .holds(credit("c", "5"))
            .holds(card("old"))
            .source(source("p", "trustly"));
        given.refuses(&attach(checkout(), "p"), RULE, &refusal(checkouts::DIALECT, "trustly"));
    }

    #[test]
    fn store_credit_is_judged_by_a_primary_whose_attach_is_still_to_be_sent() {
        let pending = Pending::Deferred { primary: "p".into(), since: NOW, sending: false };
        let given = Given::session().source(source("p", "trustly")).source(credit("c", "5"));
        let given = given.alter(|session| session.pending = Some(Box::new(pending)));
        given.refuses(&attach(checkout(), "c"), RULE, &refusal(checkouts::DIALECT, "trustly"));
    }

    #[test]
    fn a_type_in_the_list_and_a_primary_alone_are_forwarded() {
        for session in [checkout(), cart()] {
            Given::session()
                .holds(credit("c", "5"))
                .source(card("p"))
                .forwards(&attach(session.clone(), "p"));
            Given::session().source(source("p", "trustly")).forwards(&attach(session.clone(), "p"));
            Given::session().holds(source("p", "trustly")).forwards(&attach(session, "p"));
        }
        let apple = Given::session().holds(credit("c", "5")).source(source("p", "applePay"));
        apple.forwards(&attach(checkout(), "p"));
    }

    #[test]
    fn the_lists_are_the_operators() {
        let given = Given::session().holds(credit("c", "5")).source(source("p", "trustly"));
        given
            .policy(|policy| policy.types.pairing[0].1.push("trustly".into()))
            .forwards(&attach(checkout(), "p"));
    }
}
