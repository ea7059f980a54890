//! Routes the calls of the carts API: finds the shopper, and picks the function of the call.

use super::{
    credential::credential,
    reply::{Answer, Reply, created, no_content, ok},
    request::ParsedRequest,
};
use crate::emulator::{
    carts_api::{carts, payment, payment_options, show, submit, tokens},
    model::{Cart, Doc, Refusal, Shopper, World},
};
use http::header;

/// Answers `/oauth20/token`; `words` are the segments of the path in lower case.
pub(crate) fn token(world: &mut World, request: &ParsedRequest, words: &[&str]) -> Answer {
    if (request.verb(), words) != ("POST", &["oauth20", "token"]) {
        return Err(request.unknown_route());
    }
    let client = credential(&request.headers);
    let doc = tokens::grant(world, client.as_deref(), &request.form()?)?;
    Ok(Reply::new(200, doc).with(header::CACHE_CONTROL, "no-store"))
}

/// Answers a shopper's call; `words` are the segments of its path in lower case. A refused call
/// gives back the ids that it drew.
pub(crate) fn route(world: &mut World, request: &ParsedRequest, words: &[&str]) -> Answer {
    let mut shopper = shopper_of(world, request)?.clone();
    if let ["v1", "shoppers", "me", "carts", ..] = words {
        // Opened before ids may be given back: a cart that stays must keep its id to itself.
        shopper.cart = Some(carts::active(world, &shopper)?.id);
    }
    let before = world.mint;
    let answer = match words {
        ["v1", "shoppers", "me", "carts", "active", rest @ ..] => {
            route_cart(world, request, rest, &shopper)
        }
        ["v1", "shoppers", "me", rest @ ..] => route_saved(world, request, rest, &shopper),
        _ => Err(request.unknown_route()),
    };
    if answer.is_err() {
        world.mint = before;
    }
    answer
}

/// Returns the shopper whose access token the request presents.
pub(crate) fn shopper_of<'a>(
    world: &'a World,
    request: &ParsedRequest,
) -> Result<&'a Shopper, Refusal> {
    let presented = credential(&request.headers);
    let token = presented.as_deref().or_else(|| request.query.text_of("token")).unwrap_or_default();
    world.shoppers.of_token(token)
}

/// Answers a call of the active cart; `words` follow `carts/active`.
fn route_cart(
    world: &mut World,
    request: &ParsedRequest,
    words: &[&str],
    shopper: &Shopper,
) -> Answer {
    let query = &request.query;
    let cart = match (request.verb(), words) {
        ("GET", [] | ["web-checkout"]) => carts::active(world, shopper),
        ("POST", []) => carts::update(world, shopper, &request.body()?, query),
        ("POST", ["apply-payment-method"]) => payment::apply(world, shopper, &request.body()?),
        ("POST", ["apply-shopper"]) => payment::apply_shopper(world, shopper, query),
        ("POST", ["line-items", line]) => {
            let quantity = query.get("quantity").unwrap_or(&Doc::Null);
            carts::change_line(world, shopper, line, quantity)
        }
        ("DELETE", ["line-items", line]) => {
            return no_content(carts::remove_line(world, shopper, line));
        }
        ("DELETE", ["apply-payment-method"]) => {
            return no_content(payment::detach(world, shopper, &request.body()?));
        }
        ("DELETE", ["payment"]) => {
            return no_content(payment::detach(world, shopper, &Doc::object()));
        }
        ("POST", ["submit-cart" | "resume-cart"]) => return ok(submit::submit(world, shopper)),
        _ => return Err(request.unknown_route()),
    };
    ok(cart.map(|cart: Cart| show::cart(world, &cart, query)))
}

/// Answers a call about orders or payment options; `words` follow `shoppers/me`.
fn route_saved(
    world: &mut World,
    request: &ParsedRequest,
    words: &[&str],
    shopper: &Shopper,
) -> Answer {
    match (request.verb(), words) {
        ("GET", ["orders", id]) => ok(submit::read_order(world, shopper, id)),
        ("GET", ["payment-options"]) => ok(Ok(payment_options::list(world, shopper))),
        ("GET", ["payment-options", id]) => ok(payment_options::read(world, shopper, id)),
        ("POST", ["payment-options"]) => {
            created(payment_options::save(world, shopper, &request.body()?))
        }
        ("POST", ["payment-options", id]) => {
            ok(payment_options::change(world, shopper, id, &request.body()?))
        }
        ("DELETE", ["payment-options", id]) => {
            no_content(payment_options::remove(world, shopper, id))
        }
        _ => Err(request.unknown_route()),
    }
}
