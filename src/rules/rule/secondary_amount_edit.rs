//! The amount of store credit cannot be edited.

use super::page;
use crate::dialects::carts;
use crate::rules::{
    Intent, Refusal, RuleId, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const ROW: Row = Row {
    id: RuleId::SecondaryAmountEdit,
    dialect: carts::DIALECT,
    default: Toggle::Reject,
    remedy: None,
    meaning: "changing the amount of existing store credit",
    fires: "`POST`, `PUT` or `PATCH /sources/{id}` of a secondary source carries `amount`.",
    answer: "409 conflict, code `session_update_not_allowed`.",
    instead: "Detach it, create store credit with the right amount, attach that.",
    page: page::CARTS_SECONDARY,
    check,
};

fn check(view: &View<'_>) -> Fact<Option<Violation>> {
    let Intent::EditSource { source, amount: true } = view.intent else { return Ok(None) };
    if !view.is_secondary(source)? {
        return Ok(None);
    }
    Ok(Some(Violation {
        rule: ROW.id,
        dialect: ROW.dialect,
        found: format!("a new amount for the secondary {source}"),
        accepted: "a new secondary source with the right amount",
        refusal: Refusal::conflict(
            "session_update_not_allowed",
            "The amount of a secondary source cannot be changed. Detach it, create a new one, and attach that.",
        ),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{
        Lookup,
        fixtures::{Given, card, credit, owes},
    };

    fn edit(amount: bool) -> Intent {
        Intent::EditSource { source: "s".into(), amount }
    }

    #[test]
    fn a_new_amount_for_store_credit_is_refused_and_its_type_never_ages() {
        let refusal = Refusal {
            status: 409,
            code: "session_update_not_allowed",
            subcode: None,
            parameter: None,
            message: "The amount of a secondary source cannot be changed. Detach it, create a new one, and attach that.".into(),
        };
        owes(ROW.id, &Given::nothing().source(credit("s", "5")), &edit(true), &refusal, &[]);
    }

    #[test]
    fn other_edits_and_other_sources_are_forwarded() {
        Given::nothing().source(credit("s", "5")).forwards(&edit(false));
        Given::nothing().source(card("s")).forwards(&edit(true));
    }

    #[test]
    fn a_source_nobody_has_seen_is_looked_up() {
        let lookup = Lookup::Source("s".into());
        Given::nothing().needs(&edit(true), lookup.clone());
        Given::nothing().failed(lookup.clone()).forwards(&edit(true));
        Given::nothing().looked_up(lookup).forwards(&edit(true));
        Given::nothing().forwards(&edit(false));
    }
}
