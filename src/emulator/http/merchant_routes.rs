//! Routes the calls of the checkouts API: checks the key, and picks the function of the call.

use super::{
    credential::credential,
    reply::{Answer, created, no_content, ok},
    request::ParsedRequest,
};
use crate::emulator::{
    checkouts_api::{Version, checkouts, customers, invoices, orders, settlement, sources},
    model::{Denial, Key, Kind, Refusal, Role, World},
};

/// Answers a call of the checkouts API; `words` are the segments of its path in lower case.
pub(crate) fn route(world: &mut World, request: &ParsedRequest, words: &[&str]) -> Answer {
    let credential = credential(&request.headers);
    let credential = credential.as_deref();
    // A shopper of the carts API reads the sources of its merchant too.
    if let (["sources", _], "GET") = (words, request.verb())
        && let Some(shopper) = credential.and_then(|token| world.shoppers.of_token(token).ok())
    {
        refuse_shopper(world)?;
        let (merchant, id) = (&shopper.merchant, request.segment(1));
        return ok(sources::read(world, merchant, Role::Restricted, id, None));
    }
    let key = credential.and_then(Key::parse).ok_or_else(Refusal::unauthorized)?;
    let key = if world.quirks.order_only_keys { key.order_only() } else { key };
    if let ["sources", ..] = words {
        return route_source(world, request, &key, words);
    }
    key.allow(request.mutation())?;
    let version = version(world, request)?;
    let call = MerchantCall { request, words, merchant: &key.merchant, version };
    match words.first() {
        Some(&"checkouts") => call.route_checkout(world, Kind::Checkout),
        Some(&"invoices") => call.route_checkout(world, Kind::Invoice),
        Some(&"customers") => call.route_customer(world),
        _ => call.route_order(world),
    }
}

/// Refuses to show a source to a shopper, where the vendor's quirks say so.
fn refuse_shopper(world: &World) -> Result<(), Refusal> {
    match world.quirks.deny_shopper_reads {
        Some(Denial::Unauthorized) => Err(Refusal::unauthorized()),
        Some(Denial::Forbidden) => Err(Refusal::forbidden()),
        None => Ok(()),
    }
}

fn route_source(world: &mut World, request: &ParsedRequest, key: &Key, words: &[&str]) -> Answer {
    let id = request.segment(1);
    let secret = request.query.text_of("clientSecret");
    match (request.verb(), words) {
        ("POST", ["sources"]) => created(sources::create(world, key, &request.body()?)),
        ("GET", ["sources", _]) => ok(sources::read(world, &key.merchant, key.role, id, secret)),
        ("POST" | "PUT" | "PATCH", ["sources", _]) => {
            ok(sources::update(world, key, id, secret, &request.body()?))
        }
        _ => Err(request.unknown_route()),
    }
}

/// A call that its key allows.
struct MerchantCall<'a> {
    request: &'a ParsedRequest,
    words: &'a [&'a str],
    merchant: &'a str,
    version: Version,
}

impl MerchantCall<'_> {
    fn route_checkout(&self, world: &mut World, kind: Kind) -> Answer {
        let Self { request, merchant, version, .. } = self;
        let (id, source) = (request.segment(1), request.segment(3));
        match (request.verb(), self.words) {
            ("POST", [_]) => {
                created(checkouts::create(world, merchant, kind, version, &request.body()?))
            }
            ("GET", [_]) => ok(Ok(checkouts::list(world, merchant, kind, version))),
            ("GET", [_, _]) => ok(checkouts::read(world, merchant, kind, id, version)),
            ("POST", [_, _]) => {
                ok(checkouts::update(world, merchant, kind, id, version, &request.body()?))
            }
            ("DELETE", [_, _]) => no_content(checkouts::delete(world, merchant, kind, id)),
            ("POST", ["invoices", _, "open"]) => ok(invoices::open(world, merchant, id, version)),
            ("POST", ["invoices", _, "void"]) => ok(invoices::void(world, merchant, id, version)),
            ("POST", [_, _, "sources", _]) => {
                ok(checkouts::attach_source(world, merchant, kind, id, source))
            }
            ("DELETE", [_, _, "sources", _]) => {
                no_content(checkouts::detach_source(world, merchant, kind, id, source))
            }
            _ => Err(request.unknown_route()),
        }
    }

    fn route_customer(&self, world: &mut World) -> Answer {
        let Self { request, merchant, .. } = self;
        let (id, source) = (request.segment(1), request.segment(3));
        match (request.verb(), self.words) {
            ("POST", [_]) => created(customers::create(world, merchant, &request.body()?)),
            ("GET", [_, _]) => ok(customers::read(world, merchant, id)),
            ("POST", [_, _]) => ok(customers::update(world, merchant, id, &request.body()?)),
            ("DELETE", [_, _]) => no_content(customers::delete(world, merchant, id)),
            ("POST", [_, _, "sources", _]) => ok(customers::save(world, merchant, id, source)),
            ("DELETE", [_, _, "sources", _]) => {
                no_content(customers::remove(world, merchant, id, source))
            }
            _ => Err(request.unknown_route()),
        }
    }

    fn route_order(&self, world: &mut World) -> Answer {
        let Self { request, merchant, version, .. } = self;
        let id = request.segment(1);
        match (request.verb(), self.words) {
            ("POST", ["orders"]) => {
                created(orders::create(world, merchant, version, &request.body()?))
            }
            ("GET", ["orders", _]) => ok(orders::read(world, merchant, id, version)),
            ("GET", ["charges", _]) => ok(orders::read_charge(world, merchant, id)),
            ("POST", ["fulfillments"]) => {
                created(settlement::fulfill(world, merchant, &request.body()?))
            }
            ("GET", ["fulfillments", _]) => {
                ok(settlement::read(world, merchant, "Fulfillment", id))
            }
            ("POST", ["refunds"]) => created(settlement::refund(world, merchant, &request.body()?)),
            ("GET", ["refunds", _]) => ok(settlement::read(world, merchant, "Refund", id)),
            _ => Err(request.unknown_route()),
        }
    }
}

fn version(world: &World, request: &ParsedRequest) -> Result<Version, Refusal> {
    let version = request.header("digitalriver-version").unwrap_or(&world.options.version);
    Version::parse(version.trim()).ok_or_else(|| Refusal::invalid("DigitalRiver-Version"))
}
