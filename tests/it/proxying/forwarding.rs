use super::*;

#[tokio::test]
async fn a_call_goes_up_and_its_answer_comes_down() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let call = "POST /checkouts?a=%20b HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer sk\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
    let answer = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\nDate: x\r\nX-Request-Id: 7\r\nConnection: keep-alive\r\n\r\n{}";
    let (seen, got) = tokio::join!(
        async {
            let mut wire = upstream.accept().await;
            let seen = wire.head().await + &wire.exactly(7).await;
            wire.write(answer).await;
            seen
        },
        proxy.ask(call)
    );
    assert_eq!(
        seen,
        format!(
            "POST /checkouts?a=%20b HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer sk\r\nx-forwarded-for: 203.0.113.9\r\ncontent-length: 7\r\nvia: 1.1 weir\r\n\r\n{{\"a\":1}}",
            upstream.address()
        )
    );
    assert_eq!(
        undated(&got),
        "HTTP/1.1 201 Created\r\ncontent-length: 2\r\nx-request-id: 7\r\nvia: 1.1 weir\r\nconnection: close\r\n\r\n{}"
    );
}

#[tokio::test]
async fn targets_reach_upstream_byte_for_byte() {
    let upstream = Listener::new().await;
    let proxy = Proxy::with(&format!("http://{}/api/", upstream.address()), |_| {}).await;
    let cases = [
        (
            "GET //a/../b;c=%41%2f?x=+&&y=%zz HTTP/1.1",
            "GET /api//a/../b;c=%41%2f?x=+&&y=%zz HTTP/1.1",
        ),
        ("GET http://elsewhere/a?b HTTP/1.1", "GET /api/a?b HTTP/1.1"),
        ("OPTIONS * HTTP/1.1", "OPTIONS * HTTP/1.1"),
        ("PURGE / HTTP/1.1", "PURGE /api/ HTTP/1.1"),
    ];
    for (asked, expected) in cases {
        let asked = format!("{asked}\r\nHost: weir\r\nConnection: close\r\n\r\n");
        let ((head, _), got) = tokio::join!(
            upstream.answer("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
            proxy.ask(&asked)
        );
        assert_eq!(status(&head), expected);
        assert_eq!(status(&got), "HTTP/1.1 204 No Content");
    }
}

#[tokio::test]
async fn what_a_reverse_proxy_cannot_take_is_answered_at_once() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let cases = [
        (
            "CONNECT up:443 HTTP/1.1\r\nHost: up\r\n\r\n",
            "HTTP/1.1 501 Not Implemented",
            "connect_not_supported",
        ),
        ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request", "invalid_host"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "HTTP/1.1 400 Bad Request",
            "invalid_host",
        ),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 Bad Request", "invalid_request_target"),
        (
            "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n",
            "HTTP/1.1 405 Method Not Allowed",
            "trace_not_supported",
        ),
        (
            "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 9\r\n\r\n",
            "HTTP/1.1 405 Method Not Allowed",
            "trace_not_supported",
        ),
        ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "HTTP/1.1 400 Bad Request", "invalid_host"),
        ("GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", "HTTP/1.1 400 Bad Request", "invalid_host"),
        ("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 Bad Request", "invalid_host"),
        (
            "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n",
            "HTTP/1.1 200 OK",
            "allow: GET, HEAD",
        ),
    ];
    for (asked, first, part) in cases {
        let got = proxy.ask(&asked.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(status(&got), first, "{asked}");
        assert!(got.contains(part), "{got}");
    }
    assert!(
        futures_util::FutureExt::now_or_never(upstream.accept()).is_none(),
        "nothing reached upstream"
    );
}

#[tokio::test]
async fn answers_without_content_keep_their_length_and_end_where_they_should() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    let cases = [
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 500\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 500\r\nvia: 1.1 weir\r\n\r\n",
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nDate: x\r\nETag: \"a\"\r\nContent-Length: 500\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\ncontent-length: 500\r\nvia: 1.1 weir\r\n\r\n",
        ),
        (
            "DELETE",
            "HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nvia: 1.1 weir\r\n\r\n",
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nvia: 1.1 weir\r\ncontent-length: 0\r\n\r\n",
        ),
    ];
    let mut wire = None;
    for (method, answer, expected) in cases {
        caller.write(&format!("{method} / HTTP/1.1\r\nHost: weir\r\n\r\n")).await;
        let upstream = match &mut wire {
            Some(wire) => wire,
            none => none.insert(upstream.accept().await),
        };
        upstream.head().await;
        upstream.write(answer).await;
        assert_eq!(
            undated(&caller.head().await),
            expected,
            "{method}; all four over one connection on either side"
        );
    }
}

#[tokio::test]
async fn redirects_are_passed_on_not_followed() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let answer = "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n";
    let (_, got) = tokio::join!(
        upstream.answer(answer),
        proxy.ask("GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n")
    );
    assert_eq!(status(&got), "HTTP/1.1 307 Temporary Redirect");
    assert!(got.contains("location: http://elsewhere/\r\n"), "{got}");
}

#[tokio::test]
async fn interim_answers_of_upstream_are_no_answer() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let (_, got) = tokio::join!(
        upstream.answer(answer),
        proxy.ask("GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n")
    );
    assert_eq!(status(&got), "HTTP/1.1 200 OK");
    assert!(got.ends_with("\r\n\r\nok"), "{got}");
}

