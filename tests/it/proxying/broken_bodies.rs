//! Bodies whose framing is broken, over both protocols, of calls that rules govern and of others.
//! None of them may reach upstream as a whole request.

use super::*;
use crate::testbed::{SECRET, Testbed, raw};

/// Chunked bodies that break their own framing.
const BROKEN_CHUNKS: [(&str, &str); 17] = [
    ("data past the size", "3\r\nabcd\r\n0\r\n\r\n"),
    ("a whole body past the size", "3\r\nabc0\r\n\r\n"),
    ("no CRLF after the data", "3\r\nabc0\r\n\r\n0\r\n\r\n"),
    ("two other bytes for the CRLF", "3\r\nabcXX0\r\n\r\n"),
    ("LF for the CRLF", "3\r\nabc\n0\r\n\r\n"),
    ("CR without LF", "3\r\nabc\r0\r\n\r\n"),
    ("LF after the size", "3\nabc\r\n0\r\n\r\n"),
    ("LF after the last size", "3\r\nabc\r\n0\n\r\n"),
    ("a size past 64 bits", "10000000000000003\r\nabc\r\n0\r\n\r\n"),
    ("a size of all ones", "ffffffffffffffffff\r\nabc"),
    ("a size that is no number", "zz\r\nabc\r\n0\r\n\r\n"),
    ("a size with a sign", "+3\r\nabc\r\n0\r\n\r\n"),
    ("a size with a prefix", "0x3\r\nabc\r\n0\r\n\r\n"),
    ("a blank before the size", " 3\r\nabc\r\n0\r\n\r\n"),
    ("LF in an extension", "3;a\nb\r\nabc\r\n0\r\n\r\n"),
    ("no size", "\r\nabc\r\n0\r\n\r\n"),
    ("an end within the data", "9\r\nabc\r\n0\r\n\r\n"),
];

/// Asserts that what arrived upstream is no whole request.
fn no_whole_request(case: &str, seen: &[crate::testbed::Seen]) {
    assert!(seen.iter().all(|seen| !seen.is_whole), "{case}: {seen:?}");
}

#[tokio::test]
async fn chunks_that_break_their_framing_are_no_whole_request_upstream() {
    for (case, chunks) in BROKEN_CHUNKS {
        let upstream = Recorder::start().await;
        let proxy = Proxy::with(&format!("http://{}", upstream.address), |_| {}).await;
        let mut caller = proxy.caller().await;
        let head = "POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n";
        caller.write(&format!("{head}{chunks}")).await;
        caller.stream.shutdown().await.unwrap();
        let got = caller.rest().await;
        assert!(got.is_empty() || status(&got) == "HTTP/1.1 400 Bad Request", "{case}: {got}");
        no_whole_request(case, &upstream.seen().await);
    }
}

#[tokio::test]
async fn a_governed_call_in_broken_chunks_is_not_sent() {
    let bed = Testbed::new().start().await;
    let calls = bed.emulator.calls().len();
    for (case, chunks) in BROKEN_CHUNKS {
        // The data is a body that would be whole.
        let chunks = chunks.replace("abc", "{ }");
        let request = format!(
            "POST /checkouts HTTP/1.1\r\nHost: w\r\nAuthorization: {SECRET}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
        );
        let mut caller = Wire::new(TcpStream::connect(bed.weir.address()).await.unwrap());
        caller.write(&request).await;
        caller.stream.shutdown().await.unwrap();
        let got = caller.rest().await;
        assert!(got.is_empty() || status(&got) == "HTTP/1.1 400 Bad Request", "{case}: {got}");
        assert_eq!(bed.emulator.calls().len(), calls, "{case}");
    }
}

#[tokio::test]
async fn trailers_that_would_change_the_framing_or_the_caller_are_not_passed_on() {
    let upstream = Recorder::start().await;
    let proxy = Proxy::with(&format!("http://{}", upstream.address), |_| {}).await;
    let named = "Content-Length, Transfer-Encoding, Host, Authorization, X-Sum";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: w\r\nTE: trailers\r\nTrailer: {named}\r\nConnection: close, TE\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: gzip\r\nHost: evil\r\nAuthorization: evil\r\nX-Sum: 1\r\n\r\n"
    );
    let reply = raw(proxy.address, request.as_bytes()).await;
    assert_eq!(reply.status, 204);
    let seen = upstream.seen().await;
    let (_, trailers) = seen[0].text.split_once("\r\n0\r\n").unwrap();
    assert_eq!(trailers, "x-sum: 1\r\n\r\n");
}

/// Sends a POST over HTTP/2: a head with these fields, then these frames.
async fn post(
    address: std::net::SocketAddr,
    path: &str,
    fields: &[(&str, &str)],
    parts: &[Part],
) -> StreamEnd {
    let mut frames = Frames::to(address).await;
    let mut head = vec![
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "w"),
        (":path", path),
        ("authorization", SECRET),
    ];
    head.extend_from_slice(fields);
    frames.head(1, &head, false).await;
    for part in parts {
        // What was sent before may be upstream already.
        frames.settle().await;
        match part {
            Part::Data(content) => frames.data(1, content.as_bytes(), false).await,
            Part::End(content) => frames.data(1, content.as_bytes(), true).await,
            Part::Trailers(fields) => frames.head(1, fields, true).await,
            Part::Reset(code) => frames.reset(1, *code).await,
        }
    }
    if matches!(parts.last(), Some(Part::Reset(_))) {
        return StreamEnd::Closed;
    }
    frames.end_of(1).await
}

