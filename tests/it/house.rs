//! A house to test in: an emulator, Weir before it, and a caller, all on loopback, on ports the
//! system picks.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tokio_util::task::TaskTracker;
use weir::{
    GovernSettings, Governor, ServeOptions, Target, Upstream, UpstreamSettings,
    emulator::{Emulator, Kind, Options},
    rules::Policy,
    serve,
    sessions::{Sessions, Settings},
    stack,
};

/// The confidential and the public key of the merchant acme.
pub const SECRET: &str = "Bearer sk_test_acme";
pub const PUBLIC: &str = "Bearer pk_test_acme";

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON; `Null` where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// `Weir-Decision` and `Weir-Rule`.
    pub fn verdict(&self) -> (&str, Option<&str>) {
        (self.header("weir-decision").unwrap_or("none"), self.header("weir-rule"))
    }

    pub fn id(&self) -> String {
        match &self.json()["id"] {
            Value::String(id) => id.clone(),
            other => other.to_string(),
        }
    }
}

/// Somebody who calls an address.
#[derive(Clone)]
pub struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    pub address: SocketAddr,
    headers: Vec<(String, String)>,
}

impl Caller {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            address,
            headers: Vec::new(),
        }
    }

    /// One who speaks HTTP/2 from the first byte.
    pub fn h2c(address: SocketAddr) -> Self {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        Self { client, address, headers: Vec::new() }
    }

    /// The same caller, sending this header too.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut caller = self.clone();
        caller.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        caller.headers.push((name.to_owned(), value.to_owned()));
        caller
    }

    /// The same caller, calling this one's address.
    pub fn to(&self, other: &Caller) -> Self {
        Self { address: other.address, ..self.clone() }
    }

    /// The same caller, calling another address.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    /// The same caller with this `Authorization`.
    pub fn key(&self, key: &str) -> Self {
        self.with("authorization", key)
    }

    pub async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Reply {
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body.into())).expect("a valid request");
        let response = self.client.request(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Reply { status: head.status, headers: head.headers, body }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, Bytes::new()).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, Bytes::new()).await
    }

    pub async fn post_text(&self, path: &str, body: &str) -> Reply {
        self.send(Method::POST, path, body.to_owned()).await
    }

    /// POST without a body where `body` is null.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        let bytes = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        self.send(Method::POST, path, bytes).await
    }
}

/// Weir before an emulator.
pub struct House {
    pub emulator: Emulator,
    pub governor: Arc<Governor>,
    /// Calls Weir with the confidential key.
    pub weir: Caller,
    /// Calls the emulator itself with the confidential key.
    pub upstream: Caller,
    /// Dropped: the servers end.
    _running: Vec<oneshot::Sender<()>>,
}

impl House {
    pub async fn new(policy: Policy) -> Self {
        Self::with(policy, Options { seed: Some(1), ..Options::default() }).await
    }

    pub async fn with(policy: Policy, options: Options) -> Self {
        let emulator = Emulator::new(options);
        let (upstream, running) = start_emulator(emulator.clone()).await;
        let sessions = Sessions::in_memory(Settings::default());
        let governor = Governor::new(policy, sessions, GovernSettings::default());
        let (weir, serving) = start_weir(governor.clone(), upstream).await;
        Self {
            emulator,
            governor,
            weir: Caller::new(weir).key(SECRET),
            upstream: Caller::new(upstream).key(SECRET),
            _running: vec![running, serving],
        }
    }

    /// Another Weir before the same emulator, with nothing remembered.
    pub async fn cold(&mut self, policy: Policy) {
        let sessions = Sessions::in_memory(Settings::default());
        self.restart(Governor::new(policy, sessions, GovernSettings::default())).await;
    }

    /// Another Weir process: this governor.
    pub async fn restart(&mut self, governor: Arc<Governor>) {
        let (weir, serving) = start_weir(governor.clone(), self.upstream.address).await;
        self.governor = governor;
        self.weir = Caller::new(weir).key(SECRET);
        self._running.push(serving);
    }

    /// A primary source as the shopper's browser creates it: Weir does not see it.
    pub async fn primary(&self, kind: &str) -> String {
        let reply =
            self.upstream.key(PUBLIC).post("/sources", json!({ "type": kind, kind: {} })).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.id()
    }

