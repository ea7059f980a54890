//! How calls and connections of HTTP/2 to upstream end: nothing is sent twice, half an answer never
//! looks whole, and one call's end is not another's.

use super::{
    http2_out::{GET, Secure},
    *,
};
use tokio::time::Instant;

const MAX_CONCURRENT_STREAMS: u16 = 3;
const NO_ERROR: u32 = 0;
const PROTOCOL_ERROR: u32 = 1;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

const NO_CONTENT: [(&str, &str); 1] = [(":status", "204")];
const OK: [(&str, &str); 1] = [(":status", "200")];

fn post(body: &str) -> String {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nHost: w\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Asks in a task of its own.
fn asking(proxy: &std::sync::Arc<Proxy>, ask: &str) -> tokio::task::JoinHandle<String> {
    let (proxy, ask) = (proxy.clone(), ask.to_owned());
    tokio::spawn(async move { proxy.ask(&ask).await })
}

async fn before(
    upstream: &Secure,
    change: impl FnOnce(&mut UpstreamSettings),
) -> std::sync::Arc<Proxy> {
    std::sync::Arc::new(upstream.proxy(change).await)
}

#[tokio::test(start_paused = true)]
async fn after_a_goaway_what_was_begun_ends_and_what_was_not_goes_over_another_connection_once() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |_| {}).await;
    let first = asking(&proxy, GET);
    let (mut old, begun) = upstream.request().await;
    let others = [asking(&proxy, GET), asking(&proxy, GET)];
    for _ in &others {
        old.request().await.unwrap();
    }
    old.go_away(begun, NO_ERROR).await;
    let mut new = upstream.frames().await;
    for _ in &others {
        let id = new.request().await.unwrap();
        new.head(id, &NO_CONTENT, true).await;
    }
    for other in others {
        assert_eq!(status(&other.await.unwrap()), "HTTP/1.1 204 No Content");
    }
    let later = asking(&proxy, GET);
    let id = new.request().await.expect("no new call over the old connection");
    new.head(id, &NO_CONTENT, true).await;
    assert_eq!(status(&later.await.unwrap()), "HTTP/1.1 204 No Content");
    old.head(begun, &NO_CONTENT, true).await;
    assert_eq!(status(&first.await.unwrap()), "HTTP/1.1 204 No Content");
    assert_eq!(old.request().await, None, "and the old one is closed");
}

#[tokio::test(start_paused = true)]
async fn a_goaway_that_excludes_no_call_lets_all_end_and_none_is_sent_again() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |_| {}).await;
    let first = asking(&proxy, &post("abc"));
    let (mut wire, id) = upstream.request().await;
    wire.go_away((1 << 31) - 1, NO_ERROR).await;
    assert!(upstream.is_left_alone().await);
    drop(wire);
    let got = first.await.unwrap();
    assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway", "{id}");
    assert!(got.contains("bad_gateway"), "its outcome is not known: {got}");
    assert!(upstream.is_left_alone().await, "it is not sent again");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_upstream_refuses_goes_over_another_connection_once() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |_| {}).await;
    for answers in [true, false] {
        let call = asking(&proxy, GET);
        let (mut first, id) = upstream.request().await;
        first.reset(id, REFUSED_STREAM).await;
        let (mut second, id) = upstream.request().await;
        if answers {
            second.head(id, &NO_CONTENT, true).await;
            assert_eq!(status(&call.await.unwrap()), "HTTP/1.1 204 No Content");
        } else {
            second.reset(id, REFUSED_STREAM).await;
            let got = call.await.unwrap();
            assert!(got.contains("upstream_unreachable"), "it was not processed: {got}");
        }
        for wire in [&mut first, &mut second] {
            wire.go_away(id, NO_ERROR).await;
            assert_eq!(wire.request().await, None);
        }
    }
    assert!(upstream.is_left_alone().await);
}

