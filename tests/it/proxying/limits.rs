//! How long a caller's connection may do what, and how much is taken on at once.

use super::*;
use http::{Request, Version};
use http_body_util::BodyExt;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::Instant;

const GET: &str = "GET / HTTP/1.1\r\nHost: w\r\n\r\n";
const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// An empty SETTINGS frame.
const SETTINGS: &str = "\0\0\0\u{4}\0\0\0\0\0";

async fn before_with(upstream: &Listener, options: ServeOptions) -> Proxy {
    let settings = UpstreamSettings::new(format!("http://{}", upstream.address()).parse().unwrap());
    Proxy::serving(proxying(settings), options).await
}

/// Sends a call and answers it, and returns upstream's end.
async fn call(caller: &mut Wire, upstream: &Listener) -> Wire {
    caller.write(GET).await;
    let (_, wire) = upstream.answer("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(status(&caller.head().await), "HTTP/1.1 204 No Content");
    wire
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_call_is_kept_for_as_long_as_the_key_says() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    drop(call(&mut caller, &upstream).await);
    tokio::time::sleep(Duration::from_secs(74)).await;
    drop(call(&mut caller, &upstream).await);
    let before = Instant::now();
    assert_eq!(caller.rest().await, "");
    assert_eq!(before.elapsed().as_secs(), 75);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_late_is_told_so_also_on_a_connection_that_was_used() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    let _wire = call(&mut caller, &upstream).await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    caller.write("GET / HTTP/1.1\r\nHo").await;
    let before = Instant::now();
    let got = caller.rest().await;
    assert_eq!(status(&got), "HTTP/1.1 408 Request Timeout");
    assert!(
        got.ends_with("request_timeout: The request's head did not arrive in time.\n"),
        "{got}"
    );
    assert_eq!(before.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_takes_nothing_of_its_answer_is_let_go_and_so_is_upstream() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write(GET).await;
    let mut wire = upstream.accept().await;
    wire.head().await;
    let before = Instant::now();
    wire.write("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n").await;
    // More than all buffers between the two ends hold: the write fails when Weir lets go.
    let part = vec![b'x'; 1 << 20];
    while wire.stream.write_all(&part).await.is_ok() {}
    let after = before.elapsed().as_secs();
    assert!((30..=61).contains(&after), "after {after} s");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let upstream = Listener::new().await;
    let options = ServeOptions { head: 8 << 10, ..ServeOptions::default() };
    let proxy = before_with(&upstream, options).await;
    let large = format!("GET / HTTP/1.1\r\nHost: w\r\nX: {}\r\n\r\n", "x".repeat(9 << 10));
    let got = proxy.ask(&large).await;
    assert_eq!(status(&got), "HTTP/1.1 431 Request Header Fields Too Large");
}

#[tokio::test]
async fn a_connection_too_many_is_told_to_try_again() {
    let upstream = Listener::new().await;
    let options = ServeOptions { bounds: Bounds::new(1, 8), ..ServeOptions::default() };
    let proxy = before_with(&upstream, options).await;
    let mut first = proxy.caller().await;
    drop(call(&mut first, &upstream).await);
    let got = proxy.ask(GET).await;
    assert_eq!(status(&got), "HTTP/1.1 503 Service Unavailable");
    assert!(got.contains("retry-after: 1\r\n") && got.contains("too_many_connections"), "{got}");
    drop(first);
    // The place is free once Weir has seen that the first has gone.
    loop {
        let mut next = proxy.caller().await;
        next.write("GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n").await;
        let told = tokio::select! {
            told = next.head() => told,
            mut wire = upstream.accept() => {
                wire.head().await;
                wire.write("HTTP/1.1 204 No Content\r\n\r\n").await;
                next.head().await
            }
        };
        if status(&told) == "HTTP/1.1 204 No Content" {
            break;
        }
    }
}

#[tokio::test]
async fn a_call_too_many_is_told_to_try_again_and_not_sent() {
    let upstream = Listener::new().await;
    let options = ServeOptions { bounds: Bounds::new(8, 1), ..ServeOptions::default() };
    let proxy = before_with(&upstream, options).await;
    let mut first = proxy.caller().await;
    first.write(GET).await;
    let mut wire = upstream.accept().await;
    wire.head().await;
    let mut second = proxy.caller().await;
    second.write(GET).await;
    let got = second.head().await;
    assert_eq!(status(&got), "HTTP/1.1 503 Service Unavailable");
    assert!(got.contains("retry-after: 1\r\n"), "{got}");
    assert!(second.until("try again.\n").await.starts_with("too_many_calls: "));
    wire.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    assert_eq!(status(&first.head().await), "HTTP/1.1 200 OK");
    assert_eq!(first.exactly(2).await, "ok");
    // Its place is free with its last byte, and the second's connection serves on.
    second.write(GET).await;
    wire.head().await;
    wire.write("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(status(&second.head().await), "HTTP/1.1 204 No Content");
}

#[tokio::test(start_paused = true)]
async fn an_http2_peer_that_says_nothing_or_half_is_let_go() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    for (said, limit) in [("PRI * HTTP/2.0\r\n\r\n", 15), (PREFACE, 15)] {
        let mut caller = proxy.caller().await;
        let before = Instant::now();
        caller.write(said).await;
        let mut rest = Vec::new();
        let _ = caller.stream.read_to_end(&mut rest).await;
        assert_eq!(before.elapsed().as_secs(), limit, "{said:?}");
    }
    let mut caller = proxy.caller().await;
    caller.write(&format!("{PREFACE}{SETTINGS}")).await;
    let before = Instant::now();
    let mut rest = Vec::new();
    let _ = caller.stream.read_to_end(&mut rest).await;
    // It does not answer the PING after 30 s.
    assert_eq!(before.elapsed().as_secs(), 45);
}

async fn caller2(proxy: &Proxy) -> SendRequest<Body> {
    let stream = TokioIo::new(TcpStream::connect(proxy.address).await.unwrap());
    let (sender, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn get() -> Request<Body> {
    let request = Request::builder().version(Version::HTTP_2).uri("http://weir/");
    request.body(Body::empty()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_http2_connection_without_a_call_is_ended_although_it_answers_pings() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = caller2(&proxy).await;
    let (_, answered) = tokio::join!(
        upstream.answer("HTTP/1.1 204 No Content\r\n\r\n"),
        caller.send_request(get())
    );
    assert_eq!(answered.unwrap().status(), 204);
    let before = Instant::now();
    while !caller.is_closed() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let after = before.elapsed().as_secs();
    assert!((75..=78).contains(&after), "after {after} s");
}

#[tokio::test(start_paused = true)]
async fn an_http2_stream_that_takes_nothing_is_reset_and_others_go_on() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = caller2(&proxy).await;
    let mut other = caller.clone();
    let serve = async {
        let mut wire = upstream.accept().await;
        wire.head().await;
        wire.write("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n").await;
        let part = vec![b'x'; 1 << 20];
        while wire.stream.write_all(&part).await.is_ok() {}
    };
    let before = Instant::now();
    let asked = async {
        // The answer is held, and its body not read.
        caller.send_request(get()).await.unwrap()
    };
    let (held, ()) = tokio::join!(asked, serve);
    let after = before.elapsed().as_secs();
    assert!((30..=61).contains(&after), "after {after} s");
    assert!(held.into_body().collect().await.is_err(), "it does not look whole");
    let (_, answered) =
        tokio::join!(upstream.answer("HTTP/1.1 204 No Content\r\n\r\n"), other.send_request(get()));
    assert_eq!(answered.unwrap().status(), 204);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_an_http2_peer_without_a_call() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut silent = proxy.caller().await;
    silent.write(&format!("{PREFACE}{SETTINGS}")).await;
    silent.stream.read_u8().await.unwrap();
    let before = Instant::now();
    proxy.stop.send(()).unwrap();
    assert_eq!(proxy.ended.await.unwrap(), Drained::default());
    assert!(before.elapsed() <= Duration::from_secs(2), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_an_http2_caller_take_the_whole_of_a_long_answer() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = caller2(&proxy).await;
    let length = 1 << 20;
    let serve = async {
        let mut wire = upstream.accept().await;
        wire.head().await;
        wire.write(&format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")).await;
        wire.stream.write_all(&vec![b'x'; length]).await.unwrap();
        wire
    };
    let (_wire, answered) = tokio::join!(serve, caller.send_request(get()));
    proxy.stop.send(()).unwrap();
    let mut body = answered.unwrap().into_body();
    let mut taken = 0;
    while let Some(frame) = body.frame().await {
        taken += frame.unwrap().into_data().map_or(0, |data| data.len());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(taken, length);
    assert_eq!(proxy.ended.await.unwrap(), Drained::default());
}

#[tokio::test]
async fn a_stop_lets_a_head_in_that_has_begun_to_arrive() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    drop(call(&mut caller, &upstream).await);
    caller.write("GET / HTTP/1.1\r\nHo").await;
    turns().await;
    proxy.stop.send(()).unwrap();
    turns().await;
    caller.write("st: w\r\n\r\n").await;
    let answered = async {
        let answered = upstream.answer("HTTP/1.1 204 No Content\r\n\r\n").await;
        std::future::pending::<()>().await;
        drop(answered);
    };
    let got = tokio::select! {
        got = caller.rest() => got,
        () = answered => unreachable!("it waits"),
    };
    assert_eq!(status(&got), "HTTP/1.1 204 No Content");
    assert_eq!(proxy.ended.await.unwrap(), Drained::default());
}

/// Lets every other task of the runtime, and its sockets, have many turns.
async fn turns() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}
