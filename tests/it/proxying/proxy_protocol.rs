//! Peers that say in a PROXY header for whom they speak.

use super::{tls_in::Authority, *};
use crate::testbed::{Program, ProxyPeers};
use rustls::pki_types::ServerName;
use std::{
    io::{Read, Write},
    net::SocketAddr,
};
use tokio::{io::BufStream, time::Instant};

const GET: &str = "GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n";
const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const FOUR: &[u8] = &[203, 0, 113, 9, 10, 0, 0, 1, 0xdb, 0xa0, 0x01, 0xbb];

fn v1(line: &str) -> Vec<u8> {
    format!("PROXY {line}\r\n").into_bytes()
}

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, rest].concat()
}

/// Options under which the peers of these networks must send a header.
fn peers(networks: &[&str]) -> ServeOptions {
    let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
    ServeOptions {
        caller_address: true,
        proxy_peers: ProxyPeers { networks, unix: false },
        ..ServeOptions::default()
    }
}

/// A proxy with these options before an upstream that it tells the caller's address.
async fn telling(options: ServeOptions) -> (Proxy, Listener) {
    let upstream = Listener::new().await;
    let target = format!("http://{}", upstream.address()).parse().unwrap();
    let settings = UpstreamSettings { forwarded: true, ..UpstreamSettings::new(target) };
    (Proxy::serving(proxying(settings), options).await, upstream)
}

async fn sent(proxy: &Proxy, bytes: &[u8]) -> Wire {
    let mut caller = proxy.caller().await;
    caller.stream.write_all(bytes).await.unwrap();
    caller
}

/// Answers the next call, and returns whose it is as upstream is told.
async fn told(upstream: &Listener) -> String {
    let (head, _) = upstream.answer(NO_CONTENT).await;
    let line = head.lines().find_map(|line| line.strip_prefix("x-forwarded-for: "));
    line.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_address_that_a_header_names_is_the_callers() {
    let six = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1], &[0; 16], &[0xdb, 0xa0, 1, 0xbb]];
    let with_additions = [FOUR, &[0x04, 0, 2, 7, 7], &[0xe0, 1, 0], &[0; 256]].concat();
    let longest = [FOUR, &[0; 4096 - 12][..]].concat();
    let (proxy, upstream) = telling(peers(&["127.0.0.0/8"])).await;
    let cases = [
        (v1("TCP4 203.0.113.9 10.0.0.1 56224 443"), "203.0.113.9"),
        (v1("TCP6 2001:db8::1 ::1 56224 443"), "2001:db8::1"),
        (v1("TCP6 ::ffff:203.0.113.9 ::1 56224 443"), "203.0.113.9"),
        (v1("UNKNOWN"), "127.0.0.1"),
        (v1("UNKNOWN 203.0.113.9 10.0.0.1 56224 443"), "127.0.0.1"),
        (v2(0x21, 0x11, FOUR), "203.0.113.9"),
        (v2(0x21, 0x21, &six.concat()), "2001:db8::1"),
        (v2(0x21, 0x11, &with_additions), "203.0.113.9"),
        (v2(0x21, 0x11, &longest), "203.0.113.9"),
        (v2(0x20, 0x11, FOUR), "127.0.0.1"),
        (v2(0x20, 0x00, &[]), "127.0.0.1"),
        (v2(0x21, 0x00, &[1, 2, 3]), "127.0.0.1"),
    ];
    for (header, expected) in cases {
        // The request comes in the packet of the header.
        let mut caller = sent(&proxy, &[&header, GET.as_bytes()].concat()).await;
        assert_eq!(told(&upstream).await, expected, "{header:?}");
        assert_eq!(status(&caller.rest().await), "HTTP/1.1 204 No Content");
    }
}

#[tokio::test]
async fn every_call_of_a_connection_is_the_same_callers() {
    let (proxy, upstream) = telling(peers(&["127.0.0.1/32"])).await;
    let twice = "GET /1 HTTP/1.1\r\nHost: w\r\n\r\n".to_owned() + GET;
    let header = v1("TCP4 203.0.113.9 10.0.0.1 56224 443");
    let mut caller = sent(&proxy, &[&header, twice.as_bytes()].concat()).await;
    let answers = async {
        let (first, mut wire) = upstream.answer(NO_CONTENT).await;
        let second = wire.head().await;
        wire.write(NO_CONTENT).await;
        (first, second, wire)
    };
    let ((first, second, _wire), got) = tokio::join!(answers, caller.rest());
    for head in [first, second] {
        assert!(head.contains("x-forwarded-for: 203.0.113.9\r\n"), "{head}");
    }
    assert_eq!(got.matches("HTTP/1.1 204 No Content").count(), 2, "{got}");
}

