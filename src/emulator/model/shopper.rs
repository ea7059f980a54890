//! Shoppers of the carts API, and the tokens that name them.

use super::refusal::Refusal;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub(crate) struct Shopper {
    pub(crate) id: String,
    pub(crate) merchant: String,
    /// The active cart, once there is one.
    pub(crate) cart: Option<String>,
    pub(crate) options: Vec<PaymentOption>,
}

/// A source that a shopper has saved.
#[derive(Clone, Debug)]
pub(crate) struct PaymentOption {
    pub(crate) id: String,
    pub(crate) nick_name: String,
    pub(crate) default: bool,
    pub(crate) source: String,
}

#[derive(Default)]
pub(crate) struct Shoppers {
    by_id: BTreeMap<String, Shopper>,
    /// By merchant and user name.
    by_name: BTreeMap<(String, String), String>,
    /// The shoppers of access and refresh tokens.
    tokens: BTreeMap<String, (String, Grant)>,
}

/// What a token is good for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grant {
    Access,
    Refresh,
}

impl Shoppers {
    /// Returns the shopper of an access token.
    pub(crate) fn of_token(&self, token: &str) -> Result<&Shopper, Refusal> {
        self.holder(token, Grant::Access).and_then(|id| self.by_id.get(id)).ok_or_else(|| {
            Refusal::new(401, "invalid_token", "The access token is invalid or has expired.")
        })
    }

    /// Returns the shopper's id of a refresh token.
    pub(crate) fn of_refresh_token(&self, token: &str) -> Option<&str> {
        self.holder(token, Grant::Refresh)
    }

    /// Returns the shopper's id of a merchant's user name.
    pub(crate) fn of_name(&self, merchant: &str, name: &str) -> Option<&str> {
        self.by_name.get(&(merchant.to_owned(), name.to_owned())).map(String::as_str)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Result<&mut Shopper, Refusal> {
        self.by_id.get_mut(id).ok_or_else(|| Refusal::not_found("Shopper", id))
    }

    pub(crate) fn add(&mut self, id: &str, merchant: &str, name: Option<&str>) {
        let shopper = Shopper {
            id: id.to_owned(),
            merchant: merchant.to_owned(),
            cart: None,
            options: Vec::new(),
        };
        self.by_id.insert(id.to_owned(), shopper);
        if let Some(name) = name {
            self.by_name.insert((merchant.to_owned(), name.to_owned()), id.to_owned());
        }
    }

    /// Makes both tokens valid for the shopper.
    pub(crate) fn issue(&mut self, shopper: &str, access: &str, refresh: &str) {
        self.tokens.insert(access.to_owned(), (shopper.to_owned(), Grant::Access));
        self.tokens.insert(refresh.to_owned(), (shopper.to_owned(), Grant::Refresh));
    }

    /// Makes a token invalid; returns false if it was not valid.
    pub(crate) fn expire(&mut self, token: &str) -> bool {
        self.tokens.remove(token).is_some()
    }

    fn holder(&self, token: &str, grant: Grant) -> Option<&str> {
        let (id, held) = self.tokens.get(token)?;
        (*held == grant).then_some(id)
    }
}
