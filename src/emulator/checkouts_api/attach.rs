//! The checkouts API's rules about attaching, in the order in which the vendor judges them.
//!
//! In: a checkout, a source, and the primary that the checkout holds already. Out: the checkout
//! with the source attached, and the primary that was replaced; or the vendor's refusal and an
//! unchanged checkout.

use crate::emulator::model::{Attached, CREDIT, Checkout, Refusal, Source};
use rust_decimal::Decimal;

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

/// Attaches `source`, and returns the primary that it replaced.
pub(crate) fn attach(
    checkout: &mut Checkout,
    source: &Source,
    primary: Option<&Source>,
) -> Result<Option<String>, Refusal> {
    if checkout.ended() {
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
    refuse_excess(checkout, amount)?;
    if let Some(primary) = primary {
        refuse_unpaired(&primary.kind)?;
    }
    if checkout.billing_optimization {
        return Err(Refusal::conflict(
            "source_not_supported",
            "A customerCredit source is not supported while the invoice's \
             billing optimization is on.",
        )
        .about("sourceId"));
    }
    checkout.funding.attached.push(Attached { source: source.id.clone(), secondary: true, amount });
    Ok(())
}

fn attach_primary(checkout: &mut Checkout, source: &Source) -> Result<Option<String>, Refusal> {
    if checkout.funding.secondaries().next().is_some() {
        refuse_unpaired(&source.kind)?;
    }
    let replaced = checkout.funding.primary().map(|one| one.source.clone());
    if let Some(replaced) = &replaced {
        checkout.funding.detach(replaced);
    }
    checkout.funding.attached.push(Attached {
        source: source.id.clone(),
        secondary: false,
        amount: Decimal::ZERO,
    });
    Ok(replaced)
}

/// Refuses credits that together with `amount` exceed the total: a primary shrinks to make room,
/// but not below zero.
pub(crate) fn refuse_excess(checkout: &Checkout, amount: Decimal) -> Result<(), Refusal> {
    if checkout.funding.credits() + amount > checkout.funding.total {
        return Err(Refusal::conflict(
            "session_source_amount_too_large",
            "Source amount(s) exceed session amount",
        ));
    }
    Ok(())
}

fn refuse_unpaired(primary: &str) -> Result<(), Refusal> {
    if PAIRS.contains(&primary) {
        return Ok(());
    }
    let text = format!("A {CREDIT} source cannot be combined with a {primary} source.");
    Err(Refusal::conflict("source_not_supported", text).about("sourceId"))
}

/// Returns the refusal of any change after the order, and of late store credit.
pub(crate) fn not_allowed() -> Refusal {
    Refusal::conflict(
        "session_update_not_allowed",
        "Updating source is not allowed for the current session state.",
    )
}
