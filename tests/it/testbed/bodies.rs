//! Keys, paths and bodies of the vendor's that many tests send.

use serde_json::{Value, json};

/// The confidential key of the merchant acme.
pub(crate) const SECRET: &str = "Bearer sk_test_acme";
/// Its public key, which a shopper's browser has.
pub(crate) const PUBLIC: &str = "Bearer pk_test_acme";

pub(crate) const CART: &str = "/v1/shoppers/me/carts/active";
pub(crate) const APPLY: &str = "/v1/shoppers/me/carts/active/apply-payment-method";
pub(crate) const APPLY_SHOPPER: &str = "/v1/shoppers/me/carts/active/apply-shopper";
pub(crate) const SUBMIT: &str = "/v1/shoppers/me/carts/active/submit-cart";
pub(crate) const OPTIONS: &str = "/v1/shoppers/me/payment-options";

/// The body that creates or changes a checkout over `total`.
pub(crate) fn items(total: f64) -> Value {
    let item = json!({ "skuId": "sku", "quantity": 1, "aggregatePrice": total });
    json!({ "currency": "USD", "items": [item] })
}

/// The body of `apply-payment-method`.
pub(crate) fn method(source: &str) -> Value {
    json!({ "paymentMethod": { "sourceId": source } })
}

/// The body that saves a source as a payment option.
pub(crate) fn option_of(source: &str) -> Value {
    json!({ "paymentOption": { "sourceId": source } })
}

/// An id that is text in one dialect and a number in another, as text.
pub(crate) fn text_of(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// The body that creates store credit.
pub(crate) fn credit(amount: impl Into<Value>) -> Value {
    let amount: Value = amount.into();
    json!({ "type": "customerCredit", "amount": amount, "customerCredit": {} })
}

/// The body with which the shopper's browser creates a primary source.
pub(crate) fn primary(kind: &str) -> Value {
    json!({ "type": kind, kind: {} })
}