#[tokio::test(start_paused = true)]
async fn a_header_may_come_byte_by_byte() {
    let (proxy, upstream) = telling(peers(&["127.0.0.0/8"])).await;
    for header in [v1("TCP4 203.0.113.9 10.0.0.1 56224 443"), v2(0x21, 0x11, FOUR)] {
        let mut caller = proxy.caller().await;
        caller.stream.set_nodelay(true).unwrap();
        for byte in [&header, GET.as_bytes()].concat() {
            caller.stream.write_all(&[byte]).await.unwrap();
            idle().await;
        }
        assert_eq!(told(&upstream).await, "203.0.113.9");
        assert_eq!(status(&caller.rest().await), "HTTP/1.1 204 No Content");
    }
}

#[tokio::test]
async fn http2_may_follow_a_header() {
    let (proxy, upstream) = telling(peers(&["127.0.0.0/8"])).await;
    let stream = sent(&proxy, &v2(0x21, 0x11, FOUR)).await.stream;
    let mut frames = Frames::over(stream).await;
    let fields = [(":method", "GET"), (":scheme", "http"), (":authority", "w"), (":path", "/")];
    frames.head(1, &fields, true).await;
    assert_eq!(told(&upstream).await, "203.0.113.9");
    assert_eq!(frames.end_of(1).await, StreamEnd::Answered(204));
}

