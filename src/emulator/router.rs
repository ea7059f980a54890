//! Which call is meant, who makes it, and whether they may.
//!
//! In: an [`Ask`] and the world. Out: a [`Reply`] or a [`Refusal`]. Paths that begin with `v1` or
//! `oauth20` are the carts API's, all others the checkouts API's.

use http::{Method, header};

use super::{
    Kind, Version, cart_sources, carts, checkouts, customers,
    doc::Doc,
    keys::{Key, Role, credential},
    orders, payment_options,
    refusal::Refusal,
    settlement, shoppers,
    shoppers::Shopper,
    sources, submit,
    wire::{Ask, Reply},
    world::World,
};

type Answer = Result<Reply, Refusal>;

/// The call is answered in the carts API's forms.
pub(super) fn is_carts(ask: &Ask) -> bool {
    ask.path
        .first()
        .is_some_and(|word| word.eq_ignore_ascii_case("v1") || word.eq_ignore_ascii_case("oauth20"))
}

/// Answers the call. A refused one gives back the ids it drew.
pub(super) fn route(world: &mut World, ask: &Ask) -> Answer {
    let words = ask.words();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if is_carts(ask) {
        return if words[0] == "oauth20" {
            token(world, ask, &words)
        } else {
            shopper_call(world, ask, &words)
        };
    }
    let before = world.mint;
    let answer = merchant_call(world, ask, &words);
    if answer.is_err() {
        world.mint = before;
    }
    answer
}

/// The checkout, invoice, cart or customer that a call is about, as far as it can be told. A
/// shopper's cart is opened if need be, so that also the first two changes of a cart are seen to be
/// changes of one cart.
pub(super) fn session_of(world: &mut World, ask: &Ask) -> Option<(Kind, String)> {
    let words = ask.words();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["checkouts", _, ..] => Some((Kind::Checkout, ask.path[1].clone())),
        ["invoices", _, ..] => Some((Kind::Invoice, ask.path[1].clone())),
        ["customers", _, ..] => Some((Kind::Customer, ask.path[1].clone())),
        ["orders"] => {
            ask.body().ok()?.text_of("checkoutId").map(|id| (Kind::Checkout, id.to_owned()))
        }
        ["v1", "shoppers", "me", "carts", ..] => {
            let shopper = shopper_of(world, ask).ok()?.clone();
            Some((Kind::Cart, carts::active(world, &shopper).ok()?.id))
        }
        ["v1", "shoppers", "me", "payment-options", ..] => {
            Some((Kind::Customer, shopper_of(world, ask).ok()?.id.clone()))
        }
        _ => None,
    }
}

fn merchant_call(world: &mut World, ask: &Ask, words: &[&str]) -> Answer {
    let secret = ask.query.text_of("clientSecret");
    let presented = credential(&ask.headers);
    let id = |at: usize| ask.path.get(at).map(String::as_str).unwrap_or_default();
    if let (["sources", _], true) = (words, reads(ask))
        && let Some(shopper) =
            presented.as_deref().and_then(|token| world.shoppers.of_token(token).ok())
    {
        let merchant = shopper.merchant.clone();
        return ok(sources::read(world, &merchant, Role::Restricted, id(1), secret));
    }
    let key = presented.as_deref().and_then(Key::parse).ok_or_else(Refusal::unauthorized)?;
    if let ["sources", ..] = words {
        return source_call(world, ask, &key, words, secret);
    }
    key.allow(ask.mutation())?;
    let merchant = key.merchant.as_str();
    let version = version(world, ask)?;
    let kind = if words.first() == Some(&"invoices") { Kind::Invoice } else { Kind::Checkout };
    match (method(ask), words) {
        ("POST", ["checkouts" | "invoices"]) => {
            created(checkouts::create(world, merchant, kind, &version, &ask.body()?))
        }
        ("GET", ["checkouts" | "invoices", _]) => {
            ok(checkouts::read(world, merchant, kind, id(1), &version))
        }
        ("POST", ["checkouts" | "invoices", _]) => {
            ok(checkouts::update(world, merchant, kind, id(1), &version, &ask.body()?))
        }
        ("DELETE", ["checkouts" | "invoices", _]) => {
            gone(checkouts::delete(world, merchant, kind, id(1)))
        }
        ("POST", ["checkouts" | "invoices", _, "sources", _]) => {
            ok(checkouts::attach_source(world, merchant, kind, id(1), id(3)))
        }
        ("DELETE", ["checkouts" | "invoices", _, "sources", _]) => {
            gone(checkouts::detach_source(world, merchant, kind, id(1), id(3)))
        }
        ("POST", ["customers"]) => created(customers::create(world, merchant, &ask.body()?)),
        ("GET", ["customers", _]) => {
            ok(customers::find(world, merchant, id(1)).map(|customer| customer.to_doc(world)))
        }
        ("POST", ["customers", _]) => ok(customers::update(world, merchant, id(1), &ask.body()?)),
        ("DELETE", ["customers", _]) => gone(customers::delete(world, merchant, id(1))),
        ("POST", ["customers", _, "sources", _]) => {
            ok(customers::save(world, merchant, id(1), id(3)))
        }
        ("DELETE", ["customers", _, "sources", _]) => {
            gone(customers::remove(world, merchant, id(1), id(3)))
        }
        ("POST", ["orders"]) => created(orders::create(world, merchant, &version, &ask.body()?)),
        ("GET", ["orders", _]) => ok(orders::read(world, merchant, id(1), &version)),
        ("GET", ["charges", _]) => ok(orders::read_charge(world, merchant, id(1))),
        ("POST", ["fulfillments"]) => created(settlement::fulfill(world, merchant, &ask.body()?)),
        ("GET", ["fulfillments", _]) => ok(settlement::read(world, merchant, "Fulfillment", id(1))),
        ("POST", ["refunds"]) => created(settlement::refund(world, merchant, &ask.body()?)),
        ("GET", ["refunds", _]) => ok(settlement::read(world, merchant, "Refund", id(1))),
        _ => Err(unknown(ask)),
    }
}