enum Part {
    Data(&'static str),
    /// Data with the end of the stream.
    End(&'static str),
    Trailers(&'static [(&'static str, &'static str)]),
    Reset(u32),
}

use Part::{Data, End, Reset, Trailers};

type Fields = &'static [(&'static str, &'static str)];

/// Bodies over HTTP/2 that are not what their head says, or that are given up.
const BROKEN_STREAMS: [(&str, Fields, &[Part]); 12] = [
    ("more in one frame", &[("content-length", "3")], &[End("{ }}")]),
    ("more in a second frame", &[("content-length", "3")], &[Data("{ }"), End("}")]),
    ("more, and no end", &[("content-length", "3")], &[Data("{ }"), Data("}")]),
    ("less", &[("content-length", "4")], &[End("{ }")]),
    ("less, in two frames", &[("content-length", "4")], &[Data("{ }"), End("")]),
    ("less, then trailers", &[("content-length", "4")], &[Data("{ }"), Trailers(&[("x", "1")])]),
    ("none announced, some sent", &[("content-length", "0")], &[End("{ }")]),
    (
        "none announced, an empty part, some sent",
        &[("content-length", "0")],
        &[Data(""), End("{}")],
    ),
    ("no number", &[("content-length", "3x")], &[End("{ }")]),
    ("two lengths", &[("content-length", "3"), ("content-length", "4")], &[End("{ }")]),
    ("a transfer coding", &[("transfer-encoding", "chunked")], &[End("{ }")]),
    ("a connection field", &[("connection", "close")], &[End("{ }")]),
];

/// Bodies over HTTP/2 that are given up after all that was announced, or at some moment.
const GIVEN_UP: [(&str, Fields, &[Part]); 5] = [
    ("cancelled when complete", &[("content-length", "3")], &[Data("{ }"), Reset(8)]),
    ("ended without error when complete", &[("content-length", "3")], &[Data("{ }"), Reset(0)]),
    ("ended without error, no length", &[], &[Data("{ }"), Reset(0)]),
    ("ended without error, empty", &[("content-length", "0")], &[Reset(0)]),
    ("cancelled, no length", &[], &[Data("{ }"), Reset(8)]),
];

#[tokio::test]
async fn streams_that_are_not_what_they_announce_are_no_whole_request_upstream() {
    for (case, fields, parts) in BROKEN_STREAMS {
        let upstream = Recorder::start().await;
        let proxy = Proxy::with(&format!("http://{}", upstream.address), |_| {}).await;
        let end = post(proxy.address, "/", fields, parts).await;
        assert!(matches!(end, StreamEnd::Reset(_) | StreamEnd::Answered(400)), "{case}: {end:?}");
        no_whole_request(case, &upstream.seen().await);
    }
}

#[tokio::test]
async fn streams_that_are_given_up_are_no_whole_request_upstream() {
    for (case, fields, parts) in GIVEN_UP {
        let upstream = Recorder::start().await;
        let proxy = Proxy::with(&format!("http://{}", upstream.address), |_| {}).await;
        post(proxy.address, "/", fields, parts).await;
        // The next call is served after them.
        let after = [("content-length", "2")];
        let end = post(proxy.address, "/after", &after, &[Data("ab"), End("")]).await;
        assert_eq!(end, StreamEnd::Answered(204), "{case}");
        let mut seen = upstream.seen().await;
        seen.retain(|seen| !seen.text.starts_with("POST /after"));
        no_whole_request(case, &seen);
    }
}

#[tokio::test]
async fn a_governed_call_over_a_broken_stream_is_not_sent() {
    let bed = Testbed::new().start().await;
    let calls = bed.emulator.calls().len();
    for (case, fields, parts) in BROKEN_STREAMS.iter().chain(&GIVEN_UP) {
        let end = post(bed.weir.address(), "/checkouts", fields, parts).await;
        assert!(!matches!(end, StreamEnd::Answered(200..=299)), "{case}: {end:?}");
        assert_eq!(bed.emulator.calls().len(), calls, "{case}");
    }
}

#[tokio::test]
async fn whole_bodies_over_http2_reach_upstream_as_they_are() {
    let cases: [(&str, Fields, &[Part], &str); 6] = [
        ("one frame", &[("content-length", "3")], &[End("abc")], "\r\n\r\nabc"),
        ("an end of its own", &[("content-length", "3")], &[Data("abc"), End("")], "\r\n\r\nabc"),
        (
            "parts",
            &[("content-length", "3")],
            &[Data("a"), Data(""), Data("bc"), Data(""), End("")],
            "\r\n\r\nabc",
        ),
        ("nothing", &[("content-length", "0")], &[End("")], "content-length: 0\r\n"),
        ("no length", &[], &[Data("abc"), End("")], "\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        (
            "trailers",
            &[("te", "trailers"), ("trailer", "x-sum")],
            &[Data("abc"), Trailers(&[("x-sum", "1")])],
            "\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n",
        ),
    ];
    for (case, fields, parts, expected) in cases {
        let upstream = Recorder::start().await;
        let proxy = Proxy::with(&format!("http://{}", upstream.address), |_| {}).await;
        assert_eq!(
            post(proxy.address, "/", fields, parts).await,
            StreamEnd::Answered(204),
            "{case}"
        );
        let seen = upstream.seen().await;
        assert!(seen.len() == 1 && seen[0].text.contains(expected), "{case}: {seen:?}");
    }
}
