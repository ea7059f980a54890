use super::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn upstream_that_cannot_be_reached_is_a_bad_gateway() {
    let nobody = Listener::new().await.address();
    let proxy = Proxy::with(&format!("http://{nobody}"), |_| {}).await;
    let got = proxy.ask(GET).await;
    assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway");
    assert!(
        got.ends_with(
            "upstream_unreachable: The payments API cannot be reached. Nothing was sent to it.\n"
        ),
        "{got}"
    );
}

#[tokio::test]
async fn upstream_that_hangs_up_without_an_answer_is_a_bad_gateway() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    for reset in [false, true] {
        let serve = async {
            let (_, wire) = upstream.answer("").await;
            if reset { wire.reset() } else { drop(wire) }
        };
        let ((), got) = tokio::join!(serve, proxy.ask(GET));
        assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway");
    }
}

#[tokio::test]
async fn half_an_answer_never_looks_whole() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    for answer in
        ["Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"]
    {
        let serve = async {
            let (_, mut wire) = upstream.answer(&format!("HTTP/1.1 200 OK\r\n{answer}")).await;
            wire.stream.shutdown().await.unwrap();
            wire
        };
        let (_, got) = tokio::join!(serve, proxy.ask(GET));
        assert_eq!(status(&got), "HTTP/1.1 200 OK");
        assert!(!got.ends_with("0\r\n\r\n"), "{got}");
        assert!(
            got.contains("content-length: 10\r\n")
                || got.contains("transfer-encoding: chunked\r\n"),
            "{got}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_meets_a_closed_connection_goes_over_the_next_one_once() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write("GET /1 HTTP/1.1\r\nHost: w\r\n\r\n").await;
    let (_, stale) = upstream.answer("HTTP/1.1 204 No Content\r\n\r\n").await;
    caller.head().await;
    drop(stale);
    caller.write("POST /2 HTTP/1.1\r\nHost: w\r\nContent-Length: 3\r\n\r\nabc").await;
    let (head, mut wire) = upstream.answer("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(status(&head), "POST /2 HTTP/1.1");
    assert_eq!(wire.exactly(3).await, "abc");
    assert_eq!(status(&caller.head().await), "HTTP/1.1 204 No Content");
    idle().await;
    assert!(futures_util::FutureExt::now_or_never(upstream.accept()).is_none(), "sent once");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_begun_is_not_sent_again() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write("GET /1 HTTP/1.1\r\nHost: w\r\n\r\n").await;
    let (_, mut wire) = upstream.answer("HTTP/1.1 204 No Content\r\n\r\n").await;
    caller.head().await;
    for method in ["POST", "GET"] {
        caller.write(&format!("{method} /2 HTTP/1.1\r\nHost: w\r\n\r\n")).await;
        wire.head().await;
        wire.reset();
        assert_eq!(status(&caller.until("read.\n").await), "HTTP/1.1 502 Bad Gateway");
        idle().await;
        assert!(
            futures_util::FutureExt::now_or_never(upstream.accept()).is_none(),
            "{method} is not sent again"
        );
        caller.write("GET /3 HTTP/1.1\r\nHost: w\r\n\r\n").await;
        wire = upstream.answer("HTTP/1.1 204 No Content\r\n\r\n").await.1;
        assert_eq!(status(&caller.head().await), "HTTP/1.1 204 No Content");
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_while_it_waits_cancels_the_call() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write(GET).await;
    let mut wire = upstream.accept().await;
    wire.head().await;
    drop(caller);
    assert_eq!(wire.rest().await, "");
}

#[tokio::test]
async fn a_caller_that_hangs_up_in_the_middle_of_its_call_leaves_it_unfinished() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    for lines in
        ["Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"]
    {
        let mut caller = proxy.caller().await;
        caller.write(&format!("POST / HTTP/1.1\r\nHost: w\r\n{lines}")).await;
        let mut wire = upstream.accept().await;
        wire.until("half").await;
        drop(caller);
        assert!(!wire.rest().await.contains("0\r\n\r\n"));
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_in_an_answer_ends_it() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write(GET).await;
    let (_, mut wire) = upstream.answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
    caller.until("half").await;
    drop(caller);
    assert_eq!(wire.rest().await, "");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_early_reaches_a_caller_that_still_sends() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write("POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 100000000\r\n\r\nbegun").await;
    let mut wire = upstream.accept().await;
    wire.until("begun").await;
    wire.write("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nbig").await;
    assert_eq!(status(&caller.until("\r\n\r\nbig").await), "HTTP/1.1 413 Payload Too Large");
    assert_eq!(wire.rest().await, "", "the unfinished call is not kept going for nobody");
}

#[tokio::test]
async fn an_answer_followed_by_a_reset_is_still_the_answer() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write("POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 100000000\r\n\r\nbegun").await;
    let mut wire = upstream.accept().await;
    wire.until("begun").await;
    wire.write("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        .await;
    wire.reset();
    assert_eq!(status(&caller.until("\r\n\r\nno").await), "HTTP/1.1 401 Unauthorized");
}
