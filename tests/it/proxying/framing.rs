use super::*;

/// What upstream sees of a call and what the caller gets.
async fn exchange(call: &str, body_ends: &str) -> (String, String) {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let serve = async {
        let mut wire = upstream.accept().await;
        let seen = wire.until(body_ends).await;
        wire.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        seen
    };
    tokio::join!(serve, proxy.ask(call))
}

#[tokio::test]
async fn chunked_wins_over_a_length_and_the_connection_ends() {
    for lines in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 6",
    ] {
        let call = format!(
            "POST / HTTP/1.1\r\nHost: w\r\n{lines}\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: w\r\n\r\n"
        );
        let (seen, got) = exchange(&call, "0\r\n\r\n").await;
        assert!(
            seen.contains("transfer-encoding: chunked\r\n") && !seen.contains("content-length"),
            "{seen}"
        );
        assert_eq!(
            got.matches("HTTP/1.1").count(),
            1,
            "what follows is not read as a request: {got}"
        );
    }
}

#[tokio::test]
async fn a_length_repeated_is_sent_once() {
    let call = "POST / HTTP/1.1\r\nHost: w\r\nConnection: close\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc";
    let (seen, _) = exchange(call, "abc").await;
    assert_eq!(seen.matches("content-length: 3\r\n").count(), 1, "{seen}");
}

#[tokio::test]
async fn a_get_keeps_its_content() {
    let call = "GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let (seen, _) = exchange(call, "0\r\n\r\n").await;
    assert!(seen.ends_with("\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), "{seen}");
}

#[tokio::test]
async fn requests_that_two_parsers_could_read_differently_are_refused() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let cases = [
        ("Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "400"),
        ("Content-Length: +3\r\n\r\nabc", "400"),
        ("Content-Length: 3, 4\r\n\r\nabcd", "400"),
        ("Content-Length: 0x3\r\n\r\nabc", "400"),
        ("Content-Length: 99999999999999999999\r\n\r\nabc", "400"),
        ("Transfer-Encoding: gzip\r\n\r\nabc", "400"),
        ("Transfer-Encoding: chunked, gzip\r\n\r\nabc", "400"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\nabc", "400"),
        ("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "400"),
        ("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"),
        ("Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "501"),
        ("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400"),
        ("X: a\r\n b\r\n\r\n", "400"),
        ("X: a\0b\r\n\r\n", "400"),
    ];
    for (rest, expected) in cases {
        let got =
            proxy.ask(&format!("POST / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n{rest}")).await;
        assert_eq!(status(&got).split(' ').nth(1), Some(expected), "{rest:?}: {got}");
    }
    let got = proxy.ask("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").await;
    assert_eq!(status(&got), "HTTP/1.1 400 Bad Request");
    assert!(
        futures_util::FutureExt::now_or_never(upstream.accept()).is_none(),
        "nothing reached upstream"
    );
}

#[tokio::test]
async fn a_broken_chunk_breaks_the_call_off() {
    for chunk in ["zz\r\nabc\r\n", "ffffffffffffffffff\r\nabc", "3\r\nabcd\r\n0\r\n\r\n"] {
        let upstream = Listener::new().await;
        let proxy = Proxy::before(&upstream).await;
        let call =
            format!("POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
        let serve = async { upstream.accept().await.rest().await };
        let (seen, got) = tokio::join!(serve, proxy.ask(&call));
        assert!(!seen.ends_with("0\r\n\r\n"), "upstream never sees the end of it: {seen}");
        assert!(got.is_empty() || status(&got) == "HTTP/1.1 400 Bad Request", "{got}");
    }
}

#[tokio::test]
async fn answers_that_two_parsers_could_read_differently_are_a_bad_gateway() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "\x16\x03\x01 not HTTP at all",
    ];
    for answer in answers {
        let (_, got) = tokio::join!(
            upstream.answer(answer),
            proxy.ask("GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n")
        );
        assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway", "{answer:?}");
        assert!(
            got.ends_with(
                "bad_gateway: The payments API's answer was broken off or cannot be read.\n"
            ),
            "{got}"
        );
    }
}

#[tokio::test]
async fn of_an_answer_chunked_and_with_a_length_the_length_is_dropped() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let (_, got) = tokio::join!(
        upstream.answer(answer),
        proxy.ask("GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n")
    );
    assert!(
        !got.contains("content-length") && got.ends_with("\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        "{got}"
    );
}

#[tokio::test]
async fn what_upstream_sends_beyond_its_answer_is_nobodys_answer() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write("GET /1 HTTP/1.1\r\nHost: w\r\n\r\n").await;
    let extra = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    let (_, wire) = upstream.answer(extra).await;
    caller.until("\r\n\r\n1").await;
    caller.write("GET /2 HTTP/1.1\r\nHost: w\r\n\r\n").await;
    let (head, _) = upstream.answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2").await;
    assert_eq!(status(&head), "GET /2 HTTP/1.1");
    assert!(caller.until("\r\n\r\n2").await.starts_with("HTTP/1.1 200 OK"));
    drop(wire);
}
