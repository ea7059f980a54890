//! Calls ten thousand checkouts, each by eight callers at once, for a minute, over sockets on
//! loopback: no turn may be lost and nothing may be left behind. Prints calls per second, how long
//! they took, and Weir's own CPU time per call.
//!
//! Weir, the emulator and the callers have threads of their own, so that Weir's can be counted
//! alone. Run with `cargo bench --bench storm`, with `-- 10` for ten seconds. Exits with 1 if an
//! invariant does not hold.

#![allow(missing_docs, reason = "a program")]

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot};
use tokio_util::task::TaskTracker;
use weir::{
    GovernSettings, Governor, ServeOptions, Upstream, UpstreamSettings,
    internals::{
        emulator::{Emulator, Kind, Options},
        sessions::{Sessions, Settings},
    },
    serve, stack,
};

const SESSIONS: usize = 10_000;
/// Callers that call one checkout at the same time.
const AT_ONCE: usize = 8;
/// Checkouts that are called at the same time.
const CROWDS: usize = 8;

type Caller = Client<HttpConnector, Full<Bytes>>;

/// One checkout, and a source of each kind made for it.
struct Scene {
    checkout: String,
    credit: String,
    card: String,
}

#[derive(Default)]
struct Tally {
    statuses: BTreeMap<(u16, String), u64>,
    micros: Vec<u32>,
}

fn main() -> ExitCode {
    // `cargo test` only checks that it compiles.
    if !std::env::args().any(|arg| arg == "--bench") {
        return ExitCode::SUCCESS;
    }
    let seconds = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(60);
    let (vendor, weir, outside) = (threads("vendor", 1), threads("weir", 2), threads("callers", 1));
    let emulator = Emulator::new(Options {
        seed: Some(1),
        call_log: 1_000,
        gzip: false,
        ..Options::default()
    });
    let listener = vendor.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let upstream = listener.local_addr().expect("an address");
    vendor.spawn(emulator.clone().run(listener, std::future::pending()));

    let sessions = Sessions::in_memory(Settings::default());
    let governor = Governor::new(weir::policy(), sessions, GovernSettings::default());
    let work = TaskTracker::new();
    let (address, _running) = weir.block_on(start(governor.clone(), work.clone(), upstream));

    let scenes = outside.block_on(scenes(address, upstream));
    println!(
        "storm: {SESSIONS} checkouts, {AT_ONCE} callers at once on each, {CROWDS} at a time, for {seconds} s"
    );
    let before = cpu("weir");
    let tally = outside.block_on(storm(address, Arc::new(scenes), Duration::from_secs(seconds)));
    let spent = cpu("weir").saturating_sub(before);
    work.close();
    outside.block_on(work.wait());
    report(&emulator, &governor, tally, spent, seconds)
}

fn threads(name: &'static str, number: usize) -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(number).thread_name(name).enable_all().build().expect("threads")
}

async fn start(
    governor: Arc<Governor>,
    work: TaskTracker,
    upstream: SocketAddr,
) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let target = format!("http://{upstream}").parse().expect("a target");
    let upstream = Upstream::new(UpstreamSettings::new(target)).expect("a client");
    let service = stack(governor, upstream, work.clone());
    let (running, ended) = oneshot::channel::<()>();
    let options = ServeOptions { work, ..ServeOptions::default() };
    tokio::spawn(async move {
        let _drained = serve(listener, service, options, async move { drop(ended.await) }).await;
    });
    (address, running)
}

async fn call(
    caller: &Caller,
    to: SocketAddr,
    key: &str,
    method: Method,
    path: &str,
    body: &str,
) -> (u16, String, Bytes) {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{to}{path}"))
        .header("authorization", key);
    let request =
        request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a valid request");
    match caller.request(request).await {
        Ok(response) => {
            let (head, body) = response.into_parts();
            let rule = head
                .headers
                .get("weir-rule")
                .and_then(|rule| rule.to_str().ok())
                .unwrap_or_default()
                .to_owned();
            (
                head.status.as_u16(),
                rule,
                body.collect().await.map(|body| body.to_bytes()).unwrap_or_default(),
            )
        }
        Err(_) => (0, "no answer".to_owned(), Bytes::new()),
    }
}

const SECRET: &str = "Bearer sk_test_acme";
const PUBLIC: &str = "Bearer pk_test_acme";

async fn create(caller: &Caller, to: SocketAddr, key: &str, path: &str, body: &str) -> String {
    let (status, _, answer) = call(caller, to, key, Method::POST, path, body).await;
    assert_eq!(status, 201, "{path}");
    let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
    answer["id"].as_str().expect("an id").to_owned()
}

/// Checkouts and store credit through Weir, cards as a browser makes them.
async fn scenes(weir: SocketAddr, upstream: SocketAddr) -> Vec<Scene> {
    let caller = Client::builder(TokioExecutor::new()).build_http();
    let mut scenes = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        let items = r#"{"currency":"USD","items":[{"skuId":"sku","quantity":1,"price":100}]}"#;
        scenes.push(Scene {
            checkout: create(&caller, weir, SECRET, "/checkouts", items).await,
            credit: create(
                &caller,
                weir,
                SECRET,
                "/sources",
                r#"{"type":"customerCredit","amount":5,"customerCredit":{}}"#,
            )
            .await,
            card: create(
                &caller,
                upstream,
                PUBLIC,
                "/sources",
                r#"{"type":"creditCard","creditCard":{}}"#,
            )
            .await,
        });
    }
    scenes
}

