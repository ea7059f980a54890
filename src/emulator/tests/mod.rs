//! The emulator held against the vendor's pages, quoted answers first of all.

mod carts;
mod checkouts;
mod endings;
mod properties;
mod quirks;
mod saved;
mod settlement;
mod wire;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::{Emulator, Options};

/// A merchant at work, without sockets.
struct Shop {
    emulator: Emulator,
    /// Headers of every call.
    headers: Vec<(String, String)>,
}

impl Shop {
    fn new() -> Shop {
        Shop::with(Options::default())
    }

    fn with(options: Options) -> Shop {
        let emulator = Emulator::new(Options { seed: Some(1), ..options });
        Shop { emulator, headers: vec![("authorization".into(), "Bearer sk_test_acme".into())] }
    }

    /// The same vendor, called with one more header (or another value of it).
    fn using(&self, name: &str, value: &str) -> Shop {
        let mut headers: Vec<_> =
            self.headers.iter().filter(|(held, _)| held != name).cloned().collect();
        headers.push((name.to_owned(), value.to_owned()));
        Shop { emulator: self.emulator.clone(), headers }
    }

    /// A shopper of the carts API who asks for JSON.
    async fn shopper(&self) -> Shop {
        let token = self
            .call(
                "POST",
                "/oauth20/token",
                json!({"grant_type": "anonymous", "client_id": "pk_acme"}),
            )
            .await
            .1;
        self.using("authorization", &format!("bearer {}", token["access_token"].as_str().unwrap()))
            .using("accept", "application/json")
    }

    async fn text(&self, method: &str, target: &str, body: &str) -> (u16, String) {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = self
            .emulator
            .handle(request.body(Bytes::from(body.to_owned())).unwrap())
            .await
            .unwrap();
        (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
    }

    async fn call(&self, method: &str, target: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, text) = self.text(method, target, &body).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn get(&self, target: &str) -> Value {
        let (status, body) = self.call("GET", target, Value::Null).await;
        assert_eq!(status, 200, "{target}: {body}");
        body
    }

    /// A call that must succeed.
    async fn post(&self, target: &str, body: Value) -> Value {
        let (status, answer) = self.call("POST", target, body).await;
        assert!((200..300).contains(&status), "{target}: {status} {answer}");
        answer
    }

    /// A primary source, as the vendor's script makes it.
    async fn primary(&self, kind: &str) -> String {
        self.source(json!({"type": kind, kind: {}})).await
    }

    async fn source(&self, body: Value) -> String {
        id(&self.using("authorization", "pk_test_acme").post("/sources", body).await)
    }

    async fn credit(&self, amount: f64) -> String {
        let body = json!({"type": "customerCredit", "amount": amount, "customerCredit": {}});
        id(&self.using("authorization", "sk_test_acme").post("/sources", body).await)
    }

    /// A checkout of that total.
    async fn checkout(&self, total: f64) -> String {
        id(&self.post("/checkouts", order_of(total)).await)
    }

    async fn attach(&self, checkout: &str, source: &str) -> (u16, Value) {
        self.call("POST", &format!("/checkouts/{checkout}/sources/{source}"), Value::Null).await
    }

    async fn attached(&self, checkout: &str, source: &str) {
        let (status, body) = self.attach(checkout, source).await;
        assert_eq!(status, 200, "{body}");
    }

    async fn state_of(&self, source: &str) -> String {
        self.using("authorization", "sk_acme").get(&format!("/sources/{source}")).await["state"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn customer(&self) -> String {
        id(&self.post("/customers", json!({"email": "a@example.com"})).await)
    }

    async fn saved(&self, customer: &str, kind: &str) -> String {
        let source = self.primary(kind).await;
        self.post(&format!("/customers/{customer}/sources/{source}"), Value::Null).await;
        source
    }
}

fn order_of(total: f64) -> Value {
    json!({"currency": "USD", "items": [{"skuId": "sku", "quantity": 1, "price": total}]})
}

fn id(body: &Value) -> String {
    match &body["id"] {
        Value::String(id) => id.clone(),
        other => other.to_string(),
    }
}

/// The vendor's error form with one error.
fn error(kind: &str, error: Value) -> Value {
    json!({"type": kind, "errors": [error]})
}

fn not_allowed() -> Value {
    error(
        "conflict",
        json!({
            "code": "session_update_not_allowed",
            "message": "Updating source is not allowed for the current session state.",
        }),
    )
}
