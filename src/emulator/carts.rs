//! `/v1/shoppers/me/carts/active`: what is in a shopper's cart, and how the carts API shows it.
//!
//! Attaching is in `cart_sources`, submitting in `submit`. A shopper always has an active cart: it
//! is opened by the first call that looks for it, and again after a submit.

use rust_decimal::Decimal;

use super::{
    Kind,
    doc::Doc,
    funding::{Attached, Funding},
    items::{self, Item},
    refusal::Refusal,
    shoppers::Shopper,
    sources::Source,
    world::World,
};

/// What any product costs unless the request says.
const USUAL_PRICE: Decimal = Decimal::TEN;

/// A line grows no further than a request could ask for at once.
const MOST_OF_ONE: u32 = 1_000_000;

#[derive(Clone, Debug)]
pub(super) struct Cart {
    pub(super) id: String,
    pub(super) merchant: String,
    pub(super) items: Vec<Item>,
    pub(super) funding: Funding,
}

/// A copy of the shopper's active cart, to be changed and put back.
pub(super) fn active(world: &mut World, shopper: &Shopper) -> Result<Cart, Refusal> {
    if let Some(cart) = shopper.cart.as_ref().and_then(|id| world.carts.get(id)) {
        return Ok(cart.clone());
    }
    let cart = Cart {
        id: world.mint.number(),
        merchant: shopper.merchant.clone(),
        items: Vec::new(),
        funding: world.open_session(Kind::Cart, "USD"),
    };
    world.shoppers.get_mut(&shopper.id)?.cart = Some(cart.id.clone());
    world.carts.insert(cart.id.clone(), cart.clone());
    Ok(cart)
}

pub(super) fn put_back(world: &mut World, cart: Cart) {
    world.sync(&cart.funding);
    world.carts.insert(cart.id.clone(), cart);
}

/// `POST …/carts/active`: adds the lines of `cart.lineItems.lineItem[]`, or the one that
/// `productId`, `quantity` and `price` of the query name. A line for a product that is there adds
/// to its quantity.
pub(super) fn update(
    world: &mut World,
    shopper: &Shopper,
    body: &Doc,
    query: &Doc,
) -> Result<Cart, Refusal> {
    let mut cart = active(world, shopper)?;
    let body = body.get("cart").unwrap_or(body);
    if let Some(currency) = body.text_of("currency").or(query.text_of("currency")) {
        cart.funding.currency = currency.to_owned();
    }
    let lines = body.at(&["lineItems", "lineItem"]).map(Doc::elements).unwrap_or_default();
    for line in lines {
        let product = line.at(&["product", "id"]).or(line.get("productId")).and_then(Doc::text);
        let price = line.at(&["pricing", "salePrice", "value"]).or(line.get("price"));
        add(
            world,
            &mut cart,
            product,
            line.get("quantity"),
            price.map(|price| price.get("value").unwrap_or(price)),
        )?;
    }
    if query.text_of("productId").is_some() {
        add(
            world,
            &mut cart,
            query.text_of("productId"),
            query.get("quantity"),
            query.get("price"),
        )?;
    }
    recount(&mut cart)?;
    put_back(world, cart.clone());
    Ok(cart)
}

/// `POST …/line-items/{id}?quantity=` and `DELETE …/line-items/{id}` (`None`).
pub(super) fn change_line(
    world: &mut World,
    shopper: &Shopper,
    line: &str,
    quantity: Option<&Doc>,
) -> Result<Cart, Refusal> {
    let mut cart = active(world, shopper)?;
    let at = cart
        .items
        .iter()
        .position(|item| item.id == line)
        .ok_or_else(|| Refusal::not_found("LineItem", line))?;
    match quantity {
        None => drop(cart.items.remove(at)),
        Some(quantity) => {
            let quantity =
                quantity.count().filter(|n| *n > 0).ok_or_else(|| Refusal::invalid("quantity"))?;
            resize(&mut cart.items[at], quantity, world.options.tax_rate);
        }
    }
    recount(&mut cart)?;
    put_back(world, cart.clone());
    Ok(cart)
}

fn add(
    world: &mut World,
    cart: &mut Cart,
    product: Option<&str>,
    quantity: Option<&Doc>,
    price: Option<&Doc>,
) -> Result<(), Refusal> {
    let rate = world.options.tax_rate;
    let quantity = match quantity {
        Some(quantity) => {
            quantity.count().filter(|n| *n > 0).ok_or_else(|| Refusal::invalid("quantity"))?
        }
        None => 1,
    };
    if let Some(item) = cart
        .items
        .iter_mut()
        .find(|item| product.is_some() && item.sku.as_deref() == product && price.is_none())
    {
        let more = item.quantity.saturating_add(quantity).min(MOST_OF_ONE);
        resize(item, more, rate);
        return Ok(());
    }
    let price = match price {
        Some(price) => price.amount().ok_or_else(|| Refusal::invalid("price"))?,
        None => USUAL_PRICE,
    };
    let id = world.mint.number();
    cart.items.push(Item::new(
        id,
        product.map(str::to_owned),
        None,
        quantity,
        price * Decimal::from(quantity),
        rate,
    ));
    Ok(())
}

