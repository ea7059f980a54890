//! What a request costs on its way through: CPU time of the proxy's own thread per request, for
//!
//! 1. a bare relay: hyper on both sides, connections reused, no hygiene, no time-outs, no errors of its own;
//! 2. the same with hyper-util's pooled client, as most Rust proxies are built;
//! 3. Weir's ungoverned path: everything that `weir::proxy` does.
//!
//! All three run in turn, several rounds, on loopback, each alone on its thread; callers and upstream have threads of their own and are not
//! counted. CPU time and not throughput, since on a small machine all of them share its cores. Run with `cargo bench --bench path`.

#![allow(clippy::disallowed_types, reason = "the list is clippy.toml's for `rules`")]

use http::{HeaderValue, Request, Response, Uri, header};
use hyper::{body::Incoming, client::conn::http1::SendRequest, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{cell::RefCell, fs, future::Future, net::SocketAddr, rc::Rc, thread};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::{mpsc, oneshot},
    task::LocalSet,
};
use tower::Layer;
use weir::proxy::{Faults, PlainText, ServeOptions, Settings, Upstream, serve};

const CONNECTIONS: usize = 32;
const REQUESTS: usize = 40_000;
const ROUNDS: usize = 7;
/// The size of a typical answer of a checkout.
const ANSWER: usize = 4_800;
const CALL: &[u8] = b"GET /products/1?fields=id HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer sk_test_0123456789\r\nAccept: application/json\r\nUser-Agent: bench\r\n\r\n";

fn main() {
    let upstream = upstream();
    let ways = [
        ("bare relay", start("bare", move |listener| bare(listener, upstream))),
        ("relay with hyper-util's pooled client", start("pooled", move |listener| pooled(listener, upstream))),
        ("weir, ungoverned", start("weir", move |listener| weir(listener, upstream))),
    ];
    let mut costs: [Vec<u64>; 3] = Default::default();
    for round in 0..=ROUNDS {
        for ((_, way), costs) in ways.iter().zip(&mut costs) {
            let cost = way.cost();
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    let costs = costs.map(|mut costs| {
        costs.sort_unstable();
        costs[costs.len() / 2]
    });
    println!(
        "CPU per request, median of {ROUNDS} rounds of {REQUESTS} requests over {CONNECTIONS} connections, {ANSWER} byte answers:"
    );
    for ((name, _), cost) in ways.iter().zip(costs) {
        println!("  {name:40} {:6.2} µs   {:.2}", cost as f64 / 1000.0, cost as f64 / costs[0] as f64);
    }
}

/// A proxy on a thread of its own.
struct Way {
    address: SocketAddr,
    clock: mpsc::UnboundedSender<oneshot::Sender<u64>>,
}

impl Way {
    /// Nanoseconds of CPU per request.
    fn cost(&self) -> u64 {
        let before = self.clock();
        load(self.address);
        (self.clock() - before) / REQUESTS as u64
    }

    fn clock(&self) -> u64 {
        let (tell, told) = oneshot::channel();
        self.clock.send(tell).expect("the way runs");
        told.blocking_recv().expect("the way answers")
    }
}

fn start<F: Future<Output = ()>>(name: &str, run: impl FnOnce(TcpListener) -> F + Send + 'static) -> Way {
    let (clock, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<u64>>();
    let address = spawn(name, move |listener| async move {
        tokio::task::spawn_local(async move {
            while let Some(tell) = asked.recv().await {
                let _ = tell.send(thread_cpu());
            }
        });
        run(listener).await;
    });
    Way { address, clock }
}

/// Nanoseconds that this thread has run (Linux).
fn thread_cpu() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    stat.split(' ').next().and_then(|ran| ran.parse().ok()).expect("a number")
}

/// Runs `run` on a new thread with a runtime and a listener; where it listens.
fn spawn<F: Future<Output = ()>>(name: &str, run: impl FnOnce(TcpListener) -> F + Send + 'static) -> SocketAddr {
    let (tell, told) = oneshot::channel();
    let thread = thread::Builder::new().name(name.to_owned());
    let work = move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(listener.local_addr().expect("bound")).expect("somebody waits");
            run(listener).await;
        });
    };
    thread.spawn(work).expect("a thread");
    told.blocking_recv().expect("the thread runs")
}

async fn each_connection<F: Future<Output = ()> + 'static>(listener: TcpListener, serve: impl Fn(TcpStream) -> F) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        tokio::task::spawn_local(serve(stream));
    }
}

