//! Over real sockets: connections, faults, and what happens to calls whose caller is gone.

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use super::{
    super::{Emulator, Fault, FaultKind, Gate, Kind, Options},
    Shop, order_of,
};

struct Running {
    shop: Shop,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

async fn running(options: Options) -> Running {
    let shop = Shop::with(options);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(shop.emulator.clone().run(listener, async {
        let _ = stopped.await;
    }));
    Running { shop, address, stop, task }
}

impl Running {
    fn emulator(&self) -> &Emulator {
        &self.shop.emulator
    }

    async fn send(&self, method: &str, target: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: x\r\nauthorization: sk_acme\r\n\
             connection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        stream
    }

    /// All that comes until the connection ends, and how it ended.
    async fn exchange(
        &self,
        method: &str,
        target: &str,
        body: &str,
    ) -> (String, Result<(), ErrorKind>) {
        receive(self.send(method, target, body).await).await
    }
}

async fn receive(mut stream: TcpStream) -> (String, Result<(), ErrorKind>) {
    let mut got = Vec::new();
    let end = stream.read_to_end(&mut got).await.map(|_| ()).map_err(|error| error.kind());
    (String::from_utf8_lossy(&got).into_owned(), end)
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn connections_are_kept_alive_and_drained() {
    let running = running(Options::default()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    for _ in 0..2 {
        stream
            .write_all(b"GET /checkouts/1 HTTP/1.1\r\nhost: x\r\nauthorization: sk_acme\r\n\r\n")
            .await
            .unwrap();
        let mut got = Vec::new();
        while !got.ends_with(b"]}") {
            stream.read_buf(&mut got).await.unwrap();
        }
        assert!(got.starts_with(b"HTTP/1.1 404 Not Found\r\n"));
    }
    running.stop.send(()).unwrap();
    running.task.await.unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
    assert_eq!(running.shop.emulator.calls().len(), 2);
}

#[tokio::test]
async fn failures_before_change_nothing_and_after_change_all() {
    let running = running(Options::default()).await;
    let body = order_of(5.0).to_string();
    let gone: (&str, Result<(), ErrorKind>) = ("", Err(ErrorKind::ConnectionReset));
    for (kind, expected, applied) in [
        (FaultKind::FailBefore(503), ("503", Ok(())), 0),
        (FaultKind::FailAfter(500), ("500", Ok(())), 1),
        (FaultKind::TooManyRequests(3), ("429", Ok(())), 0),
        (FaultKind::Redirect("/x".into()), ("302", Ok(())), 0),
        (FaultKind::ResetBefore, gone, 0),
        (FaultKind::ResetAfter, gone, 1),
        (FaultKind::Garbage, ("200", Ok(())), 1),
        (FaultKind::CutBody, ("201", Ok(())), 1),
        (FaultKind::WrongLength(10), ("201", Ok(())), 1),
        (FaultKind::WrongLength(-10), ("201", Ok(())), 1),
        (FaultKind::Delay(Duration::from_millis(1)), ("201", Ok(())), 1),
    ] {
        running.emulator().reset();
        let name = format!("{kind:?}");
        running.emulator().faults().add(Fault::once("POST", "/checkouts", kind));
        let (answer, end) = running.exchange("POST", "/checkouts", &body).await;
        assert_eq!((status(&answer), end), expected, "{name}: {answer}");
        assert_eq!(
            running.emulator().snapshot()["checkouts"].as_object().unwrap().len(),
            applied,
            "{name}"
        );
        assert_eq!(running.emulator().calls()[0].applied, applied == 1, "{name}");
    }
}

#[tokio::test]
async fn a_cut_answer_is_half_of_what_it_declares_and_wrong_lengths_are_wrong() {
    let running = running(Options::default()).await;
    let whole = running.exchange("GET", "/checkouts/1", "").await.0;
    let (_, whole) = whole.split_once("\r\n\r\n").unwrap();
    for (kind, declared, sent) in [
        (FaultKind::CutBody, whole.len(), whole.len() / 2),
        (FaultKind::WrongLength(7), whole.len() + 7, whole.len()),
        (FaultKind::WrongLength(-7), whole.len() - 7, whole.len() - 7),
    ] {
        running.emulator().faults().add(Fault::once("GET", "/checkouts/*", kind));
        let (answer, _) = running.exchange("GET", "/checkouts/1", "").await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {declared}")), "{head}");
        assert_eq!(body.len(), sent);
    }
}

#[tokio::test]
async fn a_stalled_answer_never_ends_and_shutdown_does_not_wait_for_it() {
    let running = running(Options { drain: Duration::from_millis(20), ..Options::default() }).await;
    running.emulator().faults().add(Fault::always("*", "*", FaultKind::StallBody));
    let mut stream = running.send("GET", "/checkouts/1", "").await;
    let mut got = Vec::new();
    while !got.windows(8).any(|bytes| bytes == b"{\"type\":") {
        stream.read_buf(&mut got).await.unwrap();
    }
    running.stop.send(()).unwrap();
    running.task.await.unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&got).contains("not found"));
}

#[tokio::test]
async fn overlapping_mutations_are_seen_while_one_is_held() {
    let running = running(Options::default()).await;
    let checkout = running.shop.checkout(50.0).await;
    let target = format!("/checkouts/{checkout}");
    let gate = Gate::new();
    running.emulator().faults().add(Fault::once(
        "POST",
        "/checkouts/*",
        FaultKind::HoldBefore(gate.clone()),
    ));
    let held = running.send("POST", &target, "{}").await;
    gate.arrived().await;
    assert_eq!(status(&running.exchange("GET", &target, "").await.0), "200");
    assert_eq!(running.emulator().overlaps(), 0, "a read overlaps nothing");
    assert_eq!(status(&running.exchange("POST", &target, "{}").await.0), "200");
    gate.release();
    assert_eq!(status(&receive(held).await.0), "200");
    assert_eq!(
        (
            running.emulator().overlaps(),
            running.emulator().in_flight_peak(Kind::Checkout, &checkout)
        ),
        (1, 2)
    );
    running.emulator().clear_calls();
    let order = json!({"checkoutId": checkout}).to_string();
    assert_eq!(status(&running.exchange("POST", "/orders", &order).await.0), "400");
    assert_eq!(
        running.emulator().in_flight_peak(Kind::Checkout, &checkout),
        1,
        "an order counts for its checkout"
    );
}

#[tokio::test]
async fn overlaps_are_refused_if_so_configured() {
    let shop = Shop::with(Options { refuse_overlaps: true, ..Options::default() });
    let shopper = shop.shopper().await;
    shopper.get("/v1/shoppers/me/carts/active").await;
    let gate = Gate::new();
    shop.emulator.faults().add(Fault::once("POST", "*/active", FaultKind::HoldAfter(gate.clone())));
    let target = "/v1/shoppers/me/carts/active";
    let (held, ()) = tokio::join!(shopper.call("POST", target, Value::Null), async {
        gate.arrived().await;
        let (status, body) = shopper.call("POST", target, Value::Null).await;
        assert_eq!(
            (status, &body["errors"]["error"][0]["code"]),
            (409, &json!("concurrent-cart-modification-failure"))
        );
        gate.release();
    });
    assert_eq!(held.0, 200);
}

#[tokio::test]
async fn a_call_completes_although_its_caller_hangs_up() {
    let running = running(Options::default()).await;
    let (before, after) = (Gate::new(), Gate::new());
    running.emulator().faults().add(Fault::once(
        "POST",
        "/checkouts",
        FaultKind::HoldBefore(before.clone()),
    ));
    running.emulator().faults().add(Fault::once(
        "POST",
        "/checkouts",
        FaultKind::HoldAfter(after.clone()),
    ));
    let caller = running.send("POST", "/checkouts", &order_of(5.0).to_string()).await;
    before.arrived().await;
    drop(caller);
    before.release();
    after.arrived().await;
    assert_eq!(running.emulator().snapshot()["checkouts"].as_object().unwrap().len(), 1);
    after.open();
}

#[tokio::test]
async fn the_control_routes_are_listed_where_one_looks_first() {
    let shop = Shop::new();
    let listed = shop.get("/_emulator/").await;
    assert_eq!(listed["routes"].as_array().unwrap().len(), crate::emulator::CONTROL_ROUTES.len());
    assert_eq!(
        listed["routes"][1],
        json!({"route": "GET /_emulator/state", "about": "Shows everything, amounts exactly."})
    );
}

#[tokio::test]
async fn faults_are_controlled_over_http_too() {
    let shop = Shop::new();
    let fault = json!({
        "kind": "fail-before", "method": "post", "path": "/check*", "nth": 2, "status": 503});
    assert_eq!(shop.post("/_emulator/faults", fault).await, json!({"number": 1}));
    assert_eq!(shop.get("/_emulator/faults").await["faults"][0]["kind"], "fail-before");
    shop.checkout(5.0).await;
    let unavailable = super::error(
        "service_unavailable",
        json!({"code": "service_unavailable", "message": "The request could not be processed."}),
    );
    assert_eq!(shop.call("POST", "/checkouts", order_of(5.0)).await, (503, unavailable));
    let checkout = shop.checkout(5.0).await;
    let calls = shop.get("/_emulator/calls").await;
    assert_eq!(
        (calls["calls"].as_array().unwrap().len(), &calls["calls"][1]["applied"]),
        (3, &json!(false))
    );
    assert_eq!(
        shop.get(&format!("/_emulator/state/checkout/{checkout}")).await["total"],
        json!(5.0)
    );
    assert_eq!(shop.get("/_emulator/state").await["checkouts"].as_object().unwrap().len(), 2);
    for bad in
        [json!({}), json!({"kind": "unheard-of"}), json!({"kind": "fail-before", "status": 200})]
    {
        assert_eq!(shop.call("POST", "/_emulator/faults", bad).await.0, 400);
    }
    for kind in [
        "delay",
        "reset-before",
        "too-many-requests",
        "cut-body",
        "stall-body",
        "garbage",
        "redirect",
        "wrong-length",
        "hold-after",
    ] {
        shop.post("/_emulator/faults", json!({"kind": kind, "path": "/never"})).await;
    }
    assert_eq!(shop.call("DELETE", "/_emulator/faults/2", Value::Null).await.0, 204);
    assert_eq!(shop.call("POST", "/_emulator/reset", Value::Null).await.0, 204);
    assert_eq!(shop.get("/_emulator/state").await["checkouts"], json!({}));
    assert!(shop.emulator.faults().list().is_empty() && shop.emulator.calls().is_empty());
}

#[tokio::test]
async fn the_same_seed_and_calls_give_the_same_answers_whatever_was_refused() {
    let (one, other) = (Shop::new(), Shop::new());
    other
        .call(
            "POST",
            "/checkouts",
            json!({"currency": "USD", "items": [{"skuId": "a", "price": 5}], "sourceId": "none"}),
        )
        .await;
    assert_eq!(
        one.post("/checkouts", order_of(5.0)).await,
        other.post("/checkouts", order_of(5.0)).await
    );
}
