//! The first roll-out: with everything on monitor, not a byte of a request or of an answer differs
//! from what it would be without Weir.

use crate::house::{House, RawReply, SECRET, raw, start_emulator, start_weir};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use weir::{
    GovernSettings, Governor,
    emulator::{Emulator, Options},
    rules::{Mode, Policy},
    sessions::{Sessions, Settings},
};

/// What one caller's requests look like to upstream, in order.
type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

/// Stands before upstream, passes every byte on, and keeps those of the requests: one entry per
/// connection.
async fn listening(upstream: SocketAddr) -> (SocketAddr, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Heard::default();
    let kept = heard.clone();
    tokio::spawn(async move {
        while let Ok((caller, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(upstream).await else { return };
            let (mut from_caller, mut to_caller) = caller.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            let kept = kept.clone();
            let at = {
                let mut kept = kept.lock().unwrap();
                kept.push(Vec::new());
                kept.len() - 1
            };
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_caller).await });
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = from_caller.read(&mut buffer).await {
                    kept.lock().unwrap()[at].extend_from_slice(&buffer[..read]);
                    if to_server.write_all(&buffer[..read]).await.is_err() {
                        break;
                    }
                }
                to_server.shutdown().await.ok();
            });
        }
    });
    (address, heard)
}

/// A request: its first line, its headers with names in lower case, its body.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Headers that a proxy must change, or that are about one connection only.
const HOPS: [&str; 4] = ["host", "connection", "via", "te"];

/// The requests on all connections that bear the mark of this test, so that Weir's own look-ups do
/// not count: `x-nth`.
fn requests(heard: &Heard) -> Vec<Request> {
    let mut found = Vec::new();
    for connection in heard.lock().unwrap().iter() {
        let mut rest = connection.as_slice();
        while let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(rest[..end].to_vec()).unwrap();
            let mut lines = head.split("\r\n");
            let line = lines.next().unwrap().to_owned();
            let headers: Vec<(String, String)> = lines
                .map(|line| line.split_once(':').unwrap())
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let length = headers
                .iter()
                .find(|(name, _)| name == "content-length")
                .map_or(0, |(_, n)| n.parse().unwrap());
            let body = rest[end + 4..end + 4 + length].to_vec();
            rest = &rest[end + 4 + length..];
            found.push(Request { line, headers, body });
        }
    }
    // A look-up carries its caller's headers; it is a GET that the sequence does not make.
    found.retain(|request| {
        !request.line.starts_with("GET ")
            || request.headers.iter().any(|(name, _)| name == "x-read")
    });
    let nth = |request: &Request| -> u32 {
        request
            .headers
            .iter()
            .find(|(name, _)| name == "x-nth")
            .map_or(0, |(_, nth)| nth.parse().unwrap())
    };
    found.sort_by_key(nth);
    for request in &mut found {
        request.headers.retain(|(name, _)| !HOPS.contains(&name.as_str()));
    }
    found
}

