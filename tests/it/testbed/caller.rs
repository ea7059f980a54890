//! Callers, over a socket or in process, and what they are answered.

use super::{Ask, InProcess};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use std::{net::SocketAddr, sync::Arc};

/// An answer, read whole.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// The body as JSON; `Null` where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// `Weir-Decision` and `Weir-Rule`.
    pub(crate) fn verdict(&self) -> (&str, Option<&str>) {
        (self.header("weir-decision").unwrap_or("none"), self.header("weir-rule"))
    }

    /// Status, `Weir-Decision` and `Weir-Rule`.
    pub(crate) fn found(&self) -> (u16, (&str, Option<&str>)) {
        (self.status.as_u16(), self.verdict())
    }

    /// The content type without its parameters.
    pub(crate) fn media(&self) -> Option<&str> {
        self.header("content-type").and_then(|value| value.split(';').next())
    }

    pub(crate) fn id(&self) -> String {
        super::text_of(&self.json()["id"])
    }
}

/// Someone who calls an address, or a service in this process, with headers of their own.
#[derive(Clone)]
pub(crate) struct Caller {
    line: Line,
    headers: Vec<(String, String)>,
}

/// The two transports.
#[derive(Clone)]
enum Line {
    Socket { client: Arc<Client<HttpConnector, Full<Bytes>>>, address: SocketAddr },
    InProcess(InProcess),
}

impl Caller {
    /// Returns a caller over HTTP/1.1, without a key.
    pub(crate) fn new(address: SocketAddr) -> Self {
        let client = Arc::new(Client::builder(TokioExecutor::new()).build_http());
        Self { line: Line::Socket { client, address }, headers: Vec::new() }
    }

    /// Returns a caller that speaks HTTP/2 from the first byte.
    pub(crate) fn h2c(address: SocketAddr) -> Self {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let client = Arc::new(client);
        Self { line: Line::Socket { client, address }, headers: Vec::new() }
    }

    pub(super) fn in_process(service: InProcess) -> Self {
        Self { line: Line::InProcess(service), headers: Vec::new() }
    }

    pub(super) fn is_in_process(&self) -> bool {
        matches!(self.line, Line::InProcess(_))
    }

    /// The address that is called.
    pub(crate) fn address(&self) -> SocketAddr {
        match &self.line {
            Line::Socket { address, .. } => *address,
            Line::InProcess(_) => panic!("a caller in process calls no address"),
        }
    }

    /// The same caller, sending this header too.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut caller = self.clone();
        caller.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        caller.headers.push((name.to_owned(), value.to_owned()));
        caller
    }

    /// The same caller with this `Authorization`.
    pub(crate) fn key(&self, key: &str) -> Self {
        self.with("authorization", key)
    }

    /// A shopper with this access token, who asks for JSON.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        self.key(&format!("bearer {token}")).with("accept", "application/json")
    }

    /// The same caller, calling where this one does.
    pub(crate) fn to(&self, other: &Self) -> Self {
        let line = match (&self.line, &other.line) {
            (Line::Socket { client, .. }, Line::Socket { address, .. }) => {
                Line::Socket { client: client.clone(), address: *address }
            }
            (_, other) => other.clone(),
        };
        Self { line, ..self.clone() }
    }

    /// The same caller, calling another address.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        self.to(&Self::new(address))
    }

    /// Sends a call. Headers of its own take the place of the caller's.
    pub(crate) async fn ask(&self, ask: &Ask) -> Reply {
        match &self.line {
            Line::Socket { client, address } => {
                let origin = format!("http://{address}");
                let request = ask.request(&origin, &self.headers, Full::new);
                let (head, body) = client.request(request).await.expect("an answer").into_parts();
                let body = body.collect().await.expect("a whole body").to_bytes();
                Reply { status: head.status, headers: head.headers, body }
            }
            Line::InProcess(service) => service.ask(ask, &self.headers).await,
        }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Reply {
        let (path, body) = (path.to_owned(), body.into());
        self.ask(&Ask { method, path, headers: Vec::new(), body }).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, Bytes::new()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, Bytes::new()).await
    }

    pub(crate) async fn post_text(&self, path: &str, body: &str) -> Reply {
        self.send(Method::POST, path, body.to_owned()).await
    }

    /// POST without a body where `body` is null.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.ask(&Ask::post(path, body)).await
    }
}
