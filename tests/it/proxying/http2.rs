use super::*;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};

async fn caller(proxy: &Proxy) -> SendRequest<Body> {
    let stream = TokioIo::new(TcpStream::connect(proxy.address).await.unwrap());
    let (sender, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn get(path: &str) -> http::request::Builder {
    Request::builder().version(Version::HTTP_2).uri(format!("http://weir{path}"))
}

#[tokio::test]
async fn a_call_over_http2_goes_up_over_http1() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = caller(&proxy).await;
    let call =
        get("/a?b").header("cookie", "a=1").header("cookie", "b=2").body(Body::empty()).unwrap();
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\r\nok";
    let ((head, _), response) = tokio::join!(upstream.answer(answer), caller.send_request(call));
    assert_eq!(
        head,
        format!(
            "GET /a?b HTTP/1.1\r\ncookie: a=1; b=2\r\nhost: {}\r\nvia: 2.0 weir\r\n\r\n",
            upstream.address()
        )
    );
    let response = response.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    assert_eq!(response.headers()["via"], "1.1 weir");
    assert!(
        !response.headers().contains_key("x-hop") && !response.headers().contains_key("keep-alive")
    );
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = caller(&proxy).await;
    let trailers = http::HeaderMap::from_iter([("x-sum".parse().unwrap(), "1".parse().unwrap())]);
    let frames =
        [Ok::<_, Infallible>(Frame::data(Bytes::from("abc"))), Ok(Frame::trailers(trailers))];
    let body = Body::boxed(StreamBody::new(stream::iter(frames)));
    let call = get("/")
        .method("POST")
        .header("te", "trailers")
        .header("trailer", "x-sum")
        .body(body)
        .unwrap();
    let serve = async {
        let mut wire = upstream.accept().await;
        let seen = wire.until("x-sum: 1\r\n\r\n").await;
        wire.write("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 2\r\n\r\n")
            .await;
        seen
    };
    let (seen, response) = tokio::join!(serve, caller.send_request(call));
    assert!(seen.contains("\r\n3\r\nabc\r\n0\r\n"), "{seen}");
    let body = response.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "2");
}

#[tokio::test]
async fn half_an_answer_resets_the_stream_and_no_other() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = caller(&proxy).await;
    let serve = async {
        drop(
            upstream
                .answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
                .await,
        )
    };
    let ((), response) =
        tokio::join!(serve, caller.send_request(get("/").body(Body::empty()).unwrap()));
    assert!(response.unwrap().into_body().collect().await.is_err());
    let again = caller.send_request(get("/").body(Body::empty()).unwrap());
    let (_, response) = tokio::join!(upstream.answer("HTTP/1.1 204 No Content\r\n\r\n"), again);
    assert_eq!(response.unwrap().status(), 204);
}

#[tokio::test]
async fn a_stream_that_is_given_up_cancels_its_call() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = caller(&proxy).await;
    let call = tokio::spawn(caller.send_request(get("/").body(Body::empty()).unwrap()));
    let mut wire = upstream.accept().await;
    wire.head().await;
    call.abort();
    assert_eq!(wire.rest().await, "");
}

#[tokio::test]
async fn a_head_request_keeps_its_length() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut caller = caller(&proxy).await;
    let call = caller.send_request(get("/").method("HEAD").body(Body::empty()).unwrap());
    let (_, response) =
        tokio::join!(upstream.answer("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"), call);
    assert_eq!(response.unwrap().headers()["content-length"], "500");
}
