//! How the carts API shows things.

use crate::emulator::model::{
    Attached, Cart, Doc, Funding, Item, Order, Refusal, Source, World, totals,
};
use rust_decimal::Decimal;

/// Shows `{"cart": {…}}`, with only the members that `fields=` names and what `expand=` adds.
pub(crate) fn cart(world: &World, cart: &Cart, query: &Doc) -> Doc {
    let expand = query.text_of("expand").unwrap_or_default();
    let expanded = expand.split(',').any(|name| name == "all" || name.ends_with("product"));
    let currency = &cart.funding.currency;
    let lines = cart.items.iter().map(|item| line(world, currency, item, expanded));
    let count: u64 = cart.items.iter().map(|item| u64::from(item.quantity)).sum();
    let doc = Doc::object()
        .with("id", Doc::Number(cart.id.clone()))
        .with("lineItems", Doc::object().with("lineItem", Doc::list(lines)))
        .with("totalItemsInCart", count)
        .with("paymentMethod", payment_method(world, &cart.funding))
        .with("paymentSession", payment_session(world, &cart.funding))
        .with("pricing", pricing(world, cart));
    let doc = match query.text_of("fields") {
        Some(fields) => select(&doc, fields),
        None => doc,
    };
    Doc::object().with("cart", doc)
}

fn line(world: &World, currency: &str, item: &Item, expanded: bool) -> Doc {
    let product = Doc::object().with_some("id", item.sku.as_deref()).with_some(
        "name",
        expanded.then(|| format!("Product {}", item.sku.as_deref().unwrap_or_default())),
    );
    let price = price(world, currency, item.amount);
    Doc::object()
        .with("id", Doc::Number(item.id.clone()))
        .with("quantity", item.quantity)
        .with("product", product)
        .with("pricing", Doc::object().with("salePriceWithQuantity", price))
}

pub(crate) fn pricing(world: &World, cart: &Cart) -> Doc {
    let (subtotal, tax) = totals(&cart.items);
    let price = |amount| computed(world, &cart.funding.currency, amount);
    Doc::object()
        .with("subtotal", price(subtotal))
        .with("tax", price(tax))
        .with("orderTotal", price(cart.funding.total))
}

pub(crate) fn order(world: &World, order: &Order) -> Doc {
    let charges = order.charges.iter().map(|charge| {
        Doc::object()
            .with("id", &charge.id)
            .with("sourceId", &charge.source)
            .with("amount", price(world, &order.funding.currency, charge.amount))
    });
    Doc::object()
        .with("id", Doc::Number(order.id.clone()))
        .with("submissionDate", &order.created)
        .with("charges", Doc::object().with("charge", Doc::list(charges)))
}

/// Shows the error form of a refusal.
pub(crate) fn error(refusal: &Refusal) -> Doc {
    let error = Doc::object()
        .with("relation", "https://developers.digitalriver.com/v1/shoppers/CartsResource")
        .with("code", refusal.code)
        .with_some("subcode", refusal.detail.as_deref())
        .with("description", &refusal.text);
    Doc::object().with("errors", Doc::object().with("error", vec![error]))
}

/// Shows `{currency, value}`; the value is a string if the options say so.
fn price(world: &World, currency: &str, amount: Decimal) -> Doc {
    written(world, currency, Doc::plain_money(amount))
}

/// Shows an amount that the vendor computes.
fn computed(world: &World, currency: &str, amount: Decimal) -> Doc {
    let value = world.noise(amount).unwrap_or_else(|| Doc::plain_money(amount));
    written(world, currency, value)
}

/// Shows what is left to pay.
fn remaining(world: &World, funding: &Funding) -> Doc {
    let value = world.noise_of_remainder(funding);
    let value = value.unwrap_or_else(|| Doc::plain_money(funding.remaining()));
    written(world, &funding.currency, value)
}

