//! Measures what a request costs: CPU time of the proxy's own thread per request, for
//!
//! 1. a bare relay: hyper on both sides, connections reused, no hygiene, no time-outs, no errors of
//!    its own;
//! 2. the same with hyper-util's pooled client, as most Rust proxies are built;
//! 3. Weir's whole stack, as `weir run` serves it.
//!
//! Each relays calls that no rule governs, reads of a checkout (which Weir learns from) and
//! attaches of store credit; Weir also refuses some. All run in turn, several rounds, on loopback,
//! each alone on its thread; callers and upstream have threads of their own and are not counted.
//! The measure is CPU time rather than throughput, since all of them share a small machine's cores;
//! it is the least of the rounds, since disturbances only add to it. Run with
//! `cargo bench --bench path`, with `-- refused` for only the lines with that word.

#[path = "parts/relay.rs"]
mod relay;
#[path = "parts/vendor.rs"]
mod vendor;

use http::{HeaderValue, Request, Uri, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use relay::{each_connection, relay};
use std::{fs, future::Future, net::SocketAddr, thread};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::{mpsc, oneshot},
    task::LocalSet,
};
use tokio_util::task::TaskTracker;
use weir::{
    GovernSettings, Governor, ServeOptions, SessionSettings, Sessions, Upstream, UpstreamSettings,
    serve, stack,
};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONNECTIONS: usize = 32;
const REQUESTS: usize = 20_000;
const ROUNDS: usize = 7;

/// The kinds of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// A call that no rule governs; an answer of 4.8 KB.
    Product,
    /// A checkout, of 4.8 KB, each connection its own.
    Checkout,
    /// Store credit attached to such a checkout.
    Attach,
    /// Store credit attached after a single-use card.
    TooLate,
}

impl Ask {
    fn request(self, connection: usize) -> Vec<u8> {
        let (method, path) = match self {
            Ask::Product => ("GET", "/products/1?fields=id".to_owned()),
            Ask::Checkout => ("GET", format!("/checkouts/{}", 1_000 + connection)),
            Ask::Attach => ("POST", attach(1_000 + connection)),
            Ask::TooLate => ("POST", attach(2_000 + connection)),
        };
        request(method, &path)
    }

    fn name(self) -> &'static str {
        match self {
            Ask::Product => "ungoverned GET, 4.8 KB",
            Ask::Checkout => "GET of a checkout, 4.8 KB",
            Ask::Attach => "attach, forwarded",
            Ask::TooLate => "attach, refused",
        }
    }
}

fn request(method: &str, path: &str) -> Vec<u8> {
    let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
    format!("{method} {path} HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer sk_test_0123456789\r\nAccept: application/json\r\nUser-Agent: bench\r\n{length}\r\n").into_bytes()
}

fn main() {
    let upstream = upstream();
    let bare = start("bare", move |listener| relay(listener, upstream));
    let pooled = start("pooled", move |listener| pooled(listener, upstream));
    let weir = start("weir", move |listener| weir(listener, upstream));
    let (bare_relay, legacy, stack) = ("bare relay", "relay with hyper-util's client", "weir");
    let rows = [
        (Ask::Product, bare_relay, &bare),
        (Ask::Product, legacy, &pooled),
        (Ask::Product, stack, &weir),
        (Ask::Checkout, bare_relay, &bare),
        (Ask::Checkout, stack, &weir),
        (Ask::Attach, bare_relay, &bare),
        (Ask::Attach, stack, &weir),
        (Ask::TooLate, stack, &weir),
    ];
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with("--")).unwrap_or_default();
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|(ask, way, _)| format!("{} {way}", ask.name()).contains(&wanted))
        .collect();
    let mut costs = vec![Vec::new(); rows.len()];
    for round in 0..=ROUNDS {
        for ((ask, _, way), costs) in rows.iter().zip(&mut costs) {
            let cost = way.cost(*ask);
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    println!(
        "CPU per request, least of {ROUNDS} rounds of {REQUESTS} requests over {CONNECTIONS} connections; ratio to the bare relay:"
    );
    let mut relayed = None;
    for ((ask, way, _), mut costs) in rows.into_iter().zip(costs) {
        costs.sort_unstable();
        let cost = costs[0];
        if way == bare_relay {
            relayed = Some(cost);
        }
        let ratio = relayed
            .map(|relayed| format!("{:.2}", cost as f64 / relayed as f64))
            .unwrap_or_default();
        println!("  {:26} {way:32} {:6.2} µs   {ratio}", ask.name(), cost as f64 / 1000.0);
    }
}

/// A proxy on a thread of its own.
struct Way {
    address: SocketAddr,
    clock: mpsc::UnboundedSender<oneshot::Sender<u64>>,
}

impl Way {
    /// Returns nanoseconds of CPU time per request.
    fn cost(&self, ask: Ask) -> u64 {
        let before = self.clock();
        load(self.address, ask);
        (self.clock() - before) / REQUESTS as u64
    }

    fn clock(&self) -> u64 {
        let (tell, told) = oneshot::channel();
        self.clock.send(tell).expect("the way runs");
        told.blocking_recv().expect("the way answers")
    }
}

fn start<F: Future<Output = ()>>(
    name: &str,
    run: impl FnOnce(TcpListener) -> F + Send + 'static,
) -> Way {
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

/// Returns how many nanoseconds this thread has run (Linux).
fn thread_cpu() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    stat.split(' ').next().and_then(|ran| ran.parse().ok()).expect("a number")
}

/// Runs `run` on a new thread with a runtime and a listener, and returns the address.
fn spawn<F: Future<Output = ()>>(
    name: &str,
    run: impl FnOnce(TcpListener) -> F + Send + 'static,
) -> SocketAddr {
    let (tell, told) = oneshot::channel();
    let thread = thread::Builder::new().name(name.to_owned());
    let work = move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(listener.local_addr().expect("bound")).expect("the starter waits");
            run(listener).await;
        });
    };
    thread.spawn(work).expect("a thread");
    told.blocking_recv().expect("the thread runs")
}