/// As governed calls are sent: their bodies have been read.
#[tokio::test(start_paused = true)]
async fn a_whole_body_goes_with_its_call_to_the_other_connection() {
    let upstream = Secure::new().await;
    let client = Upstream::new(upstream.settings()).unwrap();
    for ends in ["refused", "gone away"] {
        let request = http::Request::post("/").header("host", "w").body(Body::full("abc")).unwrap();
        let call = tower::ServiceExt::oneshot(super::before(client.clone()), request);
        let serves = async {
            let (mut first, id) = upstream.request().await;
            assert_eq!(first.content_of(id).await, b"abc");
            match ends {
                "refused" => first.reset(id, REFUSED_STREAM).await,
                _ => first.go_away(0, NO_ERROR).await,
            }
            let (mut second, id) = upstream.request().await;
            assert_eq!(second.content_of(id).await, b"abc");
            second.head(id, &NO_CONTENT, true).await;
            for wire in [&mut first, &mut second] {
                wire.go_away(id, NO_ERROR).await;
            }
            (first, second)
        };
        let (answer, (mut first, mut second)) = tokio::join!(call, serves);
        assert_eq!(answer.unwrap().status(), 204, "{ends}");
        first.closed().await;
        second.closed().await;
    }
    assert!(upstream.is_left_alone().await);
}

#[tokio::test(start_paused = true)]
async fn a_streamed_call_that_upstream_refuses_is_not_sent_again() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |_| {}).await;
    let call = asking(&proxy, &post("abc"));
    let (mut wire, id) = upstream.request().await;
    wire.reset(id, REFUSED_STREAM).await;
    let got = call.await.unwrap();
    assert!(got.contains("upstream_unreachable"), "{got}");
    assert!(upstream.is_left_alone().await);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_in_no_known_way_is_not_sent_again_and_is_no_others_end() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |_| {}).await;
    let other = asking(&proxy, GET);
    let (mut wire, other_id) = upstream.request().await;
    for code in [NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, CANCEL, ENHANCE_YOUR_CALM] {
        let call = asking(&proxy, GET);
        let id = wire.request().await.unwrap();
        wire.reset(id, code).await;
        let got = call.await.unwrap();
        assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway", "{code}");
        assert!(got.contains("bad_gateway"), "{code}: {got}");
    }
    assert!(upstream.is_left_alone().await);
    wire.head(other_id, &NO_CONTENT, true).await;
    assert_eq!(status(&other.await.unwrap()), "HTTP/1.1 204 No Content");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_ends_its_calls_unsent_again_and_the_next_one_is_made() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |_| {}).await;
    let calls = [asking(&proxy, GET), asking(&proxy, &post("abc"))];
    let (mut wire, _) = upstream.request().await;
    wire.request().await.unwrap();
    drop(wire);
    for call in calls {
        assert!(call.await.unwrap().contains("bad_gateway"));
    }
    assert!(upstream.is_left_alone().await);
    let next = asking(&proxy, GET);
    let (mut wire, id) = upstream.request().await;
    wire.head(id, &NO_CONTENT, true).await;
    assert_eq!(status(&next.await.unwrap()), "HTTP/1.1 204 No Content");
}

#[tokio::test(start_paused = true)]
async fn half_an_answer_never_looks_whole() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |_| {}).await;
    let long = [(":status", "200"), ("content-length", "10")];
    let mut callers = Vec::new();
    for (head, end) in [
        (&OK[..], Some(INTERNAL_ERROR)),
        (&OK[..], Some(NO_ERROR)),
        (&long[..], Some(CANCEL)),
        (&long[..], Some(NO_ERROR)),
        // It announces more than it brings.
        (&long[..], None),
    ] {
        let mut caller = proxy.caller().await;
        caller.write(GET).await;
        callers.push((caller, head, end));
    }
    let mut wire = upstream.frames().await;
    for (mut caller, head, end) in callers {
        let id = wire.request().await.unwrap();
        wire.head(id, head, false).await;
        wire.data(id, b"half", false).await;
        assert_eq!(status(&caller.until("half").await), "HTTP/1.1 200 OK", "{end:?}");
        match end {
            Some(code) => wire.reset(id, code).await,
            None => wire.data(id, b"", true).await,
        }
        let rest = caller.rest().await;
        assert!(rest.is_empty() || rest == "\r\n", "{end:?}: {rest:?}");
    }
    assert!(upstream.is_left_alone().await, "all over one connection");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_sound_is_a_bad_gateway() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |_| {}).await;
    let two = [(":status", "200"), ("content-length", "4"), ("content-length", "5")];
    let mut many = vec![(":status", "200")];
    many.resize(514, ("x", "y"));
    for head in [&two[..], &many[..]] {
        let call = asking(&proxy, GET);
        let (mut wire, id) = upstream.request().await;
        wire.head(id, head, false).await;
        wire.data(id, b"half", true).await;
        assert!(call.await.unwrap().contains("bad_gateway"));
        wire.go_away(id, NO_ERROR).await;
        wire.closed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_resets_its_stream_and_no_other() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |settings| {
        settings.timeout = Duration::from_secs(5);
        settings.read_timeout = Duration::from_secs(3);
    })
    .await;
    let began = Instant::now();
    let call = asking(&proxy, GET);
    let (mut wire, id) = upstream.request().await;
    assert_eq!(wire.reset_of(id).await, Some(CANCEL));
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(status(&call.await.unwrap()), "HTTP/1.1 504 Gateway Timeout");

    // Perhaps nothing moves on the first connection any more.
    let call = asking(&proxy, GET);
    let (mut wire, id) = upstream.request().await;
    wire.head(id, &OK, false).await;
    wire.data(id, b"half", false).await;
    let began = Instant::now();
    assert_eq!(wire.reset_of(id).await, Some(CANCEL));
    assert_eq!(began.elapsed().as_secs(), 3);
    let got = call.await.unwrap();
    assert!(got.ends_with("half\r\n"), "{got}");
    assert!(upstream.is_left_alone().await);
}