/// Writes a value as a number, or as a string.
fn written(world: &World, currency: &str, value: Doc) -> Doc {
    let value = if world.options.cart_amounts_as_strings {
        Doc::Text(value.text().unwrap_or_default().to_owned())
    } else {
        value
    };
    Doc::object().with("currency", currency).with("value", value)
}

/// Shows the primary, or the first credit where there is none, with the other credits beneath it.
/// Empty if nothing is attached.
pub(crate) fn payment_method(world: &World, funding: &Funding) -> Doc {
    let Some(main) = funding.primary().or(funding.attached.first()) else {
        return Doc::object();
    };
    let others: Vec<Doc> = funding
        .attached
        .iter()
        .filter(|one| one.source != main.source)
        .map(|one| method(world, funding, one))
        .collect();
    let doc = method(world, funding, main);
    if others.is_empty() { doc } else { doc.with("supplementaryPaymentMethods", others) }
}

fn method(world: &World, funding: &Funding, one: &Attached) -> Doc {
    let Some(source) = world.sources.get(&one.source) else {
        return Doc::object();
    };
    // A credit's amount was sent; a primary's is computed.
    let price = if one.secondary { price } else { computed };
    let is_nameless = world.quirks.nameless_primaries && !one.secondary;
    let shown = if is_nameless { details(source) } else { self::source(source) };
    shown.with("amountContributed", price(world, &funding.currency, funding.share(one)))
}

/// Shows a source.
pub(crate) fn source(source: &Source) -> Doc {
    Doc::object().with("sourceId", &source.id).with_members(&details(source))
}

/// Shows a source without its id. Scalars of its details are strings, even numbers.
fn details(source: &Source) -> Doc {
    let details = source.details.members().iter().fold(Doc::object(), |doc, (name, value)| {
        match value.text() {
            Some(text) => doc.with(name, text),
            None => doc.with(name, value),
        }
    });
    let details = details
        .with("clientSecret", &source.secret)
        .with("flow", source.flow)
        .with("reusable", if source.reusable { "true" } else { "false" });
    Doc::object()
        .with("type", &source.kind)
        .with("sourceClientSecret", &source.secret)
        .with(&source.kind, details)
}

pub(crate) fn payment_session(world: &World, funding: &Funding) -> Doc {
    Doc::object()
        .with("id", &funding.session)
        .with("clientSecret", &funding.secret)
        .with("status", funding.state())
        .with("amountContributed", computed(world, &funding.currency, funding.contributed()))
        .with("amountRemainingToBeContributed", remaining(world, funding))
}

/// Keeps the members that `fields` names: `paymentSession,pricing.orderTotal`. A leading `cart.` is
/// allowed.
fn select(cart: &Doc, fields: &str) -> Doc {
    let paths: Vec<Vec<&str>> = fields
        .split(',')
        .map(|path| path.trim().trim_start_matches("cart.").split('.').collect())
        .collect();
    keep(cart, &paths)
}

fn keep(doc: &Doc, paths: &[Vec<&str>]) -> Doc {
    match doc {
        Doc::Object(members) => {
            let kept = members.iter().filter_map(|(name, value)| {
                let under: Vec<Vec<&str>> = paths
                    .iter()
                    .filter(|path| path.first() == Some(&name.as_str()))
                    .map(|path| path[1..].to_vec())
                    .collect();
                if under.is_empty() {
                    return None;
                }
                let whole = under.iter().any(Vec::is_empty);
                Some((name.clone(), if whole { value.clone() } else { keep(value, &under) }))
            });
            Doc::Object(kept.collect())
        }
        Doc::List(items) => Doc::List(items.iter().map(|item| keep(item, paths)).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_error_form_of_carts() {
        let refusal = Refusal::conflict("c", "t").about("d");
        assert_eq!(
            String::from_utf8(error(&refusal).to_json()).unwrap(),
            concat!(
                r#"{"errors":{"error":[{"#,
                r#""relation":"https://developers.digitalriver.com/v1/shoppers/CartsResource","#,
                r#""code":"c","subcode":"d","description":"t"}]}}"#,
            )
        );
    }
}
