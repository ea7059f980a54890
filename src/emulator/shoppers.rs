//! Shoppers of the carts API: the tokens that name them, and `POST /oauth20/token`.
//!
//! A grant makes a shopper; a refresh gives the same shopper another token, and the cart comes
//! along. `client_id` (or the Basic user) names the merchant as a key does; without one it is
//! `Options::default_merchant`. The same `username` of one merchant is the same shopper again.

use std::collections::BTreeMap;

use super::{doc::Doc, keys::Key, refusal::Refusal, world::World};

#[derive(Clone, Debug)]
pub(super) struct Shopper {
    pub(super) id: String,
    pub(super) merchant: String,
    /// The active cart, once there is one.
    pub(super) cart: Option<String>,
    pub(super) options: Vec<PaymentOption>,
}

/// A source saved to a shopper.
#[derive(Clone, Debug)]
pub(super) struct PaymentOption {
    pub(super) id: String,
    pub(super) nick_name: String,
    pub(super) default: bool,
    pub(super) source: String,
}

#[derive(Default)]
pub(super) struct Shoppers {
    by_id: BTreeMap<String, Shopper>,
    /// Access and refresh tokens: the shopper, and whether it is an access token.
    tokens: BTreeMap<String, (String, bool)>,
    /// By merchant and user name.
    by_name: BTreeMap<(String, String), String>,
}

impl Shoppers {
    /// The shopper of an access token.
    pub(super) fn of_token(&self, token: &str) -> Result<&Shopper, Refusal> {
        let shopper = self
            .tokens
            .get(token)
            .filter(|(_, access)| *access)
            .and_then(|(id, _)| self.by_id.get(id));
        shopper.ok_or_else(|| {
            Refusal::new(401, "invalid_token", "The access token is invalid or has expired.")
        })
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Result<&mut Shopper, Refusal> {
        self.by_id.get_mut(id).ok_or_else(|| Refusal::not_found("Shopper", id))
    }

    pub(super) fn expire(&mut self, token: &str) -> bool {
        self.tokens.remove(token).is_some()
    }
}

/// `POST /oauth20/token`.
pub(super) fn grant(world: &mut World, client: Option<&str>, form: &Doc) -> Result<Doc, Refusal> {
    let refused = |text: &str| Refusal::new(400, "invalid_request", text);
    let client = form.text_of("client_id").or(client);
    let merchant = match client {
        None => world.options.default_merchant.clone(),
        Some(client) => {
            Key::parse(client)
                .ok_or_else(|| Refusal::new(401, "invalid_client", "The client is not known."))?
                .merchant
        }
    };
    let shopper = match form.text_of("grant_type") {
        Some("refresh_token") => {
            let token = form
                .text_of("refresh_token")
                .ok_or_else(|| refused("'refresh_token' is required."))?;
            let held = world.shoppers.tokens.get(token).filter(|(_, access)| !access);
            held.map(|(id, _)| id.clone()).ok_or_else(|| {
                Refusal::new(401, "invalid_grant", "The refresh token is invalid or has expired.")
            })?
        }
        Some("password") => {
            let name = form.text_of("username").unwrap_or_default().to_owned();
            match world.shoppers.by_name.get(&(merchant.clone(), name.clone())) {
                Some(id) => id.clone(),
                None => register(world, &merchant, Some(name).filter(|name| !name.is_empty())),
            }
        }
        Some("client_credentials" | "anonymous") => register(world, &merchant, None),
        _ => return Err(refused("'grant_type' is not supported.")),
    };
    let (access, refresh) = (world.mint.token(), world.mint.token());
    world.shoppers.tokens.insert(access.clone(), (shopper.clone(), true));
    world.shoppers.tokens.insert(refresh.clone(), (shopper, false));
    Ok(Doc::object()
        .with("access_token", access)
        .with("token_type", "bearer")
        .with("expires_in", 86_400_u32)
        .with("refresh_token", refresh))
}

fn register(world: &mut World, merchant: &str, name: Option<String>) -> String {
    let id = world.mint.number();
    let shopper =
        Shopper { id: id.clone(), merchant: merchant.to_owned(), cart: None, options: Vec::new() };
    world.shoppers.by_id.insert(id.clone(), shopper);
    if let Some(name) = name {
        world.shoppers.by_name.insert((merchant.to_owned(), name), id.clone());
    }
    id
}
