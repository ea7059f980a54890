//! HTTP/2 to upstream: what chooses it, what goes over it, and how calls share its connections.

use super::{tls::authority, *};
use crate::testbed::{
    APPLY, Adjusted, CART, Kind, RuleId, SUBMIT, Server, Testbed, Toggle, defaults, method, text_of,
};
use bytes::Bytes;
use futures_util::{future::join_all, stream};
use http::{Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tempfile::NamedTempFile;
use tokio::{sync::Barrier, task::JoinSet};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

pub(super) const GET: &str = "GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n";

/// An upstream over TLS that speaks both protocols.
pub(super) struct Secure {
    listener: Listener,
    acceptor: TlsAcceptor,
    authority: NamedTempFile,
}

impl Secure {
    pub(super) async fn new() -> Self {
        let (authority, acceptor) = authority();
        Self { listener: Listener::new().await, acceptor, authority }
    }

    fn url(&self) -> String {
        format!("https://{}", self.listener.address())
    }

    /// Returns how to call it.
    pub(super) fn settings(&self) -> UpstreamSettings {
        let mut settings = UpstreamSettings::new(self.url().parse().unwrap());
        settings.ca_file = Some(self.authority.path().to_owned());
        settings
    }

    /// Puts a proxy before it.
    pub(super) async fn proxy(&self, change: impl FnOnce(&mut UpstreamSettings)) -> Proxy {
        Proxy::with(&self.url(), |settings| {
            settings.ca_file = Some(self.authority.path().to_owned());
            change(settings);
        })
        .await
    }

    pub(super) async fn stream(&self) -> TlsStream<TcpStream> {
        let stream = self.listener.accept().await.stream;
        // A frame that waits for an acknowledgement would let a paused clock run.
        stream.set_nodelay(true).unwrap();
        self.acceptor.accept(stream).await.unwrap()
    }

    /// Accepts a connection, and answers what a client says first.
    pub(super) async fn frames(&self) -> Frames<TlsStream<TcpStream>> {
        Frames::accepted(self.stream().await, &[]).await
    }

    /// Accepts a connection within which upstream gets one request; returns its stream, too.
    pub(super) async fn request(&self) -> (Frames<TlsStream<TcpStream>>, u32) {
        let mut frames = self.frames().await;
        let id = frames.request().await.expect("a request");
        (frames, id)
    }

    /// Returns whether nobody connects.
    pub(super) async fn is_left_alone(&self) -> bool {
        idle().await;
        futures_util::FutureExt::now_or_never(self.listener.accept()).is_none()
    }

    /// Serves with hyper, in either protocol; counts connections.
    async fn serve<F>(
        self: Arc<Self>,
        streams: u32,
        connections: Arc<AtomicUsize>,
        answer: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    ) where
        F: Future<Output = Answer> + Send + 'static,
    {
        let mut open = JoinSet::new();
        loop {
            let stream = self.stream().await;
            connections.fetch_add(1, Ordering::Relaxed);
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let answer = answer.clone();
            let service = service_fn(move |request| {
                let answered = answer(request);
                async move { Ok::<_, Infallible>(answered.await) }
            });
            let stream = TokioIo::new(stream);
            open.spawn(async move {
                if is_http2 {
                    let mut builder = conn::http2::Builder::new(TokioExecutor::new());
                    builder.max_concurrent_streams(streams);
                    let _ended = builder.serve_connection(stream, service).await;
                } else {
                    let builder = conn::http1::Builder::new();
                    let _ended = builder.serve_connection(stream, service).await;
                }
            });
        }
    }

    /// Runs [`Self::serve`] in a task; returns the count of connections.
    fn serving<F>(
        self: &Arc<Self>,
        streams: u32,
        answer: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    ) -> Arc<AtomicUsize>
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let connections = Arc::new(AtomicUsize::new(0));
        tokio::spawn(self.clone().serve(streams, connections.clone(), answer));
        connections
    }
}

fn said(text: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(text.into()).boxed_unsync())
}