#[tokio::test]
async fn tls_may_follow_a_header_also_in_one_packet() {
    let authority = Authority::new();
    let certificates = vec![authority.file("a.pem", "a.example")];
    let tls = Tls::new(&TlsFiles { certificates, ..TlsFiles::default() }).unwrap();
    let (proxy, upstream) =
        telling(ServeOptions { tls: Some(tls), ..peers(&["127.0.0.0/8"]) }).await;
    for header in [v1("TCP4 203.0.113.9 10.0.0.1 56224 443"), v2(0x21, 0x11, FOUR)] {
        // The header waits in the buffer until the client's hello is written behind it.
        let mut stream = BufStream::new(TcpStream::connect(proxy.address).await.unwrap());
        stream.write_all(&header).await.unwrap();
        let client = authority.client(&[], None);
        let name = ServerName::try_from("a.example").unwrap();
        let mut stream = client.connect(name, stream).await.unwrap();
        stream.write_all(GET.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(told(&upstream).await, "203.0.113.9");
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        assert_eq!(status(&text(got)), "HTTP/1.1 204 No Content");
    }
    // Within TLS it is none.
    let header = v1("TCP4 203.0.113.9 10.0.0.1 56224 443");
    let stream = TcpStream::connect(proxy.address).await.unwrap();
    let name = ServerName::try_from("a.example").unwrap();
    assert!(authority.client(&[], None).connect(name, stream).await.is_err());
    let (proxy, _) = telling(peers(&["127.0.0.0/8"])).await;
    let mut caller = sent(&proxy, &[&header[..], &header, GET.as_bytes()].concat()).await;
    assert_eq!(status(&caller.rest().await), "HTTP/1.1 400 Bad Request", "one is enough");
}

#[tokio::test]
async fn a_peer_that_is_not_named_cannot_say_for_whom_it_speaks() {
    for networks in [&[][..], &["192.0.2.0/24", "::1/128"]] {
        let (proxy, upstream) = telling(peers(networks)).await;
        for header in [v1("TCP4 203.0.113.9 10.0.0.1 56224 443"), v2(0x21, 0x11, FOUR)] {
            let mut caller = sent(&proxy, &[&header, GET.as_bytes()].concat()).await;
            assert_eq!(status(&caller.rest().await), "HTTP/1.1 400 Bad Request", "{header:?}");
        }
        let mut caller = sent(&proxy, GET.as_bytes()).await;
        assert_eq!(told(&upstream).await, "127.0.0.1");
        assert_eq!(status(&caller.rest().await), "HTTP/1.1 204 No Content");
    }
}

#[tokio::test]
async fn a_named_peer_without_a_whole_header_is_not_served() {
    let recorder = Recorder::start().await;
    let target = format!("http://{}", recorder.address).parse().unwrap();
    let settings = UpstreamSettings::new(target);
    let proxy = Proxy::serving(proxying(settings), peers(&["127.0.0.0/8"])).await;
    let too_long = |byte: u8| [b"PROXY TCP4 ", &[byte; 120][..], b"\r\n"].concat();
    let cases = [
        GET.as_bytes().to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        v1("TCP4 203.0.113.9 10.0.0.1 443"),
        v1("TCP4 not.an.address 10.0.0.1 56224 443"),
        v1("TCP4 203.0.113.9 10.0.0.1 56224 443")[1..].to_vec(),
        too_long(b'1'),
        too_long(b' '),
        v2(0x21, 0x11, &FOUR[1..]),
        v2(0x31, 0x11, FOUR),
        v2(0x21, 0x12, FOUR),
        v2(0x21, 0x11, &[0; 4097]),
        v2(0x21, 0x11, &[0; 65_535]),
    ];
    for header in cases {
        let mut caller = proxy.caller().await;
        // It may be closed before all is sent, and what is unread then resets it.
        let _ = caller.stream.write_all(&[&header, GET.as_bytes()].concat()).await;
        let mut got = Vec::new();
        let _ = caller.stream.read_to_end(&mut got).await;
        assert_eq!(got, b"", "{header:?}");
    }
    assert_eq!(recorder.seen().await, []);
}

#[tokio::test(start_paused = true)]
async fn a_header_that_does_not_come_in_time_ends_the_connection() {
    let (proxy, _) = telling(peers(&["127.0.0.0/8"])).await;
    let v2 = v2(0x21, 0x11, FOUR);
    for part in [&b""[..], b"P", b"PROXY TCP4 203.0.113.9 ", &v2[..15], &v2[..v2.len() - 1]] {
        let before = Instant::now();
        let mut caller = sent(&proxy, part).await;
        assert_eq!(caller.rest().await, "", "{part:?}");
        assert_eq!(before.elapsed().as_secs(), 15, "{part:?}");
    }
    // After it a connection has the time that any other has.
    let before = Instant::now();
    assert_eq!(sent(&proxy, &v2).await.rest().await, "");
    assert_eq!(before.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn a_header_that_does_not_come_does_not_hold_up_a_stop() {
    let (proxy, _) = telling(peers(&["127.0.0.0/8"])).await;
    let mut caller = sent(&proxy, b"PROXY TCP4").await;
    idle().await;
    let before = Instant::now();
    proxy.stop.send(()).unwrap();
    assert_eq!(caller.rest().await, "");
    assert_eq!(proxy.ended.await.unwrap(), Drained::default());
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
}

#[test]
fn callers_of_the_program_need_a_header_and_its_admin_address_knows_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    let configuration = "[listen]\naddress = \"127.0.0.1:0\"\nproxy-protocol = [\"127.0.0.1\"]\n\
        [admin]\naddress = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n\
        [upstream]\nurl = \"http://127.0.0.1:1\"\n";
    std::fs::write(&file, configuration).unwrap();
    let mut weir = Program::start(&["run", "--config", file.to_str().unwrap()]);
    let ready = weir.json_until("weir is ready");
    let address = |name: &str| -> SocketAddr {
        let told = ready[name].as_str().or(ready["fields"][name].as_str());
        told.unwrap().trim_start_matches("http://").parse().unwrap()
    };
    let ask = |address: SocketAddr, request: &str| {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let _ = stream.write_all(request.as_bytes());
        let mut got = Vec::new();
        let _ = stream.read_to_end(&mut got);
        status(&text(got)).to_owned()
    };
    let header = String::from_utf8(v1("TCP4 203.0.113.9 10.0.0.1 56224 443")).unwrap();
    let live = "GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let (callers, admin) = (address("listen"), address("admin"));
    assert_eq!(ask(callers, &(header.clone() + GET)), "HTTP/1.1 502 Bad Gateway");
    assert_eq!(ask(callers, GET), "");
    let told = weir.until_error("does not begin with a PROXY header");
    assert!(told.contains("listen.proxy-protocol") && told.contains("127.0.0.1:"), "{told}");
    assert_eq!(ask(admin, live), "HTTP/1.1 200 OK");
    assert_eq!(ask(admin, &(header + live)), "HTTP/1.1 400 Bad Request");
    let counts = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let mut stream = std::net::TcpStream::connect(admin).unwrap();
    stream.write_all(counts.as_bytes()).unwrap();
    let mut got = String::new();
    stream.read_to_string(&mut got).unwrap();
    assert!(got.contains("weir_bounds_hit_total{bound=\"proxy-header\"} 1\n"), "{got}");
}