#[tokio::test]
async fn callers_and_upstreams_may_speak_http_1_0() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let answer =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let ((head, _), got) =
        tokio::join!(upstream.answer(answer), proxy.ask("GET / HTTP/1.0\r\n\r\n"));
    assert!(head.starts_with("GET / HTTP/1.1\r\n") && head.contains("via: 1.0 weir\r\n"), "{head}");
    assert!(!got.contains("transfer-encoding") && got.ends_with("\r\n\r\nabcde"), "{got}");

    let caller = async {
        let mut caller = proxy.caller().await;
        caller.write("GET / HTTP/1.1\r\nHost: w\r\n\r\n").await;
        caller.until("0\r\n\r\n").await
    };
    let old = async { drop(upstream.answer("HTTP/1.0 200 OK\r\n\r\nuntil the end").await) };
    let ((), got) = tokio::join!(old, caller);
    assert!(got.contains("via: 1.0 weir\r\n") && got.contains("until the end"), "{got}");
}

#[tokio::test]
async fn trailers_pass_both_ways_when_they_are_asked_for() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let call = "POST / HTTP/1.1\r\nHost: w\r\nTE: trailers\r\nConnection: TE, close\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n";
    let serve = async {
        let mut wire = upstream.accept().await;
        let seen = wire.head().await + &wire.until("x-sum: 1\r\n\r\n").await;
        wire.write("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 2\r\n\r\n")
            .await;
        seen
    };
    let (seen, got) = tokio::join!(serve, proxy.ask(call));
    assert!(
        seen.contains("te: trailers\r\n")
            && seen.contains("connection: te\r\n")
            && seen.contains("trailer: X-Sum\r\n"),
        "{seen}"
    );
    assert!(seen.ends_with("\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"), "{seen}");
    assert!(got.ends_with("\r\n\r\n2\r\nok\r\n0\r\nx-sum: 2\r\n\r\n"), "{got}");
}

#[tokio::test]
async fn pipelined_calls_are_answered_in_order_over_one_upstream_connection() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write("GET /1 HTTP/1.1\r\nHost: w\r\n\r\nGET /2 HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n").await;
    let mut wire = upstream.accept().await;
    for n in ["1", "2"] {
        assert_eq!(status(&wire.head().await), format!("GET /{n} HTTP/1.1"));
        wire.write(&format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{n}")).await;
    }
    let got = caller.rest().await;
    assert!(got.contains("\r\n\r\n1HTTP/1.1 200 OK") && got.ends_with("\r\n\r\n2"), "{got}");
}

#[tokio::test]
async fn the_callers_address_is_told_when_the_switch_is_on() {
    let upstream = Listener::new().await;
    let proxy = Proxy::with(&format!("http://{}", upstream.address()), |settings| {
        settings.forwarded = true
    })
    .await;
    let call =
        "GET / HTTP/1.1\r\nHost: w\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n\r\n";
    let ((head, _), _) =
        tokio::join!(upstream.answer("HTTP/1.1 204 No Content\r\n\r\n"), proxy.ask(call));
    assert!(
        head.contains("x-forwarded-for: 203.0.113.9\r\nx-forwarded-for: 127.0.0.1\r\n"),
        "{head}"
    );
    assert!(head.contains("forwarded: for=127.0.0.1;proto=http\r\n"), "{head}");
}

#[tokio::test]
async fn what_a_reverse_proxy_cannot_take_over_http2_is_answered_at_once() {
    let upstream = Recorder::start().await;
    let proxy = Proxy::with(&format!("http://{}", upstream.address), |_| {}).await;
    type Fields = &'static [(&'static str, &'static str)];
    let cases: [(&str, &str, Fields, u16); 7] = [
        ("TRACE", "w", &[], 405),
        ("GET", "user@w", &[], 400),
        ("GET", "user:pass@w:80", &[], 400),
        ("GET", "w", &[("host", "x")], 400),
        ("GET", "w", &[("host", "w:80")], 400),
        ("GET", "w", &[("host", "w"), ("host", "w")], 400),
        ("GET", "w:80:80", &[], 400),
    ];
    for (method, authority, fields, expected) in cases {
        let mut frames = Frames::to(proxy.address).await;
        let mut head = vec![
            (":method", method),
            (":scheme", "http"),
            (":authority", authority),
            (":path", "/"),
        ];
        head.extend_from_slice(fields);
        frames.head(1, &head, true).await;
        let end = frames.end_of(1).await;
        // A library may find the head malformed itself, and reset the stream.
        let refused = end == StreamEnd::Answered(expected) || matches!(end, StreamEnd::Reset(1));
        assert!(refused, "{method} {authority} {fields:?}: {end:?}");
    }
    assert_eq!(upstream.seen().await, []);
}

#[tokio::test]
async fn look_alikes_of_other_fields_do_not_go_up() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let call = "GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\nContent_Length: 5\r\nTransfer_Encoding: chunked\r\nX_Forwarded_For: 1.2.3.4\r\nX_HTTP_Method_Override: DELETE\r\nMy_Field: kept\r\n\r\n";
    let answer = "HTTP/1.1 204 No Content\r\n\r\n";
    let ((head, _), got) = tokio::join!(upstream.answer(answer), proxy.ask(call));
    let expected = format!(
        "GET / HTTP/1.1\r\nhost: {}\r\nmy_field: kept\r\nvia: 1.1 weir\r\n\r\n",
        upstream.address()
    );
    assert_eq!((head, status(&got)), (expected, "HTTP/1.1 204 No Content"));
}

#[tokio::test]
async fn an_answer_may_have_hundreds_of_fields() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    for (fields, expected) in [(500, "HTTP/1.1 200 OK"), (600, "HTTP/1.1 502 Bad Gateway")] {
        let lines: String = (0..fields).map(|n| format!("X-{n}: {n}\r\n")).collect();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{lines}\r\n");
        let ask = "GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n";
        let (_, got) = tokio::join!(upstream.answer(&answer), proxy.ask(ask));
        assert_eq!(status(&got), expected, "{fields}");
        assert_eq!(got.contains("x-499: 499\r\n"), fields == 500);
    }
}
