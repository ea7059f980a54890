//! `Proxy-Status` on the faults of Weir's own (RFC 9209).

use super::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n";

fn named(answer: &str) -> Option<&str> {
    answer.lines().find_map(|line| line.strip_prefix("proxy-status: weir; error="))
}

#[tokio::test]
async fn why_there_is_no_connection_is_named() {
    let nobody = Listener::new().await.address();
    for (url, expected) in [
        (format!("http://{nobody}"), "connection_refused"),
        (format!("https://{nobody}"), "connection_refused"),
        ("http://nowhere.invalid".to_owned(), "dns_error"),
    ] {
        let got = Proxy::with(&url, |_| {}).await.ask(GET).await;
        assert_eq!(named(&got), Some(expected), "{url}: {got}");
    }
    let upstream = Listener::new().await;
    let proxy = Proxy::with(&format!("https://{}", upstream.address()), |_| {}).await;
    let (_, got) = tokio::join!(
        async { upstream.accept().await.write("HTTP/1.1 400 Bad Request\r\n\r\n").await },
        proxy.ask(GET)
    );
    assert_eq!(named(&got), Some("tls_protocol_error"), "{got}");
}

#[tokio::test]
async fn what_is_wrong_with_an_answer_is_named() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    for (answer, expected) in [
        ("", "http_response_incomplete"),
        ("HTTP/1.1 200 OK\r\nContent-Le", "http_response_incomplete"),
        ("ICY 200 OK\r\n\r\n", "http_protocol_error"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "http_protocol_error"),
    ] {
        let serve = async {
            let mut wire = upstream.accept().await;
            wire.head().await;
            wire.write(answer).await;
        };
        let ((), got) = tokio::join!(serve, proxy.ask(GET));
        assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway");
        assert_eq!(named(&got), Some(expected), "{answer:?}: {got}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_too_late_is_named() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let silent = async { upstream.accept().await.rest().await };
    let (_, got) = tokio::join!(silent, proxy.ask(GET));
    assert_eq!(named(&got), Some("http_response_timeout"), "{got}");
    let proxy = Proxy::with(&format!("https://{}", upstream.address()), |_| {}).await;
    let silent = async { upstream.accept().await.stream.read_to_end(&mut Vec::new()).await };
    let (_, got) = tokio::join!(silent, proxy.ask(GET));
    assert_eq!(named(&got), Some("connection_timeout"), "{got}");
}

#[tokio::test]
async fn a_request_at_fault_is_named_and_an_answer_of_upstreams_is_not() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let got = proxy.ask("TRACE / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n").await;
    assert_eq!(named(&got), Some("http_request_error"), "{got}");
    let refused = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
    let (_, got) = tokio::join!(upstream.answer(refused), proxy.ask(GET));
    assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway");
    assert_eq!(named(&got), None, "{got}");
}