    pub async fn card(&self) -> String {
        self.primary("creditCard").await
    }

    /// Store credit, created through Weir.
    pub async fn credit(&self, amount: f64) -> String {
        let body = json!({ "type": "customerCredit", "amount": amount, "customerCredit": {} });
        let reply = self.weir.post("/sources", body).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.id()
    }

    /// A checkout over `total`, created through Weir.
    pub async fn checkout(&self, total: f64) -> String {
        let reply = self.weir.post("/checkouts", items(total)).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.id()
    }

    /// A shopper with a cart over `total`: a caller with the token, asking for JSON.
    pub async fn shopper(&self, total: f64) -> Caller {
        let grant = self
            .upstream
            .send(Method::POST, "/oauth20/token", "grant_type=anonymous&client_id=pk_acme")
            .await;
        let token = grant.json()["access_token"].as_str().expect("a token").to_owned();
        let shopper = self.weir.key(&format!("bearer {token}")).with("accept", "application/json");
        let reply = shopper
            .post(&format!("{CART}?productId=p&quantity=1&price={total}"), Value::Null)
            .await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        shopper
    }

    /// The statuses of upstream's refusals of governed calls so far, other than look-ups.
    pub fn refused_upstream(&self) -> Vec<(String, Option<String>)> {
        self.emulator
            .calls()
            .into_iter()
            .filter(|call| call.mutation && call.refused_code.is_some())
            .map(|call| (format!("{} {}", call.method, call.target), call.refused_code))
            .collect()
    }

    /// What upstream shows attached.
    pub fn attached(&self, kind: Kind, id: &str) -> Vec<String> {
        let session = self.emulator.session(kind, id).expect("the session upstream");
        session["sources"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|s| s["id"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

pub const CART: &str = "/v1/shoppers/me/carts/active";

pub fn items(total: f64) -> Value {
    json!({ "currency": "USD", "items": [{ "skuId": "sku", "quantity": 1, "aggregatePrice": total }] })
}

/// The body of `apply-payment-method`.
pub fn method(source: &str) -> Value {
    json!({ "paymentMethod": { "sourceId": source } })
}

pub async fn start_emulator(emulator: Emulator) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (running, ended) = oneshot::channel::<()>();
    tokio::spawn(emulator.run(listener, async move { drop(ended.await) }));
    (address, running)
}

pub async fn start_weir(
    governor: Arc<Governor>,
    upstream: SocketAddr,
) -> (SocketAddr, oneshot::Sender<()>) {
    let target: Target = format!("http://{upstream}").parse().expect("a target");
    let upstream = Upstream::new(UpstreamSettings::new(target)).expect("a client");
    start_weir_before(governor, upstream).await
}

pub async fn start_weir_before(
    governor: Arc<Governor>,
    upstream: Upstream,
) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (running, ended) = oneshot::channel::<()>();
    let work = TaskTracker::new();
    let service = stack(governor, upstream, work.clone());
    let options = ServeOptions { work, ..ServeOptions::default() };
    tokio::spawn(async move {
        let _drained = serve(listener, service, options, async move { drop(ended.await) }).await;
    });
    (address, running)
}

/// Sends these bytes on a connection of their own and reads the answer to its end: no client
/// library tidies up what is sent. The bytes should ask for `Connection: close`.
pub async fn raw(address: SocketAddr, request: &[u8]) -> RawReply {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request).await.expect("sent");
    let mut answer = Vec::new();
    // A reset after the answer is an end like another.
    let _ = stream.read_to_end(&mut answer).await;
    RawReply::read(&answer)
}

/// An answer as it came over the wire, its body freed of chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawReply {
    pub status: u16,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl RawReply {
    pub fn read(answer: &[u8]) -> Self {
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(answer.len());
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|code| code.parse().ok())
            .unwrap_or_default();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let rest = answer.get(end + 4..).unwrap_or_default();
        let chunked =
            headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let body = if chunked { unchunked(rest) } else { rest.to_vec() };
        Self { status, headers, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

pub fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end])
            .ok()
            .and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        let Some(size) = size.filter(|size| *size > 0) else { break };
        let Some(chunk) = rest.get(end + 2..end + 2 + size) else { break };
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + size..).unwrap_or_default();
    }
    body
}