/// A mixed sequence: right orders and wrong ones, odd spellings, reads, XML; `{c}` is the checkout,
/// `{1}` the first source made, `{t}` the token. The ids of a seeded emulator are the same in both
/// worlds.
const SEQUENCE: [(&str, &str, &str); 34] = [
    (
        "POST /oauth20/token",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "grant_type=anonymous&client_id=pk_acme",
    ),
    (
        "POST /checkouts",
        "Content-Type: text/plain\r\n",
        r#"{ "currency": "USD",  "items": [{"skuId":"s","quantity":1,"aggregatePrice":100.00}] }"#,
    ),
    (
        "POST /sources",
        "Authorization: Bearer pk_test_acme\r\n",
        r#"{"type":"creditCard","creditCard":{}}"#,
    ),
    (
        "POST /sources",
        "",
        r#"{"type":"customerCredit","amount":20.50,"customerCredit":{}, "owner": {"lastName":"x"} }"#,
    ),
    ("POST /sources", "", r#"{"type":"customerCredit","customerCredit":{}}"#),
    ("POST /checkouts/{c}/sources/{1}", "", ""),
    ("POST /checkouts/{c}/sources/{2}", "", ""),
    (
        "POST /checkouts/{c}",
        "Content-Type: application/json; charset=utf-8\r\nX-Trace:  a  b \r\n",
        "{\n  \"sourceId\" : \"{2}\"\n}",
    ),
    ("GET /checkouts/{c}", "X-Read: 1\r\nAccept-Encoding: gzip\r\n", ""),
    ("GET /checkouts/{c}?fields=id", "X-Read: 1\r\nIf-None-Match: \"x\"\r\n", ""),
    ("POST /checkouts/{c}/sources/nosuch", "", ""),
    ("DELETE /checkouts/{c}/sources/{1}", "", ""),
    ("POST /checkouts/{c}/sources/{1}", "", ""),
    ("POST /checkouts/{c}/sources/{2}", "", ""),
    ("POST //checkouts/{c}//sources/{2}/", "", ""),
    ("POST /checkouts/{c}/./sources/{2}", "", ""),
    ("POST /checkouts/{c}", "", r#"{"sourceId":"{1}","sourceId":"{2}"}"#),
    ("POST /checkouts/{c}", "X-HTTP-Method-Override: PUT\r\n", "{}"),
    ("POST /checkouts/{c}", "", "not JSON at all"),
    ("POST /orders", "", r#"{"checkoutId":"{c}"}"#),
    ("POST /orders", "Authorization: Bearer sk_globex\r\n", r#"{"checkoutId":"{c}"}"#),
    ("POST /customers/none/sources/{2}", "", ""),
    (
        "POST /v1/shoppers/me/carts/active?productId=p&quantity=1&price=100",
        "Authorization: bearer {t}\r\n",
        "",
    ),
    (
        "POST /sources",
        "Authorization: Bearer pk_test_acme\r\n",
        r#"{"type":"creditCard","creditCard":{}}"#,
    ),
    ("POST /sources", "", r#"{"type":"customerCredit","amount":20,"customerCredit":{}}"#),
    (
        "POST /v1/shoppers/me/carts/active/apply-payment-method",
        "Authorization: bearer {t}\r\n",
        r#"{"paymentMethod":{"sourceId":"{3}"}}"#,
    ),
    (
        "POST /v1/shoppers/me/carts/active/apply-payment-method",
        "Authorization: bearer {t}\r\n",
        r#"<paymentMethod><sourceId>{4}</sourceId></paymentMethod>"#,
    ),
    (
        "POST /v1/shoppers/me/carts/active/apply-payment-method?format=json",
        "Authorization: bearer {t}\r\n",
        r#"{"paymentMethod":{"sourceId":"{4}"}}"#,
    ),
    (
        "GET /v1/shoppers/me/carts/active?expand=all",
        "Authorization: bearer {t}\r\nX-Read: 1\r\n",
        "",
    ),
    (
        "POST /v1/shoppers/me/payment-options",
        "Authorization: bearer {t}\r\n",
        r#"{"paymentOption":{"sourceId":"{4}"}}"#,
    ),
    ("POST /v1/shoppers/me/carts/active/apply-shopper", "Authorization: bearer {t}\r\n", ""),
    ("POST /v1/shoppers/me/carts/active/submit-cart", "Authorization: bearer {t}\r\n", ""),
    ("POST /v1/shoppers/me/carts/active/submit-cart", "Authorization: bearer nonsense\r\n", ""),
    ("DELETE /v1/shoppers/me/carts/active/payment", "Authorization: bearer {t}\r\n", ""),
];

/// Plays the sequence; its answers.
async fn play(address: SocketAddr) -> Vec<RawReply> {
    let (mut checkout, mut token, mut sources) =
        (String::new(), String::new(), Vec::<String>::new());
    let mut answers = Vec::new();
    for (nth, (line, headers, body)) in SEQUENCE.into_iter().enumerate() {
        let fill = |text: &str| {
            let mut text = text.replace("{c}", &checkout).replace("{t}", &token);
            for (nth, source) in sources.iter().enumerate() {
                text = text.replace(&format!("{{{}}}", nth + 1), source);
            }
            text
        };
        let (line, headers, body) = (fill(line), fill(headers), fill(body));
        let key = if headers.contains("Authorization") {
            String::new()
        } else {
            format!("Authorization: {SECRET}\r\n")
        };
        // A length is framing: where a caller leaves out one of 0, a proxy puts it in (RFC 9110
        // section 8.6).
        let length = if line.starts_with("GET") {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let request = format!(
            "{line} HTTP/1.1\r\nHost: there\r\nX-Nth: {}\r\n{key}{headers}{length}Connection: close\r\n\r\n{body}",
            nth + 1
        );
        let answer = raw(address, request.as_bytes()).await;
        let json = answer.json();
        match (line.as_str(), answer.status) {
            ("POST /oauth20/token", _) => token = json["access_token"].as_str().unwrap().to_owned(),
            ("POST /checkouts", _) => checkout = json["id"].as_str().unwrap().to_owned(),
            ("POST /sources", 201) => sources.push(json["id"].as_str().unwrap().to_owned()),
            _ => {}
        }
        answers.push(answer);
    }
    answers
}

/// Without what a proxy must change, without `Weir-*`, and without the date.
fn told(answer: &RawReply) -> RawReply {
    let mut answer = answer.clone();
    let own = |name: &str| {
        name.starts_with("weir-")
            || matches!(name, "connection" | "via" | "date" | "transfer-encoding")
    };
    answer.headers.retain(|(name, _)| !own(name));
    answer
}

fn emulator() -> Emulator {
    Emulator::new(Options { seed: Some(7), ..Options::default() })
}

#[tokio::test]
async fn monitoring_changes_no_byte_of_what_upstream_hears_and_callers_are_told() {
    let (upstream, _running) = start_emulator(emulator()).await;
    let (direct, heard_directly) = listening(upstream).await;
    let answers = play(direct).await;

    for mode in [Mode::Off, Mode::Monitor] {
        let world = emulator();
        let (upstream, _running) = start_emulator(world.clone()).await;
        let (between, heard) = listening(upstream).await;
        let policy = Policy { mode, ..weir::dialects::policy() };
        let governor = Governor::new(
            policy,
            Sessions::in_memory(Settings::default()),
            GovernSettings::default(),
        );
        let (weir, _serving) = start_weir(governor, between).await;
        let through = play(weir).await;
        for ((nth, answer), expected) in through.iter().enumerate().zip(&answers) {
            assert_eq!(told(answer), told(expected), "{mode:?}: the answer to {:?}", SEQUENCE[nth]);
        }
        let (heard, expected) = (requests(&heard), requests(&heard_directly));
        assert_eq!(heard.len(), expected.len(), "{mode:?}");
        for (heard, expected) in heard.iter().zip(&expected) {
            assert_eq!(heard, expected, "{mode:?}");
        }
        let reported = through
            .iter()
            .filter(|answer| answer.header("weir-decision") == Some("monitored"))
            .count();
        assert_eq!(reported > 8, mode == Mode::Monitor, "{mode:?}: {reported} reported");
        assert!(through.iter().all(|answer| answer.header("weir-decision") != Some("rejected")));
    }
}

/// Enforcing, what passes passes untouched too.
#[tokio::test]
async fn enforcing_changes_no_byte_of_what_it_forwards() {
    let mut house = House::new(weir::dialects::policy()).await;
    let (between, heard) = listening(house.upstream.address).await;
    let governor = Governor::new(
        weir::dialects::policy(),
        Sessions::in_memory(Settings::default()),
        GovernSettings::default(),
    );
    let (weir, _serving) = start_weir(governor, between).await;
    house.weir.address = weir;
    let body = "{\r\n\t\"currency\": \"USD\", \"items\": [ {\"skuId\":\"s\",\"quantity\":1,\"aggregatePrice\":1e2} ],\"metadata\":{\"a\":1.10}}";
    let request = format!(
        "POST /checkouts?x=%41&y HTTP/1.1\r\nHost: there\r\nX-Nth: 1\r\nAuthorization: {SECRET}\r\nX-Twice: a\r\nX-Twice: b\r\nForwarded: for=192.0.2.1\r\nX-Forwarded-For: 192.0.2.1\r\nUser-Agent: t\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = raw(weir, request.as_bytes()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let heard = requests(&heard);
    assert_eq!((heard.len(), heard[0].line.as_str()), (1, "POST /checkouts?x=%41&y HTTP/1.1"));
    assert_eq!(String::from_utf8_lossy(&heard[0].body), body);
    let expected = [
        ("x-nth", "1"),
        ("authorization", SECRET),
        ("x-twice", "a"),
        ("x-twice", "b"),
        ("forwarded", "for=192.0.2.1"),
        ("x-forwarded-for", "192.0.2.1"),
        ("user-agent", "t"),
        ("content-length", &body.len().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(heard[0].headers, expected);
}
