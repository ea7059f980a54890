//! One call as a value.

use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};

/// A call that can be sent more than once, by any caller.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Sent in place of the caller's own of the same names.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Ask {
    /// Without a body where `body` is null.
    pub(crate) fn new(method: Method, path: impl Into<String>, body: Value) -> Self {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        Self { method, path: path.into(), headers: Vec::new(), body }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Value::Null)
    }

    pub(crate) fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path, body)
    }

    pub(crate) fn delete(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::DELETE, path, body)
    }

    /// Attaches a source to the session at this path, by the path.
    pub(crate) fn attach(session: &str, source: &str) -> Self {
        Self::post(format!("{session}/sources/{source}"), Value::Null)
    }

    /// Detaches a source from the session at this path.
    pub(crate) fn detach(session: &str, source: &str) -> Self {
        Self::delete(format!("{session}/sources/{source}"), Value::Null)
    }

    /// Attaches a source to the session at this path, by the body.
    pub(crate) fn attach_in_body(session: &str, source: &str) -> Self {
        Self::post(session, json!({ "sourceId": source }))
    }

    /// Orders the checkout of this id or path.
    pub(crate) fn order(checkout: &str) -> Self {
        let id = checkout.trim_start_matches("/checkouts/");
        Self::post("/orders", json!({ "checkoutId": id }))
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As a shopper who wants JSON.
    pub(crate) fn shopper(self, token: &str) -> Self {
        self.with("authorization", &format!("bearer {token}")).with("accept", "application/json")
    }

    /// The request to this origin, or to none in particular, with the caller's own headers.
    pub(crate) fn request<B>(
        &self,
        origin: &str,
        own: &[(String, String)],
        body: impl FnOnce(Bytes) -> B,
    ) -> Request<B> {
        let uri = format!("{origin}{}", self.path);
        let mut request = Request::builder().method(self.method.clone()).uri(uri);
        let replaced =
            |name: &str| self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        let own = own.iter().filter(|(name, _)| !replaced(name));
        for (name, value) in own.chain(&self.headers) {
            request = request.header(name, value);
        }
        request.body(body(self.body.clone())).expect("a valid request")
    }
}
