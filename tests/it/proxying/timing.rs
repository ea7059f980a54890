use super::*;
use tokio::time::Instant;

const GET: &str = "GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n";

async fn impatient(upstream: &Listener) -> Proxy {
    Proxy::with(&format!("http://{}", upstream.address()), |settings| {
        settings.timeout = Duration::from_secs(5);
        settings.read_timeout = Duration::from_secs(3);
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_a_gateway_timeout() {
    let upstream = Listener::new().await;
    let proxy = impatient(&upstream).await;
    let before = Instant::now();
    let serve = async {
        let mut wire = upstream.accept().await;
        wire.head().await;
        wire.rest().await
    };
    let (rest, got) = tokio::join!(serve, proxy.ask(GET));
    assert_eq!(before.elapsed().as_secs(), 5);
    assert_eq!(status(&got), "HTTP/1.1 504 Gateway Timeout");
    assert!(got.ends_with("gateway_timeout: The payments API did not answer in time.\n"), "{got}");
    assert_eq!(rest, "", "and the connection is closed");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stalls_breaks_off() {
    let upstream = Listener::new().await;
    let proxy = impatient(&upstream).await;
    let before = Instant::now();
    let serve = async {
        let (_, mut wire) = upstream
            .answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
            .await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        wire.write("2\r\ncd\r\n").await;
        wire.rest().await
    };
    let (_, got) = tokio::join!(serve, proxy.ask(GET));
    assert_eq!(before.elapsed().as_secs(), 5, "three seconds after the last part");
    assert!(got.ends_with("2\r\nab\r\n2\r\ncd\r\n"), "{got}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_made_in_time_is_a_bad_gateway_to_which_nothing_was_sent() {
    let upstream = Listener::new().await;
    let silent_tls = format!("https://{}", upstream.address());
    let proxy =
        Proxy::with(&silent_tls, |settings| settings.connect_timeout = Duration::from_secs(2))
            .await;
    let before = Instant::now();
    let silent = async { upstream.accept().await.stream.read_to_end(&mut Vec::new()).await };
    let (_, got) = tokio::join!(silent, proxy.ask(GET));
    assert_eq!(before.elapsed().as_secs(), 2);
    assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway");
    let why = "upstream_unreachable: The payments API cannot be reached. Nothing was sent to it.\n";
    assert!(got.ends_with(why), "{got}");
}

#[tokio::test(start_paused = true)]
async fn a_long_call_has_all_the_time_it_moves() {
    let upstream = Listener::new().await;
    let proxy = impatient(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write("POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 4\r\n\r\n").await;
    let mut wire = upstream.accept().await;
    wire.head().await;
    for byte in ["a", "b", "c", "d"] {
        tokio::time::sleep(Duration::from_secs(4)).await;
        caller.write(byte).await;
        assert_eq!(wire.exactly(1).await, byte);
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    wire.write("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(status(&caller.head().await), "HTTP/1.1 204 No Content");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_stalls_in_its_call_is_told_so() {
    let upstream = Listener::new().await;
    let proxy = impatient(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write("POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 4\r\n\r\na").await;
    let mut wire = upstream.accept().await;
    wire.until("\r\n\r\na").await;
    let before = Instant::now();
    assert_eq!(status(&caller.head().await), "HTTP/1.1 408 Request Timeout");
    assert_eq!(before.elapsed().as_secs(), 5);
    assert_eq!(wire.rest().await, "");
}

#[tokio::test(start_paused = true)]
async fn callers_that_do_not_finish_a_head_are_let_go() {
    let settings = UpstreamSettings::new("http://127.0.0.1:1".parse().unwrap());
    let options =
        ServeOptions { header_timeout: Duration::from_secs(60), ..ServeOptions::default() };
    let proxy = Proxy::serving(proxying(settings), options).await;
    for said in ["", "P", "PR", "GET / HTTP/1.1\r\nHost:"] {
        let mut caller = proxy.caller().await;
        let before = Instant::now();
        caller.write(said).await;
        let got = caller.rest().await;
        assert!(
            got.is_empty() || status(&got) == "HTTP/1.1 408 Request Timeout",
            "{said:?}: {got}"
        );
        assert_eq!(before.elapsed().as_secs(), 60, "{said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_trickles_its_call_is_told_so_after_a_grace() {
    let upstream = Listener::new().await;
    let proxy = impatient(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write("POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 1000000\r\n\r\n").await;
    let mut wire = upstream.accept().await;
    wire.head().await;
    let before = Instant::now();
    let got = loop {
        match tokio::time::timeout(Duration::from_secs(1), caller.head()).await {
            Ok(got) => break got,
            Err(_) => caller.write("a").await,
        }
    };
    assert_eq!(status(&got), "HTTP/1.1 408 Request Timeout");
    let took = before.elapsed().as_secs();
    assert!((20..=30).contains(&took), "{took}");
    assert!(wire.rest().await.len() < 40, "and upstream never sees the end of it");
}

async fn proxy_takes(caller: &mut Wire, wire: &mut Wire, part: &str) {
    caller.write(part).await;
    assert_eq!(wire.exactly(part.len()).await, part);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_keeps_the_pace_has_all_the_time_it_needs() {
    let upstream = Listener::new().await;
    let proxy = impatient(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write("POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 60000\r\n\r\n").await;
    let mut wire = upstream.accept().await;
    wire.head().await;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        proxy_takes(&mut caller, &mut wire, &"a".repeat(1000)).await;
    }
    wire.write("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(status(&caller.head().await), "HTTP/1.1 204 No Content");
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_takes_no_further_call() {
    let upstream = Listener::new().await;
    let proxy = Proxy::with(&format!("http://{}", upstream.address()), |settings| {
        settings.max_age = Duration::from_secs(100);
        settings.pool_idle = Duration::from_secs(1000);
    })
    .await;
    let mut caller = proxy.caller().await;
    let ask = "GET / HTTP/1.1\r\nHost: w\r\n\r\n";
    let answer = "HTTP/1.1 204 No Content\r\n\r\n";
    caller.write(ask).await;
    let (_, mut first) = upstream.answer(answer).await;
    caller.head().await;
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        caller.write(ask).await;
        first.head().await;
        first.write(answer).await;
        caller.head().await;
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    let ((_, second), _) = tokio::join!(upstream.answer(answer), proxy.ask(GET));
    drop(second);
    assert_eq!(first.rest().await, "", "the old one is closed");
}
