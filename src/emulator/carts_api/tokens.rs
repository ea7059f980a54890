//! `POST /oauth20/token`: gives shoppers their tokens.
//!
//! A grant makes a shopper; a refresh gives the same shopper another token, with the same cart.
//! `client_id` (or the Basic user) names the merchant as a key does; without one it is
//! `Options::default_merchant`. The same `username` of one merchant is the same shopper again.

use crate::emulator::model::{Doc, Key, Refusal, World};

/// `POST /oauth20/token`; `client` is the Basic user.
pub(crate) fn grant(world: &mut World, client: Option<&str>, form: &Doc) -> Result<Doc, Refusal> {
    let merchant = match form.text_of("client_id").or(client) {
        None => world.options.default_merchant.clone(),
        Some(client) => {
            Key::parse(client)
                .ok_or_else(|| Refusal::new(401, "invalid_client", "The client is not known."))?
                .merchant
        }
    };
    let shopper = shopper(world, &merchant, form)?;
    let (access, refresh) = (world.mint.token(), world.mint.token());
    world.shoppers.issue(&shopper, &access, &refresh);
    Ok(Doc::object()
        .with("access_token", access)
        .with("token_type", "bearer")
        .with("expires_in", 86_400_u32)
        .with("refresh_token", refresh))
}

/// Finds or makes the shopper of a grant, and returns its id.
fn shopper(world: &mut World, merchant: &str, form: &Doc) -> Result<String, Refusal> {
    let refused = |text: &str| Refusal::new(400, "invalid_request", text);
    match form.text_of("grant_type") {
        Some("refresh_token") => {
            let token = form
                .text_of("refresh_token")
                .ok_or_else(|| refused("'refresh_token' is required."))?;
            world.shoppers.of_refresh_token(token).map(str::to_owned).ok_or_else(|| {
                Refusal::new(401, "invalid_grant", "The refresh token is invalid or has expired.")
            })
        }
        Some("password") => match form.text_of("username") {
            Some(name) => match world.shoppers.of_name(merchant, name) {
                Some(id) => Ok(id.to_owned()),
                None => Ok(register(world, merchant, Some(name))),
            },
            None => Ok(register(world, merchant, None)),
        },
        Some("client_credentials" | "anonymous") => Ok(register(world, merchant, None)),
        _ => Err(refused("'grant_type' is not supported.")),
    }
}

fn register(world: &mut World, merchant: &str, name: Option<&str>) -> String {
    let id = world.mint.number();
    world.shoppers.add(&id, merchant, name);
    id
}