/// What the ids of store credit begin with; the id of its checkout follows. A source is part of one
/// payment session.
const CREDIT: &str = "c9e79f0b-284a-4dbc-8659-84b8975d";

/// Returns the path that attaches a checkout's own store credit.
fn attach(checkout: usize) -> String {
    format!("/checkouts/{checkout}/sources/{CREDIT}{checkout}")
}

/// Answers as the payments API would, from the request line alone.
fn upstream() -> SocketAddr {
    spawn("upstream", |listener| async {
        each_connection(listener, |mut stream| async move {
            let mut read = [0; 4096];
            let mut end = 0;
            while let Ok(n) = stream.read(&mut read[end..]).await {
                if n == 0 {
                    return;
                }
                end += n;
                if read[..end].ends_with(b"\r\n\r\n") {
                    let line = std::str::from_utf8(&read[..end])
                        .ok()
                        .and_then(|head| head.lines().next())
                        .expect("a request");
                    let answer = answer(line);
                    end = 0;
                    stream.write_all(answer.as_bytes()).await.expect("the proxy reads");
                }
            }
        })
        .await;
    })
}

fn answer(line: &str) -> String {
    let parts: Vec<_> = line.split([' ', '/', '?']).filter(|part| !part.is_empty()).collect();
    let body = match parts[..] {
        ["GET", "checkouts", id, ..] => vendor::checkout(id, id.starts_with('2')),
        [_, "sources", id, ..] | ["POST", "checkouts", _, "sources", id, ..] => {
            let kind = if id.starts_with(CREDIT) { "customerCredit" } else { "creditCard" };
            vendor::source(id, kind, &id[id.len() - 4..])
        }
        _ => "x".repeat(4_800),
    };
    vendor::answer(&body)
}

/// Sends `REQUESTS` over `CONNECTIONS`, one at a time on each connection.
fn load(address: SocketAddr, ask: Ask) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        // A caller that sleeps is woken by the thread that is measured, which costs more than much
        // of what Weir does. Where no other thread needs the core, callers do not sleep.
        let awake = (ask == Ask::TooLate).then(|| {
            tokio::task::spawn_local(async {
                loop {
                    tokio::task::yield_now().await;
                }
            })
        });
        let callers: Vec<_> = (0..CONNECTIONS)
            .map(|connection| tokio::task::spawn_local(caller(address, ask, connection)))
            .collect();
        for caller in callers {
            caller.await.expect("no panic");
        }
        if let Some(awake) = awake {
            awake.abort();
        }
    });
}

async fn caller(address: SocketAddr, ask: Ask, connection: usize) {
    let mut stream = TcpStream::connect(address).await.expect("the proxy listens");
    stream.set_nodelay(true).expect("a socket");
    let is_refused = ask == Ask::TooLate;
    // Weir refuses what it knows to be wrong, so it has seen the checkout.
    let seen =
        is_refused.then(|| (request("GET", &format!("/checkouts/{}", 2_000 + connection)), "200"));
    let asked = (ask.request(connection), if is_refused { "409" } else { "200" });
    let mut read = vec![0; 16 << 10];
    for (request, status) in
        seen.into_iter().chain(std::iter::repeat_n(asked, REQUESTS / CONNECTIONS))
    {
        stream.write_all(&request).await.expect("the proxy reads");
        let (mut end, mut length) = (0, None);
        while length.is_none_or(|length| end < length) {
            let n = stream.read(&mut read[end..]).await.expect("the proxy answers");
            assert_ne!(n, 0, "the proxy hung up");
            end += n;
            length = length.or_else(|| whole(&read[..end], status));
        }
        assert_eq!(Some(end), length, "one answer to a request");
    }
}

/// Returns the length of an answer, head included, once its head is there.
fn whole(read: &[u8], status: &str) -> Option<usize> {
    let head = read.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&read[..head]).expect("a head in ASCII");
    assert!(text[9..].starts_with(status), "{text}");
    let length = text
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    Some(head + length.and_then(|(_, length)| length.parse::<usize>().ok()).expect("a length"))
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
        async move {
            drop(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            )
        }
    })
    .await;
}

async fn weir(listener: TcpListener, upstream: SocketAddr) {
    let target = format!("http://{upstream}").parse().expect("a URL");
    let sessions = Sessions::in_memory(SessionSettings::default());
    let governor = Governor::new(weir::policy(), sessions, GovernSettings::default());
    let service = stack(
        governor,
        Upstream::new(UpstreamSettings::new(target)).expect("no TLS"),
        TaskTracker::new(),
    );
    let _ = serve(listener, service, ServeOptions::default(), std::future::pending()).await;
}