/// Runs crowds of callers, each crowd at one checkout after another until the time is over.
async fn storm(weir: SocketAddr, scenes: Arc<Vec<Scene>>, time: Duration) -> Tally {
    let (next, tally) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Tally::default())));
    let until = Instant::now() + time;
    let crowds = (0..CROWDS).map(|_| {
        let (next, tally, scenes) = (next.clone(), tally.clone(), scenes.clone());
        tokio::spawn(async move {
            let callers: Vec<Caller> =
                (0..AT_ONCE).map(|_| Client::builder(TokioExecutor::new()).build_http()).collect();
            while Instant::now() < until {
                let number =
                    usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or_default();
                let scene = &scenes[number % scenes.len()];
                let calls =
                    callers.iter().enumerate().map(|(n, caller)| timed(caller, weir, scene, n));
                let ended = futures_util::future::join_all(calls).await;
                let mut tally = tally.lock().expect("no panic");
                for (status, rule, took) in ended {
                    *tally.statuses.entry((status, rule)).or_default() += 1;
                    tally.micros.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
                }
            }
        })
    });
    futures_util::future::join_all(crowds).await;
    std::mem::take(&mut *tally.lock().expect("no panic"))
}

/// Makes one of the eight calls, by its number.
async fn timed(
    caller: &Caller,
    weir: SocketAddr,
    scene: &Scene,
    n: usize,
) -> (u16, String, Duration) {
    let Scene { checkout, credit, card } = scene;
    let (method, path, body) = match n {
        0 => (Method::POST, format!("/checkouts/{checkout}/sources/{credit}"), ""),
        1 => (Method::POST, format!("/checkouts/{checkout}/sources/{card}"), ""),
        2 | 3 => (Method::POST, format!("/checkouts/{checkout}"), r#"{"email":"a@example.com"}"#),
        4 => (Method::GET, format!("/sources/{card}"), ""),
        5 => (Method::POST, format!("/checkouts/{checkout}"), r#"{"locale":"en_US"}"#),
        _ => (Method::GET, format!("/checkouts/{checkout}"), ""),
    };
    let begun = Instant::now();
    let (status, rule, _) = call(caller, weir, SECRET, method, &path, body).await;
    (status, rule, begun.elapsed())
}

/// Returns the CPU time of all threads of that name.
fn cpu(name: &str) -> Duration {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let spent = tasks.filter_map(|task| {
        let named = fs::read_to_string(task.path().join("comm")).ok()?;
        let spent = fs::read_to_string(task.path().join("schedstat")).ok()?;
        if named.trim() == name {
            spent.split_whitespace().next()?.parse::<u64>().ok()
        } else {
            None
        }
    });
    Duration::from_nanos(spent.sum())
}

fn report(
    emulator: &Emulator,
    governor: &Governor,
    tally: Tally,
    spent: Duration,
    seconds: u64,
) -> ExitCode {
    let Tally { statuses, mut micros } = tally;
    micros.sort_unstable();
    let calls = micros.len().max(1);
    let at = |share: f64| {
        f64::from(micros.get((calls as f64 * share) as usize).copied().unwrap_or_default()) / 1000.0
    };
    println!("  {calls} calls, {} a second", calls as u64 / seconds.max(1));
    println!("  Weir's CPU per call {:.1} µs", spent.as_micros() as f64 / calls as f64);
    println!(
        "  latency: median {:.2} ms, 99 % {:.2} ms, longest {:.2} ms",
        at(0.5),
        at(0.99),
        at(1.0 - 1e-9)
    );
    for ((status, rule), number) in &statuses {
        println!("  {status} {rule}: {number}");
    }
    let sessions = governor.sessions();
    let peaks = emulator.snapshot()["checkouts"].as_object().map_or(0, |checkouts| {
        checkouts
            .keys()
            .map(|id| emulator.in_flight_peak(Kind::Checkout, id))
            .max()
            .unwrap_or_default()
    });
    let unanswered: u64 = statuses
        .iter()
        .filter(|((status, _), _)| *status == 0 || *status >= 500)
        .map(|(_, n)| n)
        .sum();
    let busy: u64 = statuses
        .iter()
        .filter(|((status, rule), _)| *status == 409 && rule.is_empty())
        .map(|(_, n)| n)
        .sum();
    let left = [
        ("overlapping changes of one checkout", emulator.overlaps()),
        ("most changes of one checkout at once, beyond one", peaks.saturating_sub(1)),
        ("calls without an answer, or with a 5xx", unanswered),
        ("calls that were told to try again", busy),
        ("turns left open", sessions.turns_open() as u64),
        ("callers left waiting", sessions.turns_waiting() as u64),
        ("look-ups left open", governor.look_ups_open() as u64),
        ("calls left in flight", governor.in_flight()),
        ("remedies left pending", sessions.pinned() as u64),
    ];
    for (what, number) in left {
        println!("  {what}: {number}");
    }
    if left.iter().all(|(_, number)| *number == 0) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