fn resize(item: &mut Item, quantity: u32, rate: Decimal) {
    let amount = item.amount / Decimal::from(item.quantity) * Decimal::from(quantity);
    *item = Item::new(item.id.clone(), item.sku.clone(), None, quantity, amount, rate);
}

fn recount(cart: &mut Cart) -> Result<(), Refusal> {
    let (subtotal, tax) = items::totals(&cart.items);
    cart.funding.total = subtotal + tax;
    if cart.funding.credits() > cart.funding.total {
        return Err(Refusal::conflict(
            "apply-payment-failure",
            "Source amount(s) exceed session amount",
        )
        .about("session_source_amount_too_large"));
    }
    Ok(())
}

impl Cart {
    /// `{"cart": {…}}`, with only the fields that `fields=` names and what `expand=` adds.
    pub(super) fn to_doc(&self, world: &World, query: &Doc) -> Doc {
        let expand = query.text_of("expand").unwrap_or_default();
        let expanded = expand.split(',').any(|name| name == "all" || name.ends_with("product"));
        let cart = Doc::object()
            .with("id", Doc::Number(self.id.clone()))
            .with(
                "lineItems",
                Doc::object().with(
                    "lineItem",
                    Doc::list(self.items.iter().map(|item| self.line(world, item, expanded))),
                ),
            )
            .with(
                "totalItemsInCart",
                self.items.iter().map(|item| u64::from(item.quantity)).sum::<u64>(),
            )
            .with("paymentMethod", payment_method(world, &self.funding))
            .with("paymentSession", payment_session(world, &self.funding))
            .with("pricing", self.pricing(world));
        let cart = match query.text_of("fields") {
            Some(fields) => select(&cart, fields),
            None => cart,
        };
        Doc::object().with("cart", cart)
    }

    fn line(&self, world: &World, item: &Item, expanded: bool) -> Doc {
        let product = Doc::object().with_some("id", item.sku.as_deref()).with_some(
            "name",
            expanded.then(|| format!("Product {}", item.sku.as_deref().unwrap_or_default())),
        );
        Doc::object()
            .with("id", Doc::Number(item.id.clone()))
            .with("quantity", item.quantity)
            .with("product", product)
            .with(
                "pricing",
                Doc::object().with(
                    "salePriceWithQuantity",
                    price(world, &self.funding.currency, item.amount),
                ),
            )
    }

    pub(super) fn pricing(&self, world: &World) -> Doc {
        let (subtotal, tax) = items::totals(&self.items);
        let price = |amount| price(world, &self.funding.currency, amount);
        Doc::object()
            .with("subtotal", price(subtotal))
            .with("tax", price(tax))
            .with("orderTotal", price(self.funding.total))
    }
}

/// `{currency, value}`; the value is a string if the emulator is so configured.
pub(super) fn price(world: &World, currency: &str, amount: Decimal) -> Doc {
    let value = Doc::plain_money(amount);
    let value = if world.options.cart_amounts_as_strings {
        Doc::Text(value.text().unwrap_or_default().to_owned())
    } else {
        value
    };
    Doc::object().with("currency", currency).with("value", value)
}

/// The primary, or the first of credits alone; the other credits beneath it. Empty when nothing is
/// attached.
pub(super) fn payment_method(world: &World, funding: &Funding) -> Doc {
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
    described(source).with("amountContributed", price(world, &funding.currency, funding.share(one)))
}

/// A source in the carts API's words: scalars of its details are strings, even numbers and
/// booleans.
pub(super) fn described(source: &Source) -> Doc {
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
        .with("sourceId", &source.id)
        .with("sourceClientSecret", &source.secret)
        .with(&source.kind, details)
}

pub(super) fn payment_session(world: &World, funding: &Funding) -> Doc {
    Doc::object()
        .with("id", &funding.session)
        .with("clientSecret", &funding.secret)
        .with("status", funding.state())
        .with("amountContributed", price(world, &funding.currency, funding.contributed()))
        .with(
            "amountRemainingToBeContributed",
            price(world, &funding.currency, funding.remaining()),
        )
}

/// Only the members that `fields` names: `paymentSession,pricing.orderTotal`; a leading `cart.` is
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
