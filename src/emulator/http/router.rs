//! Routes a call to its API, and finds the session that it is about.
//!
//! Paths that begin with `v1` or `oauth20` are the carts API's; all others are the checkouts API's.

use super::{
    calls::Session, merchant_routes, reply::Answer, request::ParsedRequest, shopper_routes,
};
use crate::emulator::{
    carts_api::carts,
    model::{Kind, World},
};

/// Answers the call. A refused call gives back the ids that it drew.
pub(crate) fn route(world: &mut World, request: &ParsedRequest) -> Answer {
    let words = request.words();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.first() {
        Some(&"oauth20") => shopper_routes::token(world, request, &words),
        Some(&"v1") => shopper_routes::route(world, request, &words),
        _ => {
            let before = world.mint;
            let answer = merchant_routes::route(world, request, &words);
            if answer.is_err() {
                world.mint = before;
            }
            answer
        }
    }
}

/// Returns the checkout, invoice, cart or customer that a call is about, as far as it is known.
///
/// Opens a shopper's cart if need be, so that even the first two changes of a cart are seen to be
/// changes of one cart.
pub(crate) fn session_of(world: &mut World, request: &ParsedRequest) -> Option<Session> {
    let words = request.words();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let named = |kind| Some((kind, request.segment(1).to_owned()));
    match words.as_slice() {
        ["checkouts", _, ..] => named(Kind::Checkout),
        ["invoices", _, ..] => named(Kind::Invoice),
        ["customers", _, ..] => named(Kind::Customer),
        ["orders"] => {
            request.body().ok()?.text_of("checkoutId").map(|id| (Kind::Checkout, id.to_owned()))
        }
        ["v1", "shoppers", "me", "carts", ..] => {
            let shopper = shopper_routes::shopper_of(world, request).ok()?.clone();
            Some((Kind::Cart, carts::active(world, &shopper).ok()?.id))
        }
        ["v1", "shoppers", "me", "payment-options", ..] => {
            let shopper = shopper_routes::shopper_of(world, request).ok()?;
            Some((Kind::Customer, shopper.id.clone()))
        }
        _ => None,
    }
}
