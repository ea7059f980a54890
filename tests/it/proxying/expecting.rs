use super::*;

const CALL: &str =
    "POST / HTTP/1.1\r\nHost: w\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";

#[tokio::test]
async fn the_caller_goes_on_when_upstream_says_so() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write(CALL).await;
    let mut wire = upstream.accept().await;
    assert!(wire.head().await.contains("expect: 100-continue\r\n"));
    wire.write("HTTP/1.1 100 Continue\r\n\r\n").await;
    assert_eq!(caller.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    caller.write("abc").await;
    assert_eq!(wire.exactly(3).await, "abc");
    wire.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    assert_eq!(status(&caller.until("\r\n\r\nok").await), "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_caller_that_upstream_refuses_never_sends_its_content() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write(CALL).await;
    let (_, _wire) =
        upstream.answer("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(status(&caller.head().await), "HTTP/1.1 417 Expectation Failed");
}

#[tokio::test(start_paused = true)]
async fn a_caller_is_not_kept_waiting_by_an_upstream_that_knows_no_expectation() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = proxy.caller().await;
    caller.write(CALL).await;
    let mut wire = upstream.accept().await;
    wire.head().await;
    let before = tokio::time::Instant::now();
    assert_eq!(caller.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(before.elapsed().as_secs(), 1);
    caller.write("abc").await;
    assert_eq!(wire.exactly(3).await, "abc");
}

/// What the governed path does: the body is read whole before anything is forwarded.
#[tokio::test]
async fn content_that_announces_itself_too_large_is_refused_before_it_is_sent() {
    let service = tower::service_fn(|request: http::Request<Body>| async move {
        let read = collect(request.into_body(), 2).await;
        let problem = Problem::TooLarge { limit: 2 };
        let Err(CollectError::TooLarge(_)) = read else { panic!("three bytes are more than two") };
        Ok::<_, Infallible>(in_plain_text(&"/".parse().unwrap(), &http::HeaderMap::new(), problem))
    });
    let proxy = Proxy::serving(service, ServeOptions::default()).await;
    let mut caller = proxy.caller().await;
    caller.write(CALL).await;
    assert_eq!(status(&caller.head().await), "HTTP/1.1 413 Payload Too Large");
}