#[tokio::test]
async fn a_caller_that_hangs_up_resets_its_stream_and_no_other() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |_| {}).await;
    let other = asking(&proxy, GET);
    let (mut wire, other_id) = upstream.request().await;
    for (call, answer) in [
        (GET, None),
        (GET, Some("half")),
        ("POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 10\r\n\r\nhalf", None),
        ("POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 10\r\n\r\nhalf", Some("half")),
    ] {
        let mut caller = proxy.caller().await;
        caller.write(call).await;
        let id = wire.request().await.unwrap();
        if let Some(answer) = answer {
            wire.head(id, &OK, false).await;
            wire.data(id, answer.as_bytes(), false).await;
            caller.until("half").await;
        }
        drop(caller);
        assert!(wire.reset_of(id).await.is_some(), "{call} {answer:?}");
    }
    wire.head(other_id, &NO_CONTENT, true).await;
    assert_eq!(status(&other.await.unwrap()), "HTTP/1.1 204 No Content");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_not_sent_on_after_an_answer_that_comes_early() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |_| {}).await;
    let mut caller = proxy.caller().await;
    caller.write("POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 100000000\r\n\r\nbegun").await;
    let (mut wire, id) = upstream.request().await;
    wire.head(id, &[(":status", "413"), ("content-length", "3")], false).await;
    wire.data(id, b"big", true).await;
    assert_eq!(status(&caller.until("\r\n\r\nbig").await), "HTTP/1.1 413 Payload Too Large");
    assert_eq!(wire.reset_of(id).await, Some(CANCEL));
    let next = asking(&proxy, GET);
    let id = wire.request().await.expect("over the same connection");
    wire.head(id, &NO_CONTENT, true).await;
    assert_eq!(status(&next.await.unwrap()), "HTTP/1.1 204 No Content");
}

/// A stream whose bytes upstream does not take cannot be reset. Its connection takes no call then.
#[tokio::test(start_paused = true)]
async fn a_connection_with_a_request_that_is_never_taken_is_left() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |_| {}).await;
    let (mut read, mut write) = proxy.caller().await.stream.into_split();
    let head = "POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 100000000\r\n\r\n";
    let body = head.to_owned() + &"x".repeat(8 << 20);
    let sends = tokio::spawn(async move { write.write_all(body.as_bytes()).await });
    let (mut wire, id) = upstream.request().await;
    wire.head(id, &[(":status", "413"), ("content-length", "3")], false).await;
    wire.data(id, b"big", true).await;
    let mut got = [0; 12];
    read.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"HTTP/1.1 413");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let next = asking(&proxy, GET);
    let (mut second, id) = upstream.request().await;
    second.head(id, &NO_CONTENT, true).await;
    assert_eq!(status(&next.await.unwrap()), "HTTP/1.1 204 No Content");
    wire.closed().await;
    sends.abort();
}

