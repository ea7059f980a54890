use super::*;

async fn upgrading(upstream: &Listener) -> Proxy {
    Proxy::with(&format!("http://{}", upstream.address()), |settings| settings.upgrade = true).await
}

const ASK: &str = "GET /live HTTP/1.1\r\nHost: w\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n";

#[tokio::test]
async fn a_tunnel_carries_both_directions_until_both_end() {
    let upstream = Listener::new().await;
    let proxy = upgrading(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write(ASK).await;
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\n\r\nfirst";
    let (head, mut wire) = upstream.answer(answer).await;
    assert!(
        head.contains("connection: upgrade\r\n") && head.contains("upgrade: websocket\r\n"),
        "{head}"
    );
    assert!(head.contains("sec-websocket-key: k\r\n"), "{head}");
    let got = caller.head().await;
    assert_eq!(status(&got), "HTTP/1.1 101 Switching Protocols");
    assert!(
        got.contains("connection: upgrade\r\n") && got.contains("upgrade: websocket\r\n"),
        "{got}"
    );
    assert!(got.contains("sec-websocket-accept: a\r\n"), "{got}");
    assert_eq!(caller.exactly(5).await, "first");
    caller.write("up").await;
    assert_eq!(wire.exactly(2).await, "up");
    wire.write("down").await;
    assert_eq!(caller.exactly(4).await, "down");
    caller.stream.shutdown().await.unwrap();
    assert_eq!(wire.rest().await, "");
    wire.write("last").await;
    drop(wire);
    assert_eq!(caller.rest().await, "last");
}

#[tokio::test]
async fn upstream_may_decline_an_upgrade() {
    let upstream = Listener::new().await;
    let proxy = upgrading(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write(ASK).await;
    let (_, mut wire) = upstream.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno").await;
    assert_eq!(status(&caller.until("\r\n\r\nno").await), "HTTP/1.1 200 OK");
    caller.write("GET / HTTP/1.1\r\nHost: w\r\n\r\n").await;
    assert_eq!(status(&wire.head().await), "GET / HTTP/1.1", "the connections go on with HTTP");
}

#[tokio::test]
async fn a_switch_that_nobody_asked_for_is_a_bad_gateway() {
    let upstream = Listener::new().await;
    let proxy = upgrading(&upstream).await;
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let ask = "GET / HTTP/1.1\r\nHost: w\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n";
    let ((head, _), got) = tokio::join!(upstream.answer(answer), proxy.ask(ask));
    assert!(!head.contains("upgrade"), "{head}");
    assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway");
}

#[tokio::test]
async fn without_the_switch_a_call_is_answered_as_any_other() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write(ASK).await;
    let (head, _wire) = upstream.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno").await;
    assert!(!head.contains("upgrade") && !head.contains("connection"), "{head}");
    assert_eq!(status(&caller.until("\r\n\r\nno").await), "HTTP/1.1 200 OK");
}
