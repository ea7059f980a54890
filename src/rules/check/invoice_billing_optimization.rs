//! Invoices with billing optimization take no store credit.

use crate::rules::{
    Field, Finding, Intent, Target,
    known::{Judged, View},
};

pub(super) fn invoice_billing_optimization(view: &mut View<'_>) -> Judged<Option<Finding>> {
    let (kind, sent) = match view.intent {
        Intent::CreateSession { kind, funding } => (*kind, funding.billing_optimization),
        Intent::UpdateSession { session, funding } => {
            (session.kind(), funding.billing_optimization)
        }
        Intent::Attach { session: Target::Session(key), .. } => (key.kind, Default::default()),
        _ => return Ok(None),
    };
    let Some(incoming) = view.intent.attaches() else { return Ok(None) };
    // The source is judged first, because a primary needs no look-up of the invoice.
    if !kind.has_billing() || !view.is_secondary(incoming)? {
        return Ok(None);
    }
    let optimized = match sent.as_ref() {
        Some(sent) => *sent,
        None => *view.of_session(Field::BillingOptimization, |s| &s.billing_optimization)?,
    };
    // Attaching an attached source again changes nothing, and upstream allows it.
    if !optimized
        || (view.intent.session().is_some() && view.attached()?.iter().any(|a| a.id == *incoming))
    {
        return Ok(None);
    }
    Ok(Some(Finding::BillingOptimized { secondary: incoming.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::{Refusal, checkouts},
        rules::{
            Funding, Lookup, RuleId, SessionFacts, Stated,
            fixtures::{
                Given, attach, card, checkout, credit, invoice, nothing_attached, owes, update,
            },
        },
    };

    fn refusal() -> Refusal {
        Refusal {
            status: 409,
            code: "source_not_supported",
            subcode: None,
            parameter: Some("sourceId".into()),
            message: "A secondary source is not supported by an invoice whose billing optimization is turned on.".into(),
        }
    }

    #[test]
    fn store_credit_attached_before_billing_was_optimized_may_be_attached_again() {
        let facts =
            SessionFacts { billing_optimization: Stated::Stated(true), ..nothing_attached() };
        Given::shown(facts).holds(credit("credit", "5")).forwards(&attach(invoice(), "credit"));
    }

    fn billing(optimized: Stated<bool>) -> Given {
        Given::shown(SessionFacts { billing_optimization: optimized, ..nothing_attached() })
    }

    fn in_body(source: &str, optimized: Stated<bool>) -> Funding {
        Funding {
            source: Some(source.into()),
            billing_optimization: optimized,
            ..Funding::default()
        }
    }

    #[test]
    fn store_credit_on_an_invoice_with_billing_optimization_is_refused() {
        let given = billing(Stated::Stated(true)).source(credit("c", "5"));
        owes(
            RuleId::InvoiceBillingOptimization,
            &given,
            &attach(invoice(), "c"),
            &refusal(),
            &[Lookup::Session],
        );
        given.refuses(
            &update(invoice(), in_body("c", Stated::Unstated)),
            RuleId::InvoiceBillingOptimization,
            &refusal(),
        );
    }

    #[test]
    fn what_the_call_itself_says_of_billing_wins() {
        let (on, off) = (Stated::Stated(true), Stated::Stated(false));
        let given = |optimized| billing(optimized).source(credit("c", "5"));
        given(off).refuses(
            &update(invoice(), in_body("c", on)),
            RuleId::InvoiceBillingOptimization,
            &refusal(),
        );
        given(on).forwards(&update(invoice(), in_body("c", off)));
        let create = |optimized| Intent::CreateSession {
            kind: checkouts::INVOICE,
            funding: in_body("c", optimized),
        };
        Given::nothing().source(credit("c", "5")).refuses(
            &create(on),
            RuleId::InvoiceBillingOptimization,
            &refusal(),
        );
        Given::nothing().source(credit("c", "5")).forwards(&create(Stated::Unstated));
    }

    #[test]
    fn a_primary_an_invoice_without_it_and_a_checkout_are_forwarded() {
        billing(Stated::Stated(true)).source(card("p")).forwards(&attach(invoice(), "p"));
        billing(Stated::Stated(false)).source(credit("c", "5")).forwards(&attach(invoice(), "c"));
        billing(Stated::Stated(true)).source(credit("c", "5")).forwards(&attach(checkout(), "c"));
    }

    #[test]
    fn how_an_invoice_bills_is_looked_up_for_store_credit_only() {
        let given = billing(Stated::Unstated).source(credit("c", "5")).source(card("p"));
        given.needs(&attach(invoice(), "c"), Lookup::Session);
        given.clone().looked_up(Lookup::Session).forwards(&attach(invoice(), "c"));
        given.forwards(&attach(invoice(), "p"));
    }
}
