//! How the checkouts API shows things.
//!
//! Versions before 2021-03-23 show sources at the top of a checkout or order; later ones nest
//! everything under `payment`.

use super::version::Version;
use crate::emulator::model::{
    Charge, Checkout, Customer, Doc, Funding, Item, Kind, Movement, Order, Refusal, Source, World,
    totals,
};
use rust_decimal::Decimal;

pub(crate) fn checkout(world: &World, checkout: &Checkout, version: &Version) -> Doc {
    let funding = &checkout.funding;
    let mut doc = Doc::object()
        .with("id", &checkout.id)
        .with("createdTime", &checkout.created)
        .with_some("customerId", checkout.customer.as_deref())
        .with("currency", &funding.currency)
        .with_members(&checkout.kept);
    if checkout.kind == Kind::Invoice {
        doc = doc
            .with("billingOptimization", checkout.billing_optimization)
            .with("state", invoice_state(checkout))
            .with_some("orderId", checkout.order.as_deref());
    }
    let (subtotal, tax) = totals(&checkout.items);
    let doc = doc
        .with("totalAmount", computed(world, funding.total))
        .with("subtotal", computed(world, subtotal))
        .with("totalFees", Doc::money(Decimal::ZERO))
        .with("totalTax", computed(world, tax))
        .with("totalDuty", Doc::money(Decimal::ZERO))
        .with("totalDiscount", Doc::money(Decimal::ZERO))
        .with("totalShipping", Doc::money(Decimal::ZERO))
        .with("items", Doc::list(checkout.items.iter().map(item)));
    let sources = sources(world, funding);
    let doc = if version.legacy() {
        doc.with_some("creditAmount", checkout.credit_amount.map(Doc::money))
            .with("paymentSessionId", &funding.session)
            .with("sources", sources)
    } else {
        doc.with(
            "payment",
            Doc::object().with("sources", sources).with("session", session(world, funding)),
        )
    };
    doc.with("liveMode", false)
}

/// Shows an order; `legacy` is the shape of versions before 2021-03-23.
pub(crate) fn order(world: &World, order: &Order, legacy: bool) -> Doc {
    let doc = Doc::object()
        .with("id", &order.id)
        .with("createdTime", &order.created)
        .with_some("customerId", order.customer.as_deref())
        .with("currency", &order.funding.currency)
        .with_members(&order.kept);
    let doc = order_totals(world, doc, order)
        .with_some(order.kind.origin_field(), order.origin.as_deref());
    let charges = Doc::list(order.charges.iter().map(|one| charge(order, one)));
    let sources = sources(world, &order.funding);
    let doc = if legacy {
        doc.with_some("creditAmount", order.credit_amount.map(Doc::money))
            .with("sources", sources)
            .with("charges", charges)
    } else {
        doc.with(
            "payment",
            Doc::object()
                .with("sources", sources)
                .with("charges", charges)
                .with("session", session(world, &order.funding)),
        )
    };
    doc.with("liveMode", false)
}

fn order_totals(world: &World, doc: Doc, order: &Order) -> Doc {
    let (subtotal, tax) = totals(&order.items);
    let captured = order.sum(Charge::captured);
    let refunded = order.sum(Charge::refunded);
    doc.with("totalAmount", computed(world, order.funding.total))
        .with("subtotal", computed(world, subtotal))
        .with("totalTax", computed(world, tax))
        .with("items", Doc::list(order.items.iter().map(item)))
        .with("state", order.state())
        .with("fraudState", "passed")
        .with("capturedAmount", Doc::money(captured))
        .with("cancelledAmount", Doc::money(order.sum(Charge::cancelled)))
        .with("refundedAmount", Doc::money(refunded))
        .with("availableToRefundAmount", Doc::money(captured - refunded))
}

pub(crate) fn charge(order: &Order, charge: &Charge) -> Doc {
    let doc = Doc::object()
        .with("id", &charge.id)
        .with("createdTime", &charge.created)
        .with("currency", &order.funding.currency)
        .with("amount", Doc::money(charge.amount))
        .with("state", charge.state())
        .with("captured", !charge.captured().is_zero())
        .with("refunded", !charge.refunded().is_zero())
        .with("orderId", &order.id)
        .with("sourceId", &charge.source)
        .with("paymentSessionId", &order.funding.session)
        .with("type", "customer_initiated")
        .with("liveMode", false);
    [("captures", &charge.captures), ("cancels", &charge.cancels), ("refunds", &charge.refunds)]
        .into_iter()
        .filter(|(_, movements)| !movements.is_empty())
        .fold(doc, |doc, (name, movements)| {
            doc.with(name, Doc::list(movements.iter().map(movement)))
        })
}

