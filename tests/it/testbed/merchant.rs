//! What a merchant's code does, in a word each: every caller can do it, through Weir or past it.

use super::{Ask, Caller, PUBLIC, Reply, credit, items, primary};
use http::Method;
use serde_json::{Value, json};

impl Caller {
    /// Sends a call that must succeed.
    pub(crate) async fn done(&self, ask: &Ask) -> Reply {
        let reply = self.ask(ask).await;
        assert!(reply.status.is_success(), "{} {}: {}", ask.method, ask.path, reply.text());
        reply
    }

    /// Posts what must succeed.
    pub(crate) async fn ok(&self, path: &str, body: Value) -> Reply {
        self.done(&Ask::post(path, body)).await
    }

    /// Deletes what must be there.
    pub(crate) async fn gone(&self, path: &str) {
        let reply = self.delete(path).await;
        assert_eq!(reply.status, 204, "{path}: {}", reply.text());
    }

    /// Creates a checkout over `total`; returns its id.
    pub(crate) async fn checkout(&self, total: f64) -> String {
        self.ok("/checkouts", items(total)).await.id()
    }

    /// Creates an invoice over 100; returns its path.
    pub(crate) async fn invoice(&self, billing_optimization: bool) -> String {
        let mut body = items(100.0);
        body["billingOptimization"] = json!(billing_optimization);
        format!("/invoices/{}", self.ok("/invoices", body).await.id())
    }

    /// Creates a customer; returns its path.
    pub(crate) async fn customer(&self) -> String {
        let body = json!({ "email": "a@example.com" });
        format!("/customers/{}", self.ok("/customers", body).await.id())
    }

    /// Creates store credit; returns its id.
    pub(crate) async fn credit(&self, amount: impl Into<Value>) -> String {
        self.ok("/sources", credit(amount)).await.id()
    }

    /// Creates a source from this body with the key of the shopper's browser; returns its id.
    pub(crate) async fn source(&self, body: &Value) -> String {
        self.key(PUBLIC).ok("/sources", body.clone()).await.id()
    }

    /// Creates a primary source of this type; returns its id.
    pub(crate) async fn primary(&self, kind: &str) -> String {
        self.source(&primary(kind)).await
    }

    /// Creates a single-use card; returns its id.
    pub(crate) async fn card(&self) -> String {
        self.primary("creditCard").await
    }

    /// Creates a card of which the emulator makes what this word says; returns its id.
    pub(crate) async fn magic(&self, word: &str) -> String {
        self.source(&json!({ "type": "creditCard", "creditCard": {}, "upstreamId": word })).await
    }

    /// Attaches a source to the session, or saves it to the customer, at this path.
    pub(crate) async fn attach(&self, session: &str, source: &str) -> Reply {
        self.ask(&Ask::attach(session, source)).await
    }

    /// Orders a checkout.
    pub(crate) async fn order(&self, checkout: &str) -> Reply {
        self.ask(&Ask::order(checkout)).await
    }

    /// Returns an access token for this grant.
    pub(crate) async fn token(&self, grant: &str) -> String {
        let granted = self.send(Method::POST, "/oauth20/token", grant.to_owned()).await;
        granted.json()["access_token"].as_str().expect("a token").to_owned()
    }
}
