//! `/v1/shoppers/me/carts/active`: the lines of a shopper's cart.
//!
//! A shopper always has an active cart: the first call that looks for it opens it, also after a
//! submit.

use crate::emulator::model::{Cart, Doc, Item, Kind, Pricing, Refusal, Shopper, World};
use rust_decimal::Decimal;

/// The price of any product, unless the request names another.
const USUAL_PRICE: Decimal = Decimal::TEN;

/// The largest quantity of a line: as much as one request can ask for.
const MOST_OF_ONE: u32 = 1_000_000;

/// Returns a copy of the shopper's active cart, to be changed and put back.
pub(crate) fn active(world: &mut World, shopper: &Shopper) -> Result<Cart, Refusal> {
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

/// Puts a changed cart in place.
pub(crate) fn put_back(world: &mut World, cart: Cart) {
    world.update_attached(&cart.funding);
    world.carts.insert(cart.id.clone(), cart);
}

/// `POST …/carts/active`: adds the lines of `cart.lineItems.lineItem[]`, or the one that
/// `productId`, `quantity` and `price` of the query name.
pub(crate) fn update(
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
        add(world, &mut cart, &Line::of_body(line))?;
    }
    if query.text_of("productId").is_some() {
        add(world, &mut cart, &Line::of_query(query))?;
    }
    cart.recount()?;
    put_back(world, cart.clone());
    Ok(cart)
}

/// `POST …/line-items/{id}?quantity=`.
pub(crate) fn change_line(
    world: &mut World,
    shopper: &Shopper,
    line: &str,
    quantity: &Doc,
) -> Result<Cart, Refusal> {
    let mut cart = active(world, shopper)?;
    let pricing = world.pricing(&cart.funding.currency);
    let found = cart.items.iter_mut().find(|item| item.id == line);
    let item = found.ok_or_else(|| Refusal::not_found("LineItem", line))?;
    resize(item, read_quantity(quantity)?, pricing);
    cart.recount()?;
    put_back(world, cart.clone());
    Ok(cart)
}

/// `DELETE …/line-items/{id}`.
pub(crate) fn remove_line(world: &mut World, shopper: &Shopper, line: &str) -> Result<(), Refusal> {
    let mut cart = active(world, shopper)?;
    let Some(at) = cart.items.iter().position(|item| item.id == line) else {
        return world.quirks.absent(Refusal::not_found("LineItem", line));
    };
    cart.items.remove(at);
    cart.recount()?;
    put_back(world, cart);
    Ok(())
}

/// A line to add to a cart, as it was sent.
struct Line<'a> {
    product: Option<&'a str>,
    quantity: Option<&'a Doc>,
    price: Option<&'a Doc>,
}

impl<'a> Line<'a> {
    fn of_body(line: &'a Doc) -> Self {
        let product = line.at(&["product", "id"]).or(line.get("productId"));
        let price = line.at(&["pricing", "salePrice", "value"]).or(line.get("price"));
        Self {
            product: product.and_then(Doc::text),
            quantity: line.get("quantity"),
            price: price.map(|price| price.get("value").unwrap_or(price)),
        }
    }

    fn of_query(query: &'a Doc) -> Self {
        Self {
            product: query.text_of("productId"),
            quantity: query.get("quantity"),
            price: query.get("price"),
        }
    }
}

/// Adds a line; a line for a product that the cart holds already adds to its quantity.
fn add(world: &mut World, cart: &mut Cart, line: &Line<'_>) -> Result<(), Refusal> {
    let pricing = world.pricing(&cart.funding.currency);
    let quantity = line.quantity.map_or(Ok(1), read_quantity)?;
    let held = cart.items.iter_mut().find(|item| {
        line.product.is_some() && item.sku.as_deref() == line.product && line.price.is_none()
    });
    if let Some(item) = held {
        let more = item.quantity.saturating_add(quantity).min(MOST_OF_ONE);
        resize(item, more, pricing);
        return Ok(());
    }
    let price = match line.price {
        Some(price) => price.amount().ok_or_else(|| Refusal::invalid("price"))?,
        None => USUAL_PRICE,
    };
    let id = world.mint.number();
    let product = line.product.map(str::to_owned);
    let amount = price * Decimal::from(quantity);
    cart.items.push(Item::new(id, product, None, quantity, amount, pricing));
    Ok(())
}

fn read_quantity(quantity: &Doc) -> Result<u32, Refusal> {
    quantity.count().filter(|n| *n > 0).ok_or_else(|| Refusal::invalid("quantity"))
}

/// Changes the quantity of a line at its price.
fn resize(item: &mut Item, quantity: u32, pricing: Pricing) {
    let amount = item.amount / Decimal::from(item.quantity) * Decimal::from(quantity);
    *item = Item::new(item.id.clone(), item.sku.clone(), None, quantity, amount, pricing);
}