/// Answers every request that it reads.
fn upstream() -> SocketAddr {
    spawn("upstream", |listener| async {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nX-Request-Id: 1\r\nContent-Length: {ANSWER}\r\n\r\n"
        );
        let answer: Rc<[u8]> = [head.into_bytes(), vec![b'x'; ANSWER]].concat().into();
        each_connection(listener, |mut stream| {
            let answer = answer.clone();
            async move {
                let mut read = [0; 4096];
                let mut end = 0;
                while let Ok(n) = stream.read(&mut read[end..]).await {
                    if n == 0 {
                        return;
                    }
                    end += n;
                    if read[..end].ends_with(b"\r\n\r\n") {
                        end = 0;
                        stream.write_all(&answer).await.expect("the proxy reads");
                    }
                }
            }
        })
        .await;
    })
}

/// `REQUESTS` over `CONNECTIONS`, each connection one request at a time.
fn load(address: SocketAddr) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let callers: Vec<_> = (0..CONNECTIONS).map(|_| tokio::task::spawn_local(caller(address))).collect();
        for caller in callers {
            caller.await.expect("no panic");
        }
    });
}

async fn caller(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.expect("the proxy listens");
    stream.set_nodelay(true).expect("a socket");
    let mut read = vec![0; 16 << 10];
    let mut length = None;
    for _ in 0..REQUESTS / CONNECTIONS {
        stream.write_all(CALL).await.expect("the proxy reads");
        let mut end = 0;
        while length.is_none_or(|length| end < length) {
            let n = stream.read(&mut read[end..]).await.expect("the proxy answers");
            assert_ne!(n, 0, "the proxy hung up");
            end += n;
            if length.is_none() {
                length = read[..end].windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|head| head + 4 + ANSWER);
            }
        }
        assert_eq!(Some(end), length, "every answer is as long as the first");
    }
}

/// The least that relays: one connection taken, one given back.
async fn bare(listener: TcpListener, upstream: SocketAddr) {
    type Idle = Rc<RefCell<Vec<SendRequest<Incoming>>>>;

    async fn relay(
        mut request: Request<Incoming>,
        idle: Idle,
        upstream: SocketAddr,
        host: HeaderValue,
    ) -> hyper::Result<Response<Incoming>> {
        let mut sender = loop {
            let Some(sender) = idle.borrow_mut().pop() else {
                let stream = TcpStream::connect(upstream).await.expect("upstream listens");
                stream.set_nodelay(true).expect("a socket");
                let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
                tokio::task::spawn_local(connection);
                break sender;
            };
            if sender.is_ready() {
                break sender;
            }
        };
        request.headers_mut().insert(header::HOST, host);
        let response = sender.send_request(request).await?;
        if sender.is_ready() {
            idle.borrow_mut().push(sender);
        } else {
            tokio::task::spawn_local(async move {
                if sender.ready().await.is_ok() {
                    idle.borrow_mut().push(sender);
                }
            });
        }
        Ok(response)
    }

    let idle = Idle::default();
    let host = HeaderValue::from_str(&upstream.to_string()).expect("an address");
    each_connection(listener, |stream| {
        let (idle, host) = (idle.clone(), host.clone());
        let service = service_fn(move |request| relay(request, idle.clone(), upstream, host.clone()));
        async move { drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await) }
    })
    .await;
}

async fn pooled(listener: TcpListener, upstream: SocketAddr) {
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
    let authority: http::uri::Authority = upstream.to_string().parse().expect("an authority");
    let host = HeaderValue::from_str(authority.as_str()).expect("an address");
    each_connection(listener, |stream| {
        let (client, authority, host) = (client.clone(), authority.clone(), host.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let mut uri = std::mem::take(request.uri_mut()).into_parts();
            uri.scheme = Some(http::uri::Scheme::HTTP);
            uri.authority = Some(authority.clone());
            *request.uri_mut() = Uri::from_parts(uri).expect("all parts");
            request.headers_mut().insert(header::HOST, host.clone());
            client.request(request)
        });
        async move { drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await) }
    })
    .await;
}

async fn weir(listener: TcpListener, upstream: SocketAddr) {
    let target = format!("http://{upstream}").parse().expect("a URL");
    let service = Faults::layer(PlainText).layer(Upstream::new(Settings::new(target)).expect("no TLS"));
    let _ = serve(listener, service, ServeOptions::default(), std::future::pending()).await;
}
