//! Advice: store credit with an owner, whose address can be copied to the cart and make authorisation fail.

use super::page;
use crate::rules::{
    Dialect, Intent, Refusal, RuleId, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const ROW: Row = Row {
    id: RuleId::SecondarySourceOwner,
    dialect: Dialect::Carts,
    default: Toggle::Monitor,
    remedy: Some(Toggle::Strip),
    meaning: "store credit created with an owner, whose address may end up on the cart",
    fires: "`POST /sources` of a secondary type carries `owner`.",
    answer: "Forwarded and reported by default; `strip` forwards it without `owner`; `reject`: 400 bad_request, code `invalid_parameter`, parameter `owner`.",
    instead: "Create store credit without `owner`.",
    page: page::CARTS_CREATING,
    check,
};

fn check(view: &View<'_>) -> Fact<Option<Violation>> {
    let Intent::CreateSource(new) = view.intent else { return Ok(None) };
    let Some(kind) = new.kind.as_ref().filter(|kind| new.has_owner && view.policy.types.is_secondary(kind)) else {
        return Ok(None);
    };
    Ok(Some(Violation {
        rule: ROW.id,
        dialect: ROW.dialect,
        found: format!("a {kind} with an owner"),
        accepted: "a secondary source without an owner",
        refusal: Refusal::bad_request(
            "invalid_parameter",
            "Create a secondary source without an owner: its address could be copied to the cart and make the authorisation fail.",
        )
        .parameter("owner"),
    }))
}