/// h2 would take a body at once that is whole, and nobody would see that none of it goes.
#[tokio::test(start_paused = true)]
async fn a_connection_with_a_whole_request_that_is_never_taken_is_left_as_well() {
    let upstream = Secure::new().await;
    let client = Upstream::new(upstream.settings()).unwrap();
    let request = |body: Body| http::Request::post("/").header("host", "w").body(body).unwrap();
    let large = Body::full(vec![b'x'; 1 << 20]);
    let call = tower::ServiceExt::oneshot(super::before(client.clone()), request(large));
    let serves = async {
        let (mut wire, id) = upstream.request().await;
        wire.head(id, &[(":status", "413")], true).await;
        wire
    };
    let (answer, mut wire) = tokio::join!(call, serves);
    assert_eq!(answer.unwrap().status(), 413);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let call = tower::ServiceExt::oneshot(super::before(client.clone()), request(Body::full("a")));
    let serves = async {
        let (mut second, id) = upstream.request().await;
        assert_eq!(second.content_of(id).await, b"a");
        second.head(id, &NO_CONTENT, true).await;
    };
    let (answer, ()) = tokio::join!(call, serves);
    assert_eq!(answer.unwrap().status(), 204);
    wire.closed().await;
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_takes_no_further_call_and_ends_with_its_last_one() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |settings| {
        settings.max_age = Duration::from_secs(100);
        settings.pool_idle = Duration::from_secs(1000);
        settings.timeout = Duration::from_secs(1000);
    })
    .await;
    let first = asking(&proxy, GET);
    // It answers PINGs.
    let (mut old, id) = upstream.request().await;
    let (answer, answered) = oneshot::channel::<()>();
    let keeps = tokio::spawn(async move {
        tokio::select! {
            more = old.request() => panic!("another call, or the end: {more:?}"),
            _ = answered => {}
        }
        old.head(id, &NO_CONTENT, true).await;
        old.closed().await;
    });
    tokio::time::sleep(Duration::from_secs(101)).await;
    let second = asking(&proxy, GET);
    let (mut new, id) = upstream.request().await;
    new.head(id, &NO_CONTENT, true).await;
    assert_eq!(status(&second.await.unwrap()), "HTTP/1.1 204 No Content");
    answer.send(()).unwrap();
    assert_eq!(status(&first.await.unwrap()), "HTTP/1.1 204 No Content");
    keeps.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_unused_connection_is_closed_after_a_while() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |settings| {
        settings.pool_idle = Duration::from_secs(30);
        settings.ping_after = Duration::from_secs(1000);
    })
    .await;
    let call = asking(&proxy, GET);
    let (mut wire, id) = upstream.request().await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    wire.head(id, &NO_CONTENT, true).await;
    call.await.unwrap();
    let began = Instant::now();
    wire.closed().await;
    let took = began.elapsed().as_secs();
    assert!((30..=60).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_which_nothing_is_heard_is_closed_with_its_calls() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |settings| {
        settings.timeout = Duration::from_secs(1000);
        settings.connect_timeout = Duration::from_secs(5);
        settings.ping_after = Duration::from_secs(10);
    })
    .await;
    let call = asking(&proxy, GET);
    let (_silent, _) = upstream.request().await;
    let began = Instant::now();
    assert!(call.await.unwrap().contains("bad_gateway"));
    assert!((15..=16).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert!(upstream.is_left_alone().await, "it is not sent again");
}

#[tokio::test(start_paused = true)]
async fn no_call_begins_before_upstream_has_said_how_many_it_allows() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |settings| {
        settings.connect_timeout = Duration::from_secs(5);
        settings.ping_after = Duration::from_secs(1000);
    })
    .await;
    let call = asking(&proxy, GET);
    let mut silent = Frames::silent(upstream.stream().await).await;
    assert_eq!(silent.request().await, None, "nothing was sent");
    assert!(call.await.unwrap().contains("Nothing was sent to it"));

    let calls = [asking(&proxy, GET), asking(&proxy, GET)];
    let mut wire = Frames::accepted(upstream.stream().await, &[(MAX_CONCURRENT_STREAMS, 0)]).await;
    assert!(upstream.is_left_alone().await, "one connection waits");
    for call in calls {
        assert!(call.await.unwrap().contains("Nothing was sent to it"));
    }
    let call = asking(&proxy, GET);
    idle().await;
    wire.settings(&[(MAX_CONCURRENT_STREAMS, 1)]).await;
    let id = wire.request().await.expect("a call, once it is allowed");
    wire.head(id, &NO_CONTENT, true).await;
    assert_eq!(status(&call.await.unwrap()), "HTTP/1.1 204 No Content");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_while_it_is_made_takes_no_call() {
    let upstream = Secure::new().await;
    let proxy = before(&upstream, |_| {}).await;
    let call = asking(&proxy, GET);
    drop(upstream.stream().await);
    assert!(call.await.unwrap().contains("Nothing was sent to it"));
    assert!(upstream.is_left_alone().await);
}
