//! Checkouts before 2021-03-23: a credit amount after a single-use primary. Both in one call are
//! valid: the credit comes first.

use super::{credit_amount_repeated::sent, page};
use crate::dialects::checkouts;
use crate::rules::{
    Refusal, RuleId, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const ROW: Row = Row {
    id: RuleId::CreditAmountAfterSingleUsePrimary,
    dialect: checkouts::DIALECT,
    default: Toggle::Reject,
    remedy: None,
    meaning: "a credit amount after a single-use primary (versions before 2021-03-23)",
    fires: "`creditAmount` is sent while the checkout's primary has `reusable: false`.",
    answer: "409 conflict, code `source_not_supported`, parameter `sourceId`: The source status is invalid for this session.",
    instead: "Set the credit before, or in the same call as, the primary.",
    page: page::LEGACY,
    check,
};

fn check(view: &View<'_>) -> Fact<Option<Violation>> {
    if sent(view).is_none() {
        return Ok(None);
    }
    let Some(primary) = view.primary()? else { return Ok(None) };
    if *view.of_source(&primary.id, |s| &s.reusable)? {
        return Ok(None);
    }
    Ok(Some(Violation {
        rule: ROW.id,
        dialect: ROW.dialect,
        found: format!("a credit amount after the single-use primary {}", primary.id),
        accepted: "the credit amount before the primary, or in the same call",
        refusal: Refusal::conflict(
            "source_not_supported",
            "The source status is invalid for this session.",
        )
        .parameter("sourceId"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{
        Funding, Intent, Lookup, Told, Version,
        fixtures::{Given, amount, card, checkout, owes, update},
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
        owes(ROW.id, &given, &send(Funding::default()), &refusal, &rests_on);
    }

    #[test]
    fn before_a_primary_with_one_and_after_a_saved_one_it_is_forwarded() {
        Given::session().forwards(&send(Funding::default()));
        let both = Funding { source: Some("card".into()), ..Funding::default() };
        Given::session().source(card("card")).forwards(&send(both));
        Given::session()
            .holds(card("card").saved_to("customer"))
            .forwards(&send(Funding::default()));
        let later = Funding { version: Told::Told(Version::Nested), ..Funding::default() };
        Given::session().holds(card("card")).forwards(&send(later));
    }
}
