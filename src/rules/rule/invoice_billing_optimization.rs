//! Invoices with billing optimization take no store credit.

use super::page;
use crate::rules::{
    Dialect, Intent, Refusal, RuleId, SessionKind, Target, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const ROW: Row = Row {
    id: RuleId::InvoiceBillingOptimization,
    dialect: Dialect::Checkouts,
    default: Toggle::Reject,
    remedy: None,
    meaning: "store credit on an invoice with billing optimization",
    fires: "A secondary is attached to an invoice whose `billingOptimization` is true.",
    answer: "409 conflict, code `source_not_supported`, parameter `sourceId`.",
    instead: "Turn billing optimization off before the store credit is attached.",
    page: page::COMBINING,
    check,
};

fn check(view: &View<'_>) -> Fact<Option<Violation>> {
    let (kind, sent) = match view.intent {
        Intent::CreateSession { kind, funding } => (*kind, funding.billing_optimization),
        Intent::UpdateSession { session, funding } => (session.kind(), funding.billing_optimization),
        Intent::Attach { session: Target::Session(key), .. } => (key.kind, Default::default()),
        _ => return Ok(None),
    };
    let Some(incoming) = view.intent.attaches() else { return Ok(None) };
    // The source first: of a primary, nobody needs to know how the invoice bills.
    if kind != SessionKind::Invoice || !view.is_secondary(incoming)? {
        return Ok(None);
    }
    let optimized = match sent.as_ref() {
        Some(sent) => *sent,
        None => *view.of_session(|s| &s.billing_optimization)?,
    };
    if !optimized {
        return Ok(None);
    }
    Ok(Some(Violation {
        rule: ROW.id,
        dialect: ROW.dialect,
        found: format!("secondary {incoming} on an invoice with billing optimization"),
        accepted: "an invoice whose billingOptimization is false",
        refusal: Refusal::conflict(
            "source_not_supported",
            "A secondary source is not supported by an invoice whose billing optimization is turned on.",
        )
        .parameter("sourceId"),
    }))
}
