//! The checkouts API's rules about attaching, in the order of `domain.md` section 4.
//!
//! In: a session, a source, and the primary it already holds. Out: the session with the source
//! attached, and the source it replaced; or the vendor's refusal and a session left as it was.

use super::{
    checkouts::Checkout,
    funding::Attached,
    refusal::Refusal,
    sources::{CREDIT, Source},
};

/// Primaries that store credit may supplement.
const PAIRS: [&str; 14] = [
    "alipayCn",
    "creditCard",
    "googlePay",
    "applePay",
    "payPal",
    "payPalCredit",
    "payPalBilling",
    "wireTransfer",
    "klarnaCredit",
    "klarnaCreditRecurring",
    "alipay",
    "konbini",
    "directDebit",
    "onlineBanking",
];

/// Attaches `source`, and says which primary it replaced.
pub(super) fn attach(
    checkout: &mut Checkout,
    source: &Source,
    primary: Option<&Source>,
) -> Result<Option<String>, Refusal> {
    if checkout.funding.complete {
        return Err(not_allowed());
    }
    if source.secondary() && primary.is_some_and(|primary| !primary.reusable) {
        return Err(not_allowed());
    }
    if source.spent() {
        return Err(Refusal::conflict(
            "source_status_invalid_for_session",
            "The source status is invalid for this session.",
        ));
    }
    if checkout.funding.holds(&source.id) {
        return Ok(None);
    }
    if source.secondary() {
        attach_credit(checkout, source, primary).map(|()| None)
    } else {
        attach_primary(checkout, source)
    }
}

fn attach_credit(
    checkout: &mut Checkout,
    source: &Source,
    primary: Option<&Source>,
) -> Result<(), Refusal> {
    let amount = source.amount.unwrap_or_default();
    room_for(checkout, amount)?;
    if let Some(primary) = primary {
        pairs(&primary.kind)?;
    }
    if checkout.billing_optimization {
        return Err(Refusal::conflict(
            "source_not_supported",
            "A customerCredit source is not supported while the invoice's billing optimization is on.",
        )
        .about("sourceId"));
    }
    checkout.funding.attached.push(Attached { source: source.id.clone(), secondary: true, amount });
    Ok(())
}

fn attach_primary(checkout: &mut Checkout, source: &Source) -> Result<Option<String>, Refusal> {
    if checkout.funding.secondaries().next().is_some() {
        pairs(&source.kind)?;
    }
    let replaced = checkout.funding.primary().map(|one| one.source.clone());
    if let Some(replaced) = &replaced {
        checkout.funding.detach(replaced);
    }
    checkout.funding.attached.push(Attached {
        source: source.id.clone(),
        secondary: false,
        amount: Default::default(),
    });
    Ok(replaced)
}

/// All credits together may not exceed the total: a primary shrinks to make room, but not below
/// nothing.
pub(super) fn room_for(checkout: &Checkout, amount: rust_decimal::Decimal) -> Result<(), Refusal> {
    if checkout.funding.credits() + amount > checkout.funding.total {
        return Err(Refusal::conflict(
            "session_source_amount_too_large",
            "Source amount(s) exceed session amount",
        ));
    }
    Ok(())
}

fn pairs(primary: &str) -> Result<(), Refusal> {
    if PAIRS.contains(&primary) {
        return Ok(());
    }
    let text = format!("A {CREDIT} source cannot be combined with a {primary} source.");
    Err(Refusal::conflict("source_not_supported", text).about("sourceId"))
}

pub(super) fn not_allowed() -> Refusal {
    Refusal::conflict(
        "session_update_not_allowed",
        "Updating source is not allowed for the current session state.",
    )
}