#[tokio::test]
async fn calls_share_one_connection_where_upstream_chooses_http2() {
    const CALLS: usize = 50;
    let upstream = Arc::new(Secure::new().await);
    let together = Arc::new(Barrier::new(CALLS));
    let connections = upstream.serving(100, move |request| {
        let together = together.clone();
        async move {
            assert_eq!(request.version(), Version::HTTP_2);
            together.wait().await;
            said(request.uri().path().to_owned())
        }
    });
    let proxy = upstream.proxy(|_| {}).await;
    for _ in 0..2 {
        let calls = (0..CALLS).map(|n| {
            let ask = format!("GET /{n} HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n");
            let proxy = &proxy;
            async move {
                let got = proxy.ask(&ask).await;
                assert!(got.ends_with(&format!("\r\n\r\n/{n}")), "{got}");
            }
        });
        join_all(calls).await;
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn where_one_connection_is_full_calls_take_another() {
    let upstream = Arc::new(Secure::new().await);
    let together = Arc::new(Barrier::new(6));
    let connections = upstream.serving(2, move |_| {
        let together = together.clone();
        async move {
            together.wait().await;
            said("ok")
        }
    });
    let proxy = upstream.proxy(|_| {}).await;
    for got in join_all((0..6).map(|_| proxy.ask(GET))).await {
        assert!(got.ends_with("\r\n\r\nok"), "{got}");
    }
    assert_eq!(connections.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn fields_of_a_connection_stay_behind_and_the_host_is_the_authority() {
    let upstream = Arc::new(Secure::new().await);
    let seen = Arc::new(Mutex::new(None));
    let sees = seen.clone();
    upstream.serving(100, move |request| {
        *sees.lock().unwrap() = Some(request.into_parts().0);
        async { said("ok") }
    });
    let proxy = upstream.proxy(|_| {}).await;
    let got = proxy
        .ask("GET /a?b=%20 HTTP/1.1\r\nHost: w\r\nConnection: close, x-hop, te\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nTE: trailers, gzip\r\nCookie: a=1; b=2\r\nAuthorization: secret\r\n\r\n")
        .await;
    assert!(got.contains("\r\nvia: 2.0 weir\r\n"), "{got}");
    assert_eq!(status(&got), "HTTP/1.1 200 OK");
    let head = seen.lock().unwrap().take().unwrap();
    let authority = upstream.listener.address().to_string();
    assert_eq!(head.uri.to_string(), format!("https://{authority}/a?b=%20"));
    let fields: Vec<_> =
        head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let expected: [(&str, &[u8]); 4] = [
        ("te", b"trailers"),
        ("cookie", b"a=1; b=2"),
        ("authorization", b"secret"),
        ("via", b"1.1 weir"),
    ];
    assert_eq!(fields, expected);
}

#[tokio::test]
async fn bodies_and_trailers_pass_both_ways() {
    let upstream = Arc::new(Secure::new().await);
    upstream.serving(100, |request| async {
        let whole = request.into_body().collect().await.unwrap();
        let sum = whole.trailers().unwrap()["x-sum"].clone();
        let trailers = http::HeaderMap::from_iter([("x-sum".parse().unwrap(), sum)]);
        let frames = [Ok(Frame::data(whole.to_bytes())), Ok(Frame::trailers(trailers))];
        let mut answer = Response::new(StreamBody::new(stream::iter(frames)).boxed_unsync());
        answer.headers_mut().insert("trailer", "x-sum".parse().unwrap());
        answer
    });
    let proxy = upstream.proxy(|_| {}).await;
    let got = proxy
        .ask("POST / HTTP/1.1\r\nHost: w\r\nTE: trailers\r\nTrailer: X-Sum\r\nConnection: close, TE\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")
        .await;
    assert!(got.ends_with("\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"), "{got}");
}

#[tokio::test]
async fn a_long_body_comes_back_as_it_went() {
    let upstream = Arc::new(Secure::new().await);
    upstream.serving(100, |request| async {
        let body = request.into_body();
        Response::new(body.map_err(|error| -> Infallible { panic!("{error}") }).boxed_unsync())
    });
    let proxy = upstream.proxy(|_| {}).await;
    let body = "0123456789abcdef".repeat(1 << 16);
    let head = "POST / HTTP/1.1\r\nHost: w\r\nConnection: close\r\nContent-Length: 1048576\r\n\r\n";
    let (mut read, mut write) = tokio::io::split(proxy.caller().await.stream);
    let call = format!("{head}{body}");
    let mut got = String::new();
    let (sent, _) = tokio::join!(write.write_all(call.as_bytes()), read.read_to_string(&mut got));
    sent.unwrap();
    let (head, echoed) = got.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-length: 1048576") && echoed == body, "{head}");
}

#[tokio::test]
async fn a_head_and_a_304_keep_their_length() {
    let upstream = Arc::new(Secure::new().await);
    upstream.serving(100, |request| async move {
        let status = if *request.method() == http::Method::HEAD { 200 } else { 304 };
        let body = Full::new(Bytes::new()).boxed_unsync();
        Response::builder().status(status).header("content-length", "500").body(body).unwrap()
    });
    let proxy = upstream.proxy(|_| {}).await;
    for method in ["HEAD", "GET"] {
        let ask = format!("{method} / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n");
        let got = proxy.ask(&ask).await;
        assert!(got.contains("content-length: 500\r\n") && got.ends_with("\r\n\r\n"), "{got}");
    }
}

#[tokio::test]
async fn what_http2_cannot_say_goes_over_http1() {
    let upstream = Arc::new(Secure::new().await);
    upstream.serving(100, |request| async move { said(format!("{:?}", request.version())) });
    let proxy = upstream.proxy(|settings| settings.upgrade = true).await;
    for (ask, expected) in [
        ("GET / HTTP/1.1\r\n", "HTTP/2.0"),
        ("OPTIONS * HTTP/1.1\r\n", "HTTP/1.1"),
        ("GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", "HTTP/1.1"),
        ("GET / HTTP/1.1\r\nExpect: 100-continue\r\n", "HTTP/1.1"),
        ("GET / HTTP/1.1\r\n", "HTTP/2.0"),
    ] {
        let mut caller = proxy.caller().await;
        caller.write(&format!("{ask}Host: w\r\n\r\n")).await;
        let head = caller.head().await;
        assert_eq!(status(&head), "HTTP/1.1 200 OK", "{ask}");
        assert_eq!(caller.exactly(8).await, expected, "{ask}");
    }
}

#[tokio::test]
async fn an_upstream_that_chooses_http1_is_spoken_to_as_ever() {
    let (authority, acceptor) = authority();
    let mut config = rustls::ServerConfig::clone(acceptor.config());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let upstream = Arc::new(Secure { listener: Listener::new().await, acceptor, authority });
    let together = Arc::new(Barrier::new(3));
    let connections = upstream.serving(100, move |request| {
        let together = together.clone();
        async move {
            together.wait().await;
            said(format!("{:?}", request.version()))
        }
    });
    let proxy = upstream.proxy(|_| {}).await;
    for _ in 0..2 {
        for got in join_all((0..3).map(|_| proxy.ask(GET))).await {
            assert!(got.ends_with("\r\n\r\nHTTP/1.1"), "{got}");
        }
    }
    assert_eq!(connections.load(Ordering::Relaxed), 3, "kept for the next calls");
}

#[tokio::test]
async fn callers_that_take_nothing_hold_up_no_other() {
    let upstream = Arc::new(Secure::new().await);
    let long = Bytes::from(vec![b'x'; 1 << 20]);
    let connections = upstream.serving(100, move |request| {
        let long = long.clone();
        async move { if request.uri().path() == "/long" { said(long) } else { said("ok") } }
    });
    let client = before(Upstream::new(upstream.settings()).unwrap());
    let ask = |path: &str| {
        let request = Request::get(path).header("host", "w").body(Body::empty()).unwrap();
        tower::ServiceExt::oneshot(client.clone(), request)
    };
    let mut untaken = Vec::new();
    for _ in 0..90 {
        untaken.push(ask("/long").await.unwrap());
    }
    let answer = tokio::time::timeout(Duration::from_secs(10), async {
        ask("/").await.unwrap().into_body().collect().await.unwrap().to_bytes()
    });
    assert_eq!(answer.await.expect("an answer in time"), "ok");
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    for long in untaken {
        let whole = long.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(whole.len(), 1 << 20);
    }
}

/// A repair takes the card off, attaches the credit and then the card again; look-ups tell it what
/// there is.
#[tokio::test]
async fn governed_calls_are_looked_up_and_put_in_order_over_http2() {
    let policy = defaults()
        .with_rule(RuleId::PrimaryBeforeSecondary, Toggle::Reorder)
        .with_rule(RuleId::LostCredit, Toggle::Reorder);
    let plan = Testbed::new().policy(policy);
    let bed = plan.clone().without_weir().start().await;
    let upstream = Arc::new(Secure::new().await);
    let emulator = bed.emulator.clone();
    let connections = upstream.serving(100, move |request| {
        let emulator = emulator.clone();
        async move {
            assert_eq!(request.version(), Version::HTTP_2);
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let answer = emulator.handle(Request::from_parts(head, body)).await.unwrap();
            answer.map(|body| Full::new(body).boxed_unsync())
        }
    });
    let weir = Server::of_weir_before(plan.governor(), upstream.settings()).await;
    let shopper = bed.shopper_of(&bed.upstream.at(weir.address), 100.0).await;
    let cart = text_of(&shopper.get(CART).await.json()["cart"]["id"]);
    let (card, credit) = (bed.card().await, bed.upstream.credit(40.0).await);
    assert_eq!(shopper.post(APPLY, method(&card)).await.found(), (200, ("forwarded", None)));
    let attached = shopper.post(APPLY, method(&credit)).await;
    let expected = (200, ("reordered", Some("primary-before-secondary")));
    assert_eq!(attached.found(), expected, "{}", attached.text());
    assert_eq!(bed.attached(Kind::Cart, &cart), [credit, card]);
    let submitted = shopper.post(SUBMIT, serde_json::Value::Null).await;
    assert_eq!(submitted.found(), (200, ("forwarded", None)), "{}", submitted.text());
    assert_eq!(bed.emulator.snapshot()["lostCredits"].as_array().map_or(0, Vec::len), 0);
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}