pub(crate) fn movement(movement: &Movement) -> Doc {
    Doc::object()
        .with("createdTime", &movement.created)
        .with("amount", Doc::money(movement.amount))
        .with("state", "complete")
}

pub(crate) fn customer(world: &World, customer: &Customer) -> Doc {
    let saved = customer.sources.iter().filter_map(|id| world.sources.get(id));
    Doc::object()
        .with("id", &customer.id)
        .with("createdTime", &customer.created)
        .with_members(&customer.kept)
        .with_some("defaultSourceId", customer.default.as_deref())
        .with("sources", Doc::list(saved.map(|saved| source(saved, true))))
        .with("enabled", customer.enabled)
        .with("liveMode", false)
}

/// Shows a source; without `reusable` and `state` unless `whole`.
pub(crate) fn source(source: &Source, whole: bool) -> Doc {
    Doc::object()
        .with("id", &source.id)
        .with("createdTime", &source.created)
        .with("type", &source.kind)
        .with_some("currency", source.currency.as_deref())
        .with_some("amount", source.amount.map(Doc::money))
        .with_some("reusable", whole.then_some(source.reusable))
        .with_some("state", whole.then_some(source.state))
        .with_some("customerId", source.customer.as_deref())
        .with_some("owner", source.owner.clone())
        .with("clientSecret", &source.secret)
        .with("flow", source.flow)
        .with(&source.kind, &source.details)
        .with_some("paymentSessionId", source.session.as_deref())
        .with_some("upstreamId", source.upstream.as_deref())
        .with("liveMode", false)
}

/// Shows the error form of a refusal.
pub(crate) fn error(refusal: &Refusal) -> Doc {
    let kind = match refusal.status {
        400 => "bad_request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        409 => "conflict",
        413 => "request_entity_too_large",
        429 => "too_many_requests",
        502 => "bad_gateway",
        503 => "service_unavailable",
        504 => "gateway_timeout",
        _ => "internal_server_error",
    };
    let error = Doc::object()
        .with("code", refusal.code)
        .with_some("parameter", refusal.detail.as_deref())
        .with("message", &refusal.text);
    Doc::object().with("type", kind).with("errors", vec![error])
}

/// Shows the attached sources, each with the amount that it contributes.
fn sources(world: &World, funding: &Funding) -> Vec<Doc> {
    let attached = funding.attached.iter().filter_map(|one| {
        let mut attached = world.sources.get(&one.source)?.clone();
        let share = funding.share(one);
        attached.amount = Some(share);
        let shown = source(&attached, world.options.whole_sources);
        // A credit's amount was sent; a primary's is computed.
        Some(if one.secondary { shown } else { shown.with("amount", computed(world, share)) })
    });
    attached.collect()
}

fn session(world: &World, funding: &Funding) -> Doc {
    Doc::object()
        .with("id", &funding.session)
        .with("amountContributed", computed(world, funding.contributed()))
        .with("amountRemainingToBeContributed", remaining(world, funding))
        .with("clientSecret", &funding.secret)
        .with("state", funding.state())
}

fn invoice_state(invoice: &Checkout) -> &'static str {
    if invoice.voided {
        "void"
    } else if invoice.funding.complete {
        "paid"
    } else {
        "draft"
    }
}

/// Shows an amount that the vendor computes.
fn computed(world: &World, amount: Decimal) -> Doc {
    world.noise(amount).unwrap_or_else(|| Doc::money(amount))
}

/// Shows what is left to pay.
fn remaining(world: &World, funding: &Funding) -> Doc {
    world.noise_of_remainder(funding).unwrap_or_else(|| Doc::money(funding.remaining()))
}

fn item(item: &Item) -> Doc {
    Doc::object()
        .with("id", &item.id)
        .with_some("skuId", item.sku.as_deref())
        .with_some("productDetails", item.details.clone())
        .with("amount", Doc::money(item.amount))
        .with("quantity", item.quantity)
        .with("tax", Doc::object().with("amount", Doc::money(item.tax)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_error_form_of_checkouts() {
        let refusal = Refusal::conflict("c", "t").about("d");
        assert_eq!(
            String::from_utf8(error(&refusal).to_json()).unwrap(),
            r#"{"type":"conflict","errors":[{"code":"c","parameter":"d","message":"t"}]}"#
        );
    }
}