fn source_call(
    world: &mut World,
    ask: &Ask,
    key: &Key,
    words: &[&str],
    secret: Option<&str>,
) -> Answer {
    match (method(ask), words) {
        ("POST", ["sources"]) => created(sources::create(world, key, &ask.body()?)),
        ("GET", ["sources", _]) => {
            ok(sources::read(world, &key.merchant, key.role, &ask.path[1], secret))
        }
        ("POST" | "PUT" | "PATCH", ["sources", _]) => {
            ok(sources::update(world, key, &ask.path[1], secret, &ask.body()?))
        }
        _ => Err(unknown(ask)),
    }
}

fn token(world: &mut World, ask: &Ask, words: &[&str]) -> Answer {
    if (method(ask), words) != ("POST", &["oauth20", "token"]) {
        return Err(unknown(ask));
    }
    let client = credential(&ask.headers);
    let reply =
        shoppers::grant(world, client.as_deref(), &ask.form()?).map(|doc| Reply::new(200, doc))?;
    Ok(reply.with(header::CACHE_CONTROL, "no-store"))
}

fn shopper_call(world: &mut World, ask: &Ask, words: &[&str]) -> Answer {
    let mut shopper = shopper_of(world, ask)?.clone();
    if let ["v1", "shoppers", "me", "carts", ..] = words {
        // Opened before ids may be given back: a cart that stays keeps its id to itself.
        shopper.cart = Some(carts::active(world, &shopper)?.id);
    }
    let before = world.mint;
    let answer = cart_call(world, ask, words, &shopper);
    if answer.is_err() {
        world.mint = before;
    }
    answer
}

fn cart_call(world: &mut World, ask: &Ask, words: &[&str], shopper: &Shopper) -> Answer {
    let rest = match words {
        ["v1", "shoppers", "me", rest @ ..] => rest,
        _ => return Err(unknown(ask)),
    };
    let query = &ask.query;
    let cart = match (method(ask), rest) {
        ("GET", ["carts", "active"]) => carts::active(world, shopper)?,
        ("POST", ["carts", "active"]) => carts::update(world, shopper, &ask.body()?, query)?,
        ("POST", ["carts", "active", "apply-payment-method"]) => {
            cart_sources::apply(world, shopper, &ask.body()?)?
        }
        ("POST", ["carts", "active", "apply-shopper"]) => {
            cart_sources::apply_shopper(world, shopper, query)?
        }
        ("POST", ["carts", "active", "line-items", line]) => carts::change_line(
            world,
            shopper,
            line,
            Some(query.get("quantity").unwrap_or(&Doc::Null)),
        )?,
        ("DELETE", ["carts", "active", "line-items", line]) => {
            return carts::change_line(world, shopper, line, None).map(|_| Reply::empty());
        }
        ("DELETE", ["carts", "active", "apply-payment-method"]) => {
            return gone(cart_sources::detach(world, shopper, &ask.body()?));
        }
        ("DELETE", ["carts", "active", "payment"]) => {
            return gone(cart_sources::detach(world, shopper, &Doc::object()));
        }
        ("POST", ["carts", "active", "submit-cart"]) => return ok(submit::submit(world, shopper)),
        ("GET", ["orders", id]) => return ok(submit::read_order(world, shopper, id)),
        ("GET", ["payment-options"]) => {
            return Ok(Reply::new(200, payment_options::list(world, shopper)));
        }
        ("GET", ["payment-options", id]) => return ok(payment_options::read(world, shopper, id)),
        ("POST", ["payment-options"]) => {
            return created(payment_options::save(world, shopper, &ask.body()?));
        }
        ("POST", ["payment-options", id]) => {
            return ok(payment_options::change(world, shopper, id, &ask.body()?));
        }
        ("DELETE", ["payment-options", id]) => {
            return gone(payment_options::remove(world, shopper, id));
        }
        _ => return Err(unknown(ask)),
    };
    Ok(Reply::new(200, cart.to_doc(world, query)))
}

fn shopper_of<'a>(world: &'a World, ask: &Ask) -> Result<&'a Shopper, Refusal> {
    let presented = credential(&ask.headers);
    let token = presented.as_deref().or_else(|| ask.query.text_of("token")).unwrap_or_default();
    world.shoppers.of_token(token)
}

fn version(world: &World, ask: &Ask) -> Result<Version, Refusal> {
    let version = ask.header("digitalriver-version").unwrap_or(&world.options.version).trim();
    let date = version.len() == 10
        && version.bytes().enumerate().all(|(at, byte)| {
            if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() }
        });
    if date {
        Ok(Version(version.to_owned()))
    } else {
        Err(Refusal::invalid("DigitalRiver-Version"))
    }
}

fn reads(ask: &Ask) -> bool {
    method(ask) == "GET"
}

fn method(ask: &Ask) -> &str {
    if ask.method == Method::HEAD { "GET" } else { ask.method.as_str() }
}

fn ok(doc: Result<Doc, Refusal>) -> Answer {
    doc.map(|doc| Reply::new(200, doc))
}

fn created(doc: Result<Doc, Refusal>) -> Answer {
    doc.map(|doc| Reply::new(201, doc))
}

fn gone(done: Result<(), Refusal>) -> Answer {
    done.map(|()| Reply::empty())
}

fn unknown(ask: &Ask) -> Refusal {
    Refusal::new(
        404,
        "not_found",
        format!("There is no {} {}.", ask.method, ask.target.split('?').next().unwrap_or_default()),
    )
}
